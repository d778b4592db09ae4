# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an object is as declared: defaults and other managers' fields are no drift, everything else is."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.forced import changed_keys, digests
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes import rollout
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.fields import (
    dotted,
    leaves,
    matches,
    owned,
    spelled,
    without_none,
    words,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.schema import UNREADABLE


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
    reference = {
        "type": "object",
        "properties": {
            "key": {"type": "string"},
            "property": {"type": "string"},
            "version": {"type": "string"},
            "conversionStrategy": {"type": "string", "default": "Default"},
            "decodingStrategy": {"type": "string", "default": "None"},
            "metadataPolicy": {"type": "string", "default": "None"},
        },
    }
    entry = {**reference, "properties": {**reference["properties"], "ref": reference}}
    # by the schema, and by what is known where it cannot be read
    assert matches(current, desired, {"type": "array", "items": entry}) is same
    assert matches(current, desired, UNREADABLE) is same


@pytest.mark.parametrize("name", ["conversionStrategy", "nullBytePolicy", "anything"])
def test_a_default_is_one_by_the_served_schema_alone(name: str) -> None:
    current, desired = [{"key": "a", name: "x"}], [{"key": "a"}]
    known = {"key": {"type": "string"}, name: {"type": "string"}}
    schema = {"items": {"properties": {**known, name: {"type": "string", "default": "x"}}}}
    assert matches(current, desired, schema)
    assert not matches(current, desired, {"items": {"properties": known}})
    assert not matches(current, desired, {"items": {"properties": {**known, name: {"default": "y"}}}})


def test_fields_are_named_by_path() -> None:
    manifest = {"metadata": {"labels": {"app.kubernetes.io/name": "x"}}, "spec": {"data": [{"a": 1}], "n": {"m": 0}}}
    named = {dotted(path): value for path, value in leaves(manifest).items()}
    assert named == {"metadata.labels[app.kubernetes.io/name]": "x", "spec.data": [{"a": 1}], "spec.n.m": 0}


def test_owned_fields_are_read_from_managed_fields() -> None:
    fields = {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
        "f:spec": {"f:data": {}, "f:ports": {'k:{"port":1}': {".": {}, "f:port": {}}}, "f:set": {'v:"x"': {}}},
    }
    assert sorted(owned(fields)) == [
        ("metadata", "labels", "app"),
        ("spec", "data"),
        ("spec", "ports"),
        ("spec", "set"),
    ]


def test_nothing_that_was_declared_is_dropped() -> None:
    given = {"a": None, "b": {"c": []}, "d": [{"e": None, "f": False, "h": {}}], "g": ""}
    assert without_none(given) == {"b": {"c": []}, "d": [{"f": False, "h": {}}], "g": ""}


@pytest.mark.parametrize(("value", "text"), [(1, "1"), (True, "true"), ("yes", "yes"), (0, "0"), (None, None)])
def test_words_of_the_user_are_text(value: Any, text: Any) -> None:
    assert words("labels", {"a": value}) == {"a": text}


@pytest.mark.parametrize("value", [1.1, {"b": "c"}, ["b"]])
def test_what_is_no_text_is_refused_as_a_word(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r'labels: the value of "a" is a (number|mapping|list)'):
        words("labels", {"a": value})


@pytest.mark.parametrize(
    ("path", "item", "text"),
    [
        (
            ("spec", "conditions", 0, "namespaceSelector", "matchLabel"),
            {"conditions": [{"namespace_selector": {"match_label": {}}}]},
            "conditions[0].namespace_selector.match_label",
        ),
        (
            ("spec", "provider", "vault", "auth", "iam", "region_"),
            {"auth": {"iam": {"region_": 1}}, "spec": None},
            "auth.iam.region_",
        ),
        (
            ("spec", "externalSecretSpec", "dataFrom", 1, "rewrite", 0, "regex"),
            {"external_secret": {"data_from": [{}, {"rewrite": [{"regex": {}}]}]}},
            "external_secret.data_from[1].rewrite[0].regex",
        ),
        (("spec", "dataFrom", 0, "find", "nam"), {"spec": {"dataFrom": [{"find": {}}]}}, "spec.dataFrom[0].find.nam"),
        (("spec", "secretStoreRef", "name"), {"store": {"kind": "SecretStore"}}, "store.name"),
        (("spec", "data", 0, "remoteRef"), {"data": [{"secret_key": "a", "remote_ref": None}]}, "data[0].remote_ref"),
    ],
)
def test_a_path_is_told_as_the_user_wrote_it(path: Any, item: Any, text: str) -> None:
    assert spelled(path, item) == text


def test_changed_keys_are_those_of_another_digest() -> None:
    before = digests({"data": {"same": "YQ==", "other": "YQ==", "gone": "YQ=="}})
    after = digests({"data": {"same": "YQ==", "other": "Yg==", "new": "YQ=="}})
    assert changed_keys(before, after) == ["gone", "new", "other"]
    assert digests(None) == {}


def deployment(**status: int) -> dict[str, Any]:
    return {"spec": {"replicas": 2}, "status": {"observedGeneration": 3, **status}}


@pytest.mark.parametrize(
    ("current", "lacking"),
    [
        (deployment(observedGeneration=2), "has not seen the restart"),
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
