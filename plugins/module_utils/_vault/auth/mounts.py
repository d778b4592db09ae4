# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The mounted auth methods, and the types that can be mounted. Source: /api-docs/system/auth."""

from __future__ import annotations

from ..._engine.errors import InvalidInput
from ..base.mounts import Mounts
from ..connection.client import Client
from ..connection.errors import PermissionDenied


class MethodMounts(Mounts):
    """The auth methods of a namespace."""

    table = "sys/auth"

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._own: str | None = None
        #: the entries of a task by their keys, for mounts of a known type
        self.entries: dict[str, object] = {}

    @staticmethod
    def _catalog(client: Client) -> list[str]:
        return list((client.read("sys/plugins/catalog") or {}).get("auth") or [])

    def path_of(self, accessor: str) -> str:
        """Return the path of the auth method with an accessor, "" when there is none."""
        return next((path for path, entry in self.all().items() if entry.get("accessor") == accessor), "")

    def check_type(self, name: str) -> None:
        """Refuse a type that is not in the server's plugin catalog. Raises InvalidInput.

        Without permission to read the catalog, the server's own refusal follows.
        """
        if self.types() and name not in self.types():
            raise self.unavailable(name)

    def unavailable(self, name: str) -> InvalidInput:
        """Return the error for a type that the server does not have."""
        have = ", ".join(sorted(self._types or ()))
        return InvalidInput(
            '%s has no auth method of type "%s"' % (self.server(), name),
            remedy="register it as an external plugin%s" % (", or use one of: %s" % have if have else ""),
        )

    def own(self) -> str:
        """Return the path of the auth method of the module's own token, such as ``approle``."""
        with self._lock:
            if self._own is None:
                try:
                    path = str((self.client.read("auth/token/lookup-self") or {}).get("path") or "")
                except PermissionDenied:
                    path = ""
                self._own = path[len("auth/") :].partition("/login")[0].strip("/") if path.startswith("auth/") else ""
            return self._own
