# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate files are tried as a client would, by real keys and OpenSSL itself."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state, tls
from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _server_certificate as server_certificate
from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _server_declared as server_declared

DAY = datetime.timedelta(days=1)


@dataclass
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def key_pem(self, passphrase: bytes = b"") -> str:
        hidden = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, hidden).decode()


def issue(name: str, issuer: Issued | None = None, ca: bool = False, since: int = -1, until: int = 30) -> Issued:
    """Return a certificate for a name, or a CA; ``since`` and ``until`` are days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    try:
        san: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        san = x509.DNSName(name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + since * DAY)
        .not_valid_after(now + until * DAY)
        .add_extension(x509.BasicConstraints(ca, None), True)
    )
    if not ca:
        builder = builder.add_extension(x509.SubjectAlternativeName([san]), False)
    return Issued(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


ROOT = issue("Root", ca=True)
MIDDLE = issue("Middle", ROOT, ca=True)
LEAF = issue("192.0.2.1", MIDDLE)
WANTED = {
    "tls_mode": "provided",
    "tls_on_node": False,
    "tls_cert_src": "/c",
    "tls_key_src": "/k",
    "tls_ca_src": "/a",
    "tls_ca_dir": "",
}


def problems(
    folder: Path, chain: str, key: str, ca: str = ROOT.pem, names: tuple[str, ...] = ("192.0.2.1",)
) -> list[str]:
    """Return what the role says of a provided certificate."""
    for name, text in (("c", chain), ("k", key), ("a", ca)):
        (folder / name).write_text(text)
    found = tls.examine(str(folder / "c"), str(folder / "k"), names=names, ca=str(folder / "a") if ca else "")
    assert "PRIVATE" not in str(found)
    return server_certificate.tls_problems({"provided": found}, WANTED, {})


@pytest.mark.parametrize(
    ("chain", "ca"), [(LEAF.pem + MIDDLE.pem, ROOT.pem), (LEAF.pem + MIDDLE.pem + ROOT.pem, ROOT.pem), (LEAF.pem, "")]
)
def test_a_good_certificate_is_accepted(tmp_path: Path, chain: str, ca: str) -> None:
    assert problems(tmp_path, chain, LEAF.key_pem(), ca) == []
    # a key in the certificate's file is no certificate
    assert problems(tmp_path, LEAF.key_pem() + chain, LEAF.key_pem(), ca) == []


@pytest.mark.parametrize(
    ("chain", "key", "ca", "names", "says"),
    [
        (LEAF.pem + MIDDLE.pem, MIDDLE.key_pem(), ROOT.pem, ("192.0.2.1",), "does not belong to the first certificate"),
        (MIDDLE.pem + LEAF.pem, LEAF.key_pem(), ROOT.pem, ("192.0.2.1",), "the server's own certificate first"),
        (LEAF.pem, LEAF.key_pem(b"hush"), "", ("192.0.2.1",), "the key is encrypted"),
        (LEAF.pem, "nonsense", "", ("192.0.2.1",), "holds no private key"),
        ("nonsense", LEAF.key_pem(), "", ("192.0.2.1",), "holds no certificate in PEM"),
        (LEAF.pem, LEAF.key_pem(), ROOT.pem, ("192.0.2.1",), "find no way from it to a CA"),
        (LEAF.pem + MIDDLE.pem, LEAF.key_pem(), issue("X", ca=True).pem, ("192.0.2.1",), "find no way from it to a CA"),
        (LEAF.pem + MIDDLE.pem, LEAF.key_pem(), ROOT.pem, ("192.0.2.1", "v.example.com"), "not for v.example.com, by"),
        (LEAF.pem + MIDDLE.pem, LEAF.key_pem(), ROOT.pem, ("192.0.2.2",), "not for 192.0.2.2, by"),
        (LEAF.pem, LEAF.key_pem(), "", ("192.0.2.2",), "not for 192.0.2.2, by"),
        (LEAF.pem + MIDDLE.pem, LEAF.key_pem(), "nonsense", ("192.0.2.1",), "clients refuse it"),
    ],
)
def test_a_certificate_that_cannot_serve_is_refused(
    tmp_path: Path, chain: str, key: str, ca: str, names: tuple[str, ...], says: str
) -> None:
    (found,) = problems(tmp_path, chain, key, ca, names)
    assert says in found, found


def test_dates_are_told_as_what_they_are(tmp_path: Path) -> None:
    over, early = issue("192.0.2.1", ROOT, since=-9, until=-2), issue("192.0.2.1", ROOT, since=2)
    for ca in (ROOT.pem, ""):
        assert "has expired (valid from 2" in problems(tmp_path, over.pem, over.key_pem(), ca)[0]
        assert "not yet valid (valid from 2" in problems(tmp_path, early.pem, early.key_pem(), ca)[0]
    assert len(problems(tmp_path, over.pem, over.key_pem(), names=("192.0.2.1", "localhost"))) == 2
    issuer = issue("Old", ROOT, ca=True, since=-9, until=-2)
    leaf = issue("192.0.2.1", issuer)
    assert "one of its issuers, has expired" in problems(tmp_path, leaf.pem + issuer.pem, leaf.key_pem())[0]


def test_what_a_server_presents_is_compared_with_its_file(tmp_path: Path) -> None:
    over = issue("127.0.0.1", MIDDLE, since=-9, until=-2)
    (tmp_path / "c").write_text(over.pem + MIDDLE.pem)
    (tmp_path / "k").write_text(over.key_pem())
    (tmp_path / "a").write_text(ROOT.pem)
    (tmp_path / "other").write_text(MIDDLE.pem)
    context, _wrong = tls.pair(str(tmp_path / "c"), str(tmp_path / "k"))
    assert context is not None
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _connection in range(4):
                connection, _address = server.accept()
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    continue

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = "https://127.0.0.1:%d" % server.getsockname()[1]
        assert not tls.serves_another(url, str(tmp_path / "c"), 5)
        assert tls.serves_another(url, str(tmp_path / "other"), 5)
        assert ssl.PEM_cert_to_DER_cert(tls.of_servers([url], 5)[url]) == ssl.PEM_cert_to_DER_cert(over.pem)
        assert state.health(url, str(tmp_path / "a"), 5)["refused"]["code"] == 10
        thread.join(10)
    # where there is no answer, or no file, nothing is known
    assert not tls.serves_another(url, str(tmp_path / "c"), 5) and tls.of_servers([url], 5) == {}
    assert not tls.serves_another(url, str(tmp_path / "missing"), 5)


@pytest.mark.parametrize(
    ("listener", "found"),
    [
        ({"address": "0.0.0.0:8200"}, "https://127.0.0.1:8200"),
        ({"address": "[::]:8300"}, "https://[::1]:8300"),
        ({"address": "192.0.2.1:8200"}, "https://192.0.2.1:8200"),
        ({"address": "{{ GetPrivateIP }}:8200"}, ""),
        ({"address": "0.0.0.0:8200", "tls_disable": True}, ""),
        ({"address": "0.0.0.0:8200", "tls_acme_domains": ["x"]}, ""),
        ({"address": "0.0.0.0:8200", "proxy_protocol_behavior": "use_always"}, ""),
        ({"address": "/run/x.sock"}, ""),
        ({}, ""),
    ],
)
def test_a_listener_is_asked_where_it_listens(listener: dict[str, Any], found: str) -> None:
    assert server_declared._listens(listener) == found
