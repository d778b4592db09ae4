#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_info
short_description: Gather facts about a Vault or OpenBao cluster
version_added: 0.1.0
description:
  - Reads and returns the state of each node and, with a token, what is mounted and configured. Never a secret, and nothing is changed.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  gather_subset:
    description:
      - What to gather. V(health) needs no token and takes every address of O(url) as one node; the others need one.
    type: list
    elements: str
    choices: [all, health, mounts, auth, policies, raft]
    default: [health]
attributes:
  check_mode:
    description: Nothing is ever changed.
    support: full
  diff_mode:
    description: Nothing is ever changed.
    support: none
"""

EXAMPLES = r"""
- name: See the nodes
  secretops.vault_eso.vault_info:
    url: [https://vault-1.example.com:8200, https://vault-2.example.com:8200]
  register: vault

- name: See all
  secretops.vault_eso.vault_info:
    gather_subset: [all]
"""

RETURN = r"""
nodes:
  description: One entry per address. A node that does not answer has C(reachable=false) and the reason.
  returned: when V(health) is gathered
  type: list
  elements: dict
  sample: [{url: "https://vault-1.example.com:8200", reachable: true, initialized: true, sealed: false, standby: false, active: true, version: 2.7.2}]
initialized:
  description: Whether a node says that it is initialised.
  returned: when V(health) is gathered
  type: bool
  sample: true
sealed_nodes:
  description: Addresses of sealed nodes.
  returned: when V(health) is gathered
  type: list
  elements: str
  sample: []
unreachable_nodes:
  description: Addresses that do not answer.
  returned: when V(health) is gathered
  type: list
  elements: str
  sample: []
active_node:
  description: Address of the active node.
  returned: when V(health) is gathered
  type: str
  sample: https://vault-1.example.com:8200
cluster_name:
  description: Name of the cluster.
  returned: when V(health) is gathered
  type: str
  sample: vault
cluster_id:
  description: ID of the cluster.
  returned: when V(health) is gathered
  type: str
  sample: ee802776-f249-dc85-1d56-6447050fed93
product:
  description: V(openbao) or V(vault).
  returned: when V(health) is gathered
  type: str
  sample: openbao
versions:
  description: The versions that run, more than one during an upgrade.
  returned: when V(health) is gathered
  type: list
  elements: str
  sample: [2.7.2]
mounts:
  description: Secrets engines by path.
  returned: when V(mounts) is gathered
  type: dict
  sample: {secret/: {type: kv, description: "", options: {version: "2"}}}
auth_methods:
  description: Auth methods by path.
  returned: when V(auth) is gathered
  type: dict
  sample: {approle/: {type: approle, description: ""}}
policies:
  description: Names of the ACL policies.
  returned: when V(policies) is gathered
  type: list
  elements: str
  sample: [default, root]
raft_peers:
  description: The peers of integrated storage.
  returned: when V(raft) is gathered
  type: list
  elements: dict
  sample: [{id: vault-1, address: "vault-1.example.com:8201", leader: true, voter: true, healthy: true}]
raft_dead_peers:
  description: Node IDs of peers that do not answer.
  returned: when V(raft) is gathered
  type: list
  elements: str
  sample: []
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils.vault import info
from ansible_collections.secretops.vault_eso.plugins.module_utils.vault.module import VaultModule

SPEC = {
    "gather_subset": {
        "type": "list",
        "elements": "str",
        "choices": ["all", *info.SUBSETS],
        "default": ["health"],
    },
}


def main() -> None:
    module = VaultModule(SPEC)
    subset = module.params["gather_subset"]
    module.login = info.needs_token(subset)
    with module.client() as client:
        module.ansible.exit_json(changed=False, **info.gather(client, subset))


if __name__ == "__main__":
    main()
