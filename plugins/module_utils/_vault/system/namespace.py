# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Namespaces, also nested ones. Source: /api-docs/system/namespaces (OpenBao, HashiCorp Vault Enterprise)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.field import Field, normalisers
from ..._engine.resource import CREATE, Change, Resource
from ..base import purge
from ..base.declaring import View, declare, placed
from ..base.kind import PURGE_DATA, Kind, RunContext
from ..base.listing import Found, Listing
from ..base.mounts import PROTECTED_TYPES
from ..base.naming import check_mount
from ..connection.answers import data_of
from ..connection.client import Client
from ..connection.errors import Missing, NoApi, NoRoute, VaultError

#: names that the server keeps for itself
RESERVED = frozenset(("root", "sys", "audit", "auth", "cubbyhole", "identity"))
#: seconds to wait until the server has emptied and removed a namespace
DELETE_TIMEOUT = 120


def join(*parts: str | None) -> str:
    """Return a path of namespaces from its parts; empty ones are left out."""
    return "/".join(part for part in parts if part)


def unsupported(error: VaultError) -> bool:
    """Tell whether an answer means that the server has no namespaces at all."""
    return isinstance(error, (NoApi, NoRoute))


def ask(client: Client, method: str, path: str) -> dict[str, Any] | None:
    """Return the data of an answer, None for what does not exist. Raises InvalidInput where there are no namespaces."""
    try:
        answer = client.request(method, path)
    except VaultError as error:
        if unsupported(error):
            raise InvalidInput(
                "this server has no namespaces", remedy="they need OpenBao 2.3 or later, or HashiCorp Vault Enterprise"
            ) from error
        if isinstance(error, Missing):
            return None
        raise
    return data_of(answer or {})


FIELDS: Sequence[Field] = (
    Field(
        "name",
        (
            "Path of the namespace, below O(namespace) where that is given. A namespace that holds others is declared "
            "as well, in any order."
        ),
        sent=False,
    ),
    Field(
        "custom_metadata",
        "Metadata as keys and texts, all of them. Without it what is there stays.",
        type="dict",
        normaliser=normalise.string_map,
    ),
    Field(
        "delete_data",
        (
            "Permit to delete a namespace in which secrets engines or auth methods are mounted, with all that is in "
            "them."
        ),
        type="bool",
        default=False,
        sent=False,
    ),
)


class Namespace(Resource):
    """One namespace, by its path below the module's own namespace."""

    kind = "namespace"
    holds_data = True
    fields = normalisers(FIELDS)

    def __init__(self, client: Client, item: Mapping[str, Any]) -> None:
        desired = None if item["state"] == "absent" else {"custom_metadata": item.get("custom_metadata")}
        super().__init__(normalise.path(item["name"]), desired)
        self.client = client
        self.delete_data = bool(item.get("delete_data"))
        #: those that the same task deletes; set by `arrange`
        self.doomed: frozenset[str] = frozenset()
        #: a namespace is there before those in it, and goes after them
        self.rank = self.name.count("/")
        parts = self.name.split("/")
        self.needs = frozenset("/".join(parts[:depth]) for depth in range(1, len(parts)))

    @property
    def _parent(self) -> Client:
        return self.client.within(join(self.client.namespace, self.name.rpartition("/")[0]))

    @property
    def _inside(self) -> Client:
        return self.client.within(join(self.client.namespace, self.name))

    @property
    def _path(self) -> str:
        return "sys/namespaces/%s" % self.name.rpartition("/")[2]

    def check(self) -> None:
        check_mount(self.name, "write it like a/b")
        for part in self.name.split("/"):
            if part in RESERVED:
                raise InvalidInput('"%s" is reserved by the server' % part, remedy="use another name")

    def read(self) -> Mapping[str, Any] | None:
        data = ask(self._parent, "GET", self._path)
        if data is None or (data.get("tainted") and self.desired is None):
            return None
        if data.get("tainted"):
            raise InvalidInput("it is being deleted at this moment", remedy="run again when that is done")
        self.info["id"] = data.get("id")
        if self.desired is None:
            self._check_contents()
        return {"custom_metadata": data.get("custom_metadata") or {}}

    def _check_contents(self) -> None:
        """Refuse to delete what holds data that nobody has named, or namespaces that stay. Raises InvalidInput."""
        inside = self._inside
        left = [path for path in children(inside) if join(self.name, path) not in self.doomed]
        if left:
            raise InvalidInput(
                "it holds the namespaces %s" % ", ".join('"%s"' % join(self.name, path) for path in left),
                remedy="declare these absent as well",
            )
        if self.delete_data:
            return
        found = []
        for path, prefix in (("sys/mounts", ""), ("sys/auth", "auth/")):
            for mount, entry in sorted((inside.read(path) or {}).items()):
                kind = str(entry.get("type", "")) if isinstance(entry, dict) else ""
                if mount.endswith("/") and kind not in PROTECTED_TYPES and not kind.startswith("ns_"):
                    found.append(prefix + mount.rstrip("/"))
        if found:
            raise InvalidInput(
                "deleting it loses all that is in %s" % ", ".join('"%s"' % mount for mount in found),
                remedy='set "delete_data: true" to confirm',
            )

    def write(self, change: Change) -> None:
        metadata = normalise.string_map(change.desired.get("custom_metadata"))
        try:
            if change.action == CREATE:
                self.info["id"] = data_of(self._parent.write(self._path, {"custom_metadata": metadata})).get("id")
                return
            current = normalise.string_map((change.current or {}).get("custom_metadata"))
            body = {"custom_metadata": {**dict.fromkeys(current), **metadata}}
            self._parent.request(
                "PATCH", self._path, body, idempotent=True, headers={"Content-Type": "application/merge-patch+json"}
            )
        except VaultError as error:
            if error.status == 404:
                raise InvalidInput(
                    'the namespace "%s" does not exist' % join(self.client.namespace, self.name.rpartition("/")[0]),
                    remedy="declare it as well",
                ) from error
            raise

    def delete(self, change: Change) -> None:
        self._parent.delete(self._path)
        change.touched = True
        deadline = time.monotonic() + DELETE_TIMEOUT
        while ask(self._parent, "GET", self._path) is not None:
            if time.monotonic() > deadline:
                raise VaultError(
                    "the server still deletes it after %d seconds" % DELETE_TIMEOUT, remedy="look into the server's log"
                )
            time.sleep(0.2)


def children(client: Client) -> list[str]:
    """Return the names of the namespaces directly in the client's own."""
    data = ask(client, "LIST", "sys/namespaces")
    return [normalise.path(key) for key in (data or {}).get("keys") or []]


def tree(client: Client, below: str = "") -> list[str]:
    """Return the paths of all namespaces in the client's own, at any depth."""
    found = []
    for name in children(client.within(join(client.namespace, below)) if below else client):
        path = join(below, name)
        found += [path, *tree(client, path)]
    return found


def arrange(resources: list[Namespace]) -> list[Namespace]:
    """Tell each namespace which others go with it. Raises InvalidInput when one would stay in one that goes."""
    doomed = frozenset(item.name for item in resources if item.desired is None)
    for item in resources:
        item.doomed = doomed
        above = [path for path in doomed if item.name.startswith(path + "/")]
        if item.desired is not None and above:
            raise InvalidInput(
                'is declared, and "%s" that it is in is to be absent' % above[0], item.label, "correct one of the two"
            )
    return resources


def undeclared(client: Client, declared: Iterable[Namespace], context: RunContext) -> list[Namespace]:
    """Return what deletes the undeclared namespaces; one that holds a declared or protected one stays.

    Raises InvalidInput for those that are not named in ``purge_data``.
    """
    keep = {normalise.path(path) for path in (*(one.name for one in declared), *context.protected)}
    extra = [
        Namespace(client, {"name": path, "state": "absent", "delete_data": True})
        for path in sorted(tree(client))
        if not any((one + "/").startswith(path + "/") for one in keep)
    ]
    named = {normalise.path(path) for path in context.purge_data}
    purge.refuse_unnamed(extra, named, "%s with all that is in them", lambda one: {one.name})
    return extra


class Namespaces(Kind):
    """Namespaces below the connection's."""

    about = "Namespaces"
    tag = "namespaces"
    module = "vault_namespace"
    plural = "namespaces"
    fields = FIELDS
    options = PURGE_DATA
    listings = (Listing("sys/namespaces", walk=lambda client, _mount, _entry: tree(client)),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        return {**placed(FIELDS, one), **declare(FIELDS, one.told or {}, {})}

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        declared = [Namespace(client, item) for item in items]
        return arrange([*declared, *(undeclared(client, declared, context) if context.purge else [])])
