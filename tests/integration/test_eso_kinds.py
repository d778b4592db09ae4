# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of every kind, against API servers with the definitions of a current operator and of 0.9 (v1beta1).

What is special to a kind is in its own file.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from support import eso_operator
from support.kubernetes_api import KubeApi
from support.modules import Result
from support.openbao import VaultServer, enable_kv

Run = Callable[..., Result]
APPLY = "application/apply-patch+yaml"
SECRET_VALUE = "a-value-of-vault"
PUSHED_VALUE = "a-value-of-kubernetes"


class World:
    """An API server, the version that it serves, and what stores in it may reach in a real Vault."""

    def __init__(self, api: KubeApi, vault: VaultServer, version: str) -> None:
        self.api, self.vault, self.version = api, vault, version
        self.mount = f"kinds-{version}"
        self.client = vault.client()

    def raise_up(self) -> None:
        enable_kv(self.client, self.mount)
        rules = '{ capabilities = ["create", "read", "update", "delete"] }'
        self.client.sys.create_or_update_policy(
            self.mount, f'path "{self.mount}/*" {rules} path "sys/tools/random/16" {rules}'
        )
        self.client.secrets.kv.v2.create_or_update_secret("app", {"user": SECRET_VALUE}, mount_point=self.mount)

    def tear_down(self) -> None:
        self.client.sys.disable_secrets_engine(self.mount)
        self.client.sys.delete_policy(self.mount)

    def furnish(self, namespace: str) -> None:
        """Put a token for stores and a Secret to push into a namespace."""
        token = self.client.auth.token.create(policies=[self.mount], ttl="1h")["auth"]["client_token"]
        for name, values in (("token", {"token": token}), ("source", {"user": PUSHED_VALUE})):
            self.api.call(
                "POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": name}, "stringData": values}
            )

    def provider(self, namespace: str = "") -> dict[str, Any]:
        """Return how to reach the Vault; ``namespace`` of the token, where it has to be named."""
        reference = {"name": "token", "key": "token", **({"namespace": namespace} if namespace else {})}
        return {
            "server": self.vault.url,
            "ca_bundle": Path(self.vault.ca_cert).read_text(),
            "auth": {"token_secret_ref": reference},
        }


@pytest.fixture(scope="module", params=["v1", "v1beta1"])
def world(request: pytest.FixtureRequest, openbao: VaultServer) -> Iterator[World]:
    api = request.getfixturevalue("kube_api" if request.param == "v1" else "old_kube_api")
    made = World(api, openbao, request.param)
    made.raise_up()
    yield made
    made.tear_down()


@pytest.fixture(scope="module")
def operator(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with eso_operator.running(world.api, tmp_path_factory.mktemp("operator")):
        yield


@pytest.fixture
def at(world: World) -> Iterator[str]:
    """A fresh namespace of the world's cluster."""
    name = world.api.namespace(f"vault-eso-test-{uuid.uuid4().hex[:8]}")
    eso_operator.name_namespace(world.api, name)
    try:
        yield name
    finally:
        world.api.forget_namespace(name)


@dataclass
class Case:
    """A kind: what is declared in a namespace, a change of it, and the field that the change is about."""

    kind: str
    module: str
    plural: str
    declare: Callable[[World, str], dict[str, Any]]
    change: dict[str, Any]
    changed: str
    #: what another tool applies, by the path of the field
    theirs: dict[str, Any]
    same: dict[str, Any] = field(default_factory=dict)
    group: str = "external-secrets.io"
    version: str = ""
    cluster: bool = False

    def name(self, at: str) -> str:
        return at if self.cluster else "app"

    def options(self, world: World, at: str) -> dict[str, Any]:
        """Return the options that declare it."""
        where = {"name": self.name(at)} if self.cluster else {"name": "app", "namespace": at}
        return {"kubeconfig": world.api.kubeconfig, **where, **self.declare(world, at)}

    def path(self, world: World, at: str) -> str:
        space = "" if self.cluster else f"namespaces/{at}/"
        return f"/apis/{self.group}/{self.version or world.version}/{space}{self.plural}/{self.name(at)}"

    def live(self, world: World, at: str) -> Any:
        """Return the object, or None."""
        try:
            return world.api.call("GET", self.path(world, at))
        except ApiException as error:
            if error.status == 404:
                return None
            raise


def store(world: World, at: str) -> dict[str, Any]:
    return {**world.provider(), "path": world.mount, "labels": {"team": "payments"}}


def cluster_store(world: World, at: str) -> dict[str, Any]:
    return {
        "kind": "ClusterSecretStore",
        **world.provider(at),
        "path": world.mount,
        "labels": {"team": "payments"},
        "conditions": [{"namespaces": [at]}],
    }


EXTERNAL = {
    "store": {"name": "vault"},
    "refresh_interval": "1h",
    "target": {"template": {"data": {"url": "https://{{ .user | urlquery }}@db"}}},
    "data": [{"secret_key": "user", "remote_ref": {"key": "app", "property": "user"}}],
}
PUSHED = {"match": {"secret_key": "user", "remote_ref": {"remote_key": "backups/app", "property": "user"}}}
GENERATORS: dict[str, Any] = {"group": "generators.external-secrets.io", "version": "v1alpha1"}
CASES = [
    Case(
        "SecretStore",
        "eso_secretstore",
        "secretstores",
        store,
        {"path": "elsewhere"},
        "spec.provider.vault.path",
        {"provider": {"vault": {"path": "gitops"}}},
        {"version": "v2"},
    ),
    Case(
        "ClusterSecretStore",
        "eso_secretstore",
        "clustersecretstores",
        cluster_store,
        {"path": "elsewhere"},
        "spec.provider.vault.path",
        {"provider": {"vault": {"path": "gitops"}}},
        cluster=True,
    ),
    Case(
        "ExternalSecret",
        "eso_externalsecret",
        "externalsecrets",
        lambda world, at: dict(EXTERNAL),
        {"data_from": [{"extract": {"key": "cache"}}]},
        "spec.dataFrom",
        {"refreshInterval": "7m"},
        {"refresh_interval": "60m"},
    ),
    Case(
        "ClusterExternalSecret",
        "eso_clusterexternalsecret",
        "clusterexternalsecrets",
        lambda world, at: {
            "namespace_selectors": [{"matchLabels": {"kubernetes.io/metadata.name": at}}],
            "refresh_time": "5m",
            "external_secret": dict(EXTERNAL),
        },
        {"refresh_time": "6m"},
        "spec.refreshTime",
        {"refreshTime": "7m"},
        {"refresh_time": "300s"},
        cluster=True,
    ),
    Case(
        "PushSecret",
        "eso_pushsecret",
        "pushsecrets",
        lambda world, at: {
            "store_refs": [{"name": "vault"}],
            "selector": {"secret": {"name": "source"}},
            "refresh_interval": "1h",
            "data": [PUSHED],
        },
        {"update_policy": "IfNotExists"},
        "spec.updatePolicy",
        {"refreshInterval": "7m"},
        {"refresh_interval": "3600s"},
        version="v1alpha1",
    ),
    Case(
        "VaultDynamicSecret",
        "eso_generator",
        "vaultdynamicsecrets",
        lambda world, at: {
            "provider": world.provider(),
            "path": "sys/tools/random/16",
            "method": "POST",
            "parameters": {"format": "hex"},
        },
        {"parameters": {"format": "base64"}},
        "spec.parameters",
        {"path": "gitops"},
        **GENERATORS,
    ),
    Case(
        "Password",
        "eso_generator",
        "passwords",
        lambda world, at: {"kind": "Password", "length": 32, "symbols": 0, "allow_repeat": True},
        {"length": 40},
        "spec.length",
        {"length": 8},
        **GENERATORS,
    ),
    Case(
        "UUID",
        "eso_generator",
        "uuids",
        lambda world, at: {"kind": "UUID", "labels": {"team": "payments"}},
        {"labels": {"team": "accounts"}},
        "metadata.labels.team",
        {},
        **GENERATORS,
    ),
]
NAMES = [case.kind for case in CASES]
#: came after 0.9
LATER = ("UUID",)


def refused_as_unknown(world: World, at: str, case: Case, run_module: Run) -> bool:
    """Assert that a kind which this operator lacks is named as such; tells whether it is one."""
    if case.kind not in LATER or world.version == "v1":
        return False
    refused = run_module(case.module, case.options(world, at))
    assert f"the CRD {case.plural}.{case.group} is not installed" in refused.msg
    assert "install or upgrade External Secrets Operator with its CRDs" in refused.msg
    return True


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_life(world: World, at: str, case: Case, run_module: Run) -> None:
    if refused_as_unknown(world, at, case, run_module):
        return
    world.furnish(at)
    options = case.options(world, at)

    planned = run_module(case.module, options, check=True, diff=True, must_succeed=True)
    assert planned.changed
    assert planned["diff"][0]["before"] == ""
    assert case.live(world, at) is None, "check mode wrote something"

    made = run_module(case.module, options, diff=True, must_succeed=True)
    assert made["summary"]["create"] == 1
    assert made["diff"] == planned["diff"]
    born = case.live(world, at)
    assert (born["kind"], born["apiVersion"]) == (case.kind, f"{case.group}/{case.version or world.version}")

    for same in ({}, case.same):
        for check in (False, True):
            again = run_module(case.module, {**options, **same}, check=check, diff=True, must_succeed=True)
            assert (again.changed, again["requests"]["writes"], again["diff"]) == (False, 0, []), same
    assert case.live(world, at)["metadata"]["generation"] == born["metadata"]["generation"]

    change = {**options, **case.change}
    planned = run_module(case.module, change, check=True, diff=True, must_succeed=True)
    assert case.live(world, at)["spec"] == born["spec"], "check mode wrote something"
    changed = run_module(case.module, change, diff=True, must_succeed=True)
    for one in (planned, changed):
        assert one["results"][0]["fields"] == [case.changed]
        assert list(one["diff"][0]) == ["before_header", "after_header", "before", "after"]
        assert one["diff"][0]["before"] != one["diff"][0]["after"]
    assert changed["requests"]["writes"] == 1
    assert not run_module(case.module, change, must_succeed=True).changed

    absent = {key: options[key] for key in ("kubeconfig", "name", "namespace", "kind") if key in options}
    gone = {**absent, "state": "absent"}
    assert run_module(case.module, gone, check=True, must_succeed=True).changed
    assert case.live(world, at) is not None, "check mode deleted it"
    assert run_module(case.module, gone, diff=True, must_succeed=True)["summary"]["delete"] == 1
    assert case.live(world, at) is None
    again = run_module(case.module, gone, must_succeed=True)
    assert (again.changed, again["requests"]["writes"]) == (False, 0)


@pytest.mark.parametrize("case", [case for case in CASES if case.theirs], ids=[c.kind for c in CASES if c.theirs])
def test_what_another_field_manager_applies_is_not_taken_over_unasked(
    world: World, at: str, case: Case, run_module: Run
) -> None:
    world.furnish(at)
    options = case.options(world, at)
    run_module(case.module, options, must_succeed=True)
    live = case.live(world, at)
    (name,) = case.theirs
    # what its definition requires has to be there as well
    spec = {**live["spec"], **merged(live["spec"].get(name), case.theirs)}
    theirs = {"apiVersion": live["apiVersion"], "kind": case.kind, "metadata": {"name": case.name(at)}, "spec": spec}
    world.api.call("PATCH", case.path(world, at) + "?fieldManager=flux&force=true", theirs, APPLY)
    for check in (True, False):
        refused = run_module(case.module, options, check=check)
        assert refused.failed
        assert f'{case.kind} "' in refused.msg
        assert 'is applied by the field manager "flux" as well' in refused.msg
        assert 'declare it in one of the two, or set "force_conflicts" to take it over' in refused.msg
    assert case.live(world, at)["spec"][name] == spec[name]
    taken = run_module(case.module, {**options, "force_conflicts": True}, must_succeed=True)
    assert taken["summary"]["update"] == 1
    assert not run_module(case.module, options, must_succeed=True).changed
    run_module(case.module, {**options, "state": "absent"}, must_succeed=True)


def merged(old: Any, new: Any) -> Any:
    """Return the field of ``new`` with what else ``old`` has."""
    ((name, value),) = new.items()
    if isinstance(value, dict) and isinstance(old, dict):
        (inner,) = value
        return {name: {**old, **merged(old.get(inner), value)}}
    return {name: value}


def target(world: World, at: str, name: str = "app") -> dict[str, Any]:
    return dict(world.api.call("GET", f"/api/v1/namespaces/{at}/secrets/{name}")["data"])


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_waiting_ends_when_it_has_taken_effect(
    world: World, operator: None, at: str, case: Case, run_module: Run
) -> None:
    if refused_as_unknown(world, at, case, run_module):
        return
    world.furnish(at)
    waiting = {"wait": True, "wait_timeout": 40}
    if case.kind not in ("SecretStore", "ClusterSecretStore"):
        vault = {"kubeconfig": world.api.kubeconfig, "name": "vault", "namespace": at, **store(world, at)}
        run_module("eso_secretstore", {**vault, **waiting}, must_succeed=True)
    options = case.options(world, at)
    if case.module != "eso_generator":
        made = run_module(case.module, {**options, **waiting}, must_succeed=True)
        made.hides(SECRET_VALUE, PUSHED_VALUE)
        assert case.live(world, at)["status"]["conditions"][0]["status"] == "True"
        run_module(case.module, {**options, **waiting}, must_succeed=True)
    else:
        # a generator has no status: what it generates is waited for
        run_module(case.module, options, must_succeed=True)
        reference = {"source_ref": {"generator_ref": {"kind": case.kind, "name": "app"}}}
        external = {"kubeconfig": world.api.kubeconfig, "name": "app", "namespace": at, "data_from": [reference]}
        run_module("eso_externalsecret", {**external, **waiting}, must_succeed=True)
        key = {"VaultDynamicSecret": "random_bytes", "Password": "password", "UUID": "uuid"}[case.kind]
        assert list(target(world, at)) == [key]
    if case.kind == "ExternalSecret":
        assert sorted(target(world, at)) == ["url"]
    if case.kind == "ClusterExternalSecret":
        assert sorted(target(world, at, at)) == ["url"]
    if case.kind == "PushSecret":
        kv = world.client.secrets.kv.v2
        found = kv.read_secret_version("backups/app", mount_point=world.mount, raise_on_deleted_version=True)
        assert found["data"]["data"] == {"user": PUSHED_VALUE}
    gone = {**options, "state": "absent"}
    if case.module != "eso_generator":
        gone.update(waiting)
    run_module(case.module, gone, must_succeed=True)
    assert case.live(world, at) is None
