# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What a cluster tells of itself: never a secret. Source: /api-docs/system (health, seal-status, leader, mounts)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..._engine.secret_patterns import masked
from ..connection.client import Client
from ..connection.errors import BadRequest, Unreachable, VaultError
from . import mounted, raft
from .status import product_of, seal_status

OPEN = ("health",)
#: what C(all) stands for
SUBSETS = ("health", "readiness", "mounts", "auth", "policies", "raft")
#: what has to be asked for by name, as it takes a request for each mount
COSTLY = ("answers",)
#: a path that no node forwards, which a standby of OpenBao serves by what it would lead with
LOCAL_ONLY = "sys/config/state/sanitized"
_MOUNT = ("type", "description", "accessor", "local", "seal_wrap", "options", "running_plugin_version")


def chosen(subset: Sequence[str]) -> list[str]:
    """Return the names of the parts that are asked for."""
    return [name for name in (*SUBSETS, *COSTLY) if name in subset or ("all" in subset and name in SUBSETS)]


def needs_token(subset: Sequence[str]) -> bool:
    """Tell whether a part is asked for that only an authenticated client may see."""
    return any(name not in OPEN for name in chosen(subset))


def node(client: Client, url: str) -> dict[str, Any]:
    """Return the state of one node; one that does not answer is ``reachable: false`` with the reason."""
    try:
        status = seal_status(client, url, retries=0)
    except (Unreachable, VaultError) as error:
        return {"url": url, "reachable": False, "error": str(error), "error_code": error.code}
    health = client.health(url) or {}
    found: dict[str, Any] = {
        "url": url,
        "reachable": True,
        "initialized": bool(status.get("initialized")),
        "sealed": bool(status.get("sealed")),
        "standby": None if status.get("sealed") else bool(health.get("standby")),
        "active": bool(health) and not status.get("sealed") and not health.get("standby"),
        "product": product_of(status, health),
        "version": status.get("version"),
        "seal_type": status.get("type"),
        "threshold": status.get("t"),
        "shares": status.get("n"),
        "migrating": bool(status.get("migration")),
        "unseal_progress": status.get("progress"),
        "storage_type": status.get("storage_type"),
        "cluster_name": status.get("cluster_name") or None,
        "cluster_id": status.get("cluster_id") or None,
        "leader": None,
    }
    if not found["sealed"]:
        try:
            leader = client.at(url).api.sys.read_leader_status()
            found["leader"] = leader.get("leader_address") or None
            found["applied_index"] = leader.get("raft_applied_index")
            if found["migrating"] and not health:
                # its health is an error as well
                found["active"] = bool(leader.get("is_self"))
                found["standby"] = not found["active"]
        except VaultError as error:
            found["error"] = str(error)
    return found


def readiness(client: Client, nodes: Sequence[dict[str, Any]]) -> None:
    """Tell of each node whether it is ``ready`` to lead; C(None) where nobody can say.

    A standby of OpenBao loads mounts and audit devices as it would to lead, and serves by them what is not forwarded.
    One that cannot load them forwards everything and seems well, until no other node leads. The active node shows
    whether the token may ask at all, and whether standbys serve.
    """
    for one in nodes:
        one["ready"] = True if one.get("active") else None
    active = next((one for one in nodes if one.get("active")), None)
    if active is None or active.get("product") != "openbao":
        return
    client = client.within(None)
    try:
        config = client.at(active["url"], client.token).read(LOCAL_ONLY) or {}
    except VaultError:
        return
    if config.get("disable_standby_reads"):
        return
    for one in nodes:
        if one.get("standby"):
            one["ready"] = _serves(client, one["url"])


def _serves(client: Client, url: str) -> bool | None:
    try:
        client.at(url, client.token).read(LOCAL_ONLY)
    except BadRequest:
        return False
    except VaultError:
        return None
    return True


def _mounts(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        path: {name: masked(mount.get(name)) for name in _MOUNT}
        for path, mount in sorted(data.items())
        if isinstance(mount, dict) and "type" in mount
    }


def gather(client: Client, subset: Sequence[str]) -> dict[str, Any]:
    """Return the parts of ``subset``. Raises SecretopsError when a part cannot be had.

    Those of the whole cluster are asked for in the root namespace: a server refuses them in any other.
    """
    parts = chosen(subset)
    result: dict[str, Any] = {}
    if "health" in parts or "readiness" in parts:
        urls = client.urls
        with ThreadPoolExecutor(max_workers=min(8, len(urls))) as pool:
            nodes = list(pool.map(lambda url: node(client, url), urls))
        if "readiness" in parts:
            readiness(client, nodes)
        known = [one for one in nodes if one.get("cluster_name")]
        result.update(
            nodes=nodes,
            initialized=any(one.get("initialized") for one in nodes),
            sealed_nodes=[one["url"] for one in nodes if one.get("sealed")],
            unreachable_nodes=[one["url"] for one in nodes if not one["reachable"]],
            active_node=next((one["url"] for one in nodes if one.get("active")), None),
            cluster_name=known[0]["cluster_name"] if known else None,
            cluster_id=known[0]["cluster_id"] if known else None,
            product=next((one["product"] for one in nodes if one.get("product")), None),
            versions=sorted({str(one["version"]) for one in nodes if one.get("version")}),
        )
    if "mounts" in parts:
        result["mounts"] = _mounts(client.read("sys/mounts") or {})
    if "auth" in parts:
        result["auth_methods"] = _mounts(client.read("sys/auth") or {})
    if "policies" in parts:
        result["policies"] = sorted(client.list("sys/policies/acl"))
    if "raft" in parts:
        result["raft_peers"] = raft.peers(client.within(None))
        result["raft_dead_peers"] = raft.dead(result["raft_peers"])
    if "answers" in parts:
        result["mounted"] = mounted.mounted(client)
    return result
