# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node of a cluster goes next, and when none may go."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.filter import rolling

NAMES = ("a", "b", "c")
NODES = [{"name": name, "id": name, "url": f"https://{name}:8200"} for name in NAMES]


def shown(name: str, **changes: Any) -> dict[str, Any]:
    """Return what vault_info shows of a node; the first is the leader."""
    good = {
        "url": f"https://{name}:8200",
        "reachable": True,
        "sealed": False,
        "version": "2.7.2+build",
        "active": name == "a",
        "standby": name != "a",
        "leader": "https://a:8200",
        "applied_index": 7,
        "seal_type": "shamir",
        "storage_type": "raft",
    }
    return {**good, **changes}


def plan(
    seen: dict[str, dict[str, Any]] | None = None,
    told: dict[str, dict[str, Any]] | None = None,
    done: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """Return a plan of three nodes that have nothing to do, but for the changes."""
    nodes = [shown(name, **(seen or {}).get(name, {})) for name in NAMES]
    known = {
        name: {"installed": "2.7.2", "target": "2.7.2", "reasons": [], **(told or {}).get(name, {})} for name in NAMES
    }
    hostvars = {name: {"__vault_rolling_node": known[name]} for name in NAMES}
    return rolling.vault_rolling_plan(NODES, {"nodes": nodes}, hostvars, done)


def order(found: list[dict[str, Any]]) -> list[str]:
    """Return the names of the nodes that are to be taken."""
    return [node["name"] for node in rolling.vault_rolling_todo(found)]


UPGRADE = {name: {"target": "2.8.0"} for name in NAMES}
DOWN = {"url": "https://b:8200", "reachable": False, "sealed": None, "version": None, "active": None, "leader": None}


def test_nothing_is_to_be_done() -> None:
    found = plan()
    assert order(found) == []
    assert [node["version"] for node in found] == ["2.7.2"] * 3
    assert rolling.vault_rolling_node_problems(found) == []


def test_the_leader_comes_last() -> None:
    found = plan(told=UPGRADE)
    assert order(found) == ["b", "c", "a"]
    assert found[0]["needs"] == ["runs 2.7.2 instead of 2.8.0"] and found[0]["other"] and found[0]["restart"]


def test_what_is_down_comes_first() -> None:
    assert order(plan(seen={"c": {**DOWN, "url": "https://c:8200"}}, told=UPGRADE)) == ["c", "b", "a"]
    assert order(plan(seen={"c": {"sealed": True, "active": False}}, told=UPGRADE)) == ["c", "b", "a"]


def test_what_is_done_is_not_taken_again() -> None:
    assert order(plan(told=UPGRADE, done=("b",))) == ["c", "a"]


def test_a_sealed_node_needs_no_restart() -> None:
    (found,) = rolling.vault_rolling_todo(plan(seen={"b": {"sealed": True}}))
    assert found["needs"] == ["is sealed"] and found["down"] and not found["restart"]


def test_a_standby_that_could_not_lead_is_helped_first_and_holds_the_leader() -> None:
    found = plan(seen={"c": {"ready": False}}, told={"a": {"reasons": ["binary"]}, "b": {"reasons": ["binary"]}})
    assert order(found) == ["c", "b", "a"]
    assert found[2]["needs"] == ["could not lead"] and found[2]["restart"] and not found[2]["down"]
    assert rolling.vault_rolling_node_problems(found) == []
    (problem,) = rolling.vault_rolling_node_problems(plan(seen={"c": {"ready": False}}, done=("c",)))
    assert problem.startswith("c could not lead")
    assert order(plan(seen={"c": {"ready": None}, "b": {"ready": True}})) == []


def test_a_node_that_waits_to_listen_on_another_port_is_found_at_both() -> None:
    nodes = [{**node, "url": node["url"].replace("8200", "8300")} for node in NODES]
    told = {"reasons": ["configuration: listener"], "port": 8200, "new_port": 8300}
    known = {"installed": "2.7.2", "target": "2.7.2"}
    hostvars = {name: {"__vault_rolling_node": {**known, **told}} for name in NAMES}
    urls = rolling.vault_rolling_urls(nodes, hostvars, ["b"])
    assert urls == ["https://a:8200", "https://b:8300", "https://c:8200"]
    seen = {"nodes": [shown("a"), shown("b", url="https://b:8300"), shown("c")]}
    found = rolling.vault_rolling_plan(nodes, seen, hostvars, ["b"])
    assert [node["url"] for node in found] == urls and all(node["reachable"] for node in found)
    assert {node["new_url"] for node in found} == {node["url"] for node in nodes}
    assert order(found) == ["c", "a"]
    assert rolling.vault_rolling_node_problems(found) == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ({}, "does not answer"),
        ({"error_code": "connection_refused", "error": "https://b:8200: connection refused"}, "does not answer"),
        (
            {"error_code": "proxy", "error": "https://b:8200: the proxy http://p:1 failed: connection refused"},
            "does not answer (https://b:8200: the proxy http://p:1 failed: connection refused)",
        ),
    ],
)
def test_why_a_node_does_not_answer(error: dict[str, str], says: str) -> None:
    found = plan(seen={"b": {**DOWN, **error}})
    assert found[1]["needs"] == [says]
    assert rolling.vault_rolling_node_problems(plan(seen={"b": {**DOWN, **error}}, done=("b",))) == [f"b {says}"]


def test_a_node_with_old_data_that_is_no_peer_was_removed() -> None:
    peers = {"peers": [{"id": "a"}, {"id": "c"}]}
    new = {"initialized": True, "sealed": True}
    for node, removed in (({"initialized": True}, ["b"]), ({"initialized": False}, []), (new, []), (DOWN, [])):
        assert rolling.vault_rolling_removed(plan(seen={"b": node}), peers) == removed
    for nothing in ({}, None, {"msg": "no leader"}):
        assert rolling.vault_rolling_removed(plan(seen={"b": {"initialized": True}}), nothing) == []


def test_a_pending_restart_says_why() -> None:
    (found,) = rolling.vault_rolling_todo(plan(told={"b": {"reasons": ["binary", "configuration: ui"]}}))
    assert found["needs"] == ["pending: binary, configuration: ui"] and found["restart"] and not found["other"]


def test_a_node_that_does_not_answer_has_the_version_that_is_installed() -> None:
    (found,) = rolling.vault_rolling_todo(plan(seen={"b": DOWN}, told={"b": {"installed": "2.6.2"}}))
    assert found["version"] == "2.6.2" and found["down"]
    assert found["needs"] == ["does not answer", "runs 2.6.2 instead of 2.7.2"]


def test_a_node_of_which_no_server_told_anything_needs_nothing() -> None:
    (found,) = rolling.vault_rolling_plan(NODES[:1], {}, {})
    assert found["needs"] == [] and found["down"] and found["target"] == "" and found["seal"] == "shamir"
    (found,) = rolling.vault_rolling_plan(NODES[:1], {"nodes": [shown("a")]}, {"a": {}})
    assert found["target"] == "2.7.2" and not found["other"]


@pytest.mark.parametrize(
    ("seen", "told", "problems"),
    [
        ({"b": DOWN}, {}, []),
        ({"b": {"sealed": True}}, {}, []),
        ({"a": {"active": False}}, {}, ["no node is active"]),
        ({"b": {"active": True}}, {}, ["a and b all say that they are active"]),
        ({"b": {"leader": "https://b:8200"}}, {}, ["the nodes do not agree on one leader"]),
        ({"b": {"leader": ""}}, {}, ["the nodes do not agree on one leader"]),
    ],
)
def test_when_the_nodes_say_that_none_can_be_spared(seen: Any, told: Any, problems: list[str]) -> None:
    assert rolling.vault_rolling_node_problems(plan(seen, told)) == problems


def test_a_node_that_was_taken_is_excused_no_longer() -> None:
    assert rolling.vault_rolling_node_problems(plan({"b": DOWN}, done=("b",))) == ["b does not answer"]
    assert rolling.vault_rolling_node_problems(plan({"b": {"sealed": True}}, done=("b",))) == ["b is sealed"]


RAFT = {"voters": list(NAMES), "dead_peers": [], "healthy": True, "failure_tolerance": 1}


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({}, []),
        ({"voters": ["a", "b"]}, ["c is no voter"]),
        ({"voters": ["a", "b", "c", "d"]}, ["d is a voter that the inventory does not know"]),
        ({"dead_peers": ["b"]}, ["b is a dead peer"]),
        ({"healthy": False}, ["autopilot does not find the cluster healthy"]),
        ({"failure_tolerance": 0}, ["the cluster tolerates the failure of 0 voters, not of 1"]),
        ({"failure_tolerance": None}, ["the cluster tolerates the failure of 0 voters, not of 1"]),
    ],
)
def test_when_raft_says_that_none_can_be_spared(change: dict[str, Any], problems: list[str]) -> None:
    assert rolling.vault_rolling_raft_problems({**RAFT, **change}, list(NAMES), 1) == problems


def test_raft_that_cannot_be_read() -> None:
    assert rolling.vault_rolling_raft_problems({"msg": "no"}, [], 1) == ["no"]
    assert rolling.vault_rolling_raft_problems({}, [], 1) == ["the raft peers cannot be read"]


def test_the_newest_version_is_a_number_and_no_text() -> None:
    versions = {"a": {"version": "2.9.0"}, "b": {"version": "2.10.1"}, "c": {"version": "2.10.0+x"}}
    assert rolling.vault_rolling_newest(plan(versions)) == "2.10.1"
    assert rolling.vault_rolling_newest(plan({name: {**DOWN, "url": f"https://{name}:8200"} for name in NAMES})) == "0"


def test_the_nodes_of_the_inventory() -> None:
    hostvars = {
        "a": {"vault_cluster_name": "one", "ansible_host": "192.0.2.1"},
        "b": {"vault_cluster_name": "one", "vault_server_address": "2001:db8::2", "vault_server_api_port": 8300},
        "c": {"vault_cluster_name": "two"},
        "d": {"vault_cluster_name": "one", "vault_server_api_addr": "https://d/", "vault_server_node_id": "four"},
    }
    assert rolling.vault_rolling_nodes(hostvars, "abcd", "one") == [
        {"name": "a", "id": "a", "url": "https://192.0.2.1:8200"},
        {"name": "b", "id": "b", "url": "https://[2001:db8::2]:8300"},
        {"name": "d", "id": "four", "url": "https://d"},
    ]


def test_what_is_no_list_of_nodes_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="takes a list of nodes"):
        rolling.FilterModule().filters()["vault_rolling_todo"]("x")


def test_a_node_that_does_not_tell_its_version_runs_the_installed_one() -> None:
    """As a standby in a migration of its seal, which tells who leads and nothing else of itself."""
    found = plan(seen={"b": {"version": None, "seal_type": None, "migrating": True}})
    assert order(found) == [] and found[1]["version"] == "2.7.2"
