# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What eso_info tells of every kind, as an operator left it, and of an old operator's API."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import eso_operator
from support.kubernetes_api import KubeApi
from support.openbao import VaultServer
from support.scene import Run, Scene

LABEL = {"team": "payments"}


@pytest.fixture
def scene(
    kube_api: KubeApi,
    openbao: VaultServer,
    run_module: Run,
    namespace: str,
    unique: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    eso_operator.name_namespace(kube_api, namespace)
    made = Scene(kube_api, openbao, run_module, namespace, unique)
    made.raise_up()
    rules = '{ capabilities = ["create", "read", "update"] }'
    made.allow(f'path "{unique}-kv/*" {rules}')
    with eso_operator.running(kube_api, tmp_path_factory.mktemp("operator")):
        made.store(wait=True, wait_timeout=30, labels=LABEL)
        made.external(wait=True, wait_timeout=30, labels=LABEL)
        yield made
    for plural, name in (("clusterexternalsecrets", made.at), ("clustersecretstores", made.at)):
        kube_api.call("DELETE", f"/apis/external-secrets.io/v1/{plural}/{name}")
    made.tear_down()


def furnish(scene: Scene, other: str) -> None:
    """Add one of every other kind, and in another namespace what cannot be ready."""
    kube = {"kubeconfig": scene.kube.kubeconfig}
    waiting = {"wait": True, "wait_timeout": 40}
    ca_bundle = Path(scene.vault.ca_cert).read_text()
    entry = {"match": {"secret_key": "url", "remote_ref": {"remote_key": "backups/app", "property": "url"}}}
    push = {
        "name": "backup",
        "namespace": scene.at,
        "store_refs": [{"name": "vault"}],
        "selector": {"secret": {"name": "app"}},
        "data": [entry],
    }
    scene.run_module("eso_pushsecret", {**kube, **push, **waiting}, must_succeed=True)
    everywhere = {
        "name": scene.at,
        "namespace_selectors": [{"matchLabels": {"kubernetes.io/metadata.name": scene.at}}],
        "external_secret": {"store": {"name": "vault"}, "data_from": [{"extract": {"key": "cache"}}]},
    }
    scene.run_module("eso_clusterexternalsecret", {**kube, **everywhere, **waiting}, must_succeed=True)
    generators = [
        {
            "name": "web",
            "namespace": scene.at,
            "path": "pki/issue/web",
            "method": "POST",
            "provider": {"server": scene.vault.url, "ca_bundle": ca_bundle, "auth": scene.auth},
        },
        {"kind": "Password", "name": "long", "namespace": scene.at, "labels": LABEL},
    ]
    scene.run_module("eso_generator", {**kube, "generators": generators}, must_succeed=True)
    lonely = {"name": "vault", "namespace": other, "server": scene.vault.url, "path": "x", "ca_bundle": ca_bundle}
    cluster = {"kind": "ClusterSecretStore", "name": scene.at, "server": scene.vault.url, "path": f"{scene.name}-kv"}
    account = {**scene.auth["kubernetes"]["service_account"], "namespace": scene.at}
    auth = {"kubernetes": {**scene.auth["kubernetes"], "service_account": account}}
    stores = [{**lonely, "auth": scene.auth}, {**cluster, "ca_bundle": ca_bundle, "auth": auth}]
    scene.run_module("eso_secretstore", {**kube, "stores": stores}, must_succeed=True)
    broken = {"name": "broken", "namespace": other, "store": {"name": "vault"}, "labels": LABEL}
    broken["data_from"] = [{"extract": {"key": "app"}}]
    failed = scene.run_module("eso_externalsecret", {**kube, **broken, "wait": True, "wait_timeout": 5})
    assert failed.failed


def test_every_kind_is_told_with_its_readiness_by_namespace(scene: Scene, kube_api: KubeApi) -> None:
    other = kube_api.namespace(f"vault-eso-test-{uuid.uuid4().hex[:8]}")
    furnish(scene, other)
    kube = {"kubeconfig": scene.kube.kubeconfig}
    spaces = {**kube, "namespaces": [scene.at, other]}
    info = scene.run_module("eso_info", {**spaces, "target_keys": True}, must_succeed=True)
    assert not info.changed
    assert (
        info["versions"].items()
        >= {
            **dict.fromkeys(("SecretStore", "ClusterSecretStore", "ExternalSecret", "ClusterExternalSecret"), "v1"),
            **dict.fromkeys(("PushSecret", "VaultDynamicSecret", "Password", "UUID", "ClusterGenerator"), "v1alpha1"),
        }.items()
    )
    assert {(one["namespace"], one["name"]): one["ready"] for one in info["external_secrets"]} == {
        (scene.at, "app"): True,
        (scene.at, scene.at): True,
        (other, "broken"): False,
    }
    (push,) = info["push_secrets"]
    assert (push["ready"], push["in_sync"], push["reason"]) == (True, True, "Synced")
    assert (push["source"], push["pushed"]) == ("app", ["backups/app/url"])
    (everywhere,) = [one for one in info["cluster_external_secrets"] if one["name"] == scene.at]
    assert (everywhere["ready"], everywhere["provisioned_namespaces"]) == (True, [scene.at])
    generators = {one["name"]: one for one in info["generators"] if one.get("namespace")}
    assert generators["web"]["path"] == "pki/issue/web"
    assert (generators["web"]["auth_method"], generators["long"]["kind"]) == ("kubernetes", "Password")
    cluster = next(one for one in info["stores"] if one["name"] == scene.at)
    assert (cluster["kind"], cluster["auth_method"]) == ("ClusterSecretStore", "kubernetes")
    assert cluster["ca_bundle"] == generators["web"]["ca_bundle"] == Path(scene.vault.ca_cert).read_text().strip()
    counted = {(one["namespace"], one["kind"]): one for one in info["readiness"] if one["namespace"]}
    assert {key: (one["ready"], one["not_ready"]) for key, one in counted.items()} == {
        (scene.at, "SecretStore"): (1, 0),
        (scene.at, "ExternalSecret"): (2, 0),
        (scene.at, "PushSecret"): (1, 0),
        (other, "SecretStore"): (0, 1),
        (other, "ExternalSecret"): (0, 1),
    }
    assert counted[other, "ExternalSecret"]["not_ready_names"] == ["broken"]
    info.hides("a-secret-password", "a-secret-url", "a-user-name")

    labelled = scene.run_module("eso_info", {**spaces, "label_selector": "team=payments"}, must_succeed=True)
    assert sorted(one["name"] for one in labelled["external_secrets"]) == ["app", "broken"]
    assert [one["name"] for one in labelled["stores"]] == ["vault"]
    assert [one["name"] for one in labelled["generators"]] == ["long"]
    assert labelled["push_secrets"] == []

    few = scene.run_module("eso_info", {**spaces, "gather": ["push_secrets"], "name": "backup"}, must_succeed=True)
    assert [one["name"] for one in few["push_secrets"]] == ["backup"]
    assert "external_secrets" not in few


def test_what_an_old_operator_serves_is_told(old_kube_api: KubeApi, run_module: Run) -> None:
    info: Any = run_module("eso_info", {"kubeconfig": old_kube_api.kubeconfig}, must_succeed=True)
    assert (info["installed"], info["reason"]) == (True, "")
    assert info["versions"]["ExternalSecret"] == info["versions"]["ClusterExternalSecret"] == "v1beta1"
    assert info["versions"]["PushSecret"] == info["versions"]["Password"] == "v1alpha1"
    assert "UUID" not in info["versions"], "it came later"
