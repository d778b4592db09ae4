# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the role vault_rolling after a node's restart, on a real server. Whole runs are in tests/day2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.openbao import VaultServer
from support.playbooks import inventory_of, play

PLAY = """
- hosts: vault
  connection: local
  gather_facts: false
  module_defaults:
    group/secretops.vault_eso.vault: "{{ vault_rolling_connection }}"
  tasks:
    - name: Bring the node back into service
      ansible.builtin.include_role:
        name: secretops.vault_eso.vault_rolling
        tasks_from: return
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"vault_rolling_voters": ["another"]}, "another is no voter"),
        ({"vault_rolling_failure_tolerance": 1}, "tolerates the failure of 0 voters"),
    ],
)
def test_a_node_that_fails_its_checks_is_in_hand_and_not_done(
    openbao: VaultServer, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    node = {"name": "vault-1", "id": "node1", "url": openbao.url}
    permit = {**node, "turn": 1, "restart": False, "seal": "shamir", "target": openbao.version.partition("+")[0]}
    values = {
        "vault_rolling_nodes": [node],
        "vault_rolling_connection": {"url": [openbao.url], "ca_cert": openbao.ca_cert, "token": openbao.token},
        "vault_rolling_failure_tolerance": 0,
        "vault_rolling_timeout": 2,
        "vault_cluster_unseal": False,
        # as the turn of the first of two begins
        "__vault_rolling_turn": 1,
        "__vault_rolling_order": ["vault-1", "vault-2"],
        "__vault_rolling_done": [],
        "__vault_rolling_current": "vault-1",
        "__vault_rolling_permit": permit,
        **change,
    }
    (tmp_path / "play.yml").write_text(PLAY)
    done = play(tmp_path / "play.yml", inventory_of(tmp_path, vault_clusters={"vault": values}))
    output = " ".join(done.output.split())
    assert done.rc and says in output, output[-3000:]
    assert "In hand: vault-1; done: none; not touched: vault-2." in output
