# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot whose stream breaks: the leader goes away in the middle, or the connection alone is cut."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.client import Client
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server import snapshot_save
from support.modules import Result, run_module
from support.openbao import VaultServer, enable_kv
from support.relay import Relay

#: more than the answers before it on a connection, less than the snapshot
CUT = 100_000


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[VaultServer, Relay]]]:
    """Three nodes of a cluster, each known by the address of a relay; the first one leads."""
    made: list[tuple[VaultServer, Relay]] = []
    try:
        for number in (1, 2, 3):
            folder = tmp_path_factory.mktemp(f"n{number}")
            relay = Relay()
            storage: dict[str, Any] = {
                "path": str(folder / "data"),
                "node_id": f"n{number}",
                "performance_multiplier": 1,
            }
            if made:
                first = made[0][0]
                storage["retry_join"] = [{"leader_api_addr": first.url, "leader_ca_cert_file": first.ca_cert}]
            settings = {"api_addr": relay.url, "storage": {"raft": storage}}
            made.append((VaultServer(folder, initialise=False, **settings), relay))
            relay.target = int(made[-1][0].url.rpartition(":")[2])
        leader = made[0][0]
        leader.initialise()
        bundle = tmp_path_factory.mktemp("ca") / "ca.crt"
        bundle.write_text("".join(Path(server.ca_cert).read_text() for server, _relay in made))
        keys = {"url": [server.url for server, _relay in made], "ca_cert": str(bundle), "shares": leader.keys}
        run_module("vault_unseal", keys, must_succeed=True)
        # a joined node becomes a voter after 10 seconds
        voters = {**keys, "token": leader.token, "voters": 3, "wait_timeout": 60}
        run_module("vault_raft", {name: voters[name] for name in voters if name != "shares"}, must_succeed=True)
        enable_kv(leader.client(), "secret")
        for number in range(2):
            leader.client().secrets.kv.v2.create_or_update_secret(f"n{number}", {"a": os.urandom(100_000).hex()})
        yield made
    finally:
        for server, relay in made:
            relay.close()
            server.discard()


@pytest.fixture
def save(nodes: list[tuple[VaultServer, Relay]], tmp_path: Path) -> Callable[..., Result]:
    """A function that saves a snapshot of the cluster by the addresses of the relays."""
    bundle = tmp_path / "ca.crt"
    bundle.write_text("".join(Path(server.ca_cert).read_text() for server, _relay in nodes))
    connection = {"url": [relay.url for _server, relay in nodes], "ca_cert": str(bundle), "token": nodes[0][0].token}

    def run(**options: Any) -> Result:
        return run_module("vault_snapshot", {**connection, "dest": str(tmp_path / "snaps"), **options})

    return run


def test_a_stream_that_is_cut_leaves_nothing(
    nodes: list[tuple[VaultServer, Relay]], save: Callable[..., Result], tmp_path: Path
) -> None:
    relay = nodes[0][1]
    relay.cut_after = CUT
    broken = save()
    assert relay.cuts == 1 and broken.failed and not broken.changed
    assert broken["error_code"] == "connection_closed"
    assert list((tmp_path / "snaps").iterdir()) == []


def test_a_node_that_leads_no_longer_serves_it_or_gives_way_to_the_one_that_does(
    nodes: list[tuple[VaultServer, Relay]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.write_text("".join(Path(server.ca_cert).read_text() for server, _relay in nodes))
    client = Client([relay.url for _server, relay in nodes], token=nodes[0][0].token, ca_cert=str(bundle))
    leading = next(relay.url for server, relay in nodes if server.health() == 200)
    standby = next(relay.url for server, relay in nodes if server.health() == 429)
    # it stepped down just after it was found
    monkeypatch.setattr(snapshot_save, "leader", lambda client: client.at(standby, client.token))
    options = {"dest": str(tmp_path), "copies": [], "transfer_timeout": 60, "max_size": 1 << 30, "min_size": 1}
    snapshot = snapshot_save.Snapshot(client, {**options, "wait_timeout": 20}, False)
    followed, facts = snapshot._stream(str(tmp_path / "one.snap"))
    assert facts["size"] > CUT
    # a standby of OpenBao may serve it, one of Vault names the leader
    assert followed.url == standby or (
        followed.url == leading and "the leader changed while it was saved" in str(snapshot.warnings)
    )


def test_where_the_leader_dies_meanwhile_the_next_one_is_asked(
    nodes: list[tuple[VaultServer, Relay]], save: Callable[..., Result], tmp_path: Path
) -> None:
    server, relay = nodes[0]
    relay.at_cut = server.discard
    relay.cut_after = CUT
    before = relay.cuts
    saved = save()
    assert relay.cuts == before + 1 and server.process is not None and server.process.poll() is not None
    assert not saved.failed, saved.msg
    assert "the leader changed while it was saved" in str(saved["warnings"])
    assert saved["node"] in [one.url for _server, one in nodes[1:]]
    with tarfile.open(saved["path"]) as archive:
        assert "state.bin" in archive.getnames()
    assert len(list((tmp_path / "snaps").iterdir())) == 2, "the snapshot and its manifest, nothing half done"
