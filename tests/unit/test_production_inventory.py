# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example to copy: each Kubernetes cluster is led to the Vault of its region, and to no other."""

from __future__ import annotations

import json
import os
import subprocess

from support.system import BIN, ROOT

ASKED = {
    "store": "kubernetes_vault_url",
    "validated": "hostvars[vault_cluster].vault_connection.url",
    "login": "hostvars[vault_cluster].vault_session_login.role_id_file",
    "mounts": "kubernetes_auth_roles | map(attribute='mount') | unique | sort",
}


def test_each_kubernetes_cluster_is_led_to_the_vault_of_its_region() -> None:
    question = "{{ {" + ", ".join(f"'{key}': {value}" for key, value in ASKED.items()) + "} | to_json }}"
    done = subprocess.run(
        [str(BIN / "ansible"), "-i", "inventories/production", "kubernetes_clusters", "--one-line"]
        + ["-m", "ansible.builtin.debug", "-a", f"msg={question}"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = {}
    for line in done.stdout.splitlines():
        host, _mark, outcome = line.partition(" | SUCCESS => ")
        if outcome:
            said = json.loads(outcome)["msg"]
            answers[host] = json.loads(said) if isinstance(said, str) else said
    assert sorted(answers) == ["kubernetes-eu-1", "kubernetes-us-1"]
    for region in ("eu", "us"):
        answer = answers[f"kubernetes-{region}-1"]
        servers = [f"https://vault-{region}-{number}.example.com:8200" for number in (1, 2, 3)]
        assert answer["store"] == servers[0]
        assert answer["validated"] == servers
        assert answer["login"].endswith(f"/vault-{region}/admin-role-id")
        assert answer["mounts"] == [f"kubernetes-{region}-1", f"kubernetes-{region}-1-jwt"]


def test_what_the_example_leaves_to_be_set_is_named_at_once() -> None:
    def site(*options: str) -> str:
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), "-i", "inventories/production", "playbooks/site.yml", *options],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        # nothing else was begun
        assert "Install and configure the servers" not in done.stdout
        return " ".join((done.stdout + done.stderr).split())

    where = "(group_vars/all/secrets.yml, made of secrets.yml.example beside it)"
    assert f"Not set: platform_postgresql_password {where}. Nothing was changed." in site()
    said = site("-e", "platform_product_name=vault", "-e", "platform_product_version=1.20.0")
    for name in ("platform_postgresql_password", "platform_ldap_bind_password", "platform_aws_secret_key"):
        assert f"{name} {where}" in said
