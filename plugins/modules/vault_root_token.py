#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_root_token
short_description: End the root token of a key store, lend it, or make one with key shares
version_added: 0.1.0
description:
  - With O(state=absent) the root token in a key store of P(secretops.vault_eso.vault_init#module) is revoked and removed from the file,
    but only after the login that the module's own options describe has been made and is proven to be able to administer without root.
  - A root token that the key store holds as PGP ciphertext is found and revoked by its accessor.
  - With O(state=lent) a short-lived child of the root token is written to a file of mode 0600, for the tasks that make that other way in.
  - With O(state=generated) a root token is made with key shares, or recovery shares, and written to the file O(dest), for when no other way in is
    left. A file that holds a valid one stays. A login is used when its options are given; without one OpenBao needs
    C(disable_unauthed_generate_root_endpoints=false) in the listener. End the token with O(state=absent) and the same O(dest).
  - An attempt of somebody else that is under way is never thrown away, unless O(cancel_nonce) names it.
  - The token is in no option and in no result. A run that was cut off between revocation and file is completed by the next.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.vault.shares
options:
  state:
    description:
      - Whether the root token is to be gone, or a child of it or a new one is wanted in O(dest).
      - Login options do not count for V(lent).
    type: str
    choices: [absent, lent, generated]
    default: absent
  key_store:
    description:
      - Path of the key store. Needed for V(lent), and for V(absent) without O(dest).
      - For V(generated) its key shares are taken unless others are given.
    type: path
  dest:
    description:
      - Path of the file for the lent token, in a directory that is nobody else's. End it with P(secretops.vault_eso.vault_login#module).
      - By default a new file below O(directory), whose path is returned. Needed for V(generated).
      - With V(absent) and without O(key_store), the token in this file is revoked and the file removed, in this order. That needs no login.
    type: path
  directory:
    description: Directory for sessions, as the option of P(secretops.vault_eso.vault_login#module).
    type: path
  ttl:
    description: Life of the lent token, a duration.
    type: str
    default: 15m
  cancel_nonce:
    description: Nonce of somebody else's attempt to make a root token that may be thrown away.
    type: str
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change.
    support: full
  diff_mode:
    description: Shows that a token would be revoked, never the token.
    support: full
"""

EXAMPLES = r"""
- name: Revoke the root token once administration works without it
  secretops.vault_eso.vault_root_token:
    state: absent
    key_store: /srv/vault/unseal-keys.json
    url: [https://vault.example.com:8200]
    auth_method: approle
    role_id_file: /srv/vault/admin-role-id
    secret_id_file: /srv/vault/admin-secret-id

- name: Make a root token when nobody can log in
  secretops.vault_eso.vault_root_token:
    state: generated
    key_store: /srv/vault/unseal-keys.json
    dest: /srv/vault/break-glass/root-token
    url: [https://vault.example.com:8200]
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: root token of, name: /srv/vault/unseal-keys.json, action: delete, changed: true, fields: []}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 0, delete: 1, none: 0, failed: 0, not_reached: 0}
dest:
  description: Path of the file of the lent or made token.
  returned: with O(state=lent) and O(state=generated)
  type: str
  sample: /dev/shm/secretops.vault_eso-0/session-k3v9/token
accessor:
  description: Accessor of the token that was made.
  returned: with O(state=generated), unless in check mode
  type: str
  sample: 4uTWlYgb2OpYsBLyVnpLVO8Q
revoked:
  description: How many root tokens were revoked; 0 when it had been revoked before and only the file was out of date.
  returned: when a root token was removed
  type: int
  sample: 1
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.key_store import (
    SHARES_EXCLUSIVE,
    SHARES_SPEC,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.root_token import (
    end_or_lend,
    needs_login,
)

SPEC = {
    "state": {"type": "str", "choices": ["absent", "lent", "generated"], "default": "absent"},
    **SHARES_SPEC,
    "dest": {"type": "path"},
    "directory": {"type": "path"},
    "ttl": {"type": "str", "default": "15m"},
    "cancel_nonce": {"type": "str"},
}
NEEDED = [
    ["state", "absent", ["key_store", "dest"], True],
    ["state", "lent", ["key_store"]],
    ["state", "generated", ["dest"]],
]


def main() -> None:
    module = VaultModule(SPEC, required_if=NEEDED, mutually_exclusive=SHARES_EXCLUSIVE, whole_cluster=True)
    module.login = needs_login(module.params)
    with module.client() as client:
        end_or_lend(module, client)


if __name__ == "__main__":
    main()
