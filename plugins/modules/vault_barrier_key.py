#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_barrier_key
short_description: Rotate the key that encrypts the storage of Vault or OpenBao
version_added: 0.1.0
description:
  - Adds a new encryption key to the barrier's keyring when the present one is older than O(max_age), and proves that the server uses it.
  - Nothing is unavailable during that. What was written before stays readable; key shares and tokens do not change.
  - Needs C(read) on C(sys/key-status), and C(update) and C(sudo) on C(sys/rotate).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  max_age:
    description:
      - A duration. A key that is younger stays, so that a repeated run does not rotate again.
      - V(0) rotates in any case.
    type: str
    default: 90d
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change.
    support: full
  diff_mode:
    description: Shows that the key is replaced, never a key.
    support: full
"""

EXAMPLES = r"""
- name: Have a barrier key that is at most a month old
  secretops.vault_eso.vault_barrier_key:
    max_age: 30d
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: barrier key of, name: "https://vault.example.com:8200", action: update, changed: true, fields: [old]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 0, failed: 0, not_reached: 0}
term:
  description: Number of the key.
  returned: success
  type: int
  sample: 3
installed:
  description: When it was made, as the server says.
  returned: success
  type: str
  sample: "2026-11-01T03:00:00.123456789Z"
encryptions:
  description: About how many values it has encrypted.
  returned: success
  type: int
  sample: 12345
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.barrier_key import BarrierKey

SPEC = {"max_age": {"type": "str", "default": "90d"}}


def main() -> None:
    module = VaultModule(SPEC, whole_cluster=True)
    with module.client() as client:
        module.reconcile([BarrierKey(client, module.params)])


if __name__ == "__main__":
    main()
