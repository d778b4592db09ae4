#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_kv
short_description: Manage secrets in KV engines of Vault or OpenBao
version_added: 0.1.0
description:
  - Writes, merges, generates, deletes, restores and destroys secrets of KV engines of version 1 and 2, one or thousands in one task over one login.
  - Each secret is read at most once, and metadata only where O(metadata) is declared. What is already as declared is not written, so that no version is wasted.
  - With version 2 every write names the version it is based on (check-and-set), so that nobody's change is lost.
  - Values are never shown; the names of keys are.
  - Secrets that are not declared can be removed with O(purge), in some mounts or below a folder of them.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  mount: &mount
    description: Path at which the KV engine is mounted. For an entry of O(secrets) by default the module's O(mount), and V(secret) without either.
    type: str
  path: &path
    description: Path of the secret inside the mount, without C(data/).
    type: str
  data: &data
    description: Keys and values. Values may be any JSON value. They are compared as JSON, so the number 1 and the text "1" differ.
    type: dict
  mode: &mode
    description: With V(merge) undeclared keys stay unchanged, with V(exact) they are removed.
    type: str
    choices: [merge, exact]
    default: merge
  generate: &generate
    description:
      - Keys whose values are generated at random, here or by a password policy of the server, where the key is missing.
      - Each key has a mapping, which may be empty, with C(format) (V(text), V(hex), V(base64), V(base64url), V(uuid), V(policy); text by default),
        C(length) (characters of text, or bytes of the others; 32 by default), C(charset) (V(alnum), V(alpha), V(lower), V(upper), V(digits),
        V(symbols) or the characters themselves; alnum by default), C(policy) (name of a password policy) and C(rotate).
      - With C(rotate=true) the key gets a new value in every run.
      - In check mode no password policy is asked for a value, and one that does not exist (yet) is a warning.
    type: dict
  remove: &remove
    description: Keys to remove, with O(mode=merge).
    type: list
    elements: str
  cas: &cas
    description:
      - Write only when this is the current version; V(0) means only when there is none.
      - Without it the version that was read is used, and a merge is retried when somebody else wrote in between.
    type: int
  metadata: &metadata
    description: Settings of the whole secret (KV version 2). Fields that are left out stay unchanged. Needs access to the metadata path.
    type: dict
    suboptions:
      max_versions:
        description: How many versions are kept; V(0) for the engine's setting.
        type: int
      cas_required:
        description: Refuse writes without the version that they are based on.
        type: bool
      metadata_cas_required:
        description:
          - Refuse changes of the metadata without the version that they are based on (OpenBao).
          - The module always sends it where the server has one.
        type: bool
      delete_version_after:
        description: How long a version is kept, a duration; V(0) for ever.
        type: str
      custom_metadata:
        description: Text by name, for people and programs; replaces what was there.
        type: dict
  delete: &delete
    description:
      - How a secret becomes absent. V(soft) deletes the current version so that it can be brought back, V(destroy) removes the data of all versions
        for good, V(all) removes the secret with all that is known about it. With O(versions) the first two take these versions only.
      - KV version 1 has no versions; there V(soft) and V(all) both remove the secret for good.
    type: str
    choices: [soft, destroy, all]
    default: soft
  undelete: &undelete
    description: Bring back the current version, or O(versions), if it is softly deleted. Excludes O(data), O(generate), O(remove) and O(metadata).
    type: bool
    default: false
  versions: &versions
    description: Versions that O(delete) and O(undelete) are about.
    type: list
    elements: int
  secrets:
    description: Many secrets. Excludes O(path).
    type: list
    elements: dict
    suboptions:
      mount: *mount
      path:
        <<: *path
        required: true
      data: *data
      mode: *mode
      generate: *generate
      remove: *remove
      cas: *cas
      metadata: *metadata
      delete: *delete
      undelete: *undelete
      versions: *versions
      state:
        description: Whether this secret is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description:
      - Delete the secrets of the mounts in O(purge_mount) that are not declared in O(secrets), except those in O(protected).
      - Secrets hold data, so each must be named again in O(purge_data); otherwise nothing at all is done, and the error names them.
      - Needs the right to list all folders; each is listed once.
    type: bool
    default: false
  purge_mount:
    description:
      - The mounts that O(purge) looks into, by default O(mount), and without that the mounts of all O(secrets).
      - A mount that is named here or in O(mount) must be there and be a KV engine, else nothing is changed. In check mode a
        missing one is a warning, as another task may be about to mount it.
      - O(purge_below), O(protected) and O(purge_data) hold for each of them.
    type: list
    elements: str
  purge_below:
    description: Folder in those mounts; O(purge) sees nothing outside of it.
    type: str
  purge_delete:
    description: How O(purge) deletes, as O(delete) does it. Secrets that are softly deleted already are left as they are by V(soft).
    type: str
    choices: [soft, destroy, all]
    default: soft
  protected:
    description:
      - Paths inside a mount that O(purge) never deletes. C(*) stands for anything within one part of a path, C(**) for any number of parts.
      - A folder protects everything in it.
    type: list
    elements: str
    default: []
  purge_data:
    description:
      - Paths inside a mount that O(purge) may delete, with the same C(*) and C(**).
      - A pattern must match the whole path, and its first part must be a name without C(*), so that none is about everything.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Make sure of some keys and leave the others alone
  secretops.vault_eso.vault_kv:
    path: applications/shop/database
    data:
      username: shop
      password: "{{ shop_database_password }}"

- name: Generate a password once, and an API key anew at every run
  secretops.vault_eso.vault_kv:
    path: applications/shop/api
    generate:
      password: {length: 40, charset: symbols}
      api_key: {format: hex, length: 16, rotate: true}

- name: Bring back what was deleted by mistake
  secretops.vault_eso.vault_kv:
    path: applications/shop/api
    undelete: true

- name: Declare many secrets
  secretops.vault_eso.vault_kv:
    mount: team-a
    secrets:
      - path: cache
        mode: exact
        data: {host: cache.example.com, port: 6379}
        metadata:
          max_versions: 5
          custom_metadata: {owner: team-a}
      - path: old
        state: absent
        delete: all

- name: Keep exactly these secrets of an application, and what another program writes there
  secretops.vault_eso.vault_kv:
    mount: secret
    secrets:
      - path: applications/shop/database
        data: {username: shop}
    purge: true
    purge_below: applications/shop
    protected: [applications/shop/pushed]
    purge_data: ["applications/shop/legacy/**"]
"""

RETURN = r"""
results:
  description: One entry per secret. Its C(info) holds the values described below.
  returned: always
  type: list
  elements: dict
  sample:
    - kind: secret
      name: secret/applications/shop/database
      action: update
      changed: true
      fields: [password]
      info: {mount: secret, path: applications/shop/database, kv_version: 2, version_before: 3, version: 4, changed_keys: [password]}
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
changed_keys:
  description: Names of the keys that were added, removed or changed.
  returned: for a single secret that is to be present
  type: list
  elements: str
  sample: [password]
version:
  description: Current version after the run; in check mode the one before.
  returned: for a single secret in a KV engine of version 2 that is to be present
  type: int
  sample: 4
version_before:
  description: Current version before the run, 0 when there was none.
  returned: for a single secret in a KV engine of version 2
  type: int
  sample: 3
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.kv.kind import Secrets


def main() -> None:
    converge(Secrets())


if __name__ == "__main__":
    main()
