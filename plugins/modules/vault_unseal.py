#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_unseal
short_description: Unseal the nodes of a Vault or OpenBao cluster that are sealed
version_added: 0.1.0
description:
  - Looks at each node of O(url) and gives just enough key shares to those that are sealed, all at the same time, and waits until they are unsealed.
  - Shares come from the key store that P(secretops.vault_eso.vault_init#module) wrote, so that they travel through no option,
    unless given by O(shares) or O(shares_file). The key store is not read unless a node needs shares.
  - Where no valid set is among the key shares of the key store, those are tried that a rekey has replaced, with a warning. They open a node whose
    data are older than the rekey, as after a restore.
  - With O(partial) several holders give one share each, in runs of their own.
  - A node that is still to join a cluster (C(retry_join)) is waited for; one with a seal that opens by itself is waited for only.
  - No login is needed. Login options, as C(module_defaults) of the action group may give them, are accepted and not used.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.vault.shares
options:
  migrate:
    description:
      - Whether a node that was started with another seal than the cluster has is given the shares with the order to migrate. Without it such a node is
        an error.
      - Key shares become recovery shares, or the other way round, as soon as a migrated node leads. The key store then tells which they are.
    type: bool
    default: false
  partial:
    description:
      - Whether fewer shares than needed may be given. The server counts them until there are enough; a restart of it forgets them.
      - A node that is still to join is waited for only when another one is unsealed.
    type: bool
    default: false
  wait_timeout:
    description: Seconds that a node may take until it is unsealed.
    type: int
    default: 120
  start_timeout:
    description: Seconds to wait for a node to answer at all.
    type: int
    default: 30
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change.
    support: full
  diff_mode:
    description: Shows which nodes are unsealed.
    support: full
"""

EXAMPLES = r"""
- name: Unseal what is sealed
  secretops.vault_eso.vault_unseal:
    url:
      - https://vault-1.example.com:8200
      - https://vault-2.example.com:8200
      - https://vault-3.example.com:8200
    ca_cert: /etc/ssl/vault-ca.pem
    key_store: /srv/vault/unseal-keys.json

- name: Give one share, as one of several holders
  secretops.vault_eso.vault_unseal:
    url: https://vault-1.example.com:8200
    shares_file: /run/user/1000/my-share
    partial: true
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: node, name: "https://vault-2.example.com:8200", action: update, changed: true, fields: [sealed]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 2, failed: 0, not_reached: 0}
unsealed:
  description: The nodes that this run unsealed, in check mode those that it would.
  returned: always
  type: list
  elements: str
  sample: ["https://vault-2.example.com:8200"]
pending:
  description: With O(partial), the nodes that need more shares, how many each was C(given), and its C(threshold), 0 for one that is still to join.
  returned: always
  type: list
  elements: dict
  sample: [{node: "https://vault-2.example.com:8200", given: 2, threshold: 3}]
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.key_store import (
    SHARES_EXCLUSIVE,
    SHARES_SPEC,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.unseal import unseal

SPEC = {
    **SHARES_SPEC,
    "migrate": {"type": "bool", "default": False},
    "partial": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
    "start_timeout": {"type": "int", "default": 30},
}


def main() -> None:
    module = VaultModule(SPEC, login=False, mutually_exclusive=SHARES_EXCLUSIVE)
    with module.client() as client:
        unseal(module, client)


if __name__ == "__main__":
    main()
