# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores against a real API server with the operator's real definitions."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.errors import NotServed
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.kind import Kind
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.options import connect
from support.kubernetes_api import KubeApi
from support.modules import Result

Run = Callable[..., Result]
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def path(namespace: str, name: str = "vault") -> str:
    return f"/apis/external-secrets.io/v1/namespaces/{namespace}/secretstores/{name}"


@pytest.fixture
def store(kube_args: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Options of a store that the operator would take."""
    return {
        **kube_args,
        "name": "vault",
        "namespace": namespace,
        "server": "https://vault.example.com:8200",
        "path": "secret",
        "labels": {"team": "payments"},
        "auth": {
            "kubernetes": {"role": "eso", "service_account": {"name": "eso", "audiences": ["vault"]}},
        },
    }


def test_life_of_a_store(
    kube_api: KubeApi, namespace: str, store: dict[str, Any], run_module: Run, tmp_path: Path
) -> None:
    checked = run_module("eso_secretstore", store, check=True, diff=True, must_succeed=True)
    assert checked.changed
    assert "spec.provider.vault.server: https://vault.example.com:8200" in checked["diff"][0]["after"]
    assert kube_api.call("GET", path(namespace)[: -len("/vault")])["items"] == []

    made = run_module("eso_secretstore", store, must_succeed=True)
    assert (made.changed, made["summary"]["create"]) == (True, 1)
    live = kube_api.call("GET", path(namespace))
    assert live["spec"]["provider"]["vault"]["auth"] == {
        "kubernetes": {
            "mountPath": "kubernetes",
            "role": "eso",
            "serviceAccountRef": {"name": "eso", "audiences": ["vault"]},
        }
    }
    assert live["metadata"]["labels"] == {"team": "payments"}

    for check in (False, True):
        again = run_module("eso_secretstore", store, check=check, diff=True, must_succeed=True)
        assert (again.changed, again["requests"]["writes"], again["diff"]) == (False, 0, [])

    moved = run_module("eso_secretstore", {**store, "path": "kv"}, diff=True, must_succeed=True)
    assert moved["results"][0]["fields"] == ["spec.provider.vault.path"]
    assert moved["diff"][0]["before"] == "spec.provider.vault.path: secret\n"

    gone = run_module("eso_secretstore", {**store, "state": "absent"}, must_succeed=True)
    assert gone["summary"]["delete"] == 1
    assert not run_module("eso_secretstore", {**store, "state": "absent"}, must_succeed=True).changed


def test_what_is_declared_no_longer_is_removed_and_what_others_add_stays(
    kube_api: KubeApi, namespace: str, store: dict[str, Any], run_module: Run
) -> None:
    run_module("eso_secretstore", {**store, "labels": {"team": "payments", "old": "yes"}}, must_succeed=True)
    kube_api.call("PATCH", path(namespace), {"metadata": {"labels": {"theirs": "yes"}}}, MERGE)
    changed = run_module("eso_secretstore", store, diff=True, must_succeed=True)
    assert changed["results"][0]["fields"] == ["metadata.labels.old"]
    assert kube_api.call("GET", path(namespace))["metadata"]["labels"] == {"team": "payments", "theirs": "yes"}
    assert not run_module("eso_secretstore", store, must_succeed=True).changed


def test_another_auth_method_replaces_the_first(
    kube_api: KubeApi, namespace: str, store: dict[str, Any], run_module: Run
) -> None:
    run_module("eso_secretstore", store, must_succeed=True)
    other = {"app_role": {"path": "approle", "role_id": "r", "secret_ref": {"name": "approle", "key": "id"}}}
    run_module("eso_secretstore", {**store, "auth": other}, must_succeed=True)
    assert list(kube_api.call("GET", path(namespace))["spec"]["provider"]["vault"]["auth"]) == ["appRole"]
    assert not run_module("eso_secretstore", {**store, "auth": other}, must_succeed=True).changed


def test_an_edit_by_hand_is_put_back(kube_api: KubeApi, namespace: str, store: dict[str, Any], run_module: Run) -> None:
    run_module("eso_secretstore", store, must_succeed=True)
    kube_api.call("PATCH", path(namespace), {"spec": {"provider": {"vault": {"path": "elsewhere"}}}}, MERGE)
    repaired = run_module("eso_secretstore", store, must_succeed=True)
    assert repaired["results"][0]["fields"] == ["spec.provider.vault.path"]
    assert kube_api.call("GET", path(namespace))["spec"]["provider"]["vault"]["path"] == "secret"


def test_a_conflict_with_another_applier_is_explained(
    kube_api: KubeApi, namespace: str, store: dict[str, Any], run_module: Run
) -> None:
    run_module("eso_secretstore", store, must_succeed=True)
    theirs = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": "vault", "namespace": namespace},
        "spec": {"provider": {"vault": {"path": "gitops"}}},
    }
    kube_api.call("PATCH", path(namespace) + "?fieldManager=flux&force=true", theirs, APPLY)
    for check in (True, False):
        refused = run_module("eso_secretstore", store, check=check)
        assert refused.failed
        assert 'spec.provider.vault.path is applied by the field manager "flux" as well' in refused.msg
        assert "force_conflicts" in refused.msg
    assert kube_api.call("GET", path(namespace))["spec"]["provider"]["vault"]["path"] == "gitops"
    assert run_module("eso_secretstore", {**store, "force_conflicts": True}, must_succeed=True).changed
    assert kube_api.call("GET", path(namespace))["spec"]["provider"]["vault"]["path"] == "secret"


def test_the_ca_is_encoded_and_compared_by_its_meaning(
    kube_api: KubeApi, namespace: str, store: dict[str, Any], run_module: Run
) -> None:
    pem = Path(kube_api.ca_cert).read_text()
    run_module("eso_secretstore", {**store, "ca_bundle": pem}, must_succeed=True)
    bundle = kube_api.call("GET", path(namespace))["spec"]["provider"]["vault"]["caBundle"]
    assert base64.b64decode(bundle).decode().strip() == pem.strip()
    assert not run_module("eso_secretstore", {**store, "ca_bundle": pem + "\n\n"}, must_succeed=True).changed


def test_many_stores_and_purge(
    kube_api: KubeApi, namespace: str, store: dict[str, Any], kube_args: dict[str, Any], run_module: Run
) -> None:
    one = {key: value for key, value in store.items() if key not in kube_args}
    stores = [{**one, "name": f"s{number}"} for number in range(8)]
    made = run_module("eso_secretstore", {**kube_args, "stores": stores}, must_succeed=True)
    assert made["summary"]["create"] == 8
    again = run_module("eso_secretstore", {**kube_args, "stores": stores}, must_succeed=True)
    assert again["summary"]["none"] == 8
    assert again["requests"] == {"total": 3, "writes": 0}

    foreign = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": "foreign"},
        "spec": {"provider": {"vault": {"server": "https://v", "auth": {"tokenSecretRef": {"name": "t"}}}}},
    }
    kube_api.call("POST", path(namespace)[: -len("/vault")], foreign)
    purged = run_module("eso_secretstore", {**kube_args, "stores": stores[:3], "purge": True}, must_succeed=True)
    assert (purged["summary"]["delete"], purged["summary"]["none"]) == (5, 3)
    left = [item["metadata"]["name"] for item in kube_api.call("GET", path(namespace)[: -len("/vault")])["items"]]
    assert sorted(left) == ["foreign", "s0", "s1", "s2"]


def test_a_cluster_store_with_open_ends_is_warned_about(
    kube_api: KubeApi, store: dict[str, Any], unique: str, run_module: Run
) -> None:
    cluster = {**store, "kind": "ClusterSecretStore", "name": f"vault-eso-test-{unique}", "namespace": None}
    made = run_module("eso_secretstore", cluster, must_succeed=True)
    try:
        assert "auth.kubernetes.serviceAccountRef has no namespace" in made.stdout
    finally:
        run_module("eso_secretstore", {**cluster, "state": "absent"}, must_succeed=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"server": "vault.example.com"}, "is not a URL"),
        ({"auth": {}}, "no auth method is given"),
        ({"namespace": "Not_A_Name"}, "is not a Kubernetes name"),
        ({"namespace": "nowhere-to-be-found"}, 'the namespace "nowhere-to-be-found" does not exist'),
        ({"api_version": "v1beta1"}, "SecretStore is not served as external-secrets.io/v1beta1"),
        ({"kubeconfig": "/nonexistent"}, "no such file"),
        ({"context": "wrong"}, "wrong"),
        ({"host": "https://127.0.0.1:1", "retries": 0}, "connection refused"),
        ({"labels": {"a": "not a label!"}}, "the API server refuses it: metadata.labels"),
        ({"spec": {"provider": {"vault": {"timeout": "5s"}}}}, '"spec" excludes'),
    ],
)
def test_bad_input_is_explained(store: dict[str, Any], run_module: Run, options: dict[str, Any], message: str) -> None:
    refused = run_module("eso_secretstore", {**store, **options})
    assert refused.failed
    assert message in refused.msg


def test_a_field_that_the_installed_definition_lacks_is_named(
    namespace: str, kube_args: dict[str, Any], run_module: Run
) -> None:
    vault = {"server": "https://v", "auth": {"tokenSecretRef": {"name": "t", "key": "k"}}, "tomorrow": True}
    store = {**kube_args, "name": "vault", "namespace": namespace, "spec": {"provider": {"vault": vault}}}
    for check in (True, False):
        refused = run_module("eso_secretstore", store, check=check)
        assert refused.failed
        assert "spec.provider.vault.tomorrow does not exist; use auth, " in refused.msg
        assert "or upgrade the CRDs" in refused.msg
        assert "spec.provider.vault.tomorrow" in refused.msg


def test_a_missing_right_is_named(kube_api: KubeApi, namespace: str, store: dict[str, Any], run_module: Run) -> None:
    kube_api.service_account(namespace, "nobody")
    token = kube_api.token(namespace, "nobody")
    login = {"kubeconfig": None, "host": kube_api.url, "ca_cert": kube_api.ca_cert, "api_key": token}
    refused = run_module("eso_secretstore", {**store, **login})
    assert refused.failed
    user = f"system:serviceaccount:{namespace}:nobody"
    assert f'"{user}" may not get secretstores in namespace "{namespace}"' in refused.msg
    assert 'allow the verb "get" on resource "secretstores"' in refused.msg
    refused.hides(token)


def test_a_wrong_ca_is_named(openbao: Any, kube_api: KubeApi, store: dict[str, Any], run_module: Run) -> None:
    refused = run_module("eso_secretstore", {**store, "ca_cert": openbao.ca_cert})
    assert refused.failed
    assert "certificate is not signed by the CA" in refused.msg


def test_a_definition_that_is_not_installed_is_named_with_who_installs_it(kube_api: KubeApi) -> None:
    client = connect({"kubeconfig": kube_api.kubeconfig})
    with pytest.raises(NotServed, match=r"does not serve the API group.*; install Nowhere with its CRDs first"):
        client.version_of(Kind("Thing", "things", "nowhere.example.com", ("v1",), True, "Nowhere"))
    with pytest.raises(NotServed, match=r"the CRD things.external-secrets.io is not installed"):
        client.version_of(Kind("Thing", "things", "external-secrets.io", ("v1", "v1beta1"), True, "Nowhere"))
    client.close()
