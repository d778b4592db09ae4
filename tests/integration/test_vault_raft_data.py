# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_raft_data: what it reads of a stopped server's data is what the server told while it ran."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any, Callable

from support.modules import run_module
from support.openbao import VaultServer, enable_kv


def test_data_are_read_and_set_aside(new_server: Callable[..., VaultServer]) -> None:
    server = new_server()
    path = str(server.folder / "data")
    client = server.client()
    enable_kv(client, "kv")
    # more entries than one page of the database holds
    for number in range(150):
        client.secrets.kv.v2.create_or_update_secret(f"one/{number}", {"value": "v" * 200}, mount_point="kv")
    told = client.adapter.get("/v1/sys/leader")
    peers = client.adapter.get("/v1/sys/storage/raft/configuration")["data"]["config"]["servers"]
    running = run_module("vault_raft_data", {"path": path})
    assert running["running"] is True and running["used"] is True
    refused = run_module("vault_raft_data", {"path": path, "state": "aside"})
    assert refused.failed and "a server has it open; stop the server first" in refused["msg"]

    server.stop()
    stopped = run_module("vault_raft_data", {"path": path})
    assert stopped["changed"] is False and stopped["running"] is False and stopped["problem"] == ""
    # ending is an entry of its own, at the most a few
    assert told["raft_committed_index"] <= stopped["index"] <= told["raft_committed_index"] + 5
    assert stopped["term"] >= 2 and stopped["applied_index"] <= stopped["index"]
    assert [(one["id"], one["address"], one["suffrage"]) for one in stopped["peers"]] == [
        (one["node_id"], one["address"], "voter") for one in peers
    ]

    planned = run_module("vault_raft_data", {"path": path, "state": "aside"}, check=True)
    assert planned["changed"] is True and Path(path, "vault.db").exists()
    aside = run_module("vault_raft_data", {"path": path, "state": "aside"})
    assert aside["changed"] is True and sorted(one.name for one in Path(aside["aside"]).iterdir()) == [
        "raft",
        "vault.db",
    ]
    # a server of this folder begins anew, and its data wait there unused
    server.start()
    assert server.health() == 501
    server.stop()
    fresh = run_module("vault_raft_data", {"path": path, "state": "aside"})
    assert fresh["exists"] and not fresh["used"] and not fresh["changed"] and fresh["aside"] == ""
    assert Path(aside["aside"], "vault.db").exists()


def test_data_that_cannot_be_read_count_as_used(tmp_path: Path) -> None:
    def read(content: bytes) -> dict[str, Any]:
        (tmp_path / "vault.db").write_bytes(content)
        return run_module("vault_raft_data", {"path": str(tmp_path)}).data

    for content in (b"", b"no database", b"\0" * 20000):
        found = read(content)
        assert found["used"] is True and found["problem"] and not found["running"], found
    # a server may have them open nevertheless
    for name in ("vault.db", "raft/raft.db"):
        held = tmp_path / name
        held.parent.mkdir(exist_ok=True)
        held.touch()
        with held.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            assert read(b"no database")["running"] is True, name
            refused = run_module("vault_raft_data", {"path": str(tmp_path), "state": "aside"})
            assert refused.failed and "a server has it open" in refused["msg"]
    assert run_module("vault_raft_data", {"path": str(tmp_path / "missing")})["used"] is False
