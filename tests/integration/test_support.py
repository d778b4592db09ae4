# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of the test suite are what the tests think they are."""

from __future__ import annotations

from typing import Any, Callable

import hvac.exceptions
import pytest

from support.kubernetes_api import KubeApi
from support.modules import Result
from support.openbao import VaultServer


def test_server_is_real_unsealed_and_checks_tokens(openbao: VaultServer) -> None:
    status = openbao.client().seal_status
    assert (status["sealed"], status["storage_type"]) == (False, "raft")
    assert openbao.product in ("openbao", "vault")
    with pytest.raises(hvac.exceptions.Forbidden):
        openbao.client("s.wrong").sys.list_policies()


def test_another_server_can_be_sealed_and_unsealed(new_server: Callable[..., VaultServer]) -> None:
    server = new_server(shares=3, threshold=2)
    server.client().sys.seal()
    assert server.health() == 503
    server.unseal(2)
    assert server.client().lookup_token()["data"]["policies"] == ["root"]


def test_kubernetes_serves_the_crds_and_reviews_tokens(kube_api: KubeApi, namespace: str) -> None:
    groups = {group["name"] for group in kube_api.call("GET", "/apis")["groups"]}
    assert {"external-secrets.io", "generators.external-secrets.io"} <= groups
    kube_api.service_account(namespace, "app", reviewer=True)
    token = kube_api.token(namespace, "app", "vault")
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": ["vault"]},
    }
    status = kube_api.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]
    assert status["user"]["username"] == f"system:serviceaccount:{namespace}:app"


def test_a_module_runs_as_its_own_process(
    run_module: Callable[..., Result], vault_args: dict[str, Any], openbao: VaultServer, unique: str
) -> None:
    policy = {**vault_args, "name": unique, "policy": 'path "secret/data/x" {\n  capabilities = ["read"]\n}\n'}
    checked = run_module("vault_policy", policy, check=True, diff=True)
    assert (checked.failed, checked.changed) == (False, True), checked.msg
    assert unique not in openbao.client().sys.list_policies()["data"]["policies"]
    assert run_module("vault_policy", policy, must_succeed=True).changed
    again = run_module("vault_policy", policy, diff=True, must_succeed=True)
    assert not again.changed
    again.hides(openbao.token)


def test_a_forked_module_gives_what_one_in_a_new_python_gives(
    run_module: Callable[..., Result], vault_args: dict[str, Any], unique: str
) -> None:
    policy = {**vault_args, "name": unique, "rules": [{"path": "secret/x", "capabilities": ["read"]}]}
    runs: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("vault_policy", policy, {"check": True, "diff": True}),
        ("vault_policy", {**policy, "token": "s.wrong", "retries": 0}, {}),
        ("vault_policy", {**policy, "rules": [{"path": 1}], "surplus": True}, {}),
        ("vault_info", {}, {"env": {"BAO_ADDR": vault_args["url"][0], "VAULT_CACERT": vault_args["ca_cert"]}}),
        ("eso_info", {"kubeconfig": "/nowhere"}, {}),
    ]
    for name, args, how in runs:
        forked, started = (run_module(name, args, by_process=alone, **how) for alone in (False, True))
        assert (forked.rc, forked.data, forked.stderr) == (started.rc, started.data, started.stderr), name
