#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_ui_header
short_description: Manage headers of the user interface of Vault or OpenBao
version_added: 0.1.0
description:
  - Declares headers that the server gives to the pages of its user interface, such as a content security policy.
  - They are kept in the root namespace; in another one the module refuses them before anything is changed. Case in O(name) is no difference.
  - The token needs C(sudo) on C(sys/config/ui/headers/).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Name of the header. The server refuses C(X-Vault-) headers.
    type: str
  values: &values
    description: Values of the header, in order. Give a list, also for one value, as a text is split at its commas. Needed unless it is to be absent.
    type: list
    elements: str
  headers:
    description: Many headers. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      values: *values
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
- name: Let no page frame the user interface
  secretops.vault_eso.vault_ui_header:
    headers:
      - name: X-Frame-Options
        values: [DENY]
      - name: Content-Security-Policy
        values: ["default-src 'self'; frame-ancestors 'none'"]
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: UI header, name: X-Frame-Options, action: create, changed: true, fields: [values]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system.ui_header import UiHeaders


def main() -> None:
    converge(UiHeaders())


if __name__ == "__main__":
    main()
