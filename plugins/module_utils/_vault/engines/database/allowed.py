# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Checks that a connection allows a role. Source: /api-docs/secret/databases (read connection)."""

from __future__ import annotations

import re
import threading
from typing import Any
from urllib.parse import quote

from ...._engine import normalise
from ...base.kind import RunContext
from ...connection.client import Client
from ...connection.errors import PermissionDenied


class Connections:
    """The connections that roles name, each read once. While planning also those that the same tree declares."""

    def __init__(self, client: Client, context: RunContext) -> None:
        self.client = client
        self.context = context
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Any] | None] = {}

    def get(self, mount: str, name: str) -> dict[str, Any] | None:
        """Return a connection, None when it does not exist. Raises PermissionDenied."""
        path = "%s/config/%s" % (mount, quote(name, safe=""))
        with self._lock:
            if path not in self._known:
                self._known[path] = self.client.read(path)
            return self._known[path]

    def problem(self, mount: str, name: str, role: str) -> tuple[str, str]:
        """Return why a role cannot use a connection, and the remedy; two empty texts when no problem is known."""
        try:
            connection = self.get(mount, name)
        except PermissionDenied:
            return "", ""
        declared = self.context.planned_in("database_connections", mount, "database").get(name)
        if declared is not None:
            allowed = declared.get("allowed_roles")
            connection = {**(connection or {}), **({} if allowed is None else {"allowed_roles": allowed})}
        if connection is None:
            return (
                'there is no connection "%s"' % name,
                'declare it with vault_database_connection, or correct "db_name"',
            )
        allowed = normalise.strings(connection.get("allowed_roles"))
        if not any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), role) for pattern in allowed):
            return 'the connection "%s" does not allow this role' % name, 'add it to the connection\'s "allowed_roles"'
        return "", ""
