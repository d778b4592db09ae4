# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Integrated storage: peers and autopilot. Source: /api-docs/system/storage/raft and raftautopilot."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.reconcile import apply, plan
from ..._engine.report import Report
from ..._engine.resource import Change, Resource
from ..connection.client import Client
from ..connection.errors import BadRequest, Unreachable, VaultError

AUTOPILOT = "sys/storage/raft/autopilot/configuration"
PAUSE = 1.0
#: seconds without contact to the leader after which an unhealthy peer counts as silent; autopilot's own default
CONTACT = 10


def peers(client: Client) -> list[dict[str, Any]]:
    """Return the raft peers: id, address, leader, voter, and healthy, status and last_contact as autopilot sees them.

    Raises SecretopsError when the storage is not raft.
    """
    try:
        answer = client.read("sys/storage/raft/configuration") or {}
    except BadRequest as error:
        raise InvalidInput(
            "the server does not use integrated storage (raft)", client.url, "leave the raft settings out"
        ) from error
    found = []
    states = autopilot_state(client).get("servers") or {}
    for server in (answer.get("config") or {}).get("servers") or []:
        state = states.get(server["node_id"]) or {}
        found.append(
            {
                "id": server["node_id"],
                "address": server.get("address"),
                "leader": bool(server.get("leader")),
                "voter": bool(server.get("voter")),
                "healthy": state.get("healthy"),
                "status": state.get("node_status"),
                "last_contact": state.get("last_contact"),
                "version": state.get("version"),
            }
        )
    return sorted(found, key=lambda peer: str(peer["id"]))


def autopilot_state(client: Client) -> dict[str, Any]:
    """Return autopilot's state, {} where there is none. Only the leader has it: requests are forwarded."""
    try:
        return client.read("sys/storage/raft/autopilot/state") or {}
    except BadRequest:
        return {}


def silent(peer: Mapping[str, Any]) -> bool:
    """Tell whether a peer does not answer.

    ``node_status`` stays ``alive`` for ``dead_server_last_contact_threshold``, 24 hours by default: before
    that only an unhealthy peer's last contact tells. One that has just joined is unhealthy too, and in contact.
    """
    if peer["status"] not in (None, "alive"):
        return True
    try:
        contact = normalise.seconds(peer["last_contact"]) or 0
    except InvalidInput:
        contact = 0  # microseconds
    return peer["healthy"] is False and contact > CONTACT


def dead(found: list[dict[str, Any]]) -> list[str]:
    """Return the ids of the peers that do not answer."""
    return [str(peer["id"]) for peer in found if silent(peer)]


class Autopilot(Resource):
    """Autopilot's configuration: only what is declared is compared."""

    kind = "autopilot"
    fields = {
        "dead_server_last_contact_threshold": normalise.seconds,
        "last_contact_threshold": normalise.seconds,
        "server_stabilization_time": normalise.seconds,
    }

    def __init__(self, client: Client, config: Mapping[str, Any]) -> None:
        self.client = client
        super().__init__("raft", config)

    def check(self) -> None:
        desired = self.desired or {}
        for name in self.fields:
            normalise.seconds(desired.get(name))
        if desired.get("cleanup_dead_servers") and (desired.get("min_quorum") or 0) < 3:
            raise InvalidInput(
                '"cleanup_dead_servers" needs a "min_quorum" of 3 or more',
                remedy='set "min_quorum" to the number of voters',
            )

    def read(self) -> Mapping[str, Any] | None:
        return self.client.read(AUTOPILOT) or {}

    def write(self, change: Change) -> None:
        # the server replaces the whole of it
        known = (
            "cleanup_dead_servers",
            "dead_server_last_contact_threshold",
            "last_contact_threshold",
            "max_trailing_logs",
            "min_quorum",
            "server_stabilization_time",
            "disable_upgrade_migration",
        )
        current = {name: value for name, value in (change.current or {}).items() if name in known}
        if not current.get("disable_upgrade_migration"):
            # the community edition shows it and refuses to be sent it
            current.pop("disable_upgrade_migration", None)
        self.client.write(AUTOPILOT, {**current, **change.desired})


class Peer(Resource):
    """A raft peer that is to be gone."""

    kind = "raft peer"

    def __init__(self, client: Client, name: str, force: bool) -> None:
        self.client = client
        self.force = force
        super().__init__(name, None)

    def read(self) -> Mapping[str, Any] | None:
        peer = next((one for one in peers(self.client) if one["id"] == self.name), None)
        if peer is None:
            return None
        if peer["leader"]:
            raise InvalidInput("is the leader", remedy="stop it or let it step down first")
        if peer["status"] == "alive" and not silent(peer) and not self.force:
            raise InvalidInput("is alive", remedy='stop that server first, or set "force" to remove it nevertheless')
        return {"address": peer["address"], "voter": peer["voter"], "status": peer["status"]}

    def delete(self, change: Change) -> None:
        self.client.write("sys/storage/raft/remove-peer", {"server_id": self.name})


class Quorum(Resource):
    """The voters that are to be there: reading waits for them. Never changes anything."""

    kind = "raft cluster"

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self.client = client
        self.voters: int | None = params["voters"]
        self.wanted = set(params["peers"] or []) if params["state"] == "present" else set()
        self.seconds: int = params["wait_timeout"]
        super().__init__("peers", {})

    def _look(self) -> str:
        """Return what is still missing, empty when all is there; fills `info`."""
        found = peers(self.client)
        state = autopilot_state(self.client)
        voters = [str(peer["id"]) for peer in found if peer["voter"]]
        leaders = [str(peer["id"]) for peer in found if peer["leader"]]
        self.info.update(
            peers=found,
            voters=voters,
            leader=leaders[0] if leaders else None,
            dead_peers=dead(found),
            healthy=state.get("healthy"),
            failure_tolerance=state.get("failure_tolerance"),
        )
        if len(leaders) != 1:
            return "has no leader"
        missing = sorted(self.wanted - set(voters))
        if missing:
            return "%s %s no voter yet" % (", ".join(missing), "is" if len(missing) == 1 else "are")
        if self.voters is not None and len(voters) < self.voters:
            return "has %d voters (%s) of %d" % (len(voters), ", ".join(voters), self.voters)
        # a voter that is down counts in the configuration, and answers nothing
        lost = [name for name in self.info["dead_peers"] if name in voters]
        if self.voters is not None and len(voters) - len(lost) < self.voters:
            return "%s does not answer" % ", ".join(lost)
        return ""

    def read(self) -> Mapping[str, Any] | None:
        deadline = time.monotonic() + self.seconds
        waits = self.voters is not None or bool(self.wanted)
        while True:
            try:
                problem = self._look()
            except (Unreachable, VaultError) as error:
                # no leader at this moment: the server says 500
                if not waits or time.monotonic() > deadline or error.status not in (0, 500, 503):
                    raise
                problem = error.what
            if not waits or not problem:
                return {}
            if time.monotonic() > deadline:
                raise SecretopsError(
                    "%s after %d seconds" % (problem, self.seconds),
                    remedy="see that each node runs, is unsealed and has joined; see the servers' logs",
                )
            time.sleep(PAUSE)


def resources(client: Client, params: Mapping[str, Any]) -> list[Resource]:
    """Return what the options declare."""
    found: list[Resource] = []
    if params["autopilot"]:
        found.append(Autopilot(client, params["autopilot"]))
    if params["state"] == "absent":
        if not params["peers"]:
            raise InvalidInput('"state" is "absent", but no peer is named', remedy='name them in "peers"')
        found += [Peer(client, name, params["force"]) for name in params["peers"]]
    else:
        found.append(Quorum(client, params))
    return found


def reconcile(client: Client, params: Mapping[str, Any], check_mode: bool) -> Report:
    """Converge what the options declare, then wait for the voters: a lasting fault must not keep autopilot from it."""
    declared = resources(client, params)
    waits = [one for one in declared if isinstance(one, Quorum)]
    changes = plan([one for one in declared if not isinstance(one, Quorum)])
    if not check_mode:
        apply(changes)
    return Report(changes + plan(waits), check_mode)


def state(report: Report) -> dict[str, Any]:
    """Return what was seen of the cluster."""
    return next((dict(one.resource.info) for one in report.changes if isinstance(one.resource, Quorum)), {})
