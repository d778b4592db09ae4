# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the operator is ready, and what it lacks until then."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.operator import deployments_lack, flux_lacks
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.manifests import check


def flux(generation: int, observed: int, **conditions: str) -> dict[str, Any]:
    return {
        "metadata": {"generation": generation},
        "status": {
            "observedGeneration": observed,
            "conditions": [
                {"type": name, "status": status, "reason": "Why", "message": "because"}
                for name, status in conditions.items()
            ],
        },
    }


@pytest.mark.parametrize(
    ("current", "lacking", "hopeless"),
    [
        (flux(2, 2, Ready="True"), "", False),
        (flux(3, 2, Ready="True"), "Why, because", False),
        (flux(2, 2, Ready="False"), "Why, because", False),
        (flux(2, 2, Ready="False", Stalled="True"), "Why, because", True),
        # Flux gave up on what was declared before, and has not seen the new one
        (flux(3, 2, Ready="False", Stalled="True"), "Why, because", False),
        ({"metadata": {"generation": 1}}, "no controller of Flux has looked at it in 5 s", False),
        (None, "no controller of Flux has looked at it in 5 s", False),
    ],
)
def test_flux_is_ready_when_it_says_so_of_the_newest_generation(current: Any, lacking: str, hopeless: bool) -> None:
    found = flux_lacks(current, 5)
    assert found[0].startswith(lacking)
    assert bool(found[0]) is bool(lacking)
    assert found[1] is hopeless


def test_a_value_that_flux_quotes_is_masked() -> None:
    refused = flux(1, 1, Ready="False")
    refused["status"]["conditions"][0]["message"] = (
        'Helm install failed: Deployment.apps "eso" is invalid: spec.env[0].value: Invalid value: "hunter2": too short'
    )
    lacking, _hopeless = flux_lacks(refused, 5)
    assert lacking.startswith("Why, Helm install failed")
    assert "hunter2" not in lacking


def deployment(chart: str = "external-secrets-2.9.0", **status: int) -> dict[str, Any]:
    healthy = {"observedGeneration": 4, "updatedReplicas": 2, "availableReplicas": 2}
    return {
        "metadata": {"name": "webhook", "generation": 4, "labels": {"helm.sh/chart": chart}},
        "spec": {"replicas": 2},
        "status": {**healthy, **status},
    }


@pytest.mark.parametrize(
    ("found", "lacking"),
    [
        ([deployment()], ""),
        ([], "the release eso has no Deployment"),
        ([deployment(), deployment(availableReplicas=1)], "webhook has 1 of 2 pods"),
        ([deployment(updatedReplicas=1)], "webhook has 1 of 2 pods"),
        ([deployment(observedGeneration=3)], "webhook has 0 of 2 pods"),
        ([deployment("external-secrets-2.8.0")], "webhook is of external-secrets-2.8.0"),
        ([deployment(""), deployment(availableReplicas=0)], "webhook is of an unknown chart, webhook has 0 of 2 pods"),
    ],
)
def test_deployments_run_when_all_pods_of_the_version_are_available(found: list[Any], lacking: str) -> None:
    assert deployments_lack(found, "eso", "2.9.0") == lacking


@pytest.mark.parametrize(
    "entry",
    ["x", {}, {"kind": "Secret", "metadata": {"name": "x"}}, {"apiVersion": "v1", "kind": "Secret", "metadata": {}}],
)
def test_what_is_no_manifest_is_refused(entry: Any) -> None:
    with pytest.raises(InvalidInput, match="not a manifest"):
        check([entry])
