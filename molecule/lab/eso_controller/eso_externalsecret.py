# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reconciliation of ExternalSecrets: fetch, deletion policy, managed keys, template, ownership, hash, status."""

from __future__ import annotations

import base64
import copy
from functools import partial
from typing import Any

import urllib3
from eso_fetch import Stores, fetch
from eso_generators import generate
from eso_kube import ApiError, Kube, Object, Recorder, core, log, now
from eso_policy import (
    LABEL_MANAGED,
    LABEL_OWNER,
    Refused,
    generic,
    interval,
    manager_of,
    mutate,
    policy,
    requeue_after,
    secret_valid,
    set_condition,
    should_refresh,
    spec_problem,
    target_name,
)
from eso_values import owner_hash, synced_resource_version
from eso_vault import VaultError

FINALIZER = "externalsecrets.external-secrets.io/externalsecret-cleanup"
PROVIDER_ERRORS = (VaultError, ApiError, urllib3.exceptions.HTTPError)


class ExternalSecretReconciler:
    """Makes the target Secret of an ExternalSecret what it should be."""

    def __init__(self, kube: Kube, discovery: Any, recorder: Recorder, controller_class: str) -> None:
        self.kube, self.discovery, self.recorder = kube, discovery, recorder
        self.controller_class = controller_class

    def reconcile(self, namespace: str, name: str) -> float | None:
        """One pass. Return the seconds until the next, None for never; raise what another try may mend."""
        path = self.discovery.path("ExternalSecret", namespace, name)
        es = self.kube.find(path)
        if es is None:
            return None
        if es["metadata"].get("deletionTimestamp"):
            self.delete(es, path)
            return None
        if es["apiVersion"].endswith("/v1") and FINALIZER not in (es["metadata"].get("finalizers") or []):
            finalizers = [*(es["metadata"].get("finalizers") or []), FINALIZER]
            es = self.kube.merge_patch(
                path, {"metadata": {"finalizers": finalizers, "resourceVersion": es["metadata"]["resourceVersion"]}}
            )
        if self.unmanaged(es):
            return None
        status_before = copy.deepcopy(es.get("status") or {})
        try:
            return self.sync(es)
        except Refused as error:
            self.fail(es, error.message, str(error))
            return None
        finally:
            if (es.get("status") or {}) != status_before:
                es["status"].setdefault("binding", {"name": ""})
                self.kube.call("PUT", path + "/status", {"fieldManager": "emulated-external-secrets"}, es)

    def sync(self, es: Object) -> float | None:
        """Refresh when it is due or the target has drifted. Raise Refused for what no retry can mend."""
        namespace, name = es["metadata"]["namespace"], target_name(es)
        problem = spec_problem(es)
        if problem:
            raise Refused("could not get secret data from provider", f"refused: {problem}")
        try:
            interval(es)
        except ValueError as error:
            raise Refused("could not get secret data from provider", f"refused: refreshInterval {error}") from None
        if (es["spec"].get("target") or {}).get("manifest"):
            return self.sync_generic(es)
        path = core("secrets", namespace, name)
        existing = self.kube.find(path)
        if existing is not None and (existing["metadata"].get("labels") or {}).get(LABEL_MANAGED) != "true":
            existing = self.kube.merge_patch(path, {"metadata": {"labels": {LABEL_MANAGED: "true"}}}, manager_of(es))
        if not should_refresh(es) and secret_valid(existing, es):
            return requeue_after(es)
        start = now()
        values = self.fetch(es)
        creation, deletion = policy(es, "creationPolicy"), policy(es, "deletionPolicy")
        if not values and deletion == "Delete":
            if creation != "Owner":
                raise Refused(
                    "could not delete secret", f"unable to delete secret {name}: creationPolicy={creation} is not Owner"
                )
            if existing is not None:
                self.kube.call("DELETE", path)
                self.recorder.event(es, "Normal", "Deleted", "secret deleted due to DeletionPolicy=Delete")
            return self.done(es, start, "SecretDeleted", "secret deleted due to DeletionPolicy=Delete")
        if not values and deletion == "Retain":
            return self.done(es, start, "SecretSynced", "secret retained due to DeletionPolicy=Retain")
        if creation == "Merge" and existing is None:
            return self.done(es, start, "SecretMissing", "secret will not be created due to CreationPolicy=Merge")
        if creation != "None":
            if creation == "Owner":
                self.delete_orphans(es)
            self.write(es, existing, values)
        return self.done(es, start, "SecretSynced", "secret synced")

    def sync_generic(self, es: Object) -> float | None:
        """The same for a target that is no Secret. Source: reconcileGenericTarget. Raise as `sync` does."""
        namespace, name = es["metadata"]["namespace"], target_name(es)
        path, manager = core("configmaps", namespace, name), {"fieldManager": manager_of(es)}
        existing = self.kube.find(path)
        if not should_refresh(es) and existing is not None:
            return requeue_after(es)
        start = now()
        values = self.fetch(es)
        creation, deletion = policy(es, "creationPolicy"), policy(es, "deletionPolicy")
        if not values and deletion == "Delete":
            if existing is not None:
                self.kube.call("DELETE", path)
            return self.done(es, start, "ResourceDeleted", "secret deleted due to DeletionPolicy=Delete")
        if not values and deletion == "Retain":
            return self.done(es, start, "ResourceSynced", "secret retained due to DeletionPolicy=Retain")
        if creation == "Merge" and existing is None:
            message = "resource will not be created due to CreationPolicy=Merge"
            return self.done(es, start, "ResourceMissing", message)
        if creation != "None":
            try:
                wanted = generic(es, existing, values)
            except ValueError as error:
                self.fail(es, "could not apply template to manifest", str(error))
                raise
            if existing is None:
                self.kube.call("POST", core("configmaps", namespace), manager, wanted)
            else:
                self.kube.call("PUT", path, manager, wanted)
        return self.done(es, start, "ResourceSynced", "secret synced")

    def fetch(self, es: Object) -> dict[str, bytes]:
        """Ask the provider; every token got on the way is revoked whatever happens."""
        stores = Stores(self.kube, self.discovery.path, es["metadata"]["namespace"], self.controller_class)
        try:
            return fetch(
                es,
                stores,
                partial(generate, self.kube),
                lambda text: self.recorder.event(es, "Normal", "MissingProviderSecret", text),
            )
        except PROVIDER_ERRORS as error:
            self.fail(es, "could not get secret data from provider", str(error))
            raise
        finally:
            try:
                stores.close()
            except PROVIDER_ERRORS as error:
                log(
                    f"ExternalSecret {es['metadata']['namespace']}/{es['metadata']['name']}:",
                    "error while revoking token:",
                    str(error),
                )

    def write(self, es: Object, existing: Object | None, values: dict[str, bytes]) -> None:
        """Create or update the target. Raise Refused, ApiError (409 too) or ValueError."""
        namespace, name = es["metadata"]["namespace"], target_name(es)
        path, manager = core("secrets", namespace, name), {"fieldManager": manager_of(es)}

        def read(kind: str, source: str, key: str) -> str:
            plural = "configmaps" if kind == "ConfigMap" else "secrets"
            found = self.kube.find(core(plural, namespace, source))
            if found is None or key not in (found.get("data") or {}):
                raise ValueError(f'error fetching templateFrom data: {kind} "{source}" with key "{key}" not found')
            text = found["data"][key]
            return base64.b64decode(text).decode("utf-8", "surrogateescape") if kind == "Secret" else str(text)

        status = es.setdefault("status", {})
        try:
            if existing is not None:
                status["binding"] = {"name": name}
            wanted = mutate(es, existing, values, read)
            if existing is None:
                self.kube.call("POST", core("secrets", namespace), manager, wanted)
                status["binding"] = {"name": name}
                self.recorder.event(es, "Normal", "Created", "secret created")
                return
            if wanted == existing:
                return
            if existing.get("immutable"):
                self.write_immutable(es, existing, wanted, path, manager)
                return
            self.kube.call("PUT", path, manager, wanted)
            self.recorder.event(es, "Normal", "Updated", "secret updated")
        except ApiError as error:
            if error.status != 409 or existing is None:
                self.fail(es, "could not update secret", f"unable to update secret {name}: {error}")
            raise
        except ValueError as error:
            cause = f"could not apply template: {error}"
            self.fail(
                es, "could not update secret", cause if existing is None else f"unable to mutate secret {name}: {cause}"
            )
            raise

    def write_immutable(self, es: Object, existing: Object, wanted: Object, path: str, manager: Object) -> None:
        """Only the metadata of an immutable Secret may change. Raise Refused when more would have to."""
        if wanted["metadata"] != existing["metadata"]:
            self.kube.call("PUT", path, manager, {**existing, "metadata": wanted["metadata"]})
        if {**wanted, "metadata": None} != {**existing, "metadata": None}:
            raise Refused(
                "could not update secret, target is immutable",
                f"unable to update secret {target_name(es)}: secret is immutable",
            )
        self.recorder.event(es, "Normal", "Updated", "secret updated")

    def delete_orphans(self, es: Object) -> None:
        """Delete Secrets that this ExternalSecret owns under another name. Raise ApiError."""
        meta = es["metadata"]
        query = {"labelSelector": f"{LABEL_OWNER}={owner_hash(meta['namespace'], meta['name'])}"}
        for secret in self.kube.call("GET", core("secrets", meta["namespace"]), query)["items"]:
            if secret["metadata"]["name"] != target_name(es):
                try:
                    self.kube.call("DELETE", core("secrets", meta["namespace"], secret["metadata"]["name"]))
                except ApiError as error:
                    if error.status != 404:
                        self.fail(es, "could not delete orphaned secrets", str(error))
                        raise
                self.recorder.event(es, "Normal", "Deleted", "secret deleted because it was orphaned")

    def delete(self, es: Object, path: str) -> None:
        """The ExternalSecret goes: with deletionPolicy Delete its Secret too, then the finalizer."""
        meta = es["metadata"]
        if policy(es, "deletionPolicy") == "Delete":
            target = core("secrets", meta["namespace"], target_name(es))
            secret = self.kube.find(target)
            owners = ((secret or {}).get("metadata") or {}).get("ownerReferences") or []
            if any(owner["uid"] == meta["uid"] and owner.get("controller") for owner in owners):
                self.kube.call("DELETE", target)
        finalizers = meta.get("finalizers") or []
        if FINALIZER in finalizers:
            patch = {"finalizers": [name for name in finalizers if name != FINALIZER] or None}
            self.kube.merge_patch(path, {"metadata": patch})
        log(f"ExternalSecret {meta['namespace']}/{meta['name']}:", "deleted")

    def unmanaged(self, es: Object) -> bool:
        """Whether one of its stores belongs to another controller class."""
        spec = es["spec"]
        entries = [*(spec.get("data") or []), *(spec.get("dataFrom") or [])]
        references = [spec.get("secretStoreRef")] + [(e.get("sourceRef") or {}).get("storeRef") for e in entries]
        for reference in references:
            if reference and reference.get("name"):
                kind = reference.get("kind") or "SecretStore"
                namespace = "" if kind == "ClusterSecretStore" else es["metadata"]["namespace"]
                store = self.kube.find(self.discovery.path(kind, namespace, reference["name"]))
                if store and store["spec"].get("controller") not in (None, "", self.controller_class):
                    return True
        return False

    def done(self, es: Object, start: str, reason: str, message: str) -> float | None:
        """Success: the only place that writes refreshTime and syncedResourceVersion."""
        status = es.setdefault("status", {})
        set_condition(status, True, reason, message)
        status["refreshTime"] = start
        status["syncedResourceVersion"] = synced_resource_version(es["metadata"])
        return requeue_after(es)

    def fail(self, es: Object, message: str, cause: str) -> None:
        """Failure: the cause goes into the Event only."""
        set_condition(es.setdefault("status", {}), False, "SecretSyncedError", message)
        self.recorder.event(es, "Warning", "UpdateFailed", cause)
