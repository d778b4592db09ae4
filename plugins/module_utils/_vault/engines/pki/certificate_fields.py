# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The fields of a certificate in files. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...._engine import normalise
from ...._engine.field import Field
from .x509 import address, lower_set


def addresses(value: Any) -> list[str]:
    """Return IP addresses in one form."""
    return sorted({address(one) for one in normalise.strings(value)})


FIELDS: Sequence[Field] = (
    Field(
        "mount",
        (
            "Path of the PKI engine, by default V(pki).",
            "Next to O(certificates), the mount of entries without one of their own.",
        ),
        sent=False,
    ),
    Field("role", "Name of the PKI role. Needed unless the certificate is to be absent.", sent=False),
    Field(
        "common_name",
        (
            "Common name. Needed unless the certificate is to be absent.",
            (
                "That of a request is taken from it, unless it has none or the role has C(use_csr_common_name=false). "
                "One that would be ignored is refused."
            ),
        ),
    ),
    Field(
        "alt_names",
        (
            "SANs that are host names or mail addresses. The order does not matter.",
            (
                "Those of a request, and O(ip_sans) and O(uri_sans), are taken from it, unless the role has "
                "C(use_csr_sans=false). Others would be ignored, and are refused."
            ),
        ),
        type="list",
        elements="str",
        normaliser=lower_set,
    ),
    Field("ip_sans", "IP addresses among the SANs.", type="list", elements="str", normaliser=addresses),
    Field("uri_sans", "URIs among the SANs.", type="list", elements="str"),
    Field(
        "exclude_cn_from_sans",
        "Leave the common name out of the SANs.",
        type="bool",
        default=False,
        sent=False,
    ),
    Field(
        "ttl",
        ("TTL of the certificate, a duration; by default the role's. Not compared with an existing certificate."),
        sent=False,
    ),
    Field(
        "renew_before",
        "Issue a new one when the current one expires within this duration; by default a third of its TTL.",
        sent=False,
    ),
    Field("issuer_ref", "Name or ID of the issuer in the mount; by default the role's.", sent=False),
    Field(
        "private_key_format",
        (
            "Form of the key, V(traditional) as the engine gives it by default, or V(pkcs8). Not compared with that "
            "of a key that stands."
        ),
        choices=("traditional", "pkcs8"),
        default="traditional",
        sent=False,
    ),
    Field(
        "csr", "Certificate signing request that is signed, as PEM. Excludes O(csr_file) and O(key_dest).", sent=False
    ),
    Field(
        "csr_file",
        (
            (
                "Path of a file with the certificate signing request that is signed, on the machine where the module "
                "runs. Excludes O(csr) and O(key_dest)."
            ),
            "In check mode it may not exist yet.",
        ),
        type="path",
        sent=False,
    ),
    Field(
        "cert_dest",
        (
            ("Path of the file for the certificate; it gets mode 0644. A missing directory is created with mode 0700."),
            "With O(state=absent) the certificate in it is revoked, and all named files are removed.",
        ),
        type="path",
        sent=False,
    ),
    Field(
        "key_dest",
        (
            "Path of the file for the private key; it gets mode 0600.",
            "Needed unless a CSR is signed or the certificate is to be absent.",
        ),
        type="path",
        sent=False,
    ),
    Field(
        "chain_dest",
        "Path of a file for the CA certificates, the issuer's first.",
        type="path",
        sent=False,
    ),
    Field(
        "fullchain_dest",
        "Path of a file for the certificate followed by the CA certificates.",
        type="path",
        sent=False,
    ),
)
