# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Certificates in files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..._engine import redact
from ..base.kind import Given, Kind
from ..connection.client import Client
from ..engines import pki_certificate, pki_x509
from ..engines.mount import Mounted

STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}
ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "role": {"type": "str"},
    "common_name": {"type": "str"},
    "alt_names": STRINGS,
    "ip_sans": STRINGS,
    "uri_sans": STRINGS,
    "exclude_cn_from_sans": {"type": "bool", "default": False},
    "ttl": {"type": "str"},
    "renew_before": {"type": "str"},
    "issuer_ref": {"type": "str"},
    "private_key_format": {
        "type": "str",
        "choices": ["traditional", "pkcs8"],
        "default": "traditional",
        "no_log": False,
    },
    "csr": {"type": "str"},
    "csr_file": {"type": "path"},
    "cert_dest": {"type": "path"},
    "key_dest": {"type": "path", "no_log": False},
    "chain_dest": {"type": "path"},
    "fullchain_dest": {"type": "path"},
}


class PkiCertificates(Kind):
    """Certificates in files."""

    module = "vault_pki_certificate"
    plural = "certificates"
    item = ITEM
    required = ("cert_dest",)
    libraries = (("cryptography", pki_x509.CRYPTOGRAPHY_ERROR),)
    unlisted = "they are files of the machine that keeps them, and the server knows serial numbers alone"

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        # a private key may be given for the request
        return redact.apparent([item.get("csr") for item in declared])

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return pki_certificate.certificates(Mounted(client), items, given.params.get("mount"), given.check_mode)
