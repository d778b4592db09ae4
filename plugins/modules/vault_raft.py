#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_raft
short_description: Manage peers and autopilot of integrated storage, and wait for voters
version_added: 0.1.0
description:
  - Sets autopilot's configuration, waits until the expected voters are there, or removes peers that are gone for good.
  - Peers that do not answer are reported in RV(dead_peers).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  state:
    description: Whether the peers in O(peers) are to be voters, which is waited for, or to be removed.
    type: str
    choices: [present, absent]
    default: present
  peers:
    description: Node IDs.
    type: list
    elements: str
  voters:
    description: How many voters that answer are waited for. Joining nodes become voters after autopilot's stabilisation time, 10 seconds by default.
    type: int
  wait_timeout:
    description: Seconds to wait for the voters.
    type: int
    default: 120
  force:
    description: Also remove a peer that is alive.
    type: bool
    default: false
  autopilot:
    description: Autopilot's configuration. What is not named stays as it is.
    type: dict
    suboptions:
      cleanup_dead_servers:
        description: Whether dead servers are removed as peers; needs O(autopilot.min_quorum).
        type: bool
      dead_server_last_contact_threshold:
        description: How long a server must be silent to be dead, a duration.
        type: str
      last_contact_threshold:
        description: How long a healthy server may be without contact to the leader, a duration.
        type: str
      max_trailing_logs:
        description: How many log entries a healthy server may lag behind.
        type: int
      min_quorum:
        description: Number of servers that remain at the least.
        type: int
      server_stabilization_time:
        description: How long a new server must be healthy before it becomes a voter, a duration.
        type: str
      disable_upgrade_migration:
        description: Switches automated upgrades off, in Vault Enterprise.
        type: bool
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change. Voters are waited for as well.
    support: full
  diff_mode:
    description: Shows what becomes of the configuration.
    support: full
"""

EXAMPLES = r"""
- name: Wait for three voters and let autopilot clean up
  secretops.vault_eso.vault_raft:
    voters: 3
    autopilot:
      cleanup_dead_servers: true
      min_quorum: 3
      dead_server_last_contact_threshold: 24h

- name: Remove a node that is gone for good
  secretops.vault_eso.vault_raft:
    state: absent
    peers: [vault-2]
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: autopilot, name: raft, action: update, changed: true, fields: [min_quorum]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 1, failed: 0, not_reached: 0}
peers:
  description: The peers, each with id, address, leader, voter, healthy, status, last_contact and version.
  returned: when O(state=present)
  type: list
  elements: dict
  sample: [{id: vault-1, address: "vault-1.example.com:8201", leader: true, voter: true, healthy: true, status: alive, last_contact: 0s, version: 2.7.2}]
voters:
  description: Node IDs of the voters.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [vault-1, vault-2, vault-3]
leader:
  description: Node ID of the leader.
  returned: when O(state=present)
  type: str
  sample: vault-1
dead_peers:
  description: Node IDs of the peers that do not answer.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
healthy:
  description: Whether autopilot finds all servers healthy.
  returned: when O(state=present)
  type: bool
  sample: true
failure_tolerance:
  description: How many voters can fail without an outage.
  returned: when O(state=present)
  type: int
  sample: 1
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server import raft

AUTOPILOT = {
    "cleanup_dead_servers": {"type": "bool"},
    "dead_server_last_contact_threshold": {"type": "str"},
    "last_contact_threshold": {"type": "str"},
    "max_trailing_logs": {"type": "int"},
    "min_quorum": {"type": "int"},
    "server_stabilization_time": {"type": "str"},
    "disable_upgrade_migration": {"type": "bool"},
}
SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "peers": {"type": "list", "elements": "str"},
    "voters": {"type": "int"},
    "wait_timeout": {"type": "int", "default": 120},
    "force": {"type": "bool", "default": False},
    "autopilot": {"type": "dict", "options": AUTOPILOT},
}


def main() -> None:
    module = VaultModule(SPEC, whole_cluster=True)
    with module.client() as client:
        report = raft.reconcile(client, module.params, module.check_mode)
        module.finish(report, **raft.state(report))


if __name__ == "__main__":
    main()
