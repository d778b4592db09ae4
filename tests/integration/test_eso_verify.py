# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain from an ExternalSecret to Vault, real on both sides: each link is broken in turn and is the one named."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.options import connect
from support import eso_operator
from support.kubernetes_api import AUDIENCE, KubeApi
from support.modules import Result
from support.openbao import VaultServer
from support.scene import Scene

Run = Callable[..., Result]
MERGE = "application/merge-patch+json"
API = "/apis/external-secrets.io/v1"


def pem(key: dict[str, str]) -> str:
    """Return a JSON web key as PEM."""
    number = {name: int.from_bytes(base64.urlsafe_b64decode(key[name] + "=="), "big") for name in ("n", "e")}
    public = rsa.RSAPublicNumbers(number["e"], number["n"]).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def scene(kube_api: KubeApi, openbao: VaultServer, run_module: Run, namespace: str, unique: str) -> Iterator[Scene]:
    made = Scene(kube_api, openbao, run_module, namespace, unique)
    made.raise_up()
    yield made
    made.tear_down()


def test_a_whole_chain_holds_and_leaves_no_token(scene: Scene) -> None:
    before = scene.tokens()
    found = scene.verify()
    assert not found.failed, found.msg
    assert [(one["kind"], one["name"], one["holds"], one["not_verified"]) for one in found["results"]] == [
        ("ExternalSecret", "app", True, [])
    ]
    assert (found.changed, found["broken"]) == (False, 0)
    assert scene.tokens() <= before


def test_each_link_of_the_login_is_named(scene: Scene) -> None:
    name, at = scene.name, scene.at
    scene.client.write(scene.role_path, **{**scene.role, "bound_service_account_namespaces": ["apps"]})
    assert scene.broken("binding") == (
        f'ExternalSecret "{at}/app": auth/{name}: role "eso" binds namespace "apps", but the service account is in '
        f'"{at}"; add it to bound_service_account_namespaces'
    )
    scene.client.write(scene.role_path, **{**scene.role, "bound_service_account_names": ["other", "another"]})
    assert 'role "eso" binds the service account "other", "another", but SecretStore' in scene.broken("binding")
    scene.client.write(scene.role_path, **{**scene.role, "audience": "https://vault.example.com"})
    assert (
        'role "eso" wants the audience "https://vault.example.com", but the token is for "vault", '
        f'"{AUDIENCE}"; add it to serviceAccountRef.audiences'
    ) in scene.broken("audience")
    scene.client.write(scene.role_path, **{**scene.role, "audience": ""})
    kubernetes = {**scene.auth["kubernetes"], "service_account": {"name": "eso", "audiences": ["vault"]}}
    scene.store(auth={"kubernetes": kubernetes})
    assert 'set the role\'s audience to one of "vault"; where the token is its own reviewer' in scene.broken("login")
    scene.client.write(scene.role_path, **scene.role)
    assert "the audiences must hold the API server's own as well" in scene.broken("login")
    scene.store()
    scene.client.delete(scene.role_path)
    assert f'auth/{name}: role "eso" does not exist; create it' in scene.broken("role")
    scene.client.write(f"auth/{name}/role/other", **scene.role)
    assert 'role "eso" does not exist, there are "other"' in scene.broken("role")

    scene.client.sys.disable_auth_method(name)
    message = scene.broken("auth_mount")
    assert f"auth/{name}: no auth method is mounted there" in message
    scene.client.sys.enable_auth_method("approle", path=name)
    assert 'it is of the type "approle", but SecretStore' in scene.broken("auth_mount")


def test_a_reviewer_without_the_right_to_review_is_a_refused_login(scene: Scene) -> None:
    scene.kube.call("DELETE", f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{scene.at}-eso-reviewer")
    message = scene.broken("login")
    assert f'the login of the service account "{scene.at}/eso" with role "eso" is refused' in message
    assert "the service account needs the cluster role system:auth-delegator" in message


def test_what_is_missing_in_kubernetes_is_named(scene: Scene) -> None:
    scene.kube.call("DELETE", f"/api/v1/namespaces/{scene.at}/serviceaccounts/eso")
    assert f'service account "{scene.at}/eso": does not exist; create it' in scene.broken("credential")
    scene.kube.call("DELETE", f"{API}/namespaces/{scene.at}/secretstores/vault")
    assert f'SecretStore "{scene.at}/vault": does not exist' in scene.broken("store")


def test_each_link_behind_the_login_is_named(scene: Scene) -> None:
    kv, at = f"{scene.name}-kv", scene.at
    scene.allow(f'path "{kv}/data/app" {{ capabilities = ["read"] }}')
    assert scene.broken("policy") == (
        f'ExternalSecret "{at}/app": auth/{scene.name}: the policies of role "eso" (default, {scene.name}) do not let '
        f'it read "{kv}/data/cache"; add path "{kv}/data/cache" {{ capabilities = ["read"] }} to one of them'
    )
    scene.allow(f'path "{kv}/data/*" {{ capabilities = ["read"] }}')

    scene.external(data=[{"secret_key": "password", "remote_ref": {"key": "app", "property": "passwort"}}])
    assert f'secret "{kv}/data/app": it has no key "passwort", only "password", "user"' in scene.broken("property")
    scene.external(data=[{"secret_key": "password", "remote_ref": {"key": "app", "version": "7"}}])
    assert f'secret "{kv}/data/app": has no version 7' in scene.broken("secret")
    scene.external(data_from=[{"extract": {"key": "no/such"}}])
    assert f'secret "{kv}/data/no/such": does not exist; write it, or correct the key' in scene.broken("secret")
    scene.external()
    scene.client.secrets.kv.v2.delete_latest_version_of_secret("cache", mount_point=kv)
    assert f'secret "{kv}/data/cache": its newest version is deleted' in scene.broken("secret")
    scene.external(target={"deletion_policy": "Delete"})
    assert not scene.verify().failed, "the deletion policy lets a secret be gone"
    scene.external()
    scene.put("cache", url="a-secret-url")

    scene.client.write(f"{kv}/metadata/app", custom_metadata={"owner": "payments"})
    fetch = {"key": "app", "metadata_policy": "Fetch"}
    scene.external(data=[{"secret_key": "owner", "remote_ref": {**fetch, "property": "owner"}}])
    assert f'do not let it read "{kv}/metadata/app"' in scene.broken("policy")
    scene.allow(f'path "{kv}/*" {{ capabilities = ["read"] }}')
    for known in ("owner", "current_version", None):
        scene.external(data=[{"secret_key": "owner", "remote_ref": {**fetch, "property": known}}])
        assert not scene.verify().failed, known
    scene.external(data=[{"secret_key": "owner", "remote_ref": {**fetch, "property": "owners"}}])
    assert f'secret "{kv}/metadata/app": it has no key "owners", only ' in scene.broken("property")
    scene.external()

    scene.store(version="v1")
    assert f"{kv}: it is KV version 2, but the store says v1; set version to v2" in scene.broken("engine")
    scene.store(path="nowhere")
    assert "nowhere: no secrets engine is mounted there" in scene.broken("engine")
    scene.store()
    assert not scene.verify().failed


def test_a_folder_is_listed(scene: Scene) -> None:
    scene.external(data=None, data_from=[{"find": {"path": "team", "name": {"regexp": ".*"}}}])
    assert f'do not let it list "{scene.name}-kv/metadata/team/"' in scene.broken("policy")
    scene.allow(f'path "{scene.name}-kv/*" {{ capabilities = ["read", "list"] }}')
    assert f'folder "{scene.name}-kv/metadata/team/": nothing is below it' in scene.broken("secret")
    scene.put("team/one", key="value")
    assert not scene.verify().failed


def test_other_ways_to_log_in(scene: Scene, kube_api: KubeApi) -> None:
    client, name, at = scene.client, scene.name, scene.at
    secrets = f"/api/v1/namespaces/{at}/secrets"
    client.sys.enable_auth_method("approle", path=f"{name}-approle")
    client.write(f"auth/{name}-approle/role/eso", token_policies=[name], secret_id_num_uses=0)
    role_id = client.read(f"auth/{name}-approle/role/eso/role-id")["data"]["role_id"]
    secret_id = client.write(f"auth/{name}-approle/role/eso/secret-id")["data"]["secret_id"]
    approle = {
        "app_role": {
            "path": f"{name}-approle",
            "role_id": role_id,
            "secret_ref": {"name": "approle", "key": "secret-id"},
        }
    }
    scene.store(auth=approle)
    assert f'Secret "{at}/approle": does not exist' in scene.broken("credential")
    kube_api.call("POST", secrets, {"metadata": {"name": "approle"}, "stringData": {"secret-id": "wrong"}})
    assert "the login with the role ID and the secret ID is refused" in scene.broken("login")
    kube_api.call("PATCH", f"{secrets}/approle", {"stringData": {"secret-id": secret_id}}, MERGE)
    found = scene.verify()
    assert not found.failed, found.msg
    found.hides(secret_id)

    kube_api.call("POST", secrets, {"metadata": {"name": "token"}, "stringData": {"token": "s.invalid"}})
    scene.store(auth={"token_secret_ref": {"name": "token", "key": "token"}})
    assert f'Secret "{at}/token": its token is invalid, expired or revoked' in scene.broken("login")
    token = client.auth.token.create(policies=[name], ttl="1h")["auth"]["client_token"]
    kube_api.call("PATCH", f"{secrets}/token", {"stringData": {"token": token}}, MERGE)
    assert not scene.verify().failed
    assert client.auth.token.lookup(token)["data"]["ttl"] > 0, "a token that is not ours is not revoked"

    signer = connect({"kubeconfig": kube_api.kubeconfig}).get("/openid/v1/jwks", accept="application/jwk-set+json")
    assert signer
    client.sys.enable_auth_method("jwt", path=f"{name}-jwt")
    client.write(f"auth/{name}-jwt/config", jwt_validation_pubkeys=[pem(signer["keys"][0])], bound_issuer=AUDIENCE)
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["other"], "token_policies": [name]}
    client.write(f"auth/{name}-jwt/role/eso", **role)
    jwt = {"service_account": {"name": "eso", "audiences": ["vault", AUDIENCE]}, "audiences": []}
    scene.store(auth={"jwt": {"path": f"{name}-jwt", "role": "eso", "kubernetes_service_account_token": jwt}})
    assert 'role "eso" wants the audience "other", but the token is for "vault"' in scene.broken("audience")
    role.update(bound_audiences=["vault"], bound_subject="system:serviceaccount:apps:eso")
    client.write(f"auth/{name}-jwt/role/eso", **role)
    assert f'but the token is of "system:serviceaccount:{at}:eso"' in scene.broken("binding")
    client.write(f"auth/{name}-jwt/role/eso", **{**role, "bound_subject": f"system:serviceaccount:{at}:eso"})
    found = scene.verify()
    assert not found.failed, found.msg
    for path in ("approle", "jwt"):
        client.sys.disable_auth_method(f"{name}-{path}")


def test_a_generator_is_verified_too(scene: Scene) -> None:
    provider = {"server": scene.vault.url, "auth": scene.auth, "ca_bundle": Path(scene.vault.ca_cert).read_text()}
    generator = {
        "kubeconfig": scene.kube.kubeconfig,
        "name": "web",
        "namespace": scene.at,
        "path": f"{scene.name}-kv/issue/web",
        "method": "POST",
        "provider": provider,
    }
    reference = {"source_ref": {"generator_ref": {"kind": "VaultDynamicSecret", "name": "web"}}}
    scene.external(data=None, data_from=[reference])
    assert f'VaultDynamicSecret "{scene.at}/web": does not exist' in scene.broken("store")
    scene.run_module("eso_generator", generator, must_succeed=True)
    assert f'do not let it write to "{scene.name}-kv/issue/web"' in scene.broken("policy")
    scene.allow(f'path "{scene.name}-kv/issue/web" {{ capabilities = ["update"] }}')
    assert not scene.verify().failed


def test_many_are_one_login_and_each_secret_is_read_once(scene: Scene, kube_args: dict[str, Any]) -> None:
    many = [
        {
            "name": f"app{number}",
            "namespace": scene.at,
            "store": {"name": "vault"},
            "data_from": [{"extract": {"key": "cache" if number % 2 else "gone"}}],
        }
        for number in range(40)
    ]
    scene.run_module("eso_externalsecret", {**kube_args, "external_secrets": many}, must_succeed=True)
    found = scene.verify(fail_on_broken=False)
    assert not found.failed
    assert (len(found["results"]), found["broken"]) == (41, 20)
    # what is served, stores, ExternalSecrets and one token
    assert found["requests"] <= 8
    message = scene.verify().msg
    assert message.count("does not exist") == 1, "one cause is told once"
    assert "and 18 more: secret" in message


def test_what_may_not_be_read_is_a_warning(scene: Scene) -> None:
    token = scene.client.auth.token.create(policies=["default"], ttl="5m")["auth"]["client_token"]
    vault = {"url": [scene.vault.url], "ca_cert": scene.vault.ca_cert, "token": token}
    found = scene.verify(vault=vault)
    assert not found.failed, found.msg
    assert "auth methods are not verified: sys/auth: permission denied" in str(found["warnings"])
    scene.client.write(scene.role_path, **{**scene.role, "bound_service_account_names": ["other"]})
    assert "the login of the service account" in scene.broken("login", vault=vault)


def test_the_operators_own_word_counts_at_last(
    scene: Scene, kube_api: KubeApi, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert "everything in Vault holds, but it has no status yet (does the operator run?)" in scene.broken(
        "store", ready=True
    )
    with eso_operator.running(kube_api, tmp_path_factory.mktemp("operator")):
        scene.store(wait=True, wait_timeout=30)
        scene.external(wait=True, wait_timeout=30)
    assert not scene.verify(ready=True).failed


def test_a_cluster_store_is_verified_from_each_namespace(
    scene: Scene, kube_args: dict[str, Any], run_module: Run
) -> None:
    store = {
        **kube_args,
        "kind": "ClusterSecretStore",
        "name": scene.at,
        "server": scene.vault.url,
        "path": f"{scene.name}-kv",
        "ca_bundle": Path(scene.vault.ca_cert).read_text(),
        "auth": scene.auth,
        "conditions": [{"namespaces": ["elsewhere"]}],
    }
    run_module("eso_secretstore", store, must_succeed=True)
    scene.external(store={"kind": "ClusterSecretStore", "name": scene.at})
    assert f'its conditions do not let the namespace "{scene.at}" use it' in scene.broken("store", name="app")
    selector = {"namespace_selector": {"matchLabels": {"kubernetes.io/metadata.name": scene.at}}}
    run_module("eso_secretstore", {**store, "conditions": [selector]}, must_succeed=True)
    found = scene.verify(name="app")
    assert not found.failed, found.msg
    run_module("eso_secretstore", {**store, "state": "absent"}, must_succeed=True)


def test_a_forced_sync_proves_the_version_or_names_the_broken_link(
    scene: Scene,
    kube_api: KubeApi,
    kube_args: dict[str, Any],
    run_module: Run,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    vault = {"url": [scene.vault.url], "ca_cert": scene.vault.ca_cert, "token": scene.vault.token}
    options = {**kube_args, "name": "app", "namespace": scene.at, "vault": vault, "wait_timeout": 30}
    with eso_operator.running(kube_api, tmp_path_factory.mktemp("operator")):
        scene.store(wait=True, wait_timeout=30)
        scene.external(wait=True, wait_timeout=30)
        scene.put("app", user="a-user-name", password="the-second-password")
        before = scene.tokens()
        synced = run_module("eso_sync", {**options, "expect_versions": {"app": 2, "cache": 1}}, must_succeed=True)
        assert synced["versions"] == {"app": 2, "cache": 1}
        assert synced["changed_keys"] == ["password"]
        synced.hides("the-second-password", "a-secret-url", scene.vault.token)
        assert scene.tokens() <= before

        wrong = run_module("eso_sync", {**options, "expect_versions": {"app": 1}})
        assert 'secret "app": its newest version is 2, not 1' in wrong.msg
        wrong = run_module("eso_sync", {**options, "expect_versions": {"other": 1}})
        assert 'secret "other": it does not read this secret; name one of "app", "cache"' in wrong.msg
        wrong = run_module("eso_sync", {**options, "vault": None, "expect_versions": {"app": 2}})
        assert 'versions can only be proven with a connection to Vault; set "vault"' in wrong.msg

        scene.allow(f'path "{scene.name}-kv/data/app" {{ capabilities = ["read"] }}')
        late = run_module("eso_sync", {**options, "wait_timeout": 4})
        assert "was not synced (SecretSyncedError" in late.msg
        assert f'do not let it read "{scene.name}-kv/data/cache"; add path' in late.msg
        assert scene.tokens() <= before
