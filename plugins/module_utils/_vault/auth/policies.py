# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The existing policies, for objects that name policies."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ..connection.client import Client
from ..connection.errors import PermissionDenied


class Policies:
    """The names of the policies, read once; None when the token may not list them."""

    def __init__(self, client: Client, planned_names: Iterable[str] = ()) -> None:
        """``planned_names``: policies that the same tree creates first."""
        self.client = client
        self.planned_names = {name.lower() for name in planned_names}
        self._lock = threading.Lock()
        self._known = False
        self._names: frozenset[str] | None = None

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return the names that no policy has, as far as the token may list policies."""
        with self._lock:
            if not self._known:
                self._known = True
                try:
                    self._names = frozenset(self.client.list("sys/policies/acl"))
                except PermissionDenied:
                    self._names = None
            known = self._names
        if known is None:
            return []
        # a name with braces is a template that the server fills in at login
        return sorted(
            name for name in set(names) - known - self.planned_names - {"root", "default"} if "{{" not in name
        )
