# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Entities and groups of the identity store, with their aliases.

People name members and auth methods by name and path; the server wants ids and accessors. Each is looked up once.
Source: /api-docs/secret/identity (entity, entity-alias, group, group-alias).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.reconcile import Change, Resource
from ..base.kind import Given
from ..base.naming import check_metadata
from ..connection.answers import data_of
from ..connection.client import Client
from ..connection.errors import PermissionDenied
from .mounts import MethodMounts
from .role import Policies

#: what the server itself calls an entity that a login made
AUTOMATIC = re.compile(r"entity_[0-9a-f]{8}(\..*)?")


def lower_set(value: Any) -> list[str]:
    """Return names as the server compares them: sorted, distinct, in lower case."""
    return sorted({item.lower() for item in normalise.strings(value)})


def mount_path(value: Any) -> str:
    """Return the path of an auth method without slashes at its ends and without ``auth/`` before it."""
    path = normalise.path(value)
    return path[len("auth/") :] if path.startswith("auth/") else path


def segment(name: str) -> str:
    """Return a name as one part of a URL's path."""
    return quote(name, safe="")


def check_alias(mount: str, name: str) -> None:
    """Refuse an alias of nothing or without a name. Raises InvalidInput."""
    if not mount or not name:
        raise InvalidInput('an alias without "%s"' % ("name" if mount else "mount"), remedy="give one")


class Names:
    """All entities or all groups of the namespace by name, read once (``LIST identity/<what>/id``)."""

    def __init__(self, client: Client, what: str) -> None:
        self.client = client
        self.what = what
        self._lock = threading.Lock()
        self._by_id: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._by_id is None:
            answer = self.client.request("LIST", "identity/%s/id" % self.what, missing_ok=True)
            known = (data_of(answer) if answer else {}).get("key_info") or {}
            self._by_id = {key: str((entry or {}).get("name") or key) for key, entry in known.items()}
        return self._by_id

    def names(self) -> list[str]:
        """Return all names."""
        with self._lock:
            return list(self._all().values())

    def name(self, key: str) -> str:
        """Return the name for an id, the id itself when it is of nobody."""
        with self._lock:
            return self._all().get(key, key)

    def id(self, name: str) -> str | None:
        """Return the id for a name in any case, None when there is none."""
        with self._lock:
            return next((key for key, known in self._all().items() if known.lower() == name.lower()), None)

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return the ids of those names that exist, by name in lower case."""
        wanted = {name.lower() for name in names}
        with self._lock:
            return {known.lower(): key for key, known in self._all().items() if known.lower() in wanted}

    def add(self, key: str, name: str) -> None:
        """Remember what was just created."""
        with self._lock:
            if self._by_id is not None:
                self._by_id[key] = name


class Directory:
    """What the declared entities and groups refer to; each kind is read at most once in a task.

    In check mode what is missing may be about to be created by a task before, and is a warning only. What the same tree
    makes before is not missed at all.
    """

    def __init__(self, client: Client, given: Given) -> None:
        self.client = client
        self.given = given
        self.mounts = MethodMounts(client)
        self.policies = Policies(client, given.coming("policies"))
        self.entities = Names(client, "entity")
        self.groups = Names(client, "group")
        #: held while an alias moves from one entity to another, as what was read of the other is not true any more then
        self.moving = threading.Lock()
        self._claims: dict[tuple[str, str, str], str] = {}

    def accessor(self, mount: str) -> str | None:
        """Return the accessor of an auth method, None when it is not mounted."""
        return (self.mounts.get(mount) or {}).get("accessor")

    def mount(self, alias: Mapping[str, Any]) -> str:
        """Return the auth method's path for an alias as the server gives it; its accessor when it is gone."""
        accessor = str(alias.get("mount_accessor") or "")
        return next((path for path, entry in self.mounts.all().items() if entry.get("accessor") == accessor), accessor)

    def missing(self, resource: Resource, what: str, remedy: str, kind: str, name: str) -> None:
        """Refuse a reference to what does not exist, or in check mode warn of it. Raises InvalidInput.

        ``kind`` and ``name``: what is referred to, as a tree declares it.
        """
        if not self.given.rehearsal:
            raise InvalidInput(what, remedy=remedy)
        if name.lower() in self.given.coming(kind):
            return
        resource.warnings.append("%s (yet)" % what)

    def check_mount(self, resource: Resource, mount: str) -> None:
        """Refuse an alias of an auth method that is not mounted. Raises InvalidInput."""
        if self.accessor(mount) is None:
            self.missing(
                resource,
                'no auth method is mounted at "%s"' % mount,
                "mount it first, or correct the alias's mount",
                "auth_methods",
                mount,
            )

    def claim(self, resource: Resource, mount: str, name: str) -> None:
        """Refuse an alias that another resource declares too: it would move at every run. Raises InvalidInput."""
        owner = self._claims.setdefault((resource.kind, mount, name.lower()), resource.name)
        if owner != resource.name:
            raise InvalidInput(
                'the alias "%s" of auth method "%s" is declared for "%s" as well' % (name, mount, owner),
                remedy="keep one of the two",
            )

    def owner(self, what: str, mount: str, name: str) -> Mapping[str, Any]:
        """Return the entity or group that has an alias; nothing where there is none, or the token may not ask."""
        accessor = self.accessor(mount)
        if accessor is None:
            return {}
        try:
            body = {"alias_name": name, "alias_mount_accessor": accessor}
            return data_of(self.client.write("identity/lookup/%s" % what, body))
        except PermissionDenied:
            return {}

    def check_policies(self, resource: Resource, names: Iterable[str]) -> None:
        """Warn of policies that do not exist."""
        missing = self.policies.missing(list(names))
        if missing:
            resource.warnings.append("no policy has the name %s" % ", ".join('"%s"' % name for name in missing))


class Identity(Resource):
    """What entities and groups have in common."""

    what = ""

    def __init__(self, directory: Directory, item: Mapping[str, Any]) -> None:
        self.directory = directory
        self.client = directory.client
        self.item = item
        desired = None if item["state"] == "absent" else self.declared(item)
        super().__init__(str(item["name"]).strip(), desired)

    def declared(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the desired fields."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def path(self) -> str:
        """The API path by name."""
        return "identity/%s/name/%s" % (self.what, segment(self.name))

    def check(self) -> None:
        if not self.name:
            raise InvalidInput("the name is empty", remedy="give one")
        if self.name.endswith("/"):
            raise InvalidInput("the name ends with a slash", remedy="remove it")
        if self.desired is not None:
            check_metadata(self.desired.get("metadata"), "metadata", empty=True, plain_keys=True)
            self.directory.check_policies(self, lower_set(self.desired.get("policies")))

    def delete(self, change: Change) -> None:
        self.client.delete(self.path)


class Entity(Identity):
    """One entity. ``aliases`` is a mapping from the auth method's path to the alias's ``name`` and metadata."""

    kind = "identity entity"
    what = "entity"
    rank = 0
    fields = {
        "policies": lower_set,
        "metadata": normalise.string_map,
        "disabled": normalise.boolean,
        "aliases": normalise.plain,
    }

    def __init__(self, directory: Directory, item: Mapping[str, Any]) -> None:
        super().__init__(directory, item)
        self._aliases: dict[str, Mapping[str, Any]] = {}

    def declared(self, item: Mapping[str, Any]) -> dict[str, Any]:
        desired = {name: item.get(name) for name in ("policies", "metadata", "disabled")}
        if item.get("aliases") is not None:
            desired["aliases"] = {mount_path(alias["mount"]): self._alias(alias) for alias in item["aliases"]}
        return desired

    @staticmethod
    def _alias(alias: Mapping[str, Any]) -> dict[str, Any]:
        wanted: dict[str, Any] = {"name": str(alias["name"])}
        if alias.get("custom_metadata") is not None:
            wanted["custom_metadata"] = normalise.string_map(alias["custom_metadata"])
        return wanted

    def check(self) -> None:
        super().check()
        wanted = (self.desired or {}).get("aliases") or {}
        if len(wanted) < len(self.item.get("aliases") or ()):
            raise InvalidInput(
                "two aliases of one auth method", remedy="keep one: an entity has one alias in each auth method"
            )
        for mount, alias in wanted.items():
            check_alias(mount, alias["name"])
            check_metadata(alias.get("custom_metadata"), "custom_metadata", empty=True)
            self.directory.check_mount(self, mount)
            self.directory.claim(self, mount, alias["name"])

    def read(self) -> Mapping[str, Any] | None:
        data = self.client.read(self.path)
        if data is not None:
            self.info["id"] = data.get("id")
        declared = (self.desired or {}).get("aliases")
        self._aliases = {}
        for alias in (data or {}).get("aliases") or []:
            mount = self.directory.mount(alias) if declared is not None else mount_path(alias.get("mount_path"))
            self._aliases[mount or str(alias.get("mount_accessor"))] = alias
        for mount, wanted in (declared or {}).items():
            if mount not in self._aliases or self._aliases[mount].get("name") != wanted["name"]:
                self._warn_of_owner(mount, wanted["name"])
        if data is None:
            return None
        current = {name: data.get(name) for name in ("policies", "metadata", "disabled")}
        current["aliases"] = {
            mount: self._comparable(alias, (declared or {}).get(mount)) for mount, alias in self._aliases.items()
        }
        return current

    @staticmethod
    def _comparable(alias: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> dict[str, Any]:
        found: dict[str, Any] = {"name": alias.get("name")}
        if wanted is None or "custom_metadata" in wanted:
            found["custom_metadata"] = alias.get("custom_metadata") or {}
        return found

    def _warn_of_owner(self, mount: str, name: str) -> None:
        """An alias that is of another entity, such as one that a login made, moves to this one: say so."""
        owner = self.directory.owner("entity", mount, name)
        if owner.get("id") and owner.get("id") != self.info.get("id"):
            self.warnings.append(
                'the alias "%s" of auth method "%s" moves here from entity "%s"' % (name, mount, owner.get("name"))
            )

    def write(self, change: Change) -> None:
        desired = self.desired or {}
        own: dict[str, Any] = {name: desired[name] for name in ("policies", "metadata", "disabled") if name in desired}
        if "metadata" in own:
            own["metadata"] = normalise.string_map(own["metadata"])
        if change.current is None or set(own) & set(change.fields):
            answer = data_of(self.client.write(self.path, own))
            change.touched = True
            self.info.setdefault("id", answer.get("id"))
        if "aliases" in change.fields:
            self._write_aliases(change)

    def _write_aliases(self, change: Change) -> None:
        wanted = (self.desired or {})["aliases"]
        for mount, alias in self._aliases.items():
            if mount not in wanted:
                self.client.delete("identity/entity-alias/id/%s" % alias["id"])
                change.touched = True
        for mount, declared in wanted.items():
            current = self._aliases.get(mount)
            if current is not None and self._comparable(current, declared) == declared:
                continue
            body = {
                "name": declared["name"],
                "canonical_id": self.info["id"],
                "mount_accessor": self.directory.accessor(mount),
                "custom_metadata": declared.get("custom_metadata", (current or {}).get("custom_metadata") or {}),
            }
            if current is not None and current.get("name") != declared["name"]:
                with self.directory.moving:
                    self._rename(change, mount, body)
                continue
            self.client.write("identity/entity-alias%s" % ("/id/%s" % current["id"] if current else ""), body)
            change.touched = True

    def _rename(self, change: Change, mount: str, body: Mapping[str, Any]) -> None:
        """Give the entity its alias by another name: one alias in each auth method is all that it has.

        The server renames an alias, but to no name that another entity's alias has: that one moves here instead.
        """
        owner = self.directory.owner("entity", mount, body["name"])
        # what this entity has now: another one that was written meanwhile may have taken it
        now = next(
            (
                one
                for one in (self.client.read(self.path) or {}).get("aliases") or []
                if self.directory.mount(one) == mount
            ),
            None,
        )
        moves = bool(owner.get("id")) and owner["id"] != body["canonical_id"]
        if moves and now is not None:
            self.client.delete("identity/entity-alias/id/%s" % now["id"])
            change.touched = True
            now = None
        self.client.write("identity/entity-alias%s" % ("/id/%s" % now["id"] if now else ""), body)
        change.touched = True


class Group(Identity):
    """One group. Members are names, ``alias`` a mapping with ``name`` and ``mount``."""

    kind = "identity group"
    what = "group"
    fields = {
        "type": normalise.scalar,
        "policies": lower_set,
        "metadata": normalise.string_map,
        "member_entities": lower_set,
        "member_groups": lower_set,
        "alias": normalise.plain,
    }

    def __init__(self, directory: Directory, item: Mapping[str, Any]) -> None:
        super().__init__(directory, item)
        self._alias_id: str | None = None
        #: the groups that the task declares, in lower case; set by `arrange`
        self.declared_names: frozenset[str] = frozenset()
        #: and those that it declares absent
        self.absent_names: frozenset[str] = frozenset()

    def declared(self, item: Mapping[str, Any]) -> dict[str, Any]:
        desired = {name: item.get(name) for name in ("policies", "metadata", "member_entities", "member_groups")}
        desired["type"] = item.get("type") or "internal"
        alias = item.get("alias")
        if alias is not None:
            desired["alias"] = {"name": str(alias["name"]), "mount": mount_path(alias["mount"])}
        return desired

    def check(self) -> None:
        super().check()
        desired = self.desired or {}
        external = desired.get("type") == "external"
        for name in ("member_entities", "member_groups"):
            if external and desired.get(name):
                raise InvalidInput(
                    'an external group takes its members from logins, and "%s" is given' % name,
                    remedy='remove it, or use type "internal"',
                )
        if not external and "alias" in desired:
            raise InvalidInput("only an external group has an alias", remedy='use type "external", or remove the alias')
        if "alias" in desired:
            check_alias(desired["alias"]["mount"], desired["alias"]["name"])
            self.directory.check_mount(self, desired["alias"]["mount"])
            self.directory.claim(self, desired["alias"]["mount"], desired["alias"]["name"])
        for names, option, also in (
            (self.directory.entities, "member_entities", frozenset()),
            (self.directory.groups, "member_groups", self.declared_names),
        ):
            wanted = lower_set(desired.get(option))
            known = names.ids(wanted) if wanted else {}
            gone = sorted(set(wanted) & self.absent_names) if option == "member_groups" else []
            if gone:
                raise InvalidInput(
                    'its member group "%s" is declared absent' % gone[0], remedy="correct one of the two"
                )
            for name in wanted:
                if name not in known and name not in also:
                    self.directory.missing(
                        self,
                        'there is no %s "%s"' % (names.what, name),
                        'create it first, or correct "%s"' % option,
                        "identity_entities" if names is self.directory.entities else "identity_groups",
                        name,
                    )

    def _check_owner(self, data: Mapping[str, Any]) -> None:
        """Refuse an alias that another group has: the server does not move it. Raises InvalidInput."""
        wanted = (self.desired or {}).get("alias")
        if not wanted or (data.get("alias") or {}).get("name") == wanted["name"]:
            return
        owner = self.directory.owner("group", wanted["mount"], wanted["name"])
        if owner.get("id") and owner["id"] != data.get("id"):
            raise InvalidInput(
                'the alias "%s" of auth method "%s" is of group "%s"'
                % (wanted["name"], wanted["mount"], owner["name"]),
                remedy="correct it, or delete that group first",
            )

    def read(self) -> Mapping[str, Any] | None:
        data = self.client.read(self.path)
        self._check_owner(data or {})
        if data is None:
            return None
        self.info["id"] = data.get("id")
        desired = self.desired or {}
        if "type" in desired and data.get("type") != desired["type"]:
            raise InvalidInput(
                "the group is %s, and %s is declared; the server cannot change that" % (data["type"], desired["type"]),
                remedy='correct "type", or delete the group first with "state: absent"',
            )
        current = {name: data.get(name) for name in ("type", "policies", "metadata")}
        for names, option in ((self.directory.entities, "entities"), (self.directory.groups, "groups")):
            ids = data.get("member_%s_ids" % names.what) or []
            field = "member_" + option
            current[field] = sorted(names.name(key) if field in desired else key for key in ids)
        alias = data.get("alias") or {}
        self._alias_id = alias.get("id")
        if alias.get("id"):
            mount = self.directory.mount(alias) if "alias" in desired else mount_path(alias.get("mount_path"))
            current["alias"] = {"name": alias.get("name"), "mount": mount}
        return current

    def write(self, change: Change) -> None:
        desired = self.desired or {}
        own: dict[str, Any] = {name: desired[name] for name in ("type", "policies") if name in desired}
        if "metadata" in desired:
            own["metadata"] = normalise.string_map(desired["metadata"])
        for names, option in ((self.directory.entities, "entities"), (self.directory.groups, "groups")):
            wanted = desired.get("member_" + option)
            if wanted is not None and own["type"] == "internal":
                own["member_%s_ids" % names.what] = sorted(names.ids(wanted).values())
        if change.current is None or set(change.fields) - {"alias"}:
            answer = data_of(self.client.write(self.path, own))
            change.touched = True
            self.info.setdefault("id", answer.get("id"))
            if change.current is None and answer.get("id"):
                self.directory.groups.add(answer["id"], self.name)
        if "alias" in change.fields:
            body = {
                "name": desired["alias"]["name"],
                "canonical_id": self.info["id"],
                "mount_accessor": self.directory.accessor(desired["alias"]["mount"]),
            }
            self.client.write("identity/group-alias%s" % ("/id/%s" % self._alias_id if self._alias_id else ""), body)
            change.touched = True


def arrange(groups: Sequence[Group]) -> Sequence[Group]:
    """Rank groups so that members are written before the groups that hold them. Raises InvalidInput for a circle."""
    by_name = {group.name.lower(): group for group in groups}
    members = {
        name: [item for item in lower_set((group.desired or {}).get("member_groups")) if item in by_name]
        for name, group in by_name.items()
    }
    ranks: dict[str, int] = {}

    def rank(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            circle = above[above.index(name) :] + (name,)
            raise InvalidInput(
                "the groups are members of each other: %s" % " > ".join(circle), remedy="take one of them out"
            )
        if name not in ranks:
            ranks[name] = 1 + max((rank(item, (*above, name)) for item in members[name]), default=0)
        return ranks[name]

    present = frozenset(name for name, group in by_name.items() if group.desired is not None)
    absent = frozenset(by_name) - present
    for group in groups:
        group.rank = rank(group.name.lower(), ())
        group.needs = frozenset(by_name[name].name for name in members[group.name.lower()])
        group.declared_names, group.absent_names = present, absent
    return groups


def surplus_entities(
    directory: Directory, declared: Iterable[str], protected: Iterable[str], automatic: bool
) -> list[str]:
    """Return the names of the entities that a purge deletes: never the one of the module's own token.

    ``automatic``: also those that a login made and nobody has named.
    """
    keep = {name.lower() for name in (*declared, *protected)}
    try:
        own = (directory.client.read("auth/token/lookup-self") or {}).get("entity_id")
    except PermissionDenied:
        own = None
    if own:
        keep.add(directory.entities.name(own).lower())
    return sorted(
        name
        for name in directory.entities.names()
        if name.lower() not in keep and (automatic or not AUTOMATIC.fullmatch(name))
    )


def surplus_groups(directory: Directory, declared: Iterable[str], protected: Iterable[str]) -> list[str]:
    """Return the names of the groups that a purge deletes."""
    keep = {name.lower() for name in (*declared, *protected)}
    return sorted(name for name in directory.groups.names() if name.lower() not in keep)
