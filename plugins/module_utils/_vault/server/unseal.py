# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Unsealing nodes by their key shares, or waiting for those that unseal themselves.

Source: /api-docs/system/unseal, /api-docs/system/leader.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.reconcile import reconcile
from ..._engine.resource import NONE, Change, Resource
from ..._http import rules
from ..connection.client import Client
from ..connection.errors import BadRequest, Unreachable, VaultError
from ..connection.module import VaultModule
from .key_store import KeyStore, former_shares, shares_from
from .shares import Share, attempts, distinct, enough, outsiders
from .status import PAUSE, opens_by_itself, seal_status, wait_seal_status

#: seconds that a node gets to take one share; a node that cannot join with it never answers
SHARE_TIMEOUT = 20


class NodeSeal(Resource):
    """One node, which is to be unsealed."""

    kind = "node"
    own_server = True

    def __init__(self, client: Client, url: str, params: Mapping[str, Any]) -> None:
        self.client = client.at(url)
        self.cluster = client
        self.params = params
        super().__init__(url.rstrip("/"), {"sealed": False})

    def read(self) -> Mapping[str, Any] | None:
        status = wait_seal_status(self.client, self.name, self.params["start_timeout"])
        # one that waits to join can only do so when an initialised one is open
        self.rank = 0 if status.get("initialized") else 1
        self.info.update(initialized=bool(status.get("initialized")), seal_type=status.get("type"))
        given, needed = int(status.get("progress") or 0), int(status.get("t") or 0)
        current = {"sealed": bool(status.get("sealed")), "initialized": bool(status.get("initialized"))}
        if not status.get("sealed") or not self._needs_shares(status):
            return current
        if self.params["partial"]:
            self.info.update(given=given, threshold=needed)
            distinct(self._shares())
            return {**current, "shares_given": given}
        if status.get("initialized"):
            # too few of them are told before any node is given one, and in check mode
            self._candidates(needed)
        return current

    def _needs_shares(self, status: Mapping[str, Any]) -> bool:
        """Tell whether a sealed node needs key shares. Raises InvalidInput for one that nobody told to migrate."""
        if status.get("migration") and not self.params["migrate"]:
            raise InvalidInput(
                "was started with another seal than the cluster has, and waits for a migration",
                remedy='migrate by the playbook migrate_seal.yml, which sets "migrate", or go back to the former seal',
            )
        return bool(status.get("migration")) or not opens_by_itself(status)

    def _shares(self) -> list[str]:
        # a key store tells what its shares were before the migration, until all nodes have it behind them
        return shares_from(self.params, recovery=self.params["migrate"])

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        given = (current or {}).get("shares_given")
        if given is None or not self.info.get("threshold"):
            return self.desired or {}
        expected = given + len(distinct(self._shares()))
        return {"sealed": False} if expected >= self.info["threshold"] else {"shares_given": expected}

    def _candidates(self, needed: int) -> list[tuple[int, list[Share]]]:
        """Return the sets of shares that are enough, and the generation of those that a rekey replaced, else 0.

        Raises InvalidInput when there are none.
        """
        found: list[tuple[int, list[Share]]] = []
        refused: SecretopsError | None = None
        try:
            found.append((0, enough(self._shares(), needed)))
        except InvalidInput as error:
            refused = error
        for generation, texts in former_shares(self.params):
            if len(set(texts)) >= needed:
                found.append((generation, distinct(texts)))
        if refused is not None and not found:
            raise refused
        return found

    def _until(self, wanted: str, deadline: float) -> dict[str, Any] | None:
        """Wait until ``initialized``, or ``unsealed``; None when the time is over."""
        while True:
            try:
                status = seal_status(self.client, self.name, retries=0)
                if status.get("initialized") and (wanted == "initialized" or not status.get("sealed")):
                    return status
            except (Unreachable, VaultError):
                pass
            if time.monotonic() > deadline:
                return None
            time.sleep(PAUSE)

    def write(self, change: Change) -> None:
        deadline = time.monotonic() + self.params["wait_timeout"]
        status = seal_status(self.client, self.name)
        if not self._needs_shares(status):
            if self._until("unsealed", deadline) is None:
                raise SecretopsError(
                    "still sealed after %s seconds, though its seal is %s"
                    % (self.params["wait_timeout"], status.get("type")),
                    remedy="see the server's log: does it reach its seal's key, and the other nodes?",
                )
        elif self.params["partial"]:
            if not self._give_some(status, change, deadline):
                return
        else:
            # known before anything is waited for
            self._candidates(int(status.get("t") or 0))
            found = self._until("initialized", deadline)
            if found is None:
                raise SecretopsError(
                    "not initialised, and it did not join a cluster within %s seconds" % self.params["wait_timeout"],
                    remedy="initialise the cluster with vault_init, or check the node's retry_join and the leader",
                )
            if found.get("sealed"):
                self._give(found, change)
            if self._until("unsealed", deadline) is None:
                raise SecretopsError(
                    "still sealed after %s seconds" % self.params["wait_timeout"],
                    remedy="see the server's log; a node that joins needs the leader and the cluster's own shares",
                )
        self.info["unsealed"] = True
        self._leader(deadline)

    def _give(self, status: Mapping[str, Any], change: Change) -> None:
        needed = int(status.get("t") or 0)
        node = self._quick()
        if status.get("progress"):
            self._reset(node)
        for generation, shares in self._candidates(needed):
            for basis in attempts(shares, needed):
                if not self._opened(node, basis, change, bool(status.get("migration"))):
                    continue
                if generation:
                    self.warnings.append(
                        "opened with the key shares of generation %d, which a rekey has replaced: its data are older"
                        " than that, as after a restore" % generation
                    )
                wrong = outsiders(basis, shares)
                if wrong:
                    self.warnings.append(
                        "opened, but number %s of those given is not one of this cluster's valid key shares"
                        % ", ".join(str(one.number) for one in wrong)
                    )
                return
        raise SecretopsError(
            "does not open with these shares",
            remedy="use the shares of this very cluster, and those that are valid since the last rekey",
        )

    def _quick(self) -> Client:
        node = self.client.at(self.name)
        node.timeout = min(node.timeout, SHARE_TIMEOUT)
        return node

    def _give_some(self, status: Mapping[str, Any], change: Change, deadline: float) -> bool:
        """Give the shares of some holders, and tell whether the node opened. The server keeps count of them."""
        if not status.get("initialized"):
            found = self._until("initialized", deadline) if self._others_serve() else None
            if found is None:
                change.action = NONE
                self.info["joining"] = True
                return False
            status = found
        before, node = int(status.get("progress") or 0), self._quick()
        self.info.update(given=before, threshold=int(status.get("t") or 0))
        for share in distinct(self._shares()):
            try:
                answer = node.api.sys.submit_unseal_key(share.text, migrate=bool(status.get("migration")))
            except BadRequest as error:
                change.touched = True
                raise SecretopsError(
                    "does not open with the key shares that it was given by now, and has forgotten them",
                    remedy="one of them is not of this cluster, or replaced by a rekey: let all holders begin again",
                ) from error
            if not answer.get("sealed", True):
                self.info["given"] = self.info["threshold"]
                return True
            self.info["given"] = int(answer.get("progress") or 0)
            change.touched = change.touched or self.info["given"] != before
        change.desired, change.fields = {"shares_given": self.info["given"]}, ["shares_given"]
        if not change.touched:
            # a share that was given before
            change.action = NONE
        return False

    def _others_serve(self) -> bool:
        """Tell whether a node is unsealed, which a new one can join."""
        for url in self.cluster.urls:
            try:
                if not seal_status(self.cluster, url, retries=0).get("sealed", True):
                    return True
            except (Unreachable, VaultError):
                continue
        return False

    @staticmethod
    def _reset(node: Client) -> None:
        node.request("PUT", "sys/unseal", {"reset": True}, idempotent=True, authenticated=False)

    def _opened(self, node: Client, basis: Sequence[Share], change: Change, migrate: bool) -> bool:
        """Give one set of shares; tell whether the server took it."""
        for number, share in enumerate(basis, 1):
            try:
                answer = node.api.sys.submit_unseal_key(share.text, migrate=migrate)
            except BadRequest:
                self._reset(node)
                return False
            except Unreachable as error:
                if number < len(basis):
                    raise
                # a joining node holds the request as long as it tries
                error.what = "took the shares, but gave no answer within %s seconds" % node.timeout
                error.remedy = "are they of this very cluster, and does the node reach the leader? See its log"
                raise
            change.touched = True
            if not answer.get("sealed", True):
                break
        return True

    def _is_led(self) -> bool:
        """Tell whether a node leads. After a crash a standby names the former leader until another one is elected."""
        state = self.client.api.sys.read_leader_status()
        if state.get("is_self") or not state.get("ha_enabled", True):
            return True
        address = str(state.get("leader_address") or "")
        if rules.origin(address) not in self.client.named:
            # it cannot be asked
            return bool(address)
        leader = self.client.at(address)
        leader.retries = 0
        return bool(leader.api.sys.read_leader_status().get("is_self"))

    def _leader(self, deadline: float) -> None:
        while True:
            try:
                if self._is_led():
                    return
            except VaultError:
                pass
            if time.monotonic() > deadline:
                self.warnings.append("unsealed, but the cluster has no leader: more than half of its voters must run")
                return
            time.sleep(PAUSE)


def unseal(module: VaultModule, client: Client) -> None:
    """Be the module of unsealing: all sealed nodes at the same time, as a leader needs more than half of them."""
    params, check_mode = module.params, module.check_mode
    nodes = [NodeSeal(client, url, params) for url in dict.fromkeys(client.urls)]
    report = reconcile(nodes, check_mode, workers=len(nodes))
    if params["key_store"] and report.changed and not check_mode:
        complete(KeyStore(params["key_store"]), client)
    if params["key_store"] and params["migrate"] and not check_mode:
        retype(KeyStore(params["key_store"]), client)
    changes = [one for one in report.changes if one.effective(check_mode)]
    module.finish(
        report,
        unsealed=[
            one.resource.name
            for one in changes
            if ("sealed" in one.desired if check_mode else one.resource.info.get("unsealed"))
        ],
        pending=[
            {"node": one.name, **{name: one.info.get(name) or 0 for name in ("given", "threshold")}}
            for one in (change.resource for change in report.changes)
            if "given" in one.info and not one.info.get("unsealed")
        ],
    )


def complete(store: KeyStore, client: Client) -> None:
    """Add to a key store what only an unsealed node tells: to which cluster it belongs."""
    data = store.load() if store.exists() else None
    if data is None or data.get("cluster_id"):
        return
    for url in client.urls:
        try:
            status = seal_status(client, url, retries=0)
        except VaultError:
            continue
        if status.get("cluster_id"):
            store.save({**data, "cluster_id": status["cluster_id"], "cluster_name": status.get("cluster_name") or ""})
            return


def retype(store: KeyStore, client: Client) -> None:
    """Keep in a key store whether its shares unseal or are recovery shares, as the node says that leads."""
    data = store.load() if store.exists() else None
    for url in client.urls if data else ():
        try:
            status = seal_status(client, url, retries=0)
            leads = not status.get("sealed") and client.at(url).api.sys.read_leader_status().get("is_self")
        except VaultError:
            continue
        if data and leads and not status.get("migration"):
            kind = "recovery" if opens_by_itself(status) else "unseal"
            if data.get("share_type") != kind:
                store.save({**data, "share_type": kind})
            return
