# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports, certificates and processes for servers and proxies that tests start on the loopback interface."""

from __future__ import annotations

import atexit
import datetime
import fcntl
import ipaddress
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@contextmanager
def only_one(what: str) -> Iterator[None]:
    """Let one process of this machine at a time do something that others would do as well."""
    with Path(f"/tmp/vault-eso-test-{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_ports(count: int) -> list[int]:
    """Return TCP ports of the loopback interface that are free at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


#: of folders in memory, before the process that made them
PREFIX = "vault-eso-test-"
MEMORY = Path("/dev/shm")


def data_folder(folder: Path) -> None:
    """Make a folder for the data of a server, in memory where there is room for it.

    A server waits for the disk at each write; in memory that takes half the processor time and a third of the time.
    It ends with this process; what killed processes left is removed.
    """
    try:
        room = shutil.disk_usage(MEMORY).free
    except OSError:
        room = 0
    if room < 2**30 or not os.access(MEMORY, os.W_OK):
        folder.mkdir()
        return
    for left in MEMORY.glob(f"{PREFIX}*"):
        if not Path("/proc", left.name[len(PREFIX) :].partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    atexit.register(_forget_data)
    folder.symlink_to(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=MEMORY))


def _forget_data() -> None:
    # by the number of the process: a fork of it must not remove what it has not made
    for one in MEMORY.glob(f"{PREFIX}{os.getpid()}-*"):
        shutil.rmtree(one, ignore_errors=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def wait_for(
    what: str, check: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float = 60
) -> None:
    """Wait until ``check`` is true.

    Raises RuntimeError with the end of the log when the process ends before, or when the time is over.
    """
    deadline = time.monotonic() + seconds
    while not check():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            state = f"ended with {process.returncode}" if process.poll() is not None else f"not ready after {seconds} s"
            raise RuntimeError(f"{what}: {state}\n{tail}")
        time.sleep(0.05)


def stop(process: subprocess.Popen[bytes], seconds: float = 10) -> None:
    """End a process politely, then not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Pair:
    """A certificate and its key, as files."""

    cert: Path
    key: Path


class Authority:
    """A private CA in a folder: ``ca`` is its certificate file."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        self._cert = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(self._cert.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: tuple[float, float] = (-0.01, 2)
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def issue(
        self, name: str, organization: str = "", common_name: str = "", days: tuple[float, float] = (-0.01, 2)
    ) -> Pair:
        """Issue a certificate for servers on the loopback interface and for clients, as NAME.crt and NAME.key.

        ``days``: from when until when it is valid, counted from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name or name)]
        if organization:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        names: list[x509.GeneralName] = [
            x509.DNSName("localhost"),
            x509.DNSName("kubernetes.default.svc"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        cert = (
            self._builder(x509.Name(parts), key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        pair.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        write_private(pair.key, private_pem(key))
        return pair


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM, in the form that Go's servers and OpenSSL both read."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


@contextmanager
def connect_proxy(*, cuts: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Be a proxy for TLS (method CONNECT); gives its URL and the list of the targets that were asked for.

    One that ``cuts`` says that the way is open, and closes the connection.
    """
    targets: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def serve() -> None:
        while True:
            try:
                caller, _address = listener.accept()
            except OSError:
                return
            head = b""
            while b"\r\n\r\n" not in head:
                head += caller.recv(4096)
            targets.append(head.split()[1].decode())
            if cuts:
                caller.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                caller.close()
                continue
            host, port = targets[-1].rsplit(":", 1)
            upstream = socket.create_connection((host, int(port)))
            caller.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for pair in ((caller, upstream), (upstream, caller)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield "http://127.0.0.1:%d" % listener.getsockname()[1], targets
    finally:
        listener.close()
