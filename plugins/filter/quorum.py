# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which nodes that are lost are replaced. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from ansible_collections.secretops.vault_eso.plugins.filter.confirmation import NO, YES
from ansible_collections.secretops.vault_eso.plugins.filter.listed import listed

#: what a node can be, and what is said of it
IN_ORDER, UNREACHED, EMPTY, REMOVED, DOWN = "in order", "unreached", "empty", "removed", "down"
_SAYS = {
    IN_ORDER: "is a peer and serves",
    UNREACHED: "no host answers; set one up under this name and address, then replace the node",
    EMPTY: "its disk holds no data; replacing the node has it join as a new one",
    REMOVED: "has data of its own and is no peer of the cluster, so that what it answers is out of date",
    DOWN: "is a peer with data, and does not serve; start and unseal it, unless its data are lost or damaged",
}
_WOULD = "; its data are set aside on the host, and it joins as a new node"


def vault_replacement(
    nodes: Sequence[Mapping[str, Any]], seen: Any, raft: Any, hostvars: Mapping[str, Any], confirmed: Any
) -> dict[str, Any]:
    """Return which nodes are replaced, and what is said of each.

    ``nodes`` as vault_rolling_nodes returns them, ``seen`` the result of vault_info, ``raft`` that of vault_raft. The fact
    ``vault_server_raft_data`` of a host is the result of vault_raft_data there; a host without it was not reached.
    The result has ``take`` (names of hosts), ``remove`` (IDs of raft peers), ``lines`` and ``problems``.
    """
    shown = {one.get("url"): one for one in (seen or {}).get("nodes") or []}
    peers = {str(one["id"]): one for one in (raft or {}).get("peers") or []}
    wanted = [str(one) for one in listed(confirmed)]
    states = {
        node["name"]: _state(shown.get(node["url"]) or {}, node["id"] in peers, _data(hostvars, node["name"]))
        for node in nodes
    }
    take = [name for name in states if name in wanted and states[name] not in (IN_ORDER, UNREACHED)]
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
        "problems": _problems(states, wanted, bool((raft or {}).get("leader")), hostvars),
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


def _problems(states: Mapping[str, str], wanted: Iterable[str], leader: bool, hostvars: Mapping[str, Any]) -> list[str]:
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
        "no host answers as %s; set one up under this name and address first" % name
        for name, state in states.items()
        if name in wanted and state == UNREACHED
    ]
    open_ones = [name for name, state in states.items() if state != IN_ORDER]
    if open_ones and not [name for name in wanted if name in states] and not unknown:
        found.append("confirm the node to replace by its name (-e replace_confirmed=%s)" % open_ones[0])
    return found


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"vault_replacement": vault_replacement}
