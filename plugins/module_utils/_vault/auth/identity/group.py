# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Groups of the identity store, with their members or alias. Source: /api-docs/secret/identity (group, group-alias)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, normalisers
from ...._engine.resource import Change
from ...base import purge
from ...base.declaring import View
from ...base.kind import PURGE, Kind, RunContext
from ...base.listing import Found, Listing
from ...base.normalisers import lower_set
from ...connection.answers import data_of
from ...connection.client import Client
from .common import Identity, check_alias
from .directory import Directory, exported_directory, mount_path

FIELDS = (
    Field(
        "name",
        "Name of the group. The server ignores case.",
        sent=False,
    ),
    Field(
        "type",
        (
            (
                "An V(internal) group names its members, an V(external) one gets them from logins, such "
                "as an OIDC or LDAP group."
            ),
            "Cannot be changed later.",
        ),
        choices=("internal", "external"),
        default="internal",
        fixed=True,
    ),
    Field(
        "policies",
        "Policies that every token of a member has. A policy that does not exist is a warning.",
        type="list",
        elements="str",
        normaliser=lower_set,
    ),
    Field(
        "metadata",
        "Metadata as keys and texts, all of them.",
        type="dict",
        normaliser=normalise.string_map,
    ),
    Field(
        "member_entities",
        "Names of the entities in an internal group, all of them.",
        type="list",
        elements="str",
        normaliser=lower_set,
    ),
    Field(
        "member_groups",
        "Names of the groups in an internal group, all of them.",
        type="list",
        elements="str",
        normaliser=lower_set,
    ),
    Field(
        "alias",
        "Alias of an external group: its name in the auth method of its members.",
        type="dict",
        fields=(
            Field(
                "name",
                "Name of the group there.",
                required=True,
            ),
            Field(
                "mount",
                "Path of the auth method.",
                required=True,
            ),
        ),
        normaliser=normalise.plain,
    ),
)


class Group(Identity):
    """One group. Members are names, ``alias`` a mapping with ``name`` and ``mount``."""

    kind = "identity group"
    what = "group"
    fields = normalisers(FIELDS)

    def __init__(self, directory: Directory, item: Mapping[str, Any]) -> None:
        super().__init__(directory, item)
        self._alias_id: str | None = None
        #: the groups that the task declares, in lower case; set by `arrange`
        self.declared_names: frozenset[str] = frozenset()
        #: the groups that the task declares absent
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
            self.directory.claim(self, desired["alias"]["mount"], desired["alias"]["name"])

    def preflight(self) -> None:
        super().preflight()
        desired = self.desired or {}
        if "alias" in desired:
            self.directory.check_mount(self, desired["alias"]["mount"])
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
        desired = change.desired
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
    """Rank groups so that members are written before their groups. Raises InvalidInput for a cycle."""
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


class IdentityGroups(Kind):
    """Identity groups with their members or alias."""

    about = "Identity groups"
    tag = "identity"
    module = "vault_identity_group"
    plural = "groups"
    fields = FIELDS
    options = PURGE
    listings = (Listing("identity/group/name"),)

    exported_always = ("type",)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        directory = exported_directory(view)
        told = dict(one.told or {})
        if told.get("type") != "external":
            for names, option in ((directory.entities, "entities"), (directory.groups, "groups")):
                told["member_" + option] = sorted(map(names.name, told.get("member_%s_ids" % names.what) or []))
        alias = told.pop("alias", None) or {}
        if alias.get("id"):
            told["alias"] = {"name": alias.get("name"), "mount": directory.mount(alias)}
        return super().declaration(one.told_as(told), view)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        directory = Directory(client, context)
        make = partial(Group, directory)
        groups = [make(item) for item in items]
        if context.purge:
            groups += purge.undeclared(context, groups, directory.groups.names(), make, str.lower)
        return list(arrange(groups))
