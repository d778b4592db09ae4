# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook restore, killed at its tasks and run again: it ends as a run does that nobody killed.

The snapshot is from before a rekey, so that the restore seals the cluster: the former shares of its key store open it.
``RESTORE_CUTS=all`` kills a run at each task, and completes each by one more; without it runs are killed one after the
other at some tasks, and the last one completes them all.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import hvac
import pytest

from support.cluster import Cluster
from support.local import write_private
from support.modules import Result
from support.playbooks import cut, inventory_of, play

Run = Callable[..., Result]

#: a part of a task's name, and seconds after it began
CUTS: tuple[tuple[str, float], ...] = (
    ("Put the cluster back to the snapshot", 1.5),
    ("Look at the nodes again", 0),
    ("Unseal every node with the key shares", 1),
    ("Put a cluster that was found sealed back", 0.7),
    ("Look for the canary", 0),
)
#: after which of them the servers are restarted
RESTART = 1


class Site:
    """A cluster that was rekeyed after a snapshot was saved, and the inventory for it."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder, self.run = folder, run
        self.cluster = Cluster(folder / "cluster")
        self.store = folder / "keys.json"
        args = {**self.cluster.args, "key_store": str(self.store)}
        run("vault_init", {**args, "shares": 3, "threshold": 2, "plain_shares": True}, must_succeed=True)
        run("vault_unseal", args, must_succeed=True)
        self.first = json.loads(self.store.read_text())
        self.root = self.first["root_token"]
        voters = {**self.cluster.args, "token": self.root, "voters": 3, "wait_timeout": 60}
        run("vault_raft", voters, must_succeed=True)
        write_private(folder / "root", self.root.encode())
        client = self.cluster.client(self.root)
        client.sys.enable_secrets_engine("kv", path="secret", options={"version": "1"})
        self.write("snapshot-canary", {"canary": "c1"})
        saved = {"dest": str(folder / "snapshots"), "labels": {"canary": "c1"}, "key_store": str(self.store)}
        run("vault_snapshot", {**self.cluster.args, "token": self.root, **saved}, must_succeed=True)
        self.sessions = folder / "run"
        self.sessions.mkdir(mode=0o700)
        login = {"token_file": str(folder / "root"), "child": True, "ttl": "10m"}
        variables: dict[str, Any] = {
            "vault_connection": self.cluster.args,
            "vault_cluster_key_store": str(self.store),
            "vault_session_login": login,
            "snapshot_directory": str(folder / "snapshots"),
        }
        self.inventory = inventory_of(folder, vault_clusters={"vault": variables})

    def write(self, path: str, data: dict[str, str]) -> None:
        """Write a secret by the plain API."""
        self.cluster.client(self.root).secrets.kv.v1.create_or_update_secret(path, data, mount_point="secret")

    def change(self) -> None:
        """Give the cluster other key shares than the snapshot has, and a secret that the snapshot does not hold."""
        self.store.unlink()
        write_private(self.store, json.dumps(self.first).encode())
        rekey = {"key_store": str(self.store), "generation": 2, "count": 3, "threshold": 2, "plain_shares": True}
        self.run("vault_rekey", {**self.cluster.args, "token": self.root, **rekey}, must_succeed=True)
        self.write("later", {"a": "b"})

    def restore(self, at: str = "", after: float = 0) -> tuple[int, str, list[str]]:
        """Run the playbook, or kill it; return the exit status, the output and the tasks that began."""
        tasks = self.folder / "tasks"
        tasks.unlink(missing_ok=True)
        done = play(
            "restore",
            self.inventory,
            *("-e", "restore_confirmed=vault", "-e", "snapshot_restore_force=true"),
            XDG_RUNTIME_DIR=str(self.sessions),
            **cut(tasks, at, after),
        )
        assert not any(secret in done.output for secret in (self.root, *self.first["shares"]))
        return done.rc, " ".join(done.output.split()), tasks.read_text().splitlines()

    def is_restored(self) -> None:
        """Hold the cluster against what the snapshot held, by other ways than the playbook's."""
        kv = self.cluster.client(self.root).secrets.kv.v1
        assert kv.read_secret("snapshot-canary", mount_point="secret")["data"] == {"canary": "c1"}
        with pytest.raises(hvac.exceptions.InvalidPath):
            kv.read_secret("later", mount_point="secret")
        assert sorted(self.cluster.states()) == [200, 429, 429]
        # the shares that open it: of the snapshot's time
        held = json.loads(self.store.read_text())
        assert (held["shares"], held["generation"]) == (self.first["shares"], 1)
        assert [one["generation"] for one in held["former"]] == [2]
        accessors = self.cluster.client(self.root).auth.token.list_accessors()["data"]["keys"]
        assert len(accessors) == 1, "every run's token is revoked"
        assert [path for path in self.sessions.rglob("*") if path.is_file() and path.stat().st_size] == []


@pytest.fixture
def site(tmp_path: Path, run_module: Run) -> Iterator[Site]:
    """One."""
    made = Site(tmp_path, run_module)
    try:
        yield made
    finally:
        made.cluster.stop()


def test_a_restore_that_is_killed_is_completed_by_the_next_run(site: Site) -> None:
    """Its own data, but other key shares: nobody names a key store of that time."""
    if os.environ.get("RESTORE_CUTS") == "all":
        site.change()
        status, output, tasks = site.restore()
        assert status == 0, output
        site.is_restored()
        for number in range(1, len(tasks) + 1):
            site.change()
            status, _output, _begun = site.restore(str(number))
            assert status == -signal.SIGKILL, number
            status, output, _begun = site.restore()
            assert status == 0 and "proven by its canary" in output, (number, tasks[number - 1], output)
            site.is_restored()
        return
    site.change()
    for number, (name, after) in enumerate(CUTS):
        status, output, begun = site.restore(name, after)
        assert status == -signal.SIGKILL, (name, output)
        assert any(name in one for one in begun), (name, output)
        if number == RESTART:
            # the restored data opens with the former shares, and now nobody but the next run can open it
            for node in site.cluster.nodes:
                node.restart()
    status, output, _begun = site.restore()
    assert status == 0 and "proven by its canary" in output, output
    site.is_restored()
