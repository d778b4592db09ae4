# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Success is the Secret with its keys: where the operator says Ready and nothing arrived, every module says so."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from kubernetes import client as kubernetes

from support.modules import Result
from support.scene import Scene


@pytest.fixture
def scene(scene: Scene) -> Scene:
    """The scene, whose operator may list secrets as well."""
    rules = '{ capabilities = ["read", "list"] }'
    scene.allow(f'path "{scene.name}-kv/data/*" {rules} path "{scene.name}-kv/metadata/*" {rules}')
    return scene


PASSWORD = [{"secret_key": "password", "remote_ref": {"key": "app", "property": "password"}}]


def entry(scene: Scene, name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": scene.at, "store": {"name": "vault"}, "refresh_interval": "1h", **more}


def condition(scene: Scene, name: str) -> dict[str, Any]:
    """Return what the operator itself says."""
    path = f"/apis/external-secrets.io/v1/namespaces/{scene.at}/externalsecrets/{name}"
    (found,) = scene.kube.call("GET", path)["status"]["conditions"]
    return dict(found)


def secrets(scene: Scene) -> dict[str, dict[str, str]]:
    """Return the Secrets that the operator has written, by another way than the modules."""
    found = kubernetes.CoreV1Api(scene.kube.client()).list_namespaced_secret(scene.at)
    return {
        item.metadata.name: {key: base64.b64decode(value).decode() for key, value in (item.data or {}).items()}
        for item in found.items
        if "reconcile.external-secrets.io/managed" in (item.metadata.labels or {})
    }


def vault(scene: Scene) -> dict[str, Any]:
    return {"url": [scene.vault.url], "ca_cert": scene.vault.ca_cert, "token": scene.vault.token}


def sync(scene: Scene, *names: dict[str, Any], timeout: int = 20, **more: Any) -> Result:
    named = [{"namespace": scene.at, **one} for one in names]
    options = {"kubeconfig": scene.kube.kubeconfig, "external_secrets": named, "wait_timeout": timeout, **more}
    return scene.run_module("eso_sync", options)


def test_ready_without_a_secret_is_no_success(scene: Scene) -> None:
    unfilled = {
        "nothing": ({"data_from": [{"find": {"name": {"regexp": "^no-such"}}}]}, 'fill the Secret "nothing" with'),
        "emptied": (
            {
                "data_from": [
                    {"extract": {"key": "app"}, "rewrite": [{"regexp": {"source": ".*", "target": ""}}]},
                ]
            },
            'fill the Secret "emptied" with',
        ),
        "merged": (
            {"data": PASSWORD, "target": {"name": "not-there", "creation_policy": "Merge"}},
            'the Secret "not-there" that it merges into does not exist in Kubernetes',
        ),
        "gone": (
            {"data_from": [{"extract": {"key": "never"}}], "target": {"deletion_policy": "Delete"}},
            "nothing that it reads is in Vault, and its deletion policy is Delete",
        ),
    }
    many = [entry(scene, name, **more) for name, (more, _message) in unfilled.items()]
    many.append(entry(scene, "fine", data=PASSWORD))
    kube = {"kubeconfig": scene.kube.kubeconfig}
    waited = scene.run_module(
        "eso_externalsecret", {**kube, "external_secrets": many, "wait": True, "wait_timeout": 20}
    )
    assert {condition(scene, name)["status"] for name in unfilled} == {"True"}, "else this test shows nothing"
    assert set(secrets(scene)) & {*unfilled, "not-there", "fine"} == {"fine"}
    told = {one["name"].partition("/")[2]: one.get("error", "") for one in waited["results"]}
    synced = sync(scene, *({"name": name} for name in told))
    forced = {one["name"].partition("/")[2]: one.get("error", "") for one in synced["results"]}
    info = scene.run_module("eso_info", {**kube, "namespaces": [scene.at]}, must_succeed=True)
    known = {one["name"]: one for one in info["external_secrets"]}
    checked = scene.verify(ready=True, fail_on_broken=False)
    verified = {one["name"]: one for one in checked["results"] if one["kind"] == "ExternalSecret"}
    for name, (_more, message) in unfilled.items():
        assert message in told[name], f"wait: {name}"
        assert message in forced[name], f"eso_sync: {name}"
        assert message in known[name]["message"], f"eso_info: {name}"
        assert (known[name]["ready"], known[name]["in_sync"], known[name]["proven"]) == (False, False, False), name
        assert not verified[name]["holds"], f"eso_verify: {name}"
        if name not in ("nothing", "gone"):
            # what is missing in Vault may be named before
            assert message in verified[name]["message"], f"eso_verify: {name}"
            assert verified[name]["link"] == "target"
    assert (told["fine"], forced["fine"], verified["fine"]["holds"]) == ("", "", True)
    assert (known["fine"]["ready"], known["fine"]["proven"]) == (True, True)
    # what merges does so once its Secret exists
    body = {"metadata": {"name": "not-there"}, "stringData": {"other": "of-another"}}
    scene.kube.call("POST", f"/api/v1/namespaces/{scene.at}/secrets", body)
    assert sync(scene, {"name": "merged"})["results"][0]["info"]["secret_keys"] == ["other", "password"]


def test_many_are_looked_at_by_lists(scene: Scene) -> None:
    kube = {"kubeconfig": scene.kube.kubeconfig}
    many = [entry(scene, f"app{number}", data=PASSWORD) for number in range(40)]
    waiting = {**kube, "external_secrets": many, "wait": True, "wait_timeout": 60}
    made = scene.run_module("eso_externalsecret", waiting, must_succeed=True)
    assert all(one["info"]["proven"] for one in made["results"])
    # one by one each look alone would be 80; a busy machine looks more often
    assert made["requests"]["total"] < 4 * 40
    info = scene.run_module("eso_info", {**kube, "namespaces": [scene.at]}, must_succeed=True)
    assert {one["proven"] for one in info["external_secrets"]} == {True}


def test_an_immutable_secret_that_did_not_change_is_never_confirmed(scene: Scene) -> None:
    url = {"data": {"url": "https://app:{{ .password | urlquery }}@db"}}
    odd = {"data": {"url": "{{ .password | upper }}"}}
    targets = {
        "bare": {},
        "kept": {"immutable": True},
        "made": {"immutable": True, "template": url},
        "odd": {"immutable": True, "template": odd},
        "free": {"template": odd},
        "mutable": {"template": url},
    }
    many = [entry(scene, name, data=PASSWORD, target=target) for name, target in targets.items()]
    waiting = {"kubeconfig": scene.kube.kubeconfig, "external_secrets": many, "wait": True, "wait_timeout": 30}
    scene.run_module("eso_externalsecret", waiting, must_succeed=True)
    first = [{"name": name, "expect_versions": {"app": 1}} for name in targets]
    proven = {one["name"].partition("/")[2]: one for one in sync(scene, *first, vault=vault(scene))["results"]}
    known = {name for name, one in proven.items() if one["info"].get("versions") == {"app": 1}}
    assert known == {"bare", "kept", "made", "mutable"}
    assert [proven[name]["info"]["versions"] for name in ("odd", "free")] == [{}, {}]

    # an API server tells the time of a Secret in whole seconds: in the same one nobody can tell which is older
    time.sleep(1.1)
    scene.put("app", user="a-user-name", password="second/password")
    second = [{"name": name, "expect_versions": {"app": 2}} for name in targets]
    synced = sync(scene, *second, vault=vault(scene))
    held = secrets(scene)
    assert held["made"]["url"] == "https://app:a-secret-password@db", "else this test shows nothing"
    assert condition(scene, "made")["reason"] == "SecretSynced"
    assert held["mutable"]["url"] == "https://app:second%2Fpassword@db"
    results = {one["name"].partition("/")[2]: one for one in synced["results"]}
    for name in ("bare", "mutable"):
        assert "error" not in results[name]
        assert results[name]["info"]["versions"] == {"app": 2}
        assert results[name]["info"]["proven"] is True
    for name in ("kept", "made"):
        assert f'the Secret "{name}" holds another value than version 2' in results[name]["error"]
        assert "delete it so that the operator creates it again" in results[name]["error"]
    assert 'the Secret "odd" is immutable and older than version 2' in results["odd"]["error"]
    assert "error" not in results["free"]
    assert (results["free"]["info"]["versions"], results["free"]["info"]["proven"]) == ({}, False)
    assert "template.data.url makes what is not known here" in results["free"]["info"]["unproven"]["app"]
    assert "it is not proven" in str(synced["warnings"])
    strict = sync(scene, {"name": "free", "expect_versions": {"app": 2}, "unproven": "fail"}, vault=vault(scene))
    assert strict.failed
    assert 'it is not proven that the Secret "free" holds the expected version' in strict.msg
    synced.hides("second/password", "SECOND/PASSWORD", "a-secret-password")


def test_a_target_that_is_no_secret_is_looked_up_as_what_it_is(scene: Scene) -> None:
    base = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"name": "vault"},
            "target": {"name": "settings", "manifest": {"apiVersion": "v1", "kind": "ConfigMap"}},
            "data": [{"secretKey": "user", "remoteRef": {"key": "app", "property": "user"}}],
        },
    }
    options = {"kubeconfig": scene.kube.kubeconfig, "name": "plain", "namespace": scene.at, "spec": base["spec"]}
    waited = scene.run_module("eso_externalsecret", {**options, "wait": True, "wait_timeout": 20})
    assert not waited.failed, waited.msg
    assert condition(scene, "plain")["reason"] == "ResourceSynced"
    config = f"/api/v1/namespaces/{scene.at}/configmaps/settings"
    assert scene.kube.call("GET", config)["data"] == {"user": "a-user-name"}
    scene.put("app", user="other-user", password="x")
    synced = sync(scene, {"name": "plain", "expect_versions": {"app": 2}}, vault=vault(scene))
    assert not synced.failed, synced.msg
    told = synced["results"][0]["info"]
    assert (told["target"], told["changed_keys"], told["versions"]) == ("settings", ["user"], {"app": 2})
    info = scene.run_module("eso_info", {**vault_less(scene), "target_keys": True}, must_succeed=True)
    (found,) = [one for one in info["external_secrets"] if one["name"] == "plain"]
    assert (found["ready"], found["proven"], found["target_kind"]) == (True, True, "ConfigMap")
    assert found["target_keys"] == ["user"]
    (verified,) = scene.verify(ready=True, name="plain")["results"]
    assert verified["holds"], verified["message"]


def vault_less(scene: Scene) -> dict[str, Any]:
    return {"kubeconfig": scene.kube.kubeconfig, "namespaces": [scene.at]}


def test_who_may_not_read_secrets_is_told_that_nothing_is_proven(scene: Scene) -> None:
    rules = [
        {"apiGroups": ["external-secrets.io"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    ]
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{scene.at}"
    scene.kube.call("POST", role + "/roles", {"metadata": {"name": "blind"}, "rules": rules})
    account = {"kind": "ServiceAccount", "name": "blind", "namespace": scene.at}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "blind"}
    bound = {"metadata": {"name": "blind"}, "roleRef": reference, "subjects": [account]}
    scene.kube.call("POST", role + "/rolebindings", bound)
    scene.kube.service_account(scene.at, "blind")
    token = scene.kube.token(scene.at, "blind")
    blind = {"host": scene.kube.url, "api_key": token, "ca_cert": scene.kube.ca_cert}
    external = entry(scene, "blind", data=PASSWORD)
    waited = scene.run_module("eso_externalsecret", {**blind, **external, "wait": True, "wait_timeout": 20})
    assert not waited.failed, waited.msg
    assert waited["results"][0]["info"]["proven"] is False
    sentence = 'it is not proven that the Secret "blind" exists with its keys'
    assert sentence in str(waited["warnings"])
    synced = scene.run_module(
        "eso_sync", {**blind, "external_secrets": [{"name": "blind", "namespace": scene.at}], "wait_timeout": 20}
    )
    assert not synced.failed, synced.msg
    assert synced["results"][0]["info"]["proven"] is False
    assert sentence in str(synced["warnings"])
    info = scene.run_module(
        "eso_info", {**blind, "namespaces": [scene.at], "gather": ["external_secrets"]}, must_succeed=True
    )
    (found,) = [one for one in info["external_secrets"] if one["name"] == "blind"]
    assert (found["ready"], found["proven"]) == (True, False)
    assert sentence in found["not_proven"]
