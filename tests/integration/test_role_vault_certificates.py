# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role vault_certificates, by its playbook: the server of the test is the service whose pair is kept valid."""

from __future__ import annotations

import signal
import socket
import ssl
import stat
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from cryptography import x509

from support.local import Authority, write_private
from support.openbao import VaultServer
from support.playbooks import inventory_of, play
from support.system import Play

Start = Callable[..., VaultServer]


class Host:
    """This machine as a host with key pairs; what it must never print are the keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pairs: dict[str, dict[str, Any]] = {}
        self.variables: dict[str, Any] = {}

    def play(self, *options: str) -> Play:
        """Run the playbook; a failed run is an outcome too."""
        declared = {
            "ansible_become": False,
            "vault_certificates_pairs": [{"name": name, **pair} for name, pair in self.pairs.items()],
            "vault_certificates_timeout": 2,
            **self.variables,
        }
        done = play("certificates", inventory_of(self.folder, all={"web": declared}), "-v", *options)
        assert "PRIVATE KEY" not in done.output
        return done


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def contents(*paths: Path) -> list[bytes]:
    return [path.read_bytes() for path in paths]


def presented(server: VaultServer) -> str:
    return ssl.get_server_certificate(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix in (".vault-new", ".vault-old")}


def test_a_server_gets_its_pair_from_its_own_pki(new_server: Start, host: Host, tmp_path: Path) -> None:
    server = new_server()
    client = server.client()
    client.sys.enable_secrets_engine("pki", config={"max_lease_ttl": "9000h"})
    client.secrets.pki.generate_root("internal", "own CA", extra_params={"ttl": "8000h"})
    client.secrets.pki.create_or_update_role("servers", {"allow_any_name": True, "max_ttl": "4000h", "ttl": "2400h"})
    write_private(tmp_path / "token", server.token.encode())
    tls = server.folder / "tls"
    cert, key, ca = tls / "server.crt", tls / "server.key", tls / "pki.crt"
    assert server.process is not None
    pair = host.pairs["vault"] = {
        "source": "pki",
        "role": "servers",
        "key_type": "rsa",
        "cert_file": str(cert),
        "key_file": str(key),
        "ca_file": str(ca),
        # an address, which the engine would write as a host name too
        "common_name": "127.0.0.1",
        "sans": ["localhost"],
        "url": server.url,
        "reload_command": ["kill", "-HUP", str(server.process.pid)],
    }
    host.variables["vault_certificates_connection"] = {
        "url": server.url,
        "ca_cert": str(tmp_path / "both.crt"),
        "token_file": str(tmp_path / "token"),
    }
    root = client.secrets.pki.read_ca_certificate()
    # as in the overlap of two CAs: the controller trusts both
    (tmp_path / "both.crt").write_text(Path(server.ca_cert).read_text() + root + "\n")
    before, old = contents(cert, key), presented(server)

    done = host.play("--check").succeeded()
    assert "vault would be renewed" in done.output and contents(cert, key) == before

    # what clients would refuse takes no place: a validity so short that the next run had to renew it
    host.pairs["vault"] = {**pair, "renew_before": "3000h"}
    done = host.play()
    assert done.rc and "it ends soon" in done.output and contents(cert, key) == before and left(tls) == set()

    # a service that does not present it: the former pair comes back
    host.pairs["vault"] = {**pair, "reload_command": ["true"]}
    done = host.play()
    assert done.rc and "the pair before it is in its place again" in " ".join(done.output.split()), done.output[-3000:]
    assert contents(cert, key) == before and left(tls) == set()

    host.pairs["vault"] = pair
    assert "web: vault renewed." in host.play().succeeded().output
    # seen by a client that trusts the PKI alone
    assert contents(cert, key) != before and presented(server) != old
    context = ssl.create_default_context(cadata=root)
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))), server_hostname="localhost"
    ) as wrapped:
        assert wrapped.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(presented(server))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and ca.read_text().strip() == root.strip()
    assert left(tls) == set() and host.play().succeeded().changed == 0

    # cut after the files were replaced: the service presents another one, and is told to read it
    new = contents(cert, key)
    cert.write_bytes(before[0])
    key.write_bytes(before[1])
    server.process.send_signal(signal.SIGHUP)
    for _attempt in range(300):
        if presented(server) == old:
            break
        time.sleep(0.1)
    cert.write_bytes(new[0])
    key.write_bytes(new[1])
    # the key of before is still beside it
    (tls / "server.key.vault-old").write_bytes(before[1])
    assert host.play().succeeded().changed_tasks() == [
        "Run the declared command to reload",
        "Remove the copies that a cut run left",
    ]
    assert presented(server).strip() in cert.read_text() and left(tls) == set()


def test_pairs_from_files_and_from_a_private_ca(host: Host, tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "source", "source"), Authority(tmp_path / "other", "other")
    given = authority.issue("web", days=(-1, 20))
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    for words in (
        ["ecparam", "-genkey", "-noout", "-name", "secp384r1", "-out", str(mine / "ca.key")],
        [
            "req",
            "-x509",
            "-new",
            "-key",
            str(mine / "ca.key"),
            "-subj",
            "/CN=mine",
            "-days",
            "900",
            "-out",
            str(mine / "ca.crt"),
        ],
    ):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    at = tmp_path / "host"
    files = {"cert_file": str(at / "web.crt"), "key_file": str(at / "web.key"), "ca_file": str(at / "web-ca.crt")}
    host.pairs["web"] = {
        **files,
        "source": "files",
        "cert_src": str(given.cert),
        "key_src": str(given.key),
        "ca_src": str(authority.ca),
        "sans": ["localhost"],
        "key_mode": "0640",
    }
    host.pairs["own"] = {
        "source": "ca",
        "ca_dir": str(mine),
        "days": 100,
        "renew_before": "30d",
        "cert_file": str(at / "own" / "own.crt"),
        "key_file": str(at / "own" / "own.key"),
        "ca_file": str(at / "own" / "ca.crt"),
        "common_name": "own.example.com",
        "sans": ["192.0.2.1"],
    }
    # a source that would not do is refused for all of them, and nothing is there
    right = host.pairs["web"]
    host.pairs["web"] = {**right, "cert_src": str(other.issue("web").cert)}
    done = host.play()
    assert done.rc and "does not belong to the first certificate" in " ".join(done.output.split())
    assert not at.exists()
    host.pairs["web"] = right

    host.play().succeeded()
    assert (at / "web.key").read_bytes() == given.key.read_bytes()
    assert stat.S_IMODE((at / "web.key").stat().st_mode) == 0o640
    made = x509.load_pem_x509_certificate((at / "own" / "own.crt").read_bytes())
    issuer = x509.load_pem_x509_certificate((mine / "ca.crt").read_bytes())
    made.verify_directly_issued_by(issuer)

    # another mode alone is no reason for another certificate, and the rest stays as it is
    (at / "own" / "own.key").chmod(0o644)
    assert host.play().succeeded().changed_tasks() == ["Give the files their owner and mode"]
    assert stat.S_IMODE((at / "own" / "own.key").stat().st_mode) == 0o600
    # a renewed source is copied, and a certificate that ends soon is made anew, with another key
    again, key = authority.issue("web"), (at / "own" / "own.key").read_bytes()
    host.pairs["own"] = {**host.pairs["own"], "days": 400, "renew_before": "200d"}
    host.play().succeeded()
    assert (at / "web.key").read_bytes() == again.key.read_bytes()
    assert (at / "own" / "own.key").read_bytes() != key
    assert left(at) == left(at / "own") == set()
