# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting and forcing, with an operator between a real API server and a real Vault: the real one or the emulated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.kubernetes_api import KubeApi
from support.modules import Result
from support.openbao import VaultServer, enable_kv

Run = Callable[..., Result]
POLICY = 'path "apps/*" {\n  capabilities = ["read", "list"]\n}\n'


@pytest.fixture(scope="module")
def mount(openbao: VaultServer) -> Iterator[str]:
    """A KV engine with a policy that lets its secrets be read."""
    client = openbao.client()
    enable_kv(client, "apps")
    client.sys.create_or_update_policy("apps-reader", POLICY)
    yield "apps"
    client.sys.disable_secrets_engine("apps")


def put(openbao: VaultServer, name: str, **values: str) -> None:
    openbao.client().secrets.kv.v2.create_or_update_secret(name, values, mount_point="apps")


@pytest.fixture
def app(
    operator: None,
    kube_api: KubeApi,
    kube_args: dict[str, Any],
    openbao: VaultServer,
    mount: str,
    namespace: str,
    run_module: Run,
) -> dict[str, Any]:
    """Options of a synced ExternalSecret whose Vault secret has the name of the namespace."""
    answer = openbao.client().auth.token.create(policies=["apps-reader"], ttl="1h", no_default_policy=False)
    token = answer["auth"]["client_token"]
    secret = {"metadata": {"name": "token"}, "stringData": {"token": token}}
    kube_api.call("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    put(openbao, namespace, user="first-user", password="first-password")
    store = {
        **kube_args,
        "name": "vault",
        "namespace": namespace,
        "server": openbao.url,
        "path": mount,
        "ca_bundle": Path(openbao.ca_cert).read_text(),
        "auth": {"token_secret_ref": {"name": "token", "key": "token"}},
        "wait": True,
        "wait_timeout": 30,
    }
    run_module("eso_secretstore", store, must_succeed=True).hides(token)
    external = {
        **kube_args,
        "name": "app",
        "namespace": namespace,
        "store": {"name": "vault"},
        "refresh_interval": "1h",
        "data_from": [{"extract": {"key": namespace}}],
        "wait": True,
        "wait_timeout": 30,
    }
    made = run_module("eso_externalsecret", external, must_succeed=True)
    made.hides("first-password", token)
    return external


def named(external: dict[str, Any]) -> dict[str, Any]:
    return {key: external[key] for key in ("kubeconfig", "name", "namespace")}


def test_a_sync_is_forced_and_proves_which_keys_changed(
    kube_api: KubeApi, openbao: VaultServer, namespace: str, app: dict[str, Any], run_module: Run
) -> None:
    put(openbao, namespace, user="first-user", password="second-password", extra="second-extra")
    checked = run_module("eso_sync", named(app), check=True, diff=True, must_succeed=True)
    assert checked.changed
    annotations = f"/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets/app"
    assert "annotations" not in kube_api.call("GET", annotations)["metadata"]

    digest = hashlib.sha256(b"second-password").hexdigest()
    options = {**named(app), "expect_keys": ["extra"], "expect_sha256": {"password": digest}, "wait_timeout": 30}
    synced = run_module("eso_sync", options, diff=True, must_succeed=True)
    assert synced.changed
    assert synced["changed_keys"] == ["extra", "password"]
    assert synced["secret_keys"] == ["extra", "password", "user"]
    assert synced["target"] == "app"
    synced.hides("second-password", "first-password", digest)

    again = run_module("eso_sync", {**named(app), "wait_timeout": 30}, must_succeed=True)
    assert again["changed_keys"] == []
    assert again["synced_resource_version"] != synced["synced_resource_version"]
    # the annotation is nobody's drift
    assert not run_module("eso_externalsecret", app, must_succeed=True).changed


def test_another_value_than_expected_is_a_failure(app: dict[str, Any], run_module: Run) -> None:
    digest = hashlib.sha256(b"never-written").hexdigest()
    refused = run_module("eso_sync", {**named(app), "expect_sha256": {"password": digest}, "wait_timeout": 3})
    assert refused.failed
    assert 'the Secret "app" holds another value than expected in password' in refused.msg
    refused.hides("first-password")
    lacking = run_module("eso_sync", {**named(app), "expect_keys": ["nothing"], "wait_timeout": 2})
    assert 'the Secret "app" lacks nothing' in lacking.msg


def test_a_failed_sync_tells_the_cause(
    openbao: VaultServer, namespace: str, app: dict[str, Any], run_module: Run
) -> None:
    openbao.client().secrets.kv.v2.delete_metadata_and_all_versions(namespace, mount_point="apps")
    failed = run_module("eso_sync", {**named(app), "wait_timeout": 4})
    assert failed.failed
    assert "was not synced (SecretSyncedError" in failed.msg
    assert namespace in failed.msg.partition("after 4 seconds: ")[2], "the cause is the operator's event"


def test_what_the_operator_never_syncs_again_is_refused(
    kube_api: KubeApi, namespace: str, app: dict[str, Any], run_module: Run
) -> None:
    run_module("eso_externalsecret", {**app, "refresh_interval": "0"}, must_succeed=True)
    refused = run_module("eso_sync", named(app))
    assert "its refresh interval is 0" in refused.msg
    run_module("eso_externalsecret", {**app, "refresh_policy": "CreatedOnce"}, must_succeed=True)
    assert "its refresh policy is CreatedOnce" in run_module("eso_sync", named(app)).msg
    assert "does not exist" in run_module("eso_sync", {**named(app), "name": "nothing"}).msg


def test_waiting_for_a_wrong_key_tells_the_cause(app: dict[str, Any], run_module: Run) -> None:
    wrong = {**app, "name": "wrong", "data_from": [{"extract": {"key": "no/such/secret"}}], "wait_timeout": 4}
    failed = run_module("eso_externalsecret", wrong)
    assert failed.failed
    assert "is not ready: SecretSyncedError" in failed.msg
    assert "no/such/secret" in failed.msg


def test_waiting_for_a_store_that_cannot_log_in_tells_the_reason(
    openbao: VaultServer, app: dict[str, Any], namespace: str, kube_args: dict[str, Any], run_module: Run
) -> None:
    store = {
        **kube_args,
        "name": "vault",
        "namespace": namespace,
        "server": openbao.url,
        "path": "apps",
        "ca_bundle": Path(openbao.ca_cert).read_text(),
        "auth": {"token_secret_ref": {"name": "nothing", "key": "token"}},
        "wait": True,
        "wait_timeout": 6,
    }
    failed = run_module("eso_secretstore", store)
    assert failed.failed
    assert "is not ready: " in failed.msg
    assert "nothing" in failed.msg


def test_many_at_once(
    openbao: VaultServer, namespace: str, app: dict[str, Any], kube_args: dict[str, Any], run_module: Run
) -> None:
    one = {key: app[key] for key in ("namespace", "store", "refresh_interval", "data_from")}
    many = [{**one, "name": f"app{number}"} for number in range(10)]
    waiting = {"wait": True, "wait_timeout": 60}
    run_module("eso_externalsecret", {**kube_args, "external_secrets": many, **waiting}, must_succeed=True)
    put(openbao, namespace, user="first-user", password="third-password")
    entries = [{"name": entry["name"], "namespace": namespace} for entry in many]
    synced = run_module("eso_sync", {**kube_args, "external_secrets": entries, "wait_timeout": 60}, must_succeed=True)
    assert [result["info"]["changed_keys"] for result in synced["results"]] == [["password"]] * 10
    synced.hides("third-password")
