# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role vault_server has to do on a host, from what was read there."""

from __future__ import annotations

import copy
import datetime
import hashlib
import ipaddress
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.secretops.vault_eso.plugins.filter import server_host
from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.render import build

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.timezone.utc)
CONFIG = "/etc/openbao/openbao.json"
DECLARATION = {
    "product": "openbao",
    "version": "2.7.2",
    "install_method": "file",
    "file": "/files/bao",
    "file_checksum": "sha256:" + "A" * 64,
    "config_dir": "/etc/openbao",
    "api_addr": "https://192.0.2.1:8200",
    "cluster_addr": "https://192.0.2.1:8201",
    "storage_type": "raft",
    "raft": {"path": "/data", "node_id": "a"},
    "listener": {"address": "0.0.0.0:8200", "tls_cert_file": "/tls/server.crt", "tls_key_file": "/tls/server.key"},
    "audit": [{"path": "file", "options": {"file_path": "/srv/audit/audit.log"}}],
    "tls_mode": "generated",
    "tls_ca_dir": "/ca",
    "plugin_dir": "",
}
PLACES = {
    "user": "openbao",
    "group": "openbao",
    "unit": "openbao",
    "data_dir": "/data",
    "log_dir": "/var/log/openbao",
    "config_file": CONFIG,
    "environment_file": "/etc/openbao/openbao.env",
    "unit_file": "/etc/systemd/system/openbao.service",
    "dropin_file": "/etc/systemd/system/openbao.service.d/50.conf",
    "logrotate_file": "/etc/logrotate.d/openbao",
    "rotate_files": ["/etc/systemd/system/r.service", "/etc/systemd/system/r.timer"],
    "rotate_link": "/etc/systemd/system/timers.target.wants/r.timer",
    "coredump_file": "",
    "license_file": "",
    "binary": "/usr/local/bin/bao",
    "packages": {"/usr/bin/openssl": "openssl"},
    "allow_upgrade": False,
    "swap_off": True,
    "tls_dir": "/tls",
    "tls_cert_file": "/tls/server.crt",
    "tls_key_file": "/tls/server.key",
    "tls_ca_file": "/tls/ca.crt",
    "tls_ca_src": "",
    "tls_server_name": "vault.example.com",
    "tls_sans": ["DNS:vault.example.com", "IP:192.0.2.1", "IP:0:0:0:0:0:0:0:1"],
    "tls_renew_days": 30,
    "tls_ca_common_name": "Some CA",
    "started_file": "/run/openbao/started.json",
    "loaded_file": "/run/openbao/loaded.json",
    "url": "https://192.0.2.1:8200",
    "has_ca": True,
    "tls_new_ca_confirmed": "",
    "tls_cluster": "",
    "peers": [],
    "seal_migration": False,
}


def sign(
    subject: str, issuer: str, key: Any, signer: Any, days: int, extensions: list[tuple[Any, bool]], begin: float = -1
) -> str:
    """Return a certificate in PEM that is valid from the day before NOW, or from so many days after it."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=begin))
        .not_valid_after(NOW + datetime.timedelta(days=days))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def usage(*names: str) -> x509.KeyUsage:
    """Return what a key is for."""
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    every += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in names for name in every})


CA_KEY, KEY = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())


def authority(name: str = "Some CA", key: Any = CA_KEY, length: int = 0) -> str:
    """Return a certificate authority's own certificate."""
    extensions = [
        (x509.BasicConstraints(True, length), True),
        (usage("key_cert_sign", "crl_sign"), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    return sign(name, name, key, key, 3650, extensions)


def certificate(
    name: str = "vault.example.com",
    days: int = 397,
    signer: Any = CA_KEY,
    sans: tuple[str, ...] = ("192.0.2.1", "::1"),
    purposes: tuple[Any, ...] = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
    begin: float = -1,
) -> str:
    """Return a server's certificate."""
    names = [x509.DNSName("vault.example.com"), *(x509.IPAddress(ipaddress.ip_address(one)) for one in sans)]
    extensions = [
        (x509.SubjectAlternativeName(names), False),
        (usage("digital_signature", "key_encipherment"), True),
        (x509.ExtendedKeyUsage(purposes), False),
    ]
    return sign(name, "Some CA", KEY, signer, days, extensions, begin)


def resolved(**changes: Any) -> dict[str, Any]:
    """Return what is declared."""
    places = {name: changes.pop(name, value) for name, value in PLACES.items()}
    return server_host.vault_server_resolved({**DECLARATION, **changes}, places)


def as_declared(declared: dict[str, Any]) -> dict[str, Any]:
    """Return a host that has everything."""
    files = {
        path: {"type": file["type"], "owner": file["owner"], "group": file["group"], "mode": file["mode"], "same": True}
        for file in declared["files"]
        for path in file["paths"]
    }
    modes = {"/ca": ("directory", "0700"), "/ca/ca.key": ("file", "0600"), "/ca/ca.crt": ("file", "0644")}
    record = declared["fingerprints"]
    return {
        "systemd": True,
        "files": files,
        "user": {"group": "openbao", "home": "/etc/openbao", "shell": "/usr/sbin/nologin"},
        "group": True,
        "missing_commands": [],
        "unwritable": [],
        "swap": {"active": False, "at_boot": False, "container": False},
        "authority": {
            "pem": authority(),
            "has_key": True,
            "files": {path: {"type": kind, "mode": mode} for path, (kind, mode) in modes.items()},
        },
        "certificate": {"pem": certificate(), "has_key": True},
        "binary": {"exists": True, "version": "OpenBao v2.7.2 (9e0a), built x", "sha256": "a" * 64},
        "unit": {"load": "loaded", "active": "active", "file": "enabled", "pid": 7, "needs_daemon_reload": False},
        "other_binary": False,
        "times": dict.fromkeys(declared["read"]["times"], 10.0),
        "started": record,
        "loaded": record,
        "health": 200,
    }


DECLARED = resolved()
HOST = as_declared(DECLARED)


def steps(change: Callable[[dict[str, Any]], Any], declared: dict[str, Any] | None = None) -> list[str]:
    """Return which steps have something to do on a host that was changed."""
    host = copy.deepcopy(HOST)
    change(host)
    return list(server_host.vault_server_steps(host, declared or DECLARED, NOW)["steps"])


def test_a_host_that_is_as_declared_has_nothing_to_do() -> None:
    found = server_host.vault_server_steps(HOST, DECLARED, NOW)
    assert found["steps"] == {} and found["problems"] == []
    assert found["build"] == {"differs": False, "install": False, "pending": False}
    assert found["state"]["runs"] and not found["state"]["restart"] and not found["state"]["reload"]


def test_a_step_takes_those_after_it_along() -> None:
    everything = ["install", "tls", "configure", "harden", "service"]
    assert steps(lambda host: host.update(group=False)) == everything
    assert steps(lambda host: host.update(swap={"active": True, "at_boot": False})) == everything[3:]


@pytest.mark.parametrize("path", DECLARED["read"]["files"])
@pytest.mark.parametrize(
    "change",
    [{"owner": "x"}, {"group": "x"}, {"mode": "0001"}, {"same": False}, {"type": "other"}, {"type": "missing"}],
)
def test_each_file_is_held_against_what_is_declared(path: str, change: dict[str, Any]) -> None:
    step = next(file["step"] for file in DECLARED["files"] if path in file["paths"])
    assert steps(lambda host: host["files"][path].update(change))[0] == step


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"group": False}, "install"),
        ({"user": {}}, "install"),
        ({"user": {"group": "openbao", "home": "/etc/openbao", "shell": "/bin/sh"}}, "install"),
        ({"missing_commands": ["/usr/bin/openssl"]}, "install"),
        ({"binary": {"exists": False, "version": "", "sha256": ""}}, "install"),
        ({"binary": {"exists": True, "version": "OpenBao v2.7.2", "sha256": "b" * 64}}, "install"),
        ({"unwritable": ["/var/log/openbao"]}, "configure"),
        ({"swap": {"active": True, "at_boot": False, "container": False}}, "harden"),
        ({"swap": {"active": False, "at_boot": True, "container": False}}, "harden"),
        ({"swap": {"active": True, "at_boot": True, "container": True}}, None),
        ({"unit": {"load": "loaded", "active": "inactive", "file": "enabled"}}, "service"),
        ({"unit": {"load": "loaded", "active": "failed", "file": "enabled"}}, "service"),
        ({"unit": {"load": "loaded", "active": "active", "file": "disabled"}}, "service"),
        ({"unit": {"active": "active", "file": "enabled", "needs_daemon_reload": True}}, "service"),
        ({"other_binary": True}, "service"),
        ({"started": {}}, "service"),
        ({"loaded": {**HOST["loaded"], "log_level": ["x", "x"]}}, "service"),
        ({"started": {**HOST["started"], "ui": ["x", "x"]}}, "service"),
        ({"times": {**HOST["times"], "/tls/server.crt": 11.0}}, "service"),
        ({"times": {**HOST["times"], "/etc/openbao/openbao.env": 11.0}}, "service"),
        ({"health": -1}, "service"),
        ({"health": 503}, None),
    ],
)
def test_each_difference_has_its_step(change: dict[str, Any], first: str | None) -> None:
    found = steps(lambda host: host.update(change))
    assert (found[0] if found else None) == first


def with_audit(*paths: str, **disks: dict[str, int]) -> dict[str, Any]:
    """Return what is concluded for a host that has these audit files, and these file systems under them."""
    devices = [{"path": f"d{number}", "options": {"file_path": path}} for number, path in enumerate(paths)]
    resolved = server_host.vault_server_resolved({**DECLARATION, "audit": devices}, PLACES)
    host = {**copy.deepcopy(HOST), "disks": {"/" + name: disk for name, disk in disks.items()}}
    return server_host.vault_server_steps(host, resolved, NOW)


def disk(device: int, free: int = 1 << 30) -> dict[str, int]:
    """Return what the module says of a file system."""
    return {"device": device, "free": free}


@pytest.mark.parametrize(
    ("paths", "disks", "problem", "advice"),
    [
        (["/a/one", "/b/two"], {"a": disk(1), "b": disk(1)}, "", "one file system, /a and /b"),
        (["/a/one", "/b/two"], {"a": disk(1), "b": disk(2)}, "", ""),
        (["/a/one", "stdout"], {"a": disk(1)}, "", ""),
        (["/a/one"], {"a": disk(1)}, "", "one file system"),
        (["/a/one", "/a/two"], {"a": disk(1, 4096)}, "/a, where the file system is full", "one file system"),
        (["/a/one", "/b/two"], {"a": disk(1, 0), "b": disk(2, 0)}, "/a and /b, where", "/a is full"),
        (["/a/one", "/b/two"], {"a": disk(1, 0), "b": disk(2)}, "", "the file system of /a is full"),
        (["/a/one", "stdout"], {"a": disk(1, 0)}, "", "the file system of /a is full"),
        (["/a/one", "/b/two"], {}, "", ""),
        ([], {}, "", ""),
    ],
)
def test_a_full_disk_under_all_audit_devices_is_named(
    paths: list[str], disks: dict[str, dict[str, int]], problem: str, advice: str
) -> None:
    found = with_audit(*paths, **disks)
    assert bool(found["problems"]) == bool(problem) and problem in " ".join(found["problems"])
    assert bool(found["advice"]) == bool(advice) and advice in " ".join(found["advice"])


OTHER = ec.generate_private_key(ec.SECP384R1())


@pytest.mark.parametrize(
    "change",
    [
        {"certificate": {"pem": "", "has_key": False}},
        {"certificate": {"pem": "nonsense", "has_key": True}},
        {"certificate": {"pem": certificate(), "has_key": False}},
        {"certificate": {"pem": certificate(name="x"), "has_key": True}},
        {"certificate": {"pem": certificate(sans=("192.0.2.1",)), "has_key": True}},
        {"certificate": {"pem": certificate(sans=("192.0.2.1", "::1", "192.0.2.2")), "has_key": True}},
        {"certificate": {"pem": certificate(purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), "has_key": True}},
        {"certificate": {"pem": certificate(days=29), "has_key": True}},
        # of a CA whose clock was an hour ahead
        {"certificate": {"pem": certificate(begin=1 / 24), "has_key": True}},
        {"certificate": {"pem": certificate(signer=OTHER), "has_key": True}},
        {"authority": {**HOST["authority"], "has_key": False}},
        {"authority": {**HOST["authority"], "files": {}}},
        {"authority": {**HOST["authority"], "pem": authority("Another CA")}},
        {"authority": {**HOST["authority"], "pem": authority(length=1)}},
        {"authority": {**HOST["authority"], "pem": authority(key=OTHER)}},
        {"authority": {**HOST["authority"], "pem": authority(key=KEY)}},
        {},
    ],
)
def test_a_certificate_is_issued_anew_where_it_is_not_as_declared(change: dict[str, Any]) -> None:
    found = steps(lambda host: host.update(change))
    assert found[:1] == (["tls"] if change else [])


def problems(change: dict[str, Any], declared: dict[str, Any] | None = None, **others: str) -> list[str]:
    """Return why a host that was changed cannot become what is declared."""
    found = server_host.vault_server_steps({**HOST, **change}, declared or DECLARED, NOW, others)["problems"]
    return [str(one) for one in found]


NO_CA = {"pem": "", "has_key": False, "key": "", "files": {}}


def test_no_new_certificate_authority_where_another_is_in_use() -> None:
    nothing = {"certificate": {"pem": "", "has_key": False}}
    # a first run, and a renewal by the CA at hand
    assert problems({"authority": NO_CA, **nothing}) == [] and problems({}) == problems(nothing) == []
    for change, others in (
        ({"authority": NO_CA}, {}),
        ({"authority": NO_CA, **nothing}, {"vault-2": certificate()}),
        ({"authority": NO_CA, **nothing, "peers": {"https://192.0.2.2:8200": certificate()}}, {}),
    ):
        (found,) = problems(change, **others)
        assert "/ca holds no CA on this controller" in found and "(Some CA)" in found
        assert "-e vault_server_tls_new_ca_confirmed=vault" in found
        for confirmed, count in (("vault", 0), ("other, vault", 0), ("true", 1), ("other", 1)):
            declared = resolved(tls_new_ca_confirmed=confirmed, tls_cluster="vault")
            assert len(problems(change, declared, **others)) == count, confirmed
    (found,) = problems({"certificate": {"pem": certificate(signer=OTHER), "has_key": True}})
    assert "/ca holds a CA, but the certificate of this host is of another" in found


def test_both_authorities_of_a_bundle_are_known() -> None:
    bundle = {**HOST["authority"], "pem": authority() + authority(key=OTHER)}
    host = {"authority": bundle, "certificate": {"pem": certificate(signer=OTHER), "has_key": True}}
    assert problems(host) == []
    # the first signs
    assert steps(lambda found: found.update(host))[:1] == ["tls"]


@pytest.mark.parametrize(
    ("key", "kind", "says"),
    [
        ("other", "file", "does not belong to the first certificate of ca.crt"),
        ("encrypted", "file", "vault_server_tls_ca_passphrase does not open it"),
        ("unreadable", "file", "no private key that can be read"),
        ("unreadable", "missing", "there without its key"),
    ],
)
def test_an_authority_that_is_not_whole_is_never_completed(key: str, kind: str, says: str) -> None:
    files = {**HOST["authority"]["files"], "/ca/ca.key": {"type": kind, "mode": "0600"}}
    change = {"authority": {"pem": authority(), "has_key": False, "key": key, "files": files}}
    (found,) = problems(change)
    assert says in found and "backup" in found


SEALS = [{"type": "static", "static": {"current_key_id": "1", "current_key_file": "/keys/1"}}]
STATIC = resolved(seals=SEALS)


@pytest.mark.parametrize(
    ("declared", "seal", "refused"),
    [
        (STATIC, {"type": "shamir", "initialized": True}, "static is declared, and the server is sealed by shamir"),
        (DECLARED, {"type": "static", "initialized": True}, "shamir is declared, and the server is sealed by static"),
        # not initialised, migrated, silent, allowed
        (STATIC, {"type": "shamir", "initialized": False}, ""),
        (STATIC, {"type": "static", "initialized": True}, ""),
        (STATIC, {}, ""),
        (resolved(seals=SEALS, seal_migration=True), {"type": "shamir", "initialized": True}, ""),
    ],
)
def test_another_seal_is_refused_on_a_server_that_is_in_use(
    declared: dict[str, Any], seal: dict[str, Any], refused: str
) -> None:
    other = STATIC if declared is DECLARED else DECLARED
    host = {**as_declared(declared), "seal": seal, "started": other["fingerprints"]}
    found = server_host.vault_server_steps(host, declared, NOW)["problems"]
    assert [refused in one for one in found] == [True] if refused else found == []


def test_a_seal_that_is_not_of_the_configuration_is_left_alone() -> None:
    host = {**HOST, "seal": {"type": "awskms", "initialized": True}}
    assert server_host.vault_server_steps(host, DECLARED, NOW)["problems"] == []


def test_why_a_server_is_silent() -> None:
    assert server_host.vault_server_silence({"unit": {"active": "active"}}) == ""
    assert server_host.vault_server_silence({}) == ""
    assert server_host.vault_server_silence({"unit": {"active": "failed"}}) == ": the service is failed"
    refused = {"refused": {"code": 10, "message": "certificate has expired"}, "unit": {"active": "active"}}
    assert "has expired" in server_host.vault_server_silence(refused)


def test_a_certificate_that_clients_refuse_is_told_as_what_it_is() -> None:
    for code, says in ((10, "has expired"), (9, "not yet valid"), (64, "another address"), (20, "no CA"), (7, "odd")):
        host = {**HOST, "health": -1, "refused": {"code": code, "message": "odd"}}
        found = server_host.vault_server_steps(host, DECLARED, NOW)
        assert says in found["refused"] and found["steps"]["service"] == [found["refused"]]
    assert server_host.vault_server_steps(HOST, DECLARED, NOW)["refused"] == ""


def test_a_server_that_presents_another_certificate_is_to_reload() -> None:
    found = server_host.vault_server_steps({**HOST, "serves_another": True}, DECLARED, NOW)
    assert found["state"]["reload_reasons"] == ["certificate"] and list(found["steps"]) == ["service"]


def test_a_certificate_from_elsewhere_is_compared_with_its_file_alone() -> None:
    declared = resolved(tls_mode="provided", tls_cert_src="/x.crt", tls_key_src="/x.key", tls_on_node=False)
    assert (
        declared["read"]["certificate"] == ""
        and {"path": "/tls/server.key", "src": "/x.key"} in declared["read"]["sources"]
    )
    assert steps(lambda host: host.update(authority=None, certificate=None), declared) == []
    declared = resolved(tls_mode="provided", tls_on_node=True)
    assert [source["path"] for source in declared["read"]["sources"]] == [CONFIG]
    links = {"/tls/server.crt": {"type": "link"}, "/tls/server.key": {"type": "link"}}
    assert steps(lambda host: host["files"].update(links), declared) == []
    assert steps(lambda host: host["files"].update({"/tls/server.key": {"type": "missing"}}), declared)[0] == "tls"


def test_a_node_that_runs_is_upgraded_only_where_that_is_allowed() -> None:
    host = {**HOST, "binary": {"exists": True, "version": "OpenBao v2.6.2", "sha256": "b" * 64}}
    found = server_host.vault_server_steps(host, DECLARED, NOW)
    assert found["build"] == {"differs": True, "install": False, "pending": True}
    found = server_host.vault_server_steps(host, resolved(allow_upgrade=True), NOW)
    assert found["build"] == {"differs": True, "install": True, "pending": False}
    stopped = {**host, "unit": {"active": "inactive"}}
    assert server_host.vault_server_steps(stopped, DECLARED, NOW)["build"]["install"]


@pytest.mark.parametrize(
    ("method", "file", "version", "differs"),
    [
        ("archive", "", "OpenBao v2.7.2 (9e0a)", False),
        ("archive", "", "OpenBao v2.7.2", False),
        ("archive", "", "OpenBao v2.7.20", True),
        ("archive", "", "OpenBao v2.7.2-rc1", True),
        ("archive", "", "", True),
        ("file", "/files/bao.tar.gz", "OpenBao v2.7.2", False),
        ("file", "/files/bao.zip", "OpenBao v2.7.1", True),
    ],
)
def test_an_archive_is_told_by_the_version(method: str, file: str, version: str, differs: bool) -> None:
    host = {**HOST, "binary": {"exists": True, "version": version, "sha256": ""}}
    wanted = {**DECLARED["wanted"], "install_method": method, "file": file}
    assert server_host._build(host, wanted)["differs"] is differs


def test_a_host_that_cannot_become_what_is_declared() -> None:
    host = {**HOST, "systemd": False, "binary": {"exists": True, "version": "OpenBao v2.8.0+x"}}
    first, second = server_host.vault_server_steps(host, DECLARED, NOW)["problems"]
    assert "does not use" in first
    assert "the host has 2.8.0, and 2.7.2 is older" in second


def test_what_is_resolved_holds_no_secret() -> None:
    found = resolved(
        environment={"A": "hush"},
        audit=[{"path": "h", "type": "http", "options": {"uri": "https://x", "headers": {"A": "hush"}}}],
        seals=[{"type": "static", "static": {"current_key_id": "k", "current_key_file": "/k"}}],
    )
    assert "hush" not in str(found)
    assert {"path": "/etc/openbao/seal/k.key", "src": "/k"} in found["read"]["sources"]


def test_the_configuration_is_known_by_its_digest() -> None:
    text = json.dumps(build(DECLARATION), indent=2, sort_keys=True, separators=(",", ": ")) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert {"path": CONFIG, "sha256": digest} in DECLARED["read"]["sources"]


def test_problems_end_it() -> None:
    assert list(resolved(api_addr="")) == ["problems"]


def test_the_state_is_read_alone_too() -> None:
    config = build(DECLARATION)
    watched = DECLARED["watched"]
    assert server_host.vault_server_state(HOST, config, "openbao", watched)["restart"] is False
    sealed = server_host.vault_server_state({**HOST, "health": 503}, config, "openbao", watched)
    assert sealed["runs"] and sealed["sealed"]
    assert not server_host.vault_server_state({"unit": {"active": "inactive"}}, config, "openbao", watched)["runs"]
    changed = {**config, "ui": True}
    assert server_host.vault_server_state(HOST, changed, "openbao", watched)["restart_reasons"] == ["configuration: ui"]
    with pytest.raises(AnsibleFilterError, match="vault_host_state"):
        server_host.FilterModule().filters()["vault_server_state"]("x", config, "openbao", watched)


def test_fingerprints_tell_values_apart_and_hide_them() -> None:
    listener = [{"tcp": {"address": "x", "custom_response_headers": {"default": {"A": ["b"]}}}}]
    one, other = (
        state.fingerprints({"listener": value})["listener"] for value in (listener, [{"tcp": {"address": "x"}}])
    )
    assert one[0] != other[0] and one[1] == other[1]
    audit = state.fingerprints({"audit": [{"headers": "hush"}]})
    assert audit["audit"] != state.fingerprints({"audit": []})["audit"] and "hush" not in str(audit)


def file_device(path: str, file: str = "/var/log/openbao/audit.log") -> dict[str, Any]:
    """Return an audit device of the inventory."""
    return {"path": path, "type": "file", "options": {"file_path": file}}


ONE, TWO = file_device("one"), file_device("two", "/var/log/openbao/two.log")


@pytest.mark.parametrize(
    ("device", "refused"),
    [
        ([ONE, TWO], []),
        ([TWO, ONE], []),
        ([ONE], []),
        ([TWO], []),
        ([ONE, TWO, file_device("three", "/x/three.log")], []),
        ([file_device("one", "/x/other.log"), TWO], ["one"]),
        ([{**ONE, "description": "other"}, TWO], ["one"]),
        ([{"path": "one", "type": "syslog", "options": {"tag": "x"}}, TWO], ["one"]),
        ([file_device("one", "/x/a.log"), file_device("two", "/x/b.log")], ["one", "two"]),
    ],
)
def test_an_audit_device_is_added_or_removed_and_never_changed(device: list[Any], refused: list[str]) -> None:
    """The server refuses to change one: it goes on with the old ones, and once it is restarted it can never lead."""
    leader = as_declared(resolved(audit=[ONE, TWO]))
    standby = {**leader, "health": 429}
    found = server_host.vault_server_steps(standby, resolved(audit=device), NOW, peers=[standby, leader, {}])
    found = found["problems"]
    assert [re.findall('"(.*?)"', problem)[0] for problem in found] == refused


def test_a_standby_that_waits_with_what_it_will_never_be_given_hinders_no_mend() -> None:
    wrong = {**as_declared(resolved(audit=[file_device("one", "/x/other.log")])), "health": 429}
    leader = as_declared(resolved(audit=[ONE]))
    for peers in ([wrong, leader], [wrong], []):
        assert server_host.vault_server_steps(wrong, resolved(audit=[ONE]), NOW, peers=peers)["problems"] == []


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("==> OpenBao reload triggered", []),
        ('{"@level":"info","@message":"reloading file audit backend","@module":"audit","path":"one/"}', []),
        ('{"@level":"error","@message":"failed to decode incoming command","@module":"storage.raft.raft-net"}', []),
        (
            '{"@level":"error","@message":"failed to set up audit logs on reload","@module":"core","error":"refused"}',
            ["failed to set up audit logs on reload: refused"],
        ),
        ('{"@level":"error","@message":"could not reload config","path":"/x"}', ["could not reload config"]),
        ("2026-11-27T22:47:43.720Z [ERROR] storage.raft.raft-net: failed to decode", []),
        ("2026-11-27T22:47:43.720Z [INFO]  core: post-unseal setup complete", []),
        ('2026-11-27T22:47:43.720Z [ERROR] core: failed to set up: error="no"', ['failed to set up: error="no"']),
        ("2026-11-27T22:47:43.720Z [ERROR] could not reload config: path=/x", ["could not reload config: path=/x"]),
        (
            "Error(s) were encountered during reload: 1 error occurred:",
            ["Error(s) were encountered during reload: 1 error occurred:"],
        ),
        ("7", []),
        ("", []),
    ],
)
def test_a_server_says_in_its_log_that_it_did_not_take_what_it_read(line: str, refused: list[str]) -> None:
    assert server_host.vault_server_reload_refused([line]) == refused
