# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which the role vault_rolling decides which node goes next, and whether the cluster can spare it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state
from ansible_collections.secretops.vault_eso.plugins.module_utils._http import failure
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products

Node = Mapping[str, Any]


def vault_rolling_nodes(hostvars: Mapping[str, Any], names: Iterable[str], cluster: str) -> list[dict[str, str]]:
    """Return name, raft node ID and address of each server of a cluster, from what the inventory says of it."""
    found = []
    for name in names:
        host = hostvars[name]
        if host.get("vault_cluster_name", "") != cluster:
            continue
        address = str(host.get("vault_server_address", host.get("ansible_host", name)))
        authority = "[%s]" % address if ":" in address else address
        url = host.get("vault_server_api_addr", "https://%s:%s" % (authority, host.get("vault_server_api_port", 8200)))
        found.append(
            {"name": str(name), "id": host.get("vault_server_node_id", name), "url": re.sub("/$", "", str(url))}
        )
    return found


def vault_rolling_urls(nodes: Iterable[Node], hostvars: Mapping[str, Any], done: Sequence[str] = ()) -> list[str]:
    """Return the addresses at which the nodes are reached now.

    Until its restart a node listens where it was told to when it started, which its server found; those that are ``done`` are
    where the inventory says.
    """
    return [_url(node, _told(hostvars, node["name"]), done) for node in nodes]


def _url(node: Node, known: Node, done: Sequence[str]) -> str:
    if node["name"] in done:
        return str(node["url"])
    return state.at_port(str(node["url"]), int(known.get("new_port") or 0), int(known.get("port") or 0))


def _without_metadata(version: Any) -> str:
    return str(version or "").partition("+")[0]


def vault_rolling_plan(
    nodes: Iterable[Node], seen: Any, hostvars: Mapping[str, Any], done: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return what is known of each node: as its server found it, as the API shows it now, and what it needs.

    ``seen`` is the result of vault_info, the fact ``__vault_rolling_node`` of each host what its server found. A node that
    is ``done``, or of which no server told anything, needs nothing.
    """
    shown = {one.get("url"): one for one in reversed((seen or {}).get("nodes") or [])}
    found = []
    for node in nodes:
        known = _told(hostvars, node["name"])
        url = _url(node, known, done)
        found.append({"url": url, **_planned(node, shown.get(url) or {}, known, done)})
    return found


def _told(hostvars: Mapping[str, Any], name: str) -> Node:
    return (hostvars[name].get("__vault_rolling_node") or {}) if name in hostvars else {}


def _planned(node: Node, seen: Node, known: Node, done: Sequence[str]) -> dict[str, Any]:
    reachable, sealed = bool(seen.get("reachable")), bool(seen.get("sealed"))
    # a node in a migration of its seal does not tell its version
    version = (_without_metadata(seen.get("version")) if reachable else "") or str(known.get("installed") or "")
    other = bool(known) and version != known["target"]
    unable = seen.get("ready") is False
    needs, restart = [], []
    if known and node["name"] not in done:
        if sealed:
            needs.append("is sealed")
        if not reachable:
            restart.append(_silent(seen))
        if other:
            restart.append("runs %s instead of %s" % (version, known["target"]))
        if unable:
            restart.append("could not lead")
        if known.get("reasons"):
            restart.append("pending: %s" % ", ".join(known["reasons"]))
    return {
        "name": node["name"],
        "new_url": node["url"],
        "id": node["id"],
        "version": version,
        "target": known.get("target", version),
        "down": not reachable or sealed,
        "active": bool(seen.get("active")),
        "other": other,
        "restart": bool(restart),
        "leader": seen.get("leader") or "",
        "index": seen.get("applied_index") or 0,
        "unable": unable,
        "standby": seen.get("standby") or False,
        "sealed": sealed,
        "reachable": reachable,
        "silent": "" if reachable else _silent(seen),
        "initialized": bool(seen.get("initialized")),
        "seal": seen.get("seal_type") or "shamir",
        "storage": seen.get("storage_type") or "",
        "needs": needs + restart,
    }


def _silent(seen: Node) -> str:
    """Say that a node does not answer, with the reason where it is not the node's own: a proxy, a certificate."""
    if seen.get("error_code") in (None, failure.REFUSED, failure.TIMEOUT):
        return "does not answer"
    return "does not answer (%s)" % seen["error"]


def vault_rolling_todo(plan: Sequence[Node]) -> list[Node]:
    """Return the nodes that need something, in this order: what is down already, the standbys that could not lead, the others, the leader."""
    todo = [node for node in plan if node["needs"]]
    up = [node for node in todo if not node["down"]]
    return (
        [node for node in todo if node["down"]]
        + [node for node in up if node["unable"]]
        + [node for node in up if not node["active"] and not node["unable"]]
        + [node for node in up if node["active"]]
    )


def vault_rolling_newest(plan: Iterable[Node]) -> str:
    """Return the newest version that answers, C(0) when none does."""
    versions = [node["version"] for node in plan if node["reachable"] and node["version"]]
    return max(versions, key=products.parse_version, default="0")


def vault_rolling_node_problems(plan: Sequence[Node]) -> list[str]:
    """Return why the cluster cannot spare a node, from what its nodes say of themselves.

    A node that is down, or could not lead, and in this run's hands hinders no other: it is the one that is helped first.
    """
    excused = {node["name"] for node in vault_rolling_todo(plan) if node["down"] or node["unable"]}
    asked = [node for node in plan if node["name"] not in excused]
    found = []
    for node in asked:
        if not node["reachable"]:
            found.append("%s %s" % (node["name"], node["silent"]))
        if node["sealed"]:
            found.append("%s is sealed" % node["name"])
        if node["unable"]:
            found.append("%s could not lead: it cannot load what the server holds, and its log says why" % node["name"])
    active = [node["name"] for node in asked if node["active"]]
    if not active:
        found.append("no node is active")
    if len(active) > 1:
        found.append("%s all say that they are active" % " and ".join(active))
    if len({node["leader"] for node in asked if not node["down"]}) != 1:
        found.append("the nodes do not agree on one leader")
    return found


def vault_rolling_removed(plan: Iterable[Node], raft: Any) -> list[str]:
    """Return the nodes that were removed from the cluster: they are unsealed, so they have its data, and are no peers.

    Such a node never gets a leader, so that waiting for it helps nothing. A new one is sealed until it has joined.
    ``raft`` is the result of vault_raft.
    """
    peers = {peer["id"] for peer in (raft or {}).get("peers") or []}
    return [
        node["name"]
        for node in plan
        if peers and node["initialized"] and not node["sealed"] and node["id"] not in peers
    ]


def vault_rolling_raft_problems(raft: Any, voters: Sequence[str], tolerance: int) -> list[str]:
    """Return why the cluster cannot spare a node, from what raft and autopilot say.

    ``raft`` is the result of vault_raft, ``voters`` are the node IDs that have to be voters and no others, ``tolerance``
    is how many of them may fail without an outage.
    """
    if not isinstance(raft, Mapping) or "voters" not in raft:
        return [str((raft or {}).get("msg") or "the raft peers cannot be read")]
    return list(_raft_problems(raft, voters, int(tolerance)))


def _raft_problems(raft: Node, voters: Sequence[str], tolerance: int) -> Iterator[str]:
    for name in voters:
        if name not in raft["voters"]:
            yield "%s is no voter" % name
    for name in raft["voters"]:
        if name not in voters:
            yield "%s is a voter that the inventory does not know" % name
    for name in raft["dead_peers"]:
        yield "%s is a dead peer" % name
    if not raft["healthy"]:
        yield "autopilot does not find the cluster healthy"
    spared = int(raft.get("failure_tolerance") or 0)
    if spared < tolerance:
        yield "the cluster tolerates the failure of %d voters, not of %d" % (spared, tolerance)


def _of_nodes(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that refuses what is not a list of nodes."""

    def filtered(nodes: Any, *arguments: Any) -> Any:
        if not isinstance(nodes, Sequence) or isinstance(nodes, str):
            raise AnsibleFilterError("%s: takes a list of nodes" % name)
        return function(nodes, *arguments)

    return filtered


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "vault_rolling_newest": _of_nodes("vault_rolling_newest", vault_rolling_newest),
            "vault_rolling_node_problems": _of_nodes("vault_rolling_node_problems", vault_rolling_node_problems),
            "vault_rolling_nodes": vault_rolling_nodes,
            "vault_rolling_plan": _of_nodes("vault_rolling_plan", vault_rolling_plan),
            "vault_rolling_raft_problems": vault_rolling_raft_problems,
            "vault_rolling_removed": _of_nodes("vault_rolling_removed", vault_rolling_removed),
            "vault_rolling_todo": _of_nodes("vault_rolling_todo", vault_rolling_todo),
            "vault_rolling_urls": _of_nodes("vault_rolling_urls", vault_rolling_urls),
        }
