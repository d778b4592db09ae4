# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_raft and vault_info on a cluster of three."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from support.cluster import Cluster
from support.modules import Result, run_module
from support.openbao import find_binary, product_of

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three servers, unsealed and joining."""
    folder = tmp_path_factory.mktemp("cluster")
    device = {"file": {"one": {"description": "of all", "options": {"file_path": str(folder / "audit.log")}}}}
    by_config = product_of(find_binary())[0] == "openbao"
    servers = Cluster(folder, **({"audit": [device]} if by_config else {}))
    try:
        yield servers
    finally:
        servers.stop()


@pytest.fixture(scope="module")
def store(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key store of the unsealed cluster."""
    path = tmp_path_factory.mktemp("store") / "keys.json"
    keys = {**cluster.args, "key_store": str(path)}
    run_module("vault_init", {**keys, "shares": 1, "threshold": 1}, must_succeed=True)
    run_module("vault_unseal", keys, must_succeed=True)
    return path


@pytest.fixture
def token(store: Path) -> str:
    """The cluster's root token."""
    return str(json.loads(store.read_text())["root_token"])


@pytest.fixture
def args(cluster: Cluster, token: str) -> dict[str, Any]:
    """Connection and token."""
    return {**cluster.args, "token": token}


def test_voters_are_waited_for(args: dict[str, Any], run_module: Run) -> None:
    early = run_module("vault_raft", {**args, "voters": 4, "wait_timeout": 1})
    assert early.failed and "of 4 after 1 seconds" in early.msg
    # a joined node becomes a voter after 10 seconds
    ready = run_module("vault_raft", {**args, "voters": 3, "peers": ["n3"], "wait_timeout": 60}, must_succeed=True)
    assert not ready.changed
    assert (ready["voters"], ready["leader"], ready["dead_peers"]) == (["n1", "n2", "n3"], "n1", [])
    assert ready["healthy"] is True


def test_autopilot_is_converged(cluster: Cluster, args: dict[str, Any], token: str, run_module: Run) -> None:
    autopilot = {
        **args,
        "autopilot": {"cleanup_dead_servers": True, "min_quorum": 3, "dead_server_last_contact_threshold": "36h"},
    }
    path = "sys/storage/raft/autopilot/configuration"
    before = cluster.client(token).read(path)["data"]
    checked = run_module("vault_raft", autopilot, check=True, diff=True, must_succeed=True)
    assert checked.changed and cluster.client(token).read(path)["data"] == before

    done = run_module("vault_raft", autopilot, diff=True, must_succeed=True)
    assert done["results"][0]["fields"] == [
        "cleanup_dead_servers",
        "dead_server_last_contact_threshold",
        "min_quorum",
    ]
    done.hides(token)
    after = cluster.client(token).read(path)["data"]
    assert (after["min_quorum"], after["dead_server_last_contact_threshold"]) == (3, "36h0m0s")
    assert after["max_trailing_logs"] == before["max_trailing_logs"], "what is not declared stays"
    assert not run_module("vault_raft", autopilot, must_succeed=True).changed

    one = {**args, "autopilot": {"max_trailing_logs": 500}}
    assert run_module("vault_raft", one, must_succeed=True)["results"][0]["fields"] == ["max_trailing_logs"]
    assert cluster.client(token).read(path)["data"]["min_quorum"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"autopilot": {"cleanup_dead_servers": True}}, "min_quorum"),
        ({"autopilot": {"last_contact_threshold": "soon"}}, "is not a duration"),
        ({"state": "absent"}, "no peer is named"),
        ({"state": "absent", "peers": ["n1"]}, "is the leader"),
        ({"state": "absent", "peers": ["n2"]}, "is alive"),
        ({"token": "s.wrong"}, "invalid, expired or revoked"),
    ],
)
def test_bad_input_is_one_sentence(
    cluster: Cluster, args: dict[str, Any], token: str, run_module: Run, options: dict[str, Any], message: str
) -> None:
    refused = run_module("vault_raft", {**args, **options})
    assert refused.failed and message in refused.msg
    servers = cluster.client(token).sys.read_raft_config()["data"]["config"]["servers"]
    assert len(servers) == 3


def test_info_without_a_token_tells_states_and_no_secret(cluster: Cluster, token: str, run_module: Run) -> None:
    info = run_module("vault_info", cluster.args, must_succeed=True)
    assert (info.changed, info["sealed_nodes"], info["unreachable_nodes"]) == (False, [], [])
    assert info["active_node"] == cluster.active().url
    assert info["product"] == cluster.nodes[0].product and info["versions"] == [cluster.nodes[0].version]
    assert [node["seal_type"] for node in info["nodes"]] == ["shamir"] * 3
    assert info["cluster_id"] and "mounts" not in info

    refused = run_module("vault_info", {**cluster.args, "gather_subset": ["mounts"]}, env={"HOME": "/nonexistent"})
    assert refused.failed and "no token was given" in refused.msg

    everything = run_module("vault_info", {**cluster.args, "token": token, "gather_subset": ["all"]}, must_succeed=True)
    assert everything["mounts"]["sys/"]["type"] == "system" and everything["auth_methods"]["token/"]["type"] == "token"
    assert everything["policies"] == ["default", "root"]
    assert [peer["id"] for peer in everything["raft_peers"]] == ["n1", "n2", "n3"]
    everything.hides(token)


def test_a_standby_that_could_not_lead_is_told_from_the_others(
    cluster: Cluster, args: dict[str, Any], store: Path, run_module: Run
) -> None:
    """Its audit device differs from the cluster's. It answers and forwards as if nothing were wrong."""
    if cluster.nodes[0].product != "openbao":
        pytest.skip("standbys of HashiCorp Vault serve no reads")

    def ready(**options: Any) -> list[bool | None]:
        info = run_module("vault_info", {**args, "gather_subset": ["readiness"], **options}, must_succeed=True)
        return [node["ready"] for node in info["nodes"]]

    def restart(device: str) -> None:
        config = json.loads(broken.configuration.read_text())
        config["audit"][0]["file"]["one"]["options"]["file_path"] = device
        broken.configuration.write_text(json.dumps(config))
        broken.restart()
        run_module("vault_unseal", {**cluster.args, "key_store": str(store)}, must_succeed=True)
        cluster.wait(lambda: broken.health() == 429, "the standby does not come back")

    cluster.wait(lambda: ready() == [True] * 3, "not every node is ready")
    broken = next(node for node in cluster.nodes if node.health() == 429)
    device = json.loads(broken.configuration.read_text())["audit"][0]["file"]["one"]["options"]["file_path"]
    restart(device + ".changed")
    assert ready() == [node is not broken for node in cluster.nodes]
    # a server tells it in no other namespace than the root
    cluster.client(args["token"]).sys.create_namespace("team")
    assert ready(namespace="team") == [node is not broken for node in cluster.nodes]
    cluster.client(args["token"]).sys.delete_namespace("team")
    probe = {**args, "url": [broken.url], "path": "cubbyhole/probe", "data": {"a": "b"}, "write": "always"}
    assert run_module("vault_endpoint", {**probe, "follow_redirects": False}, must_succeed=True).changed, "it forwards"
    anybody = cluster.client(args["token"]).auth.token.create(policies=["default"])["auth"]["client_token"]
    assert ready(token=anybody) == [True if node.health() == 200 else None for node in cluster.nodes]

    restart(device)
    cluster.wait(lambda: ready() == [True] * 3, "the standby is not ready again")


def test_a_dead_peer_is_reported_and_removed_by_name(
    cluster: Cluster, args: dict[str, Any], token: str, run_module: Run
) -> None:
    gone = next(node for node in cluster.nodes if node.health() == 429)
    name = f"n{cluster.nodes.index(gone) + 1}"
    gone.stop()
    removal = {**args, "state": "absent", "peers": [name]}

    def noticed() -> bool:
        return bool(run_module("vault_raft", args, must_succeed=True)["dead_peers"] == [name])

    # after 10 seconds without contact
    cluster.wait(noticed, "the silent node is not noticed")
    lost = run_module("vault_raft", {**args, "voters": 3, "wait_timeout": 1})
    assert lost.failed and f"{name} does not answer" in lost.msg
    assert run_module("vault_raft", removal, check=True, must_succeed=True).changed
    assert run_module("vault_raft", removal, must_succeed=True).changed
    assert not run_module("vault_raft", removal, must_succeed=True).changed
    servers = cluster.client(token).sys.read_raft_config()["data"]["config"]["servers"]
    assert len(servers) == 2
    info = run_module("vault_info", cluster.args, must_succeed=True)
    assert info["unreachable_nodes"] == [gone.url] and not info["nodes"][cluster.nodes.index(gone)]["reachable"]
