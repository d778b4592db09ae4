#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_login_mfa_enforcement
short_description: Manage which logins of Vault or OpenBao ask for a second factor
version_added: 0.1.0
description:
  - Creates, updates and deletes login enforcements - which logins ask for which methods of M(secretops.vault_eso.vault_login_mfa).
  - Methods, groups and entities are named by their names and auth methods by their path; ids and accessors are looked up once.
  - A login is asked when any one of the conditions fits; any one of the methods satisfies the enforcement, and each enforcement must be satisfied.
  - What is not declared stays as it is. An enforcement that covers the way by which the module itself is logged in gives a warning.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Name of the enforcement.
    type: str
  mfa_methods: &mfa_methods
    description: Names of the methods, all of them; also of those of a parent namespace. Needed for a new enforcement.
    type: list
    elements: str
  auth_methods: &auth_methods
    description: Paths of the auth methods whose logins need the second factor, all of them.
    type: list
    elements: str
  auth_method_types: &auth_method_types
    description: Types of auth methods whose logins need the second factor, all of them. One of each type must be mounted.
    type: list
    elements: str
  identity_groups: &identity_groups
    description: Names of the identity groups whose members need it, all of them; an ID for a group of a child namespace.
    type: list
    elements: str
  identity_entities: &identity_entities
    description: Names of the identity entities that need it, all of them; an ID for an entity of a child namespace.
    type: list
    elements: str
  enforcements:
    description: Many enforcements. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      mfa_methods: *mfa_methods
      auth_methods: *auth_methods
      auth_method_types: *auth_method_types
      identity_groups: *identity_groups
      identity_entities: *identity_entities
      state:
        description: Whether this enforcement is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the enforcements of the namespace that are not declared, except those in O(protected).
    type: bool
    default: false
  protected:
    description: Names that O(purge) never deletes.
    type: list
    elements: str
    default: []
seealso:
  - module: secretops.vault_eso.vault_login_mfa
"""

EXAMPLES = r"""
- name: Ask everyone who logs in by LDAP, and all operators, for a code
  secretops.vault_eso.vault_login_mfa_enforcement:
    name: staff
    mfa_methods: [staff]
    auth_methods: [ldap]
    identity_groups: [operators]

- name: Declare all enforcements
  secretops.vault_eso.vault_login_mfa_enforcement:
    enforcements:
      - name: staff
        mfa_methods: [staff, operators]
        auth_method_types: [oidc, userpass]
      - name: pilot
        state: absent
    purge: true
"""

RETURN = r"""
results:
  description: One entry per enforcement.
  returned: always
  type: list
  elements: dict
  sample: [{kind: login MFA enforcement, name: staff, action: update, changed: true, fields: [auth_methods]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
id:
  description: The enforcement's id.
  returned: for a single enforcement that exists
  type: str
  sample: ae45bd7e-3827-ff01-ec61-ffe06d2a6bb6
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.login_mfa.enforcement import (
    LoginMfaEnforcements,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge


def main() -> None:
    converge(LoginMfaEnforcements())


if __name__ == "__main__":
    main()
