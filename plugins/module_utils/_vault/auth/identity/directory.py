# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What entities, groups and login MFA refer to.

People name members and auth methods by name and path; the server wants ids and accessors. Each is looked up once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.reconcile import Resource
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

    def __init__(self, client: Client, context: RunContext) -> None:
        self.client = client
        self.context = context
        self.mounts = MethodMounts(client)
        self.policies = Policies(client, context.planned_names("policies"))
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
