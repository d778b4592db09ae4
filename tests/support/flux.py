# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Flux's controllers, for one Kustomization: it takes a real repository to a real API server.

It does what Flux documents of them and no more: answers requested reconciles, applies by server-side apply with Flux's
field manager and labels, deletes what left the tree unless it is marked, and writes its status.
"""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client.exceptions import ApiException

from .kubernetes_api import KubeApi

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
REQUESTED = "reconcile.fluxcd.io/requestedAt"
PRUNE = "kustomize.toolkit.fluxcd.io/prune"
NAMESPACE = "flux-system"
NAME = "external-secrets"
SOURCE = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/gitrepositories/{NAME}"
KUSTOMIZATION = f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/kustomizations/{NAME}"


def definition(group: str, kind: str, plural: str, version: str = "v1") -> dict[str, Any]:
    """Return a definition with the kind's own names and no schema."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {
        "name": version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "scope": "Namespaced",
            "versions": [served],
        },
    }


class Flux:
    """One source and one Kustomization, and what answers for both in a thread."""

    def __init__(self, api: KubeApi, repository: Path, path: str) -> None:
        self.api, self.repository, self.path = api, repository, path
        self.inventory: set[str] = set()
        self.deleted: list[str] = []
        self.message = ""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Flux:
        """Install definitions and objects, and begin to answer."""
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for one in (
            definition("source.toolkit.fluxcd.io", "GitRepository", "gitrepositories"),
            definition("kustomize.toolkit.fluxcd.io", "Kustomization", "kustomizations"),
        ):
            name = one["metadata"]["name"]
            self.api.call("PATCH", f"{crds}/{name}?fieldManager=test&force=true", one, APPLY)
        self._until(lambda: self.api.call("GET", SOURCE.rpartition("/")[0]) is not None)
        self._until(lambda: self.api.call("GET", KUSTOMIZATION.rpartition("/")[0]) is not None)
        self.api.namespace(NAMESPACE)
        reference = {"sourceRef": {"kind": "GitRepository", "name": NAME}, "path": self.path, "prune": True}
        for path, kind, spec in ((SOURCE, "GitRepository", {}), (KUSTOMIZATION, "Kustomization", reference)):
            group = path.split("/")[2]
            body = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": NAME}, "spec": spec}
            self.api.call("POST", path.rpartition("/")[0], body)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer no more."""
        self._end.set()
        self._thread.join(20)

    def _until(self, check: Any) -> None:
        for _ in range(300):
            try:
                if check():
                    return
            except ApiException:
                pass
            self._end.wait(0.1)
        raise AssertionError("the definitions are not served")

    def _run(self) -> None:
        while not self._end.wait(0.2):
            for path, answer in ((SOURCE, self._fetch), (KUSTOMIZATION, self._apply)):
                current = self.api.call("GET", path)
                asked = (current["metadata"].get("annotations") or {}).get(REQUESTED)
                if asked and asked != (current.get("status") or {}).get("lastHandledReconcileAt"):
                    status = {**answer(), "lastHandledReconcileAt": asked}
                    self.api.call("PATCH", f"{path}/status?fieldManager=flux", {"status": status}, MERGE)

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.repository), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def _revision(self) -> str:
        return "main@sha1:" + self._git("rev-parse", "main").strip()

    def _condition(self, ready: bool, reason: str, text: str) -> list[dict[str, str]]:
        entry = {"type": "Ready", "status": str(ready), "reason": reason, "message": text}
        return [{**entry, "lastTransitionTime": "2026-01-01T00:00:00Z"}]

    def _fetch(self) -> dict[str, Any]:
        return {"artifact": {"revision": self._revision()}, "conditions": self._condition(True, "Succeeded", "stored")}

    def objects(self) -> list[dict[str, Any]]:
        """Return what the tree in the repository holds."""
        if not self._git("ls-tree", "main", f"{self.path}/kustomization.yaml"):
            return []
        listed = yaml.safe_load(self._git("show", f"main:{self.path}/kustomization.yaml"))["resources"]
        return [yaml.safe_load(self._git("show", f"main:{self.path}/{name}")) for name in listed]

    def rest_path(self, manifest: dict[str, Any]) -> str:
        """Return an object's REST path; the plural is what the API server says."""
        version = manifest["apiVersion"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        known = self.api.call("GET", base)["resources"]
        plural = next(one["name"] for one in known if one["kind"] == manifest["kind"] and "/" not in one["name"])
        space = manifest["metadata"].get("namespace")
        return f"{base}/{f'namespaces/{space}/' if space else ''}{plural}/{manifest['metadata']['name']}"

    def _apply(self) -> dict[str, Any]:
        if self.message:
            return {"conditions": self._condition(False, "ReconciliationFailed", self.message)}
        applied = set()
        # namespaces first, as Flux does
        for manifest in sorted(self.objects(), key=lambda one: one["kind"] != "Namespace"):
            path = self.rest_path(manifest)
            labels = {
                "kustomize.toolkit.fluxcd.io/name": NAME,
                "kustomize.toolkit.fluxcd.io/namespace": NAMESPACE,
                **(manifest["metadata"].get("labels") or {}),
            }
            body = {**manifest, "metadata": {**manifest["metadata"], "labels": labels}}
            self.api.call("PATCH", f"{path}?fieldManager=kustomize-controller&force=true", body, APPLY)
            applied.add(path)
        for path in sorted(self.inventory - applied):
            current = self.api.call("GET", path)
            if (current["metadata"].get("annotations") or {}).get(PRUNE) != "disabled":
                self.api.call("DELETE", path)
                self.deleted.append(path)
        self.inventory = applied
        text = "Applied revision: " + self._revision()
        return {
            "lastAppliedRevision": self._revision(),
            "conditions": self._condition(True, "ReconciliationSucceeded", text),
        }
