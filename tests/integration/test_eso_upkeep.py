# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that live long: fields are declared no longer, and versions of the API go."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kubernetes.client.rest import ApiException

from support import kubernetes_api
from support.kubernetes_api import KubeApi, LocalKubeApi
from support.scene import Run

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRD = "externalsecrets.external-secrets.io"
SOURCE_CRD = "gitrepositories.source.toolkit.fluxcd.io"
#: what is declared first, what of it later, and what the server then holds of the target's template
LESS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"data": {"x": "y"}, "type": "Opaque"}, {"type": "Opaque"}, {"type": "Opaque"}),
    (
        {"metadata": {"labels": {"x": "y"}, "annotations": {"x": "y"}}, "data": {"x": "y"}},
        {"data": {"x": "y"}},
        {"data": {"x": "y"}},
    ),
    (
        {"metadata": {"labels": {"x": "y", "z": "y"}}},
        {"metadata": {"labels": {"z": "y"}}},
        {"metadata": {"labels": {"z": "y"}}},
    ),
    ({"data": {"x": "y"}}, {}, {}),
]


def external(kube: KubeApi, name: str, namespace: str, **more: Any) -> dict[str, Any]:
    data = [{"secret_key": "a", "remote_ref": {"key": "app", "property": "a"}}]
    return {
        "kubeconfig": kube.kubeconfig,
        "name": name,
        "namespace": namespace,
        "store": {"name": "vault"},
        "data": data,
        **more,
    }


def there(kube: KubeApi, name: str, namespace: str, version: str = "v1") -> dict[str, Any]:
    return dict(kube.call("GET", f"/apis/external-secrets.io/{version}/namespaces/{namespace}/externalsecrets/{name}"))


@pytest.mark.parametrize("number", range(len(LESS)))
def test_the_last_key_of_a_mapping_can_be_removed(
    kube_api: KubeApi, namespace: str, run_module: Run, number: int
) -> None:
    full, less, held = LESS[number]
    first = external(kube_api, "app", namespace, labels={"a": "b"}, target={"template": full})
    run_module("eso_externalsecret", first, must_succeed=True)
    then = external(kube_api, "app", namespace, target={"template": less})
    for check in (True, False):
        assert run_module("eso_externalsecret", then, check=check, must_succeed=True).changed
    found = there(kube_api, "app", namespace)
    assert "labels" not in found["metadata"]
    template = (found["spec"].get("target") or {}).get("template") or {}
    kept = {key: value for key, value in template.items() if key in ("data", "metadata", "type") and value}
    assert kept == held
    assert not run_module("eso_externalsecret", then, must_succeed=True).changed


@contextmanager
def also_v1beta1(kube: KubeApi, crd: str) -> Iterator[None]:
    """Serve v1beta1 beside what a CRD serves; it is taken back by the test or in the end."""
    if not isinstance(kube, LocalKubeApi):
        pytest.skip("the definitions of a cluster that is not the tests' own are left alone")
    changed = kube.call("GET", f"{CRDS}/{crd}")
    stored = next(one for one in changed["spec"]["versions"] if one["storage"])
    changed["spec"]["versions"].append({**copy.deepcopy(stored), "name": "v1beta1", "storage": False, "served": True})
    kube.call("PUT", f"{CRDS}/{crd}", changed)
    try:
        until(lambda: served(kube, crd))
        yield
    finally:
        take_back(kube, crd)


@pytest.fixture
def both(kube_api: KubeApi) -> Iterator[None]:
    """The CRD of ExternalSecrets with v1beta1 beside v1."""
    with also_v1beta1(kube_api, CRD):
        yield


def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def served(kube: KubeApi, crd: str = CRD) -> bool:
    plural, _dot, group = crd.partition(".")
    try:
        kube.call("GET", f"/apis/{group}/v1beta1/{plural}")
    except ApiException:
        return False
    return True


def take_back(kube: KubeApi, crd: str = CRD) -> None:
    live = kube.call("GET", f"{CRDS}/{crd}")
    live["spec"]["versions"] = [one for one in live["spec"]["versions"] if one["name"] != "v1beta1"]
    kube.call("PUT", f"{CRDS}/{crd}", live)
    until(lambda: not served(kube, crd))


def test_what_was_applied_in_a_version_that_is_gone_is_migrated(
    kube_api: KubeApi, namespace: str, run_module: Run, both: None
) -> None:
    old = external(kube_api, "app", namespace, labels={"a": "b"}, target={"immutable": True})
    run_module("eso_externalsecret", {**old, "api_version": "v1beta1"}, must_succeed=True)
    take_back(kube_api)
    managers = [one["apiVersion"] for one in there(kube_api, "app", namespace)["metadata"]["managedFields"]]
    assert managers == ["external-secrets.io/v1beta1"], "else this test shows nothing"
    new = external(kube_api, "app", namespace, labels={"a": "c"})
    checked = run_module("eso_externalsecret", new, check=True, must_succeed=True)
    assert checked["results"][0]["fields"] == ["metadata.labels.a", "spec.target.immutable"]
    assert there(kube_api, "app", namespace)["metadata"]["labels"] == {"a": "b"}
    changed = run_module("eso_externalsecret", new, must_succeed=True)
    assert "external-secrets.io/v1beta1, which its CRD no longer lists" in str(changed["warnings"])
    found = there(kube_api, "app", namespace)
    assert found["metadata"]["labels"] == {"a": "c"}
    assert "immutable" not in found["spec"]["target"]
    entries = {(one["manager"], one["apiVersion"]) for one in found["metadata"]["managedFields"]}
    assert entries == {("secretops.vault_eso", "external-secrets.io/v1")}
    again = run_module("eso_externalsecret", new, must_succeed=True)
    assert (again.changed, again.data.get("warnings")) == (False, None)


def test_who_applied_in_a_version_that_is_gone_is_remembered(
    kube_api: KubeApi, namespace: str, run_module: Run, both: None
) -> None:
    app = external(kube_api, "app", namespace, labels={"a": "b"})
    run_module("eso_externalsecret", {**app, "api_version": "v1beta1"}, must_succeed=True)
    theirs = {
        "apiVersion": "external-secrets.io/v1beta1",
        "kind": "ExternalSecret",
        "metadata": {"name": "flux", "namespace": namespace, "labels": {"a": "b"}},
        "spec": {"secretStoreRef": {"name": "vault"}, "dataFrom": [{"extract": {"key": "app"}}]},
    }
    path = f"/apis/external-secrets.io/v1beta1/namespaces/{namespace}/externalsecrets/flux"
    apply = "application/apply-patch+yaml"
    kube_api.call("PATCH", f"{path}?fieldManager=kustomize-controller", theirs, apply)
    take_back(kube_api)

    def appliers(name: str) -> list[str]:
        entries = there(kube_api, name, namespace)["metadata"].get("managedFields") or []
        return [one["manager"] for one in entries if one["operation"] == "Apply"]

    where = {"kubeconfig": kube_api.kubeconfig, "name": "app", "namespace": namespace}
    for check in (True, False):
        # no operator runs: it is forced, and not proven
        forced = run_module("eso_sync", {**where, "wait_timeout": 1}, check=check)
        assert forced.changed or "does the operator run?" in forced.msg, forced.msg
    assert "force-sync" in there(kube_api, "app", namespace)["metadata"]["annotations"]
    assert appliers("app") == ["secretops.vault_eso"]
    changed = run_module("eso_externalsecret", external(kube_api, "app", namespace), must_succeed=True)
    assert changed["results"][0]["fields"] == ["metadata.labels.a"]

    objects = [{"kind": "ExternalSecret", "name": "flux", "namespace": namespace}]
    flux = {"kubeconfig": kube_api.kubeconfig, "objects": objects, "manager": "kustomize-controller"}
    for state, manager in (("protected", "kustomize-controller"), ("released", "secretops.vault_eso")):
        handed = {**flux, "state": state}
        assert run_module("eso_handover", handed, must_succeed=True).changed
        assert appliers("flux") == [manager]
        assert not run_module("eso_handover", handed, must_succeed=True).changed


def test_who_applied_a_source_of_flux_in_a_version_that_is_gone_is_remembered(
    kube_api: KubeApi, namespace: str, run_module: Run
) -> None:
    if not isinstance(kube_api, LocalKubeApi):
        pytest.skip("the definitions of a cluster that is not the tests' own are left alone")
    for file in sorted((kubernetes_api.CRDS / "others").glob("flux-[ks]*.yaml")):
        kube_api.install_crds(file=file)
    group = "source.toolkit.fluxcd.io"
    path = f"/apis/{group}/{{}}/namespaces/{namespace}/gitrepositories/fleet"
    source = {
        "apiVersion": f"{group}/v1beta1",
        "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": namespace},
        "spec": {"interval": "1m", "url": "https://git.example.com/fleet"},
    }
    tree = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "fleet", "namespace": namespace},
        "spec": {"interval": "1m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "fleet"}},
    }
    kube_api.call("POST", f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{namespace}/kustomizations", tree)
    with also_v1beta1(kube_api, SOURCE_CRD):
        kube_api.call("PATCH", path.format("v1beta1") + "?fieldManager=flux", source, "application/apply-patch+yaml")
        take_back(kube_api, SOURCE_CRD)
        # no Flux runs: it is asked, and nothing comes of it
        where = {"kubeconfig": kube_api.kubeconfig, "name": "fleet", "namespace": namespace}
        asked = run_module("flux_reconcile", {**where, "wait_timeout": 1})
        assert asked.failed
    metadata = kube_api.call("GET", path.format("v1"))["metadata"]
    assert "reconcile.fluxcd.io/requestedAt" in metadata["annotations"]
    assert [one["manager"] for one in metadata.get("managedFields") or [] if one["operation"] == "Apply"] == ["flux"]
