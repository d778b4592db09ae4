# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two teams by the playbook on real servers, and each of them tries to read what is the other's."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvac
import hvac.exceptions
import pytest
import yaml

from support import eso_operator, kubernetes_api
from support.local import write_private
from support.openbao import VaultServer, enable_kv
from support.playbooks import Inventory
from support.system import Play

READ_BY = {
    "red-staging": "Red-Staging-5a1f",
    "red-production": "Red-Production-77c2",
    "blue": "Blue-91de",
}
TREES = {
    "red-staging": "teams/red/staging/app",
    "red-production": "teams/red/production/app",
    "blue": "teams/blue/app",
    # a name that begins like another's
    "redder": "teams/redder/app",
}
RED = {
    "name": "red",
    "environments": ["staging", "production"],
    "quota": {"rate": 500},
    "secrets": [{"name": "app", "refresh_interval": "1h"}],
}
BLUE = {"name": "blue", "secrets": [{"name": "app", "keys": {"PASSWORD": "password"}}]}


class Site(Inventory):
    """One Vault, one cluster."""

    def __init__(self, folder: Path, vault: VaultServer, api: kubernetes_api.KubeApi) -> None:
        self.folder = folder / "inventory"
        self.folder.mkdir()
        token = folder / "token"
        write_private(token, vault.token.encode())
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        self.vault = {
            **local,
            "vault_connection": {"url": [vault.url], "ca_cert": vault.ca_cert},
            "vault_session_login": {"auth_method": "token", "token_file": str(token), "child": True},
            "tenant_clusters": {"kubernetes-a": {"auth_mount": "kubernetes-a"}},
            # what others declared and purge here is not the teams' business
            "vault_config_policies": [{"name": "somebody", "rules": [{"path": "x", "capabilities": ["read"]}]}],
            "vault_config_purge": {"policies": {}},
        }
        self.cluster = {
            **local,
            "kubernetes_connection": {"kubeconfig": api.kubeconfig},
            "tenant_vault_server": vault.url,
            "tenant_vault_ca_bundle": Path(vault.ca_cert).read_text(),
            "tenant_auth_mount": "kubernetes-a",
            "tenant_audiences": ["vault", kubernetes_api.AUDIENCE],
            "tenant_auth_delegator": True,
            "tenant_wait_timeout": 60,
        }

    def run(self, teams: list[dict[str, Any]], *arguments: str) -> Play:
        groups = {
            "vault_clusters": {"hosts": {"vault": self.vault}},
            "kubernetes_clusters": {"hosts": {"kubernetes-a": self.cluster}},
        }
        hosts = {"all": {"vars": {"tenants": teams}, "children": groups}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(json.loads(json.dumps(hosts))))
        return self.play("tenants", *arguments)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer(tmp_path_factory.mktemp("vault"))
    try:
        yield server
    finally:
        server.discard()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kubernetes_api.LocalKubeApi]:
    """An API server of its own: teams' namespaces have plain names, and are not for a cluster in use."""
    try:
        api = kubernetes_api.LocalKubeApi(tmp_path_factory.mktemp("cluster"))
    except kubernetes_api.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        api.install_crds()
        yield api
    finally:
        api.stop()


@pytest.fixture(scope="module")
def site(
    vault: VaultServer, cluster: kubernetes_api.LocalKubeApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    admin = vault.client()
    enable_kv(admin, "secret")
    for owner, tree in TREES.items():
        value = {"password": READ_BY.get(owner, "Redder-30b8")}
        admin.secrets.kv.v2.create_or_update_secret(tree, value, mount_point="secret")
    admin.sys.enable_auth_method("kubernetes", path="kubernetes-a")
    admin.write(
        "auth/kubernetes-a/config",
        kubernetes_host=cluster.url,
        kubernetes_ca_cert=Path(cluster.ca_cert).read_text(),
        disable_local_ca_jwt=True,
    )
    folder = tmp_path_factory.mktemp("tenants")
    with eso_operator.running(cluster, folder):
        site = Site(folder, vault, cluster)
        site.run([RED, BLUE], "--diff").succeeded()
        yield site


def login(site: Site, vault: VaultServer, cluster: kubernetes_api.KubeApi, where: str, role: str) -> hvac.Client:
    token = cluster.token(where, f"{where.partition('-')[0]}-secrets", "vault", kubernetes_api.AUDIENCE)
    answer = vault.client().write("auth/kubernetes-a/login", role=role, jwt=token)
    return vault.client(answer["auth"]["client_token"])


def read(client: hvac.Client, tree: str) -> str:
    answer = client.secrets.kv.v2.read_secret(tree, mount_point="secret", raise_on_deleted_version=True)
    return str(answer["data"]["data"]["password"])


@pytest.mark.parametrize("owner", sorted(READ_BY))
def test_a_team_reads_its_own_tree_and_no_other(
    site: Site, vault: VaultServer, cluster: kubernetes_api.LocalKubeApi, owner: str
) -> None:
    client = login(site, vault, cluster, owner, f"tenant-{owner}")
    assert read(client, TREES[owner]) == READ_BY[owner]
    for other, tree in TREES.items():
        if other == owner:
            continue
        with pytest.raises(hvac.exceptions.Forbidden):
            read(client, tree)
        for attempt in (
            lambda path=tree: client.read(f"secret/metadata/{path}"),
            lambda path=tree: client.list(f"secret/metadata/{path.rpartition('/')[0]}"),
            lambda path=tree: client.write_data(f"secret/data/{path}", data={"data": {"password": "mine"}}),
            lambda path=tree: client.delete(f"secret/metadata/{path}"),
        ):
            with pytest.raises(hvac.exceptions.Forbidden):
                attempt()
    for attempt in (
        lambda: client.write_data(f"secret/data/{TREES[owner]}", data={"data": {"password": "mine"}}),
        lambda: client.list("secret/metadata/teams"),
        lambda: client.read("sys/policies/acl/tenant-blue"),
        lambda: client.read("auth/kubernetes-a/role/tenant-blue"),
    ):
        with pytest.raises(hvac.exceptions.Forbidden):
            attempt()


@pytest.mark.parametrize(
    ("where", "role"),
    [("red-staging", "tenant-red-production"), ("red-staging", "tenant-blue"), ("blue", "tenant-red-staging")],
)
def test_a_service_account_cannot_take_another_role(
    site: Site, vault: VaultServer, cluster: kubernetes_api.LocalKubeApi, where: str, role: str
) -> None:
    with pytest.raises(hvac.exceptions.Forbidden):
        login(site, vault, cluster, where, role)


def test_the_name_of_the_service_account_alone_opens_nothing(
    site: Site, vault: VaultServer, cluster: kubernetes_api.LocalKubeApi
) -> None:
    space = cluster.namespace("elsewhere")
    cluster.service_account(space, "blue-secrets", reviewer=True)
    token = cluster.token(space, "blue-secrets", "vault", kubernetes_api.AUDIENCE)
    with pytest.raises(hvac.exceptions.Forbidden):
        vault.client().write("auth/kubernetes-a/login", role="tenant-blue", jwt=token)


def secret(cluster: kubernetes_api.KubeApi, namespace: str) -> dict[str, str]:
    data = cluster.call("GET", f"/api/v1/namespaces/{namespace}/secrets/app")["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_each_namespace_has_its_secret(site: Site, cluster: kubernetes_api.LocalKubeApi) -> None:
    assert secret(cluster, "red-staging") == {"password": READ_BY["red-staging"]}
    assert secret(cluster, "red-production") == {"password": READ_BY["red-production"]}
    assert secret(cluster, "blue") == {"PASSWORD": READ_BY["blue"]}


def test_the_store_of_one_team_cannot_read_what_is_of_another(
    site: Site, cluster: kubernetes_api.LocalKubeApi, run_module: Any
) -> None:
    for number, tree in enumerate((TREES["red-staging"], TREES["redder"])):
        refused = run_module(
            "eso_externalsecret",
            {
                "kubeconfig": cluster.kubeconfig,
                "name": f"stolen-{number}",
                "namespace": "blue",
                "store": {"name": "vault"},
                "data_from": [{"extract": {"key": tree}}],
                "wait": True,
                "wait_timeout": 8,
            },
        )
        assert refused.failed
        assert "permission denied" in refused.msg.lower() or "403" in refused.msg, refused.msg
        with pytest.raises(Exception, match="404"):
            cluster.call("GET", f"/api/v1/namespaces/blue/secrets/stolen-{number}")


def test_a_second_run_changes_nothing_and_spares_what_others_declared(site: Site, vault: VaultServer) -> None:
    vault.client().sys.create_or_update_policy("untouched", 'path "x" { capabilities = ["read"] }')
    assert site.run([RED, BLUE]).succeeded().changed == 0
    policies = vault.client().sys.list_policies()["data"]["policies"]
    assert "untouched" in policies
    assert "somebody" not in policies
    quota = vault.client().read("sys/quotas/rate-limit/tenant-red")["data"]
    assert quota["path"].rstrip("*").rstrip("/") == "secret/data/teams/red"


def test_a_team_that_goes_loses_its_access(
    site: Site, vault: VaultServer, cluster: kubernetes_api.LocalKubeApi
) -> None:
    before = login(site, vault, cluster, "red-staging", "tenant-red-staging")
    site.run([{**RED, "state": "absent"}, BLUE]).succeeded()
    with pytest.raises(hvac.exceptions.Forbidden):
        read(before, TREES["red-staging"])
    with pytest.raises((hvac.exceptions.Forbidden, hvac.exceptions.InvalidRequest)):
        login(site, vault, cluster, "red-staging", "tenant-red-staging")
    assert read(vault.client(), TREES["red-staging"]) == READ_BY["red-staging"], "its secrets stay"
    assert cluster.call("GET", "/api/v1/namespaces/red-staging")["metadata"]["labels"]["tenant"] == "red"
    stores = cluster.call("GET", "/apis/external-secrets.io/v1/namespaces/red-staging/secretstores")
    assert stores["items"] == []
    assert site.run([{**RED, "state": "absent"}, BLUE]).succeeded().changed == 0
