# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vault_kv
short_description: Look up secrets in KV engines of Vault or OpenBao
description:
  - Returns the keys and values of secrets, or one value of each.
  - KV version 1 and 2 are told apart by the server, and paths are written without C(data/).
author: secretops.vault_eso contributors (@secretops)
version_added: 0.1.0
extends_documentation_fragment:
  - secretops.vault_eso.lookup
  - secretops.vault_eso.lookup.field
  - secretops.vault_eso.lookup.mount
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  _terms:
    description: Paths of secrets inside O(mount), any number of them.
  mount:
    description: Path at which the KV engine is mounted.
    default: secret
  version:
    description: Version of the secret, of KV version 2; by default the current one.
    type: int
  kv_version:
    description: Version of the engine; by default the server is asked for it, once for each mount.
    type: int
    choices: [1, 2]
    aliases: [engine_version]
  metadata:
    description: Return a mapping of C(secret), C(metadata) (of the version, with its number and time), C(mount), C(path) and C(kv_version) instead.
    type: bool
    default: false
seealso:
  - module: secretops.vault_eso.vault_kv_read
  - module: secretops.vault_eso.vault_kv
"""

EXAMPLES = r"""
- name: Give an application its password
  ansible.builtin.template:
    src: application.conf.j2
    dest: /etc/application.conf
    mode: "0600"
  vars:
    database_password: "{{ lookup('secretops.vault_eso.vault_kv', 'applications/web-app', field='password') }}"

- name: Use what may not be there, but fail when the server does not answer
  ansible.builtin.set_fact:
    motd: "{{ lookup('secretops.vault_eso.vault_kv', 'applications/motd', field='text', default='Welcome') }}"

- name: See which version is the current one
  ansible.builtin.debug:
    msg: "{{ lookup('secretops.vault_eso.vault_kv', 'applications/web-app', metadata=true).metadata.version }}"
  vars:
    vault_lookup_mask: false
"""

RETURN = r"""
_list:
  description: One value for each term.
  type: list
  elements: raw
"""

from ansible_collections.secretops.vault_eso.plugins.plugin_utils._lookup import Lookup


class LookupModule(Lookup):
    """Secrets of KV engines."""

    what = "kv"
    sent = ("mount", "field", "version", "kv_version", "metadata", "fresh")
