#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_kv_read
short_description: Read a secret of a KV engine into a registered, masked result
version_added: 0.1.0
description:
  - Reads one secret of a KV engine of version 1 or 2. Nothing is changed.
  - The registered variable holds the values; the output of the task shows none of them, as with C(no_log=true). An error is shown.
  - A later task that prints the variable shows the values, so give such a task C(no_log=true).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  mount:
    description: Path at which the KV engine is mounted.
    type: str
    default: secret
  path:
    description: Path of the secret inside O(mount), without C(data/).
    type: str
    required: true
  field:
    description: Key whose value is returned as RV(value).
    type: str
  version:
    description: Version of the secret, of KV version 2; by default the current one.
    type: int
  missing:
    description:
      - What to do when the secret, its O(version) or its O(field) does not exist. With V(empty) the result has RV(found=false).
      - A denied request, a server that is sealed or does not answer, and a mount that does not exist are errors in any case.
    type: str
    choices: [error, empty]
    default: error
attributes:
  action:
    description: Runs the module, and masks its result.
    support: full
  check_mode:
    description: Nothing is ever changed.
    support: full
  diff_mode:
    description: Nothing is ever changed.
    support: none
seealso:
  - plugin: secretops.vault_eso.vault_kv
    plugin_type: lookup
  - module: secretops.vault_eso.vault_kv
"""

EXAMPLES = r"""
- name: Read a password
  secretops.vault_eso.vault_kv_read:
    path: applications/web-app
    field: password
  register: password

- name: Use the password
  ansible.builtin.command:
    cmd: /usr/local/bin/connect
    stdin: "{{ password.value }}"
  no_log: true
  changed_when: true
"""

RETURN = r"""
found:
  description: Whether it exists.
  returned: success
  type: bool
  sample: true
secret:
  description: All keys and values, {} when nothing was found.
  returned: success
  type: dict
  sample: {user: web, password: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER}
value:
  description: The value of O(field), null when it was not found.
  returned: when O(field) is given
  type: raw
  sample: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER
metadata:
  description: What the engine knows of the version, {} with KV version 1.
  returned: success
  type: dict
  sample: {version: 3, created_time: "2026-01-31T10:00:00Z", destroyed: false}
kv_version:
  description: Version of the engine.
  returned: when something was found
  type: int
  sample: 2
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection import reading
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule

SPEC = {
    "mount": {"type": "str", "default": "secret"},
    "path": {"type": "str", "required": True},
    "field": {"type": "str"},
    "version": {"type": "int"},
    "missing": {"type": "str", "choices": ["error", "empty"], "default": "error"},
}


def main() -> None:
    module = VaultModule(SPEC)
    with module.client() as client:
        module.ansible.exit_json(changed=False, **reading.result(client, module.params))


if __name__ == "__main__":
    main()
