# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of docs/migration.md, run twice against a real server."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import yaml

from support.openbao import VaultServer
from support.system import BIN, ROOT, Play

PAGE = ROOT / "docs" / "migration.md"


def test_examples_run_and_change_nothing_twice(openbao: VaultServer, run_module, vault_args, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    client = openbao.client()
    if "secret/" not in client.sys.list_mounted_secrets_engines()["data"]:
        options = {**vault_args, "path": "secret", "type": "kv", "options": {"version": "2"}}
        run_module("vault_secrets_engine", options, must_succeed=True)
    if "approle/" not in client.sys.list_auth_methods()["data"]:
        client.sys.enable_auth_method("approle")
    run_module(
        "vault_kv",
        {**vault_args, "mount": "secret", "path": "applications/web-app", "data": {"user": "web"}},
        must_succeed=True,
    )
    tasks = [
        task
        for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
        for task in yaml.safe_load(block)
    ]
    assert len(tasks) > 10
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": tasks,
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "BAO_", "ANSIBLE_"))
    }
    environment.update(
        VAULT_ADDR=openbao.url,
        VAULT_CACERT=openbao.ca_cert,
        VAULT_TOKEN=openbao.token,
        ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
        ANSIBLE_NOCOLOR="1",
    )
    for _again in (False, True):
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), str(tmp_path / "play.yml")],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        outcome = Play(done.returncode, done.stdout + done.stderr)
        assert outcome.rc == 0, outcome.output
    # a token is made and ended at each run
    assert sorted(outcome.changed_tasks()) == sorted(
        ["community.hashi_vault.vault_token_create", "A token that is no longer needed"]
    ), outcome.output
