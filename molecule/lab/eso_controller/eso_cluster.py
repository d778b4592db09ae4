# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reconciliation of ClusterExternalSecrets: one ExternalSecret in every selected namespace."""

from __future__ import annotations

import copy
from typing import Any

from eso_kube import NAME, ApiError, Kube, Object, Recorder, core, log, set_finalizer
from eso_policy import selector_matches
from eso_values import go_duration, seconds

FORCE_SYNC = "external-secrets.io/force-sync"
FINALIZER = "externalsecrets.external-secrets.io/clusterexternalsecret-cleanup"
NAMESPACE_FINALIZER = "externalsecrets.external-secrets.io/ces-"
NAME_LABEL = "kubernetes.io/metadata.name"


def selected(ces: Object, namespaces: list[Object]) -> list[str]:
    """Names of the namespaces that any selector or the list of names takes. Raise ValueError for a bad selector."""
    spec = ces["spec"]
    selectors = [
        *([spec["namespaceSelector"]] if spec.get("namespaceSelector") is not None else []),
        *(spec.get("namespaceSelectors") or []),
    ]
    chosen = []
    for namespace in namespaces:
        meta = namespace["metadata"]
        labels = meta.get("labels") or {}
        # those that are named are found by a label too, which an API server before 1.21 does not set by itself
        wanted = labels.get(NAME_LABEL) in (spec.get("namespaces") or [])
        wanted = wanted or any(selector_matches(selector, labels) for selector in selectors)
        if wanted and not meta.get("deletionTimestamp"):
            chosen.append(meta["name"])
    return sorted(chosen)


def wanted_external_secret(ces: Object, namespace: str, name: str) -> Object:
    """The ExternalSecret for one namespace; the force-sync annotation is handed down."""
    extra = ces["spec"].get("externalSecretMetadata") or {}
    meta: Object = {
        "name": name,
        "namespace": namespace,
        "labels": dict(extra.get("labels") or {}),
        "annotations": dict(extra.get("annotations") or {}),
    }
    force = (ces["metadata"].get("annotations") or {}).get(FORCE_SYNC)
    if force is not None:
        meta["annotations"][FORCE_SYNC] = force
    meta["ownerReferences"] = [
        {
            "apiVersion": ces["apiVersion"],
            "kind": "ClusterExternalSecret",
            "name": ces["metadata"]["name"],
            "uid": ces["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    spec = copy.deepcopy(ces["spec"]["externalSecretSpec"])
    if spec.get("refreshInterval"):
        spec["refreshInterval"] = go_duration(spec["refreshInterval"])
    return {
        "apiVersion": ces["apiVersion"],
        "kind": "ExternalSecret",
        "metadata": meta,
        "spec": spec,
    }


def owned(es: Object, name: str) -> bool:
    """Whether a ClusterExternalSecret of this name controls an ExternalSecret."""
    return any(
        owner.get("controller") and owner["kind"] == "ClusterExternalSecret" and owner["name"] == name
        for owner in es["metadata"].get("ownerReferences") or []
    )


class ClusterExternalSecretReconciler:
    """Creates, updates and removes ExternalSecrets; finalizers see to it that none is left."""

    def __init__(self, kube: Kube, discovery: Any, recorder: Recorder) -> None:
        self.kube, self.discovery, self.recorder = kube, discovery, recorder

    def reconcile(self, name: str) -> float | None:
        """One pass. Return the seconds until the next."""
        path = self.discovery.path("ClusterExternalSecret", "", name)
        ces = self.kube.find(path)
        if ces is None:
            return None
        if ces["metadata"].get("deletionTimestamp"):
            self.delete(ces, path)
            return None
        if set_finalizer(self.kube, path, ces, FINALIZER, True):
            ces = self.kube.call("GET", path)
        before = copy.deepcopy(ces.get("status") or {})
        status = ces.setdefault("status", {})
        es_name = ces["spec"].get("externalSecretName") or name
        provisioned = status.get("provisionedNamespaces") or []
        previous = status.get("externalSecretName") or es_name
        failed: dict[str, str] = {}
        try:
            chosen = selected(ces, self.kube.call("GET", core("namespaces"))["items"])
        except ValueError as error:
            failed["unknown"] = str(error)
            chosen = list(provisioned)
        for namespace in provisioned:
            if previous != es_name or namespace not in chosen:
                self.remove(namespace, previous, name, failed)
        self.release_terminating(name)
        done = [namespace for namespace in chosen if self.provide(ces, namespace, es_name, failed)]
        status["externalSecretName"] = es_name
        status["provisionedNamespaces"] = done
        status["failedNamespaces"] = [{"namespace": key, "reason": failed[key]} for key in sorted(failed)]
        # this kind's condition has neither a reason nor a time of transition
        condition = {"type": "Ready", "status": "False" if failed else "True"}
        if failed:
            condition["message"] = "one or more namespaces failed"
        status["conditions"] = [condition]
        if status != before:
            for empty in ("failedNamespaces", "provisionedNamespaces"):
                status[empty] = status[empty] or None
            self.kube.merge_patch(path + "/status", {"status": status})
            log(f"ClusterExternalSecret {name}:", f"{len(done)} namespaces provisioned, {len(failed)} failed")
        if failed:
            return 5.0
        return seconds(str(ces["spec"].get("refreshTime") or "1h0m0s")) or None

    def provide(self, ces: Object, namespace: str, name: str, failed: dict[str, str]) -> bool:
        """Create or update one ExternalSecret; tell `failed` why that was not possible."""
        wanted = wanted_external_secret(ces, namespace, name)
        path = self.discovery.path("ExternalSecret", namespace, name)
        query = {"fieldManager": NAME}
        try:
            # it stays there when the namespace is selected no longer, as with the operator
            self.hold(namespace, ces["metadata"]["name"], True)
            existing = self.kube.find(path)
            if existing is None:
                self.kube.call("POST", self.discovery.path("ExternalSecret", namespace), query, wanted)
                return True
            if not owned(existing, ces["metadata"]["name"]):
                failed[namespace] = "external secret already exists in namespace"
                return False
            update = copy.deepcopy(existing)
            for field in ("labels", "annotations", "ownerReferences"):
                update["metadata"][field] = wanted["metadata"][field]
            update["spec"] = wanted["spec"]
            # what the API server defaults in is no difference: it answers a dry run with the same version
            answer = self.kube.call("PUT", path, {**query, "dryRun": "All"}, update)
            if (
                any(
                    (answer["metadata"].get(f) or {}) != (existing["metadata"].get(f) or {})
                    for f in ("labels", "annotations", "ownerReferences")
                )
                or answer["spec"] != existing["spec"]
            ):
                self.kube.call("PUT", path, query, update)
            return True
        except ApiError as error:
            failed[namespace] = f"could not create or update ExternalSecret: {error}"
            return False

    def hold(self, namespace: str, name: str, on: bool) -> None:
        """Put the finalizer of a ClusterExternalSecret on a namespace, or take it off. Raise ApiError."""
        path = core("namespaces", "", namespace)
        found = self.kube.find(path)
        if found is not None:
            set_finalizer(self.kube, path, found, NAMESPACE_FINALIZER + name, on)

    def release_terminating(self, name: str) -> None:
        """Let namespaces go that are being deleted. Raise ApiError."""
        for namespace in self.kube.call("GET", core("namespaces"))["items"]:
            if namespace["metadata"].get("deletionTimestamp"):
                path = core("namespaces", "", namespace["metadata"]["name"])
                set_finalizer(self.kube, path, namespace, NAMESPACE_FINALIZER + name, False)

    def delete(self, ces: Object, path: str) -> None:
        """The whole goes: its ExternalSecrets first. Raise ApiError."""
        name, status = ces["metadata"]["name"], ces.get("status") or {}
        failed: dict[str, str] = {}
        for namespace in status.get("provisionedNamespaces") or []:
            self.hold(namespace, name, False)
            self.remove(namespace, status.get("externalSecretName") or name, name, failed)
        if failed:
            raise ApiError(500, "InternalError", "; ".join(failed[key] for key in sorted(failed)))
        set_finalizer(self.kube, path, ces, FINALIZER, False)
        log(f"ClusterExternalSecret {name}:", "deleted")

    def remove(self, namespace: str, name: str, owner: str, failed: dict[str, str]) -> None:
        """Delete an ExternalSecret that is no longer wanted, when it is ours."""
        path = self.discovery.path("ExternalSecret", namespace, name)
        try:
            existing = self.kube.find(path)
            if existing is not None and owned(existing, owner):
                self.kube.call("DELETE", path)
        except ApiError as error:
            failed[namespace] = str(error)
