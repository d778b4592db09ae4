#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_audit
short_description: Manage audit devices of Vault or OpenBao by API
version_added: 0.1.0
description:
  - Enables and disables audit devices, one or many in one task over one login.
  - The server cannot change a device. One that differs from its declaration is an error, or with O(replace) is disabled and enabled again.
  - OpenBao from 2.3.2 on takes devices from its configuration only, unless that allows C(unsafe_allow_api_audit_creation);
    the module then compares, and says what to declare in C(vault_server_audit) of the role P(secretops.vault_eso.vault_server#role).
  - Devices are kept in the root namespace; in another one the module refuses them before anything is changed.
  - Have two devices at least. A server whose only device cannot write refuses every request.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  path: &path
    description: Path of the device; by default its O(type).
    type: str
  type: &type
    description: Type of the device. Needed unless it is to be absent.
    type: str
    choices: [file, socket, syslog]
  description: &description
    description: Text for people.
    type: str
  local: &local
    description: Keep the device out of replication.
    type: bool
  options: &options
    description:
      - Options of the device, all of them, such as C(file_path) and C(mode) of a file, C(address) of a socket, C(facility) and C(tag) of syslog.
      - The target must be writable for the server's user on every node.
    type: dict
  replace: &replace
    description: Permit to disable a device that differs and to enable it anew. While that is done another device must be writing, see O(remove_last).
    type: bool
    default: false
  devices:
    description: Many devices. Excludes O(path) and O(type).
    type: list
    elements: dict
    suboptions:
      path: *path
      type: *type
      description: *description
      local: *local
      options: *options
      replace: *replace
      state:
        description: Whether this device is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  remove_last:
    description: Permit to leave the server without any device, be it for the moment of a replacement.
    type: bool
    default: false
  purge:
    description: Disable the devices that are not declared, except those of the server's configuration and those in O(protected).
    type: bool
    default: false
  protected:
    description: Paths that O(purge) never disables.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Write two audit logs
  secretops.vault_eso.vault_audit:
    devices:
      - path: file
        type: file
        options:
          file_path: /var/log/vault/audit.log
          mode: "0600"
      - path: collector
        type: socket
        options:
          address: 127.0.0.1:9090
          socket_type: tcp
"""

RETURN = r"""
results:
  description: One entry per device.
  returned: always
  type: list
  elements: dict
  sample: [{kind: audit device, name: file, action: create, changed: true, fields: [options, type]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system.audit import AuditDevices


def main() -> None:
    converge(AuditDevices())


if __name__ == "__main__":
    main()
