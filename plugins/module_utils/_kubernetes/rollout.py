# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Restart workloads as ``kubectl rollout restart`` does, and wait until all their Pods are new."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._engine.errors import InvalidInput, SecretopsError
from .._engine.resource import Change
from .apply import Action
from .client import Client
from .errors import Missing
from .kind import Kind, Object
from .objects import condition
from .waiting import Expectation

ANNOTATION = "kubectl.kubernetes.io/restartedAt"
MANAGER = "secretops.vault_eso.rollout"
KINDS = {
    name: Kind(name, plural, "apps", ("v1",))
    for name, plural in (("Deployment", "deployments"), ("StatefulSet", "statefulsets"), ("DaemonSet", "daemonsets"))
}


def unfinished(kind: str, current: Mapping[str, Any], generation: int) -> str:
    """Return "" when all Pods of a workload have its newest template and are available, else what is lacking.

    ``generation``: that of the restart. Raises SecretopsError when the rollout has failed for good. Source: the rules
    of ``kubectl rollout status``.
    """
    spec, status = current.get("spec") or {}, current.get("status") or {}
    if int(status.get("observedGeneration") or 0) < generation:
        return "the controller has not seen the restart yet"
    if kind == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled") or 0)
        updated, available = status.get("updatedNumberScheduled") or 0, status.get("numberAvailable") or 0
    else:
        wanted = 1 if spec.get("replicas") is None else int(spec["replicas"])
        updated = status.get("updatedReplicas") or 0
        available = status.get("availableReplicas" if kind == "Deployment" else "readyReplicas") or 0
    if kind == "Deployment":
        progress = condition(current, "Progressing")
        if progress.get("reason") == "ProgressDeadlineExceeded":
            raise SecretopsError(
                "the rollout has failed: %s" % progress.get("message"), remedy="look at its Pods' events"
            )
        if int(status.get("replicas") or 0) > int(updated):
            return "%d old Pods are still there" % (int(status["replicas"]) - int(updated))
    if kind == "StatefulSet":
        partition = int((((spec.get("updateStrategy") or {}).get("rollingUpdate")) or {}).get("partition") or 0)
        if int(updated) >= wanted - partition and int(available) >= wanted:
            return ""
    if int(updated) < wanted:
        return "%s of %d Pods are new" % (updated, wanted)
    if int(available) < wanted:
        return "%s of %d Pods are available" % (available, wanted)
    return ""


class Rollout(Action):
    """One restart of a workload."""

    kind = "rollout"

    def __init__(self, client: Client, item: Mapping[str, Any], wait: bool) -> None:
        self.client = client
        self.item = item
        self.wait = wait
        self.api = KINDS[item["kind"]]
        self.generation = 0
        self.path = self.api.path("v1", item["namespace"], item["name"])
        super().__init__(
            "%s/%s/%s" % (item["namespace"], self.api.plural, item["name"]),
            {"restartedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
        )

    def read(self) -> Mapping[str, Any] | None:
        current = self.client.get(self.path)
        if current is None:
            raise SecretopsError("does not exist", remedy="correct kind, name and namespace")
        spec = current.get("spec") or {}
        if spec.get("paused"):
            raise InvalidInput("it is paused: a restart would not begin", remedy="resume it first")
        strategy = (spec.get("updateStrategy") or {}).get("type")
        if strategy == "OnDelete" and self.wait:
            raise InvalidInput(
                "its update strategy is OnDelete: its Pods are not replaced by a restart",
                remedy="use RollingUpdate, or set wait to false and delete the Pods",
            )
        annotations = ((spec.get("template") or {}).get("metadata") or {}).get("annotations") or {}
        return {"restartedAt": annotations.get(ANNOTATION)}

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        # always a difference, even within the second of the last restart
        return ["restartedAt"]

    def write(self, change: Change) -> None:
        stamp = change.desired["restartedAt"]
        if (change.current or {}).get("restartedAt") == stamp:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".%09dZ" % (time.time_ns() % 1_000_000_000)
        patch = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: stamp}}}}}
        try:
            answer = self.client.merge(self.path, patch, MANAGER)
        except Missing as error:
            raise SecretopsError("was deleted meanwhile", remedy="create it again") from error
        self.generation = int(answer["metadata"].get("generation") or 0)
        self.info["restarted_at"] = stamp

    def server_dry_run(self, change: Change) -> None:
        self.client.merge(
            self.path,
            {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: change.desired["restartedAt"]}}}}},
            MANAGER,
            dry_run=True,
        )

    def expectation(self) -> Expectation:
        def look(current: Object | None) -> str:
            if current is None:
                raise SecretopsError("was deleted during the wait", remedy="create it again")
            lacking = unfinished(self.item["kind"], current, self.generation)
            return "the rollout is not finished (%s)" % lacking if lacking else ""

        return Expectation(self.api, "v1", self.item["namespace"], self.item["name"], look)
