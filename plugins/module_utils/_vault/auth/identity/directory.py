# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The objects that entities, groups and login MFA refer to.

Declarations use names and paths, the server IDs and accessors. Each is looked up once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.resource import Resource
from ...base.declaring import View
from ...base.kind import RunContext
from ...connection.answers import data_of
from ...connection.client import Client
from ...connection.errors import PermissionDenied
from ..mounts import MethodMounts
from ..policies import Policies


def mount_path(value: Any) -> str:
    """Return the path of an auth method without slashes at its ends and without ``auth/`` before it."""
    path = normalise.path(value)
    return path[len("auth/") :] if path.startswith("auth/") else path


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
        """Return the name for an ID, the ID itself when it is unknown."""
        with self._lock:
            return self._all().get(key, key)

    def id(self, name: str) -> str | None:
        """Return the id for a name in any case, None when there is none."""
        with self._lock:
            return next((key for key, known in self._all().items() if known.lower() == name.lower()), None)

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return the IDs of the existing names, by name in lower case."""
        wanted = {name.lower() for name in names}
        with self._lock:
            return {known.lower(): key for key, known in self._all().items() if known.lower() in wanted}

    def add(self, key: str, name: str) -> None:
        """Add an object that was just created."""
        with self._lock:
            if self._by_id is not None:
                self._by_id[key] = name


class Directory:
    """The objects that declared entities and groups refer to; each kind is read at most once per task.

    In check mode an earlier task may create a missing object, so it is only a warning. An object that the same tree
    creates first does not count as missing.
    """

    def __init__(self, client: Client, context: RunContext) -> None:
        self.client = client
        self.context = context
        self.mounts = MethodMounts(client)
        self.policies = Policies(client, context.planned_names("policies"))
        self.entities = Names(client, "entity")
        self.groups = Names(client, "group")
        #: held while an alias moves between entities, as the other entity's cached state is outdated then
        self.moving = threading.Lock()
        self._claims: dict[tuple[str, str, str], str] = {}

    def accessor(self, mount: str) -> str | None:
        """Return the accessor of an auth method, None when it is not mounted."""
        return (self.mounts.get(mount) or {}).get("accessor")

    def mount(self, alias: Mapping[str, Any]) -> str:
        """Return the auth method's path for an alias of the server; its accessor when the method no longer exists."""
        accessor = str(alias.get("mount_accessor") or "")
        return next((path for path, entry in self.mounts.all().items() if entry.get("accessor") == accessor), accessor)

    def missing(self, resource: Resource, what: str, remedy: str, kind: str, name: str) -> None:
        """Refuse a reference to a missing object; in check mode warn. Raises InvalidInput.

        ``kind`` and ``name``: the referenced object in a tree.
        """
        if not self.context.planning:
            raise InvalidInput(what, remedy=remedy)
        if name.lower() in self.context.planned_names(kind):
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
        """Refuse an alias that another resource declares too: it would move back and forth. Raises InvalidInput."""
        owner = self._claims.setdefault((resource.kind, mount, name.lower()), resource.name)
        if owner != resource.name:
            raise InvalidInput(
                'the alias "%s" of auth method "%s" is declared for "%s" as well' % (name, mount, owner),
                remedy="keep one of the two",
            )

    def owner(self, what: str, mount: str, name: str) -> Mapping[str, Any]:
        """Return the entity or group that has an alias; empty without one, or when the token may not look it up."""
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


def exported_directory(view: View) -> Directory:
    """Return the directory of a namespace that is exported, the same for all its kinds."""
    found: Directory = view.once("directory", lambda: Directory(view.client, RunContext({})))
    return found
