#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_database_credentials
short_description: Get credentials of a database from Vault or OpenBao
version_added: 0.1.0
description:
  - With O(role) the engine makes a new user of the database, whose lease belongs to the token that asked for it and ends with it at the latest.
    Give the task a token of a session (P(secretops.vault_eso.vault_login#module)); a login of the task itself ends with the task.
  - With O(static_role) it tells the present password of a user whose password it rotates.
  - The registered variable holds the values; the output of the task shows none of them, as with C(no_log=true). An error is shown.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  mount:
    description: Path at which the database engine is mounted.
    type: str
    default: database
  role:
    description: Dynamic role to make a user by.
    type: str
  static_role:
    description: Static role whose password to tell.
    type: str
attributes:
  action:
    description: Runs the module, and masks its result.
    support: full
  check_mode:
    description: Makes no user in check mode.
    details:
      - With O(role) nothing is returned in check mode, but that the role exists is made sure of.
      - With O(static_role) nothing is ever changed.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
seealso:
  - plugin: secretops.vault_eso.vault_read
    plugin_type: lookup
  - module: secretops.vault_eso.vault_database_action
"""

EXAMPLES = r"""
- name: Get a user for the migration
  secretops.vault_eso.vault_database_credentials:
    role: migrations
  register: database

- name: See the present password of the reporting user
  secretops.vault_eso.vault_database_credentials:
    static_role: reporting
  register: reporting
"""

RETURN = r"""
username:
  description: User of the database.
  returned: success, but not in check mode with O(role)
  type: str
  sample: v-approle-migrations-8zqB
password:
  description: The user's password, or another credential under its own name, such as C(rsa_private_key).
  returned: success, but not in check mode with O(role)
  type: str
  sample: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER
lease_id:
  description: The lease, which can be renewed and revoked.
  returned: with O(role)
  type: str
  sample: database/creds/migrations/2f6a614c-4aa2-7b19-24b9-ad944a8d4de6
lease_duration:
  description: Seconds for which the user lives when the lease is not renewed.
  returned: with O(role)
  type: int
  sample: 3600
ttl:
  description: Seconds until the password is rotated.
  returned: with O(static_role)
  type: int
  sample: 86000
last_vault_rotation:
  description: When the password was rotated last.
  returned: with O(static_role)
  type: str
  sample: "2026-01-31T10:00:00Z"
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.database.action import credentials

SPEC = {
    "mount": {"type": "str", "default": "database"},
    "role": {"type": "str"},
    "static_role": {"type": "str"},
}


def main() -> None:
    module = VaultModule(SPEC, mutually_exclusive=[["role", "static_role"]], required_one_of=[["role", "static_role"]])
    with module.client() as client:
        module.ansible.exit_json(**credentials(client, module.params, module.check_mode))


if __name__ == "__main__":
    main()
