#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_root_token
short_description: End the root token of a key store, or lend it for the first configuration
version_added: 0.1.0
description:
  - With O(state=absent) the root token in a key store of P(secretops.vault_eso.vault_init#module) is revoked and removed from the file,
    but only after the login that the module's own options describe has been made and is proven to be able to administer without root.
  - A root token that the key store holds as PGP ciphertext is found and revoked by its accessor.
  - With O(state=lent) a short-lived child of the root token is written to a file of mode 0600, for the tasks that make that other way in.
  - The token is in no option and in no result. A run that was cut off between revocation and file is completed by the next.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  state:
    description: Whether the root token is to be gone, or a child of it is wanted in O(dest). Login options count for V(absent) alone.
    type: str
    choices: [absent, lent]
    default: absent
  key_store:
    description: Path of the key store.
    type: path
    required: true
  dest:
    description:
      - Path of the file for the lent token, in a directory that is nobody else's. End it with P(secretops.vault_eso.vault_login#module).
      - By default a new file below O(directory), whose path is returned.
    type: path
  directory:
    description: Directory for sessions, as the option of P(secretops.vault_eso.vault_login#module).
    type: path
  ttl:
    description: Life of the lent token, a duration.
    type: str
    default: 15m
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
  description: Path of the file of the lent token.
  returned: with O(state=lent)
  type: str
  sample: /dev/shm/secretops.vault_eso-0/session-k3v9/token
revoked:
  description: How many root tokens were revoked; 0 when it had been revoked before and only the file was out of date.
  returned: when a root token was removed
  type: int
  sample: 1
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.root_token import end_or_lend

SPEC = {
    "state": {"type": "str", "choices": ["absent", "lent"], "default": "absent"},
    "key_store": {"type": "path", "required": True, "no_log": False},
    "dest": {"type": "path"},
    "directory": {"type": "path"},
    "ttl": {"type": "str", "default": "15m"},
}


def main() -> None:
    module = VaultModule(SPEC)
    module.login = module.params["state"] == "absent"
    with module.client() as client:
        end_or_lend(module, client)


if __name__ == "__main__":
    main()
