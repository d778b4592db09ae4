# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The broker of one run: a process that holds logins and values for all of the run's lookups, in memory only.

Ansible evaluates templates in a new process for each task and host, and what one has read is lost with it. So the first
lookup of a run starts this process (see `run.ask`), and all of them ask it over a Unix socket in a private directory.
It ends with the process of ansible-playbook, however that ends, and revokes its tokens then.

`python _broker.py DIRECTORY`; on its standard input one line of JSON: ``path`` (of Python), ``collection`` (a folder),
``main`` (process ID and start of the process to outlive).
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
import threading
import time
import types
from contextlib import suppress
from typing import Any, Callable

#: seconds between two looks at what is due
TICK = 1.0
#: the same where the system does not tell when a process ends
POLL = 0.2
SOCKET = "socket"


def own_peer(connection: socket.socket) -> bool:
    """Tell whether the other side of a Unix socket is a process of the same user."""
    if not hasattr(socket, "SO_PEERCRED"):
        # the directory lets nobody else in
        return True
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", raw)[1] == os.geteuid())


class Watch:
    """The process of the run."""

    def __init__(self, pid: int, start: str, started: Callable[[int], str]) -> None:
        self.pid = pid
        self.start = start
        self._started = started
        self.handle: int | None = None
        with suppress(AttributeError, OSError):
            self.handle = os.pidfd_open(pid)

    def alive(self) -> bool:
        """Tell whether it still runs; another process may have its number."""
        return self._started(self.pid) == self.start


class Server:
    """Accepts connections until the run is over."""

    def __init__(self, directory: str, service: Any, watch: Watch) -> None:
        self.directory = directory
        self.service = service
        self.watch = watch
        self.over = threading.Event()
        path = os.path.join(directory, SOCKET)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with suppress(FileNotFoundError):
            os.unlink(path + ".new")
        self.listener.bind(path + ".new")
        self.listener.listen(512)
        # whoever finds it can connect
        os.rename(path + ".new", path)

    def serve(self) -> None:
        """Answer until the run ends."""
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        if self.watch.handle is not None:
            poll.register(self.watch.handle, select.POLLIN)
        due = time.monotonic() + TICK
        while not self.over.is_set() and self.watch.alive():
            ready = {number for number, _event in poll.poll((TICK if self.watch.handle is not None else POLL) * 1000)}
            if self.watch.handle in ready:
                break
            if self.listener.fileno() in ready:
                connection, _address = self.listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()
            if time.monotonic() >= due:
                threading.Thread(target=self.service.renew, daemon=True).start()
                due = time.monotonic() + TICK

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):
            if not own_peer(connection):
                return
            with connection.makefile("rb") as lines:
                for line in lines:
                    request = json.loads(line)
                    if request.get("what") == "end":
                        self.end()
                        connection.sendall(b'{"value": null}\n')
                        self.over.set()
                        return
                    connection.sendall(json.dumps(self.service.answer(request)).encode() + b"\n")

    def end(self) -> None:
        """Revoke the tokens, and leave nothing behind."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.service.end()


def _find(collection: str, path: list[str]) -> None:
    """Make the collection importable from its folder, wherever that is: Ansible's own loader is not here."""
    sys.path[:] = path
    folders = {
        "ansible_collections": [],
        "ansible_collections.secretops": [],
        "ansible_collections.secretops.vault_eso": [collection],
    }
    for name, places in folders.items():
        package = types.ModuleType(name)
        package.__path__ = places
        sys.modules[name] = package


def _keep_to_ourselves() -> None:
    """Let no core dump, and no other process, have what is in our memory."""
    with suppress(Exception):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(Exception):
        import ctypes

        # PR_SET_DUMPABLE
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)


def main() -> None:
    """Be the broker."""
    directory = sys.argv[1]
    given = json.loads(sys.stdin.readline())
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    _keep_to_ourselves()
    _find(given["collection"], given["path"])
    from ansible_collections.secretops.vault_eso.plugins.plugin_utils._run import started
    from ansible_collections.secretops.vault_eso.plugins.plugin_utils._service import Service

    pid, start = given["main"]
    server = Server(directory, Service(), Watch(pid, start, started))
    signal.signal(signal.SIGTERM, lambda number, frame: server.over.set())
    os.write(1, b"ready\n")
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    try:
        server.serve()
    finally:
        server.end()


if __name__ == "__main__":
    main()
