# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the PKI engine is pure logic."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.pki import (
    ca_certificate,
    ca_fields,
    in_mount,
    role,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.pki import x509 as pem


def certificate(key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "Root"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ex")]
    )
    begin = datetime.datetime(2026, 1, 1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(hours=24, seconds=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_a_certificate_is_described_by_the_options_it_came_from() -> None:
    facts = ca_certificate.describe_certificate(certificate(ec.generate_private_key(ec.SECP384R1())))
    assert facts["common_name"] == "Root"
    assert facts["organization"] == ["Ex"]
    assert (facts["key_type"], facts["key_bits"], facts["max_path_length"]) == ("ec", 384, 1)
    right = {"common_name": "Root", "ttl": "1d", "key_bits": 384, "key_type": "ec"}
    wrong = {"common_name": "Other", "ttl": "48h", "organization": ["Ex"]}
    assert ca_certificate.certificate_differences(right, facts) == []
    assert ca_certificate.certificate_differences(wrong, facts) == [
        'common_name is "Root", not "Other"',
        'ttl is "86430", not "48h"',
    ]
    assert ca_certificate.describe_certificate("no certificate") == {}


def test_a_certificate_for_another_key_than_the_request_is_noticed() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    csr = request.public_bytes(serialization.Encoding.PEM).decode()
    assert ca_certificate.same_key(certificate(key), csr)
    assert not ca_certificate.same_key(certificate(ec.generate_private_key(ec.SECP256R1())), csr)
    with pytest.raises(InvalidInput, match="readable certificate"):
        ca_certificate.same_key("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", csr)


def test_pem_blocks_are_split_and_told_once() -> None:
    one = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----"
    two = "-----BEGIN CERTIFICATE-----\nBB\n-----END CERTIFICATE-----"
    assert pem.blocks("text before\r\n" + one + "\n\n" + two + "\n" + one) == [one, two]
    assert pem.blocks([two, one + "\n"]) == [two, one]
    assert pem.blocks(None) == []


@pytest.mark.parametrize(("key_type", "bits"), [("rsa", 1024), ("ec", 2048), ("ed25519", 256), ("dsa", None)])
def test_impossible_keys_are_refused(key_type: str, bits: int | None) -> None:
    with pytest.raises(InvalidInput):
        in_mount.check_key(key_type, bits)


def test_urls_name_their_mount() -> None:
    urls = {
        "issuing_certificates": ["https://v/v1/{mount}/ca", "https://v/v1/{{ mount }}/ca"],
        "enable_templating": True,
    }
    assert ca_fields.with_mount(urls, "pki/int") == {
        "issuing_certificates": ["https://v/v1/pki/int/ca", "https://v/v1/pki/int/ca"],
        "enable_templating": True,
    }
    assert ca_fields.with_mount({"ocsp_servers": ["{{cluster_path}}/ocsp"]}, "pki") == {
        "ocsp_servers": ["{{cluster_path}}/ocsp"]
    }


def test_key_usages_are_the_same_in_all_their_spellings() -> None:
    assert role.usages("DigitalSignature,KeyUsageKeyAgreement") == role.usages(["keyagreement", "digitalsignature"])
    assert role.usages(["ExtKeyUsageServerAuth"]) == role.usages("ServerAuth")
