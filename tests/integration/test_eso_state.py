# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module eso_state against a real API server: what differs, what exists, what is told of the cluster."""

from __future__ import annotations

import base64
from typing import Any

from support.kubernetes_api import KubeApi
from support.scene import Run

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    """Return the manifest of a ConfigMap."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def put(api: KubeApi, manifest: dict[str, Any], plural: str, manager: str, force: bool = False) -> str:
    """Apply a manifest by server-side apply as somebody; return its path."""
    metadata = manifest["metadata"]
    path = "/api/v1/namespaces/%s/%s/%s" % (metadata["namespace"], plural, metadata["name"])
    api.call("PATCH", "%s?fieldManager=%s&force=%s" % (path, manager, str(force).lower()), manifest, APPLY)
    return path


def test_only_what_an_apply_would_change_differs(
    run_module: Run, kube_args: dict[str, Any], kube_api: KubeApi, namespace: str
) -> None:
    ours, theirs = "secretops.vault_eso", "somebody"
    same, extra, changed, foreign, less = (
        config_map(namespace, name, key="value") for name in ("same", "extra", "changed", "foreign", "less")
    )
    for one in (same, extra, changed, less):
        put(kube_api, one, "configmaps", ours)
    put(kube_api, config_map(namespace, "extra", other="of others"), "configmaps", theirs)
    put(kube_api, config_map(namespace, "less", key="value", old="value"), "configmaps", ours)
    path = put(kube_api, foreign, "configmaps", theirs)
    changed["data"]["key"] = "another"
    before = kube_api.call("GET", path)["metadata"]
    lists = {
        # what another manager has set differs, though it is equal: an apply makes it ours too
        "first": [same, extra, changed, foreign, less, config_map(namespace, "new", key="value")],
        "second": [{**same, "apiVersion": "nowhere.example.com/v1"}, config_map(namespace + "-none", "x"), same],
        "third": [{**same, "data": {"key": 5}}],
    }
    for check in (False, True):
        result = run_module("eso_state", {**kube_args, "objects": lists}, check=check)
        assert result["differing"] == {"first": [2, 3, 4, 5], "second": [0, 1], "third": [0]}
        assert result["summary"] == {"none": 3}
        assert result["changed"] is False
    assert kube_api.call("GET", path)["metadata"] == before
    # a merge patch changes only what is declared, whoever owns it
    result = run_module("eso_state", {**kube_args, "objects": {"all": lists["first"]}, "apply": False})
    assert result["differing"] == {"all": [2, 5]}


def test_the_contents_of_a_secret_are_not_read(
    run_module: Run, kube_args: dict[str, Any], kube_api: KubeApi, namespace: str
) -> None:
    metadata: dict[str, Any] = {"name": "token", "namespace": namespace}
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
    path = put(kube_api, manifest, "secrets", "secretops.vault_eso")
    secret = base64.b64encode(b"not to be seen").decode()
    kube_api.call("PATCH", path, {"data": {"token": secret}}, MERGE)
    result = run_module("eso_state", {**kube_args, "objects": {"all": [manifest]}})
    assert result["differing"] == {"all": []}
    result.hides(secret, "not to be seen")
    metadata["labels"] = {"team": "payments"}
    assert run_module("eso_state", {**kube_args, "objects": {"all": [manifest]}})["differing"] == {"all": [0]}


def test_one_look_tells_what_there_is(
    run_module: Run, kube_args: dict[str, Any], kube_api: KubeApi, namespace: str
) -> None:
    there = config_map(namespace, "there", key="value")
    put(kube_api, there, "configmaps", "somebody")
    gone = [config_map(namespace, "gone"), config_map(namespace + "-none", "x"), {**there, "kind": "NoSuchKind"}]
    external_secrets = f"/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets"
    spec = {"secretStoreRef": {"name": "vault"}, "dataFrom": [{"extract": {"key": "app"}}]}
    body = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "app"}, "spec": spec}
    kube_api.call("POST", external_secrets, body)
    crd = "externalsecrets.external-secrets.io"
    result = run_module(
        "eso_state",
        {
            **kube_args,
            "kinds": ["apps/v1/Deployment", "v1/Pod", "nowhere.example.com/v1/Deployment", "apps/v1/NoSuchKind"],
            "namespaces": [namespace, namespace + "-none"],
            "crds": [crd, "nothing.external-secrets.io"],
            "crd_group": "external-secrets.io",
            "operators": True,
            "dependents": True,
            "absent": [*gone, there],
        },
    )
    assert result["missing_kinds"] == ["nowhere.example.com/v1/Deployment", "apps/v1/NoSuchKind"]
    assert result["missing_namespaces"] == [namespace + "-none"]
    assert [one["name"] for one in result["crds"]] == [crd]
    assert "v1" in result["crds"][0]["versions"]
    assert "passwords.generators.external-secrets.io" in result["crd_names"]
    assert all(name.endswith("external-secrets.io") for name in result["crd_names"])
    assert f"ExternalSecret {namespace}/app" in result["dependents"]
    assert result["present"] == [3]


def test_what_cannot_be_looked_at_is_refused(run_module: Run, kube_args: dict[str, Any]) -> None:
    for options, said in (
        ({"objects": {"all": [{"kind": "Secret"}]}}, "an entry is not a manifest"),
        ({"objects": {"all": {"kind": "Secret"}}}, '"all" is not a list'),
        ({"kinds": ["Deployment"]}, '"Deployment" is not a kind'),
        ({"absent": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}]}, "no namespace is given"),
    ):
        result = run_module("eso_state", {**kube_args, **options})
        assert result.failed
        assert said in result.msg
