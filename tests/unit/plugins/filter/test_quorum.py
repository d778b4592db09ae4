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
) -> dict[str, Any]:
    """Return what is decided where a and c are in order."""
    shown = {"a": WELL, "c": WELL, "b": WELL if b is None else b}
    seen = {"nodes": [{"url": f"https://{name}:8200", **one} for name, one in shown.items()]}
    raft = {"leader": leader, "peers": [{"id": f"id-{name}"} for name in peers]}
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
