# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ClusterExternalSecrets against a real API server, with an operator and a real Vault where waiting counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import eso_operator
from support.kubernetes_api import KubeApi
from support.modules import Result
from support.openbao import VaultServer, enable_kv

Run = Callable[..., Result]
MERGE = "application/merge-patch+json"


PATH = "/apis/external-secrets.io/v1/clusterexternalsecrets"


@pytest.fixture
def declared(kube_api: KubeApi, kube_args: dict[str, Any], namespace: str) -> Iterator[dict[str, Any]]:
    """Options of a ClusterExternalSecret for one namespace, named like it."""
    eso_operator.name_namespace(kube_api, namespace)
    yield {
        **kube_args,
        "name": namespace,
        "namespace_selectors": [{"matchLabels": {"kubernetes.io/metadata.name": namespace}}],
        "refresh_time": "5m",
        "external_secret": {
            "store": {"name": "vault"},
            "refresh_interval": "1h",
            "data_from": [{"extract": {"key": "shared"}}],
        },
    }
    if any(item["metadata"]["name"] == namespace for item in kube_api.call("GET", PATH)["items"]):
        kube_api.call("DELETE", f"{PATH}/{namespace}")


def test_life_of_a_cluster_external_secret(
    kube_api: KubeApi, namespace: str, declared: dict[str, Any], kube_args: dict[str, Any], run_module: Run
) -> None:
    checked = run_module("eso_clusterexternalsecret", declared, check=True, diff=True, must_succeed=True)
    assert checked.changed
    assert "spec.externalSecretSpec.refreshInterval" in checked["diff"][0]["after"]
    assert namespace not in [item["metadata"]["name"] for item in kube_api.call("GET", PATH)["items"]]
    assert run_module("eso_clusterexternalsecret", declared, must_succeed=True)["summary"]["create"] == 1
    spec = kube_api.call("GET", f"{PATH}/{namespace}")["spec"]
    assert spec["namespaceSelectors"] == declared["namespace_selectors"]
    assert spec["externalSecretSpec"]["dataFrom"] == [{"extract": {"key": "shared"}}]

    for same in ({}, {"refresh_time": "300s"}):
        again = run_module("eso_clusterexternalsecret", {**declared, **same}, must_succeed=True)
        assert (again.changed, again["requests"]["writes"]) == (False, 0)
    external = {**declared["external_secret"], "refresh_interval": "15m"}
    changed = run_module("eso_clusterexternalsecret", {**declared, "external_secret": external}, must_succeed=True)
    assert changed["results"][0]["fields"] == ["spec.externalSecretSpec.refreshInterval"]

    # what another tool applies is not taken over
    body = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ClusterExternalSecret",
        "metadata": {"name": namespace},
        "spec": {"refreshTime": "7m", "externalSecretSpec": spec["externalSecretSpec"]},
    }
    query = "?fieldManager=flux&force=true"
    kube_api.call("PATCH", f"{PATH}/{namespace}{query}", body, "application/apply-patch+yaml")
    refused = run_module("eso_clusterexternalsecret", declared)
    assert 'applied by the field manager "flux" as well' in refused.msg
    taken = run_module("eso_clusterexternalsecret", {**declared, "force_conflicts": True}, must_succeed=True)
    assert "spec.refreshTime" in taken["results"][0]["fields"]

    options = {**kube_args, "name": namespace, "state": "absent"}
    assert run_module("eso_clusterexternalsecret", options, check=True, must_succeed=True).changed
    assert run_module("eso_clusterexternalsecret", options, must_succeed=True).changed
    assert not run_module("eso_clusterexternalsecret", options, must_succeed=True).changed


def test_a_selector_without_terms_takes_all_namespaces(
    kube_api: KubeApi, namespace: str, declared: dict[str, Any], run_module: Run
) -> None:
    everywhere = {**declared, "namespace_selectors": [{}]}
    run_module("eso_clusterexternalsecret", everywhere, must_succeed=True)
    assert kube_api.call("GET", f"{PATH}/{namespace}")["spec"]["namespaceSelectors"] == [{}]
    assert not run_module("eso_clusterexternalsecret", everywhere, must_succeed=True).changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"namespace_selectors": None}, "no namespace is selected"),
        ({"refresh_time": "1d"}, 'the refresh time "1d" is not a duration'),
        ({"external_secret": {"store": {"name": "vault"}}}, "neither data nor data_from is given"),
        ({"name": "No Name"}, "is not a Kubernetes name"),
    ],
)
def test_what_the_operator_would_refuse_is_refused(
    declared: dict[str, Any], change: dict[str, Any], message: str, run_module: Run
) -> None:
    refused = run_module("eso_clusterexternalsecret", {**declared, **change})
    assert refused.failed
    assert message in refused.msg


def test_a_manifest_with_its_fields_at_the_wrong_place_is_corrected(
    kube_args: dict[str, Any], namespace: str, run_module: Run
) -> None:
    spec = {"secretStoreRef": {"name": "vault"}, "namespaceSelectors": [{}]}
    refused = run_module("eso_clusterexternalsecret", {**kube_args, "name": namespace, "spec": spec})
    assert "spec.secretStoreRef does not exist in a ClusterExternalSecret; write it below" in refused.msg


def test_purge_removes_what_was_declared_before_and_nothing_else(
    kube_api: KubeApi, namespace: str, declared: dict[str, Any], kube_args: dict[str, Any], run_module: Run
) -> None:
    foreign = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ClusterExternalSecret",
        "metadata": {"name": f"{namespace}-foreign"},
        "spec": {"externalSecretSpec": {}},
    }
    kube_api.call("POST", PATH, foreign)
    purge = {**kube_args, "cluster_external_secrets": [], "purge": True}
    # the kind belongs to no namespace: what other tests left goes first
    others = run_module("eso_clusterexternalsecret", purge, must_succeed=True)
    # what an operator has to let go first stays a while
    left = [one["name"] for one in others["results"]]
    run_module("eso_clusterexternalsecret", declared, must_succeed=True)
    purged = run_module("eso_clusterexternalsecret", purge, must_succeed=True)
    assert [one["name"] for one in purged["results"] if one["name"] not in left] == [namespace]
    kube_api.call("DELETE", f"{PATH}/{namespace}-foreign")


@pytest.fixture
def store(
    operator: None,
    kube_api: KubeApi,
    kube_args: dict[str, Any],
    openbao: VaultServer,
    namespace: str,
    unique: str,
    run_module: Run,
) -> Iterator[str]:
    """A store in the namespace that reads a KV engine with one secret; gives the engine's mount."""
    client = openbao.client()
    enable_kv(client, unique)
    client.secrets.kv.v2.create_or_update_secret("shared", {"registry": "first-value"}, mount_point=unique)
    client.sys.create_or_update_policy(unique, f'path "{unique}/*" {{ capabilities = ["read"] }}')
    token = client.auth.token.create(policies=[unique], ttl="1h")["auth"]["client_token"]
    secret = {"metadata": {"name": "token"}, "stringData": {"token": token}}
    kube_api.call("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    options = {
        **kube_args,
        "name": "vault",
        "namespace": namespace,
        "server": openbao.url,
        "path": unique,
        "ca_bundle": Path(openbao.ca_cert).read_text(),
        "auth": {"token_secret_ref": {"name": "token", "key": "token"}},
        "wait": True,
        "wait_timeout": 30,
    }
    run_module("eso_secretstore", options, must_succeed=True)
    yield unique
    client.sys.disable_secrets_engine(unique)


def test_waiting_ends_when_every_namespace_is_synced_and_a_sync_can_be_forced(
    kube_api: KubeApi,
    kube_args: dict[str, Any],
    openbao: VaultServer,
    namespace: str,
    store: str,
    declared: dict[str, Any],
    run_module: Run,
) -> None:
    waiting = {**declared, "wait": True, "wait_timeout": 40}
    made = run_module("eso_clusterexternalsecret", waiting, must_succeed=True)
    assert made["namespaces"] == [namespace]
    secret = kube_api.call("GET", f"/api/v1/namespaces/{namespace}/secrets/{namespace}")
    assert list(secret["data"]) == ["registry"]

    openbao.client().secrets.kv.v2.create_or_update_secret("shared", {"registry": "second-value"}, mount_point=store)
    options = {**kube_args, "kind": "ClusterExternalSecret", "name": namespace, "wait_timeout": 40}
    assert run_module("eso_sync", options, check=True, must_succeed=True).changed
    synced = run_module("eso_sync", options, must_succeed=True)
    assert synced["namespaces"] == [namespace]
    assert synced["changed_keys"] == {namespace: ["registry"]}
    synced.hides("first-value", "second-value")
    # the annotation is nobody's drift
    assert not run_module("eso_clusterexternalsecret", waiting, must_succeed=True).changed


def test_waiting_after_a_change_is_for_the_namespaces_that_are_selected_now(
    kube_api: KubeApi, namespace: str, store: str, declared: dict[str, Any], run_module: Run
) -> None:
    waiting = {**declared, "wait": True, "wait_timeout": 40}
    run_module("eso_clusterexternalsecret", waiting, must_succeed=True)
    other = kube_api.namespace(f"{namespace}-other")
    eso_operator.name_namespace(kube_api, other)
    for kind, name in (("secrets", "token"), ("secretstores", "vault")):
        api = "/api/v1" if kind == "secrets" else "/apis/external-secrets.io/v1"
        found = kube_api.call("GET", f"{api}/namespaces/{namespace}/{kind}/{name}")
        copy = {key: found[key] for key in ("apiVersion", "kind", "data", "spec") if key in found}
        kube_api.call("POST", f"{api}/namespaces/{other}/{kind}", {**copy, "metadata": {"name": name}})

    names = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace, other]}
    both = {**waiting, "namespace_selectors": [{"matchExpressions": [names]}]}
    assert run_module("eso_clusterexternalsecret", both, must_succeed=True)["namespaces"] == [namespace, other]
    fewer = run_module("eso_clusterexternalsecret", waiting, must_succeed=True)
    assert fewer["namespaces"] == [namespace]
    finalizer = f"externalsecrets.external-secrets.io/ces-{namespace}"
    assert f'leaves its finalizer "{finalizer}" on the namespace "{other}"' in str(fewer["warnings"])
    nobody = {**waiting, "namespace_selectors": [{"matchLabels": {"team": f"nobody-{namespace}"}}]}
    none = run_module("eso_clusterexternalsecret", nobody, must_succeed=True)
    assert none["namespaces"] == []
    assert "no namespace has the labels that it selects" in str(none["warnings"])
    kube_api.forget_namespace(other)


def test_waiting_names_the_namespace_that_failed_and_why(
    kube_api: KubeApi, namespace: str, store: str, declared: dict[str, Any], run_module: Run
) -> None:
    wrong = {**declared["external_secret"], "data_from": [{"extract": {"key": "no/such/secret"}}]}
    failed = run_module(
        "eso_clusterexternalsecret", {**declared, "external_secret": wrong, "wait": True, "wait_timeout": 6}
    )
    assert f'in the namespace "{namespace}" is not ready: SecretSyncedError' in failed.msg
    assert "no/such/secret" in failed.msg

    # an ExternalSecret of that name which somebody else made is in the way
    own = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "own"},
        "spec": {"secretStoreRef": {"name": "vault"}, "dataFrom": [{"extract": {"key": "shared"}}]},
    }
    kube_api.call("POST", f"/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets", own)
    failed = run_module(
        "eso_clusterexternalsecret", {**declared, "external_secret_name": "own", "wait": True, "wait_timeout": 6}
    )
    assert f'is not ready: namespace "{namespace}": external secret already exists in namespace' in failed.msg
