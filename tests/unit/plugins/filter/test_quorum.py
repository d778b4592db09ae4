# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes are replaced, and when none may be."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.filter import quorum

NAMES = ("a", "b", "c")
NODES = [{"name": name, "id": f"id-{name}", "url": f"https://{name}:8200"} for name in NAMES]
WELL = {"reachable": True, "sealed": False, "leader": "https://a:8200"}
USED, UNUSED = {"used": True}, {"used": False}


def replacement(
    confirmed: Any,
    b: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    peers: tuple[str, ...] = NAMES,
    leader: str | None = "id-a",
    healthy: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return what is decided where a and c are in order; the leader hears from those that are healthy."""
    shown = {"a": WELL, "c": WELL, "b": WELL if b is None else b}
    seen = {"nodes": [{"url": f"https://{name}:8200", **one} for name, one in shown.items()]}
    raft = {"leader": leader, "peers": [{"id": f"id-{name}", "healthy": name in healthy} for name in peers]}
    hostvars = {name: {"vault_server_raft_data": USED if name != "b" else data} for name in NAMES}
    return quorum.vault_replacement(NODES, seen, raft, hostvars, confirmed)


DOWN = {"reachable": False}


@pytest.mark.parametrize("confirmed", ["b", ["b"], "b,c"])
def test_a_node_in_order_is_left_alone(confirmed: Any) -> None:
    found = replacement(confirmed, data=USED)
    assert (found["take"], found["remove"], found["problems"]) == ([], [], [])


@pytest.mark.parametrize(
    ("b", "data", "peers", "remove", "said"),
    [
        (DOWN, UNUSED, NAMES, ["id-b"], "its disk holds no data"),
        (DOWN, UNUSED, ("a", "c"), [], "its disk holds no data"),
        (DOWN, USED, NAMES, ["id-b"], "is a peer with data, and does not serve"),
        ({**WELL, "sealed": True}, USED, NAMES, ["id-b"], "is a peer with data, and does not serve"),
        ({**WELL, "leader": None}, USED, NAMES, ["id-b"], "is a peer with data, and does not serve"),
        # it answers as every standby does, with what it last heard
        (WELL, USED, ("a", "c"), [], "is no peer of the cluster"),
    ],
)
def test_a_lost_node_is_taken_once_it_is_named(
    b: dict[str, Any], data: dict[str, Any], peers: tuple[str, ...], remove: list[str], said: str
) -> None:
    found = replacement("b", b, data, peers)
    assert (found["take"], found["remove"], found["problems"]) == (["b"], remove, [])
    assert (found["ids"], found["urls"]) == (["id-b"], ["https://b:8200"])
    assert said in found["lines"][1]
    unnamed = replacement("", b, data, peers)
    assert unnamed["take"] == [] and unnamed["problems"] == [
        "confirm the node to replace by its name (-e replace_confirmed=b)"
    ]


@pytest.mark.parametrize(
    ("confirmed", "data", "leader", "problem"),
    [
        ("true", USED, "id-a", "name the node to replace"),
        ("d", USED, "id-a", "replace_confirmed names d, which the inventory does not know"),
        ("b", None, "id-a", "no host answers as b"),
        ("b", USED, None, "no node leads"),
    ],
)
def test_what_cannot_be_done_is_refused(
    confirmed: str, data: dict[str, Any] | None, leader: str | None, problem: str
) -> None:
    found = replacement(confirmed, DOWN, data, leader=leader)
    assert any(problem in one for one in found["problems"]), found


@pytest.mark.parametrize(
    ("b", "peers", "problem"),
    [
        # only this controller does not reach it
        (DOWN, NAMES, "the leader hears from b"),
        # the inventory has another ID for it than the cluster
        (WELL, ("a", "c", "other"), "no server with the ID of the raft peers id-other, so that b may be one of them"),
    ],
)
def test_a_node_that_may_serve_is_not_taken(b: dict[str, Any], peers: tuple[str, ...], problem: str) -> None:
    found = replacement("b", b, USED, peers, healthy=NAMES)
    assert problem in found["problems"][0]
    assert (found["take"], found["remove"]) == ([], [])
    # what is empty cannot serve, however lately the leader heard from it
    assert replacement("b", b, UNUSED, peers, healthy=NAMES)["problems"] == []


def test_nothing_is_taken_while_something_is_refused() -> None:
    found = replacement("b,d", DOWN, USED)
    assert (found["take"], found["remove"]) == ([], []) and "set aside" not in found["lines"][1]


def data(index: int, term: int = 3, peers: tuple[str, ...] = NAMES, **changes: Any) -> dict[str, Any]:
    """Return what vault_raft_data tells of a node."""
    known = [{"id": f"id-{name}", "address": f"{name}:8201", "suffrage": "voter"} for name in peers]
    return {"used": True, "index": index, "term": term, "peers": known, "problem": "", **changes}


def recovery(lost: Any = "", active: str = "", **found: dict[str, Any] | None) -> dict[str, Any]:
    """Return what is decided where a host told `found`; one with nothing was not reached."""
    seen = {"nodes": [{"url": f"https://{name}:8200", "active": name == active} for name in NAMES]}
    hostvars = {name: {"vault_server_raft_data": told} if told else {} for name, told in found.items()}
    return quorum.vault_recovery(NODES, seen, hostvars, lost)


EMPTY = {"used": False, "index": 0, "term": 0, "peers": [], "problem": ""}


@pytest.mark.parametrize(
    ("lost", "found", "survivor"),
    [
        ("b,c", {"a": data(7), "b": None, "c": None}, "a"),
        ("", {"a": EMPTY, "b": EMPTY, "c": data(7)}, "c"),
        # the log that ends last counts, and first of all its term
        ("a,b,c", {"a": data(9), "b": data(7), "c": None}, ""),
        ("c", {"a": EMPTY, "b": data(7), "c": data(9)}, "b"),
        ("", {"a": data(7, problem="page 3 is missing"), "b": data(5), "c": EMPTY}, "b"),
    ],
)
def test_the_node_whose_log_ends_last_is_taken(lost: str, found: dict[str, Any], survivor: str) -> None:
    decided = recovery(lost, **found)
    assert decided["survivor"] == survivor
    assert bool(decided["problems"]) is (survivor == "")
    if survivor:
        assert decided["peers"] == [{"id": f"id-{survivor}", "address": f"{survivor}:8201", "non_voter": False}]
        assert decided["url"] == f"https://{survivor}:8200"


def test_of_several_the_higher_term_counts_before_the_higher_index() -> None:
    five = ("a", "b", "c", "d", "e")
    found = {"a": data(9, 3, five), "b": data(7, 4, five), "c": EMPTY}
    assert recovery(**found)["survivor"] == "b"


def test_nothing_is_recovered_while_a_node_leads() -> None:
    decided = recovery(active="b", a=data(7), b=data(7), c=None)
    assert (decided["led"], decided["peers"], decided["problems"]) == ("https://b:8200", [], [])


@pytest.mark.parametrize(
    ("lost", "found", "problem"),
    [
        # a host that this controller cannot reach may be half of a quorum
        ("", {"a": data(7), "b": None, "c": None}, "no host answers as b and c"),
        ("b", {"a": data(7), "b": None, "c": None}, "-e recover_lost=b,c"),
        ("", {"a": data(7), "b": data(7), "c": EMPTY}, "are enough of 3 voters to elect a leader"),
        ("", {"a": EMPTY, "b": EMPTY, "c": EMPTY}, "restore a snapshot"),
        ("d", {"a": data(7), "b": EMPTY, "c": EMPTY}, "recover_lost names d"),
        # it was removed, and knows that it is no peer
        ("", {"a": data(7, peers=("b", "c")), "b": EMPTY, "c": EMPTY}, "no host has data that could be used"),
    ],
)
def test_what_must_not_be_recovered_is_refused(lost: str, found: dict[str, Any], problem: str) -> None:
    assert any(problem in one for one in recovery(lost, **found)["problems"])


def test_a_node_whose_peers_are_without_itself_says_so() -> None:
    said = recovery(a=data(7, peers=("b", "c")), b=EMPTY, c=EMPTY)["lines"][0]
    assert said.endswith("its peers are id-b, id-c, without its own ID id-a (vault_server_node_id)")


def test_a_host_of_which_the_first_look_was_forgotten_counts_as_silent() -> None:
    decided = recovery(a=data(7), b=EMPTY, c={"vault_server_raft_data": {}})
    assert any("no host answers as c" in one for one in decided["problems"])


def test_a_node_that_is_the_only_peer_already_is_only_started() -> None:
    decided = recovery(a=data(9, 4, ("a",)), b=data(7), c=data(7))
    assert (decided["survivor"], decided["peers"], decided["problems"]) == ("a", [], [])


def test_after_a_recovery_every_node_that_answers_joins_anew() -> None:
    seen = {"nodes": [{"url": "https://a:8200", **WELL}]}
    hostvars = {"a": {"vault_server_raft_data": USED}, "b": {"vault_server_raft_data": USED}, "c": {}}
    found = quorum.vault_replacement(NODES, seen, {"leader": "id-a", "peers": [{"id": "id-a"}]}, hostvars, "", True)
    assert (found["take"], found["remove"], found["problems"], found["in_order"]) == (["b"], [], [], False)
