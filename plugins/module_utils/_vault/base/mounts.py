# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The mounts of a namespace.

Source: /api-docs/system/mounts, /api-docs/system/internal-ui-mounts.
"""

from __future__ import annotations

import copy
import re
import threading
from typing import Any, ClassVar

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..connection.client import Client
from ..connection.errors import InvalidToken, PermissionDenied, VaultError
from ..products import PRODUCTS, Product, product_of_plugin
from .listing import plugins
from .schema import Fields

#: built-in mounts that nobody may remove or replace
PROTECTED = frozenset(path.strip("/") for product in PRODUCTS.values() for path in product.protected_mounts)
#: their types; inside a namespace these begin with ``ns_``
PROTECTED_TYPES = frozenset(("system", "identity", "cubbyhole", "token"))
#: built-in engines that the plugin catalog does not list
UNLISTED = frozenset(("database", "kv"))


def split_type(name: Any) -> tuple[str, str]:
    """Return type and KV version ('' when open) of a type as users write it: ``kv-v2`` is kv, 2."""
    match = re.fullmatch(r"kv-v([12])", normalise.scalar(name))
    return ("kv", match.group(1)) if match else ({"generic": "kv"}.get(name, normalise.scalar(name)), "")


class Mounts:
    """The mounts of one namespace, read once for all resources of a task."""

    #: the API path that lists them all
    table: ClassVar[str]

    def __init__(self, client: Client) -> None:
        self.client = client
        self.fields = Fields(client)
        self._lock = threading.RLock()
        self._entries: dict[str, dict[str, Any]] | None = None
        self._denied: PermissionDenied | None = None
        self._types: frozenset[str] | None = None

    def all(self) -> dict[str, dict[str, Any]]:
        """Return the mounts by path without slashes at its ends. Raises PermissionDenied."""
        with self._lock:
            if self._denied is not None:
                raise copy.copy(self._denied)
            if self._entries is None:
                try:
                    found = self.client.read(self.table) or {}
                except PermissionDenied as error:
                    self._denied = copy.copy(error)
                    raise
                self._entries = {
                    normalise.path(path): entry
                    for path, entry in found.items()
                    if isinstance(entry, dict) and "type" in entry
                }
            return self._entries

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the entry of one mount, None when nothing is mounted there. Raises PermissionDenied."""
        return self.all().get(path)

    def forget(self) -> None:
        """Clear the cache."""
        with self._lock:
            self._entries = None

    def product(self) -> tuple[Product | None, str]:
        """Return product and version, from the server's built-in mounts; None and '' when they do not tell."""
        for entry in self.all().values():
            product, version = product_of_plugin(entry.get("running_plugin_version"))
            if product is not None:
                return product, version
        return None, ""

    def server(self) -> str:
        """Return product and version for messages: ``OpenBao 2.7.2``."""
        product, version = self.product()
        return "%s %s" % (product.title, version) if product is not None else "the server"

    def types(self) -> frozenset[str]:
        """Return the types in the plugin catalog; empty when the token may not read it."""
        with self._lock:
            if self._types is None:
                self._types = plugins(self.client, self._catalog)
            return self._types

    @staticmethod
    def _catalog(client: Client) -> list[str]:
        """Return the types in the catalog of one client's namespace."""
        raise NotImplementedError


class EngineMounts(Mounts):
    """The secrets engines of a namespace."""

    table = "sys/mounts"

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._known: dict[str, dict[str, Any] | None] = {}
        self._limits: dict[str, int] = {}

    def forget(self) -> None:
        with self._lock:
            super().forget()
            self._limits.clear()

    @staticmethod
    def _catalog(client: Client) -> list[str]:
        return client.list("sys/plugins/catalog/secret")

    def missing_plugin(self, name: str) -> bool:
        """Tell whether the server lacks an engine; False when the token may not read the catalog."""
        return bool(self.types()) and name not in self.types() and name not in UNLISTED

    def protected(self, path: str) -> bool:
        """Tell whether the mount belongs to the server itself."""
        kind = str((self.get(path) or {}).get("type", ""))
        return path in PROTECTED or kind in PROTECTED_TYPES or kind.startswith("ns_")

    def entry(self, mount: str) -> dict[str, Any] | None:
        """Return type and options of a mount, None when nothing is mounted there; cached per mount.

        Uses ``sys/internal/ui/mounts/<path>``, which every token may read that may do anything inside the mount. Raises
        InvalidInput when the path is only a part or a child of a mount, PermissionDenied when the token may not see it.
        """
        with self._lock:
            if mount not in self._known:
                self._known[mount] = self._ask(mount)
            return self._known[mount]

    def _ask(self, mount: str) -> dict[str, Any] | None:
        try:
            found = self.client.read("sys/internal/ui/mounts/%s" % mount)
        except InvalidToken:
            raise
        except PermissionDenied as denied:
            # a path without a mount gets the same answer: only a token that may list the mounts can tell the two apart
            try:
                entry = self.get(mount)
            except PermissionDenied:
                raise PermissionDenied(
                    "no secrets engine is mounted there, or the token may do nothing in it",
                    mount,
                    "correct the mount; else the token's policies lack: "
                    'path "%s/*" { capabilities = ["read"] }' % mount,
                ) from denied
            found = None if entry is None else dict(entry, path=mount)
        if found is None:
            return None
        actual = normalise.path(found.get("path") or mount)
        if actual != mount:
            raise InvalidInput(
                'no secrets engine is mounted there, but one is at "%s"' % actual,
                'mount "%s"' % mount,
                'give "%s" as the mount and the rest as part of the path' % actual,
            )
        return found

    def limit(self, mount: str) -> int:
        """Return the maximum TTL of a mount in seconds; 0 when it cannot be read. Cached per mount."""
        with self._lock:
            if mount not in self._limits:
                self._limits[mount] = self._longest(mount)
            return self._limits[mount]

    def _longest(self, mount: str) -> int:
        try:
            entry = self.entry(mount)
            found = ((entry or {}).get("config") or {}).get("max_lease_ttl")
            if entry is not None and not found:
                # the server's own limit
                found = (self.client.read("sys/mounts/%s/tune" % mount) or {}).get("max_lease_ttl")
        except VaultError:
            return 0
        return int(found or 0)

    def require(self, mount: str, kind: str) -> dict[str, Any] | None:
        """Return the mount's entry, None without one. Raises InvalidInput when it is of another type."""
        entry = self.entry(mount)
        if entry is not None and entry.get("type") != kind and split_type(entry.get("type"))[0] != kind:
            raise InvalidInput(
                'a secrets engine of type "%s" is mounted there, not "%s"' % (entry.get("type"), kind),
                'mount "%s"' % mount,
                "give another mount",
            )
        return entry
