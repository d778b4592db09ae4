# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an object is as declared: defaults and other managers' fields are no drift, everything else is."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils.kubernetes import apply, rollout, sync
from ansible_collections.secretops.vault_eso.plugins.module_utils.kubernetes.external_secrets import LIST_DEFAULTS


@pytest.mark.parametrize(
    ("current", "desired", "same"),
    [
        ([{"key": "a", "conversionStrategy": "Default", "decodingStrategy": "None"}], [{"key": "a"}], True),
        ([{"key": "a", "decodingStrategy": "Base64"}], [{"key": "a"}], False),
        ([{"key": "a", "property": "p"}], [{"key": "a"}], False),
        ([{"ref": {"key": "a", "metadataPolicy": "None"}}], [{"ref": {"key": "a"}}], True),
        ([{"ref": {"key": "a", "version": "3"}}], [{"ref": {"key": "a"}}], False),
        ([{"key": "a"}, {"key": "b"}], [{"key": "a"}], False),
        ([{"key": "b"}, {"key": "a"}], [{"key": "a"}, {"key": "b"}], False),
        (None, [{"key": "a"}], False),
        (True, True, True),
        (1, True, False),
        ("1", 1, False),
    ],
)
def test_matching(current: Any, desired: Any, same: bool) -> None:
    assert apply.matches(current, desired, LIST_DEFAULTS) is same


def test_fields_are_named_by_path() -> None:
    manifest = {"metadata": {"labels": {"app.kubernetes.io/name": "x"}}, "spec": {"data": [{"a": 1}], "n": {"m": 0}}}
    named = {apply.dotted(path): value for path, value in apply.leaves(manifest).items()}
    assert named == {"metadata.labels[app.kubernetes.io/name]": "x", "spec.data": [{"a": 1}], "spec.n.m": 0}


def test_owned_fields_are_read_from_managed_fields() -> None:
    fields = {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
        "f:spec": {"f:data": {}, "f:ports": {'k:{"port":1}': {".": {}, "f:port": {}}}, "f:set": {'v:"x"': {}}},
    }
    assert sorted(apply.owned(fields)) == [
        ("metadata", "labels", "app"),
        ("spec", "data"),
        ("spec", "ports"),
        ("spec", "set"),
    ]


def test_nothing_empty_is_sent() -> None:
    assert apply.prune({"a": None, "b": {"c": []}, "d": [{"e": None, "f": False}], "g": ""}) == {
        "d": [{"f": False}],
        "g": "",
    }


def test_changed_keys_are_those_of_another_digest() -> None:
    before = sync.digests({"data": {"same": "YQ==", "other": "YQ==", "gone": "YQ=="}})
    after = sync.digests({"data": {"same": "YQ==", "other": "Yg==", "new": "YQ=="}})
    assert sync.changed_keys(before, after) == ["gone", "new", "other"]
    assert sync.digests(None) == {}


def deployment(**status: int) -> dict[str, Any]:
    return {"spec": {"replicas": 2}, "status": {"observedGeneration": 3, **status}}


@pytest.mark.parametrize(
    ("current", "lacking"),
    [
        (deployment(observedGeneration=2), "not seen by the controller"),
        (deployment(updatedReplicas=1, replicas=2), "1 old Pods are still there"),
        (deployment(updatedReplicas=1, replicas=1), "1 of 2 Pods are new"),
        (deployment(updatedReplicas=2, replicas=2, availableReplicas=1), "1 of 2 Pods are available"),
        (deployment(updatedReplicas=2, replicas=2, availableReplicas=2), ""),
    ],
)
def test_a_deployment_is_rolled_out_when_all_pods_are_new_and_available(current: dict[str, Any], lacking: str) -> None:
    found = rollout.unfinished("Deployment", current, 3)
    assert lacking in found
    assert bool(lacking) == bool(found)


def test_other_kinds_have_their_own_counters() -> None:
    spec = {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}}
    partitioned = {"spec": spec, "status": {"observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 3}}
    assert rollout.unfinished("StatefulSet", partitioned, 1) == ""
    counters = {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2}
    assert "0 of 2 Pods are available" in rollout.unfinished("DaemonSet", {"status": counters}, 1)
