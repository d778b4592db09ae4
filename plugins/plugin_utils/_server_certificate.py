# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server's certificate is held against: its names, its dates, its key, and the CA that signed it. Pure."""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from ansible_collections.secretops.vault_eso.plugins.module_utils._host import tls
from ansible_collections.secretops.vault_eso.plugins.module_utils._http import failure

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

_PREFIXED = re.compile(r"(DNS|IP|URI|email):")


def vault_server_sans(names: Iterable[Any]) -> list[str]:
    """Return SANs as OpenSSL writes them, each once; what has no prefix is an address or a host."""
    found: list[str] = []
    for name in map(str, names):
        kind = "" if _PREFIXED.match(name) else "IP:" if re.match(r"[0-9.]+$", name) or ":" in name else "DNS:"
        if kind + name not in found:
            found.append(kind + name)
    return found


def same_san(name: str) -> str:
    kind, _colon, value = name.partition(":")
    if kind == "IP":
        with suppress(ValueError):
            value = str(ipaddress.ip_address(value))
    return "%s:%s" % (kind, value)


def sans_of(certificate: Any) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    kinds: dict[Any, str] = {
        x509.DNSName: "DNS",
        x509.IPAddress: "IP",
        x509.UniformResourceIdentifier: "URI",
        x509.RFC822Name: "email",
    }
    return {"%s:%s" % (kinds.get(type(name), "other"), name.value) for name in names}


def _is_for(certificate: Any, name: str) -> bool:
    attributes = list(certificate.subject)
    return [(one.oid, one.value) for one in attributes] == [(NameOID.COMMON_NAME, name)]


def _extension(certificate: Any, kind: Any) -> Any:
    """Return an extension, None when the certificate has none."""
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _usages(certificate: Any) -> tuple[bool, set[str]]:
    """Return whether the key's usage is critical, and what it is."""
    found = _extension(certificate, x509.KeyUsage)
    if found is None:
        return False, set()
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign"),
    )
    return found.critical, {name for name in names if getattr(found.value, name)}


def load(pem: Any) -> Any:
    return x509.load_pem_x509_certificate(str(pem).encode())


def _issued_by(certificate: Any, issuer: Any) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, AttributeError, TypeError, ValueError):
        return False
    return True


def moment_of(certificate: Any, name: str) -> datetime.datetime:
    found = getattr(certificate, name + "_utc", None) or getattr(certificate, name)
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


def _authority_reasons(authority: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield why the certificate authority on the controller has to be looked at by the tasks that make it."""
    modes = sorted((place.get("type"), place.get("mode")) for place in (authority.get("files") or {}).values())
    if modes != [("directory", "0700"), ("file", "0600"), ("file", "0644")]:
        yield "files of the certificate authority"
    if not authority.get("has_key"):
        yield "key of the certificate authority"
        return
    certificate = load(authority["pem"])
    constraints = _extension(certificate, x509.BasicConstraints)
    key = certificate.public_key()
    if not (
        _is_for(certificate, str(wanted["tls_ca_common_name"]))
        and _issued_by(certificate, certificate)
        and _usages(certificate) == (True, {"key_cert_sign", "crl_sign"})
        and constraints is not None
        and constraints.critical
        and (constraints.value.ca, constraints.value.path_length) == (True, 0)
        and _extension(certificate, x509.SubjectKeyIdentifier) is not None
        and isinstance(key, ec.EllipticCurvePublicKey)
        and key.curve.name == "secp384r1"
    ):
        yield "certificate of the certificate authority"


def _certificate_reasons(host: Mapping[str, Any], wanted: Mapping[str, Any], now: datetime.datetime) -> Iterator[str]:
    """Yield why the certificate of a server has to be issued anew."""
    authority, found = host.get("authority") or {}, host.get("certificate") or {}
    yield from _authority_reasons(authority, wanted)
    if not found.get("has_key"):
        yield "the private key does not belong to the certificate"
        return
    if not authority.get("pem"):
        return
    certificate, issuer = load(found["pem"]), load(authority["pem"])
    usage = _extension(certificate, x509.ExtendedKeyUsage)
    purposes = set(usage.value) if usage is not None and not usage.critical else set()
    if not _issued_by(certificate, issuer):
        yield "the certificate is not of the certificate authority"
    if not _is_for(certificate, str(wanted["tls_server_name"])):
        yield "common name of the certificate"
    if sans_of(certificate) != {same_san(name) for name in wanted["tls_sans"]}:
        yield "SANs of the certificate"
    if _usages(certificate) != (True, {"digital_signature", "key_encipherment"}) or purposes != {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    }:
        yield "usage of the certificate"
    if now < moment_of(certificate, "not_valid_before"):
        yield "the certificate is not yet valid"
    if now + datetime.timedelta(days=int(wanted["tls_renew_days"])) > moment_of(certificate, "not_valid_after"):
        yield "the certificate ends soon"


def _all_certificates(pem: Any) -> list[Any]:
    return [load(one) for one in tls.split(str(pem))]


def is_of(pem: Any, authority: Any) -> bool:
    """Tell whether a certificate is of one of the CAs of a bundle; what is no certificate is of every one."""
    try:
        return any(_issued_by(load(pem), issuer) for issuer in _all_certificates(authority))
    except ValueError:
        return True


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two texts hold the same certificate."""
    try:
        return bool(load(one) == load(other))
    except ValueError:
        return False


def _issuer(pem: Any) -> str:
    """Return the common name of a certificate's issuer, or all of the issuer's name where it has none."""
    issuer = load(pem).issuer
    return next((str(one.value) for one in issuer if one.oid == NameOID.COMMON_NAME), issuer.rfc4514_string())


def _authority_problems(host: Mapping[str, Any], wanted: Mapping[str, Any], others: Mapping[str, Any]) -> Iterator[str]:
    """Yield why the private CA must not sign for this host: it is not whole, or the cluster has one of another.

    A CA that is made anew where another is in use locks out every client of the old one.
    """
    authority, folder = host.get("authority") or {}, str(wanted["tls_ca_dir"])
    whole = bool(authority.get("pem") and authority.get("has_key"))
    if authority.get("key"):
        if (authority.get("files") or {}).get(folder + "/ca.key", {}).get("type") != "file":
            yield (
                "%s/ca.key: the CA's certificate is there without its key; bring the key back from its backup" % folder
            )
            return
        wrong = {
            tls.OTHER: "it does not belong to the first certificate of ca.crt there",
            tls.ENCRYPTED: "vault_server_tls_ca_passphrase does not open it",
        }.get(str(authority["key"]), "it holds no private key that can be read")
        cut = ", or complete a replacement that was cut (playbooks/replace_ca.yml -e replace_ca_step=sign)"
        yield "%s/ca.key: %s; bring the CA's own key and certificate back from their backup%s" % (
            folder,
            wrong,
            cut if authority["key"] == tls.OTHER else "",
        )
        return
    held = {"this host": (host.get("certificate") or {}).get("pem"), **others, **(host.get("peers") or {})}
    bundle = authority.get("pem") if whole else ""
    foreign = {name: pem for name, pem in held.items() if pem and (not whole or not is_of(pem, bundle))}
    try:
        of = sorted({_issuer(pem) for pem in foreign.values()})
    except ValueError:
        of = ["which cannot be read"]
    cluster = str(wanted.get("tls_cluster") or "vault")
    if foreign and cluster not in re.split(r"[\s,]+", str(wanted.get("tls_new_ca_confirmed") or "")):
        yield (
            "vault_server_tls_ca_dir: %s %s, but the certificate of %s is of another (%s), and clients that trust"
            " that one would fail; bring the directory of the CA back from its backup, or start with a new one all"
            " the same by -e vault_server_tls_new_ca_confirmed=%s"
            % (
                folder,
                "holds a CA" if whole else "holds no CA on this controller",
                " and ".join(foreign),
                ", ".join(of),
                cluster,
            )
        )


def pair_problems(
    found: Mapping[str, Any],
    certificate: str,
    key: str,
    ca: str,
    declared: str = "vault_server_tls_server_name or vault_server_address",
) -> Iterator[str]:
    """Yield why a certificate cannot serve; the arguments name the three files, and where its names are declared."""
    if not found.get("pem"):
        yield "%s: it holds no certificate in PEM; give one, its issuers after it" % certificate
        return
    if not found.get("has_key"):
        yield {
            tls.OTHER: "%s: the key does not belong to the first certificate of %s; give the two that were made"
            " together, the server's own certificate first and its issuers after it" % (key, certificate),
            tls.ENCRYPTED: "%s: the key is encrypted, and the server asks nobody for a passphrase; give it decrypted"
            % key,
        }.get(str(found.get("key")), "%s: it holds no private key that OpenSSL can read; give the certificate's" % key)
        return
    refused = {one["code"]: one for one in reversed(found.get("refused") or [])}
    for code, one in refused.items():
        if code == failure.EXPIRED:
            yield "%s: it, or one of its issuers, has expired (%s); renew it" % (certificate, _validity(found["pem"]))
        elif code == failure.NOT_YET_VALID:
            yield "%s: it, or one of its issuers, is not yet valid (%s); wait, or correct the clock" % (
                certificate,
                _validity(found["pem"]),
            )
        elif code in (failure.OTHER_NAME, failure.OTHER_ADDRESS):
            names = [each["name"] for each in found["refused"] if each["code"] == code]
            yield (
                "%s: it is not for %s, by which the other servers and the clients reach this one; have these names in"
                " its SANs, or correct %s" % (certificate, " and ".join(names), declared)
            )
        elif code in failure.NO_ISSUER:
            yield (
                "%s: clients that trust %s find no way from it to a CA; add its issuers after it in the same file,"
                " or give the right CA, root included" % (certificate, ca)
            )
        else:
            yield "%s: clients refuse it (%s); have it issued for a server" % (certificate, one["message"])


def _validity(pem: Any) -> str:
    """Return from when until when the first of some certificates is valid."""
    if not HAS_CRYPTOGRAPHY:
        return "see its dates"
    try:
        found = load(pem)
    except ValueError:
        return "see its dates"
    moments = [
        moment_of(found, name).strftime("%Y-%m-%d %H:%M UTC") for name in ("not_valid_before", "not_valid_after")
    ]
    return "valid from %s to %s" % (moments[0], moments[1])


def tls_problems(host: Mapping[str, Any], wanted: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """Return why the host's certificate cannot be what is declared."""
    if wanted["tls_mode"] == "generated":
        return list(_authority_problems(host, wanted, others)) if HAS_CRYPTOGRAPHY else []
    if wanted["tls_on_node"]:
        places = wanted["tls_cert_file"], wanted["tls_key_file"], wanted["tls_ca_file"]
        there = (host.get("files") or {}).get(wanted["tls_cert_file"], {}).get("type", "missing") != "missing"
        # files that are missing are told by the tasks: what comes before them may bring them
        return list(pair_problems(host.get("certificate") or {}, *map(str, places))) if there else []
    if not host.get("provided"):
        return []
    return list(
        pair_problems(
            host["provided"],
            "vault_server_tls_cert_src (%s)" % wanted["tls_cert_src"],
            "vault_server_tls_key_src (%s)" % wanted["tls_key_src"],
            "vault_server_tls_ca_src (%s)" % wanted["tls_ca_src"],
        )
    )


def tls_reasons(host: Mapping[str, Any], wanted: Mapping[str, Any], now: datetime.datetime) -> list[str]:
    if not HAS_CRYPTOGRAPHY:
        return ["the Python library cryptography is missing on the controller"]
    try:
        return list(_certificate_reasons(host, wanted, now))
    except ValueError:
        return ["a certificate cannot be read"]


def refused(host: Mapping[str, Any]) -> str:
    """Return why clients refuse the certificate that the server presents; empty when they do not."""
    found = host.get("refused") or {}
    if not found:
        return ""
    reasons = {
        failure.EXPIRED: "it, or one of its issuers, has expired",
        failure.NOT_YET_VALID: "it, or one of its issuers, is not yet valid by the clock of this host",
        failure.OTHER_NAME: "it is for another name",
        failure.OTHER_ADDRESS: "it is for another address",
        **dict.fromkeys(failure.NO_ISSUER, "no CA in the file of this host issued it"),
    }
    return "clients refuse the server's certificate: %s" % reasons.get(found["code"], found["message"])
