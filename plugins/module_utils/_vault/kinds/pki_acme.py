# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Certificates of PKI mounts by ACME."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..engines import pki_acme
from ..engines.mount import Mounted

STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}
ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "enabled": {"type": "bool"},
    "default_directory_policy": {"type": "str"},
    "allowed_roles": STRINGS,
    "allowed_issuers": STRINGS,
    "allow_role_ext_key_usage": {"type": "bool", "no_log": False},
    "eab_policy": {"type": "str", "choices": ["not-required", "new-account-required", "always-required"]},
    "dns_resolver": {"type": "str"},
}


class PkiAcme(Kind):
    """Certificates of PKI mounts by ACME."""

    module = "vault_pki_acme"
    plural = "configurations"
    item = ITEM
    required = ("mount",)
    within = ("secrets_engines", "pki")
    listings = (Listing("{mount}/config/acme", "one", engine="pki", optional=True),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        mounted = Mounted(client)
        return [pki_acme.Acme(mounted, item, given) for item in items]
