#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_namespace
short_description: Manage namespaces of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes namespaces, also nested ones, one or many in one task over one login.
  - Namespaces need OpenBao 2.3 or later, or HashiCorp Vault Enterprise; elsewhere the module says so.
  - All other modules of the collection work inside a namespace by their option O(namespace).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Path of the namespace, below O(namespace) where that is given. A namespace that holds others is declared as well, in any order.
    type: str
  custom_metadata: &custom_metadata
    description: Metadata as keys and texts, all of them. Without it what is there stays.
    type: dict
  delete_data: &delete_data
    description: Permit to delete a namespace in which secrets engines or auth methods are mounted, with all that is in them.
    type: bool
    default: false
  namespaces:
    description: Many namespaces. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      custom_metadata: *custom_metadata
      delete_data: *delete_data
      state:
        description: Whether this namespace is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description:
      - Delete the namespaces below O(namespace), at any depth, that are not declared and hold no declared one.
      - As a namespace holds data, each must be named again in O(purge_data); one that is in none of the lists makes the task fail before anything changes.
    type: bool
    default: false
  purge_data:
    description: Paths of the namespaces that O(purge) may delete with all that is in them.
    type: list
    elements: str
    default: []
  protected:
    description: Paths of namespaces that O(purge) leaves alone.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Make a namespace for each team, and one in it for each stage
  secretops.vault_eso.vault_namespace:
    namespaces:
      - name: payments
        custom_metadata:
          owner: payments@example.com
      - name: payments/production
      - name: payments/staging

- name: Mount an engine in one of them
  secretops.vault_eso.vault_secrets_engine:
    namespace: payments/staging
    path: secret
    type: kv-v2

- name: Delete a namespace with all secrets in it
  secretops.vault_eso.vault_namespace:
    name: payments/staging
    state: absent
    delete_data: true
"""

RETURN = r"""
results:
  description: One entry per namespace.
  returned: always
  type: list
  elements: dict
  sample: [{kind: namespace, name: payments/staging, action: create, changed: true, fields: [custom_metadata], info: {id: tpDLP7}}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system.namespace import Namespaces


def main() -> None:
    converge(Namespaces())


if __name__ == "__main__":
    main()
