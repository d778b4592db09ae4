# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Roles of PKI mounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import MOUNTS, PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..engines import pki
from ..engines.mount import Mounted

STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}
ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "name": {"type": "str"},
    "issuer_ref": {"type": "str"},
    "ttl": {"type": "str"},
    "max_ttl": {"type": "str"},
    "not_before_duration": {"type": "str"},
    "allowed_domains": STRINGS,
    "allowed_domains_template": {"type": "bool"},
    "allow_bare_domains": {"type": "bool"},
    "allow_subdomains": {"type": "bool"},
    "allow_glob_domains": {"type": "bool"},
    "allow_wildcard_certificates": {"type": "bool"},
    "allow_any_name": {"type": "bool"},
    "allow_localhost": {"type": "bool"},
    "allow_ip_sans": {"type": "bool"},
    "allowed_uri_sans": STRINGS,
    "allowed_other_sans": STRINGS,
    "enforce_hostnames": {"type": "bool"},
    "require_cn": {"type": "bool"},
    "server_flag": {"type": "bool"},
    "client_flag": {"type": "bool"},
    "code_signing_flag": {"type": "bool"},
    "email_protection_flag": {"type": "bool"},
    "key_type": {"type": "str", "choices": ["rsa", "ec", "ed25519", "any"]},
    "key_bits": {"type": "int", "no_log": False},
    "signature_bits": {"type": "int"},
    "key_usage": {"type": "list", "elements": "str", "no_log": False},
    "ext_key_usage": {"type": "list", "elements": "str", "no_log": False},
    "use_csr_common_name": {"type": "bool"},
    "use_csr_sans": {"type": "bool"},
    "organization": STRINGS,
    "ou": STRINGS,
    "country": STRINGS,
    "locality": STRINGS,
    "province": STRINGS,
    "street_address": STRINGS,
    "postal_code": STRINGS,
    "no_store": {"type": "bool"},
    "generate_lease": {"type": "bool"},
    "basic_constraints_valid_for_non_ca": {"type": "bool"},
    "options": {"type": "dict"},
}


class PkiRoles(Kind):
    """Roles of PKI mounts."""

    module = "vault_pki_role"
    plural = "roles"
    item = ITEM
    options = {**PURGE, **MOUNTS}
    within = ("secrets_engines", "pki")
    listings = (Listing("{mount}/roles", engine="pki"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return pki.roles(Mounted(client), items, given)
