# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Certificate authorities of PKI mounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..engines import pki
from ..engines.mount import Mounted

STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}
URLS: dict[str, Any] = {
    "issuing_certificates": STRINGS,
    "crl_distribution_points": STRINGS,
    "ocsp_servers": STRINGS,
    "enable_templating": {"type": "bool"},
}
CRL: dict[str, Any] = {
    "expiry": {"type": "str"},
    "disable": {"type": "bool"},
    "auto_rebuild": {"type": "bool"},
    "auto_rebuild_grace_period": {"type": "str"},
    "enable_delta": {"type": "bool"},
    "delta_rebuild_interval": {"type": "str"},
    "ocsp_disable": {"type": "bool"},
    "ocsp_expiry": {"type": "str"},
    "allow_expired_cert_revocation": {"type": "bool"},
}
TIDY: dict[str, Any] = {
    "enabled": {"type": "bool"},
    "interval_duration": {"type": "str"},
    **{name: {"type": "bool"} for name in pki.TIDY_WHAT},
    "safety_buffer": {"type": "str"},
    "revoked_safety_buffer": {"type": "str"},
    "issuer_safety_buffer": {"type": "str"},
    "acme_account_safety_buffer": {"type": "str"},
    "pause_duration": {"type": "str"},
    "page_size": {"type": "int"},
    "maintain_stored_certificate_counts": {"type": "bool"},
    "publish_stored_certificate_count_metrics": {"type": "bool"},
}
ISSUER: dict[str, Any] = {
    "leaf_not_after_behavior": {"type": "str", "choices": ["err", "truncate", "permit", "always_enforce_err"]},
    "usage": {
        "type": "list",
        "elements": "str",
        "choices": ["read-only", "issuing-certificates", "crl-signing", "ocsp-signing"],
    },
    "manual_chain": STRINGS,
    "revocation_signature_algorithm": {"type": "str"},
    "issuing_certificates": STRINGS,
    "crl_distribution_points": STRINGS,
    "ocsp_servers": STRINGS,
    "enable_aia_url_templating": {"type": "bool"},
}
ISSUERS: dict[str, Any] = {"ref": {"type": "str", "required": True}, "issuer_name": {"type": "str"}, **ISSUER}
ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "type": {"type": "str", "choices": ["root", "intermediate"], "default": "root"},
    "common_name": {"type": "str"},
    "issuer_name": {"type": "str"},
    "new_issuer": {"type": "bool", "default": False},
    "key_name": {"type": "str", "no_log": False},
    "key_type": {"type": "str", "choices": ["rsa", "ec", "ed25519"]},
    "key_bits": {"type": "int", "no_log": False},
    "signature_bits": {"type": "int"},
    "ttl": {"type": "str"},
    "not_after": {"type": "str"},
    "alt_names": STRINGS,
    "ip_sans": STRINGS,
    "uri_sans": STRINGS,
    "exclude_cn_from_sans": {"type": "bool"},
    "max_path_length": {"type": "int"},
    "permitted_dns_domains": STRINGS,
    "organization": STRINGS,
    "ou": STRINGS,
    "country": STRINGS,
    "locality": STRINGS,
    "province": STRINGS,
    "street_address": STRINGS,
    "postal_code": STRINGS,
    "issuer_mount": {"type": "str"},
    "issuer_ref": {"type": "str"},
    "certificate": {"type": "str"},
    "default_issuer": {"type": "str"},
    "urls": {"type": "dict", "options": URLS},
    "crl": {"type": "dict", "options": CRL},
    "cluster": {"type": "dict", "options": {"path": {"type": "str"}, "aia_path": {"type": "str"}}},
    "tidy": {"type": "dict", "options": TIDY},
    "issuer": {"type": "dict", "options": ISSUER},
    "issuers": {"type": "list", "elements": "dict", "options": ISSUERS},
}


class PkiCas(Kind):
    """Certificate authorities of PKI mounts."""

    module = "vault_pki_ca"
    plural = "authorities"
    item = ITEM
    required = ("mount",)
    listings = (Listing("{mount}/issuers", "info", engine="pki", name="issuer_name", item="{mount}/issuer/{name}"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return pki.authorities(Mounted(client), items)
