#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_transit_key
short_description: Manage keys of transit engines of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates keys by which the server encrypts and signs, and sets what may be done with them, one or many in one task over one login.
  - The server takes another type for a key that exists without a word, and keeps the first. The module says so instead, before anything changes.
  - Rotation is an act and no state; O(auto_rotate_period) has the server do it. What is not declared of a key that exists stays as it is.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.mounts
options:
  mount: &mount
    description: Path at which the transit engine is mounted. For an entry of O(keys) by default the module's O(mount), and V(transit) without either.
    type: str
  name: &name
    description: Name of the key.
    type: str
  type: &type
    description: Type of the key, by default V(aes256-gcm96). Not every product and version has all of them. It cannot be changed.
    type: str
    choices: [aes256-gcm96, aes128-gcm96, chacha20-poly1305, xchacha20-poly1305, ed25519, ecdsa-p256, ecdsa-p384, ecdsa-p521, rsa-2048, rsa-3072,
      rsa-4096, hmac, mldsa-44, mldsa-65, mldsa-87]
  derived: &derived
    description: Whether a key is derived for each context. It cannot be changed.
    type: bool
  convergent_encryption: &convergent_encryption
    description: Whether the same text gives the same ciphertext, with O(derived) only. It cannot be changed.
    type: bool
  key_size: &key_size
    description: Size of a key of type V(hmac) in bytes, V(32) to V(512). It cannot be changed.
    type: int
  exportable: &exportable
    description: Whether the key may be exported. It cannot be reverted.
    type: bool
  allow_plaintext_backup: &allow_plaintext_backup
    description: Whether the key may be backed up in plain text. It cannot be reverted.
    type: bool
  deletion_allowed: &deletion_allowed
    description:
      - Whether the key may be deleted.
      - The server refuses to delete a key without it. With O(state=absent) it is set first where it is given as V(true).
    type: bool
  min_decryption_version: &min_decryption_version
    description: Minimum version for decryption and verification; it must exist.
    type: int
  min_encryption_version: &min_encryption_version
    description: Minimum version for encryption and signing; V(0) for the newest only.
    type: int
  auto_rotate_period: &auto_rotate_period
    description: Period of automatic rotation, a duration of at least an hour; V(0) for never.
    type: str
  keys:
    description: Many keys. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      mount: *mount
      name:
        <<: *name
        required: true
      type: *type
      derived: *derived
      convergent_encryption: *convergent_encryption
      key_size: *key_size
      exportable: *exportable
      allow_plaintext_backup: *allow_plaintext_backup
      deletion_allowed: *deletion_allowed
      min_decryption_version: *min_decryption_version
      min_encryption_version: *min_encryption_version
      auto_rotate_period: *auto_rotate_period
      state:
        description: Whether this key is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the keys that are not declared, in the mounts that O(keys) names and in O(mount). See O(purge_mounts).
    type: bool
    default: false
  protected:
    description: Names of keys, or C(mount/name), that O(purge) never deletes.
    type: list
    elements: str
    default: []
  purge_data:
    description:
      - Names of keys, or C(mount/name), that O(purge) may delete although nobody can decrypt then what was encrypted by them.
      - The server has to allow their deletion.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Have a key for an application, rotated every month
  secretops.vault_eso.vault_transit_key:
    name: orders
    auto_rotate_period: 720h

- name: Have a key to sign by, and stop decrypting by the first version of another
  secretops.vault_eso.vault_transit_key:
    keys:
      - name: releases
        type: ed25519
      - name: orders
        min_decryption_version: 2

- name: Remove a key for good
  secretops.vault_eso.vault_transit_key:
    name: legacy
    deletion_allowed: true
    state: absent
"""

RETURN = r"""
results:
  description: One entry per key.
  returned: always
  type: list
  elements: dict
  sample: [{kind: transit key, name: transit/orders, action: update, changed: true, fields: [auto_rotate_period]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
latest_version:
  description: The newest version. With O(keys) it is in each entry's C(info).
  returned: for a single key that exists
  type: int
  sample: 3
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.transit import TransitKeys


def main() -> None:
    converge(TransitKeys())


if __name__ == "__main__":
    main()
