# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forced syncs in numbers, and pushes, between a real API server and a real Vault: proven, or the link is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.modules import Result
from support.scene import Scene

HEALTHY = 500


def entry(scene: Scene, name: str, key: str = "app", wanted: str = "password", store: str = "vault") -> dict[str, Any]:
    """Return the options of an ExternalSecret that reads one property."""
    return {
        "name": name,
        "namespace": scene.at,
        "store": {"name": store},
        "refresh_interval": "1h",
        "data": [{"secret_key": "password", "remote_ref": {"key": key, "property": wanted}}],
    }


def sync(scene: Scene, names: list[dict[str, Any]], timeout: int, **more: Any) -> Result:
    vault = {"url": [scene.vault.url], "ca_cert": scene.vault.ca_cert, "token": scene.vault.token}
    options = {"kubeconfig": scene.kube.kubeconfig, "vault": vault, "wait_timeout": timeout, "external_secrets": names}
    return scene.run_module("eso_sync", {**options, **more}, timeout=timeout + 200)


def test_500_are_one_task_and_one_watch(scene: Scene) -> None:
    many = [entry(scene, f"app{number}") for number in range(HEALTHY)]
    options = {"kubeconfig": scene.kube.kubeconfig, "external_secrets": many, "wait": True, "wait_timeout": 300}
    made = scene.run_module("eso_externalsecret", options, timeout=400, must_succeed=True)
    assert made["summary"]["create"] == HEALTHY

    scene.put("app", user="a-user-name", password="the-second-password")
    before = scene.tokens()
    names = [{"name": one["name"], "namespace": scene.at, "expect_versions": {"app": 2}} for one in many]
    synced = sync(scene, names, 300)
    assert not synced.failed, synced.msg
    assert synced["summary"]["update"] == HEALTHY
    proven = [result["info"] for result in synced["results"]]
    assert [one["versions"] for one in proven] == [{"app": 2}] * HEALTHY
    assert [one["changed_keys"] for one in proven] == [["password"]] * HEALTHY
    synced.hides("the-second-password", "a-secret-password")
    # one write each; the rest is what is served, and stores, ExternalSecrets and Secrets before and after by pages
    assert synced["requests"]["writes"] == HEALTHY
    assert synced["requests"]["total"] <= HEALTHY + 15
    assert synced["requests"]["watches"] == 1
    assert scene.tokens() <= before

    late = sync(scene, [{**names[0], "expect_versions": {"app": 1}}, *names[1:10]], 60)
    assert 'secret "app": its newest version is 2, not 1' in late.msg
    assert late["summary"] == {"create": 0, "update": 9, "delete": 0, "none": 0, "failed": 1, "not_reached": 0}


def test_each_that_is_not_synced_names_its_broken_link(scene: Scene) -> None:
    name, at, kube = scene.name, scene.at, scene.kube
    kubernetes = scene.auth["kubernetes"]
    scene.client.write(f"auth/{name}/role/other-audience", **{**scene.role, "audience": "https://other.example.com"})
    scene.client.write(f"auth/{name}/role/other-namespace", **{**scene.role, "bound_service_account_namespaces": ["x"]})
    scene.client.write(f"auth/{name}/role/other-account", **{**scene.role, "bound_service_account_names": ["x"]})
    for role in ("no-role", "other-audience", "other-namespace", "other-account"):
        scene.store(name=role, auth={"kubernetes": {**kubernetes, "role": role}})
    reviewed = {"name": "eso", "audiences": ["vault"]}
    scene.store(name="no-reviewer", auth={"kubernetes": {**kubernetes, "service_account": reviewed}})
    scene.store(name="no-account", auth={"kubernetes": {**kubernetes, "service_account": {"name": "nobody"}}})
    scene.store(name="no-mount", auth={"kubernetes": {**kubernetes, "mount_path": "nowhere"}})
    scene.store(name="other-ca", ca_bundle=Path(kube.ca_cert).read_text())
    rules = '{ capabilities = ["read"] }'
    scene.allow(f'path "{name}-kv/data/app" {rules} path "{name}-kv/data/no/*" {rules}')

    where = f"auth/{name}: "
    wanted = {
        "other-ca": (
            entry(scene, "s1", store="other-ca"),
            f'SecretStore "{at}/other-ca": everything in Vault holds, but it is not ready',
        ),
        "no-mount": (entry(scene, "s2", store="no-mount"), "auth/nowhere: no auth method is mounted there"),
        "no-role": (entry(scene, "s3", store="no-role"), where + 'role "no-role" does not exist'),
        "audience": (
            entry(scene, "s4", store="other-audience"),
            where
            + 'role "other-audience" wants the audience "https://other.example.com", but the token is for "vault"',
        ),
        "binding": (
            entry(scene, "s5", store="other-namespace"),
            f'binds namespace "x", but the service account is in "{at}"',
        ),
        "account": (entry(scene, "s6", store="other-account"), 'binds the service account "x", but SecretStore'),
        "reviewer": (entry(scene, "s7", store="no-reviewer"), "the audiences must hold the API server's own as well"),
        "credential": (entry(scene, "s8", store="no-account"), f'service account "{at}/nobody": does not exist'),
        "policy": (entry(scene, "s9", key="cache"), f'do not let it read "{name}-kv/data/cache"'),
        "secret": (entry(scene, "s10", key="no/such"), f'secret "{name}-kv/data/no/such": does not exist'),
        "property": (entry(scene, "s11", wanted="passwort"), f'secret "{name}-kv/data/app": it has no key "passwort"'),
    }
    healthy = [entry(scene, f"app{number}") for number in range(10)]
    many = [one for one, _message in wanted.values()] + healthy
    scene.run_module("eso_externalsecret", {"kubeconfig": kube.kubeconfig, "external_secrets": many}, must_succeed=True)
    found = sync(scene, [{"name": one["name"], "namespace": at} for one in many], 15)
    assert found.failed
    results = {result["name"].partition("/")[2]: result for result in found["results"]}
    for link, (one, message) in wanted.items():
        told = results[one["name"]].get("error", "it was synced")
        assert told.startswith(f'ExternalSecret "{at}/{one["name"]}": was not synced'), link
        assert message in told, link
    assert [result["name"] for result in found["results"] if "error" not in result] == [
        f"{at}/{one['name']}" for one in healthy
    ]
    assert "and 8 more, see results (11 failed, 10 changed" in found.msg
    found.hides("a-secret-password", scene.vault.token)


def pushed(scene: Scene, name: str, key: str, wanted: str = "user", source: str = "source") -> dict[str, Any]:
    """Return the options of a PushSecret with one entry."""
    return {
        "name": name,
        "namespace": scene.at,
        "store_refs": [{"name": "vault"}],
        "selector": {"secret": {"name": source}},
        "refresh_interval": "1h",
        "data": [{"match": {"secret_key": wanted, "remote_ref": {"remote_key": key, "property": "user"}}}],
    }


def test_a_push_is_proven_or_its_broken_link_is_named(scene: Scene) -> None:
    kv, at, kube = f"{scene.name}-kv", scene.at, scene.kube
    rules = '{ capabilities = ["create", "read", "update", "delete"] }'
    scene.allow(f'path "{kv}/data/backups/*" {rules} path "{kv}/metadata/backups/*" {rules}')
    secrets = f"/api/v1/namespaces/{at}/secrets"
    kube.call("POST", secrets, {"metadata": {"name": "source"}, "stringData": {"user": "the-pushed-user"}})
    good = pushed(scene, "good", "backups/app")
    whole = {**good, "name": "whole", "data": [{"match": {"remote_ref": {"remote_key": "backups/whole"}}}]}
    options = {"kubeconfig": kube.kubeconfig, "push_secrets": [good, whole], "wait": True, "wait_timeout": 40}
    scene.run_module("eso_pushsecret", options, must_succeed=True)

    push = {"kind": "PushSecret", "namespace": at}
    merge = "application/merge-patch+json"
    kube.call("PATCH", f"{secrets}/source", {"stringData": {"user": "another-pushed-user"}}, merge)
    checked = sync(scene, [{**push, "name": "good"}], 40)
    assert not checked.failed, checked.msg
    assert checked["versions"] == {"backups/app": 2}
    assert checked["reason"] == "Synced"
    checked.hides("another-pushed-user", "the-pushed-user")
    both = sync(scene, [{**push, "name": name} for name in ("good", "whole")], 40)
    assert [one["info"]["versions"] for one in both["results"]] == [{"backups/app": 2}, {"backups/whole": 2}]

    scene.put("backups/mine", user="of-somebody-else")
    wanted = {
        "policy": (
            pushed(scene, "p1", "elsewhere/app"),
            f'do not let it create, read and update "{kv}/data/elsewhere/app"',
        ),
        "secret": (
            pushed(scene, "p2", "backups/mine"),
            f'secret "{kv}/metadata/backups/mine": it is there already and not managed by external-secrets',
        ),
        "key": (
            pushed(scene, "p3", "backups/key", "nothing"),
            f'Secret "{at}/source": has no key "nothing", only "user"',
        ),
        "source": (pushed(scene, "p4", "backups/source", source="gone"), f'Secret "{at}/gone": does not exist'),
    }
    many = [one for one, _message in wanted.values()]
    scene.run_module("eso_pushsecret", {"kubeconfig": kube.kubeconfig, "push_secrets": many}, must_succeed=True)
    found = sync(scene, [{**push, "name": one["name"]} for one in [good, *many]], 6)
    assert found.failed
    results = {result["name"].partition("/")[2]: result for result in found["results"]}
    assert "error" not in results["good"]
    for link, (one, message) in wanted.items():
        told = results[one["name"]].get("error", "it was pushed")
        assert told.startswith(f'PushSecret "{at}/{one["name"]}": was not synced'), link
        assert message in told, link
    found.hides("another-pushed-user", "of-somebody-else")
    verified = scene.verify(ready=True, fail_on_broken=False)
    links = {one["name"]: one["link"] for one in verified["results"] if one["kind"] == "PushSecret"}
    assert links == {"good": "", "whole": "", "p1": "policy", "p2": "secret", "p3": "source", "p4": "source"}


def test_what_says_nothing_of_a_push_is_refused(scene: Scene) -> None:
    refused = sync(
        scene, [{"kind": "PushSecret", "namespace": scene.at, "name": "x", "expect_keys": ["user"]}], 5, vault=None
    )
    assert "a PushSecret fills no Secret, so expect_keys says nothing; remove it" in refused.msg
