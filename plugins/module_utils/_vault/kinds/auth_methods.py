# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Auth methods: mount, tuning and configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..auth import method as auth_method
from ..auth.mounts import MethodMounts
from ..base import secret_fields
from ..base.kind import PURGE_DATA, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client

ITEM: dict[str, Any] = {
    "path": {"type": "str"},
    "type": {"type": "str"},
    "description": {"type": "str"},
    "local": {"type": "bool"},
    "seal_wrap": {"type": "bool"},
    "default_lease_ttl": {"type": "str"},
    "max_lease_ttl": {"type": "str"},
    "listing_visibility": {"type": "str", "choices": ["hidden", "unauth"]},
    "token_type": {
        "type": "str",
        "no_log": False,
        "choices": ["default-service", "default-batch", "service", "batch"],
    },
    "passthrough_request_headers": {"type": "list", "elements": "str", "no_log": False},
    "allowed_response_headers": {"type": "list", "elements": "str"},
    "audit_non_hmac_request_keys": {"type": "list", "elements": "str", "no_log": False},
    "audit_non_hmac_response_keys": {"type": "list", "elements": "str", "no_log": False},
    "user_lockout_config": {
        "type": "dict",
        "options": {
            "lockout_threshold": {"type": "int"},
            "lockout_duration": {"type": "str"},
            "lockout_counter_reset": {"type": "str"},
            "lockout_disable": {"type": "bool"},
        },
    },
    "config": {"type": "dict"},
    "secret_config": {"type": "dict", "no_log": True},
}


class AuthMethods(Kind):
    """Auth methods: mount, tuning and configuration."""

    about = "Auth methods"
    tag = "auth"
    module = "vault_auth"
    plural = "methods"
    item = ITEM
    options = PURGE_DATA
    required = ()
    update_secrets = True
    mutually_exclusive = (("methods", "path"), ("methods", "type"))
    listings = (Listing("sys/auth", "map"),)

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        return secret_fields.secret_values([item.get("config") for item in declared])

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        mounts = MethodMounts(client)
        resources = [auth_method.AuthMethod(client, mounts, item) for item in items]
        if given.purge:
            resources += auth_method.purge(client, mounts, resources, given.protected, given.purge_data)
        return resources
