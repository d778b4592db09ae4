#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_database_action
short_description: Reset a connection or rotate a password of the database engine now
version_added: 0.1.0
description:
  - Closes the connections to a database and opens new ones, or gives the user of a static role a new password at once.
  - Each run does it again. To have something done once, or by a schedule, declare it with P(secretops.vault_eso.vault_database_connection#module) and
    P(secretops.vault_eso.vault_database_role#module).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  action:
    description: What to do. V(rotate_static_role) works for a role of the kind static only.
    type: str
    choices: [reset_connection, rotate_static_role]
    required: true
  mount:
    description: Path at which the database engine is mounted.
    type: str
    default: database
  name:
    description: Name of the connection or of the static role.
    type: str
    required: true
attributes:
  check_mode:
    description: Makes sure that the connection or role exists, and does nothing in check mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
seealso:
  - module: secretops.vault_eso.vault_database_credentials
"""

EXAMPLES = r"""
- name: Forget the connections to a database that was moved
  secretops.vault_eso.vault_database_action:
    action: reset_connection
    name: orders

- name: Give the reporting user a new password
  secretops.vault_eso.vault_database_action:
    action: rotate_static_role
    name: reporting
"""

RETURN = r"""
last_vault_rotation:
  description: When the password was rotated.
  returned: with O(action=rotate_static_role)
  type: str
  sample: "2026-01-31T10:00:00Z"
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.database.action import act

SPEC = {
    "action": {"type": "str", "choices": ["reset_connection", "rotate_static_role"], "required": True},
    "mount": {"type": "str", "default": "database"},
    "name": {"type": "str", "required": True},
}


def main() -> None:
    module = VaultModule(SPEC)
    with module.client() as client:
        module.ansible.exit_json(**act(client, module.params, module.check_mode))


if __name__ == "__main__":
    main()
