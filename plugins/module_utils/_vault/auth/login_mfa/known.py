# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The existing login MFA methods and enforcements: one LIST returns all of each with their fields."""

from __future__ import annotations

import threading
from typing import Any

from ...._engine import normalise
from ...connection.answers import data_of
from ..identity.directory import Directory


class Methods:
    """All methods visible in the namespace, including its parents', read once (``LIST identity/mfa/method``)."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.client = directory.client
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Any]] | None = None
        self._enforcements: dict[str, dict[str, Any]] | None = None

    def _list(self, path: str) -> dict[str, dict[str, Any]]:
        answer = self.client.request("LIST", path, missing_ok=True)
        return dict((data_of(answer) if answer else {}).get("key_info") or {})

    def all(self) -> dict[str, dict[str, Any]]:
        """Return the methods by id. Raises PermissionDenied."""
        with self._lock:
            if self._known is None:
                self._known = self._list("identity/mfa/method")
            return self._known

    def enforcements(self) -> dict[str, dict[str, Any]]:
        """Return the login enforcements of the namespace by name. Raises PermissionDenied."""
        with self._lock:
            if self._enforcements is None:
                self._enforcements = self._list("identity/mfa/login-enforcement")
            return self._enforcements

    def own(self) -> dict[str, dict[str, Any]]:
        """Return the methods of this namespace by ID."""
        here = normalise.path(self.client.namespace)
        return {key: one for key, one in self.all().items() if normalise.path(one.get("namespace_path")) == here}

    def find(self, name: str, own: bool = False) -> dict[str, Any] | None:
        """Return the method with a name or an ID; the namespace's own take precedence over its parents'."""
        for group in (self.own(),) if own else (self.own(), self.all()):
            if name in group:
                return group[name]
            for one in group.values():
                if one.get("name") == name:
                    return one
        return None

    def name(self, key: str) -> str:
        """Return the name for an ID, the ID itself without a name."""
        return str(self.all().get(key, {}).get("name") or key)

    def users(self, key: str) -> list[str]:
        """Return the names of the enforcements that use a method."""
        return sorted(name for name, one in self.enforcements().items() if key in (one.get("mfa_method_ids") or []))
