# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The four ways in which service accounts log in, each declared, repeated, changed, used and taken away for real."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import hvac
import pytest

from support import openbao as servers
from support.kubernetes_api import KubeApi
from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
AUDIENCE = "vault"
# gives a server the files of a pod, at the place where every pod has them, in a view of its own of the file system
POD = """\
#!/bin/sh
exec unshare --mount --propagation private sh -c '
  mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io || exit 1
  ln -s %(files)s /run/secrets/kubernetes.io/serviceaccount && exec "$0" "$@"' %(binary)s "$@"
"""


@pytest.fixture
def accounts(kube_api: KubeApi, namespace: str) -> str:
    """A namespace with an account for an application, one that may also review tokens, and a reviewer."""
    kube_api.service_account(namespace, "app")
    kube_api.service_account(namespace, "reviewing-app", reviewer=True)
    kube_api.service_account(namespace, "reviewer", reviewer=True)
    return namespace


def issuer(kube_api: KubeApi) -> str:
    """What the API server's own tokens are issued by, and for."""
    return str(kube_api.call("GET", "/.well-known/openid-configuration")["issuer"])


def logs_in(server: VaultServer, mount: str, role: str, jwt: str) -> bool:
    try:
        answer = server.client("").auth.kubernetes.login(role=role, jwt=jwt, mount_point=mount)
    except hvac.exceptions.VaultError:
        return False
    return "default" in answer["auth"]["policies"]


def lives(
    server: VaultServer, run_module: Run, method: dict[str, Any], role: dict[str, Any], field: tuple[str, Any]
) -> None:
    """Declare a method and a role, by rehearsal, for real and again, then change one field of the method."""
    args = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}
    secrets = [str(value) for value in method.get("secret_config", {}).values()]
    mount = str(method["path"])
    steps = (("vault_auth", method), ("vault_auth_role", {"mount": mount, "type": method["type"], **role}))
    for module, options in steps:
        planned = run_module(module, {**args, **options}, check=True, diff=True)
        assert planned.changed and planned["diff"][0]["after"], planned.msg
        for changed in (True, False):
            done = run_module(module, {**args, **options}, diff=True, must_succeed=True)
            assert done.changed is changed, done["results"]
            done.hides(*secrets)
    name, value = field
    before = server.client().read(f"auth/{mount}/config")["data"]
    other = {**method, "config": {**method["config"], name: value}}
    for check in (True, False):
        changed = run_module("vault_auth", {**args, **other}, check=check, diff=True, must_succeed=True)
        assert f"config.{name}" in changed["results"][0]["fields"]
        changed.hides(*secrets)
        assert (server.client().read(f"auth/{mount}/config")["data"] == before) is check
    assert run_module("vault_auth", {**args, **method}, must_succeed=True).changed
    assert server.client().read(f"auth/{mount}/config")["data"] == before


def removed(server: VaultServer, run_module: Run, mount: str) -> None:
    """Take the role and the method away, by rehearsal and for real."""
    args = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token, "state": "absent"}
    for module, options in (("vault_auth_role", {"mount": mount, "name": "app"}), ("vault_auth", {"path": mount})):
        for changed in (True, False):
            if changed:
                assert run_module(module, {**args, **options}, check=True).changed
            assert run_module(module, {**args, **options}, must_succeed=True).changed is changed
    assert f"{mount}/" not in server.client().sys.list_auth_methods()["data"]


@pytest.fixture
def bound(accounts: str) -> dict[str, Any]:
    return {
        "name": "app",
        "bound_service_account_names": ["app", "reviewing-app"],
        "bound_service_account_namespaces": [accounts],
        "audience": AUDIENCE,
    }


def test_external_with_a_reviewers_token(
    run_module: Run, openbao: VaultServer, kube_api: KubeApi, accounts: str, bound: dict[str, Any], unique: str
) -> None:
    method = {
        "path": unique,
        "type": "kubernetes",
        "config": {
            "kubernetes_host": kube_api.url,
            "kubernetes_ca_cert": Path(kube_api.ca_cert).read_text(),
            "disable_local_ca_jwt": True,
        },
        # a controller manager would give one without an end
        "secret_config": {"token_reviewer_jwt": kube_api.token(accounts, "reviewer", seconds=90 * 86400)},
    }
    lives(openbao, run_module, method, bound, ("kubernetes_host", "https://127.0.0.1:1"))
    assert logs_in(openbao, unique, "app", kube_api.token(accounts, "app", AUDIENCE))
    assert not logs_in(openbao, unique, "app", kube_api.token(accounts, "app", "somebody-else"))
    assert not logs_in(openbao, unique, "app", kube_api.token(accounts, "reviewer", AUDIENCE))
    removed(openbao, run_module, unique)
    assert not logs_in(openbao, unique, "app", kube_api.token(accounts, "app", AUDIENCE))


def test_the_clients_own_token_reviews(
    run_module: Run, openbao: VaultServer, kube_api: KubeApi, accounts: str, bound: dict[str, Any], unique: str
) -> None:
    config = {"kubernetes_host": kube_api.url, "kubernetes_ca_cert": Path(kube_api.ca_cert).read_text()}
    method = {"path": unique, "type": "kubernetes", "config": {**config, "disable_local_ca_jwt": True}}
    # its token is shown to the API server, so it is for that too
    own = (AUDIENCE, issuer(kube_api))
    lives(openbao, run_module, method, bound, ("kubernetes_host", "https://127.0.0.1:1"))
    assert logs_in(openbao, unique, "app", kube_api.token(accounts, "reviewing-app", *own))
    assert not logs_in(openbao, unique, "app", kube_api.token(accounts, "app", *own)), "it may not review"
    assert not logs_in(openbao, unique, "app", kube_api.token(accounts, "reviewing-app"))
    removed(openbao, run_module, unique)


@pytest.fixture
def pod(
    kube_api: KubeApi, accounts: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> Iterator[VaultServer]:
    """A server with the token and the CA of a pod, which is the reviewer's."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("only root can give a server the files of a pod without touching the machine's own")
    files = tmp_path / "pod"
    files.mkdir()
    (files / "token").write_text(kube_api.token(accounts, "reviewer"))
    (files / "ca.crt").write_bytes(Path(kube_api.ca_cert).read_bytes())
    wrapper = tmp_path / "in-a-pod"
    wrapper.write_text(POD % {"files": files, "binary": servers.find_binary()})
    wrapper.chmod(0o755)
    tried = subprocess.run([str(wrapper), "version"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no file system of its own can be had for a process here: {tried.stderr.strip()}")
    server = VaultServer(tmp_path_factory.mktemp("pod"), binary=wrapper)
    yield server
    server.stop()


def test_in_the_cluster_itself(
    run_module: Run, pod: VaultServer, kube_api: KubeApi, accounts: str, bound: dict[str, Any], unique: str
) -> None:
    method = {"path": unique, "type": "kubernetes", "config": {"kubernetes_host": kube_api.url}}
    lives(pod, run_module, method, bound, ("kubernetes_host", "https://127.0.0.1:1"))
    assert logs_in(pod, unique, "app", kube_api.token(accounts, "app", AUDIENCE))
    assert not logs_in(pod, unique, "app", kube_api.token(accounts, "app"))
    removed(pod, run_module, unique)


@pytest.fixture
def keys_are_public(kube_api: KubeApi) -> Iterator[str]:
    """Address of the API server's keys, which who checks tokens without a token of its own has to read."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "vault-eso-test-issuer-discovery"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:service-account-issuer-discovery"},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": "system:unauthenticated"}],
    }
    kube_api.call("POST", path, binding)
    yield f"{kube_api.url}/openid/v1/jwks"
    kube_api.call("DELETE", f"{path}/vault-eso-test-issuer-discovery")


def test_jwt_instead(
    run_module: Run, openbao: VaultServer, kube_api: KubeApi, accounts: str, keys_are_public: str, unique: str
) -> None:
    method = {
        "path": unique,
        "type": "jwt",
        "config": {
            "jwks_url": keys_are_public,
            "jwks_ca_pem": Path(kube_api.ca_cert).read_text(),
            "bound_issuer": issuer(kube_api),
        },
    }
    claims = {"/kubernetes.io/namespace": accounts}
    role = {
        "name": "app",
        "options": {
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": [AUDIENCE],
            "bound_subject": f"system:serviceaccount:{accounts}:app",
            "bound_claims": claims,
        },
    }
    lives(openbao, run_module, method, role, ("bound_issuer", "https://somebody-else.example.com"))

    def enters(*audiences: str, account: str = "app") -> bool:
        request = {"role": "app", "jwt": kube_api.token(accounts, account, *audiences)}
        try:
            return bool(openbao.client("").write_data(f"auth/{unique}/login", data=request)["auth"]["client_token"])
        except hvac.exceptions.VaultError:
            return False

    assert enters(AUDIENCE)
    assert not enters("somebody-else") and not enters() and not enters(AUDIENCE, account="reviewer")
    removed(openbao, run_module, unique)
