# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Dynamic and static roles of database mounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..._engine.looks import apparent
from ..base.kind import MOUNTS, PURGE, Given, Kind
from ..base.listing import Listing
from ..base.mounts import EngineMounts
from ..connection.client import Client
from ..engines import database

ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "name": {"type": "str"},
    "type": {"type": "str", "choices": ["dynamic", "static"], "default": "dynamic"},
    "db_name": {"type": "str"},
    "creation_statements": {"type": "raw"},
    "revocation_statements": {"type": "raw"},
    "rollback_statements": {"type": "raw"},
    "renew_statements": {"type": "raw"},
    "default_ttl": {"type": "str"},
    "max_ttl": {"type": "str"},
    "credential_type": {"type": "str", "choices": ["password", "rsa_private_key", "client_certificate"]},
    "credential_config": {"type": "dict"},
    "db_username": {"type": "str"},
    "rotation_period": {"type": "str"},
    "rotation_schedule": {"type": "str"},
    "rotation_window": {"type": "str"},
    "rotation_statements": {"type": "raw"},
    "options": {"type": "dict"},
}


class DatabaseRoles(Kind):
    """Dynamic and static roles of database mounts."""

    about = "Database roles, dynamic and static"
    tag = "database"
    module = "vault_database_role"
    plural = "roles"
    item = ITEM
    options = {**PURGE, **MOUNTS}
    within = ("secrets_engines", "database")
    listings = (
        Listing("{mount}/roles", engine="database", type="dynamic"),
        Listing("{mount}/static-roles", engine="database", type="static"),
    )

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        # the server wants the key of an authority among what is no secret
        return apparent([item.get("credential_config") for item in declared])

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return database.roles(EngineMounts(client), items, given)
