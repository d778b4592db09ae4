# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of newer operators, and generators of every kind that is served: kept as declared, then unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.generator import GROUP, KINDS, RAW, SPECS
from support.kubernetes_api import KubeApi, load_crds
from support.scene import Run


def smallest(schema: dict[str, Any]) -> Any:
    """Return a value that has what a schema requires, and one field where it requires none."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties") or {}
        return {name: smallest(fields[name]) for name in schema.get("required") or list(fields)[:1]}
    if kind == "array":
        return [smallest(schema["items"])] * max(int(schema.get("minItems") or 1), 1)
    return {"integer": 1, "boolean": True}.get(str(kind), "a")


def specs() -> dict[str, Any]:
    """Return the smallest spec of each raw kind of generator in the newest CRDs."""
    found = {}
    for crd in load_crds():
        name = crd["spec"]["names"]["kind"]
        if crd["spec"]["group"] == GROUP and name in RAW:
            (version,) = [one for one in crd["spec"]["versions"] if one["storage"]]
            found[name] = smallest(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    return found


def path(namespace: str, kind: str, name: str) -> str:
    api = KINDS[kind]
    return api.path("v1alpha1", namespace, name)


#: installed with an open schema where the CRDs at hand lack them: one without and one with secrets, and one for keys
STUBS = ("Fake", "SSHKey", "Webhook")


def install_stubs(kube: KubeApi, folder: Path) -> set[str]:
    """Install the definitions that are missing and return the kinds that are served."""
    known = {one["kind"] for one in kube.call("GET", f"/apis/{GROUP}/v1alpha1")["resources"]}
    open_schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    documents = [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{KINDS[name].plural}.{GROUP}"},
            "spec": {
                "group": GROUP,
                "scope": "Namespaced",
                "names": {"kind": name, "plural": KINDS[name].plural},
                "versions": [
                    {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": open_schema}}
                ],
            },
        }
        for name in STUBS
        if name not in known
    ]
    if documents:
        file = folder / "stubs.yaml"
        file.write_text(yaml.safe_dump_all(documents))
        kube.install_crds(file=file)
    return known | set(STUBS)


def test_every_kind_of_generator_is_known() -> None:
    for crd in load_crds():
        name = crd["spec"]["names"]["kind"]
        # that one is the operator's own record
        if crd["spec"]["group"] == GROUP and name != "GeneratorState":
            assert KINDS[name].plural == crd["spec"]["names"]["plural"]
        if name == "ClusterGenerator":
            spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
            assert set(spec["generator"]["properties"]) == set(SPECS.values())


def test_generators_by_their_raw_spec(
    kube_api: KubeApi, kube_args: dict[str, Any], namespace: str, run_module: Run, tmp_path: Path
) -> None:
    served = install_stubs(kube_api, tmp_path)
    wanted = {"SSHKey": {"keyType": "rsa"}, **specs()}
    if "GitlabDeployToken" in wanted:
        # a rule of its schema wants one of two
        wanted["GitlabDeployToken"]["projectID"] = "a"
    wanted["Webhook"] = {"url": "https://x.example.com", "result": {"jsonPath": "$.x"}}
    wanted["Fake"] = {"data": {"user": "a-literal-secret"}}
    many = [{"kind": kind, "name": "x", "namespace": namespace, "spec": spec} for kind, spec in wanted.items()]
    field, spec = RAW["Fake"], {"data": {"user": "another-literal-secret"}}
    many.append({"kind": "ClusterGenerator", "name": namespace, "spec": {"kind": "Fake", "generator": {field: spec}}})
    made = run_module("eso_generator", {**kube_args, "generators": many}, diff=True, must_succeed=True)
    assert made["summary"]["create"] == len(wanted) + 1
    for kind, spec in wanted.items():
        held = kube_api.call("GET", path(namespace, kind, "x"))["spec"]
        assert {key: held.get(key) for key in spec} == spec, kind
    again = run_module("eso_generator", {**kube_args, "generators": many}, diff=True, must_succeed=True)
    assert not again.changed
    fake = {"kind": "Fake", "name": "x", "namespace": namespace, "spec": {"data": {"user": "a-third-literal"}}}
    changed = run_module("eso_generator", {**kube_args, **fake}, diff=True, must_succeed=True)
    for result in (made, changed):
        assert "literal" not in str(result.data.get("diff")), "a Fake's values are no text for a diff"
    info = run_module("eso_info", {**kube_args, "namespaces": [namespace], "gather": ["generators"]}, must_succeed=True)
    assert {one["kind"] for one in info["generators"]} >= served & set(RAW)
    bare = run_module("eso_generator", {**kube_args, "kind": "Webhook", "name": "y", "namespace": namespace})
    assert 'a generator of the kind Webhook has no options of its own; write the manifest\'s spec as "spec"' in bare.msg
    gone = [{**one, "state": "absent", "spec": None} for one in many]
    assert run_module("eso_generator", {**kube_args, "generators": gone}, must_succeed=True).changed


WINDOWS = {"kind": "deny", "windows": [{"schedule": "0 22 * * 1-5", "duration": "8h"}]}


def test_options_of_newer_operators(
    kube_api: KubeApi, kube_args: dict[str, Any], namespace: str, run_module: Run
) -> None:
    remote = {"key": "app", "null_byte_policy": "Fail"}
    literal = {"literal": "{{ .a }}", "target": "Data", "values_decoding_strategy": "Base64"}
    external = {
        **kube_args,
        "name": "app",
        "namespace": namespace,
        "store": {"name": "vault"},
        "refresh_interval": "1h",
        "sync_windows": WINDOWS,
        "target": {"template": {"metadata": {"finalizers": ["example.com/keep"]}, "template_from": [literal]}},
        "data": [{"secret_key": "a", "remote_ref": {**remote, "property": "a"}}],
        "data_from": [{"extract": remote}, {"find": {"name": {"regexp": "."}, "null_byte_policy": "Ignore"}}],
    }
    run_module("eso_externalsecret", external, must_succeed=True)
    spec = kube_api.call("GET", f"/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets/app")["spec"]
    assert spec["syncWindows"] == WINDOWS
    template = spec["target"]["template"]
    assert template["metadata"]["finalizers"] == ["example.com/keep"]
    assert template["templateFrom"][0]["valuesDecodingStrategy"] == "Base64"
    assert spec["data"][0]["remoteRef"]["nullBytePolicy"] == "Fail"
    assert [next(iter(one.values()))["nullBytePolicy"] for one in spec["dataFrom"]] == ["Fail", "Ignore"]
    assert not run_module("eso_externalsecret", external, must_succeed=True).changed

    store = {
        **kube_args,
        "name": "vault",
        "namespace": namespace,
        "server": "https://vault.example.com:8200",
        "path": "apps",
        "auth": {"token_secret_ref": {"name": "token", "key": "token"}},
        "retry_settings": {"max_retries": 3, "retry_interval": "5s"},
    }
    run_module("eso_secretstore", store, must_succeed=True)
    held = kube_api.call("GET", f"/apis/external-secrets.io/v1/namespaces/{namespace}/secretstores/vault")["spec"]
    assert held["retrySettings"] == {"maxRetries": 3, "retryInterval": "5s"}
    assert not run_module("eso_secretstore", store, must_succeed=True).changed
    dynamic = {
        **kube_args,
        "name": "web",
        "namespace": namespace,
        "path": "database/creds/app",
        "provider": {key: store[key] for key in ("server", "auth")},
        "retry_settings": {"max_retries": 1},
    }
    run_module("eso_generator", dynamic, must_succeed=True)
    assert kube_api.call("GET", path(namespace, "VaultDynamicSecret", "web"))["spec"]["retrySettings"] == {
        "maxRetries": 1
    }
    assert not run_module("eso_generator", dynamic, must_succeed=True).changed
    interval = run_module("eso_secretstore", {**store, "retry_settings": {"retry_interval": "1d"}})
    assert 'the retry interval "1d" is not a duration' in interval.msg


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"refresh_policy": "OnChange"}, "sync_windows are for periodic refreshes only"),
        ({"refresh_interval": "0"}, "its refresh interval is 0"),
        (
            {"sync_windows": {"kind": "deny", "windows": [{"schedule": "22:00", "duration": "8h"}]}},
            "is not a cron schedule",
        ),
        (
            {"sync_windows": {"kind": "deny", "windows": [{"schedule": "@daily", "duration": "1d"}]}},
            'the duration of sync_windows.windows[0] "1d" is not a duration',
        ),
    ],
)
def test_windows_that_would_not_act_are_refused(
    kube_args: dict[str, Any], run_module: Run, more: dict[str, Any], message: str
) -> None:
    options = {"name": "app", "namespace": "x", "store": {"name": "vault"}, "sync_windows": WINDOWS}
    refused = run_module(
        "eso_externalsecret", {**kube_args, **options, "data_from": [{"extract": {"key": "app"}}], **more}, check=True
    )
    assert message in refused.msg
