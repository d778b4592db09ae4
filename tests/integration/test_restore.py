# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook restore: a snapshot of a cluster that is lost, put into the one that replaced it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import hvac
import pytest

from support.cluster import Cluster
from support.local import write_private
from support.modules import Result
from support.openbao import VaultServer
from support.playbooks import inventory_of, play
from support.system import Play

Run = Callable[..., Result]


def key_store(path: Path, shares: list[str], threshold: int, cluster_id: str) -> Path:
    """Write a key store as an initialisation does."""
    held = {"format": 1, "generation": 1, "shares": shares, "threshold": threshold, "cluster_id": cluster_id}
    write_private(path, json.dumps({**held, "encrypted": False, "share_type": "unseal"}).encode())
    return path


class Site:
    """The lost cluster's snapshot, key store and token, and three servers that replaced it, with other key shares."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder = folder
        self.lost = VaultServer(folder / "lost", shares=5, threshold=3)
        client = self.lost.client()
        client.sys.enable_secrets_engine("kv", path="secret", options={"version": "1"})
        kv = client.secrets.kv.v1
        kv.create_or_update_secret("snapshot-canary", {"canary": "c1"}, mount_point="secret")
        saved = run(
            "vault_snapshot",
            {"url": [self.lost.url], "ca_cert": self.lost.ca_cert, "token": self.lost.token}
            | {"dest": str(folder / "snapshots"), "labels": {"canary": "c1"}},
            must_succeed=True,
        )
        self.snapshot = Path(saved["path"])
        self.store = key_store(folder / "lost.json", self.lost.keys, 3, client.seal_status["cluster_id"])
        self.lost.discard()
        self.cluster = Cluster(folder / "cluster")
        own = folder / "own.json"
        keys = {**self.cluster.args, "key_store": str(own)}
        run("vault_init", {**keys, "shares": 3, "threshold": 2}, must_succeed=True)
        run("vault_unseal", keys, must_succeed=True)
        root = json.loads(own.read_text())["root_token"]
        write_private(folder / "own.token", root.encode())
        write_private(folder / "lost.token", self.lost.token.encode())
        variables: dict[str, Any] = {
            "vault_connection": self.cluster.args,
            "vault_cluster_key_store": str(own),
            "vault_session_login": {"token_file": str(folder / "own.token")},
            "snapshot_directory": str(folder / "snapshots"),
        }
        self.inventory = inventory_of(folder, vault_clusters={"vault": variables})

    def play(self, *arguments: str) -> Play:
        """Run ``playbooks/restore.yml``; a failed run is an outcome too."""
        done = play("restore", self.inventory, *arguments)
        return Play(done.rc, " ".join(done.output.split()))


@pytest.fixture
def site(tmp_path: Path, run_module: Run) -> Iterator[Site]:
    """One of each."""
    made = Site(tmp_path, run_module)
    try:
        yield made
    finally:
        made.cluster.stop()


def test_a_lost_clusters_snapshot_is_restored_in_two_runs(site: Site) -> None:
    """Between the two runs the servers are restarted, as the first one says."""
    untouched = sorted(site.cluster.states())
    assert untouched == [200, 429, 429]
    force = ("-e", "snapshot_restore_force=true")
    theirs = ("-e", f"snapshot_restore_key_store={site.store}")
    login = ("-e", json.dumps({"snapshot_restore_login": {"token_file": str(site.folder / "lost.token")}}))
    named = ("-e", "restore_confirmed=vault")
    for arguments, words in (
        (("-e", "restore_confirmed=true"), "restore_confirmed=true names no cluster"),
        (("-e", "restore_confirmed=other"), "restore_confirmed names other, and not vault"),
        (named, "is of another cluster"),
        ((*named, *force), "and none of its key shares are in"),
    ):
        refused = site.play(*arguments)
        assert refused.rc != 0 and words in refused.output, refused.output
        assert sorted(site.cluster.states()) == untouched
    planned = site.play("--check", *force, *theirs, *login)
    assert planned.rc == 0, planned.output
    assert "the confirmation (-e restore_confirmed=vault)" in planned.output
    assert sorted(site.cluster.states()) == untouched

    first = site.play(*named, *force, *theirs, *login)
    assert first.rc != 0
    assert "the number of key shares of before, which a server reads only when it starts" in first.output, first.output
    # a standby may call itself open for as long as it has no leader
    assert 503 in site.cluster.states() and 200 not in site.cluster.states()
    for node in site.cluster.nodes:
        node.restart()

    second = site.play(*named, *force, *theirs, *login)
    assert second.rc == 0, second.output
    assert "proven by its canary" in second.output
    assert "open it no longer" in second.output
    assert not any(secret in first.output + second.output for secret in [site.lost.token, *site.lost.keys])
    held = site.cluster.client(site.lost.token)
    found = held.secrets.kv.v1.read_secret("snapshot-canary", mount_point="secret")
    assert found["data"] == {"canary": "c1"}
    # each node by itself holds the data of the lost cluster
    status = [hvac.Client(url=node.url, verify=node.ca_cert).seal_status for node in site.cluster.nodes]
    assert {one["cluster_id"] for one in status} == {json.loads(site.store.read_text())["cluster_id"]}
    peers = held.read("sys/storage/raft/configuration")["data"]["config"]["servers"]
    assert [one["voter"] for one in peers] == [True, True, True]

    # it is that cluster now: no force, no other key store, and the login of its own time
    third = site.play(*named, *login)
    assert third.rc == 0, third.output
