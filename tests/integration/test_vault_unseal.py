# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_unseal on a cluster of three: what is sealed is unsealed, and nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from support.cluster import Cluster
from support.modules import Result, run_module
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three servers, initialised by one, sealed, not joined."""
    servers = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield servers
    finally:
        servers.stop()


@pytest.fixture(scope="module")
def store(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cluster's key store."""
    path = tmp_path_factory.mktemp("store") / "keys.json"
    early = run_module("vault_unseal", {**cluster.args, "key_store": str(path), "wait_timeout": 1})
    assert early.failed and "does not exist" in early.msg
    run_module("vault_init", {**cluster.args, "key_store": str(path), "shares": 3, "threshold": 2}, must_succeed=True)
    return path


@pytest.fixture
def args(cluster: Cluster, store: Path) -> dict[str, Any]:
    """Options that unseal the cluster."""
    return {**cluster.args, "key_store": str(store)}


@pytest.fixture
def shares(store: Path) -> list[str]:
    """The cluster's key shares."""
    return list(json.loads(store.read_text())["shares"])


def test_all_are_joined_and_unsealed_once(
    cluster: Cluster, args: dict[str, Any], shares: list[str], run_module: Run
) -> None:
    checked = run_module("vault_unseal", args, check=True, must_succeed=True)
    assert checked["unsealed"] == cluster.args["url"] and 200 not in cluster.states()

    first = run_module("vault_unseal", args, diff=True, must_succeed=True)
    assert first["unsealed"] == cluster.args["url"]
    first.hides(*shares)
    cluster.wait(lambda: sorted(cluster.states()) == [200, 429, 429], "not all are unsealed")

    again = run_module("vault_unseal", args, must_succeed=True)
    assert (again.changed, again["unsealed"]) == (False, [])


def test_only_the_sealed_node_gets_shares(
    cluster: Cluster, args: dict[str, Any], shares: list[str], run_module: Run
) -> None:
    victim = cluster.active()
    victim.restart()
    # somebody has begun to unseal it and went away
    victim.client().sys.submit_unseal_key(shares[0])
    healed = run_module("vault_unseal", args, must_succeed=True)
    assert healed["unsealed"] == [victim.url]
    assert [entry["changed"] for entry in healed["results"]].count(True) == 1
    cluster.wait(lambda: sorted(cluster.states()) == [200, 429, 429], "not all are unsealed")


def test_a_node_that_is_down_is_named_and_the_others_are_unsealed(
    cluster: Cluster, args: dict[str, Any], run_module: Run
) -> None:
    down, sealed = cluster.nodes[1], cluster.nodes[2]
    down.stop()
    sealed.restart()
    result = run_module("vault_unseal", {**args, "start_timeout": 1})
    assert result.failed and down.url in result.msg and result["unsealed"] == [sealed.url]
    down.start()
    assert run_module("vault_unseal", args, must_succeed=True)["unsealed"] == [down.url]


def test_all_killed_at_once_come_back(cluster: Cluster, args: dict[str, Any], run_module: Run) -> None:
    for node in cluster.nodes:
        assert node.process is not None
        node.process.kill()
        node.process.wait()
    for node in cluster.nodes:
        node.start()
    healed = run_module("vault_unseal", args, must_succeed=True)
    assert healed["unsealed"] == cluster.args["url"]
    assert "warnings" not in healed and 200 in cluster.states(), "a leader is waited for"


def test_wrong_shares_are_one_sentence_and_leave_no_progress(
    cluster: Cluster, args: dict[str, Any], shares: list[str], run_module: Run, tmp_path: Path
) -> None:
    node = cluster.nodes[2]
    node.restart()
    one = {"url": [node.url], "ca_cert": cluster.ca_cert}
    wrong = [shares[0], "AAAAAAAA" + shares[1][8:]]
    refused = run_module("vault_unseal", {**one, "shares": wrong})
    assert refused.failed and "does not open with these shares" in refused.msg
    refused.hides(*wrong)
    refused = run_module("vault_unseal", {**one, "shares": shares[:1]})
    assert refused.failed and "needs 2 shares, and 1 are given" in refused.msg
    refused = run_module("vault_unseal", one)
    assert refused.failed and "no key shares are known" in refused.msg
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    broken.chmod(0o600)
    refused = run_module("vault_unseal", {**one, "key_store": str(broken)})
    assert refused.failed and "is not a key store" in refused.msg
    assert node.client().seal_status["progress"] == 0

    file = tmp_path / "shares"
    file.write_text("\n".join(shares[1:]) + "\n")
    opened = run_module("vault_unseal", {**one, "shares_file": str(file)}, must_succeed=True)
    assert opened["unsealed"] == [node.url]
    opened.hides(*shares)


def test_a_key_store_that_others_can_read_is_refused(
    cluster: Cluster, args: dict[str, Any], store: Path, run_module: Run
) -> None:
    node = cluster.nodes[0]
    node.restart()
    store.chmod(0o644)
    refused = run_module("vault_unseal", args)
    assert refused.failed and "others can read it" in refused.msg
    store.chmod(0o600)
    assert run_module("vault_unseal", args, must_succeed=True)["unsealed"] == [node.url]


def test_one_wrong_share_beside_enough_good_ones_opens_and_is_named(
    new_server: Callable[..., VaultServer], run_module: Run, tmp_path: Path
) -> None:
    server = new_server(shares=5, threshold=3)
    foreign = base64.b64encode(bytes(range(33))).decode()
    given = {"url": [server.url], "ca_cert": server.ca_cert, "wait_timeout": 20}

    server.restart()
    double = [server.keys[0], base64.b64decode(server.keys[0]).hex(), server.keys[1]]
    for check in (True, False):
        refused = run_module("vault_unseal", {**given, "shares": double}, check=check)
        assert refused.failed and "needs 3 different key shares, and 2 are given (1 more are the same)" in refused.msg
        refused.hides(*double)
        refused = run_module("vault_unseal", {**given, "shares": [*server.keys[:2], "nonsense"]}, check=check)
        assert refused.failed and "key share 3 of 3 is neither" in refused.msg
    assert server.client("").seal_status["progress"] == 0

    # four good ones, and two of which only the server can tell which three are right
    for shares, wrong in (
        ([server.keys[0], foreign, *server.keys[1:4]], "2"),
        ([foreign, server.keys[0], foreign[:-4] + "AAAA", *server.keys[3:]], "1, 3"),
    ):
        opened = run_module("vault_unseal", {**given, "shares": shares}, must_succeed=True)
        assert opened["unsealed"] == [server.url] and server.health() == 200
        assert f"number {wrong} of those given is not one" in str(opened["warnings"])
        opened.hides(*shares)
        server.restart()
    refused = run_module("vault_unseal", {**given, "shares": [foreign, *server.keys[1:3]]})
    assert refused.failed and "does not open with these shares" in refused.msg
    assert server.client("").seal_status["progress"] == 0


def test_holders_give_one_share_each(new_server: Callable[..., VaultServer], run_module: Run) -> None:
    server = new_server(shares=5, threshold=3)
    server.restart()
    one = {"url": [server.url], "ca_cert": server.ca_cert, "wait_timeout": 20, "partial": True}
    foreign = base64.b64encode(bytes(range(33))).decode()

    def give(*shares: str, check: bool = False) -> tuple[bool, int, list[str]]:
        done = run_module("vault_unseal", {**one, "shares": list(shares)}, check=check, must_succeed=True)
        done.hides(*shares)
        return done.changed, sum(node["given"] for node in done["pending"]), done["unsealed"]

    assert give(server.keys[0], check=True) == (True, 0, [])
    assert give(server.keys[0]) == (True, 1, [])
    assert give(server.keys[0]) == (False, 1, []), "the server knows it"
    refused = run_module("vault_unseal", {**one, "shares": ["nonsense"]})
    assert refused.failed and "key share 1 of 1 is neither" in refused.msg
    assert server.client("").seal_status["progress"] == 1
    assert give(server.keys[0], server.keys[1]) == (True, 2, [])
    wrong = run_module("vault_unseal", {**one, "shares": [foreign]})
    assert wrong.failed and "has forgotten them" in wrong.msg and wrong.changed
    assert server.client("").seal_status["progress"] == 0
    assert give(*server.keys[:2]) == (True, 2, [])
    assert give(server.keys[4], check=True) == (True, 2, [server.url])
    assert give(server.keys[4]) == (True, 0, [server.url])
    assert server.health() == 200
    assert give(server.keys[4]) == (False, 0, [])


def test_shares_of_before_a_rekey_open_data_of_that_time(
    new_server: Callable[..., VaultServer], run_module: Run, tmp_path: Path
) -> None:
    """As after a restore: the key store knows newer shares, with another threshold, than the data need."""
    server = new_server(shares=3, threshold=2)
    store = tmp_path / "keys.json"
    newer = [base64.b64encode(bytes([*range(number, number + 32), number])).decode() for number in (1, 2, 3)]
    former = [{"generation": 1, "threshold": 2, "encrypted": False, "shares": server.keys}]
    for shares, encrypted in ((newer, False), (newer[:1], False), (["ciphertext"], True)):
        held = {"format": 1, "generation": 2, "encrypted": encrypted, "shares": shares, "former": former}
        store.write_text(json.dumps(held))
        store.chmod(0o600)
        server.restart()
        opened = run_module(
            "vault_unseal", {"url": [server.url], "ca_cert": server.ca_cert, "key_store": str(store)}, must_succeed=True
        )
        assert opened["unsealed"] == [server.url] and server.health() == 200
        assert "opened with the key shares of generation 1, which a rekey has replaced" in str(opened["warnings"])
        opened.hides(*server.keys, *newer)
