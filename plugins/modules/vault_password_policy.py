#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_password_policy
short_description: Manage password policies of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes the policies by which engines make passwords, one or many in one task over one login.
  - A policy is given as O(length) and O(rules), or as HCL text in O(policy). Spacing, comments and the order of rules and characters are no difference.
  - A policy that could never make a password is refused, which the server does not do.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Name of the policy.
    type: str
  length: &length
    description: How many characters a password has, 4 to 100.
    type: int
  rules: &rules
    description: What a password is made of. Its characters come from all charsets together.
    type: list
    elements: dict
    suboptions:
      charset:
        description: The characters.
        type: str
        required: true
      min_chars:
        description: How many of them a password has at least.
        type: int
        default: 0
  policy: &policy
    description: The policy as HCL or JSON text, or as data. Excludes O(length) and O(rules).
    type: raw
  policies:
    description: Many policies. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      length: *length
      rules: *rules
      policy: *policy
      state:
        description: Whether this policy is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the password policies of the namespace that are not declared, except those in O(protected).
    type: bool
    default: false
  protected:
    description: Names that O(purge) never deletes.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Declare how database passwords are made
  secretops.vault_eso.vault_password_policy:
    name: database
    length: 32
    rules:
      - charset: abcdefghijklmnopqrstuvwxyz
        min_chars: 1
      - charset: ABCDEFGHIJKLMNOPQRSTUVWXYZ
        min_chars: 1
      - charset: "0123456789"
        min_chars: 1
      - charset: "-_."
"""

RETURN = r"""
results:
  description: One entry per policy.
  returned: always
  type: list
  elements: dict
  sample: [{kind: password policy, name: database, action: update, changed: true, fields: [policy]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system.password_policy import PasswordPolicies


def main() -> None:
    converge(PasswordPolicies())


if __name__ == "__main__":
    main()
