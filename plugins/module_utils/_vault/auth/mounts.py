# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The mounted auth methods, and the types that a server can mount. Source: /api-docs/system/auth."""

from __future__ import annotations

import copy
import threading
from typing import Any

from ..._engine.errors import InvalidInput
from ..base.listing import plugins
from ..base.schema import Fields
from ..connection.client import Client
from ..connection.errors import PermissionDenied
from ..products import Product, product_of_plugin


class Mounts:
    """The mounted auth methods and the types that can be mounted: each read once, for all resources."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.fields = Fields(client)
        self._lock = threading.Lock()
        self._mounts: dict[str, dict[str, Any]] | None = None
        self._denied: PermissionDenied | None = None
        self._types: frozenset[str] | None = None
        self._own: str | None = None

    def all(self) -> dict[str, dict[str, Any]]:
        """Return the mounts by path without slashes at the ends. Raises PermissionDenied."""
        with self._lock:
            if self._denied is not None:
                raise copy.copy(self._denied)
            if self._mounts is None:
                try:
                    data = self.client.read("sys/auth") or {}
                except PermissionDenied as error:
                    self._denied = copy.copy(error)
                    raise
                self._mounts = {path.strip("/"): entry for path, entry in data.items() if path.endswith("/")}
            return self._mounts

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the entry of one mount, None when nothing is mounted there."""
        return self.all().get(path)

    def forget(self) -> None:
        """Read again at the next question."""
        with self._lock:
            self._mounts = None

    def made_by(self) -> tuple[Product | None, str]:
        """Return product and version, as the token method's plugin tells them."""
        return product_of_plugin((self.all().get("token") or {}).get("running_plugin_version"))

    def product(self) -> str:
        """Return product and version as messages name them: ``OpenBao 2.7.2``."""
        product, version = self.made_by()
        return "%s %s" % (product.title, version) if product is not None else "the server"

    def check_type(self, name: str) -> None:
        """Refuse a type that the server's plugin catalogue does not hold. Raises InvalidInput.

        A token that may not read the catalogue learns it from the server's own refusal.
        """
        with self._lock:
            if self._types is None:
                self._types = plugins(
                    self.client, lambda client: (client.read("sys/plugins/catalog") or {}).get("auth") or []
                )
            types = self._types
        if types and name not in types:
            raise self.unavailable(name)

    def unavailable(self, name: str) -> InvalidInput:
        """Return the error for a type that the server does not have."""
        have = ", ".join(sorted(self._types or ()))
        return InvalidInput(
            '%s has no auth method of type "%s"' % (self.product(), name),
            remedy="register it as an external plugin%s" % (", or use one of: %s" % have if have else ""),
        )

    def own(self) -> str:
        """Return the path of the method that the module's own token comes from, such as ``approle``."""
        with self._lock:
            if self._own is None:
                try:
                    path = str((self.client.read("auth/token/lookup-self") or {}).get("path") or "")
                except PermissionDenied:
                    path = ""
                self._own = path[len("auth/") :].partition("/login")[0].strip("/") if path.startswith("auth/") else ""
            return self._own
