# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Connections of database mounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..base import secret_fields
from ..base.kind import MOUNTS, PURGE_DATA, Given, Kind
from ..base.listing import Listing
from ..base.mounts import EngineMounts
from ..connection.client import Client
from ..engines import database

ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "name": {"type": "str"},
    "plugin_name": {"type": "str"},
    "plugin_version": {"type": "str"},
    "connection_url": {"type": "str"},
    "root_username": {"type": "str"},
    "root_password": {"type": "str", "no_log": True},
    "allowed_roles": {"type": "list", "elements": "str"},
    "root_rotation_statements": {"type": "raw"},
    "password_policy": {"type": "str", "no_log": False},
    "verify_connection": {"type": "bool"},
    "max_open_connections": {"type": "int"},
    "max_idle_connections": {"type": "int"},
    "max_connection_lifetime": {"type": "str"},
    "username_template": {"type": "str"},
    "rotate_root": {"type": "str", "choices": ["never", "once"], "default": "never"},
    "options": {"type": "dict"},
    "secret_options": {"type": "dict", "no_log": True},
}


class DatabaseConnections(Kind):
    """Connections of database mounts."""

    about = "Database connections"
    tag = "database"
    module = "vault_database_connection"
    plural = "connections"
    item = ITEM
    options = {**PURGE_DATA, **MOUNTS}
    within = ("secrets_engines", "database")
    update_secrets = True
    listings = (Listing("{mount}/config", engine="database"),)

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        yield from secret_fields.secret_values([item.get("options") for item in declared])
        yield from database.secrets_of(declared)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return database.connections(EngineMounts(client), items, given)
