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

from ..._engine.errors import SecretopsError
from ..._engine.reconcile import Change, Resource, reconcile
from ..._http import rules
from ..connection.client import Client
from ..connection.errors import BadRequest, Unreachable, VaultError
from ..connection.module import VaultModule
from .key_store import KeyStore, shares_from
from .shares import Share, attempts, enough, outsiders
from .status import PAUSE, opens_by_itself, seal_status, wait_seal_status

#: seconds that a node gets to take one share; a node that cannot join with it never answers
SHARE_TIMEOUT = 20


class NodeSeal(Resource):
    """One node, which is to be unsealed."""

    kind = "node"
    own_server = True

    def __init__(self, client: Client, url: str, params: Mapping[str, Any]) -> None:
        self.client = client.at(url)
        self.params = params
        super().__init__(url.rstrip("/"), {"sealed": False})

    def read(self) -> Mapping[str, Any] | None:
        status = wait_seal_status(self.client, self.name, self.params["start_timeout"])
        # one that waits to join can only do so when an initialised one is open
        self.rank = 0 if status.get("initialized") else 1
        self.info.update(initialized=bool(status.get("initialized")), seal_type=status.get("type"))
        if status.get("sealed") and status.get("initialized") and not opens_by_itself(status):
            # too few of them are told before any node is given one, and in check mode
            enough(shares_from(self.params), int(status.get("t") or 0))
        return {"sealed": bool(status.get("sealed")), "initialized": bool(status.get("initialized"))}

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
        if opens_by_itself(status):
            if self._until("unsealed", deadline) is None:
                raise SecretopsError(
                    "still sealed after %s seconds, though its seal is %s"
                    % (self.params["wait_timeout"], status.get("type")),
                    remedy="see the server's log: does it reach its seal's key, and the other nodes?",
                )
        else:
            # known before anything is waited for
            shares = shares_from(self.params)
            found = self._until("initialized", deadline)
            if found is None:
                raise SecretopsError(
                    "not initialised, and it did not join a cluster within %s seconds" % self.params["wait_timeout"],
                    remedy="initialise the cluster with vault_init, or check the node's retry_join and the leader",
                )
            if found.get("sealed"):
                self._give(shares, found, change)
            if self._until("unsealed", deadline) is None:
                raise SecretopsError(
                    "still sealed after %s seconds" % self.params["wait_timeout"],
                    remedy="see the server's log; a node that joins needs the leader and the cluster's own shares",
                )
        self.info["unsealed"] = True
        self._leader(deadline)

    def _give(self, given: Sequence[str], status: Mapping[str, Any], change: Change) -> None:
        needed = int(status.get("t") or 0)
        shares = enough(given, needed)
        node = self.client.at(self.name)
        node.timeout = min(node.timeout, SHARE_TIMEOUT)
        if status.get("progress"):
            self._reset(node)
        sets = attempts(shares, needed)
        for basis in sets:
            if not self._opened(node, basis, change):
                continue
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

    @staticmethod
    def _reset(node: Client) -> None:
        node.request("PUT", "sys/unseal", {"reset": True}, idempotent=True, authenticated=False)

    def _opened(self, node: Client, basis: Sequence[Share], change: Change) -> bool:
        """Give one set of shares; tell whether the server took it."""
        for number, share in enumerate(basis, 1):
            try:
                answer = node.api.sys.submit_unseal_key(share.text)
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
    module.finish(report, unsealed=[one.resource.name for one in report.changes if one.effective(check_mode)])


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
