# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas as clusters serve them: defaults of several versions of the operator, empty values, and unknown fields."""

from __future__ import annotations

import json
import runpy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from support import kubernetes_api
from support.kubernetes_api import KubeApi, LocalKubeApi, generation_changes, generations, load_generation
from support.modules import Result

Run = Callable[..., Result]
GROUP = "/apis/external-secrets.io"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
VAULT = {"server": "https://vault.example.com:8200", "auth": {"token_secret_ref": {"name": "token", "key": "token"}}}
STORE_REF = {"name": "vault"}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
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


# -- the examples of the modules ------------------------------------------------------------------------------------

MODULES = Path(__file__).resolve().parents[2] / "plugins" / "modules"
#: why the examples of a module are no declarations that a second run finds fulfilled
NO_DECLARATIONS = {
    "eso_backup": "writes a file; see test_eso_backup.py",
    "eso_handover": "changes managers of what Flux applied; see test_gitops.py",
    "eso_info": "reads",
    "eso_state": "reads",
    "eso_manifests": "writes files, and asks no cluster",
    "eso_restore": "reads what eso_backup wrote; see test_eso_backup.py",
    "eso_sync": "acts each time",
    "eso_verify": "reads",
}


def rendered(value: Any) -> Any:
    """Return an example's options with the templates in them rendered."""
    if isinstance(value, dict):
        return {key: rendered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rendered(item) for item in value]
    if isinstance(value, str) and "{{" in value:
        return jinja2.Environment(autoescape=False).from_string(value).render(lookup=lambda *_: PEM)  # noqa: S701
    return value


def examples() -> list[tuple[str, dict[str, Any]]]:
    """Return module and options of every example of a module that declares."""
    found = []
    for file in sorted(MODULES.glob("eso_*.py")):
        if file.stem not in NO_DECLARATIONS:
            text = str(runpy.run_path(str(file), run_name="read")["EXAMPLES"])
            for task in yaml.safe_load(text):
                (name,) = [key for key in task if key.startswith("secretops.vault_eso.eso_")]
                options = {key: value for key, value in task[name].items() if key != "wait"}
                # one purges what another declares
                found.append((name.rpartition(".")[2], moved(rendered(options), f"example-{len(found)}")))
    return found


def moved(value: Any, namespace: str) -> Any:
    """Return options of objects in another namespace."""
    if isinstance(value, dict):
        return {key: namespace if key == "namespace" else moved(item, namespace) for key, item in value.items()}
    return [moved(item, namespace) for item in value] if isinstance(value, list) else value


def scalars(value: Any) -> Iterator[Any]:
    """Yield what is declared at the ends of nested mappings and lists."""
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from scalars(item)
    else:
        yield value


def objects(options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a module's options that are declared as present."""
    lists = [value for key, value in options.items() if key in ("stores", "external_secrets", "generators")]
    for entry in lists[0] if lists else [options]:
        if entry.get("state") != "absent":
            yield entry


# -- releases of the operator -----------------------------------------------------------------------------------------


def serve(api: KubeApi, generation: str) -> None:
    """Replace the CRDs by those of a release, and wait until the server judges and publishes by them."""
    there = {crd["metadata"]["name"]: crd for crd in api.call("GET", CRDS)["items"]}
    wanted = list(load_generation(generation))
    varying = {path.partition("/")[0] for changes in generation_changes().values() for path, _value in changes}
    for crd in wanted:
        live = there.pop(crd["metadata"]["name"], None)
        if live is None:
            api.call("POST", CRDS, crd)
        elif crd["spec"]["names"]["kind"] in varying:
            crd["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
            api.call("PUT", f"{CRDS}/{crd['metadata']['name']}", crd)
    for name in there:
        if "external-secrets.io" in name:
            api.call("DELETE", f"{CRDS}/{name}")
    until(lambda: all(filled(api, crd) == expected(crd) for crd in wanted if crd["spec"]["names"]["kind"] in PROBES))


def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline, "the CRDs are not served"
        time.sleep(0.3)


EXTRACT = {"dataFrom": [{"extract": {"key": "a"}}], "target": {"template": {"templateFrom": [{"literal": "a"}]}}}
#: an object of each kind whose defaults differ between releases
PROBES: dict[str, dict[str, Any]] = {
    "ExternalSecret": EXTRACT,
    "ClusterExternalSecret": {"externalSecretSpec": EXTRACT},
    "PushSecret": {
        "secretStoreRefs": [{"name": "a"}],
        "selector": {"secret": {"name": "a"}},
        "template": {"templateFrom": [{"literal": "a"}]},
    },
}
VARYING = ("conversionStrategy", "nullBytePolicy", "valuesDecodingStrategy")


def status_of(api: KubeApi, method: str, path: str, body: Any = None) -> Any:
    """Return what the server answers, {} where there is nothing (yet)."""
    try:
        return api.call(method, path, body)
    except ApiException as error:
        assert error.status in (404, 503), error
        return {}


def filled(api: KubeApi, crd: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Return which of `VARYING` the server fills in, and for which it publishes a default."""
    names, version = crd["spec"]["names"], crd["spec"]["versions"][0]["name"]
    group = f"{crd['spec']['group']}/{version}"
    space = "namespaces/default/" if crd["spec"]["scope"] == "Namespaced" else ""
    body = {"apiVersion": group, "kind": names["kind"], "metadata": {"name": "probe"}, "spec": PROBES[names["kind"]]}
    answer = str(status_of(api, "POST", f"/apis/{group}/{space}{names['plural']}?dryRun=All", body))
    published: Any = {}
    if status_of(api, "GET", "/openapi/v3"):
        document = status_of(api, "GET", f"/openapi/v3/apis/{group}") or {"components": {"schemas": {}}}
        for name, found in document["components"]["schemas"].items():
            published = found if name.endswith(f".{names['kind']}") else published
    else:
        # before 1.24: nothing is published, and the CRD itself is read
        published = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return {name for name in VARYING if f"'{name}'" in answer}, with_default(published)


def expected(crd: dict[str, Any]) -> tuple[set[str], set[str]]:
    names = with_default(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    return (names if crd["spec"]["names"]["kind"] != "PushSecret" else names & {"valuesDecodingStrategy"}), names


def with_default(node: Any) -> set[str]:
    """Return which of `VARYING` have a default somewhere in a schema."""
    return {
        name
        for one in nodes(node)
        for name, item in (one.get("properties") or {}).items()
        if name in VARYING and "default" in item
    }


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a schema."""
    yield node
    for inner in [*(node.get("properties") or {}).values(), node.get("items"), node.get("additionalProperties")]:
        if isinstance(inner, dict):
            yield from nodes(inner)


@pytest.fixture(scope="module", params=["current", "1.20"])
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """An API server whose CRDs may be replaced."""
    if request.param == "1.20":
        yield request.getfixturevalue("very_old_kube_api")
        return
    try:
        api = LocalKubeApi(tmp_path_factory.mktemp("schemas"))
    except kubernetes_api.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        yield api
    finally:
        api.stop()


def test_every_module_declares_or_says_why_not() -> None:
    found = {file.stem for file in MODULES.glob("eso_*.py")}
    assert found - set(NO_DECLARATIONS) == {module for module, _ in examples()}


def live_objects(api: KubeApi) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and contents of all objects of the operator."""
    for group in (f"{GROUP}/v1", f"{GROUP}/v1alpha1", "/apis/generators.external-secrets.io/v1alpha1"):
        for one in api.call("GET", group)["resources"]:
            if "/" not in one["name"]:
                for found in api.call("GET", f"{group}/{one['name']}")["items"]:
                    space = found["metadata"].get("namespace")
                    inside = f"namespaces/{space}/" if space else ""
                    yield f"{group}/{inside}{one['name']}/{found['metadata']['name']}", found


def converges(api: KubeApi, run_module: Run, declared: list[tuple[str, dict[str, Any]]], when: str) -> None:
    for module, options in declared:
        again = run_module(module, {"kubeconfig": api.kubeconfig, **options}, diff=True, must_succeed=True)
        assert not again["changed"], (when, module, again["results"], again["diff"])


def test_a_second_run_changes_nothing_whatever_the_operator_fills_in(own: KubeApi, run_module: Run) -> None:
    old = not status_of(own, "GET", "/openapi/v3")
    namespace = own.namespace("vault-eso-test-schemas")
    declared = [*kinds(namespace).items(), *([] if old else examples())]
    for number in range(0 if old else len(examples())):
        own.namespace(f"example-{number}")
    releases = generations()
    # one after another, as a cluster is upgraded; an API server of before has the first and the last
    for release in [releases[0], releases[-1]] if old else releases:
        serve(own, release)
        if release != releases[0]:
            # what was applied before the upgrade holds what the server filled in then
            converges(own, run_module, declared, f"upgrade to {release}")
        for path, _found in live_objects(own):
            own.call("DELETE", path)
        for module, options in declared:
            made = run_module(module, {"kubeconfig": own.kubeconfig, **options}, must_succeed=True)
            assert made["changed"], (release, module)
        held = {path: json.dumps(found).lower() for path, found in live_objects(own)}
        for module, options in declared:
            for entry in objects(options):
                kind = entry.get("kind", "VaultDynamicSecret" if module == "eso_generator" else module[4:])
                space = f"/namespaces/{entry['namespace']}" if "namespace" in entry else ""
                (text,) = [held[path] for path in held if path.endswith(f"{space}/{kind.lower()}s/{entry['name']}")]
                inside = {key: item for key, item in entry.items() if key not in ("name", "namespace", "kind")}
                lost = [one for one in scalars(inside) if one != PEM and json.dumps(str(one))[1:-1].lower() not in text]
                assert not lost, (release, module, lost)
        converges(own, run_module, declared, release)
    stored = own.call("GET", f"{GROUP}/v1/clustersecretstores/{namespace}")["spec"]
    assert stored["conditions"] == [{"namespaceSelector": {}}, {"namespaceRegexes": ["team-.*"], "namespaces": []}]
    path = f"{GROUP}/v1/namespaces/{namespace}/externalsecrets/app"
    spec = own.call("GET", path)["spec"]
    assert "merge" in spec["dataFrom"][0]["rewrite"][0]
    assert spec["target"]["template"]["data"] == {"PORT": "8200", "TLS": "true"}
    everywhere = own.call("GET", f"{GROUP}/v1/clusterexternalsecrets/{namespace}")["spec"]
    assert everywhere["namespaceSelectors"] == [{}, {"matchLabels": {"tier": "1"}}]
    # what somebody adds by hand in a list is drift all the same
    for field, value in (("version", "3"), ("decodingStrategy", "Base64")):
        data = [{**spec["data"][0], "remoteRef": {**spec["data"][0]["remoteRef"], field: value}}]
        own.call("PATCH", path, {"spec": {"data": data}}, "application/merge-patch+json")
        again = {"kubeconfig": own.kubeconfig, **kinds(namespace)["eso_externalsecret"]}
        assert run_module("eso_externalsecret", again)["results"][0]["fields"] == ["spec.data"]


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
