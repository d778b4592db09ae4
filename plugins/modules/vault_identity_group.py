#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_identity_group
short_description: Manage identity groups of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes internal and external groups, one or many in one task over one login.
  - Members are named by their names and auth methods by their path; ids and accessors are looked up once.
  - Groups that are members of others in the same task are created first. What is not declared stays as it is.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Name of the group. The server ignores case.
    type: str
  type: &type
    description:
      - An V(internal) group names its members, an V(external) one gets them from logins, such as an OIDC or LDAP group.
      - Cannot be changed later.
    type: str
    choices: [internal, external]
    default: internal
  policies: &policies
    description: Policies that every token of a member has. A policy that does not exist is a warning.
    type: list
    elements: str
  metadata: &metadata
    description: Metadata as keys and texts, all of them.
    type: dict
  member_entities: &member_entities
    description: Names of the entities in an internal group, all of them.
    type: list
    elements: str
  member_groups: &member_groups
    description: Names of the groups in an internal group, all of them.
    type: list
    elements: str
  alias: &alias
    description: "Alias of an external group: its name in the auth method of its members."
    type: dict
    suboptions:
      name:
        description: Name of the group there.
        type: str
        required: true
      mount:
        description: Path of the auth method.
        type: str
        required: true
  groups:
    description: Many groups. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      type: *type
      policies: *policies
      metadata: *metadata
      member_entities: *member_entities
      member_groups: *member_groups
      alias: *alias
      state:
        description: Whether this group is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the groups of the namespace that are not declared, except those in O(protected).
    type: bool
    default: false
  protected:
    description: Names that O(purge) never deletes.
    type: list
    elements: str
    default: []
seealso:
  - module: secretops.vault_eso.vault_identity_entity
"""

EXAMPLES = r"""
- name: Give a group of the identity provider a policy
  secretops.vault_eso.vault_identity_group:
    name: platform-admins
    type: external
    policies: [platform-admin]
    alias:
      name: /platform/admins
      mount: oidc

- name: Declare groups in a group
  secretops.vault_eso.vault_identity_group:
    groups:
      - name: engineering
        member_groups: [payments, search]
        policies: [engineering]
      - name: payments
        member_entities: [ada, grace]
      - name: search
        member_entities: []
    purge: true
    protected: [break-glass]
"""

RETURN = r"""
results:
  description: One entry per group.
  returned: always
  type: list
  elements: dict
  sample: [{kind: identity group, name: payments, action: update, changed: true, fields: [member_entities], info: {id: dff0f4a5-c729-18e2-dbfe-1fa1b8134f0d}}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
id:
  description: The group's id.
  returned: for a single group that exists
  type: str
  sample: dff0f4a5-c729-18e2-dbfe-1fa1b8134f0d
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.identity.group import IdentityGroups
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge


def main() -> None:
    converge(IdentityGroups())


if __name__ == "__main__":
    main()
