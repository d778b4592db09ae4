# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of running servers: what cannot serve is refused, and what is presented is looked at."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.system import Lab, Play
from support.traffic import Traffic

SERVERS = "playbooks/vault.yml"
BOOK = "playbooks/replace_ca.yml"
TLS = "/etc/openbao/tls"


def presented(lab: Lab, host: str) -> str:
    """The certificate that a server presents, seen from here."""
    return ssl.get_server_certificate((lab.facts["hosts"][host]["address"], 8200), timeout=10)


def issue(lab: Lab, folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate of the lab's CA for a host, and its key."""
    address = lab.facts["hosts"][host]["address"]
    authority = lab.ca_cert.parent
    key, request, certificate = (folder / f"{host}.{end}" for end in ("key", "csr", "crt"))
    extensions = folder / "extensions"
    extensions.write_text(f"subjectAltName=IP:{address},IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    new = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x"]
    subprocess.run([*new, "-keyout", key, "-out", request], check=True, capture_output=True)
    sign = ["openssl", "x509", "-req", "-in", request, "-CA", authority / "ca.crt", "-CAkey", authority / "ca.key"]
    subprocess.run(
        [*sign, "-out", certificate, "-extfile", extensions, "-days", "5"],
        check=True,
        capture_output=True,
    )
    return certificate, key


def present(lab: Lab, host: str, certificate: Path, key: Path) -> None:
    """Have a server present a certificate."""
    for file, end in ((certificate, "crt"), (key, "key")):
        text = base64.b64encode(file.read_bytes()).decode()
        lab.ssh(host, f"echo {text} | base64 -d > {TLS}/server.{end}")
    lab.ssh(host, "systemctl reload openbao")


def test_a_certificate_and_a_key_of_two_pairs_are_refused(
    lab: Lab, tmp_path: Path, declared: Callable[..., tuple[str, str]], converged: None
) -> None:
    before = {host: presented(lab, host) for host in lab.urls}
    certificate, _key = issue(lab, tmp_path, "vault-1")
    _certificate, key = issue(lab, tmp_path, "vault-2")
    provided = {"vault_server_tls_mode": "provided", "vault_server_tls_ca_src": str(lab.ca_cert)}
    files = {"vault_server_tls_cert_src": str(certificate), "vault_server_tls_key_src": str(key)}
    for options in (("--check",), ()):
        play = lab.play(SERVERS, *declared(**provided, **files), "--limit", "vault-1", *options)
        assert play.rc and play.changed == 0 and "does not belong to the first certificate" in play.output
    # a pair that is one, but for another server
    own = {"vault_server_tls_cert_src": str(certificate), "vault_server_tls_key_src": str(tmp_path / "vault-1.key")}
    play = lab.play(SERVERS, *declared(**provided, **own), "--limit", "vault-2")
    assert play.rc and play.changed == 0 and "it is not for" in play.output
    assert {host: presented(lab, host) for host in lab.urls} == before
    # its own pair is taken, and presented
    play = lab.play(SERVERS, *declared(**provided, **own), "--limit", "vault-1").succeeded()
    assert presented(lab, "vault-1") != before["vault-1"]


@pytest.mark.parametrize("limit", ["", "vault-2"])
def test_a_controller_without_the_ca_makes_no_new_one(lab: Lab, tmp_path: Path, limit: str) -> None:
    before = {host: presented(lab, host) for host in lab.urls}
    authority = lab.ca_cert.parent
    kept = tmp_path / "kept"
    shutil.move(authority, kept)
    try:
        if limit:
            # a host that has no certificate of its own yet asks the others
            lab.ssh(limit, f"sudo mv {TLS}/server.crt {TLS}/away")
        for options in (["--check"], []):
            play = lab.play(SERVERS, *options, *(["--limit", limit] if limit else []))
            assert play.rc and "holds no CA on this controller" in play.output, play.output[-3000:]
            # neither a server that has a certificate nor one that has none goes on
            assert not play.changed_tasks()
            assert not authority.exists()
    finally:
        shutil.move(kept, authority)
        if limit:
            lab.ssh(limit, f"sudo mv {TLS}/away {TLS}/server.crt")
    assert {host: presented(lab, host) for host in lab.urls} == before


def test_a_server_that_presents_another_certificate_than_its_file_is_reloaded(lab: Lab, tmp_path: Path) -> None:
    host = "vault-3"
    before = presented(lab, host)
    lab.ssh(host, f"cp -a {TLS} {TLS}.kept")
    present(lab, host, *issue(lab, tmp_path, host))
    assert presented(lab, host) != before
    # back with their dates: no file is newer than what the server read
    lab.ssh(host, f"cp -a {TLS}.kept/. {TLS} && rm -r {TLS}.kept")
    lab.play(SERVERS, "--tags", "servers").succeeded()
    assert presented(lab, host) == before
    assert lab.play(SERVERS, "--tags", "servers").succeeded().changed == 0


def dated(lab: Lab, certificate: Path, *hours: float) -> None:
    """Sign a certificate anew with other dates, from and until, in hours from now."""
    authority = lab.ca_cert.parent
    key = serialization.load_pem_private_key((authority / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    old = x509.load_pem_x509_certificate(certificate.read_bytes())
    begin, end = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=one) for one in hours)
    builder = x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer).public_key(old.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize(
    ("hours", "reason"),
    [
        ((-24, -0.01), "it, or one of its issuers, has expired"),
        # as one that was signed where the clock is an hour ahead; the hosts of the lab share one clock
        ((1, 2000), "it, or one of its issuers, is not yet valid by the clock of this host"),
    ],
)
def test_a_certificate_out_of_its_time_is_renewed_and_no_node_restarted(
    lab: Lab, tmp_path: Path, canary: Callable[[], None], hours: tuple[float, float], reason: str
) -> None:
    host = "vault-2"
    certificate, key = issue(lab, tmp_path, host)
    dated(lab, certificate, *hours)
    present(lab, host, certificate, key)
    process = lab.ssh(host, "systemctl show openbao -P MainPID")
    assert lab.health(lab.urls[host]) is None
    play = lab.play("playbooks/rolling.yml", "--check").succeeded()
    said = " ".join(play.output.split())
    assert f"{host}: clients refuse the server" in said and reason in said
    assert lab.health(lab.urls[host]) is None
    # logged in, looked at and rolled while one of three is not trusted
    lab.play("playbooks/rolling.yml").succeeded()
    assert (lab.health(lab.urls[host]) or {}).get("sealed") is False
    assert lab.ssh(host, "systemctl show openbao -P MainPID") == process
    canary()


def test_a_ca_is_replaced_while_clients_of_both_work(lab: Lab, tmp_path: Path, traffic: Callable[[], Traffic]) -> None:
    """The three steps, two of them cut. The client of the traffic trusts what ca.crt holds."""
    authority = lab.ca_cert.parent
    old, both = tmp_path / "old.crt", tmp_path / "both.crt"
    old.write_bytes(lab.ca_cert.read_bytes())
    before = {host: presented(lab, host) for host in lab.urls}

    def step(name: str, *options: str) -> Play:
        return lab.play(BOOK, "-e", f"replace_ca_step={name}", *(options or ("-e", "replace_ca_confirmed=vault")))

    def trusts(ca: Path) -> list[str]:
        """The hosts whose certificate a client takes that trusts these CAs."""
        taken = []
        for host, url in lab.urls.items():
            with contextlib.suppress(requests.exceptions.SSLError):
                requests.get(f"{url}/v1/sys/health", verify=str(ca), timeout=10)
                taken.append(host)
        return taken

    # out of turn, without its name, of a part of the cluster: refused, and nothing changed
    for play in (
        step("sign"),
        step("trust", "-e", "replace_ca_confirmed=true"),
        step("trust", "-e", "replace_ca_confirmed=vault", "--limit", "vault-1,vault"),
    ):
        assert play.rc and play.changed == 0, play.output[-3000:]
    assert "a new CA is made in" in " ".join(step("trust", "--check").succeeded().output.split())
    assert not (authority / "next").exists()

    # cut after the new CA was made, then whole
    (authority / "next").mkdir(mode=0o700)
    (authority / "next" / "ca.key").write_bytes(
        subprocess.check_output(["openssl", "ecparam", "-genkey", "-noout", "-name", "secp384r1"])
    )
    step("trust").succeeded()
    both.write_bytes(lab.ca_cert.read_bytes())
    new = tmp_path / "new.crt"
    new.write_bytes((authority / "next" / "ca.crt").read_bytes())
    assert {host: presented(lab, host) for host in lab.urls} == before
    assert trusts(old) == trusts(both) == list(lab.urls) and trusts(new) == []
    store = json.loads(lab.kubectl("get", "clustersecretstore", "vault", "-o", "json"))
    assert base64.b64decode(store["spec"]["provider"]["vault"]["caBundle"]).decode().strip() == both.read_text().strip()
    # the overlap may last: everything is as declared meanwhile
    assert lab.play("playbooks/site.yml").succeeded().changed == 0

    # cut between the certificate and the key of the CA that signs
    (authority / "former").mkdir(mode=0o700)
    shutil.copy(authority / "ca.key", authority / "former" / "ca.key")
    shutil.copy(old, authority / "former" / "ca.crt")
    lab.ca_cert.write_text(new.read_text() + old.read_text())
    play = lab.play(SERVERS, "--check")
    assert play.rc and "replace_ca_step=sign" in " ".join(play.output.split())
    with traffic() as client:
        step("sign").succeeded()
        assert step("sign").succeeded().changed == 0
    client.nothing_lost()
    assert trusts(new) == trusts(both) == list(lab.urls) and trusts(old) == []
    assert all(presented(lab, host) != before[host] for host in lab.urls)

    # the operator still trusts the servers, and nobody trusts the old CA at the end
    step("drop").succeeded()
    assert lab.ca_cert.read_text().strip() == new.read_text().strip()
    assert {lab.ssh(host, f"sudo cat {TLS}/ca.crt").strip() for host in lab.urls} == {new.read_text().strip()}
    assert step("drop").succeeded().changed == 0
    assert lab.play("playbooks/site.yml").succeeded().changed == 0
    store = json.loads(lab.kubectl("get", "clustersecretstore", "vault", "-o", "json"))
    assert base64.b64decode(store["spec"]["provider"]["vault"]["caBundle"]).decode().strip() == new.read_text().strip()
