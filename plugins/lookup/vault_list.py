# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vault_list
short_description: Look up what is below a path of Vault or OpenBao
description:
  - Returns for each term the sorted list of names below it. Names that end with a slash are folders.
author: secretops.vault_eso contributors (@secretops)
version_added: 0.1.0
extends_documentation_fragment:
  - secretops.vault_eso.lookup
  - secretops.vault_eso.lookup.mount
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  _terms:
    description: Paths of the API without C(/v1/); with O(mount) folders inside that KV engine. Any number of them.
  mount:
    description: Path at which a KV engine is mounted. Its folders are then written without C(metadata/). V(/) as a term is the engine's top.
seealso:
  - module: secretops.vault_eso.vault_info
"""

EXAMPLES = r"""
- name: Name the applications that have secrets
  ansible.builtin.debug:
    msg: "{{ lookup('secretops.vault_eso.vault_list', 'applications', mount='secret') }}"
  vars:
    vault_lookup_mask: false

- name: Name the policies
  ansible.builtin.debug:
    msg: "{{ lookup('secretops.vault_eso.vault_list', 'sys/policies/acl', default=[]) }}"
  vars:
    vault_lookup_mask: false
"""

RETURN = r"""
_list:
  description: One list of names for each term.
  type: list
  elements: list
"""

from ansible_collections.secretops.vault_eso.plugins.plugin_utils._lookup import Lookup


class LookupModule(Lookup):
    """What is below a path."""

    what = "list"
    sent = ("mount", "fresh")
