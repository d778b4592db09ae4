# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that set data aside: a host that was left out, or is gone when its server is to be stopped."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from support.system import BIN, ROOT

SEEN = {"used": True, "opened": False, "index": 7, "term": 2, "peers": [], "problem": ""}


def run(folder: Path, playbook: str, cluster: dict[str, Any], servers: dict[str, Any], *arguments: str) -> str:
    """Run a playbook, and return what it says without its line breaks."""
    inventory = {"vault_clusters": {"hosts": {"vault": cluster}}, "vault_servers": {"hosts": servers}}
    (folder / "hosts.json").write_text(json.dumps(inventory))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "BAO_", "ANSIBLE_"))}
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), "-i", "hosts.json", playbook, *arguments],
        cwd=folder,
        env={**clean, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return " ".join((done.stdout + done.stderr).split())


def test_a_server_that_cannot_be_stopped_is_not_judged_by_the_first_look(tmp_path: Path) -> None:
    plays = yaml.safe_load((ROOT / "playbooks" / "recover_quorum.yml").read_text())
    (stop,) = (one for one in plays if one["name"].startswith("Stop the servers"))
    told = {
        "name": "Tell",
        "ansible.builtin.debug": {"msg": "of it: {{ hostvars.gone.vault_server_raft_data | to_json }}"},
    }
    tell = {"hosts": "vault_clusters", "connection": "local", "gather_facts": False, "tasks": [told]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([stop, tell], sort_keys=False))
    # nobody listens there
    gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "vault_cluster_name": "vault"}
    decided = {"vault_cluster_recovery": {"problems": []}, "recover_led": ""}
    output = run(tmp_path, "play.yml", decided, {"gone": {**gone, "vault_server_raft_data": SEEN}})
    assert "UNREACHABLE!" in output and "of it: {}" in output, output[-3000:]


def test_no_storage_is_reset_unseen(tmp_path: Path) -> None:
    cluster = {"vault_connection": {"url": ["https://127.0.0.1:1"]}, "vault_cluster_admin": False}
    servers = {name: {"vault_cluster_name": "vault", "ansible_connection": "local"} for name in ("one", "two")}
    book = str(ROOT / "playbooks" / "reset_unused.yml")
    output = run(tmp_path, book, cluster, servers, "-e", "reset_confirmed=vault", "--limit", "vault")
    assert "vault: the storage of one, two was not looked at: leave no host out" in output, output[-3000:]
