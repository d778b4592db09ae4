#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_cors
short_description: Manage which web pages may call the API of Vault or OpenBao
version_added: 0.1.0
description:
  - Declares the origins of which web pages may call the API (CORS), and switches that off with O(state=absent).
  - It is one setting of the whole server, kept in the root namespace; in another one the module refuses it before anything is changed.
  - The token needs C(sudo) on C(sys/config/cors).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  allowed_origins: &allowed_origins
    description:
      - Origins of the pages, such as V(https://portal.example.com), or V(*) alone for any.
      - Needed unless it is to be absent, or CORS is on already.
    type: list
    elements: str
  allowed_headers: &allowed_headers
    description: Headers that pages may send beside those that the server always allows.
    type: list
    elements: str
  allow_credentials: &allow_credentials
    description: Whether pages may send credentials of the browser (OpenBao).
    type: bool
  configurations:
    description: The configuration as a list of one entry, as a tree of declarations has it.
    type: list
    elements: dict
    suboptions:
      allowed_origins: *allowed_origins
      allowed_headers: *allowed_headers
      allow_credentials: *allow_credentials
      state:
        description: Whether this object is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
"""

EXAMPLES = r"""
- name: Let the portal's pages call Vault
  secretops.vault_eso.vault_cors:
    allowed_origins: [https://portal.example.com]
    allowed_headers: [X-Portal-Request]
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: CORS, name: cors, action: update, changed: true, fields: [allowed_origins]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system.cors import Cors


def main() -> None:
    converge(Cors())


if __name__ == "__main__":
    main()
