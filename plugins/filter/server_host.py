# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that hold what the module vault_host_state read against what is declared for the host. Pure."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Callable
from urllib.parse import urlsplit

from ansible.errors import AnsibleFilterError
from ansible.plugins.filter.core import to_nice_json

from ansible_collections.secretops.vault_eso.plugins.filter.vault_server import vault_server_problems
from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state, tls
from ansible_collections.secretops.vault_eso.plugins.module_utils._http import failure
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.declaration import plain
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.pending import (
    Fingerprints,
    changed_devices,
    pending,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.render import (
    audit_directories,
    build,
    seal_type,
    static_keys,
    written_directories,
)

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

#: the steps of the role vault_server, in the order in which they run
STEPS = ("install", "tls", "configure", "harden", "service")
#: how a server answers the question for its health: sealed and uninitialised nodes and standbys answer too
ACTIVE = 200
SERVING = (ACTIVE, 429, 472, 473)
SEALED = (501, 503)
NOLOGIN = "/usr/sbin/nologin"
_ARCHIVE = re.compile(r"[.](zip|tar[.]gz|tgz)$")
# an error in the standard format; the part of the server that says it stands before the colon
_LOGGED = re.compile(r"\[ERROR\] +(?:core: )?((?![\w.-]+: ).*|(?<=core: ).*)")
_PREFIXED = re.compile(r"(DNS|IP|URI|email):")


# --- the binary ---------------------------------------------------------------------------------------------------


def _build(host: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, bool]:
    """Return whether another build is ``wanted`` than the host has, and whether to ``install`` it or leave it ``pending``.

    A node that runs is not upgraded, unless that is allowed.
    """
    binary = host.get("binary") or {}
    runs = bool(binary.get("exists")) and (host.get("unit") or {}).get("active") in state.RUNNING
    differs = not binary.get("exists") or not _is_build(binary, wanted)
    allowed = bool(wanted.get("allow_upgrade")) or not runs
    return {"differs": differs, "install": differs and allowed, "pending": differs and not allowed}


def _is_build(binary: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    if wanted.get("install_method") == "file" and not _ARCHIVE.search(str(wanted.get("file") or "")):
        checksum = str(wanted.get("file_checksum") or "").lower()
        return bool(binary.get("sha256")) and binary["sha256"] == re.sub("^sha256:", "", checksum)
    version = re.escape(str(wanted.get("version") or ""))
    return bool(re.search(r" v%s(\s|,|$)" % version, str(binary.get("version") or "")))


def _host_problems(host: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return why a host cannot become what is declared, one sentence each."""
    found = []
    if not host.get("systemd"):
        found.append("the role runs the server under systemd, which this host does not use; choose another host")
    said = str((host.get("binary") or {}).get("version") or "")
    if re.search("(OpenBao|Vault) v", said):
        present, declared = _release(products.detect(said)[1]), _release(str(wanted["version"]))
        if products.parse_version(declared) < products.parse_version(present):
            found.append(
                "vault_server_version: the host has %s, and %s is older; a downgrade means restoring a snapshot into new nodes,"
                " so declare %s or later" % (present, declared, present)
            )
    found.extend(_audit_problems(host, wanted))
    return found


#: bytes below which a file system counts as full
FULL = 1 << 20


def _audit_problems(host: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield why no audit device could be written: then the server answers every request with an error."""
    places, disks = wanted.get("audit_directories") or [], host.get("disks") or {}
    if places and all(disks.get(path, {}).get("free", FULL) < FULL for path in places):
        yield (
            "the audit devices write to %s, where the file system is full; the server answers every request with an internal error"
            " until one of them can be written, so free space there" % " and ".join(dict.fromkeys(places))
        )


def _audit_advice(host: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield what may stop all audit devices at once."""
    places, disks = wanted.get("audit_directories") or [], host.get("disks") or {}
    devices = {disks.get(path, {}).get("device") for path in places}
    if places and len(devices) == 1 and None not in devices:
        yield (
            "every audit device writes to one file system, %s; when it is full the server answers no request, so put a second device"
            " on another disk, or give it the file_path stdout, which the journal takes"
            % " and ".join(dict.fromkeys(places))
        )
    if len(set(places)) > 1 or "" in places:
        for path in dict.fromkeys(places):
            if path and disks.get(path, {}).get("free", FULL) < FULL:
                yield "the file system of %s is full, so that an audit device there loses entries; free space" % path


def _device_problems(resolved: Mapping[str, Any], peers: Iterable[Any]) -> Iterator[str]:
    """Yield why the audit devices cannot become what is declared.

    What the active node runs with has been accepted by the server. A standby may wait with what it will never be given.
    """
    for peer in peers:
        if not isinstance(peer, Mapping) or peer.get("health") != ACTIVE or not peer.get("loaded"):
            continue
        for path in changed_devices(resolved["fingerprints"], peer["loaded"]):
            yield (
                'vault_server_audit: the device "%s" differs from what the server has, and the server adds and removes devices but'
                " changes none: it would refuse the reload, and no restarted node could lead. Declare the changed device under another"
                " path beside the unchanged one and run this again; then remove the old one and run once more" % path
            )


def _seal_problems(host: Mapping[str, Any], resolved: Mapping[str, Any]) -> Iterator[str]:
    """Yield why the seal cannot become what is declared: a server with another one stays sealed until it is migrated.

    A seal that the server has from elsewhere, such as its environment, is not about to change.
    """
    has, declared = host.get("seal") or {}, resolved["seal"]
    started = host.get("started") or {}
    changes = not started or started.get("seal") != resolved["fingerprints"].get("seal")
    migrates = resolved["wanted"].get("seal_migration")
    if changes and not migrates and has.get("initialized") and has.get("type") not in ("", declared):
        yield (
            "vault_server_seals: %s is declared, and the server is sealed by %s; another seal is a migration, in which a restarted node stays"
            " sealed until the key shares are given with the order to migrate. Declare the former seal again, or run the"
            " playbook migrate_seal.yml" % (declared, has.get("type"))
        )


def _release(version: str) -> str:
    return version.partition("+")[0]


# --- certificates -------------------------------------------------------------------------------------------------


def vault_server_sans(names: Iterable[Any]) -> list[str]:
    """Return the SANs of a certificate as OpenSSL writes them, each once; what has no prefix is an address or a host."""
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
    """Yield why the private CA must not sign for this host: it is not whole, or the cluster has certificates of another.

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
            "vault_server_tls_ca_dir: %s %s, but the certificate of %s is of another (%s), and clients that trust that one would fail;"
            " bring the directory of the CA back from its backup, or start with a new one all the same by -e vault_server_tls_new_ca_confirmed=%s"
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
            tls.OTHER: "%s: the key does not belong to the first certificate of %s; give the two that were made together, the"
            " server's own certificate first and its issuers after it" % (key, certificate),
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
                "%s: it is not for %s, by which the other servers and the clients reach this one; have these names in its SANs, or"
                " correct %s" % (certificate, " and ".join(names), declared)
            )
        elif code in failure.NO_ISSUER:
            yield (
                "%s: clients that trust %s find no way from it to a CA; add its issuers after it in the same file, or give the"
                " right CA, root included" % (certificate, ca)
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


def _tls_problems(host: Mapping[str, Any], wanted: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
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


# --- what the process waits for -----------------------------------------------------------------------------------


def vault_server_state(
    host: Mapping[str, Any], config: Mapping[str, Any], product: str, watched: Mapping[str, Any]
) -> dict[str, Any]:
    """Return whether the process runs, is sealed, and waits for a reload or a restart to run as declared, and why.

    ``port`` is where it listens, ``new_port`` where it will after the restart; 0 when that is the same, or unknown.

    ``watched`` are paths: those of the unit and its environment (``restart``) and of the certificate (``reload``), and the
    records of the configuration at the start (``started``) and when it was last read (``loaded``).
    """
    return _state(host, state.fingerprints(config), product, watched)


def _state(host: Mapping[str, Any], desired: Fingerprints, product: str, watched: Mapping[str, Any]) -> dict[str, Any]:
    if (host.get("unit") or {}).get("active") not in state.RUNNING:
        nothing = {"reload": False, "restart": False, "reload_reasons": [], "restart_reasons": []}
        return {"runs": False, "sealed": False, "port": 0, "new_port": 0, **nothing}
    times = host.get("times") or {}

    def newer(paths: Sequence[str], record: str) -> bool:
        return any(times.get(path, 0) > times.get(record, 0) for path in paths)

    known = bool(host.get("started") and host.get("loaded"))
    waits = pending(
        str(product),
        desired,
        host["started"] if known else None,
        host["loaded"] if known else None,
        (["binary"] if host.get("other_binary") else [])
        + (["unit or environment"] if newer(watched["restart"], watched["started"]) else []),
        ["certificate"] if newer(watched["reload"], watched["loaded"]) or host.get("serves_another") else [],
    )
    # a node whose answer cannot be had counts as serving: clients may see more than this host does
    ports = {name: int(host.get(name) or 0) for name in ("port", "new_port")}
    return {"runs": True, "sealed": host.get("health") in SEALED, **ports, **waits}


def vault_server_silence(host: Mapping[str, Any]) -> str:
    """Return why a server gives no answer, with a colon before it, from what the module read; empty when that is unknown."""
    active = (host.get("unit") or {}).get("active")
    reason = _refused(host) or ("" if active in ("active", None) else "the service is %s" % active)
    return ": %s" % reason if reason else ""


def vault_server_reload_refused(lines: Iterable[Any]) -> list[str]:
    """Return what a server logged as an error of its core while it read its configuration again; nothing when it took it.

    A server answers a reload in its log alone. Other parts of it, such as raft or the leases, log errors at any time.
    """
    return [found for line in lines if (found := _core_error(str(line).strip()))]


def _core_error(line: str) -> str:
    with suppress(ValueError):
        entry = json.loads(line)
        if not isinstance(entry, Mapping):
            return ""
        of_core = entry.get("@level") == "error" and entry.get("@module", "core") == "core"
        return ": ".join(str(entry[key]) for key in ("@message", "error") if entry.get(key)) if of_core else ""
    found = _LOGGED.search(line)
    if found:
        return found.group(1)
    return line if line.startswith("Error") else ""


# --- what is declared ---------------------------------------------------------------------------------------------


def vault_server_resolved(
    declaration: Mapping[str, Any],
    places: Mapping[str, Any],
    missing: Iterable[Mapping[str, Any]] = (),
    ephemeral: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a host is held against, without a secret in it: ``problems``, and where there are none the rest.

    ``read`` are the options of the module vault_host_state, ``files`` the declared files, and ``wanted`` is everything else.
    """
    # each look at a value renders its template anew
    declaration, places = plain(declaration), plain(places)
    found = vault_server_problems(declaration, missing, ephemeral)
    if found:
        return {"problems": found}
    declared = {**{name: declaration.get(name) for name in _WANTED}, **places}
    keys = static_keys(declaration)
    declared["audit_directories"] = audit_directories(declaration)
    declared["written"] = list(dict.fromkeys([str(places["log_dir"]), *written_directories(declaration)]))
    files = [
        {"step": step, "paths": found, "type": kind, "owner": owner, "group": group, "mode": mode}
        for step, kind, owner, group, mode, paths in _files(declared, [key["dest"] for key in keys])
        if (found := [str(path) for path in paths if path])
    ]
    config = build(declaration)
    generated = declared["tls_mode"] == "generated"
    copied = not generated and not declared["tls_on_node"]
    listener = _listens(declaration.get("listener") or {})
    names = _names(places) if listener else []
    watched = {
        "started": places["started_file"],
        "loaded": places["loaded_file"],
        "restart": [places["environment_file"], places["unit_file"], places["dropin_file"]],
        "reload": [places["tls_cert_file"], places["tls_key_file"]],
    }
    read = {
        "files": [path for file in files for path in file["paths"]],
        "sources": [
            {"path": places["config_file"], "sha256": hashlib.sha256(_rendered(config).encode()).hexdigest()},
            *({"path": key["dest"], "src": key["src"]} for key in keys),
            *_sources(declared),
        ],
        "user": places["user"],
        "group": places["group"],
        "writable": declared["written"],
        "commands": list(places["packages"]),
        "swap": bool(places["swap_off"]),
        "certificate": "" if copied else places["tls_cert_file"],
        "key": "" if copied else places["tls_key_file"],
        "names": [] if generated or copied else names,
        "names_ca": "" if generated or copied else places["tls_ca_file"],
        "provided": {
            "certificate": declaration["tls_cert_src"],
            "key": declaration["tls_key_src"],
            "ca": places["tls_ca_src"],
            "names": names,
        }
        if copied
        else {},
        "peers": [_url_of(peer) for peer in places.get("peers") or []],
        "listener": listener,
        "served": str((declaration.get("listener") or {}).get("tls_cert_file") or "") if listener else "",
        "binary": places["binary"],
        "unit": places["unit"],
        "started": watched["started"],
        "loaded": watched["loaded"],
        "times": [*watched["restart"], *watched["reload"], watched["started"], watched["loaded"]],
        "url": places["url"],
        "port": state.port(config),
        "ca": places["tls_ca_file"] if places["has_ca"] else "",
    }
    return {
        "problems": [],
        "read": read,
        "files": files,
        "watched": watched,
        "fingerprints": state.fingerprints(config),
        "seal": seal_type(declaration),
        "wanted": declared,
    }


def _url_of(peer: Mapping[str, Any]) -> str:
    address = str(peer.get("address") or "")
    host = "[%s]" % address if ":" in address else address
    return str(peer.get("api_addr") or "https://%s:%s" % (host, peer.get("port") or 8200))


#: where a listener on all addresses is found
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}  # noqa: S104


def _listens(listener: Mapping[str, Any]) -> str:
    """Return the address at which a host finds its own listener, empty where it presents no certificate from a file there."""
    address = str(listener.get("address") or "")
    host, _colon, port = address.rpartition(":")
    # "{{" opens a template of the server's own
    if not port.isdigit() or "{{" in address:
        return ""
    if any(listener.get(name) for name in ("tls_disable", "tls_acme_domains", "proxy_protocol_behavior")):
        return ""
    host = _LOOPBACK.get(host, host)
    return "https://%s:%s" % (host, port)


def _names(places: Mapping[str, Any]) -> list[str]:
    """Return the names by which a server's certificate is checked: by its peers, and by the role itself."""
    url = urlsplit(str(places["url"]))
    names = [str(places["tls_server_name"]), (url.hostname or "") if url.scheme == "https" else ""]
    return list(dict.fromkeys(name for name in names if name))


def _rendered(config: Mapping[str, Any]) -> str:
    """Return a configuration as the template config.json.j2 of the role writes it."""
    return "%s\n" % to_nice_json(config, indent=2)


#: of the declaration, which may hold secrets, that what follows is told
_WANTED = (
    *("product", "version", "install_method", "file", "file_checksum", "config_dir", "plugin_dir", "license_path"),
    *("tls_mode", "tls_on_node", "tls_cert_src", "tls_key_src", "tls_ca_dir"),
)

_File = tuple[str, str, str, str, str, list[Any]]


def _files(wanted: Mapping[str, Any], keys: list[str]) -> Iterator[_File]:
    """Yield what the tasks of each step write: step, type, owner, group, mode, and the paths; an empty one is no file.

    A file that is told otherwise here than in its task costs time and nothing else: the step has always something to do.
    """
    user, group, folder = wanted["user"], wanted["group"], wanted["config_dir"]
    certificate, key, ca = wanted["tls_cert_file"], wanted["tls_key_file"], wanted["tls_ca_file"]
    own_unit = wanted["install_method"] != "repository"
    yield "tls", "directory", "root", group, "0750", [folder, wanted["tls_dir"]]
    if wanted["tls_on_node"] and wanted["tls_mode"] == "provided":
        yield "tls", "any", "", "", "", [certificate, key]
    else:
        has_ca = wanted["tls_mode"] == "generated" or wanted["tls_ca_src"]
        yield "tls", "file", "root", group, "0644", [certificate, ca if has_ca else ""]
        yield "tls", "file", "root", group, "0640", [key]
    yield "configure", "directory", user, group, "0700", [wanted["data_dir"], "%s/seal" % folder if keys else ""]
    yield "configure", "directory", user, group, "0750", wanted["written"]
    yield "configure", "directory", "root", group, "0750", [wanted["plugin_dir"]]
    yield "configure", "file", user, group, "0600", list(keys)
    yield "configure", "file", "root", group, "0640", [wanted["config_file"], wanted["license_path"]]
    yield "configure", "file", "root", "root", "0600", [wanted["environment_file"]]
    yield "configure", "file", "root", "root", "0644", [wanted["unit_file"] if own_unit else ""]
    folders = [wanted["dropin_file"], wanted["logrotate_file"], wanted["coredump_file"]]
    yield "harden", "directory", "root", "root", "0755", [path.rpartition("/")[0] for path in folders]
    yield "harden", "file", "root", "root", "0644", [*folders, *wanted["rotate_files"]]
    # that the timer is enabled
    yield "harden", "link", "root", "root", "0777", [wanted["rotate_link"]]


def _sources(wanted: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the files of the controller that are copied as they are."""
    copied = []
    if wanted["license_path"]:
        copied.append((wanted["license_path"], wanted["license_file"]))
    if wanted["tls_mode"] == "generated":
        copied.append((wanted["tls_ca_file"], "%s/ca.crt" % wanted["tls_ca_dir"]))
    elif not wanted["tls_on_node"]:
        copied.append((wanted["tls_cert_file"], wanted["tls_cert_src"]))
        copied.append((wanted["tls_key_file"], wanted["tls_key_src"]))
        if wanted["tls_ca_src"]:
            copied.append((wanted["tls_ca_file"], wanted["tls_ca_src"]))
    return [{"path": str(path), "src": str(source)} for path, source in copied]


# --- the steps ----------------------------------------------------------------------------------------------------


def vault_server_steps(
    host: Mapping[str, Any],
    resolved: Mapping[str, Any],
    now: datetime.datetime | None = None,
    others: Mapping[str, Any] | None = None,
    peers: Iterable[Any] = (),
) -> dict[str, Any]:
    """Return the steps of the role that have something to do on a host, each with its reasons, and what else was concluded.

    ``peers`` is what the module read on the servers of the cluster, this one included.

    A step that has something to do takes those after it along, which see the host as it left it.
    ``resolved`` is the result of the filter vault_server_resolved, ``others`` are the certificates of the other servers of the
    cluster by their names. Returns ``steps``, ``problems`` (why the host cannot become
    what is declared), ``advice`` (what may go wrong later), ``build`` (whether another one ``differs``, and is to ``install`` or left ``pending``),
    ``state`` (as vault_server_state does) and ``refused`` (why clients refuse the server's certificate, empty when they do not).
    """
    wanted = resolved["wanted"]
    waits = _state(host, resolved["fingerprints"], wanted["product"], resolved["watched"])
    reasons: dict[str, list[str]] = {step: [] for step in STEPS}
    for file in resolved["files"]:
        for path in file["paths"]:
            different = list(_different((host.get("files") or {}).get(path) or {}, file))
            if different:
                reasons[file["step"]].append("%s: %s" % (path, ", ".join(different)))
    reasons["install"] += _install_reasons(host, wanted)
    reasons["configure"] += ["%s cannot be written to" % path for path in host.get("unwritable") or []]
    if wanted["tls_mode"] == "generated":
        reasons["tls"] += _tls_reasons(host, wanted, now or datetime.datetime.now(datetime.timezone.utc))
    swap = host.get("swap") or {}
    if not swap.get("container") and (swap.get("active") or swap.get("at_boot")):
        reasons["harden"].append("swap")
    reasons["service"] += _service_reasons(host, waits)
    found: dict[str, list[str]] = {}
    for step in STEPS:
        if reasons[step]:
            found[step] = reasons[step]
        elif found:
            found[step] = ["%s comes before it" % next(reversed(found))]
    return {
        "steps": found,
        "problems": [
            *_host_problems(host, wanted),
            *_tls_problems(host, wanted, others or {}),
            *_device_problems(resolved, peers),
            *_seal_problems(host, resolved),
        ],
        "advice": list(_audit_advice(host, wanted)),
        "build": _build(host, wanted),
        "state": waits,
        "refused": _refused(host),
    }


def _tls_reasons(host: Mapping[str, Any], wanted: Mapping[str, Any], now: datetime.datetime) -> list[str]:
    if not HAS_CRYPTOGRAPHY:
        return ["the Python library cryptography is missing on the controller"]
    try:
        return list(_certificate_reasons(host, wanted, now))
    except ValueError:
        return ["a certificate cannot be read"]


def _different(place: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[str]:
    if place.get("type", "missing") == "missing":
        yield "missing"
        return
    if file["type"] not in ("any", place["type"]):
        yield "no %s" % file["type"]
        return
    for name in ("owner", "group", "mode"):
        if file.get(name) and place.get(name) != str(file[name]):
            yield name
    if place.get("same") is False:
        yield "contents"


def _install_reasons(host: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    account = {"group": wanted["group"], "home": wanted["config_dir"], "shell": NOLOGIN}
    if not host.get("group"):
        yield "group %s" % wanted["group"]
    if host.get("user") != account:
        yield "user %s" % wanted["user"]
    for command in host.get("missing_commands") or []:
        yield "%s is missing" % command
    if _build(host, wanted)["differs"]:
        yield "binary"


def _refused(host: Mapping[str, Any]) -> str:
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


def _service_reasons(host: Mapping[str, Any], waits: Mapping[str, Any]) -> Iterator[str]:
    unit = host.get("unit") or {}
    if unit.get("active") != "active":
        yield "the service does not run"
    if unit.get("file") != "enabled":
        yield "the service is not enabled"
    if unit.get("needs_daemon_reload"):
        yield "systemd has not read the unit"
    if waits.get("restart"):
        yield "a restart is pending"
    if waits.get("reload"):
        yield "a reload is pending"
    if unit.get("active") == "active" and host.get("health") not in SERVING + SEALED:
        yield _refused(host) or "the API does not answer"


def _checked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that says of what does not come from the module that it does not."""

    def filtered(host: Any, *arguments: Any, **named: Any) -> Any:
        if not isinstance(host, Mapping):
            raise AnsibleFilterError("%s: takes the result of the module vault_host_state" % name)
        return function(host, *arguments, **named)

    return filtered


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "vault_server_reload_refused": vault_server_reload_refused,
            "vault_server_sans": vault_server_sans,
            "vault_server_resolved": vault_server_resolved,
            "vault_server_silence": _checked("vault_server_silence", vault_server_silence),
            "vault_server_state": _checked("vault_server_state", vault_server_state),
            "vault_server_steps": _checked("vault_server_steps", vault_server_steps),
        }
