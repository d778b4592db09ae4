#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_ssh_ca
short_description: Manage the key by which an SSH engine of Vault or OpenBao signs
version_added: 0.1.0
description:
  - Has the server make a key for an SSH engine once, or gives it one, and tells its public half, which hosts and users are to trust.
  - A key that exists is never replaced, because all that trust it would be locked out. One that is declared otherwise is an error.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  mount: &mount
    description: Path at which the SSH engine is mounted.
    type: str
  key_type: &key_type
    description: Type of the key that the server creates.
    type: str
    choices: [ec, rsa, ed25519, ssh-rsa, ssh-ed25519, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ecdsa-sha2-nistp521]
  key_bits: &key_bits
    description: Size of the key that the server creates.
    type: int
  public_key: &public_key
    description: The public key of an existing key pair, with O(private_key).
    type: str
  private_key: &private_key
    description: The private key of an existing key pair. The server never returns it.
    type: str
  authorities:
    description: Many of them. Excludes O(mount).
    type: list
    elements: dict
    suboptions:
      mount:
        <<: *mount
        required: true
      key_type: *key_type
      key_bits: *key_bits
      public_key: *public_key
      private_key: *private_key
      state:
        description: Whether this key is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
"""

EXAMPLES = r"""
- name: Have a key to sign by
  secretops.vault_eso.vault_ssh_ca:
    mount: ssh-client
    key_type: ed25519
  register: ssh_ca

- name: Trust it on every host
  ansible.builtin.copy:
    content: "{{ ssh_ca.public_key }}\n"
    dest: /etc/ssh/trusted-user-ca.pub
    mode: "0644"
"""

RETURN = r"""
results:
  description: One entry per key.
  returned: always
  type: list
  elements: dict
  sample: [{kind: SSH CA, name: ssh-client, action: create, changed: true, fields: [key_type]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
public_key:
  description: The public half of the key, also as C(info) of each entry with O(authorities).
  returned: for a single one that exists
  type: str
  sample: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICbLH7uGUyUB00MenXUvUKye0WQF9S2q7nV0T8f6xx8c
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.ssh.ca import SshCas


def main() -> None:
    converge(SshCas())


if __name__ == "__main__":
    main()
