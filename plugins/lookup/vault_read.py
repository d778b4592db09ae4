# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vault_read
short_description: Look up any path of Vault or OpenBao
description:
  - Returns what the server answers to a read of any path of its API, such as the credentials of a database role.
  - Credentials that are made by reading are made once for all hosts of a run, and end with the run, as their lease ends with its token.
author: secretops.vault_eso contributors (@secretops)
version_added: 0.1.0
extends_documentation_fragment:
  - secretops.vault_eso.lookup
  - secretops.vault_eso.lookup.field
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  _terms:
    description: Paths of the API without C(/v1/), any number of them.
  raw:
    description: Return the whole answer with C(lease_id), C(lease_duration), C(wrap_info) and the like, and C(data) inside it.
    type: bool
    default: false
seealso:
  - module: secretops.vault_eso.vault_database_credentials
  - module: secretops.vault_eso.vault_endpoint
"""

EXAMPLES = r"""
- name: Use credentials of a database that end with the run
  ansible.builtin.command:
    cmd: /usr/local/bin/migrate
  environment:
    PGUSER: "{{ credentials.username }}"
    PGPASSWORD: "{{ credentials.password }}"
  vars:
    credentials: "{{ lookup('secretops.vault_eso.vault_read', 'database/creds/migrations') }}"
  changed_when: true
"""

RETURN = r"""
_list:
  description: One value for each term.
  type: list
  elements: raw
"""

from ansible_collections.secretops.vault_eso.plugins.plugin_utils._lookup import Lookup


class LookupModule(Lookup):
    """Any path."""

    what = "read"
    sent = ("field", "raw", "fresh")
