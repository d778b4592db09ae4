#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_identity_entity
short_description: Manage identity entities of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes entities with their aliases, one or many in one task over one login.
  - Auth methods are named by their path; the accessors are looked up once.
  - What is declared is compared exactly, what is not declared stays as it is.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Name of the entity. The server ignores case.
    type: str
  policies: &policies
    description: Policies that every token of the entity has. A policy that does not exist is a warning.
    type: list
    elements: str
  metadata: &metadata
    description: Metadata as keys and texts, all of them.
    type: dict
  disabled: &disabled
    description: Whether tokens of the entity are refused.
    type: bool
  aliases: &aliases
    description:
      - The entity's aliases, all of them. An alias that is not declared is removed.
      - An alias of another entity, such as one that a login created, moves here, with a warning.
    type: list
    elements: dict
    suboptions:
      name:
        description: How the auth method calls the client, such as the UID of a service account, a role ID or a user name.
        type: str
        required: true
      mount:
        description: Path of the auth method. An entity has one alias in each.
        type: str
        required: true
      custom_metadata:
        description: Metadata of the alias as keys and texts, all of them.
        type: dict
  entities:
    description: Many entities. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      policies: *policies
      metadata: *metadata
      disabled: *disabled
      aliases: *aliases
      state:
        description: Whether this entity is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description:
      - Delete the entities of the namespace that are not declared, except those in O(protected) and the one of the module's own token.
      - Entities that a login made and nobody has named (C(entity_1a2b3c4d)) stay, unless O(purge_automatic).
    type: bool
    default: false
  purge_automatic:
    description: Whether O(purge) deletes entities that a login made, too. The tokens of an entity end with it.
    type: bool
    default: false
  protected:
    description: Names that O(purge) never deletes.
    type: list
    elements: str
    default: []
seealso:
  - module: secretops.vault_eso.vault_identity_group
  - module: secretops.vault_eso.vault_auth
"""

EXAMPLES = r"""
- name: Give one service account the same identity in two clusters
  secretops.vault_eso.vault_identity_entity:
    name: external-secrets
    policies: [external-secrets]
    metadata:
      team: platform
    aliases:
      - name: 3a6f2f0c-8f53-4c3f-9d4e-6d5c1f0c7a11
        mount: kubernetes/production
      - name: 9c1b7f6e-51b5-4b0e-8a27-0f6d0b6f2d6e
        mount: kubernetes/staging
        custom_metadata:
          cluster: staging

- name: Declare the people, and refuse one of them
  secretops.vault_eso.vault_identity_entity:
    entities:
      - name: ada
        aliases:
          - name: ada@example.com
            mount: oidc
      - name: grace
        disabled: true
"""

RETURN = r"""
results:
  description: One entry per entity.
  returned: always
  type: list
  elements: dict
  sample: [{kind: identity entity, name: external-secrets, action: update, changed: true, fields: [aliases], info: {id: 53c0146f-1bcf-7286-11f9-1af9758ae382}}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
id:
  description: The entity's id.
  returned: for a single entity that exists
  type: str
  sample: 53c0146f-1bcf-7286-11f9-1af9758ae382
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.identity.entity import IdentityEntities
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge


def main() -> None:
    converge(IdentityEntities())


if __name__ == "__main__":
    main()
