#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_audited_header
short_description: Manage which headers of requests Vault or OpenBao audits
version_added: 0.1.0
description:
  - Declares headers of requests that the audit devices write down.
  - They are kept in the root namespace; in another one the module refuses them before anything is changed. Case in O(name) is no difference.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Name of the header.
    type: str
  hmac: &hmac
    description: Whether its value is written as HMAC instead of in clear. The server's default is in clear; an existing setting stays.
    type: bool
  headers:
    description: Many headers. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      hmac: *hmac
      state:
        description: Whether this object is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the headers that are not declared, except those in O(protected).
    type: bool
    default: false
  protected:
    description: Names that O(purge) never deletes.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Audit where requests come from
  secretops.vault_eso.vault_audited_header:
    headers:
      - name: X-Forwarded-For
      - name: X-Session
        hmac: true
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: audited header, name: X-Session, action: update, changed: true, fields: [hmac]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system.audited_header import AuditedHeaders


def main() -> None:
    converge(AuditedHeaders())


if __name__ == "__main__":
    main()
