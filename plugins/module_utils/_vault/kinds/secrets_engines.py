# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Secrets engines: mount, version, tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import PURGE_DATA, Given, Kind
from ..base.listing import Listing
from ..base.mounts import EngineMounts
from ..connection.client import Client
from ..engines import mount as secrets_engine

TUNE: dict[str, Any] = {
    "default_lease_ttl": {"type": "str"},
    "max_lease_ttl": {"type": "str"},
    "listing_visibility": {"type": "str", "choices": ["hidden", "unauth"]},
    "audit_non_hmac_request_keys": {"type": "list", "elements": "str", "no_log": False},
    "audit_non_hmac_response_keys": {"type": "list", "elements": "str", "no_log": False},
    "passthrough_request_headers": {"type": "list", "elements": "str", "no_log": False},
    "allowed_response_headers": {"type": "list", "elements": "str"},
    "allowed_managed_keys": {"type": "list", "elements": "str", "no_log": False},
    "delegated_auth_accessors": {"type": "list", "elements": "str"},
    "identity_token_key": {"type": "str", "no_log": False},
    "plugin_version": {"type": "str"},
}
CONFIG: dict[str, Any] = {
    "max_versions": {"type": "int"},
    "cas_required": {"type": "bool"},
    "metadata_cas_required": {"type": "bool"},
    "delete_version_after": {"type": "str"},
}
ITEM: dict[str, Any] = {
    "path": {"type": "str"},
    "type": {"type": "str"},
    "description": {"type": "str"},
    "options": {"type": "dict"},
    "local": {"type": "bool"},
    "seal_wrap": {"type": "bool"},
    "external_entropy_access": {"type": "bool"},
    "upgrade": {"type": "bool", "default": False},
    "tune": {"type": "dict", "options": TUNE},
    "config": {"type": "dict", "options": CONFIG},
}


class SecretsEngines(Kind):
    """Secrets engines: mount, version, tuning."""

    module = "vault_secrets_engine"
    plural = "engines"
    item = ITEM
    options = PURGE_DATA
    required = ("path",)
    listings = (Listing("sys/mounts", "map"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        mounts = EngineMounts(client)
        resources = [secrets_engine.Engine(mounts, item) for item in items]
        if given.purge:
            declared = [resource.name for resource in resources]
            for path in secrets_engine.surplus(mounts, declared, given.protected, given.purge_data):
                resources.append(secrets_engine.Engine(mounts, {"path": path, "state": "absent"}))
        return resources
