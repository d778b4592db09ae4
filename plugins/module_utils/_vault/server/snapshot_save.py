# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Raft snapshots that are saved: streamed from the leader, verified, kept. Source: /api-docs/system/storage/raft."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ..._engine import private_file, progress
from ..._engine.errors import InvalidInput
from ..._engine.resource import Change, Resource
from ..._http import failure
from ..._snapshot.archive import inspect
from ..._snapshot.record import made
from ..._snapshot.saving import Saving
from ..connection.client import Client
from ..connection.errors import VaultError
from .key_store import KeyStore
from .snapshot_transfer import NotLeading, leader, transfer
from .status import PAUSE, is_active, product_of, seal_status

#: how often a snapshot is begun, where the leader changes meanwhile
ATTEMPTS = 3
#: why a transfer may have ended because the leader did
BROKEN = (failure.CLOSED, failure.REFUSED, failure.TIMEOUT)


class _Saved(Resource):
    """What saving needs to know of its options, its places and its server."""

    kind = "snapshot"

    def __init__(self, client: Client, params: Mapping[str, Any], check_mode: bool) -> None:
        self.client = client
        self.params = params
        self.saving = Saving(params, writes=not check_mode)
        super().__init__(self.saving.dest or "copies", {"saved": True})
        self.info, self.warnings = self.saving.info, self.saving.warnings

    def check(self) -> None:
        self.saving.check()

    def preflight(self) -> None:
        with self.saving.measured():
            self.saving.try_places()

    def read(self) -> Mapping[str, Any] | None:
        with self.saving.measured():
            if self.saving.single and os.path.exists(self.saving.dest) and not self.params["force"]:
                raise InvalidInput("exists already", remedy='name another file, a directory, or set "force"')
            # what would make the real run fail is found in check mode too
            leader(self.client)
        return None


class Ready(_Saved):
    """Everything that a snapshot needs, tried: nothing is saved, and nothing is written to the server."""

    def __init__(self, client: Client, params: Mapping[str, Any], check_mode: bool) -> None:
        super().__init__(client, params, check_mode)
        self.desired = {}

    def read(self) -> Mapping[str, Any] | None:
        super().read()
        self.info["places"] = [one.label for one in self.saving.places]
        return {}


def _may_be_lost(error: VaultError | InvalidInput) -> bool:
    """Tell whether a failed transfer may mean that the leader is lost: the archive is cut off, or its node fails."""
    if isinstance(error, (InvalidInput, NotLeading)):
        return True
    return error.code in BROKEN or error.status in (500, 503)


class Snapshot(_Saved):
    """A new snapshot: each run that wants one makes one."""

    def _download(self, client: Client, path: str) -> None:
        # not buffered: what the disk refuses must not be told at the end, as a failure of the connection
        with transfer(client, "GET", "sys/storage/raft/snapshot", self.params) as pieces, open(path, "wb", 0) as file:
            for piece in pieces:
                progress.tell("%d MB of the snapshot saved", file.tell() >> 20)
                with private_file.writing(path):
                    left = memoryview(piece)
                    while left:
                        left = left[file.write(left) :]
            with private_file.writing(path):
                os.fsync(file.fileno())

    def _stream(self, path: str) -> tuple[Client, dict[str, Any]]:
        """Write the leader's archive into a file, and return that leader and what is in the archive.

        Where the leader changes meanwhile, the next one is asked for a whole archive of its own.
        """
        client, left = leader(self.client), ATTEMPTS
        while True:
            left -= 1
            try:
                self._download(client, path)
                return client, inspect(path, self.params["min_size"])
            except (VaultError, InvalidInput) as error:
                following = self._following(client) if left and _may_be_lost(error) else None
                if following is None:
                    raise
                self.warnings.append("the leader changed while it was saved: begun again at %s" % following.url)
                client = following

    def _following(self, lost: Client) -> Client | None:
        """Return the leader that follows one that was lost, None where that one still leads or none follows in time."""
        deadline = time.monotonic() + self.params["wait_timeout"]
        while True:
            if is_active(self.client.health(lost.url)):
                return None
            for url in self.client.urls:
                if url != lost.url and is_active(self.client.health(url)):
                    return self.client.at(url, self.client.token)
            if len(self.client.urls) == 1 or time.monotonic() > deadline:
                return None
            progress.tell("the leader is lost; waiting for the next one")
            time.sleep(PAUSE)

    def _record(self, client: Client, facts: Mapping[str, Any]) -> dict[str, Any]:
        status, params = seal_status(client, client.url), self.params
        store = KeyStore(params["key_store"]).load() if params["key_store"] else None
        generation = (store or {}).get("generation")
        return made(facts, status, client.url, params["cluster"], product_of(status), generation, params["labels"])

    def write(self, change: Change) -> None:
        try:
            with self.saving.measured(), self.saving.trial() as trial:
                client, facts = self._stream(trial)
                self.saving.keep(trial, self._record(client, facts))
        finally:
            change.touched = self.saving.touched
        self.saving.measure()
