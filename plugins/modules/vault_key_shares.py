#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_key_shares
short_description: Prove that key shares are valid while the cluster runs
version_added: 0.1.0
description:
  - For before a node is stopped that needs them again, and for a yearly proof that the holders still have valid shares.
  - The shares are given to a rekey that demands verification, and that is cancelled as soon as the server has accepted them. Nothing changes,
    no node is sealed, and the shares stay valid.
  - With a seal that opens by itself the recovery shares are proven.
  - A rekey of somebody else that is under way is left alone. Then, and where the login may not rekey, the shares are only counted and compared
    with each other, with a warning.
  - Needs C(create), C(read), C(update), C(delete) and C(sudo) on C(sys/rotate/root/*), with recovery shares C(sys/rotate/recovery/*).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.vault.shares
options:
  adopt_former:
    description:
      - For after a restore of a snapshot from before a rekey. Where the present shares of O(key_store) are not valid and those of before a rekey are,
        these become its present ones, and the others are kept among the former ones.
    type: bool
    default: false
attributes:
  check_mode:
    description: Counts the shares and compares them with each other, and gives none to the server.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
seealso:
  - module: secretops.vault_eso.vault_unseal
"""

EXAMPLES = r"""
- name: Prove that the key store would open the cluster
  secretops.vault_eso.vault_key_shares:
    url: [https://vault.example.com:8200]
    ca_cert: /etc/ssl/vault-ca.pem
    key_store: /srv/vault/unseal-keys.json
    auth_method: approle
    role_id_file: /srv/vault/admin-role-id
    secret_id_file: /srv/vault/admin-secret-id

- name: Take the former shares again, after a restore of a snapshot of their time
  secretops.vault_eso.vault_key_shares:
    url: [https://vault.example.com:8200]
    ca_cert: /etc/ssl/vault-ca.pem
    key_store: /srv/vault/unseal-keys.json
    adopt_former: true
    auth_method: approle
    role_id_file: /srv/vault/admin-role-id
    secret_id_file: /srv/vault/admin-secret-id
"""

RETURN = r"""
proven:
  description: Whether the server took as many of the shares as its threshold says; never so in check mode.
  returned: success
  type: bool
  sample: true
given:
  description: How many different shares were given.
  returned: success
  type: int
  sample: 5
threshold:
  description: How many are needed.
  returned: success
  type: int
  sample: 3
adopted:
  description: With O(adopt_former), the generation of the former shares that became the key store's present ones.
  returned: success
  type: int
  sample: null
wrong:
  description: Numbers, from 1, of given shares that do not belong to the valid ones.
  returned: success
  type: list
  elements: int
  sample: []
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.key_shares import prove_shares
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.key_store import (
    SHARES_EXCLUSIVE,
    SHARES_SPEC,
)

SPEC = {**SHARES_SPEC, "adopt_former": {"type": "bool", "default": False}}


def main() -> None:
    module = VaultModule(SPEC, mutually_exclusive=SHARES_EXCLUSIVE, whole_cluster=True)
    with module.client() as client:
        prove_shares(module, client)


if __name__ == "__main__":
    main()
