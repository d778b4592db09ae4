# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Comparison of a CA's certificate with its declaration. Pure: no I/O."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from .in_mount import DEFAULT_BITS, SUBJECT

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False


def instant(value: Any) -> str:
    """Return a time in the server's form; YAML has its own dates and times. Raises InvalidInput."""
    text = normalise.scalar(value).strip()
    try:
        found = datetime.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        raise InvalidInput(
            'not_after: "%s" is not a moment' % text, remedy="write it like 2036-12-31T23:59:59Z"
        ) from None
    found = found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)
    return found.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe_certificate(pem: str) -> dict[str, Any]:
    """Return the attributes of a certificate by option name; {} when it cannot be parsed."""
    if not HAS_CRYPTOGRAPHY:
        return {}
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return {}

    def names(oid: str) -> list[str]:
        return sorted(str(part.value) for part in certificate.subject if part.oid.dotted_string == oid)

    oids = {
        "organization": "2.5.4.10",
        "ou": "2.5.4.11",
        "country": "2.5.4.6",
        "locality": "2.5.4.7",
        "province": "2.5.4.8",
        "street_address": "2.5.4.9",
        "postal_code": "2.5.4.17",
    }
    facts: dict[str, Any] = {name: names(oid) for name, oid in oids.items()}
    facts["common_name"] = "".join(names("2.5.4.3"))
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        facts["key_type"], facts["key_bits"] = "rsa", key.key_size
    elif isinstance(key, ec.EllipticCurvePublicKey):
        facts["key_type"], facts["key_bits"] = "ec", key.curve.key_size
    else:
        facts["key_type"], facts["key_bits"] = "ed25519", 0
    # the old property names give warnings in new versions of the library, the new ones are missing in old versions
    begin, end = (
        getattr(certificate, name + "_utc", None) or getattr(certificate, name)
        for name in ("not_valid_before", "not_valid_after")
    )
    facts["ttl"] = int((end - begin).total_seconds())
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        facts["max_path_length"] = -1 if constraints.path_length is None else constraints.path_length
    except x509.ExtensionNotFound:
        pass
    return facts


def same_key(certificate: str, csr: str) -> bool:
    """Tell whether a certificate and a CSR have the same key; True without cryptography. Raises InvalidInput."""
    if not HAS_CRYPTOGRAPHY:
        return True

    def spki(key: Any) -> bytes:
        return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))

    try:
        signed = spki(x509.load_pem_x509_certificate(certificate.encode()).public_key())
    except ValueError as error:
        raise InvalidInput('"certificate" holds no readable certificate', remedy="give it as PEM") from error
    return signed == spki(x509.load_pem_x509_csr(csr.encode()).public_key())


def certificate_differences(item: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Return the declared attributes that an existing certificate lacks, as sentences for people."""
    found = []
    for name, value in item.items():
        if name not in facts or value is None:
            continue
        actual = facts[name]
        if name in SUBJECT:
            wrong = normalise.string_set(value) != actual
        elif name == "ttl":
            # the server backdates a certificate by half a minute
            seconds = normalise.seconds(value) or 0
            wrong = bool(seconds) and abs(actual - seconds) > 300
        elif name == "key_bits":
            wrong = (value or DEFAULT_BITS.get(str(item.get("key_type") or "rsa"), 0)) != actual
        else:
            wrong = value != actual
        if wrong:
            found.append(
                '%s is "%s", not "%s"'
                % (
                    name,
                    " ".join(actual) if isinstance(actual, list) else actual,
                    (", ".join(value) if isinstance(value, list) else value),
                )
            )
    return found
