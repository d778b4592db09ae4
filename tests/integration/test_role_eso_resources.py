# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role eso_resources against API servers that serve v1, and v1beta1 as old versions of the operator do."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.kubernetes_api import KubeApi
from support.modules import ROOT

PLAY = """
- name: Converge
  hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/secretops.vault_eso.eso: {kubeconfig: "{{ kubeconfig }}"}
    group/kubernetes.core.k8s: {kubeconfig: "{{ kubeconfig }}"}
  roles:
    - secretops.vault_eso.eso_resources
"""


class Cluster:
    """An API server, the version that it serves, and a namespace of our own."""

    def __init__(self, api: KubeApi, version: str, folder: Path) -> None:
        self.api, self.version, self.folder = api, version, folder
        self.namespace = f"vault-eso-test-role-{os.getpid()}"

    def converge(self, data: dict[str, Any], *arguments: str) -> tuple[dict[str, int], str]:
        """Run the role; returns the numbers of the recap and the output."""
        (self.folder / "play.yml").write_text(PLAY)
        (self.folder / "data.json").write_text(json.dumps({**data, **self.connection()}))
        clean = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("VAULT_", "BAO_", "ANSIBLE_", "K8S_AUTH_")) and key != "KUBECONFIG"
        }
        clean.update(
            ANSIBLE_COLLECTIONS_PATH=str(ROOT / "playbooks" / "collections"),
            ANSIBLE_HOME=str(self.folder),
            ANSIBLE_LOCALHOST_WARNING="false",
        )
        command = ["ansible-playbook", "-i", "localhost,", "play.yml", "-e", "@data.json", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=clean, capture_output=True, text=True, timeout=300, check=False
        )
        text = done.stdout + done.stderr
        recap = re.search(r"^localhost\s*: (.*)$", done.stdout, re.M)
        assert recap, text
        return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", recap[1])}, text

    def connection(self) -> dict[str, str]:
        """Return the extra variables that say where and by what the modules run."""
        return {"kubeconfig": self.api.kubeconfig, "ansible_python_interpreter": "{{ ansible_playbook_python }}"}

    def names(self, plural: str, version: str = "") -> list[str]:
        """Return the names of the namespace's objects of one kind of the operator."""
        group = (
            "generators.external-secrets.io"
            if plural in ("passwords", "vaultdynamicsecrets")
            else "external-secrets.io"
        )
        path = f"/apis/{group}/{version or self.version}/namespaces/{self.namespace}/{plural}"
        return sorted(one["metadata"]["name"] for one in self.api.call("GET", path)["items"])

    def data(self) -> dict[str, Any]:
        """Return one of everything."""
        at = self.namespace
        auth = {"kubernetes": {"role": "eso", "service_account": {"name": "eso", "audiences": ["vault"]}}}
        match = {"secret_key": "user", "remote_ref": {"remote_key": "backups/app", "property": "user"}}
        return {
            "eso_resources_namespaces": [{"name": at, "labels": {"team": "payments"}}],
            "eso_resources_service_accounts": [{"name": "eso", "namespace": at, "auth_delegator": True}],
            "eso_resources_stores": [
                {"name": "vault", "namespace": at, "server": "https://vault:8200", "path": "secret", "auth": auth}
            ],
            "eso_resources_generators": [
                {"kind": "Password", "name": "long", "namespace": at, "length": 32},
                {
                    "name": "web",
                    "namespace": at,
                    "path": "pki/issue/web",
                    "method": "POST",
                    "parameters": {"common_name": "web.example.com"},
                    "provider": {"server": "https://vault:8200", "auth": auth},
                },
            ],
            "eso_resources_external_secrets": [
                {
                    "name": name,
                    "namespace": at,
                    "store": {"name": "vault"},
                    "refresh_interval": "15m",
                    "data": [{"secret_key": "user", "remote_ref": {"key": "app", "property": "user"}}],
                    "data_from": [{"extract": {"key": "cache"}}],
                }
                for name in ("app", "other")
            ],
            "eso_resources_cluster_external_secrets": [
                {
                    "name": at,
                    "namespace_selectors": [{"matchLabels": {"team": "payments"}}],
                    "external_secret": {"store": {"name": "vault"}, "data_from": [{"extract": {"key": "shared"}}]},
                }
            ],
            "eso_resources_push_secrets": [
                {
                    "name": "backup",
                    "namespace": at,
                    "store_refs": [{"name": "vault"}],
                    "selector": {"secret": {"name": "app"}},
                    "data": [{"match": match}],
                }
            ],
            # no operator runs here
            "eso_resources_wait": False,
        }


@pytest.fixture(scope="module", params=["v1", "v1beta1"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    api = request.getfixturevalue("kube_api" if request.param == "v1" else "old_kube_api")
    made = Cluster(api, request.param, tmp_path_factory.mktemp("role"))
    try:
        yield made
    finally:
        made.api.forget_namespace(made.namespace)


def test_everything_is_declared_once_and_purged(cluster: Cluster) -> None:
    data = cluster.data()
    checked, text = cluster.converge(data, "--check", "--diff")
    assert (checked["failed"], checked["changed"] > 0) == (0, True), text[-3000:]

    first, text = cluster.converge(data)
    assert (first["failed"], first["changed"]) == (0, 6), text[-3000:]
    assert cluster.names("secretstores") == ["vault"]
    assert cluster.names("externalsecrets") == ["app", "other"]
    assert cluster.names("pushsecrets", "v1alpha1") == ["backup"]
    assert cluster.names("passwords", "v1alpha1") == ["long"]
    assert cluster.names("vaultdynamicsecrets", "v1alpha1") == ["web"]
    path = f"/apis/external-secrets.io/{cluster.version}/clusterexternalsecrets/{cluster.namespace}"
    assert cluster.api.call("GET", path)["spec"]["namespaceSelectors"] == [{"matchLabels": {"team": "payments"}}]

    for arguments in ((), ("--check", "--diff")):
        again, text = cluster.converge(data, *arguments)
        assert (again["failed"], again["changed"]) == (0, 0), text[-3000:]

    less = {
        **data,
        "eso_resources_external_secrets": data["eso_resources_external_secrets"][:1],
        "eso_resources_generators": [],
        "eso_resources_push_secrets": [],
        "eso_resources_purge": True,
    }
    purged, text = cluster.converge(less)
    # Password and VaultDynamicSecret, ExternalSecret, PushSecret: one task each
    assert (purged["failed"], purged["changed"]) == (0, 3), text[-3000:]
    assert cluster.names("externalsecrets") == ["app"]
    assert cluster.names("pushsecrets", "v1alpha1") == []
    assert cluster.names("passwords", "v1alpha1") == []


def test_a_mistake_stops_before_anything_of_its_kind_is_sent(cluster: Cluster) -> None:
    data = cluster.data()
    (store,) = data["eso_resources_stores"]
    both = {**store["auth"], "token_secret_ref": {"name": "t", "key": "t"}}
    data["eso_resources_stores"] = [{**store, "server": "https://other:8200"}, {**store, "name": "bad", "auth": both}]
    stopped, text = cluster.converge(data)
    assert stopped["failed"] == 1
    assert "2 auth methods are given" in text
    assert "bad" not in cluster.names("secretstores")
