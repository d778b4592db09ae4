# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Raft snapshots that are verified, or that a cluster is put back to. Source: /api-docs/system/storage/raft."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ..._engine import progress, wording
from ..._engine.errors import InvalidInput
from ..._engine.resource import Change, Resource
from ..._snapshot.archive import newest, verify
from ..connection.client import Client
from ..connection.errors import InvalidToken, NotVault, PermissionDenied, VaultError
from .key_store import KeyStore
from .snapshot_fitness import is_foreign, openings, unfit
from .snapshot_transfer import leader, transfer
from .status import PAUSE, is_active, product_of, seal_status


class Verified(Resource):
    """A snapshot that is looked at only."""

    kind = "snapshot"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        super().__init__(os.path.abspath(params["src"] or ""), {})

    def check(self) -> None:
        if not self.params["src"]:
            raise InvalidInput("no file is named", remedy='set "src"')

    def read(self) -> Mapping[str, Any] | None:
        self.info.update(verify(newest(self.name), self.params["min_size"]))
        return {}

    def _fitting_stores(self) -> None:
        """Find which shares of the key stores may open the restored data, the likeliest first; `info` names the stores.

        Raises InvalidInput for what is no key store.
        """
        held = []
        for path in self.params["key_stores"]:
            store = KeyStore(path)
            data = store.load()
            if data is not None:
                held.append((store.path, data))
        self.share_sets = openings(held, self.info)
        self.info["key_stores"] = list(dict.fromkeys(path for path, _shares in self.share_sets))


class Restored(Verified):
    """A snapshot that the cluster is put back to: at every run."""

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.client = client
        self.desired = {"restored": True}

    def read(self) -> Mapping[str, Any] | None:
        super().read()
        status = seal_status(self.client, leader(self.client, self.params["wait_timeout"]).url)
        server = {
            "product": product_of(status),
            "version": status.get("version"),
            "seal_type": status.get("type"),
            "cluster_id": status.get("cluster_id"),
        }
        problem = unfit(self.info, server)
        if problem:
            raise InvalidInput(problem.what, remedy=problem.remedy)
        foreign = is_foreign(self.info, server)
        if foreign and not self.params["force"]:
            raise InvalidInput(
                "is of another cluster (%s)" % (self.info.get("cluster_name") or self.info["cluster_id"]),
                remedy='set "force", and have that cluster\'s key shares at hand: it will unseal with those alone',
            )
        self.info["other_cluster"] = foreign
        self._choose_stores(needed=foreign and server["seal_type"] == "shamir")
        return None

    def _choose_stores(self, needed: bool) -> None:
        """Find the key stores that may open it afterwards. Raises InvalidInput where a needed one is lacking."""
        if self.params["key_stores"] is None:
            return
        self._fitting_stores()
        if needed and not self.info["key_stores"]:
            raise InvalidInput(
                "is of another cluster (%s), and none of its key shares are in %s"
                % (
                    self.info.get("cluster_name") or self.info["cluster_id"],
                    ", ".join(self.params["key_stores"]) or "any key store that is named",
                ),
                remedy='name the key store of that cluster in "key_stores": after the restore no other shares open it',
            )

    def write(self, change: Change) -> None:
        client = leader(self.client)
        path = "sys/storage/raft/snapshot" + ("-force" if self.params["force"] else "")
        try:
            archive = progress.Upload(self.info["path"])
            with archive as file, transfer(client, "POST", path, self.params, file) as pieces:
                content = next(pieces, b"")
        except VaultError as error:
            if wording.other_key_shares(error.said):
                raise InvalidInput(
                    "was made with another set of key shares",
                    remedy='set "force", and have the key shares of that time at hand: it will unseal with those alone',
                ) from error
            raise
        if content.strip():
            raise NotVault("what answers a restore is no Vault", client.url, 'correct "url", and look at the cluster')
        change.touched = True
        self._wait()

    def _wait(self) -> None:
        """Wait until the cluster has an active node again, or is sealed for good, and see whether the token lives."""
        deadline = time.monotonic() + self.params["wait_timeout"]
        steady = sealed_since = 0.0
        while time.monotonic() < deadline:
            progress.tell("restored; waiting for an active node")
            states = {url: self.client.health(url) or {} for url in self.client.urls}
            active = [url for url, state in states.items() if is_active(state)]
            if active:
                sealed_since = 0.0
                steady = steady or time.monotonic()
                # the restored data is loaded behind the answer: the node must stay active for a moment
                if time.monotonic() - steady >= 3 and self._loaded(active[0]):
                    self.info["sealed"] = False
                    return
            else:
                steady = 0.0
                if states and all(state.get("sealed") for state in states.values()):
                    sealed_since = sealed_since or time.monotonic()
                    if time.monotonic() - sealed_since >= 10:
                        break
            time.sleep(PAUSE)
        self.info["sealed"] = True
        self.info["token_valid"] = False
        self.warnings.append(
            "the server took the snapshot, but no node is active: unseal them with the key shares of the snapshot, or"
            " with those of before where the server's log says that it could not restore it, as on a full disk"
        )
        self.client.token = None

    def _loaded(self, url: str) -> bool:
        wanted = self.info.get("cluster_id")
        try:
            if wanted and seal_status(self.client, url, retries=0).get("cluster_id") != wanted:
                # the data of before is still served, or the node is just sealing itself
                return False
            self.client.at(url, self.client.token).read("auth/token/lookup-self")
            self.info["token_valid"] = True
        except InvalidToken:
            # it was made after the snapshot: there is nothing to revoke any more
            self.info["token_valid"] = False
            self.client.token = None
        except PermissionDenied:
            self.info["token_valid"] = True
        except VaultError:
            return False
        return True
