#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_rekey
short_description: Replace the key shares of a running cluster
version_added: 0.1.0
description:
  - Makes new key shares, or recovery shares with a seal that opens by itself, for the same or other holders, and another number and threshold.
  - The server makes the new shares valid only when they were given back to it once. Until then the former ones stay valid, and the key store
    holds both, so that a run can be cut off anywhere and the next one completes it.
  - With PGP keys this takes two runs. The first ends with RV(awaiting=verification) and the new shares as ciphertext in the key store; in the
    second their holders give them decrypted, by O(new_shares_file). Between the two the same node must lead, or the first is done again.
  - Former shares stay in the key store below C(former), because snapshots open with the shares of their time.
  - Needs C(create), C(read), C(update), C(delete) and C(sudo) on C(sys/rotate/root/*), with recovery shares C(sys/rotate/recovery/*).
  - A rekey of somebody else that is under way is never thrown away, unless O(cancel_nonce) names it.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.vault.shares
options:
  key_store:
    description: Path of the key store. Its key shares are taken unless others are given. It is made when the cluster was initialised elsewhere.
    type: path
    required: true
  generation:
    description:
      - The generation of key shares that the key store is to hold; an initialisation makes the first. Nothing is done when it holds that one or a
        later one, so that a repeated run does not rekey again.
    type: int
    required: true
  count:
    description: Number of new key shares.
    type: int
    default: 5
  threshold:
    description: Number of them that are needed together.
    type: int
    default: 3
  pgp_keys:
    description: One PGP public key a share, in the forms of P(secretops.vault_eso.vault_init#module).
    type: list
    elements: str
    default: []
  plain_shares:
    description: Whether the new shares may be written to the key store as they are.
    type: bool
    default: false
  new_shares_file:
    description: Path of a file with new shares that their holders have decrypted, one a line, for the second run.
    type: path
  cancel_nonce:
    description: Nonce of somebody else's rekey that may be thrown away.
    type: str
attributes:
  check_mode:
    description: Counts the shares, looks for attempts of others, and reports what would change.
    support: full
  diff_mode:
    description: Shows the generation, never a share.
    support: full
seealso:
  - module: secretops.vault_eso.vault_init
  - module: secretops.vault_eso.vault_key_shares
"""

EXAMPLES = r"""
- name: Give each of five people a new share
  secretops.vault_eso.vault_rekey:
    url: [https://vault.example.com:8200]
    ca_cert: /etc/ssl/vault-ca.pem
    key_store: /srv/vault/unseal-keys.json
    generation: 2
    pgp_keys:
      - keys/ada.asc
      - keys/grace.asc
      - keys/edsger.asc
      - keys/barbara.asc
      - keys/tony.asc
    auth_method: approle
    role_id_file: /srv/vault/admin-role-id
    secret_id_file: /srv/vault/admin-secret-id
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: key shares of, name: /srv/vault/unseal-keys.json, action: update, changed: true, fields: [generation]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 0, failed: 0, not_reached: 0}
awaiting:
  description: V(verification) when the new shares become valid only by a second run, otherwise empty.
  returned: success
  type: str
  sample: ""
key_store:
  description: Absolute path of the key store.
  returned: success
  type: str
  sample: /srv/vault/unseal-keys.json
recovery:
  description: Whether these are recovery shares.
  returned: success
  type: bool
  sample: false
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.key_store import (
    SHARES_EXCLUSIVE,
    SHARES_SPEC,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.rekey import Rekey

SPEC = {
    **SHARES_SPEC,
    "key_store": {"type": "path", "required": True, "no_log": False},
    "generation": {"type": "int", "required": True},
    "count": {"type": "int", "default": 5},
    "threshold": {"type": "int", "default": 3},
    "pgp_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "plain_shares": {"type": "bool", "default": False},
    "new_shares_file": {"type": "path", "no_log": False},
    "cancel_nonce": {"type": "str"},
}


def main() -> None:
    module = VaultModule(SPEC, mutually_exclusive=SHARES_EXCLUSIVE, whole_cluster=True)
    with module.client() as client:
        module.reconcile([Rekey(client, module.params)])


if __name__ == "__main__":
    main()
