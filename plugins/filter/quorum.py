# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that decide which lost nodes are replaced, and from which node a lost quorum is recovered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable

from ansible_collections.secretops.vault_eso.plugins.filter.confirmation import NO, YES
from ansible_collections.secretops.vault_eso.plugins.filter.listed import listed

#: what a node can be, and what is said of it
IN_ORDER = "in order"
UNREACHED = "unreached"
EMPTY = "empty"
REMOVED = "removed"
DOWN = "down"
_SAYS = {
    IN_ORDER: "is a peer and serves",
    UNREACHED: "no host answers, or --limit leaves it out; set one up under this name and address, then replace the node",
    EMPTY: "its disk holds no data; replacing the node has it join as a new one",
    REMOVED: "has data of its own and is no peer of the cluster, so that what it answers is out of date",
    DOWN: "is a peer with data, and does not serve; start and unseal it, unless its data are lost or damaged",
}
_WOULD = "; its data are set aside on the host, and it joins as a new node"


def vault_replacement(
    nodes: Sequence[Mapping[str, Any]],
    seen: Any,
    raft: Any,
    hostvars: Mapping[str, Any],
    confirmed: Any,
    joinable: bool = False,
) -> dict[str, Any]:
    """Return which nodes are replaced, and what is said of each.

    ``nodes`` as vault_rolling_nodes returns them, ``seen`` the result of vault_info, ``raft`` that of vault_raft. The fact
    ``vault_server_raft_data`` of a host is the result of vault_raft_data there; a host without it was not reached.
    ``joinable`` takes every node that a host answers for and that is no peer, as after the recovery of a quorum.
    The result has ``take`` (names of hosts; none while there are ``problems``), ``remove`` (IDs of raft peers) and ``lines``.
    """
    shown = {one.get("url"): one for one in (seen or {}).get("nodes") or []}
    peers = {str(one["id"]): one for one in (raft or {}).get("peers") or []}
    wanted = [str(one) for one in listed(confirmed)]
    states = {
        node["name"]: _state(shown.get(node["url"]) or {}, node["id"] in peers, _data(hostvars, node["name"]))
        for node in nodes
    }
    if joinable:
        wanted += [name for name, state in states.items() if state in (EMPTY, REMOVED)]
    chosen = [name for name in states if name in wanted and states[name] not in (IN_ORDER, UNREACHED)]
    problems = [
        *_problems(states, wanted, bool((raft or {}).get("leader")), hostvars, joinable),
        *_may_serve(nodes, states, peers, chosen),
    ]
    take = [] if problems else chosen
    lines = [
        "%s: %s%s"
        % (
            name,
            _SAYS[state],
            _WOULD if name in take and state in (REMOVED, DOWN) else "",
        )
        for name, state in states.items()
    ]
    return {
        "take": take,
        "remove": [node["id"] for node in nodes if node["name"] in take and node["id"] in peers],
        "ids": [node["id"] for node in nodes if node["name"] in take],
        "urls": [node["url"] for node in nodes if node["name"] in take],
        "lines": lines,
        "in_order": set(states.values()) == {IN_ORDER},
        "problems": problems,
    }


def _data(hostvars: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    found = hostvars[name].get("vault_server_raft_data") if name in hostvars else None
    return found if isinstance(found, Mapping) and "used" in found else None


def _state(seen: Mapping[str, Any], peer: bool, data: Mapping[str, Any] | None) -> str:
    serves = bool(seen.get("reachable")) and not seen.get("sealed") and bool(seen.get("leader"))
    if peer and serves:
        return IN_ORDER
    if data is None:
        return UNREACHED
    if not data["used"]:
        return EMPTY
    return DOWN if peer else REMOVED


def _problems(
    states: Mapping[str, str], wanted: Iterable[str], leader: bool, hostvars: Mapping[str, Any], joinable: bool
) -> list[str]:
    wanted = list(wanted)
    found = []
    if not leader:
        found.append("no node leads, so that no peer can be replaced; if most of them are lost, run recover_quorum.yml")
    unknown = [name for name in wanted if name not in hostvars and name.lower() not in NO]
    if any(name.lower() in YES for name in unknown):
        found.append("name the node to replace (-e replace_confirmed=NODE)")
    elif unknown:
        found.append("replace_confirmed names %s, which the inventory does not know" % ", ".join(unknown))
    found += [
        "no host answers as %s, or --limit leaves it out; set one up under this name and address first" % name
        for name, state in states.items()
        if name in wanted and state == UNREACHED
    ]
    open_ones = [name for name, state in states.items() if state != IN_ORDER]
    if open_ones and not joinable and not [name for name in wanted if name in states] and not unknown:
        found.append("confirm the node to replace by its name (-e replace_confirmed=%s)" % open_ones[0])
    return found


def _may_serve(
    nodes: Sequence[Mapping[str, Any]],
    states: Mapping[str, str],
    peers: Mapping[str, Mapping[str, Any]],
    chosen: Sequence[str],
) -> Iterator[str]:
    """Yield why a node that is chosen may be one that serves, whatever this controller sees of it."""
    ids = {node["name"]: node["id"] for node in nodes}
    heard = [name for name in chosen if states[name] == DOWN and peers[ids[name]].get("healthy")]
    if heard:
        yield (
            "the leader hears from %s, though this controller does not see it serve; see why, or stop its server first, and"
            " run this again half a minute later" % " and ".join(heard)
        )
    strangers = sorted(set(peers) - set(ids.values()))
    removed = [name for name in chosen if states[name] == REMOVED]
    if strangers and removed:
        yield (
            "the inventory has no server with the ID of the raft peers %s, so that %s may be one of them; set"
            " vault_server_node_id to the ID that it has, or remove the peers that are gone (module vault_raft)"
            % (", ".join(strangers), " and ".join(removed))
        )


def vault_recovery(
    nodes: Sequence[Mapping[str, Any]], seen: Any, hostvars: Mapping[str, Any], lost: Any
) -> dict[str, Any]:
    """Return from which node a lost quorum is recovered: the one whose log ends last, of those that are not lost.

    ``nodes``, ``seen`` and the facts of the hosts as for vault_replacement; ``lost`` are the names of servers that are down
    for good. The result has ``led`` (the address of a leader: then there is nothing to recover), ``survivor``, ``url``,
    ``peers`` (what its file peers.json is to contain, [] where it needs none), ``lines`` and ``problems``.
    """
    gone = [str(one) for one in listed(lost)]
    known = {node["name"]: _data(hostvars, node["name"]) for node in nodes}
    able = {
        node["name"]: data
        for node in nodes
        for data in [known[node["name"]]]
        if data is not None and node["name"] not in gone and _usable(data, node["id"])
    }
    name = max(able, key=lambda one: (able[one]["term"], able[one]["index"]), default="")
    found: dict[str, Any] = {
        "led": next((str(one["url"]) for one in (seen or {}).get("nodes") or [] if one.get("active")), ""),
        "survivor": name,
        "url": "",
        "peers": [],
        "lines": [
            "%s: %s" % (node["name"], _end_of(known[node["name"]], node["id"], node["name"] in gone)) for node in nodes
        ],
        "problems": [],
    }
    if found["led"]:
        return found
    if name:
        ids = {node["name"]: node["id"] for node in nodes}
        voters = [peer["id"] for peer in able[name]["peers"] if peer["suffrage"] == "voter"]
        found["url"] = next(node["url"] for node in nodes if node["name"] == name)
        if voters != [ids[name]]:
            address = next(peer["address"] for peer in able[name]["peers"] if peer["id"] == ids[name])
            found["peers"] = [{"id": ids[name], "address": address, "non_voter": False}]
            found["problems"] += _alive(able, ids, voters)
    else:
        found["problems"].append(
            "no host has data that could be used; build the cluster anew by site.yml, and restore a snapshot by restore.yml"
        )
    silent = [one for one, data in known.items() if data is None and one not in gone]
    if silent:
        found["problems"].append(
            "no host answers as %s, which may serve others all the same; leave none out by --limit, make sure that it is "
            "off for good, then name it (-e recover_lost=%s)" % (" and ".join(silent), ",".join([*gone, *silent]))
        )
    unknown = [one for one in gone if one not in known and one.lower() not in NO]
    if unknown:
        found["problems"].append("recover_lost names %s, which is no server of this cluster" % ", ".join(unknown))
    return found


def _usable(data: Mapping[str, Any], own: str) -> bool:
    return bool(data["used"]) and not data["problem"] and any(peer["id"] == own for peer in data["peers"])


def _end_of(data: Mapping[str, Any] | None, own: str, gone: bool) -> str:
    if data is None:
        said = "no host answers"
    elif data["problem"]:
        said = "its data cannot be read (%s)" % data["problem"]
    elif not data["used"]:
        said = "its disk holds no data"
    else:
        said = "its log ends at index %s of term %s" % (data["index"], data["term"])
        if not _usable(data, own):
            others = ", ".join(str(peer["id"]) for peer in data["peers"])
            said += ", and its peers are %s, without its own ID %s (vault_server_node_id)" % (others or "unknown", own)
    return said + (", and it is named as lost" if gone else "")


def _alive(able: Mapping[str, Any], ids: Mapping[str, str], voters: Sequence[str]) -> list[str]:
    """Return why the quorum is not lost: enough voters have their data."""
    there = [name for name in able if ids[name] in voters]
    if 2 * len(there) <= len(voters):
        return []
    return [
        "%s have their data, and are enough of %d voters to elect a leader; start and unseal them by vault.yml. If they "
        "cannot serve, name those that are lost (-e recover_lost=NODE,NODE)" % (" and ".join(there), len(voters))
    ]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"vault_recovery": vault_recovery, "vault_replacement": vault_replacement}
