# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reconciliation of PushSecrets: keys of a Secret written into KV version 2 secrets that the operator manages."""

from __future__ import annotations

import copy
import time
from datetime import datetime
from typing import Any

import urllib3
from eso_fetch import Stores
from eso_kube import ApiError, Kube, Object, Recorder, core, now
from eso_policy import data_of, selector_matches, set_condition
from eso_values import (
    dump_json,
    go_duration,
    kv_metadata_path,
    kv_path,
    load_json,
    seconds,
    synced_resource_version,
)
from eso_vault import NoSecret, VaultError, VaultSession

FINALIZER = "pushsecret.externalsecrets.io/finalizer"
MANAGED = {"custom_metadata": {"managed-by": "external-secrets"}}


def push_problem(spec: Object) -> str | None:
    """What is not emulated in a PushSecret; None when fine."""
    if spec.get("dataTo"):
        return "dataTo is not emulated"
    if spec.get("template"):
        return "template in a PushSecret is not emulated"
    if not ((spec.get("selector") or {}).get("secret") or {}):
        return "only selector.secret is emulated"
    if any(entry.get("conversionStrategy") not in (None, "", "None") for entry in spec.get("data") or []):
        return "conversionStrategy in a PushSecret is not emulated"
    return None


def entry_id(entry: Object) -> str:
    """The key of one data entry in status.syncedPushSecrets."""
    remote = entry["match"]["remoteRef"]
    return remote["remoteKey"] + ("/" + remote["property"] if remote.get("property") else "")


def payload(data: dict[str, bytes], entry: Object, current: Object | None) -> Object | None:
    """What to write for one entry, None when Vault already has it. Raise VaultError or ValueError."""
    key, name = entry["match"].get("secretKey"), entry["match"]["remoteRef"].get("property")
    if key and key not in data:
        raise VaultError(f"secret key {key} does not exist")
    whole = dump_json({item: value.decode("utf-8", "replace") for item, value in data.items()})
    value = data[key].decode("utf-8", "replace") if key else whole
    if not name:
        try:
            wanted = load_json(value)
        except ValueError:
            wanted = None
        if not isinstance(wanted, dict):
            raise VaultError("error unmarshalling vault secret: invalid JSON format")
        return None if wanted == current else wanted
    old = (current or {}).get(name)
    if old is not None and type(old) is not str:  # a number or a document
        raise VaultError(f"error converting {name} to string")
    return None if old == value else {**(current or {}), name: value}


class PushError(Exception):
    """What the operator's condition says of a push that failed."""


class NoSource(Exception):
    """The Secret that is to be pushed is not there."""


def merged(new: Object, old: Object | None) -> Object:
    """status.syncedPushSecrets after a failure: what was pushed now, and before."""
    return {place: {**(new.get(place) or {}), **((old or {}).get(place) or {})} for place in {**new, **(old or {})}}


class PushSecretReconciler:
    """Writes, and with deletionPolicy Delete removes, what a PushSecret declares."""

    def __init__(self, kube: Kube, discovery: Any, recorder: Recorder, controller_class: str) -> None:
        self.kube, self.discovery, self.recorder = kube, discovery, recorder
        self.controller_class = controller_class

    def reconcile(self, namespace: str, name: str) -> float | None:
        """One pass. Return the seconds until the next, None for never; raise what another try may mend."""
        path = self.discovery.path("PushSecret", namespace, name)
        push = self.kube.find(path)
        if push is None:
            return None
        deleting, finalizers = push["metadata"].get("deletionTimestamp"), push["metadata"].get("finalizers") or []
        delete = (push["spec"].get("deletionPolicy") or "None") == "Delete"
        if deleting and FINALIZER not in finalizers:
            return None
        if not deleting and delete != (FINALIZER in finalizers):
            wanted = [*finalizers, FINALIZER] if delete else [item for item in finalizers if item != FINALIZER]
            patch: Object = {"metadata": {"finalizers": wanted or None}}
            if push["spec"].get("refreshInterval"):
                # the operator updates the whole object: its way of writing durations becomes a new generation
                patch["spec"] = {"refreshInterval": go_duration(push["spec"]["refreshInterval"])}
            push = self.kube.merge_patch(path, patch)
        every = seconds(str(push["spec"].get("refreshInterval") or "1h0m0s"))
        status = push.get("status") or {}
        if not deleting and status.get("syncedResourceVersion") == synced_resource_version(push["metadata"]):
            stamp = status.get("refreshTime")
            since = time.time() - datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() if stamp else every
            if every == 0 or since < every:
                return None if every == 0 else every - since
        before = copy.deepcopy(status)
        stores = Stores(self.kube, self.discovery.path, namespace, self.controller_class, floodgate=False)
        try:
            self.sync(push, stores, bool(deleting), delete)
        except NoSource:
            if self.source_gone(push, stores, delete):
                return None
            raise VaultError("could not get source secret") from None
        except (PushError, VaultError, ValueError, NoSecret, ApiError, urllib3.exceptions.HTTPError) as error:
            message = str(error) if isinstance(error, PushError) else f"set secret failed: {error}"
            set_condition(push.setdefault("status", {}), False, "Errored", message)
            self.recorder.event(push, "Warning", "Errored", message)
            if isinstance(error, PushError):
                raise VaultError(message) from None
            raise
        finally:
            stores.close()
            if push.get("status") != before:
                # a merge patch keeps map keys that are gone, so the whole status is put
                latest = self.kube.find(path)
                if latest is not None:
                    latest["status"] = push.get("status") or {}
                    self.kube.call("PUT", path + "/status", {"fieldManager": "emulated-external-secrets"}, latest)
        if deleting:
            remaining = [item for item in finalizers if item != FINALIZER]
            self.kube.merge_patch(path, {"metadata": {"finalizers": remaining or None}})
            return None
        return every or None

    def source_gone(self, push: Object, stores: Stores, delete: bool) -> bool:
        """Tell that there is nothing to push; whether what was pushed before was removed, as the policy wants."""
        status = push.setdefault("status", {})
        if not delete or not status.get("syncedPushSecrets"):
            set_condition(status, False, "Errored", "could not get source secret")
            self.recorder.event(push, "Warning", "Errored", "could not get source secret")
            return False
        self.clean_up(push, stores, {})
        status.pop("syncedPushSecrets")
        message = "source secret deleted; provider secrets cleaned up"
        set_condition(status, False, "SourceDeleted", message)
        self.recorder.event(push, "Normal", "SourceDeleted", message)
        return True

    def clean_up(self, push: Object, stores: Stores, synced: Object) -> None:
        """Remove what was pushed before and is not in ``synced``. Raise VaultError."""
        for place, entries in (push["status"].get("syncedPushSecrets") or {}).items():
            kind, _, name = place.partition("/")
            gone = {key: entry for key, entry in entries.items() if key not in (synced.get(place) or {})}
            if gone:
                session = self.session(stores, {"kind": kind, "name": name})
                for entry in gone.values():
                    self.remove(session, entry["match"]["remoteRef"])

    def sync(self, push: Object, stores: Stores, deleting: bool, delete: bool) -> None:
        """Push every entry to every store; then remove what was pushed before and is no longer declared."""
        problem = push_problem(push["spec"])
        if problem:
            raise VaultError(f"refused: {problem}")
        start = now()
        synced: Object = {}
        if not deleting:
            for data in self.sources(push):
                for reference in self.store_references(push):
                    target = synced.setdefault(f"{reference['kind']}/{reference['name']}", {})
                    try:
                        self.push_all(push, stores, data, reference, target)
                    except PushError:
                        known = push.setdefault("status", {})
                        known["syncedPushSecrets"] = merged(synced, known.get("syncedPushSecrets"))
                        raise
        status = push.setdefault("status", {})
        if delete:
            self.clean_up(push, stores, synced)
        status["syncedPushSecrets"] = synced
        status["refreshTime"] = start
        status["syncedResourceVersion"] = synced_resource_version(push["metadata"])
        message = "PushSecret synced successfully"
        if push["spec"].get("updatePolicy") == "IfNotExists":
            message += ". Existing secrets in providers unchanged."
        set_condition(status, True, "Synced", message)
        self.recorder.event(push, "Normal", "Synced", message)

    def push_all(
        self, push: Object, stores: Stores, data: dict[str, bytes], reference: Object, done: dict[str, Object]
    ) -> None:
        """Push every entry of one Secret to one store, noting what is done. Raise PushError."""
        name = reference["name"]
        try:
            session = self.session(stores, reference)
        except (VaultError, ApiError, urllib3.exceptions.HTTPError) as error:
            raise PushError(f"set secret failed: could not get secrets client for store {name}: {error}") from None
        for entry in push["spec"].get("data") or []:
            key = entry["match"].get("secretKey") or ""
            if key and key not in data:
                raise PushError(f"set secret failed: secret key {key} does not exist")
            try:
                self.push(session, data, entry, push["spec"].get("updatePolicy") or "Replace")
            except (VaultError, ValueError, NoSecret, urllib3.exceptions.HTTPError) as error:
                raise PushError(
                    f"set secret failed: could not write remote ref {key} to target secretstore {name}: {error}"
                ) from None
            done[entry_id(entry)] = entry

    def sources(self, push: Object) -> list[dict[str, bytes]]:
        """The data of the selected Secrets. Raise NoSource when the named one is missing."""
        chosen, namespace = push["spec"]["selector"]["secret"], push["metadata"]["namespace"]
        if chosen.get("name"):
            secret = self.kube.find(core("secrets", namespace, chosen["name"]))
            if secret is None:
                raise NoSource
            return [data_of(secret)]
        found = self.kube.call("GET", core("secrets", namespace))["items"]
        return [
            data_of(item)
            for item in found
            if selector_matches(chosen.get("selector") or {}, item["metadata"].get("labels") or {})
        ]

    def store_references(self, push: Object) -> list[Object]:
        """The stores by name or by label. Raise PushError for a name that does not exist."""
        references = []
        for reference in push["spec"]["secretStoreRefs"]:
            kind = reference.get("kind") or "SecretStore"
            if reference.get("labelSelector") is None:
                name, space = (
                    reference.get("name", ""),
                    "" if kind == "ClusterSecretStore" else push["metadata"]["namespace"],
                )
                if self.kube.find(self.discovery.path(kind, space, name)) is None:
                    raise PushError(f'could not get {kind} "{name}", {kind}.external-secrets.io "{name}" not found')
                references.append({"kind": kind, "name": reference.get("name", "")})
                continue
            namespace = "" if kind == "ClusterSecretStore" else push["metadata"]["namespace"]
            for store in self.kube.call("GET", self.discovery.path(kind, namespace))["items"]:
                if selector_matches(reference["labelSelector"], store["metadata"].get("labels") or {}):
                    references.append({"kind": kind, "name": store["metadata"]["name"]})
        return references

    def session(self, stores: Stores, reference: Object) -> VaultSession:
        """A session of a KV version 2 store. Raise VaultError for version 1."""
        session = stores.session(reference)
        if session.version != "v2":
            raise VaultError("pushing to KV version 1 is not emulated")
        return session

    def current(self, session: VaultSession, key: str) -> Object | None:
        """The secret as it is, None when missing. Raise VaultError when another manager has it."""
        try:
            data = session.read(key)
        except NoSecret:
            return None
        if session.metadata(key).get("managed-by") != "external-secrets":
            raise VaultError("secret not managed by external-secrets")
        return data

    def push(self, session: VaultSession, data: dict[str, bytes], entry: Object, update: str) -> None:
        """Write one entry when it differs."""
        remote = entry["match"]["remoteRef"]
        key = remote["remoteKey"]
        if update == "IfNotExists":
            try:
                if not remote.get("property") or remote["property"] in session.read(key):
                    return
            except NoSecret:
                pass
        current = self.current(session, key)
        wanted = payload(data, entry, current)
        if wanted is None:
            return
        body: Object = {"data": wanted}
        if (session.vault.get("checkAndSet") or {}).get("required"):
            version = session.metadata(key).get("current_version", "1") if current is not None else "0"
            body["options"] = {"cas": int(version)}
        session.call("PUT", kv_metadata_path(session.mount, "v2", key), MANAGED)
        session.call("PUT", kv_path(session.mount, "v2", key), body)

    def remove(self, session: VaultSession, remote: Object) -> None:
        """Take one entry back: its property, or the whole secret when nothing else is left."""
        key = remote["remoteKey"]
        try:
            current = self.current(session, key)
        except VaultError:
            return  # somebody else's by now
        if current is None:
            return
        rest = {name: value for name, value in current.items() if name != remote.get("property")}
        if remote.get("property") and rest:
            session.call("PUT", kv_path(session.mount, "v2", key), {"data": rest})
            return
        session.call("DELETE", kv_path(session.mount, "v2", key))
        session.call("DELETE", kv_metadata_path(session.mount, "v2", key))
