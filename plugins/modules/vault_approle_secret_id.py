#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_approle_secret_id
short_description: Keep a valid AppRole secret ID in a file
version_added: 0.1.0
description:
  - Issues a secret ID of an AppRole role and writes it to a file that only its owner can read.
  - Another one is issued when the file is missing, when the server does not know its secret ID any more, when that is about to expire, or when
    its metadata, address blocks or life are others than declared.
  - The secret ID is in no output. The file is proven to be writable before one is issued, and issuing is never repeated blindly.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  role: &role
    description: Name of the AppRole role.
    type: str
  dest: &dest
    description:
      - Path of the file for the secret ID; it gets mode 0600. A missing directory is created with mode 0700.
      - With O(state=absent) the secret ID in it is destroyed and the file removed.
    type: path
  mount: &mount
    description: Path of the auth method, without C(auth/).
    type: str
    default: approle
  role_id_dest: &role_id_dest
    description: Path of a file for the role ID, written and removed with O(dest).
    type: path
  min_remaining: &min_remaining
    description: Issue a new secret ID when the current one is valid for no longer than this duration.
    type: str
    default: '0'
  metadata: &metadata
    description: Metadata of the secret ID, which audit logs show with each login.
    type: dict
  cidr_list: &cidr_list
    description: Address blocks from which the secret ID can be used; they must lie within those of the role.
    type: list
    elements: str
  token_bound_cidrs: &token_bound_cidrs
    description: Address blocks from which the tokens that the secret ID gives can be used; they must lie within those of the role.
    type: list
    elements: str
  ttl: &ttl
    description: TTL of the secret ID, a duration no longer than the role's C(secret_id_ttl).
    type: str
  num_uses: &num_uses
    description: How often the secret ID can be used, no more than the role's C(secret_id_num_uses); V(0) is without limit. What is left is not
      compared.
    type: int
  wrap_ttl: &wrap_ttl
    description:
      - Wrap the secret ID, a duration. The file then holds a wrapping token that can be unwrapped once within this time.
      - Another one is issued as soon as the wrapping token was unwrapped or has expired.
    type: str
  destroy_others: &destroy_others
    description: Destroy all other secret IDs of the role.
    type: bool
    default: false
  secret_ids:
    description: Many secret IDs. Excludes O(role) and O(dest).
    type: list
    elements: dict
    suboptions:
      role:
        <<: *role
        required: true
      dest:
        <<: *dest
        required: true
      mount: *mount
      role_id_dest: *role_id_dest
      min_remaining: *min_remaining
      metadata: *metadata
      cidr_list: *cidr_list
      token_bound_cidrs: *token_bound_cidrs
      ttl: *ttl
      num_uses: *num_uses
      wrap_ttl: *wrap_ttl
      destroy_others: *destroy_others
      state:
        description: Whether this secret ID is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
"""

EXAMPLES = r"""
- name: Keep a secret ID for the pipeline that never has less than six hours left
  secretops.vault_eso.vault_approle_secret_id:
    role: cicd-pipeline
    dest: ~/.vault/cicd-secret-id
    role_id_dest: ~/.vault/cicd-role-id
    ttl: 24h
    min_remaining: 6h

- name: Hand a wrapped secret ID to a host that starts for the first time
  secretops.vault_eso.vault_approle_secret_id:
    role: web-app
    dest: /dev/shm/bootstrap/wrapping-token
    wrap_ttl: 5m
"""

RETURN = r"""
results:
  description: One entry per secret ID, named by its file.
  returned: always
  type: list
  elements: dict
  sample: [{kind: secret ID, name: /root/.vault/cicd-secret-id, action: create, changed: true, fields: [valid]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 1, update: 0, delete: 0, none: 0, failed: 0, not_reached: 0}
expires:
  description: When the secret ID expires. With O(secret_ids) it is in each entry's C(info).
  returned: for a single secret ID that expires and is not wrapped
  type: str
  sample: "2026-01-31T12:00:00+00:00"
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.approle_secret_id import (
    ApproleSecretIds,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge


def main() -> None:
    converge(ApproleSecretIds())


if __name__ == "__main__":
    main()
