# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks/replace_ca.yml refuses before it looks at a server. Whole replacements are in tests/day2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.playbooks import play


@pytest.mark.parametrize(
    ("more", "options"),
    [
        pytest.param({}, ("--limit", "vault-1"), id="by the limit"),
        # the check of the inventory takes that host out, and no other
        pytest.param({"vault_server_no_such_variable": 1}, (), id="by the check before"),
    ],
)
def test_a_run_without_a_server_of_the_cluster_is_refused(
    tmp_path: Path, more: dict[str, int], options: tuple[str, ...]
) -> None:
    one = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "ansible_become": False,
        "vault_cluster_name": "vault",
        "vault_server_tls_ca_dir": str(tmp_path / "ca"),
    }
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"vault_servers": {"hosts": {"vault-1": one, "vault-2": {**one, **more}}}}))
    confirmed = ("-e", "replace_ca_step=trust", "-e", "replace_ca_confirmed=vault")
    done = play("replace_ca", inventory, *confirmed, *options)
    said = " ".join(done.output.split())
    assert done.rc and "this run leaves out vault-2 of the same cluster" in said, done.output[-3000:]
    assert done.changed == 0 and not (tmp_path / "ca").exists()
