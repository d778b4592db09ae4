# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Certificates and CSRs. Pure except for `Request.load`, which reads a file."""

from __future__ import annotations

import datetime
import ipaddress
import re
import traceback
from collections.abc import Mapping
from typing import Any

from ...._engine import normalise, private_file
from ...._engine.errors import InvalidInput, SecretopsError

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    CRYPTOGRAPHY_ERROR = None
except ImportError:
    CRYPTOGRAPHY_ERROR = traceback.format_exc()

#: options for SANs
NAMES = ("alt_names", "ip_sans", "uri_sans")
_REQUEST = re.compile(
    r"-----BEGIN ((?:NEW )?)CERTIFICATE REQUEST-----.*?-----END \1CERTIFICATE REQUEST-----", re.DOTALL
)


def address(value: Any) -> str:
    """Return an IP address in one form; any other text is returned unchanged."""
    try:
        return str(ipaddress.ip_address(normalise.scalar(value).strip()))
    except ValueError:
        return normalise.scalar(value)


def lower_set(value: Any) -> list[str]:
    """Return host names and mail addresses as a sorted set in lower case."""
    return sorted({name.lower() for name in normalise.strings(value)})


def hostname(name: str) -> bool:
    """Tell whether the engine adds a common name to the SANs as a host name."""
    labels = name[2:] if name.startswith("*.") else name
    return bool(re.fullmatch(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?", labels))


def moment(certificate: Any, name: str) -> datetime.datetime:
    """Return ``not_valid_before`` or ``not_valid_after`` in UTC, with old and new versions of the library."""
    # the old names give warnings in new versions, the new ones are missing in old versions
    found = getattr(certificate, name + "_utc", None) or getattr(certificate, name)
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


def seconds_left(certificate: Any) -> float:
    """Return how many seconds a certificate is still valid."""
    return (moment(certificate, "not_valid_after") - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def public_key(key: Any) -> bytes:
    """Return a public key in a canonical form."""
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def serial(certificate: Any) -> str:
    """Return a serial number in the API's form: ``0a:1b:...``."""
    text = "%x" % certificate.serial_number
    text = text.zfill(len(text) + len(text) % 2)
    return ":".join(text[at : at + 2] for at in range(0, len(text), 2))


def alternative_names(certificate: Any) -> dict[str, list[str]]:
    """Return the SANs by option."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {name: [] for name in NAMES}
    return {
        "alt_names": lower_set([*names.get_values_for_type(x509.DNSName), *names.get_values_for_type(x509.RFC822Name)]),
        "ip_sans": sorted(str(one) for one in names.get_values_for_type(x509.IPAddress)),
        "uri_sans": sorted(names.get_values_for_type(x509.UniformResourceIdentifier)),
    }


def permitted_domains(certificate: Any) -> list[str]:
    """Return the domains for which certificates may be issued below an authority; none for all."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return []
    return sorted(one.value for one in found.permitted_subtrees or [] if isinstance(one, x509.DNSName))


def issued_by(certificate: Any, issuer: Any) -> bool:
    """Tell whether a certificate was signed by an issuer."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except AttributeError:
        # cryptography below 40: compare the key identifiers
        try:
            theirs = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
            ours = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        except x509.ExtensionNotFound:
            return True
        return bool(ours == theirs)
    except Exception:  # noqa: BLE001  # pylint: disable=broad-except
        # InvalidSignature, or a key type that cannot have signed this
        return False
    return True


def common_name(certificate: Any) -> str:
    """Return the common name of a certificate or a CSR, empty without one."""
    found = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return "".join(str(part.value) for part in found)


def all_names(common: Any, names: Any, excluded: Any) -> list[str]:
    """Return the SANs that the engine creates from names and the common name, unless that is excluded."""
    common = normalise.scalar(common)
    named = "@" in common or hostname(common)
    return lower_set([*names, *([common] if named and not excluded else [])])


def blocks(text: Any) -> list[str]:
    """Return the PEM blocks of a text or a list of texts, without blank lines and repetitions."""
    joined = "\n".join(text) if isinstance(text, (list, tuple)) else normalise.scalar(text)
    found = re.findall(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", joined, re.DOTALL)
    pems = [normalise.pem("-----BEGIN %s-----%s-----END %s-----" % (kind, body, kind)) for kind, body in found]
    return list(dict.fromkeys(pems))


class Request:
    """A CSR; only the CSR itself is sent to the server."""

    def __init__(self, text: str, where: str) -> None:
        """Take PEM text. Raises InvalidInput."""
        if "PRIVATE KEY" in text:
            raise InvalidInput("holds a private key", where, "give the request alone; the key stays where it is")
        found = [match[0] for match in _REQUEST.finditer(text)]
        if len(found) != 1:
            what = "holds %s certificate signing request" % ("more than one" if found else "no")
            raise InvalidInput(what, where, 'give one as PEM, "-----BEGIN CERTIFICATE REQUEST-----"')
        self.pem = normalise.pem(found[0])
        try:
            request = x509.load_pem_x509_csr(self.pem.encode())
            valid = request.is_signature_valid
            self.key = public_key(request.public_key())
            self.common_name = common_name(request)
            self.names = alternative_names(request)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidInput("cannot be read (%s)" % error, where, "create it again") from error
        if not valid:
            raise InvalidInput("is not signed by the key that it is for", where, "create it again")

    @classmethod
    def load(cls, path: str) -> Request | None:
        """Return the CSR in a file, None when the file does not exist. Raises InvalidInput."""
        try:
            text = private_file.read(path)
        except SecretopsError as error:
            raise InvalidInput(error.what, path, error.remedy) from error
        return None if text is None else cls(text, path)

    def expected(self, item: Mapping[str, Any], own_name: bool, own_names: bool) -> dict[str, Any]:
        """Return the names that the certificate will have.

        ``own_name`` and ``own_names``: whether the role takes the common name, and the alternative names, from the
        request (``use_csr_common_name``, ``use_csr_sans``) rather than from the options of ``item``.
        """
        common = (self.common_name if own_name else "") or normalise.scalar(item.get("common_name"))
        names = self.names if own_names else {name: item.get(name) or [] for name in NAMES}
        found: dict[str, Any] = {"common_name": common, **names}
        return {**found, "alt_names": all_names(common, names["alt_names"], item.get("exclude_cn_from_sans"))}

    def ignored(self, item: Mapping[str, Any], own_name: bool, own_names: bool) -> list[str]:
        """Return the options that declare names that the certificate will not have."""
        expected = self.expected(item, own_name, own_names)
        lost = ["common_name"] if item.get("common_name") not in (None, expected["common_name"]) else []
        for name in NAMES:
            declared = map(address, item.get(name) or ()) if name == "ip_sans" else lower_set(item.get(name))
            if not set(declared) <= {one.lower() for one in expected[name]}:
                lost.append(name)
        return lost
