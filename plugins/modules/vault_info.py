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
  - Reads and returns the state of each node and, with a token, what is mounted and configured, and the objects of any kind that
    M(secretops.vault_eso.vault_configuration) knows. Never a secret, and nothing is changed.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  gather_subset:
    description:
      - What to gather. V(health) needs no token and takes every address of O(url) as one node; the others need one.
      - V(readiness) is V(health) with a look whether each node could lead, which needs C(read) on C(sys/config/state/sanitized).
      - V(answers) asks every secrets engine and auth method of all namespaces whether it answers. V(all) leaves it out, as it takes
        a request for each. A server that lost an engine, as by an upgrade, still lists its mount. With one address in O(url) that very node
        is asked; a standby that forwards requests tells what the active node has.
    type: list
    elements: str
    choices: [all, health, readiness, mounts, auth, policies, raft, answers]
    default: [health]
  kinds:
    description:
      - Kinds of which all objects are listed, by the names that they have in O(secretops.vault_eso.vault_configuration#module:configuration), such as
        V(policies), V(auth_roles), V(pki_roles) or V(secrets). Needs a token.
      - V(all) stands for each that a server can list; what the product or the namespace does not have is left out.
      - Objects inside mounts are listed for all mounts of their type, of the namespace that the module works in.
      - V(pki_certificates) and V(approle_secret_ids) are files, and V(endpoints) any path; no server lists them.
      - A kind that the token may not list is an error.
    type: list
    elements: str
    default: []
  fields:
    description:
      - Whether the fields of the objects in O(kinds) are read, with one request for each, or their names only.
      - Of V(secrets) the names alone are ever read. What looks like a secret in the fields of others is masked.
    type: bool
    default: true
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

- name: See which mounts this very node does not serve
  secretops.vault_eso.vault_info:
    url: https://vault-1.example.com:8200
    gather_subset: [answers]
  register: node

- name: See what a declaration would have to hold
  secretops.vault_eso.vault_info:
    kinds: [policies, auth_roles, pki_roles, secrets]
  register: vault
"""

RETURN = r"""
nodes:
  description:
    - One entry per address. A node that does not answer has C(reachable=false), and the reason in C(error) and C(error_code).
    - C(migrating) is true for a node that was started with another seal than the cluster has, until the leader has migrated. OpenBao's standbys
      tell neither version nor seal then.
    - With V(readiness) also C(ready), whether it could lead; null where that cannot be seen, as with standbys that serve no reads.
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
mounted:
  description:
    - The secrets engines and auth methods of all namespaces, each with its C(category), V(secret) or V(auth).
    - C(answers) tells whether the node takes requests for it; it is null, without a C(path), for a namespace that is sealed. C(external) tells
      whether a plugin from outside of the server runs it, or one for its type is registered.
  returned: when V(answers) is gathered
  type: list
  elements: dict
  sample: [{namespace: team, path: auth/ldap, type: ldap, category: auth, version: v2.6.2+builtin.bao, external: false, answers: true}]
objects:
  description:
    - The objects of each kind of O(kinds), sorted. C(mount) for kinds inside mounts; C(type) for kinds of several types, and C(subject) for what is a group
      or a user of a method.
    - The C(fields) are as the server answers them.
  returned: when O(kinds) are given
  type: dict
  sample:
    policies: [{name: default, fields: {name: default, policy: "# the rules"}}]
    auth_roles: [{name: pipeline, mount: approle, type: approle, fields: {token_policies: [default]}}]
    secrets: [{name: applications/web-app, mount: secret}]
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import inventory
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server import info

SPEC = {
    "gather_subset": {
        "type": "list",
        "elements": "str",
        "choices": ["all", *info.SUBSETS, *info.COSTLY],
        "default": ["health"],
    },
    "kinds": {"type": "list", "elements": "str", "default": []},
    "fields": {"type": "bool", "default": True},
}


def main() -> None:
    module = VaultModule(SPEC)
    subset = module.params["gather_subset"]
    kinds = module.params["kinds"]
    with module.failing_clearly():
        inventory.check(kinds)
    module.login = info.needs_token(subset) or bool(kinds)
    with module.client() as client:
        found = info.gather(client, subset)
        if kinds:
            found["objects"] = inventory.Inventory(client).gather(kinds, module.params["fields"])
        module.ansible.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
