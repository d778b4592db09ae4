# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ExternalSecrets against a real API server; what the operator does with them is in test_eso_sync.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.kubernetes_api import KubeApi
from support.modules import Result

Run = Callable[..., Result]
MERGE = "application/merge-patch+json"


def path(namespace: str, name: str = "app") -> str:
    return f"/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets/{name}"


@pytest.fixture
def external(kube_args: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Options of an ExternalSecret that the operator would take."""
    return {
        **kube_args,
        "name": "app",
        "namespace": namespace,
        "store": {"name": "vault"},
        "refresh_interval": "1h",
        "target": {"template": {"data": {"url": "https://{{ .user | urlquery }}@db"}}},
        "data": [{"secret_key": "user", "remote_ref": {"key": "app", "property": "user"}}],
        "data_from": [{"extract": {"key": "cache/redis"}}],
    }


def test_life_of_an_external_secret(
    kube_api: KubeApi, namespace: str, external: dict[str, Any], run_module: Run
) -> None:
    assert run_module("eso_externalsecret", external, check=True, must_succeed=True).changed
    assert kube_api.call("GET", path(namespace)[: -len("/app")])["items"] == []
    assert run_module("eso_externalsecret", external, must_succeed=True)["summary"]["create"] == 1
    spec = kube_api.call("GET", path(namespace))["spec"]
    assert spec["secretStoreRef"] == {"name": "vault", "kind": "SecretStore"}
    assert spec["data"] == [{"secretKey": "user", "remoteRef": {"key": "app", "property": "user"}}]
    assert spec["target"]["template"]["data"] == {"url": "https://{{ .user | urlquery }}@db"}

    for same in ({}, {"refresh_interval": "60m"}, {"refresh_interval": "1h0m0s"}):
        again = run_module("eso_externalsecret", {**external, **same}, check=True, must_succeed=True)
        assert (again.changed, again["requests"]["writes"]) == (False, 0), same

    entry = {"secret_key": "user", "remote_ref": {"key": "app"}}
    changed = run_module("eso_externalsecret", {**external, "data": [entry]}, diff=True, must_succeed=True)
    assert changed["results"][0]["fields"] == ["spec.data"]
    assert kube_api.call("GET", path(namespace))["spec"]["data"] == [{"secretKey": "user", "remoteRef": {"key": "app"}}]

    kube_api.call("DELETE", path(namespace))
    assert run_module("eso_externalsecret", external, must_succeed=True)["summary"]["create"] == 1
    absent = {key: external[key] for key in ("kubeconfig", "name", "namespace")}
    assert run_module("eso_externalsecret", {**absent, "state": "absent"}, check=True, must_succeed=True).changed
    assert kube_api.call("GET", path(namespace))["metadata"]["name"] == "app", "check mode deletes nothing"
    assert run_module("eso_externalsecret", {**absent, "state": "absent"}, must_succeed=True).changed


def test_an_entry_or_an_interval_declared_no_longer_is_removed(
    kube_api: KubeApi, namespace: str, external: dict[str, Any], run_module: Run
) -> None:
    run_module("eso_externalsecret", {**external, "refresh_interval": "5m"}, must_succeed=True)
    changed = run_module("eso_externalsecret", {**external, "refresh_interval": None, "data": None}, must_succeed=True)
    assert changed["results"][0]["fields"] == ["spec.data", "spec.refreshInterval"]
    spec = kube_api.call("GET", path(namespace))["spec"]
    assert "data" not in spec
    assert spec["refreshInterval"] == "1h0m0s"


def test_a_secret_that_nobody_owns_is_not_taken_over_unasked(
    kube_api: KubeApi, namespace: str, external: dict[str, Any], run_module: Run
) -> None:
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    kube_api.call("POST", secrets, {"metadata": {"name": "app"}, "stringData": {"other": "value-of-another"}})
    for check in (True, False):
        refused = run_module("eso_externalsecret", external, check=check)
        assert refused.failed
        assert 'the Secret "app" exists and nobody owns it' in refused.msg
        refused.hides("value-of-another")
    merge = {**external, "target": {"creation_policy": "Merge"}}
    assert run_module("eso_externalsecret", merge, must_succeed=True).changed
    back = run_module("eso_externalsecret", external)
    assert back.failed, "a change of the policy to Owner takes it over as well"
    assert run_module("eso_externalsecret", {**external, "adopt": True}, must_succeed=True).changed
    assert not run_module("eso_externalsecret", external, must_succeed=True).changed


def test_a_secret_of_another_owner_is_never_taken_over(
    kube_api: KubeApi, namespace: str, external: dict[str, Any], run_module: Run
) -> None:
    run_module("eso_externalsecret", {**external, "name": "first", "target": {"name": "app"}}, must_succeed=True)
    uid = kube_api.call("GET", path(namespace, "first"))["metadata"]["uid"]
    owner = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "name": "first",
        "uid": uid,
        "controller": True,
    }
    secret = {"metadata": {"name": "app", "ownerReferences": [owner]}}
    kube_api.call("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    refused = run_module("eso_externalsecret", {**external, "adopt": True})
    assert refused.failed
    assert 'the Secret "app" belongs to the ExternalSecret "first"' in refused.msg


def test_two_owners_of_one_secret_are_refused(
    namespace: str, external: dict[str, Any], kube_args: dict[str, Any], run_module: Run
) -> None:
    one = {key: value for key, value in external.items() if key not in kube_args}
    both = [{**one, "name": "a", "target": {"name": "app"}}, {**one, "name": "app"}]
    refused = run_module("eso_externalsecret", {**kube_args, "external_secrets": both})
    assert refused.failed
    assert 'own the same Secret "app"' in refused.msg


def test_without_an_operator_waiting_ends_with_the_reason(external: dict[str, Any], run_module: Run) -> None:
    waited = run_module("eso_externalsecret", {**external, "wait": True, "wait_timeout": 1})
    assert waited.failed
    assert "after 1 seconds" in waited.msg


def test_one_bad_item_does_not_stop_the_others(
    kube_api: KubeApi, namespace: str, external: dict[str, Any], kube_args: dict[str, Any], run_module: Run
) -> None:
    one = {key: value for key, value in external.items() if key not in kube_args}
    many = [{**one, "name": "good"}, {**one, "name": "bad", "labels": {"a": "no label!"}}]
    refused = run_module("eso_externalsecret", {**kube_args, "external_secrets": many})
    assert refused.failed
    assert refused.msg.startswith(f'ExternalSecret "{namespace}/bad": the API server refuses it')
    assert "1 failed, 1 changed" in refused.msg
    assert kube_api.call("GET", path(namespace, "good"))["metadata"]["name"] == "good"


def test_info_tells_names_and_never_values(
    kube_api: KubeApi, namespace: str, external: dict[str, Any], kube_args: dict[str, Any], run_module: Run
) -> None:
    run_module("eso_externalsecret", external, must_succeed=True)
    secret = {"metadata": {"name": "app"}, "stringData": {"user": "a-secret-name", "url": "a-secret-url"}}
    kube_api.call("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    options = {**kube_args, "namespaces": [namespace], "target_keys": True}
    info = run_module("eso_info", options, must_succeed=True)
    assert (info.changed, info["installed"], info["versions"]["ExternalSecret"]) == (False, True, "v1")
    (found,) = info["external_secrets"]
    assert (found["name"], found["ready"], found["managed"]) == ("app", False, True)
    assert found["target_keys"] == ["url", "user"]
    info.hides("a-secret-name", "a-secret-url")
