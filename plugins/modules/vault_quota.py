#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_quota
short_description: Manage quotas of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes rate-limit and lease-count quotas, one or many in one task over one login.
  - Quotas are kept in the root namespace; in another one the module refuses them before anything is changed.
  - Lease-count quotas need HashiCorp Vault Enterprise; elsewhere the module says so.
  - A write replaces a quota as a whole on the server; the module sends what is not declared along, so that it stays.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Name of the quota.
    type: str
  type: &type
    description: Whether requests or leases are limited.
    type: str
    choices: [rate-limit, lease-count]
    default: rate-limit
  path: &path
    description:
      - What is limited, a namespace, a mount or a path in it, such as V(payments/), V(secret/), V(auth/approle/) or V(payments/secret/).
      - Empty for everything. The server has one quota for the same path and role.
    type: str
  role: &role
    description: Role whose logins are limited; O(path) is then the mount of its auth method.
    type: str
  inheritable: &inheritable
    description: Whether the quota of a namespace holds in the namespaces below it as well.
    type: bool
  rate: &rate
    description: How many requests are allowed in an interval, for V(rate-limit).
    type: float
  interval: &interval
    description: The interval, a duration of a second or more, for V(rate-limit); by default a second.
    type: str
  block_interval: &block_interval
    description: How long a client that exceeds the rate is refused, a duration, for V(rate-limit); V(0) for no longer than needed.
    type: str
  max_leases: &max_leases
    description: How many leases there may be, for V(lease-count).
    type: int
  quotas:
    description: Many quotas. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      type: *type
      path: *path
      role: *role
      inheritable: *inheritable
      rate: *rate
      interval: *interval
      block_interval: *block_interval
      max_leases: *max_leases
      state:
        description: Whether this quota is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the quotas of both types that are not declared, except those in O(protected).
    type: bool
    default: false
  protected:
    description: Names that O(purge) never deletes.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Limit all requests, and those to one engine further
  secretops.vault_eso.vault_quota:
    quotas:
      - name: global
        rate: 1000
        interval: 1s
      - name: pki
        path: pki/
        rate: 100
        interval: 1m
        block_interval: 30s
"""

RETURN = r"""
results:
  description: One entry per quota.
  returned: always
  type: list
  elements: dict
  sample: [{kind: rate-limit quota, name: pki, action: update, changed: true, fields: [interval]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system.quota import Quotas


def main() -> None:
    converge(Quotas())


if __name__ == "__main__":
    main()
