# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A server for a moment, in a network namespace of its own: it reaches nothing, and nothing reaches it.

A server that is put back to a snapshot revokes the leases that have expired since, at the databases and clouds that
gave them. Those must never hear of a drill.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ..._engine.errors import InvalidInput, SecretopsError
from .. import products
from ..connection.client import Client
from ..connection.errors import Unreachable, VaultError
from .generated_root import decoded
from .status import PAUSE, is_active, seal_status

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1
URL = "http://127.0.0.1:8200"


class NotCutOff(InvalidInput):
    """This machine gives no network namespace."""


def find_binary(named: str | None) -> str:
    """Return the path of a server's program. Raises InvalidInput when there is none."""
    for name in [named] if named else ["bao", "vault"]:
        path = shutil.which(os.path.expanduser(name))
        if path:
            return path
    raise InvalidInput(
        "%s is not a program that can be run" % named if named else "neither bao nor vault is in the PATH",
        'option "binary"',
        "name the program of the servers' version by it",
    )


def describe(binary: str) -> dict[str, str]:
    """Return product and version as the program tells them. Raises InvalidInput."""
    try:
        # with a limit of time, which run_command does not have
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            [binary, "version"], capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidInput("%s does not run (%s)" % (binary, type(error).__name__), 'option "binary"') from error
    match = re.search(r"(OpenBao|Vault) v(\d+\.\d+\.\d+)", done.stdout)
    if match is None:
        raise InvalidInput("%s is no server of Vault or OpenBao" % binary, 'option "binary"')
    return {"product": products.OPENBAO if match[1] == "OpenBao" else products.VAULT, "version": match[2]}


def _cut_off() -> None:
    """Move this process, which must have one thread, into a network namespace in which only the loopback is up."""
    library = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNET if user == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if library.unshare(flags):
        raise NotCutOff(
            "the scratch server cannot be cut off from the network here (%s)" % os.strerror(ctypes.get_errno()),
            remedy="hold the drill as root, or on a machine that allows user namespaces; nothing was started",
        )
    if flags & CLONE_NEWUSER:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", "%d %d 1" % (user, user)),
            ("gid_map", "%d %d 1" % (group, group)),
        ):
            with open("/proc/self/%s" % name, "w", encoding="ascii") as file:
                file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def isolated(work: Callable[[str], Any], seconds: float, where: str = "") -> Any:
    """Run ``work`` in a child process that is cut off from the network, and return what it returns, as JSON takes it.

    ``work`` is given a private directory, made in ``where``. That ends with the child, and so does whatever the child
    started. Raises what ``work`` raises, and SecretopsError when it takes longer than ``seconds`` or ends without an
    answer.
    """
    folder = tempfile.mkdtemp(prefix="vault-drill-", dir=where or None)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            os.setsid()
            try:
                _cut_off()
                answer: tuple[str, Any] = ("done", work(folder))
            except SecretopsError as error:
                answer = ("failed", (error.what, error.where, error.remedy))
            except BaseException as error:  # noqa: BLE001  (the parent tells it)
                answer = ("failed", ("the drill broke off (%s)" % type(error).__name__, "", ""))
            # nobody else does it where the parent was killed
            shutil.rmtree(folder, ignore_errors=True)
            with os.fdopen(writing, "w", encoding="utf-8") as pipe:
                json.dump(answer, pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    try:
        return _answer(reading, seconds)
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(child, number)
            except ProcessLookupError:
                break
            time.sleep(0.2)
        os.waitpid(child, 0)
        shutil.rmtree(folder, ignore_errors=True)


def _answer(reading: int, seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    content = b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while True:
            ready, _none, _nothing = select.select([pipe], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise SecretopsError(
                    "did not end within %d seconds" % seconds, remedy='give it longer by "wait_timeout"'
                )
            piece = pipe.read(1 << 16)
            if not piece:
                break
            content += piece
    if not content:
        raise SecretopsError("ended without an answer", remedy="look at the machine's memory and disk")
    kind, value = json.loads(content)
    if kind == "failed":
        raise SecretopsError(value[0], value[1], value[2])
    return value


class Scratch:
    """One server with raft storage in a private directory. Only in a process that is cut off."""

    def __init__(self, binary: str, product: str, folder: str) -> None:
        self.folder = folder
        self.binary = binary
        os.mkdir(os.path.join(self.folder, "data"), 0o700)
        listener = {"address": "127.0.0.1:8200", "cluster_address": "127.0.0.1:8201", "tls_disable": True}
        configuration: dict[str, Any] = {
            "api_addr": URL,
            "cluster_addr": "https://127.0.0.1:8201",
            "storage": {
                "raft": {"path": os.path.join(self.folder, "data"), "node_id": "drill", "performance_multiplier": 1}
            },
        }
        if product == products.VAULT:
            configuration["disable_mlock"] = True
        else:
            listener["disable_unauthed_generate_root_endpoints"] = False
        configuration["listener"] = {"tcp": listener}
        with open(os.path.join(self.folder, "server.json"), "w", encoding="utf-8") as file:
            json.dump(configuration, file)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float) -> None:
        """Start the process, and wait until it answers. Raises SecretopsError."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "HOME", "TMPDIR")}
        with open(os.path.join(self.folder, "log"), "ab") as log:
            # it goes on while it is asked, which run_command does not let it
            self.process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                [self.binary, "server", "-config=%s" % os.path.join(self.folder, "server.json")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=kept,
            )
        deadline = time.monotonic() + seconds
        while True:
            try:
                seal_status(self.client(), URL, retries=0)
                return
            except (Unreachable, VaultError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SecretopsError(
                        "the scratch server did not start", self.binary, "run it by hand: does this machine take it?"
                    ) from None
            time.sleep(PAUSE)

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def client(self, token: str | None = None) -> Client:
        """Return a client for it."""
        return Client([URL], token=token, timeout=30, retries=0)

    def _ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self.client().request("PUT", path, body, idempotent=False, authenticated=False) or {}

    def initialise(self) -> str:
        """Initialise it with one share, unseal it, and return its root token."""
        answer = self._ask("sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.unseal(answer["keys_base64"])
        return str(answer["root_token"])

    def unseal(self, shares: Sequence[str]) -> bool:
        """Give as many shares as it needs; tell whether it is open. Raises VaultError."""
        needed = int(seal_status(self.client(), URL).get("t") or 1)
        for share in shares[:needed]:
            self._ask("sys/unseal", {"key": share})
        return not seal_status(self.client(), URL).get("sealed", True)

    def forget_shares(self) -> None:
        """Drop the shares that were given and did not open it."""
        self._ask("sys/unseal", {"reset": True})

    def wait_active(self, seconds: float) -> bool:
        """Wait until it serves; False when it did not in time."""
        deadline = time.monotonic() + seconds
        client = self.client()
        while time.monotonic() < deadline:
            if is_active(client.health(URL)):
                return True
            time.sleep(PAUSE)
        return False

    def root_token(self, shares: Sequence[str]) -> str:
        """Generate a root token by key shares: it ends with the server. Raises VaultError."""
        begun = self._ask("sys/generate-root/attempt", {})
        answer: Mapping[str, Any] = {}
        for share in shares[: int(begun["required"])]:
            answer = self._ask("sys/generate-root/update", {"key": share, "nonce": begun["nonce"]})
        encoded = str(answer.get("encoded_token") or answer.get("encoded_root_token") or "")
        return decoded(encoded, str(begun["otp"]))
