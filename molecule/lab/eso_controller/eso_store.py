# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation of SecretStores and ClusterSecretStores."""

from __future__ import annotations

import copy
from typing import Any

import urllib3
from eso_kube import ApiError, Kube, Object, Recorder, set_finalizer
from eso_policy import selector_matches, set_condition
from eso_vault import VaultError, VaultSession, is_referent, store_problem

#: keeps a store while PushSecrets have to remove by it what they pushed
FINALIZER = "secretstore.externalsecrets.io/finalizer"
REQUEUE = 300.0  # seconds, the operator's default store-requeue-interval


def pushes_to(push: Object, store: Object) -> bool:
    """Whether a PushSecret has to remove something from a store when it goes."""
    if push["spec"].get("deletionPolicy") != "Delete":
        return False
    kind, meta = store["kind"], store["metadata"]
    if f"{kind}/{meta['name']}" in ((push.get("status") or {}).get("syncedPushSecrets") or {}):
        return True
    return any(
        (reference.get("kind") or "SecretStore") == kind
        and (
            reference.get("name") == meta["name"]
            if reference.get("labelSelector") is None
            else selector_matches(reference["labelSelector"], meta.get("labels") or {})
        )
        for reference in push["spec"].get("secretStoreRefs") or []
    )


class StoreReconciler:
    """Logs in with each store and writes its Ready condition."""

    def __init__(self, kube: Kube, discovery: Any, recorder: Recorder, controller_class: str) -> None:
        self.kube, self.discovery, self.recorder = kube, discovery, recorder
        self.controller_class = controller_class

    def reconcile(self, kind: str, namespace: str, name: str) -> float | None:
        """Validate one store; raise VaultError when it is not usable, so that it is tried again."""
        path = self.discovery.path(kind, namespace, name)
        store = self.kube.find(path)
        if store is None:
            return None
        if store["spec"].get("controller") not in (None, "", self.controller_class):
            return None
        pushed = any(pushes_to(push, store) for push in self.pushes(kind, namespace))
        deleting = store["metadata"].get("deletionTimestamp")
        if not (deleting and pushed):
            set_finalizer(self.kube, path, store, FINALIZER, pushed)
        if deleting:
            return None
        try:
            self.validate(store)
        except (VaultError, ApiError, urllib3.exceptions.HTTPError) as error:
            invalid = isinstance(error, VaultError) and str(error).startswith("invalid vault credentials")
            message = "unable to validate store" if invalid else "unable to create client"
            self.write(store, path, False, "InvalidProviderConfig", message)
            self.recorder.event(store, "Warning", "InvalidProviderConfig", str(error))
            raise
        self.write(store, path, True, "Valid", "store validated")
        self.recorder.event(store, "Normal", "Valid", "store validated")
        return float(store["spec"].get("refreshInterval") or 0) or REQUEUE

    def pushes(self, kind: str, namespace: str) -> list[Object]:
        """The PushSecrets that may push to a store. Raise ApiError."""
        if not self.discovery.serves("PushSecret"):
            return []
        space = "" if kind == "ClusterSecretStore" else namespace
        return list(self.kube.call("GET", self.discovery.path("PushSecret", space))["items"])

    def validate(self, store: Object) -> None:
        """Raise VaultError, ApiError or urllib3's errors when the store cannot be used."""
        problem = store_problem(store)
        if problem:
            raise VaultError(problem)
        vault = store["spec"]["provider"]["vault"]
        cluster = store["kind"] == "ClusterSecretStore"
        session = VaultSession(
            self.kube, vault, cluster, store["metadata"].get("namespace", ""), store["spec"].get("retrySettings")
        )
        if cluster and is_referent(vault):
            return  # whose credentials are used is known only per ExternalSecret: never validated
        try:
            session.login()
            session.check()
        finally:
            session.close()

    def write(self, store: Object, path: str, ready: bool, reason: str, message: str) -> None:
        """Write the status when it changes."""
        status = copy.deepcopy(store.get("status") or {})
        set_condition(status, ready, reason, message)
        if ready:
            status["capabilities"] = "ReadWrite"
        if status != store.get("status"):
            self.kube.merge_patch(path + "/status", {"status": status})
