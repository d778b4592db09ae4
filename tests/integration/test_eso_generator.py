# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generators against a real API server; a certificate of a real PKI engine arrives in a Secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.kubernetes_api import KubeApi
from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
MERGE = "application/merge-patch+json"


GROUP = "/apis/generators.external-secrets.io/v1alpha1"


@pytest.fixture
def dynamic(kube_args: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Options of a VaultDynamicSecret for a certificate."""
    return {
        **kube_args,
        "name": "web",
        "namespace": namespace,
        "path": "pki_int/issue/web",
        "method": "POST",
        "parameters": {"common_name": "web.example.com", "alt_names": "a.example.com"},
        "provider": {
            "server": "https://vault.example.com:8200",
            "auth": {"kubernetes": {"role": "web", "service_account": {"name": "web", "audiences": ["vault"]}}},
        },
    }


def test_life_of_a_vault_dynamic_secret(
    kube_api: KubeApi, namespace: str, dynamic: dict[str, Any], kube_args: dict[str, Any], run_module: Run
) -> None:
    path = f"{GROUP}/namespaces/{namespace}/vaultdynamicsecrets"
    assert run_module("eso_generator", dynamic, check=True, must_succeed=True).changed
    assert kube_api.call("GET", path)["items"] == []
    made = run_module("eso_generator", dynamic, must_succeed=True)
    assert made["results"][0]["kind"] == "VaultDynamicSecret"
    spec = kube_api.call("GET", f"{path}/web")["spec"]
    assert (spec["path"], spec["method"], spec["parameters"]) == ("pki_int/issue/web", "POST", dynamic["parameters"])
    assert spec["provider"]["auth"]["kubernetes"] == {
        "mountPath": "kubernetes",
        "role": "web",
        "serviceAccountRef": {"name": "web", "audiences": ["vault"]},
    }
    again = run_module("eso_generator", dynamic, must_succeed=True)
    assert (again.changed, again["requests"]["writes"]) == (False, 0)
    changed = run_module(
        "eso_generator", {**dynamic, "parameters": {"common_name": "b.example.com"}}, must_succeed=True
    )
    assert changed["results"][0]["fields"] == ["spec.parameters"]
    assert kube_api.call("GET", f"{path}/web")["spec"]["parameters"] == {"common_name": "b.example.com"}
    absent = {**kube_args, "name": "web", "namespace": namespace, "state": "absent"}
    assert run_module("eso_generator", absent, must_succeed=True).changed
    assert not run_module("eso_generator", absent, must_succeed=True).changed


def test_other_kinds(kube_api: KubeApi, namespace: str, kube_args: dict[str, Any], run_module: Run) -> None:
    many = [
        {"kind": "Password", "name": "long", "namespace": namespace, "length": 40, "symbols": 0, "allow_repeat": True},
        {"kind": "UUID", "name": "id", "namespace": namespace},
        {"kind": "ClusterGenerator", "name": namespace, "generator_kind": "UUID"},
    ]
    options = {**kube_args, "generators": many}
    assert run_module("eso_generator", options, must_succeed=True)["summary"]["create"] == 3
    assert run_module("eso_generator", options, must_succeed=True)["summary"]["none"] == 3
    assert kube_api.call("GET", f"{GROUP}/clustergenerators/{namespace}")["spec"] == {
        "kind": "UUID",
        "generator": {"uuidSpec": {}},
    }
    changed = run_module("eso_generator", {**options, "generators": [{**many[0], "length": 41}]}, must_succeed=True)
    assert changed["results"][0]["fields"] == ["spec.length"]
    purged = run_module(
        "eso_generator", {**options, "generators": many[1:], "purge": True, "purge_namespaces": [namespace]}
    )
    # those of the whole cluster that other tests left go too
    deleted = [
        one["kind"] for one in purged["results"] if one["action"] == "delete" and one["kind"] != "ClusterGenerator"
    ]
    assert deleted == ["Password"]
    assert kube_api.call("GET", f"{GROUP}/clustergenerators/{namespace}")["spec"]["kind"] == "UUID"
    run_module("eso_generator", {**options, "state": "absent"}, must_succeed=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "GET"}, '"pki_int/issue/web" answers to POST, not to GET; set "method" to POST'),
        ({"method": "GET", "path": "database/creds/app"}, "parameters are not sent with GET"),
        ({"path": "/pki_int/issue/web"}, "is not a path of Vault"),
        ({"path": None}, "no path is given"),
        ({"length": 12}, "a generator of the kind VaultDynamicSecret has no length"),
        ({"provider": None}, "no server is given"),
        ({"provider": {"server": "https://v:8200", "auth": {}}}, "no auth method is given"),
        (
            {
                "provider": {
                    "server": "https://v:8200",
                    "auth": {"app_role": {"role_id": "r"}, "kubernetes": {"role": "r"}},
                }
            },
            "2 auth methods are given",
        ),
        (
            {
                "provider": {
                    "server": "https://v:8200",
                    "auth": {"token_secret_ref": {"name": "t", "key": "k", "namespace": "other"}},
                }
            },
            'names the namespace "other", which the operator ignores',
        ),
        ({"generator_kind": "UUID"}, "generator_kind is for a ClusterGenerator"),
    ],
)
def test_what_cannot_work_is_refused(
    dynamic: dict[str, Any], change: dict[str, Any], message: str, run_module: Run
) -> None:
    refused = run_module("eso_generator", {**dynamic, **change})
    assert refused.failed
    assert message in refused.msg


def test_a_password_that_cannot_be_is_refused(kube_args: dict[str, Any], namespace: str, run_module: Run) -> None:
    password = {**kube_args, "kind": "Password", "name": "p", "namespace": namespace}
    assert (
        "cannot hold 8 digits and 4 symbols"
        in run_module("eso_generator", {**password, "length": 10, "digits": 8, "symbols": 4}).msg
    )
    assert '11 different digits are wanted and there are 10; set "allow_repeat"' in (
        run_module("eso_generator", {**password, "length": 44, "symbols": 0}).msg
    )


def test_a_certificate_arrives_in_a_secret(
    operator: None,
    kube_api: KubeApi,
    kube_args: dict[str, Any],
    openbao: VaultServer,
    namespace: str,
    unique: str,
    dynamic: dict[str, Any],
    run_module: Run,
) -> None:
    client = openbao.client()
    client.sys.enable_secrets_engine("pki", path=unique)
    client.write(
        f"{unique}/root/generate/internal", common_name="test authority", key_type="ec", key_bits=256, ttl="700h"
    )
    client.write(
        f"{unique}/roles/web",
        allowed_domains="example.com",
        allow_subdomains=True,
        key_type="ec",
        key_bits=256,
        ttl="1h",
    )
    client.sys.create_or_update_policy(unique, f'path "{unique}/issue/web" {{ capabilities = ["create", "update"] }}')
    token = client.auth.token.create(policies=[unique], ttl="1h")["auth"]["client_token"]
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    kube_api.call("POST", secrets, {"metadata": {"name": "token"}, "stringData": {"token": token}})
    generator = {
        **dynamic,
        "path": f"{unique}/issue/web",
        "provider": {
            "server": openbao.url,
            "ca_bundle": Path(openbao.ca_cert).read_text(),
            "auth": {"token_secret_ref": {"name": "token", "key": "token"}},
        },
    }
    run_module("eso_generator", generator, must_succeed=True)
    external = {
        **kube_args,
        "name": "web-tls",
        "namespace": namespace,
        "refresh_interval": "24h",
        "target": {
            "template": {
                "type": "kubernetes.io/tls",
                "data": {"tls.crt": "{{ .certificate }}", "tls.key": "{{ .private_key }}"},
            }
        },
        "data_from": [{"source_ref": {"generator_ref": {"kind": "VaultDynamicSecret", "name": "web"}}}],
        "wait": True,
        "wait_timeout": 40,
    }
    made = run_module("eso_externalsecret", external, must_succeed=True)
    made.hides("BEGIN CERTIFICATE", "PRIVATE KEY")
    secret = kube_api.call("GET", f"{secrets}/web-tls")
    assert (secret["type"], sorted(secret["data"])) == ("kubernetes.io/tls", ["tls.crt", "tls.key"])
    client.sys.disable_secrets_engine(unique)
