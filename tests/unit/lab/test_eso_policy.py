# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated operator's decisions: what is refused, when to refresh, what the target and the status look like."""

from __future__ import annotations

import base64
import copy
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "molecule" / "lab" / "eso_controller"))
policy = importlib.import_module("eso_policy")
values = importlib.import_module("eso_values")
vault = importlib.import_module("eso_vault")
cluster = importlib.import_module("eso_cluster")
push = importlib.import_module("eso_push")
generators = importlib.import_module("eso_generators")

NOON = 1_700_000_000.0  # 2023-11-14T22:13:20Z


def external_secret(**spec: Any) -> dict[str, Any]:
    """An ExternalSecret with a target, as the API server would return it."""
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "db", "namespace": "apps", "uid": "1", "generation": 1, "labels": {"team": "a"}},
        "spec": {"dataFrom": [{"extract": {"key": "app"}}], "refreshInterval": "1m", **spec},
    }


def synced(es: dict[str, Any], when: str = "2023-11-14T22:13:20Z") -> dict[str, Any]:
    """The same, synced at a time."""
    es["status"] = {"refreshTime": when, "syncedResourceVersion": values.synced_resource_version(es["metadata"])}
    return es


def no_template(kind: str, name: str, key: str) -> str:
    """A template source that must not be asked."""
    raise AssertionError(f"{kind} {name} {key} was read")


def plain(secret: dict[str, Any]) -> dict[str, bytes]:
    """A Secret's data, decoded."""
    return {key: base64.b64decode(value) for key, value in secret["data"].items()}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"dataFrom": []}, "either data or dataFrom"),
        ({"target": {"deletionPolicy": "Delete", "creationPolicy": "Merge"}}, "deletionPolicy=Delete must not be used"),
        ({"target": {"deletionPolicy": "Delete", "creationPolicy": "CreateOrMerge"}}, "deletionPolicy=Delete"),
        ({"target": {"deletionPolicy": "Merge", "creationPolicy": "None"}}, "no Secret to merge"),
        ({"dataFrom": [{"extract": {"key": "a"}, "find": {"name": {}}}]}, "at the same time"),
        ({"dataFrom": [{"sourceRef": {"generatorRef": {"name": "g"}}, "extract": {"key": "a"}}]}, "at the same time"),
        ({"dataFrom": [{}]}, "either extract, find, or sourceRef"),
        ({"dataFrom": [{"sourceRef": {}}]}, "generatorRef or storeRef"),
        ({"data": [{"secretKey": "a"}, {"secretKey": "a"}]}, "duplicate secretKey found: a"),
        ({"target": {"template": {"engineVersion": "v1"}}}, "engineVersion v1 is not emulated"),
        ({"target": {"template": {"templateFrom": [{"target": "spec.x", "literal": ""}]}}}, "is not allowed"),
        ({"target": {"manifest": {"apiVersion": "v1", "kind": "Service"}}}, "not emulated"),
        ({"syncWindows": {"kind": "deny"}}, "not emulated"),
    ],
)
def test_what_the_admission_webhook_denies_is_refused(spec: dict[str, Any], message: str) -> None:
    assert message in str(policy.spec_problem(external_secret(**spec)))


def test_a_plain_external_secret_is_fine() -> None:
    assert policy.spec_problem(external_secret()) is None


@pytest.mark.parametrize(
    ("spec", "after", "expected"),
    [
        ({}, 59, False),
        ({}, 61, True),
        ({}, -5, True),
        ({"refreshInterval": "0"}, 9999, False),
        ({"refreshPolicy": "OnChange"}, 9999, False),
        ({"refreshPolicy": "CreatedOnce"}, 9999, False),
    ],
)
def test_refresh_by_policy_and_interval(spec: dict[str, Any], after: float, expected: bool) -> None:
    assert policy.should_refresh(synced(external_secret(**spec)), NOON + after) is expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, True),
        ({"refreshPolicy": "OnChange"}, True),
        ({"refreshPolicy": "CreatedOnce"}, False),
        ({"refreshInterval": "0"}, False),
    ],
)
def test_a_force_sync_annotation_refreshes_except_where_the_operator_ignores_it(
    spec: dict[str, Any], expected: bool
) -> None:
    es = synced(external_secret(**spec))
    es["metadata"]["annotations"] = {"force-sync": "1"}
    assert policy.should_refresh(es, NOON + 1) is expected


def test_what_was_never_synced_is_refreshed_whatever_the_policy() -> None:
    for kind in ("Periodic", "OnChange", "CreatedOnce"):
        assert policy.should_refresh(external_secret(refreshPolicy=kind, refreshInterval="0"), NOON)


def test_the_next_look_is_when_the_interval_ends() -> None:
    assert policy.requeue_after(synced(external_secret()), NOON + 20) == pytest.approx(40.001)
    assert policy.requeue_after(synced(external_secret(refreshInterval="0s")), NOON) is None


def test_drift_makes_a_secret_invalid_except_an_orphan() -> None:
    es = external_secret()
    secret = policy.mutate(es, None, {"a": b"1"}, no_template)
    assert policy.secret_valid(secret, es)
    drifted = copy.deepcopy(secret)
    drifted["data"]["a"] = base64.b64encode(b"2").decode()
    assert not policy.secret_valid(drifted, es)
    unlabelled = copy.deepcopy(secret)
    del unlabelled["metadata"]["labels"][policy.LABEL_MANAGED]
    assert not policy.secret_valid(unlabelled, es)
    assert not policy.secret_valid(None, es)
    assert policy.secret_valid(None, external_secret(target={"creationPolicy": "Orphan"}))


def test_a_new_secret_is_owned_labelled_hashed_and_copies_labels() -> None:
    secret = policy.mutate(external_secret(), None, {"a": b"1"}, no_template)
    meta = secret["metadata"]
    assert plain(secret) == {"a": b"1"}
    assert meta["ownerReferences"][0]["kind"] == "ExternalSecret" and meta["ownerReferences"][0]["controller"]
    assert meta["labels"]["team"] == "a" and meta["labels"][policy.LABEL_MANAGED] == "true"
    assert meta["annotations"][policy.ANNOTATION_HASH] == values.data_hash({"a": b"1"})


def test_owner_drops_foreign_keys_and_merge_keeps_them() -> None:
    existing = {
        "metadata": {"name": "db", "namespace": "apps", "uid": "9"},
        "data": {"own": base64.b64encode(b"x").decode()},
    }
    assert plain(policy.mutate(external_secret(), existing, {"a": b"1"}, no_template)) == {"a": b"1"}
    merged = policy.mutate(external_secret(target={"creationPolicy": "Merge"}), existing, {"a": b"1"}, no_template)
    assert plain(merged) == {"a": b"1", "own": b"x"}
    assert "ownerReferences" not in merged["metadata"]


def test_merge_removes_the_keys_it_wrote_before() -> None:
    es = external_secret(target={"creationPolicy": "Merge"})
    existing = {
        "metadata": {
            "name": "db",
            "namespace": "apps",
            "managedFields": [
                {"manager": policy.manager_of(es), "fieldsV1": {"f:data": {".": {}, "f:old": {}}}},
                {"manager": "kubectl", "fieldsV1": {"f:data": {"f:own": {}}}},
            ],
        },
        "data": {"own": "eA==", "old": "eA=="},
    }
    assert plain(policy.mutate(es, existing, {"new": b"1"}, no_template)) == {"own": b"x", "new": b"1"}


def test_a_second_mutation_changes_nothing() -> None:
    es = external_secret(target={"template": {"type": "Opaque", "data": {"url": "{{ .a }}"}}})
    secret = policy.mutate(es, None, {"a": b"1"}, no_template)
    assert policy.mutate(es, secret, {"a": b"1"}, no_template) == secret


def test_another_owner_is_refused() -> None:
    for kind, version, message in (
        ("ExternalSecret", "external-secrets.io/v1beta1", "target is owned by another ExternalSecret"),
        ("Certificate", "cert-manager.io/v1", "failed to take ownership of target secret"),
    ):
        owner = {"apiVersion": version, "kind": kind, "name": "other", "uid": "2", "controller": True}
        existing = {"metadata": {"name": "db", "namespace": "apps", "ownerReferences": [owner]}, "data": {}}
        with pytest.raises(policy.Refused) as caught:
            policy.mutate(external_secret(), existing, {"a": b"1"}, no_template)
        assert caught.value.message == message


def test_an_immutable_secret_that_exists_keeps_its_data() -> None:
    es = external_secret(target={"immutable": True})
    secret = policy.mutate(es, None, {"a": b"1"}, no_template)
    assert secret["immutable"] is True
    assert plain(policy.mutate(es, secret, {"a": b"2"}, no_template)) == {"a": b"1"}


@pytest.mark.parametrize(
    ("merge_policy", "expected"),
    [
        ("Replace", {"url": b"u1", "f": b"f1", "k": b"1"}),
        ("Merge", {"url": b"u1", "f": b"f1", "k": b"1", "a": b"1"}),
    ],
)
def test_templates_replace_or_merge(merge_policy: str, expected: dict[str, bytes]) -> None:
    asked = []

    def read(kind: str, name: str, key: str) -> str:
        asked.append((kind, name, key))
        return "f{{ .a }}"

    template = {
        "mergePolicy": merge_policy,
        "type": "kubernetes.io/tls",
        "metadata": {"labels": {"l": "{{ .a }}"}, "annotations": {"n": "fixed"}},
        "data": {"url": "u{{ .a }}"},
        "templateFrom": [
            {"configMap": {"name": "c", "items": [{"key": "f"}]}},
            {"literal": "k: {{ .a | quote }}"},
            {"target": "Annotations", "literal": "deep: {{ .a | quote }}"},
        ],
    }
    secret = policy.mutate(external_secret(target={"template": template}), None, {"a": b"1"}, read)
    assert plain(secret) == expected
    assert asked == [("ConfigMap", "c", "f")]
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["metadata"]["labels"]["l"] == "1" and "team" not in secret["metadata"]["labels"]
    assert secret["metadata"]["annotations"]["n"] == "fixed" and secret["metadata"]["annotations"]["deep"] == "1"


def test_conditions_keep_their_transition_time_while_the_status_stays() -> None:
    old = {"type": "Ready", "status": "False", "reason": "X", "message": "m", "lastTransitionTime": "then"}
    status: dict[str, Any] = {"conditions": [dict(old)]}
    policy.set_condition(status, False, "Y", "n")
    assert status["conditions"] == [{**old, "reason": "Y", "message": "n"}]
    policy.set_condition(status, True, "Z", "o")
    assert len(status["conditions"]) == 1 and status["conditions"][0]["lastTransitionTime"] != "then"


def test_cluster_stores_serve_the_namespaces_of_their_conditions() -> None:
    namespace = {"metadata": {"name": "apps", "labels": {"team": "a"}}}
    for condition, expected in (
        ({"namespaces": ["apps"]}, True),
        ({"namespaces": ["other"]}, False),
        ({"namespaceRegexes": ["^ap"]}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "a"}}}, True),
        ({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}}, False),
    ):
        assert policy.namespace_allowed({"spec": {"conditions": [condition]}}, namespace) is expected
    assert policy.namespace_allowed({"spec": {}}, namespace)


def store(kind: str, auth: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A store of the Vault provider."""
    spec = {"provider": {"vault": {"server": "https://v", "auth": auth, **more}}}
    return {"kind": kind, "metadata": {"name": "s", "namespace": "apps"}, "spec": spec}


KUBERNETES = {"kubernetes": {"role": "r", "serviceAccountRef": {"name": "eso"}}}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (store("SecretStore", {"cert": {}, "iam": {"role": "x"}}), "iam is not emulated"),
        (
            store("SecretStore", {"kubernetes": {"serviceAccountRef": {"name": "e", "namespace": "x"}}}),
            "namespace should either be empty or match",
        ),
        (store("SecretStore", {"appRole": {"secretRef": {"name": "x"}}}), "neither `roleId` nor `roleRef`"),
        (store("SecretStore", {"jwt": {"role": "x"}}), "neither `secretRef` nor"),
        (store("SecretStore", KUBERNETES, tls={"certSecretRef": {"name": "x"}}), "both"),
        (store("SecretStore", KUBERNETES, version="v1", checkAndSet={"required": True}), "checkAndSet"),
        ({"kind": "SecretStore", "metadata": {}, "spec": {"provider": {"aws": {}}}}, "provider aws is not emulated"),
    ],
)
def test_store_configurations_that_are_refused(item: dict[str, Any], message: str) -> None:
    assert message in str(vault.store_problem(item))


def test_the_first_auth_method_in_the_operators_order_wins() -> None:
    assert vault.store_problem(store("SecretStore", KUBERNETES)) is None
    both = {**KUBERNETES, "appRole": {"roleId": "x"}, "tokenSecretRef": {"name": "t"}}
    assert vault.chosen_auth(both) == "tokenSecretRef"
    assert vault.chosen_auth({**KUBERNETES, "jwt": {"role": "x"}}) == "kubernetes"


def test_a_reference_without_namespace_depends_on_the_external_secret() -> None:
    assert vault.is_referent({"auth": KUBERNETES})
    assert not vault.is_referent({"auth": {"kubernetes": {"serviceAccountRef": {"name": "e", "namespace": "x"}}}})


def test_namespaces_of_a_cluster_external_secret() -> None:
    namespaces = [{"metadata": {"name": name, "labels": {"team": team}}} for name, team in (("a", "x"), ("b", "y"))]
    namespaces.append({"metadata": {"name": "c", "labels": {"team": "x"}, "deletionTimestamp": "now"}})
    namespaces[1]["metadata"]["labels"][cluster.NAME_LABEL] = "b"
    selectors = [{"matchLabels": {"team": "x"}}]
    assert cluster.selected({"spec": {"namespaceSelectors": selectors}}, namespaces) == ["a"]
    assert cluster.selected({"spec": {"namespaces": ["b"], "namespaceSelectors": selectors}}, namespaces) == ["a", "b"]
    assert cluster.selected({"spec": {"namespaceSelector": {}}}, namespaces) == ["a", "b"]
    assert cluster.selected({"spec": {}}, namespaces) == []


def entry(key: str | None, name: str | None) -> dict[str, Any]:
    """A data entry of a PushSecret."""
    return {"match": {"secretKey": key, "remoteRef": {"remoteKey": "r", "property": name}}}


def test_what_a_push_secret_writes() -> None:
    data = {"a": b"1", "doc": b'{"x": 1}'}
    assert push.payload(data, entry("a", "p"), {"other": "2"}) == {"other": "2", "p": "1"}
    assert push.payload(data, entry("a", "p"), {"p": "1"}) is None
    assert push.payload(data, entry(None, None), None) == {"a": "1", "doc": '{"x": 1}'}
    assert push.payload(data, entry("doc", None), {"x": values.JsonNumber("1")}) is None
    assert push.entry_id(entry("a", "p")) == "r/p"
    for bad, message in ((entry("nope", "p"), "does not exist"), (entry("a", None), "invalid JSON")):
        with pytest.raises(vault.VaultError, match=message):
            push.payload(data, bad, None)
    with pytest.raises(vault.VaultError, match="error converting p to string"):
        push.payload(data, entry("a", "p"), {"p": values.JsonNumber("1")})


def test_generated_passwords_keep_to_their_spec() -> None:
    text = generators.password({"length": 20, "digits": 5, "symbols": 2, "symbolCharacters": "-_", "noUpper": True})
    assert len(text) == 20 and sum(char.isdigit() for char in text) == 5
    assert sum(char in "-_" for char in text) == 2 and text == text.lower()
    with pytest.raises(ValueError, match="less than total length"):
        generators.password({"length": 4, "digits": 4, "symbols": 1})
    with pytest.raises(ValueError, match="allowRepeat"):
        generators.password({"length": 40, "digits": 20, "symbols": 0})
