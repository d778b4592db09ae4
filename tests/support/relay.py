# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port of the loopback interface that hands on what passes, and cuts a long answer off in the middle."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Callable


class Relay:
    """Hands connections on to ``target``, a port. The first longer answer after `cut_after` was set is cut."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.target = 0
        #: bytes of one connection, 0 for no limit; reset by a cut
        self.cut_after = 0
        #: called at a cut, before the client learns of it
        self.at_cut: Callable[[], None] = lambda: None
        self.cuts = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self.target)) as server:
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
            passed = 0
            while data := server.recv(8192):
                passed += len(data)
                if self.cut_after and passed > self.cut_after:
                    self.cut_after = 0
                    self.cuts += 1
                    self.at_cut()
                    break
                client.sendall(data)
            # closing alone does not end a connection that the other thread reads from
            for one in (client, server):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _requests(client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
