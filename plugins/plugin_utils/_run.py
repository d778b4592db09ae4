# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""How a process of Ansible finds the broker of its run, or starts it. Light: every worker imports it."""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import multiprocessing
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _broker as broker

#: seconds for the broker to start
PATIENCE = 60
#: what a path of a Unix socket may have in bytes, on the system that allows the least
LONGEST = 100

#: the connection of this process: its number, since a fork must not share it, and the socket
_kept: tuple[int, socket.socket] | None = None
_ends: int | None = None


class NoBroker(Exception):
    """There can be no broker here; its text says why."""


def started(pid: int) -> str:
    """Return when a process started, as text to compare; "" when there is none (any more)."""
    try:
        fields = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return ""
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def main_process() -> tuple[int, str]:
    """Return number and start of the run's main process: the one that forks the workers, or the one we are in."""
    parent = multiprocessing.parent_process()
    pid = parent.pid if parent is not None and parent.pid else os.getpid()
    return pid, started(pid)


def directory(pid: int, start: str) -> str:
    """Return the private directory of a run, made if there is none yet. Raises NoBroker."""
    # containers may share the place and not the numbers of processes
    space = ""
    with suppress(OSError):
        space = str(os.stat("/proc/self/ns/pid").st_ino)
    name = "vault-eso-%s" % hashlib.sha256(("%s %s %s" % (pid, start, space)).encode()).hexdigest()[:16]
    memory = "/dev/shm"  # noqa: S108  # the directory in it is private
    bases = [os.environ.get("XDG_RUNTIME_DIR"), "/run/user/%d" % os.geteuid(), memory, tempfile.gettempdir()]
    for base in bases:
        path = os.path.join(base or "", name)
        if not base or len(os.fsencode(path)) + len(broker.SOCKET) + 5 > LONGEST:
            continue
        with suppress(OSError):
            with suppress(FileExistsError):
                os.mkdir(path, 0o700)
            state = os.lstat(path)
            if stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o077:
                return path
    raise NoBroker("no private directory can be created in XDG_RUNTIME_DIR, /dev/shm or the temporary directory")


@contextmanager
def _alone(path: str) -> Iterator[None]:
    with open(os.path.join(path, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _connect(path: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(os.path.join(path, broker.SOCKET))
        if broker.own_peer(connection):
            return connection
    except (FileNotFoundError, ConnectionRefusedError):
        pass
    connection.close()
    return None


def _start(path: str, main: tuple[int, str]) -> None:
    """Start the broker and wait until it listens. Raises NoBroker."""
    if not sys.executable:
        raise NoBroker("the path of Python is not known")
    here = Path(__file__).absolute().parent
    given = {"path": [one for one in sys.path if one], "collection": str(here.parent.parent), "main": main}
    # a session of its own: what interrupts the run at the terminal must not end it before it has revoked the tokens
    process = subprocess.Popen(
        [sys.executable, str(here / "_broker.py"), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    if process.stdin is None or process.stdout is None:
        raise NoBroker("its process has no pipes")
    with process.stdin, process.stdout, suppress(BrokenPipeError):
        process.stdin.write(json.dumps(given).encode() + b"\n")
        process.stdin.flush()
        if process.stdout.readline() == b"ready\n":
            # it outlives us; nobody waits for it here
            process.returncode = 0
            return
    raise NoBroker("the process that holds logins and values for the run did not start")


def _connection() -> socket.socket:
    """Return this process' connection to the broker, which is started if need be. Raises NoBroker, OSError."""
    global _kept
    if _kept is not None and _kept[0] == os.getpid():
        return _kept[1]
    main = main_process()
    if not main[1] or not hasattr(socket, "AF_UNIX"):
        raise NoBroker("the process of the run is not known")
    path = directory(*main)
    connection = _connect(path)
    if connection is None:
        with _alone(path):
            connection = _connect(path)
            if connection is None:
                _start(path, main)
                connection = _connect(path)
    if connection is None:
        raise NoBroker("the process that holds logins and values for the run cannot be reached")
    _kept = (os.getpid(), connection)
    return connection


def _forget() -> None:
    global _kept
    if _kept is not None and _kept[0] == os.getpid():
        _kept[1].close()
    _kept = None


def _exchange(request: Mapping[str, Any]) -> dict[str, Any]:
    connection = _connection()
    connection.sendall(json.dumps(request).encode() + b"\n")
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b"\n"):
        part = connection.recv(1 << 20)
        if not part:
            raise ConnectionResetError("the broker ended")
        parts.append(part)
    return dict(json.loads(b"".join(parts)))


def _end() -> None:
    """Have the broker end now, and wait for it, where lookups ran in the main process itself."""
    if os.getpid() == _ends and _kept is not None:
        with suppress(Exception):
            _exchange({"what": "end"})


def ask(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the broker's answer. Raises NoBroker."""
    global _ends
    if multiprocessing.parent_process() is None and _ends != os.getpid():
        _ends = os.getpid()
        atexit.register(_end)
    for last in (False, True):
        try:
            return _exchange(request)
        except OSError as error:
            # it was killed: another one is started
            _forget()
            if last:
                raise NoBroker("the process that holds logins and values for the run ended (%s)" % error) from error
    raise AssertionError("unreachable")
