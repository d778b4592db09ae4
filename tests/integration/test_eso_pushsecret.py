# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PushSecrets against a real API server, with an operator between it and a real Vault where waiting counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.kubernetes_api import KubeApi
from support.modules import Result
from support.openbao import VaultServer, enable_kv

Run = Callable[..., Result]
MERGE = "application/merge-patch+json"


def path(namespace: str, name: str = "") -> str:
    return f"/apis/external-secrets.io/v1alpha1/namespaces/{namespace}/pushsecrets/{name}".rstrip("/")


@pytest.fixture
def declared(kube_args: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Options of a PushSecret that the operator would take."""
    return {
        **kube_args,
        "name": "backup",
        "namespace": namespace,
        "store_refs": [{"name": "vault"}],
        "selector": {"secret": {"name": "app"}},
        "refresh_interval": "1h",
        "data": [{"match": {"secret_key": "user", "remote_ref": {"remote_key": "backups/app", "property": "user"}}}],
    }


def test_life_of_a_push_secret(
    kube_api: KubeApi, namespace: str, declared: dict[str, Any], kube_args: dict[str, Any], run_module: Run
) -> None:
    assert run_module("eso_pushsecret", declared, check=True, must_succeed=True).changed
    assert kube_api.call("GET", path(namespace))["items"] == []
    assert run_module("eso_pushsecret", declared, must_succeed=True)["summary"]["create"] == 1
    spec = kube_api.call("GET", path(namespace, "backup"))["spec"]
    assert spec["secretStoreRefs"] == [{"kind": "SecretStore", "name": "vault"}]
    assert spec["data"][0]["match"] == {
        "secretKey": "user",
        "remoteRef": {"remoteKey": "backups/app", "property": "user"},
    }
    for same in ({}, {"refresh_interval": "60m"}):
        again = run_module("eso_pushsecret", {**declared, **same}, must_succeed=True)
        assert (again.changed, again["requests"]["writes"]) == (False, 0)
    changed = run_module("eso_pushsecret", {**declared, "update_policy": "IfNotExists"}, diff=True, must_succeed=True)
    assert changed["results"][0]["fields"] == ["spec.updatePolicy"]

    other = {"spec": {"data": [{"match": {"remoteRef": {"remoteKey": "elsewhere"}}}]}}
    kube_api.call("PATCH", path(namespace, "backup"), other, MERGE)
    back = run_module("eso_pushsecret", {**declared, "update_policy": "IfNotExists"}, must_succeed=True)
    assert back["results"][0]["fields"] == ["spec.data"]

    options = {**kube_args, "name": "backup", "namespace": namespace, "state": "absent"}
    assert run_module("eso_pushsecret", options, must_succeed=True).changed
    assert not run_module("eso_pushsecret", options, must_succeed=True).changed


def entry(**match: Any) -> dict[str, Any]:
    return {"match": match}


GOOD = {
    "secretStoreRefs": [{"name": "vault"}],
    "selector": {"secret": {"name": "app"}},
    "data": [entry(secretKey="user", remoteRef={"remoteKey": "backups/app"})],
}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"secretStoreRef": {"name": "vault"}},
            "spec.secretStoreRef does not exist in a PushSecret; write secretStoreRefs",
        ),
        ({**GOOD, "selector": {"name": "app"}}, "write selector.secret.name"),
        ({**GOOD, "selector": None}, "selector has neither secret nor generator_ref"),
        ({**GOOD, "target": {"name": "x"}}, "name the secret there in data[].match.remoteRef.remoteKey"),
        (
            {**GOOD, "data": [{"secretKey": "user"}]},
            "data[0].secretKey does not exist in a PushSecret; write data[].match.secretKey",
        ),
        ({**GOOD, "data": [entry(remoteRef={"key": "x"})]}, "data[0].match.remoteRef.key does not exist"),
        ({**GOOD, "data": [entry(secretKey="user")]}, "data[0].match.remote_ref has no remote_key"),
        ({**GOOD, "data": GOOD["data"] * 2}, '"backups/app" is written twice'),
        ({**GOOD, "data": None}, "neither data nor data_to is given"),
        ({**GOOD, "updatePolicy": "Merge"}, 'updatePolicy "Merge" does not exist; use Replace, IfNotExists'),
        ({**GOOD, "secretStoreRefs": [{"kind": "SecretStore"}]}, "store_refs[0] needs either name or label_selector"),
        ({**GOOD, "refreshInterval": "1d"}, 'the refresh interval "1d" is not a duration'),
    ],
)
def test_a_wrong_manifest_gets_what_to_write_instead(
    kube_args: dict[str, Any], namespace: str, spec: dict[str, Any], message: str, run_module: Run
) -> None:
    refused = run_module("eso_pushsecret", {**kube_args, "name": "backup", "namespace": namespace, "spec": spec})
    assert refused.failed
    assert message in refused.msg


def test_the_version_of_other_kinds_is_refused(declared: dict[str, Any], run_module: Run) -> None:
    refused = run_module("eso_pushsecret", {**declared, "api_version": "v1"})
    assert 'PushSecret is not served as external-secrets.io/v1; leave "api_version" out, or use one of v1alpha1' in (
        refused.msg
    )


def test_many_and_purge(
    kube_api: KubeApi, namespace: str, declared: dict[str, Any], kube_args: dict[str, Any], run_module: Run
) -> None:
    one = {key: value for key, value in declared.items() if key not in kube_args}
    many = [{**one, "name": "a"}, {**one, "name": "b"}, {**one, "name": "c", "deletion_policy": "Delete"}]
    run_module("eso_pushsecret", {**kube_args, "push_secrets": many}, must_succeed=True)
    refused = run_module("eso_pushsecret", {**kube_args, "push_secrets": many[:1], "purge": True})
    assert f'PushSecret "{namespace}/c": it is to be purged, but its deletion policy is Delete' in refused.msg
    assert sorted(item["metadata"]["name"] for item in kube_api.call("GET", path(namespace))["items"]) == ["a", "c"]
    absent = run_module(
        "eso_pushsecret", {**kube_args, "name": "c", "namespace": namespace, "state": "absent"}, must_succeed=True
    )
    assert absent.changed
    assert "removes what it pushed from Vault" in str(absent["warnings"])


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
    """A store in the namespace that may write to a KV engine, and a Secret; gives the engine's mount."""
    client = openbao.client()
    enable_kv(client, unique)
    rules = '{ capabilities = ["create", "read", "update", "delete"] }'
    client.sys.create_or_update_policy(
        unique, f'path "{unique}/data/backups/*" {rules} path "{unique}/metadata/backups/*" {rules}'
    )
    token = client.auth.token.create(policies=[unique], ttl="1h")["auth"]["client_token"]
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    kube_api.call("POST", secrets, {"metadata": {"name": "token"}, "stringData": {"token": token}})
    kube_api.call("POST", secrets, {"metadata": {"name": "app"}, "stringData": {"user": "pushed-value"}})
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


def test_waiting_ends_when_the_value_is_in_vault(
    kube_api: KubeApi,
    kube_args: dict[str, Any],
    openbao: VaultServer,
    namespace: str,
    store: str,
    declared: dict[str, Any],
    run_module: Run,
) -> None:
    waiting = {**declared, "deletion_policy": "Delete", "wait": True, "wait_timeout": 40}
    made = run_module("eso_pushsecret", waiting, must_succeed=True)
    made.hides("pushed-value")
    found = openbao.client().secrets.kv.v2.read_secret_version(
        "backups/app", mount_point=store, raise_on_deleted_version=True
    )
    assert found["data"]["data"] == {"user": "pushed-value"}

    denied = {**waiting, "name": "denied", "data": [entry(secret_key="user", remote_ref={"remote_key": "other/app"})]}
    failed = run_module("eso_pushsecret", {**denied, "wait_timeout": 6})
    assert f'PushSecret "{namespace}/denied": is not ready: Errored' in failed.msg
    failed.hides("pushed-value")

    # the operator writes the finalizer with the whole object, which is no drift and no conflict
    assert not run_module("eso_pushsecret", waiting, must_succeed=True).changed
    run_module("eso_pushsecret", {**waiting, "refresh_interval": "2h"}, must_succeed=True)
    store_gone = {**kube_args, "name": "vault", "namespace": namespace, "state": "absent", "wait": True}
    held = run_module("eso_secretstore", {**store_gone, "wait_timeout": 3})
    assert "delete first the PushSecrets with the deletion policy Delete that push to it" in held.msg

    denied_gone = {**kube_args, "name": "denied", "namespace": namespace, "state": "absent", "wait": True}
    run_module("eso_pushsecret", {**denied_gone, "wait_timeout": 40}, must_succeed=True)
    gone = {**kube_args, "name": "backup", "namespace": namespace, "state": "absent", "wait": True, "wait_timeout": 40}
    run_module("eso_pushsecret", gone, must_succeed=True)
    assert openbao.client().list(f"{store}/metadata/backups") is None
    run_module("eso_secretstore", {**store_gone, "wait_timeout": 20}, must_succeed=True)


def test_what_the_operator_would_write_over_or_remove_is_warned_of(
    kube_args: dict[str, Any], namespace: str, declared: dict[str, Any], run_module: Run, tmp_path: Path
) -> None:
    generator = {"source_ref": {"generator_ref": {"kind": "Password", "name": "long"}}}
    # no operator runs, so no Secret says who owns it: an ExternalSecret of its name is looked for
    named = {"name": "app", "namespace": namespace, "data_from": [generator]}
    run_module("eso_externalsecret", {**kube_args, **named}, must_succeed=True)
    inside = {name: value for name, value in declared.items() if name not in kube_args}
    both = [inside, {**inside, "name": "other"}]
    for check in (True, False):
        pushed = run_module("eso_pushsecret", {**kube_args, "push_secrets": both}, check=check, must_succeed=True)
        told = str(pushed["warnings"])
        assert f'it and "{namespace}/backup" both write "backups/app/user" through the store "vault"' in told
        assert 'at each refresh of the ExternalSecret "app"' in told
    lists = {"external_secrets": [named], "push_secrets": both}
    rendered = run_module("eso_manifests", {"path": str(tmp_path), **lists}, must_succeed=True)
    assert "both write" in str(rendered["warnings"])
    assert 'at each refresh of the ExternalSecret "app"' in str(rendered["warnings"])

    kept = {**declared, "deletion_policy": "Delete"}
    run_module("eso_pushsecret", kept, must_succeed=True)
    kept["data"] = [{"match": {"secret_key": "user", "remote_ref": {"remote_key": "elsewhere"}}}]
    moved = run_module("eso_pushsecret", kept, check=True, must_succeed=True)
    assert 'removes from Vault what it pushes no longer, "backups/app/user"' in str(moved["warnings"])
