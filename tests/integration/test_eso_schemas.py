# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas as clusters serve them: defaults of several versions of the operator, empty values, and unknown fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from support import kubernetes_api
from support.kubernetes_api import KubeApi, load_crds, start_local
from support.modules import Result

Run = Callable[..., Result]
GROUP = "/apis/external-secrets.io"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
VAULT = {"server": "https://vault.example.com:8200", "auth": {"token_secret_ref": {"name": "token", "key": "token"}}}
STORE_REF = {"name": "vault"}
#: what every kind may declare, with lists in which versions of the operator fill in something of their own
EXTERNAL = {
    "store": STORE_REF,
    "target": {
        "template": {
            "data": {"PORT": 8200, "TLS": True},
            "metadata": {"labels": {"generation": 2}},
            "template_from": [
                {"literal": "a: {{ .a }}"},
                {"configMap": {"name": "c", "items": [{"key": "k"}]}, "target": "Annotations"},
            ],
        }
    },
    "data": [{"secret_key": "a", "remote_ref": {"key": "app", "property": "a"}}],
    "data_from": [
        {"extract": {"key": "app"}, "rewrite": [{"merge": {}}, {"regexp": {"source": "a", "target": "b"}}]},
        {"find": {"path": "apps"}},
        {"find": {"name": {"regexp": ".*"}, "tags": {"team": 1}}},
        {"source_ref": {"generator_ref": {"kind": "Password", "name": "p"}}},
    ],
}
PUSHED = {
    "store_refs": [{"name": "vault"}, {"label_selector": {}}],
    "selector": {"secret": {"name": "source"}},
    "data": [{"match": {"secret_key": "a", "remote_ref": {"remote_key": "app", "property": "a"}}}],
    "data_to": [
        {"store_ref": {"name": "vault"}, "match": {"regexp": "a.*"}, "rewrite": [{"transform": {"template": "x"}}]}
    ],
    "template": {"template_from": [{"literal": "x"}]},
}


def kinds(namespace: str) -> dict[str, dict[str, Any]]:
    """Return the options of every module of a kind, for objects of one namespace."""
    inside = {"name": "app", "namespace": namespace}
    return {
        "eso_secretstore": {
            "stores": [
                {**inside, **VAULT, "headers": {"X-Team": 7}, "labels": {"on": True}},
                {
                    "kind": "ClusterSecretStore",
                    "name": namespace,
                    **VAULT,
                    "auth": {"token_secret_ref": {"name": "t", "key": "t", "namespace": namespace}},
                    "conditions": [{"namespace_selector": {}}, {"namespace_regexes": ["team-.*"], "namespaces": []}],
                },
            ]
        },
        "eso_externalsecret": {**inside, **EXTERNAL},
        "eso_clusterexternalsecret": {
            "name": namespace,
            "namespace_selectors": [{}, {"matchLabels": {"tier": 1}}],
            "external_secret": EXTERNAL,
        },
        "eso_pushsecret": {**inside, **PUSHED},
        "eso_generator": {
            "generators": [
                {**inside, "kind": "UUID"},
                {**inside, "kind": "Password", "length": 12},
                {**inside, "kind": "VaultDynamicSecret", "path": "pki/issue/web", "method": "POST", "provider": VAULT},
                {"name": namespace, "kind": "ClusterGenerator", "generator_kind": "UUID"},
            ]
        },
    }


def variant(changes: Callable[[dict[str, Any]], None]) -> Callable[[], Iterator[dict[str, Any]]]:
    def made() -> Iterator[dict[str, Any]]:
        for crd in load_crds():
            for version in crd["spec"]["versions"]:
                changes(version["schema"]["openAPIV3Schema"])
            yield crd

    return made


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a schema."""
    yield node
    for inner in [*(node.get("properties") or {}).values(), node.get("items"), node.get("additionalProperties")]:
        if isinstance(inner, dict):
            yield from nodes(inner)


REMOTE_DEFAULTS = {"conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}


def as_2_8(root: dict[str, Any]) -> None:
    """Fill in what the definitions of 2.7 and 2.8 fill in."""
    for node in nodes(root):
        known = node.get("properties") or {}
        for name, value in REMOTE_DEFAULTS.items():
            if name in known and ("metadataPolicy" in known or "tags" in known):
                known[name]["default"] = value
        if "valuesDecodingStrategy" in known:
            known["valuesDecodingStrategy"]["default"] = "None"


def as_2_5(root: dict[str, Any]) -> None:
    """Fill in what the definitions of 2.3 to 2.6 fill in."""
    for node in nodes(root):
        known = node.get("properties") or {}
        for name, value in REMOTE_DEFAULTS.items():
            if name in known and ("metadataPolicy" in known or "tags" in known):
                known[name]["default"] = value
        if "metadataPolicy" in known or "tags" in known:
            known["nullBytePolicy"]["default"] = "Ignore"
        known.pop("valuesDecodingStrategy", None)


VERSIONS = {"2.9": lambda root: None, "2.7 and 2.8": as_2_8, "2.3 to 2.6": as_2_5}


def serve(api: KubeApi, change: Callable[[dict[str, Any]], None]) -> None:
    """Replace the definitions, and wait until the server judges by them."""
    for crd in variant(change)():
        path = f"{CRDS}/{crd['metadata']['name']}"
        crd["metadata"]["resourceVersion"] = api.call("GET", path)["metadata"]["resourceVersion"]
        api.call("PUT", path, crd)


@pytest.fixture(scope="module", params=["current", "1.20"])
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """An API server whose definitions may be replaced."""
    if request.param == "1.20":
        yield request.getfixturevalue("very_old_kube_api")
        return
    try:
        api = start_local(tmp_path_factory.mktemp("schemas"))
    except kubernetes_api.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        yield api
    finally:
        api.stop()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_second_run_changes_nothing_whatever_the_operator_fills_in(
    own: KubeApi, version: str, run_module: Run
) -> None:
    serve(own, VERSIONS[version])
    namespace = own.namespace("vault-eso-test-" + version[:3].replace(".", "-"))
    filled = 0
    for module, options in kinds(namespace).items():
        given = {"kubeconfig": own.kubeconfig, **options}
        assert run_module(module, given, must_succeed=True)["changed"]
        deadline = time.monotonic() + 20
        while module == "eso_externalsecret" and time.monotonic() < deadline:
            # a definition that was replaced is judged by a little later
            text = str(own.call("GET", f"{GROUP}/v1/namespaces/{namespace}/externalsecrets/app"))
            filled = text.count("valuesDecodingStrategy") + text.count("nullBytePolicy")
            if filled or version == "2.9":
                break
            time.sleep(0.5)
        again = run_module(module, given, diff=True, must_succeed=True)
        assert not again["changed"], (module, again["results"], again["diff"])
    assert bool(filled) == (version != "2.9")
    stored = own.call("GET", f"{GROUP}/v1/clustersecretstores/{namespace}")["spec"]
    assert stored["conditions"] == [{"namespaceSelector": {}}, {"namespaceRegexes": ["team-.*"], "namespaces": []}]
    spec = own.call("GET", f"{GROUP}/v1/namespaces/{namespace}/externalsecrets/app")["spec"]
    assert "merge" in spec["dataFrom"][0]["rewrite"][0]
    assert spec["target"]["template"]["data"] == {"PORT": "8200", "TLS": "true"}
    everywhere = own.call("GET", f"{GROUP}/v1/clusterexternalsecrets/{namespace}")["spec"]
    assert everywhere["namespaceSelectors"] == [{}, {"matchLabels": {"tier": "1"}}]
    # what somebody adds by hand in a list is drift all the same
    spec["data"][0]["remoteRef"]["version"] = "3"
    path = f"{GROUP}/v1/namespaces/{namespace}/externalsecrets/app"
    own.call("PATCH", path, {"spec": {"data": spec["data"]}}, "application/merge-patch+json")
    changed = run_module("eso_externalsecret", {"kubeconfig": own.kubeconfig, **kinds(namespace)["eso_externalsecret"]})
    assert changed["results"][0]["fields"] == ["spec.data"]


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a typo that would select every namespace": (
        "stores",
        {"conditions": [{"namespace_selector": {"match_label": {"tier": "web"}}}]},
        'conditions[0].namespace_selector.match_label does not exist; write "matchLabels"',
    ),
    "a typo in a list of dictionaries": (
        "external_secrets",
        {"data_from": [{"extract": {"key": "a"}, "rewrite": [{"regex": {"source": "a", "target": "b"}}]}]},
        'data_from[0].rewrite[0].regex does not exist; write "regexp"',
    ),
    "two steps of a rewrite in one": (
        "external_secrets",
        {
            "data_from": [
                {
                    "extract": {"key": "a"},
                    "rewrite": [{"regexp": {"source": "a", "target": "b"}, "transform": {"template": "x"}}],
                }
            ]
        },
        "data_from[0].rewrite[0] takes at most 1 entries",
    ),
    "data_to without a store": ("push_secrets", {"data_to": [{"remote_key": "a"}]}, "data_to[0] has no store_ref"),
    "a selector with a number": (
        "push_secrets",
        {"store_refs": [{"label_selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": [1]}]}}]},
        "store_refs[0].label_selector.matchExpressions[0].values[0] must be text",
    ),
}


@pytest.mark.parametrize("place", ["current", "1.20", "git"])
def test_what_a_cluster_would_drop_or_refuse_is_told_as_it_was_written(
    place: str, request: pytest.FixtureRequest, run_module: Run, tmp_path: Any
) -> None:
    space = "vault-eso-test-refused"
    bases = {"stores": {**VAULT, "kind": "ClusterSecretStore"}, "external_secrets": EXTERNAL, "push_secrets": PUSHED}
    modules = {"stores": "eso_secretstore", "external_secrets": "eso_externalsecret", "push_secrets": "eso_pushsecret"}
    for what, (option, change, message) in REFUSED.items():
        entry = {"name": "refused", **bases[option], **change}
        if option != "stores":
            entry["namespace"] = space
        if place == "git":
            done = run_module("eso_manifests", {"path": str(tmp_path / "tree"), option: [entry]}, check=True)
        else:
            api = request.getfixturevalue("kube_api" if place == "current" else "very_old_kube_api")
            # one that is right beside it is not sent either
            right = {**entry, **bases[option], "name": "right"}
            done = run_module(modules[option], {"kubeconfig": api.kubeconfig, option: [right, entry]})
            stores = api.call("GET", f"{GROUP}/v1/clustersecretstores")["items"]
            assert "right" not in [one["metadata"]["name"] for one in stores]
        assert done.failed, what
        assert message in done.msg, what


def test_plain_objects_for_git_keep_what_is_empty_and_have_no_unknown_fields(run_module: Run, tmp_path: Any) -> None:
    peer = {"namespaceSelector": {}}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "vault", "namespace": "apps"},
        "spec": {"podSelector": {}, "ingress": [{"from": [peer]}], "policyTypes": ["Ingress"]},
    }
    run_module("eso_manifests", {"path": str(tmp_path), "objects": [policy]}, must_succeed=True)
    (file,) = tmp_path.glob("apps/networkpolicy-vault.yaml")
    assert yaml.safe_load(file.read_text()) == policy
    peer["namespaceSelector"] = {"matchLabel": {"a": "b"}}
    wrong = run_module("eso_manifests", {"path": str(tmp_path), "objects": [policy]})
    assert 'spec.ingress[0].from[0].namespaceSelector.matchLabel does not exist; write "matchLabels"' in wrong.msg
