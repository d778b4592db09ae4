# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks configure and drift, for what is declared inside nested namespaces and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.local import write_private
from support.openbao import VaultServer
from support.playbooks import Inventory

VALUE, BY_HAND = "value-inside-4711", "value-by-hand-4712"
POLICY = 'path "secret/*" {\n  capabilities = ["read"]\n}\n'


class Small(Inventory):
    """One Vault cluster, and what is declared in it."""

    def __init__(self, folder: Path, variables: dict[str, Any]) -> None:
        self.folder = folder
        (folder / "host_vars").mkdir(parents=True)
        (folder / "hosts.yml").write_text("vault_clusters: {hosts: {inner: }}\n")
        (folder / "host_vars" / "inner.yml").write_text(yaml.safe_dump(variables))


@pytest.fixture
def place(openbao: VaultServer, unique: str) -> str:
    if openbao.product != "openbao":
        pytest.skip("namespaces need OpenBao or HashiCorp Vault Enterprise")
    return f"drift-{unique}"


def report(folder: Path) -> list[tuple[str, str, str, str]]:
    """Return what a drift report says would change: namespace, kind, name and action."""
    found = json.loads((folder / "reports" / "drift.json").read_text())
    return sorted(
        (part["inside"], change["kind"], change["name"], change["action"])
        for host in found["hosts"]
        for part in host["parts"]
        for change in part["changes"]
    )


def test_drift_inside(openbao: VaultServer, place: str, tmp_path: Path) -> None:
    write_private(tmp_path / "token", openbao.token.encode())
    team = {
        "secrets_engines": [{"path": "secret", "type": "kv-v2"}, {"path": "transit", "type": "transit"}],
        "policies": [{"name": "own", "policy": POLICY}],
        "secrets": [{"path": "app", "data": {"key": VALUE}}],
        "transit_keys": [{"name": "orders", "min_decryption_version": 1}],
        "purge": {"policies": {"protected": ["kept"]}},
    }
    inventory = Small(
        tmp_path / "inventory",
        {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "credentials_directory": str(tmp_path / "credentials"),
            "drift_report_directory": str(tmp_path / "reports"),
            "vault_connection": {"url": [openbao.url], "ca_cert": openbao.ca_cert},
            "vault_session_login": {"auth_method": "token", "token_file": str(tmp_path / "token"), "child": True},
            "vault_config_namespaces": [{"name": place}],
            "vault_config_inside": {place: {"namespaces": [{"name": "team"}], "inside": {"team": team}}},
        },
    )
    assert inventory.play("configure").succeeded().changed > 0
    assert inventory.play("drift").succeeded().changed == 0
    assert report(tmp_path) == []

    client, inside = openbao.client(namespace=f"{place}/team"), f"{place}/team"
    client.sys.create_or_update_policy("own", 'path "*" {\n  capabilities = ["sudo"]\n}\n')
    client.sys.create_or_update_policy("stray", POLICY)
    client.sys.create_or_update_policy("kept", POLICY)
    client.write_data("secret/data/app", data={"data": {"key": BY_HAND}})
    client.write_data("transit/keys/orders/rotate", data={})
    client.write_data("transit/keys/orders/config", data={"min_decryption_version": 2})
    # of the same name outside, and of no concern
    openbao.client().sys.create_or_update_policy(f"{place}-own", POLICY)
    run = inventory.play("drift", "-e", "drift_fail=true", "-vvvv")
    assert run.rc != 0 and "Drift: 4 objects are not as declared, on inner." in run.output, run.output[-2000:]
    assert report(tmp_path) == [
        (inside, "policy", "own", "update"),
        (inside, "policy", "stray", "delete"),
        (inside, "secret", "secret/app", "update"),
        (inside, "transit key", "transit/orders", "update"),
    ]
    page = (tmp_path / "reports" / "drift.html").read_text()
    assert inside in page and "transit/orders" in page
    everything = run.output + page + (tmp_path / "reports" / "drift.json").read_text()
    assert VALUE not in everything and BY_HAND not in everything
    # nothing was changed by looking; applying puts it right
    assert "stray" in client.sys.list_policies()["data"]["policies"]
    assert inventory.play("configure").succeeded().changed > 0
    assert set(client.sys.list_policies()["data"]["policies"]) == {"default", "kept", "own"}
    assert client.read("secret/data/app")["data"]["data"] == {"key": VALUE}
