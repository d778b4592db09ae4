# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three servers on the loopback interface that join one raft cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable

import hvac

from .openbao import VaultServer


class Cluster:
    """Servers that are started, and neither initialised nor joined. ``ca_cert`` holds the authorities of all."""

    def __init__(self, folder: Path, size: int = 3, **settings: Any) -> None:
        """Start ``size`` servers; the later ones join the first. ``settings`` go to each server."""
        self.nodes: list[VaultServer] = []
        for number in range(1, size + 1):
            home = folder / f"n{number}"
            storage: dict[str, Any] = {"path": str(home / "data"), "node_id": f"n{number}", "performance_multiplier": 1}
            if self.nodes:
                first = self.nodes[0]
                storage["retry_join"] = [{"leader_api_addr": first.url, "leader_ca_cert_file": first.ca_cert}]
            self.nodes.append(VaultServer(home, initialise=False, storage={"raft": storage}, **settings))
        bundle = folder / "ca.crt"
        bundle.write_text("".join(Path(node.ca_cert).read_text() for node in self.nodes))
        self.ca_cert = str(bundle)

    @property
    def args(self) -> dict[str, Any]:
        """Connection options for run_module, with all addresses."""
        return {"url": [node.url for node in self.nodes], "ca_cert": self.ca_cert}

    def states(self) -> list[int]:
        """The nodes' health statuses: 200 active, 429 standby, 501 not initialised, 503 sealed, 0 down."""
        return [node.health() for node in self.nodes]

    def active(self) -> VaultServer:
        """Return the leader, waiting for one."""
        self.wait(lambda: 200 in self.states(), "no node is active")
        return self.nodes[self.states().index(200)]

    def client(self, token: str) -> hvac.Client:
        """Return an hvac client for the leader."""
        return self.active().client(token)

    def wait(self, check: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait until ``check`` holds. Raises AssertionError with ``what``."""
        deadline = time.monotonic() + seconds
        while not check():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: {self.states()}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End all servers."""
        for node in self.nodes:
            node.discard()
