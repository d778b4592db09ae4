#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_init
short_description: Initialise a Vault or OpenBao cluster once
version_added: 0.1.0
description:
  - Initialises a cluster by one of its nodes, unless any of them is initialised already.
  - Key shares and root token are written to the file O(key_store), mode 0600, and nowhere else; they are never part of the result.
  - The place for the file is made and synced before the server is asked, so that an answer that comes once finds its place.
    A run that is cut off before the file has its name is completed by the next.
  - With PGP keys the file holds ciphertext only.
  - With a seal that opens by itself (transit, static, a cloud's key service) the shares are recovery shares;
    the server's own answer decides which options hold.
  - No login is needed. Login options, as C(module_defaults) of the action group may give them, are accepted and not used.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  key_store:
    description:
      - Path of the JSON file for key shares and root token. Its directory is created with mode 0700 when it is missing.
      - A file that exists is never overwritten.
    type: path
    required: true
  shares:
    description: Number of key shares, for the Shamir seal.
    type: int
    default: 5
  threshold:
    description: Number of shares that unseal.
    type: int
    default: 3
  pgp_keys:
    description:
      - One PGP public key a share; each share is encrypted for one key, in this order.
      - A key is the path of a file (binary, base64 or ASCII-armored), its content as base64 or ASCII armor, or C(keybase:NAME).
    type: list
    elements: str
    default: []
  root_token_pgp_key:
    description: PGP public key that the root token is encrypted for, in the same forms.
    type: str
  recovery_shares:
    description: Number of recovery shares, for seals that open by themselves.
    type: int
    default: 5
  recovery_threshold:
    description: Number of recovery shares that are needed together.
    type: int
    default: 3
  recovery_pgp_keys:
    description: One PGP public key a recovery share, in the forms of O(pgp_keys).
    type: list
    elements: str
    default: []
  plain_shares:
    description:
      - Whether the shares may be written to the key store as they are. With V(false) nothing is initialised without PGP keys for all shares
        of the seal at hand, O(pgp_keys) or O(recovery_pgp_keys); in check mode that is refused as well.
    type: bool
    default: true
    version_added: 0.1.0
  wait_timeout:
    description: Seconds to wait for the nodes to answer. All must, because one that is silent may hold the initialised cluster.
    type: int
    default: 60
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change.
    support: full
  diff_mode:
    description: Shows that the cluster would be initialised.
    support: full
seealso:
  - module: secretops.vault_eso.vault_unseal
  - module: secretops.vault_eso.vault_root_token
"""

EXAMPLES = r"""
- name: Initialise the cluster, with a share for each of five people
  secretops.vault_eso.vault_init:
    url:
      - https://vault-1.example.com:8200
      - https://vault-2.example.com:8200
      - https://vault-3.example.com:8200
    ca_cert: /etc/ssl/vault-ca.pem
    key_store: /srv/vault/unseal-keys.json
    shares: 5
    threshold: 3
    pgp_keys:
      - keys/ada.asc
      - keys/grace.asc
      - keys/edsger.asc
      - keys/barbara.asc
      - keys/tony.asc
    root_token_pgp_key: keys/ada.asc
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: cluster, name: "https://vault-1.example.com:8200", action: create, changed: true, fields: [initialized]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 1, update: 0, delete: 0, none: 0, failed: 0, not_reached: 0}
node:
  description: The node that did it, or that says that it is done.
  returned: success
  type: str
  sample: https://vault-1.example.com:8200
seal_type:
  description: Type of the seal.
  returned: success
  type: str
  sample: shamir
key_store:
  description: Absolute path of the key store.
  returned: success
  type: str
  sample: /srv/vault/unseal-keys.json
key_store_exists:
  description: Whether the key store is there.
  returned: success
  type: bool
  sample: true
encrypted:
  description: Whether the shares in it are PGP ciphertext.
  returned: success
  type: bool
  sample: false
root_token_held:
  description: Whether the key store holds a root token, V(plain), V(encrypted) or V(none).
  returned: success
  type: str
  sample: none
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.init import Initialisation

SPEC = {
    "key_store": {"type": "path", "required": True, "no_log": False},
    "shares": {"type": "int", "default": 5},
    "threshold": {"type": "int", "default": 3},
    "pgp_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "root_token_pgp_key": {"type": "str", "no_log": False},
    "recovery_shares": {"type": "int", "default": 5},
    "recovery_threshold": {"type": "int", "default": 3},
    "recovery_pgp_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "plain_shares": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 60},
}


def main() -> None:
    module = VaultModule(SPEC, login=False)
    with module.client() as client:
        module.reconcile([Initialisation(client, module.params)])


if __name__ == "__main__":
    main()
