# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests that guides show and that cannot work: each is refused with what to write instead.

The right forms run in test_guides_configuration.py, from inventories/production.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import eso_operator
from support.kubernetes_api import KubeApi
from support.openbao import VaultServer
from support.scene import Run, Scene

URL = "https://vault.example.com:8200"
KUBERNETES = {
    "mountPath": "kubernetes",
    "role": "eso-role",
    "serviceAccountRef": {"name": "external-secrets", "audiences": ["vault"]},
}
JWT = {"path": "jwt", "role": "external-secrets", "secretRef": {"name": "vault-jwt-token", "key": "token"}}
APP_ROLE = {"path": "approle", "roleId": "the-role-id", "secretRef": {"name": "vault-approle", "key": "secret-id"}}
PEM = "-----BEGIN CERTIFICATE-----\nMIIDXTCCAkWgAwIBAgIJAKL0UG5jKUyx\n-----END CERTIFICATE-----\n"
DATA = [{"secretKey": "username", "remoteRef": {"key": "applications/web-app", "property": "username"}}]
EXTRACT = [{"extract": {"key": "app-config"}}]
STORE_REF = {"kind": "ClusterSecretStore", "name": "vault-backend"}
PUSHED = [
    {
        "match": {
            "secretKey": "api_key",
            "remoteRef": {"remoteKey": "backups/api-credentials", "property": "api_key"},
        }
    }
]


def store(**change: Any) -> dict[str, Any]:
    """Return a store's manifest with a change below provider.vault."""
    vault = {"server": URL, "path": "secret", "version": "v2", "auth": {"kubernetes": KUBERNETES}, **change}
    return {"spec": {"provider": {"vault": vault}}}


def external(**change: Any) -> dict[str, Any]:
    return {"spec": {"refreshInterval": "300s", "secretStoreRef": STORE_REF, "data": DATA, **change}}


def template(**texts: str) -> dict[str, Any]:
    return external(target={"name": "application-secrets", "template": {"type": "Opaque", "data": texts}})


def push(**change: Any) -> dict[str, Any]:
    spec = {"secretStoreRefs": [STORE_REF], "selector": {"secret": {"name": "application-secrets"}}, "data": PUSHED}
    return {"spec": {"refreshInterval": "24h", **spec, **change}}


def dynamic(**change: Any) -> dict[str, Any]:
    provider = {"server": URL, "auth": {"kubernetes": KUBERNETES}}
    return {"spec": {"path": "pki/issue/web-app-cert", "method": "POST", "provider": provider, **change}}


#: what the manifest is about: the module, its options, the message
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "v1beta1 where it is served no longer": (
        "eso_secretstore",
        {**store(), "api_version": "external-secrets.io/v1beta1"},
        'SecretStore is not served as external-secrets.io/v1beta1|leave "api_version" out, or use one of v1',
    ),
    "v1beta1 for an ExternalSecret": (
        "eso_externalsecret",
        {**external(), "api_version": "v1beta1"},
        'ExternalSecret is not served as external-secrets.io/v1beta1|leave "api_version" out, or use one of v1',
    ),
    "a PushSecret of the stores' version": (
        "eso_pushsecret",
        {**push(), "api_version": "v1"},
        'PushSecret is not served as external-secrets.io/v1|leave "api_version" out, or use one of v1alpha1',
    ),
    "a store in another namespace": (
        "eso_externalsecret",
        external(
            secretStoreRef={"kind": "SecretStore", "name": "vault-backend", "namespace": "external-secrets-system"}
        ),
        "a store in another namespace cannot be used|use a SecretStore of the same namespace, or a ClusterSecretStore",
    ),
    "credentials in another namespace": (
        "eso_secretstore",
        store(
            auth={"kubernetes": {**KUBERNETES, "serviceAccountRef": {"name": "eso", "namespace": "external-secrets"}}}
        ),
        'auth.kubernetes.serviceAccountRef points into the namespace "external-secrets", which a SecretStore may not|'
        "move it to the store's own namespace, or use a ClusterSecretStore",
    ),
    "clientTimeout": (
        "eso_secretstore",
        store(clientTimeout="10s"),
        "provider.vault.clientTimeout does not exist|a store has no timeout; remove it",
    ),
    "timeout": (
        "eso_secretstore",
        store(timeout="30s"),
        "provider.vault.timeout does not exist|a store has no timeout; remove it",
    ),
    "tls.serverName": (
        "eso_secretstore",
        store(tls={"serverName": "vault.vault.svc.cluster.local"}),
        "provider.vault.tls.serverName does not exist|"
        "the name in Vault's certificate must match the host in server; remove it",
    ),
    "tls.clientCert.secretRef": (
        "eso_secretstore",
        store(tls={"clientCert": {"secretRef": {"name": "vault-client-cert", "key": "tls.crt"}}}),
        "provider.vault.tls.clientCert does not exist|write tls.certSecretRef and tls.keySecretRef",
    ),
    "tls.clientKey.secretRef": (
        "eso_secretstore",
        store(tls={"clientKey": {"secretRef": {"name": "vault-client-cert", "key": "tls.key"}}}),
        "provider.vault.tls.clientKey does not exist|write tls.certSecretRef and tls.keySecretRef",
    ),
    "half of a client certificate": (
        "eso_secretstore",
        store(tls={"certSecretRef": {"name": "vault-client-cert", "key": "tls.crt"}}),
        "tls needs certSecretRef and keySecretRef|give both or neither",
    ),
    "the CA inside tls": (
        "eso_secretstore",
        store(tls={"caBundle": PEM}),
        "provider.vault.tls.caBundle does not exist|caBundle stands beside tls, not in it",
    ),
    "the CA as it is": (
        "eso_secretstore",
        store(caBundle=PEM),
        "caBundle holds PEM text where the API wants its base64|"
        "encode it, or use the option ca_bundle, which takes PEM",
    ),
    "the CA as caching": (
        "eso_secretstore",
        store(caBundle="<ca-certificate>"),
        "caBundle is not the base64 of PEM certificates|encode the CA's PEM file once",
    ),
    "caching in the store": (
        "eso_secretstore",
        store(cache={"enabled": True}),
        "provider.vault.cache does not exist|a flag of the operator keeps tokens: eso_vault_token_cache",
    ),
    "three ways to log in": (
        "eso_secretstore",
        store(auth={"kubernetes": KUBERNETES, "jwt": JWT, "appRole": APP_ROLE}),
        "3 auth methods are given (appRole, kubernetes, jwt); the operator would take appRole and say nothing|"
        "give exactly one of",
    ),
    "a namespace of a ClusterSecretStore": (
        "eso_secretstore",
        {"kind": "ClusterSecretStore", **store()},
        'a ClusterSecretStore belongs to no namespace|remove "namespace"',
    ),
    "a SecretStore without a namespace": (
        "eso_secretstore",
        {**store(), "namespace": None},
        'no namespace is given|set "namespace"',
    ),
    "secretStoreRef of a PushSecret": (
        "eso_pushsecret",
        {"spec": {**push()["spec"], "secretStoreRefs": None, "secretStoreRef": STORE_REF}},
        "spec.secretStoreRef does not exist in a PushSecret|write secretStoreRefs, a list with name and kind",
    ),
    "base64decode": (
        "eso_externalsecret",
        template(TLS_CERT="{{ .tls_cert | base64decode }}"),
        'template.data.TLS_CERT uses the function "base64decode", which does not exist|write "b64dec"',
    ),
    "a certificate by remoteRef": (
        "eso_externalsecret",
        external(
            data=[{"secretKey": "crt", "remoteRef": {"key": "pki/issue/web-app-cert", "property": "certificate"}}]
        ),
        '"pki/issue/web-app-cert" is not a KV secret, and the provider reads KV only|'
        "declare a VaultDynamicSecret generator and use it in data_from by source_ref.generator_ref",
    ),
    "a certificate by GET": (
        "eso_generator",
        dynamic(method="GET"),
        '"pki/issue/web-app-cert" answers to POST, not to GET|set "method" to POST',
    ),
    "provider.vault in a generator": (
        "eso_generator",
        dynamic(provider={"vault": {"server": URL, "auth": {"kubernetes": KUBERNETES}}}),
        "provider.vault does not exist in a generator|write server and auth directly below provider",
    ),
    "a password in a URL": (
        "eso_externalsecret",
        template(DATABASE_URL="postgresql://{{ .username }}:{{ .password }}@{{ .host }}:{{ .port }}/{{ .name }}"),
        'template.data.DATABASE_URL puts the value of username into a URL as it is|write "{{ .username | urlquery }}"',
    ),
    "a password in a URL after a user that is encoded": (
        "eso_externalsecret",
        template(DATABASE_URL="postgresql://{{ .username | urlquery }}:{{ .password }}@{{ .host }}/app"),
        'template.data.DATABASE_URL puts the value of password into a URL as it is|write "{{ .password | urlquery }}"',
    ),
    "a password in JSON": (
        "eso_externalsecret",
        template(CONFIG_JSON='{\n  "database": {"password": "{{ .database_password }}"}\n}\n'),
        "template.data.CONFIG_JSON puts the value of database_password into JSON as it is|"
        "write {{ .database_password | toJson }} without the quotation marks",
    ),
    "no store at all": (
        "eso_externalsecret",
        external(data=None, dataFrom=EXTRACT, secretStoreRef=None),
        'no store is given|set "store" to its name and kind',
    ),
    "a path of the API as key": (
        "eso_externalsecret",
        external(data=[{"secretKey": "username", "remoteRef": {"key": "/secret/data/app"}}]),
        'the key "/secret/data/app" begins with a slash|write it without',
    ),
}


@pytest.mark.parametrize("about", list(WRONG))
def test_a_wrong_manifest_is_refused_with_what_to_write(
    about: str, kube_api: KubeApi, kube_args: dict[str, Any], namespace: str, run_module: Run
) -> None:
    module, manifest, message = WRONG[about]
    options = {**kube_args, "name": "vault-backend", "namespace": namespace, **copy.deepcopy(manifest)}
    refused = run_module(module, options)
    assert refused.failed
    for part in message.split("|"):
        assert part in refused.msg
    plural = {"eso_secretstore": "secretstores", "eso_externalsecret": "externalsecrets"}.get(module)
    if plural:
        path = f"/apis/external-secrets.io/v1/namespaces/{namespace}/{plural}"
        assert kube_api.call("GET", path)["items"] == [], "nothing was sent"


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (
            store(readYourWrites=True, forwardInconsistent=False),
            "readYourWrites and forwardInconsistent act only together",
        ),
        (
            store(auth={"kubernetes": {**KUBERNETES, "serviceAccountRef": {"name": "external-secrets"}}}),
            "auth.kubernetes.serviceAccountRef has no audiences: its token is for the API server, which roles with an "
            "audience refuse; write that of the role, such as audiences: [vault]",
        ),
    ],
    ids=["half of the consistency", "no audience"],
)
def test_what_may_work_and_is_not_meant_is_warned_about(
    manifest: dict[str, Any], message: str, kube_args: dict[str, Any], namespace: str, run_module: Run
) -> None:
    options = {**kube_args, "name": "vault-backend", "namespace": namespace, **manifest}
    assert message in str(run_module("eso_secretstore", options, must_succeed=True)["warnings"])


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://{{ .username | urlquery }}:{{ .password | urlquery }}@{{ .host }}:{{ .port }}/{{ .name }}",
        "postgresql://{{ .username | toString }}:{{ .password | urlquery }}@{{ .host }}/app",
        '{"password": {{ .password | toJson }}, "url": "redis://:{{ .password | urlquery }}@{{ .host }}/0"}',
        "{{ .whole }}",
        '"{{ .text }}"',
        "https://{{ .host }}/{{ .path }}",
    ],
)
def test_a_right_template_is_taken(text: str, kube_args: dict[str, Any], namespace: str, run_module: Run) -> None:
    options = {**kube_args, "name": "app", "namespace": namespace, **template(TEXT=text)}
    assert run_module("eso_externalsecret", options, must_succeed=True).changed


@pytest.fixture
def scene(kube_api: KubeApi, openbao: VaultServer, run_module: Run, namespace: str, unique: str) -> Iterator[Scene]:
    made = Scene(kube_api, openbao, run_module, namespace, unique)
    made.raise_up()
    yield made
    made.tear_down()


def test_what_only_both_sides_together_show_is_named_by_verifying(scene: Scene) -> None:
    name, at = scene.name, scene.at
    # a SecretStore serves its own namespace
    scene.external(store={"name": "vault-backend"})
    assert (
        f'SecretStore "{at}/vault-backend": does not exist; create it, or correct the reference to it; '
        "a SecretStore serves its own namespace only, a ClusterSecretStore others too"
    ) in scene.broken("store", name="app")
    scene.external()

    # the policy covers applications/* while the ExternalSecret reads the cache
    scene.allow(f'path "{name}-kv/data/app*" {{ capabilities = ["read"] }}')
    assert f'add path "{name}-kv/data/cache" {{ capabilities = ["read"] }} to one of them' in scene.broken("policy")
    # finding needs list
    scene.allow(f'path "{name}-kv/data/*" {{ capabilities = ["read"] }}')
    scene.external(data=None, data_from=[{"find": {"name": {"regexp": ".*"}}}])
    assert 'capabilities = ["list"] }' in scene.broken("policy")
    scene.external()

    # no audience in the store while the role wants one
    kubernetes = {**scene.auth["kubernetes"], "service_account": {"name": "eso"}}
    scene.store(auth={"kubernetes": kubernetes})
    assert 'role "eso" wants the audience "vault"' in scene.broken("audience")
    assert "add it to serviceAccountRef.audiences in SecretStore" in scene.broken("audience")
    scene.store()

    # an address of the API server that Vault cannot reach
    inside = "https://kubernetes.default.svc.cluster.local:443"
    ca_cert = Path(scene.kube.ca_cert).read_text()
    scene.client.write(
        f"auth/{name}/config", kubernetes_host=inside, kubernetes_ca_cert=ca_cert, disable_local_ca_jwt=True
    )
    message = scene.broken("login")
    assert f"{inside} is reached from inside the cluster only" in message
    assert "write the address at which Vault reaches the API server" in message


def test_a_reviewer_whose_token_ends_is_refused(
    kube_api: KubeApi, vault_args: dict[str, Any], namespace: str, unique: str, run_module: Run
) -> None:
    """As `kubectl create token --duration=24h` gives it."""
    kube_api.service_account(namespace, "reviewer", reviewer=True)
    token = kube_api.token(namespace, "reviewer")
    method = {
        **vault_args,
        "path": unique,
        "type": "kubernetes",
        "config": {"kubernetes_host": kube_api.url, "kubernetes_ca_cert": Path(kube_api.ca_cert).read_text()},
        "secret_config": {"token_reviewer_jwt": token},
    }
    refused = run_module("vault_auth", method)
    assert refused.failed
    assert "its token_reviewer_jwt expires at 20" in refused.msg
    assert 'leave it out and set "disable_local_ca_jwt", so that each token reviews itself' in refused.msg
    assert "of a Secret of the type kubernetes.io/service-account-token" in refused.msg
    refused.hides(token)
    config = {**method["config"], "disable_local_ca_jwt": True}
    assert run_module("vault_auth", {**method, "config": config, "secret_config": {}}, must_succeed=True).changed


def test_a_push_of_keys_that_the_template_left_out_is_named(
    scene: Scene, kube_api: KubeApi, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What is in Vault as database_password is in the Secret as part of DATABASE_URL only."""
    kv = f"{scene.name}-kv"
    with eso_operator.running(kube_api, tmp_path_factory.mktemp("operator")):
        scene.store(wait=True, wait_timeout=30)
        url = "https://{{ .password | urlquery }}@db"
        scene.external(target={"template": {"data": {"DATABASE_URL": url}}}, wait=True, wait_timeout=30)
        options = {
            "kubeconfig": scene.kube.kubeconfig,
            "name": "backup",
            "namespace": scene.at,
            "store_refs": [{"name": "vault"}],
            "selector": {"secret": {"name": "app"}},
            "data": [{"match": {"secret_key": "password", "remote_ref": {"remote_key": "backups/app"}}}],
        }
        scene.run_module("eso_pushsecret", options, must_succeed=True)
        missing = f'Secret "{scene.at}/app": has no key "password", only "DATABASE_URL"; add it, or correct secretKey'
        assert missing in scene.broken("source", name="backup")
        entry = {
            "match": {"secret_key": "DATABASE_URL", "remote_ref": {"remote_key": "backups/app", "property": "url"}}
        }
        scene.run_module("eso_pushsecret", {**options, "data": [entry]}, must_succeed=True)
        # the policy of a store that reads does not write
        denied = f'do not let it create, read and update "{kv}/data/backups/app"'
        assert denied in scene.broken("policy", name="backup")
        rules = '{ capabilities = ["create", "read", "update"] }'
        scene.allow(f'path "{kv}/data/*" {rules} path "{kv}/metadata/*" {rules}')
        scene.run_module("eso_pushsecret", {**options, "data": [entry], "wait": True}, must_succeed=True)
        assert not scene.verify(name="backup", ready=True).failed
