# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts against a real API server. Where no controller runs, the test writes the status that one would write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.kubernetes_api import KubeApi
from support.modules import Result

Run = Callable[..., Result]
MERGE = "application/merge-patch+json"


def path(namespace: str, plural: str = "deployments", name: str = "") -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def workload(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"containers": [{"name": "app", "image": "example.com/app:1"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    body = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


@pytest.fixture
def deployment(kube_api: KubeApi, namespace: str) -> Iterator[str]:
    """A Deployment without Pods, so that it is complete wherever a controller runs."""
    kube_api.call("POST", path(namespace), workload("Deployment", "app", replicas=0))
    yield "app"
    kube_api.call("DELETE", path(namespace, name="app"))


def restarted(kube_api: KubeApi, namespace: str, plural: str, name: str) -> Any:
    template = kube_api.call("GET", path(namespace, plural, name))["spec"]["template"]
    return (template["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/restartedAt")


def observe(kube_api: KubeApi, target: str, generation: int, **status: Any) -> None:
    """Write a status as the workload's controller would."""
    body = {"status": {"observedGeneration": generation, **status}}
    kube_api.call("PATCH", target + "/status", body, MERGE)


def test_a_restart_is_written_and_check_mode_does_not(
    kube_api: KubeApi, kube_args: dict[str, Any], namespace: str, deployment: str, run_module: Run
) -> None:
    options = {**kube_args, "name": deployment, "namespace": namespace, "wait": False}
    checked = run_module("k8s_rollout", options, check=True, diff=True, must_succeed=True)
    assert checked.changed
    assert "restartedAt" in checked["diff"][0]["after"]
    assert restarted(kube_api, namespace, "deployments", deployment) is None
    first = run_module("k8s_rollout", options, must_succeed=True)
    assert first.changed
    assert restarted(kube_api, namespace, "deployments", deployment) == first["restarted_at"]
    second = run_module("k8s_rollout", options, must_succeed=True)
    assert second["restarted_at"] != first["restarted_at"], "two restarts within a second are two"


def test_waiting_ends_when_the_new_pods_are_available(
    kube_api: KubeApi, kube_args: dict[str, Any], namespace: str, deployment: str, run_module: Run
) -> None:
    target = path(namespace, name=deployment)

    def play() -> None:
        while restarted(kube_api, namespace, "deployments", deployment) is None:
            time.sleep(0.1)
        generation = kube_api.call("GET", target)["metadata"]["generation"]
        observe(kube_api, target, generation, replicas=0, updatedReplicas=0, availableReplicas=0)

    controller = threading.Thread(target=play)
    controller.start()
    options = {**kube_args, "name": deployment, "namespace": namespace, "wait_timeout": 20}
    done = run_module("k8s_rollout", options)
    controller.join()
    assert not done.failed, done.msg


def test_a_rollout_that_does_not_end_says_what_is_lacking(
    kube_api: KubeApi, kube_args: dict[str, Any], namespace: str, run_module: Run
) -> None:
    queue = workload("StatefulSet", "queue", serviceName="queue", replicas=2)
    kube_api.call("POST", path(namespace, "statefulsets"), queue)
    options = {**kube_args, "kind": "StatefulSet", "name": "queue", "namespace": namespace, "wait_timeout": 1}
    stuck = run_module("k8s_rollout", options)
    assert stuck.failed
    assert "the rollout is not finished" in stuck.msg
    assert "after 1 seconds" in stuck.msg


def test_many_workloads_and_one_that_does_not_exist(
    kube_api: KubeApi, kube_args: dict[str, Any], namespace: str, deployment: str, run_module: Run
) -> None:
    kube_api.call("POST", path(namespace, "daemonsets"), workload("DaemonSet", "agent"))
    many = [
        {"name": deployment, "namespace": namespace},
        {"kind": "DaemonSet", "name": "agent", "namespace": namespace},
        {"kind": "StatefulSet", "name": "nothing", "namespace": namespace},
    ]
    refused = run_module("k8s_rollout", {**kube_args, "workloads": many, "wait": False})
    assert refused.failed
    assert f'rollout "{namespace}/statefulsets/nothing": does not exist' in refused.msg
    assert refused["summary"] == {"create": 0, "update": 2, "delete": 0, "none": 0, "failed": 1, "not_reached": 0}
    assert restarted(kube_api, namespace, "daemonsets", "agent")


def test_a_paused_deployment_is_refused(
    kube_api: KubeApi, kube_args: dict[str, Any], namespace: str, deployment: str, run_module: Run
) -> None:
    kube_api.call("PATCH", path(namespace, name=deployment), {"spec": {"paused": True}}, MERGE)
    refused = run_module("k8s_rollout", {**kube_args, "name": deployment, "namespace": namespace})
    assert refused.failed
    assert "it is paused" in refused.msg
    assert restarted(kube_api, namespace, "deployments", deployment) is None
