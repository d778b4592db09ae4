#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issue the certificates of a lab's Kubernetes control plane."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_certificates
short_description: Issue the certificates of a control plane
description:
  - A certification authority (C(ca)), and by it the certificates asked for, each as C(<name>.crt) and C(<name>.key).
  - What exists stays; keys are RSA 2048, which the API server also needs to sign service account tokens.
options:
  directory: {description: Where the files are., type: path, required: true}
  common_name: {description: Common name of the authority., type: str, required: true}
  certificates:
    description: The certificates.
    type: list
    elements: dict
    default: []
    options:
      name: {description: Name of the files., type: str, required: true}
      common_name: {description: Common name., type: str, required: true}
      organization: {description: Organization (a group, to Kubernetes)., type: str}
      addresses: {description: Subject alternative names that are addresses., type: list, elements: str, default: []}
      names: {description: Subject alternative names that are DNS names., type: list, elements: str, default: []}
  keys: {description: Names of keys without a certificate., type: list, elements: str, default: []}
author: [Contributors to the secretops.vault_eso project]
"""

import datetime
import ipaddress
import traceback
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vault_eso_lab import write_file
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=3650)


def ensure_key(path: Path) -> bool:
    """Make a private key where none is."""
    if path.exists():
        return False
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return write_file(path, pem.decode(), 0o600)


def load_key(path: Path) -> rsa.RSAPrivateKey:
    """Read a private key."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{path} is not an RSA key; destroy the lab and create it anew")
    return key


def subject(common_name: str, organization: str | None = None) -> x509.Name:
    """A distinguished name."""
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def builder(name: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    """What authority and certificates have in common."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def ensure_authority(directory: Path, common_name: str) -> bool:
    """Make the authority where none is."""
    changed = ensure_key(directory / "ca.key")
    path = directory / "ca.crt"
    if path.exists() and not changed:
        return False
    key, name = load_key(directory / "ca.key"), subject(common_name)
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    certificate = (
        builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return write_file(path, certificate.public_bytes(serialization.Encoding.PEM).decode())


def ensure_certificate(directory: Path, declared: dict[str, Any]) -> bool:
    """Issue a certificate where none with these names by this authority is."""
    key_path, path = directory / f"{declared['name']}.key", directory / f"{declared['name']}.crt"
    authority = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
    changed = ensure_key(key_path)
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in declared["names"]]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in declared["addresses"]]
    if path.exists() and not changed:
        present = x509.load_pem_x509_certificate(path.read_bytes())
        try:
            known = list(present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        except x509.ExtensionNotFound:
            known = []
        if present.issuer == authority.subject and known == names:
            return False
    ca_key, key = load_key(directory / "ca.key"), load_key(key_path)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if names else [])
    draft = (
        builder(subject(declared["common_name"], declared["organization"]), authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    )
    if names:
        draft = draft.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = draft.sign(ca_key, hashes.SHA256())
    return write_file(path, certificate.public_bytes(serialization.Encoding.PEM).decode()) or changed


def main() -> None:
    """Run the module."""
    certificate = {
        "name": {"type": "str", "required": True},
        "common_name": {"type": "str", "required": True},
        "organization": {"type": "str"},
        "addresses": {"type": "list", "elements": "str", "default": []},
        "names": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "common_name": {"type": "str", "required": True},
            "certificates": {"type": "list", "elements": "dict", "default": [], "options": certificate},
            "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        },
    )
    declared = module.params
    directory = Path(declared["directory"])
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        changed = ensure_authority(directory, declared["common_name"])
        for entry in declared["certificates"]:
            changed |= ensure_certificate(directory, entry)
        for name in declared["keys"]:
            changed |= ensure_key(directory / f"{name}.key")
        module.exit_json(changed=changed)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{directory}: {error}", exception=traceback.format_exc())


if __name__ == "__main__":
    main()
