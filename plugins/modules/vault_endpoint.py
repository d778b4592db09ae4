#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_endpoint
short_description: Manage any path of the API of Vault or OpenBao
version_added: 0.1.0
description:
  - Reads a path, compares what is declared with what is there, and writes only when it differs. For paths that have no module of their own.
  - Only declared keys are compared. What becomes of keys that are not sent is up to the server.
  - Many paths are written at the same time; with O(workers=1) in the order of the list.
  - What the server answers to a write is not returned, as it may be secret.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.update_secrets
options:
  path: &path
    description: Path that is written and deleted, without C(v1/).
    type: str
  read_path: &read_path
    description: Path that tells the current state; by default O(path).
    type: str
  data: &data
    description: What is written and compared. Secrets are refused here, see O(secret_data).
    type: dict
  secret_data: &secret_data
    description: What is written along and neither compared nor shown. When it alone changes, the rule of O(update_secrets) holds.
    type: dict
  compare: &compare
    description:
      - How keys of O(data) are compared, where that cannot be guessed from their values.
      - V(bool), V(duration), V(int), V(json), V(list) (in order, or a comma string), V(map) (values as text), V(path), V(pem), V(set) (in any order),
        V(text).
    type: dict
  method: &method
    description: Method of the write.
    type: str
    choices: [POST, PUT, PATCH]
    default: POST
  write: &write
    description:
      - V(when_different) writes when the path does not exist or a declared key differs.
      - V(when_missing) writes only when O(read_path) does not exist, and is never repeated, for what happens once.
      - V(always) does not read, writes at every run and always reports a change, for what cannot be read. Deletes at every run as well.
    type: str
    choices: [when_different, when_missing, always]
    default: when_different
  endpoints:
    description: Many paths. Excludes O(path).
    type: list
    elements: dict
    suboptions:
      path:
        <<: *path
        required: true
      read_path: *read_path
      data: *data
      secret_data: *secret_data
      compare: *compare
      method: *method
      write: *write
      state:
        description: Whether this path is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
notes:
  - Prefer the module for a kind of object where there is one. It knows what the server fills in, replaces as a whole or never returns.
"""

EXAMPLES = r"""
- name: Declare a role of the OIDC provider for identity tokens
  secretops.vault_eso.vault_endpoint:
    path: identity/oidc/role/build
    data:
      key: default
      ttl: 1h
    compare:
      ttl: duration

- name: Configure an engine with a password that is never returned
  secretops.vault_eso.vault_endpoint:
    path: rabbitmq/config/connection
    write: always
    data:
      connection_uri: https://rabbitmq.example.com:15672
      username: vault
    secret_data:
      password: "{{ vault_rabbitmq_password }}"

- name: Create a named key once
  secretops.vault_eso.vault_endpoint:
    path: transit/keys/orders
    write: when_missing
    data:
      type: aes256-gcm96

- name: Remove what was declared before
  secretops.vault_eso.vault_endpoint:
    path: identity/oidc/role/legacy
    state: absent
"""

RETURN = r"""
results:
  description: One entry per path.
  returned: always
  type: list
  elements: dict
  sample: [{kind: endpoint, name: identity/oidc/role/build, action: update, changed: true, fields: [ttl]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system.endpoint import Endpoints


def main() -> None:
    converge(Endpoints())


if __name__ == "__main__":
    main()
