# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Raft snapshots that are saved: streamed from the leader, verified, recorded, copied, pruned.

Source: /api-docs/system/storage/raft.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..._engine import private_file, progress
from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.reconcile import Change, Resource
from ..._http import failure
from ..._snapshot import copies, encryption, metrics
from ..._snapshot.archive import SUFFIX, inspect, sidecar
from ..._snapshot.places import place
from ..._snapshot.places.base import Place
from ..connection.client import Client
from ..connection.errors import VaultError
from .key_store import KeyStore
from .snapshot_transfer import NoLeader, leader, transfer
from .status import PAUSE, now, product_of, seal_status

PREFIX = ".vault-eso-"
#: how often a snapshot is begun, where the leader changes meanwhile
ATTEMPTS = 3
#: why a transfer may have ended because the leader did
BROKEN = (failure.CLOSED, failure.REFUSED, failure.TIMEOUT)


def _staging() -> str:
    """Return the private directory of this user for snapshots that are kept at other places alone."""
    return os.path.join(tempfile.gettempdir(), "vault-eso-snapshots-%d" % os.geteuid())


class _Saving(Resource):
    """What saving needs to know of its options, its places and its server."""

    kind = "snapshot"

    def __init__(self, client: Client, params: Mapping[str, Any], check_mode: bool) -> None:
        self.client = client
        self.params = params
        self.check_mode = check_mode
        self.dest: str = os.path.abspath(os.path.expanduser(params["dest"])) if params["dest"] else ""
        self.single = self.dest.endswith(SUFFIX)
        self.declared: list[Mapping[str, Any]] = params["copies"] or []
        self.places: list[Place] = []
        #: whether the copy to a place succeeded, by its label
        self.copied: dict[str, bool] = {}
        self.encryption = encryption.of(params)
        super().__init__(self.dest or "copies", {"saved": True})

    @property
    def folder(self) -> str:
        """The directory in which the archive is written."""
        return (os.path.dirname(self.dest) if self.single else self.dest) or _staging()

    def check(self) -> None:
        if not self.dest and not self.declared:
            raise InvalidInput(
                "no place is named",
                remedy='set "dest" to a directory, or to a file that ends in .snap, or name "copies"',
            )
        if self.params["keep"] is not None and (self.single or not self.dest):
            raise InvalidInput('"keep" needs a directory as "dest"', remedy='name a directory, or leave "keep" out')
        if self.params["keep"] is not None and self.params["keep"] < 1:
            raise InvalidInput('"keep" is %d' % self.params["keep"], remedy="keep 1 or more")
        if self.params["metrics_file"]:
            metrics.check(self.params["metrics_file"])
        self.places = [place(one, float(self.params["transfer_timeout"])) for one in self.declared]
        labels = [one.label for one in self.places]
        self.copied = dict.fromkeys(labels, False)
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise InvalidInput("%s is named twice" % ", ".join(twice), 'option "copies"', "keep one of them")
        if self.encryption.by and not self.places:
            raise InvalidInput(
                "copies are to be encrypted, and there is none",
                remedy='name "copies": what is in "dest" is not encrypted',
            )

    @contextmanager
    def _measured(self) -> Iterator[None]:
        """Have a failure in the metrics too."""
        try:
            yield
        except BaseException:
            self._measure()
            raise

    def _measure(self) -> None:
        if self.params["metrics_file"] and not self.check_mode:
            cluster = str(self.params["cluster"] or self.info.get("cluster") or "vault")
            saved = self.info if "sha256" in self.info else None
            metrics.write(self.params["metrics_file"], cluster, int(time.time()), saved, self.copied)

    def preflight(self) -> None:
        """Prove that each place takes a snapshot, before anything is asked of the server."""
        with self._measured():
            self._try_places()

    def _try_places(self) -> None:
        self.encryption.check()
        if not self.check_mode:
            private_file.prepare(os.path.join(self.folder, "x"), "dest", private=not self.dest)
            if self.params["metrics_file"]:
                private_file.prepare(self.params["metrics_file"], "metrics_file")
        expected = self._last_size()
        if os.path.isdir(self.folder):
            # a copy that is encrypted stands beside the archive for a while
            free, need = shutil.disk_usage(self.folder).free, expected * (2 if self.encryption.by else 1)
            if free < need:
                raise InvalidInput(
                    "there is room for %d bytes in %s, and %d are needed" % (free, self.folder, need),
                    remedy="make room on the disk",
                )
        for one in self.places:
            progress.tell("trying %s", one.label)
            one.ready(expected, not self.check_mode)

    def read(self) -> Mapping[str, Any] | None:
        with self._measured():
            self._look()
        return None

    def _look(self) -> None:
        if self.single and os.path.exists(self.dest) and not self.params["force"]:
            raise InvalidInput("exists already", remedy='name another file, a directory, or set "force"')
        # what would make the real run fail is found in check mode too
        leader(self.client)

    def _records(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the snapshots in the directory, the newest first."""
        found = []
        for path in glob.glob(os.path.join(glob.escape(self.folder), "*" + SUFFIX)) if self.dest else []:
            try:
                record = sidecar(path)
            except SecretopsError:
                continue
            if record:
                found.append((path, record))
        return sorted(found, key=lambda item: copies.age_order(item[1]), reverse=True)

    def _last_size(self) -> int:
        """Return how many bytes the last snapshot here had, at least the least that a snapshot has."""
        sizes = [int(record.get("size") or 0) for _path, record in self._records()[:1]]
        return max([int(self.params["min_size"]), *sizes])


class Ready(_Saving):
    """Everything that a snapshot needs, tried: nothing is saved, and nothing is written to the server."""

    def __init__(self, client: Client, params: Mapping[str, Any], check_mode: bool) -> None:
        super().__init__(client, params, check_mode)
        self.desired = {}

    def read(self) -> Mapping[str, Any] | None:
        super().read()
        self.info["places"] = [one.label for one in self.places]
        return {}


class Snapshot(_Saving):
    """A new snapshot: each run that wants one makes one."""

    def _download(self, client: Client, path: str) -> None:
        with transfer(client, "GET", "sys/storage/raft/snapshot", self.params) as pieces, open(path, "wb") as file:
            for piece in pieces:
                progress.tell("%d MB of the snapshot saved", file.tell() >> 20)
                try:
                    file.write(piece)
                except OSError as error:
                    raise SecretopsError(
                        "cannot be written (%s)" % error.strerror, path, "make room on the disk"
                    ) from error
            file.flush()
            os.fsync(file.fileno())

    def _stream(self, path: str) -> tuple[Client, dict[str, Any]]:
        """Write the leader's archive into a file, and return that leader and what is in the archive.

        Where the leader changes meanwhile, the next one is asked for a whole archive of its own.
        """
        client = leader(self.client)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._download(client, path)
                return client, inspect(path, self.params["min_size"])
            except (VaultError, InvalidInput) as error:
                broken = isinstance(error, InvalidInput) or error.code in BROKEN or error.status in (500, 503)
                following = self._following(client) if broken and attempt < ATTEMPTS else None
                if following is None:
                    raise
                self.warnings.append("the leader changed while it was saved: begun again at %s" % following.url)
                client = following
        raise NoLeader("the leader changed %d times while it was saved" % ATTEMPTS, remedy="run again")

    def _following(self, lost: Client) -> Client | None:
        """Return the leader that follows one that was lost, None where that one still leads or none follows in time."""
        deadline = time.monotonic() + self.params["wait_timeout"]
        while True:
            state = self.client.health(lost.url)
            if state and state.get("standby") is False and not state.get("sealed"):
                return None
            for url in self.client.urls:
                state = self.client.health(url) if url != lost.url else None
                if state and state.get("standby") is False and not state.get("sealed"):
                    return self.client.at(url, self.client.token)
            if len(self.client.urls) == 1 or time.monotonic() > deadline:
                return None
            progress.tell("the leader is lost; waiting for the next one")
            time.sleep(PAUSE)

    def _record(self, client: Client, facts: Mapping[str, Any]) -> dict[str, Any]:
        status = seal_status(client, client.url)
        store = KeyStore(self.params["key_store"]).load() if self.params["key_store"] else None
        return {
            **facts,
            "cluster": self.params["cluster"] or status.get("cluster_name"),
            "cluster_id": status.get("cluster_id"),
            "cluster_name": status.get("cluster_name"),
            "product": product_of(status),
            "version": status.get("version"),
            "seal_type": status.get("type"),
            "key_shares": status.get("n"),
            "key_threshold": status.get("t"),
            "key_share_generation": (store or {}).get("generation"),
            "node": client.url,
            "time": now(),
            "labels": self.params["labels"],
        }

    def _others(self, cluster_id: Any) -> list[tuple[str, dict[str, Any]]]:
        """Return the snapshots of this cluster beside the new one, the newest first."""
        return [one for one in self._records() if one[1].get("cluster_id") == cluster_id]

    def _check_index(self, record: Mapping[str, Any]) -> None:
        """Refuse a snapshot that is older than the last one of this cluster, here or at any place."""
        if self.params["allow_lower_index"]:
            return
        known = [
            (int(one.get("index") or 0), os.path.basename(path)) for path, one in self._others(record["cluster_id"])[:1]
        ]
        if not known:
            known = [copies.newest_index(one, record["cluster_id"]) for one in self.places]
        index, name = max(known, default=(0, ""))
        if record["index"] < index:
            raise SecretopsError(
                "its raft index %d is lower than %d of %s" % (record["index"], index, name),
                remedy="find out whether the cluster lost data or was restored; then set allow_lower_index once",
            )

    def write(self, change: Change) -> None:
        with self._measured():
            self._write(change)
        self._measure()

    def _write(self, change: Change) -> None:
        handle, trial = private_file.temporary(os.path.join(self.folder, "x"), PREFIX)
        name = trial
        try:
            client, facts = self._stream(trial)
            record = self._record(client, facts)
            self._check_index(record)
            file_name = copies.file_name(str(record["cluster"] or ""), record)
            if self.dest:
                name = self.dest if self.single else os.path.join(self.dest, file_name)
                # the record first: a snapshot without one would never be pruned
                private_file.write(name + ".json", json.dumps(record, indent=2, sort_keys=True))
                private_file.rename(trial, name)
                self.info["path"] = name
                change.touched = True
            self.info.update(record, copies=[], pruned=[])
            self._copy(change, name, file_name, record)
        finally:
            os.close(handle)
            if os.path.exists(trial):
                os.unlink(trial)
        self.info["pruned"] = self._prune(record["cluster_id"])

    def _copy(self, change: Change, path: str, name: str, record: Mapping[str, Any]) -> None:
        """Copy the snapshot to each place; the failure of one keeps none of the others from theirs."""
        if not self.places:
            return
        problems: list[SecretopsError] = []
        outgoing = copies.Outgoing(path, name, record, self.encryption)
        try:
            for one, options in zip(self.places, self.declared):
                try:
                    self.info["copies"].append(outgoing.put(one, options.get("keep")))
                    self.copied[one.label] = change.touched = True
                except SecretopsError as error:
                    problems.append(error)
                    continue
                if not self.info["copies"][-1]["read_back"]:
                    self.warnings.append("%s could not be read back: the identity may only write there" % one.where)
        finally:
            outgoing.close()
        if problems:
            problem = problems[0]
            for more in problems[1:]:
                problem.what += "; %s" % more.sentence()
            raise problem

    def _prune(self, cluster_id: Any) -> list[str]:
        if self.params["keep"] is None:
            return []
        old = [path for path, _record in self._others(cluster_id)[self.params["keep"] :]]
        for path in old:
            private_file.remove(path)
            private_file.remove(path + ".json")
        return old
