# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Raft snapshots: saved from the leader, verified, recorded, pruned, restored.

Source: /api-docs/system/storage/raft.
"""

from __future__ import annotations

import glob
import http.client
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..._engine import private_file, progress, wording
from ..._engine.credential import in_header
from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.reconcile import Change, Resource
from ..._http import rules
from ..connection.client import Client
from ..connection.errors import InvalidToken, NotVault, PermissionDenied, Unreachable, VaultError, unreachable
from .key_store import KeyStore
from .snapshot_archive import SUFFIX, inspect, newest, sidecar, verify
from .status import PAUSE, now, product_of, seal_status

try:
    import requests
except ImportError:
    requests = None  # type: ignore[assignment]  # the module has said so before it comes here


def leader(client: Client) -> Client:
    """Return a client for the active node. Raises SecretopsError when there is none."""
    url = client.choose()
    state = client.at(url).api.sys.read_leader_status()
    if state.get("is_self") or not state.get("ha_enabled", True):
        return client.at(url, client.token)
    if not state.get("leader_address"):
        raise SecretopsError("the cluster has no leader", url, "unseal more than half of its nodes")
    address = str(state["leader_address"])
    if rules.origin(address) not in client.named:
        raise VaultError(
            "the leader is at %s, which is not among the named addresses" % str(rules.origin(address)),
            url,
            'add that address to "url" if it is a node of the cluster',
        )
    return client.at(address, client.token)


@contextmanager
def _transfer(
    client: Client, method: str, path: str, params: Mapping[str, Any], body: Any = None
) -> Iterator[Iterator[bytes]]:
    """Send or fetch an archive, and give the answer piece by piece. Raises VaultError for what is no success."""
    headers = {"X-Vault-Token": in_header(client.token or "", "token"), "X-Vault-Request": "true"}
    if body is not None:
        headers["Content-Length"] = str(os.fstat(body.fileno()).st_size)
    seconds = params["transfer_timeout"]
    url = "%s/v1/%s" % (client.url, path)
    try:
        with client.session.transfer(method, url, headers, body, seconds, params["max_size"]) as (answer, pieces):
            if answer.status_code in rules.REDIRECTS:
                client.redirected(answer, url)
                raise Unreachable("the node is not the leader any more", client.url, "run again")
            if answer.status_code not in (200, 204):
                answer.content = next(pieces, b"")
                client.understand(answer, method, path)
            yield pieces
    except (http.client.HTTPException, requests.exceptions.RequestException, OSError) as error:
        if isinstance(error, OSError) and error.filename:
            raise SecretopsError(
                "cannot be written (%s)" % error.strerror, error.filename, "make room on the disk"
            ) from error
        raise unreachable(error, client.url, seconds, client.ca_cert) from error


class Snapshot(Resource):
    """A new snapshot: each run that wants one makes one."""

    kind = "snapshot"

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self.client = client
        self.params = params
        self.dest: str = os.path.abspath(params["dest"] or "")
        self.single = self.dest.endswith(SUFFIX)
        super().__init__(self.dest, {"saved": True})

    def check(self) -> None:
        if not self.params["dest"]:
            raise InvalidInput("no place is named", remedy='set "dest" to a directory, or to a file that ends in .snap')
        if self.params["keep"] is not None and self.single:
            raise InvalidInput('"keep" needs a directory as "dest"', remedy='name a directory, or leave "keep" out')
        if self.params["keep"] is not None and self.params["keep"] < 1:
            raise InvalidInput('"keep" is %d' % self.params["keep"], remedy="keep 1 or more")

    def preflight(self) -> None:
        private_file.prepare(self.dest if self.single else os.path.join(self.dest, "x"), "dest")

    def read(self) -> Mapping[str, Any] | None:
        if self.single and os.path.exists(self.dest) and not self.params["force"]:
            raise InvalidInput("exists already", remedy='name another file, a directory, or set "force"')
        # what would make the real run fail is found in check mode too
        leader(self.client)
        return None

    def _download(self, client: Client, path: str) -> None:
        with _transfer(client, "GET", "sys/storage/raft/snapshot", self.params) as pieces, open(path, "wb") as file:
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

    def _record(self, client: Client, facts: Mapping[str, Any]) -> dict[str, Any]:
        status = seal_status(client, client.url)
        store = KeyStore(self.params["key_store"]).load() if self.params["key_store"] else None
        return {
            **facts,
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
        folder = os.path.dirname(self.dest) if self.single else self.dest
        found = []
        for path in glob.glob(os.path.join(glob.escape(folder), "*" + SUFFIX)):
            try:
                record = sidecar(path)
            except SecretopsError:
                continue
            if record and record.get("cluster_id") == cluster_id:
                found.append((path, record))
        return sorted(found, key=lambda item: (str(item[1].get("time")), int(item[1].get("index") or 0)), reverse=True)

    def write(self, change: Change) -> None:
        client = leader(self.client)
        folder = os.path.dirname(self.dest) if self.single else self.dest
        handle, trial = private_file.temporary(os.path.join(folder, "x"), ".vault-eso-")
        try:
            self._download(client, trial)
            record = self._record(client, inspect(trial, self.params["min_size"]))
            others = self._others(record["cluster_id"])
            before = int(others[0][1].get("index") or 0) if others else 0
            if record["index"] < before and not self.params["allow_lower_index"]:
                raise SecretopsError(
                    "its raft index %d is lower than %d of %s"
                    % (record["index"], before, os.path.basename(others[0][0])),
                    remedy="find out whether the cluster lost data or was restored; then set allow_lower_index once",
                )
            name = self.dest
            if not self.single:
                prefix = re.sub(r"[^A-Za-z0-9._-]", "-", str(record["cluster_name"] or "vault"))
                stamp = re.sub(r"[-:]", "", record["time"])
                name = os.path.join(self.dest, "%s-%s-%d%s" % (prefix, stamp, record["index"], SUFFIX))
            # the record first: a snapshot without one would never be pruned
            private_file.write(name + ".json", json.dumps(record, indent=2, sort_keys=True))
            private_file.rename(trial, name)
        finally:
            os.close(handle)
            if os.path.exists(trial):
                os.unlink(trial)
        change.touched = True
        self.info.update(record, path=name, pruned=self._prune(record["cluster_id"]))

    def _prune(self, cluster_id: Any) -> list[str]:
        if self.params["keep"] is None:
            return []
        old = [path for path, _record in self._others(cluster_id)[self.params["keep"] :]]
        for path in old:
            private_file.remove(path)
            private_file.remove(path + ".json")
        return old


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


class Restored(Verified):
    """A snapshot that the cluster is put back to: at every run."""

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.client = client
        self.desired = {"restored": True}

    def read(self) -> Mapping[str, Any] | None:
        super().read()
        status = seal_status(self.client, leader(self.client).url)
        other = self.info.get("cluster_id")
        if other and other != status.get("cluster_id") and not self.params["force"]:
            raise InvalidInput(
                "is of another cluster (%s)" % (self.info.get("cluster_name") or other),
                remedy='set "force", and have that cluster\'s key shares at hand: it will unseal with those alone',
            )
        return None

    def write(self, change: Change) -> None:
        client = leader(self.client)
        path = "sys/storage/raft/snapshot" + ("-force" if self.params["force"] else "")
        try:
            archive = progress.Upload(self.info["path"])
            with archive as file, _transfer(client, "POST", path, self.params, file) as pieces:
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
            active = [url for url, state in states.items() if state.get("standby") is False and not state.get("sealed")]
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
        self.warnings.append("restored, but no node is active: unseal them with the key shares of the snapshot")
        self.client.token = None

    def _loaded(self, url: str) -> bool:
        try:
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


def resource(client: Client, params: Mapping[str, Any]) -> Resource:
    """Return what the options declare."""
    if params["state"] == "present":
        return Snapshot(client, params)
    return Restored(client, params) if params["state"] == "restored" else Verified(params)
