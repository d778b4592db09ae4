#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_pki_acme
short_description: Manage ACME of PKI engines of Vault or OpenBao
version_added: 0.1.0
description:
  - Declares whether and how clients get certificates of a PKI mount by ACME. What is not declared stays as it is.
  - The mount needs its own address first (option O(secretops.vault_eso.vault_pki_ca#module:cluster)), and the headers C(Last-Modified),
    C(Location), C(Replay-Nonce) and C(Link) in its C(allowed_response_headers); the module warns where they are missing.
  - A configuration cannot be removed; set O(enabled=false).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  mount: &mount
    description: Path at which the PKI engine is mounted.
    type: str
  enabled: &enabled
    description: Whether ACME is enabled.
    type: bool
  default_directory_policy: &default_directory_policy
    description: Policy of the directory without a role, V(forbid), V(sign-verbatim) or V(role:<name>).
    type: str
  allowed_roles: &allowed_roles
    description: Roles that ACME may use, V(*) for all. They must exist.
    type: list
    elements: str
  allowed_issuers: &allowed_issuers
    description: Issuers that ACME may use, V(*) for all. They must exist.
    type: list
    elements: str
  allow_role_ext_key_usage: &allow_role_ext_key_usage
    description: Whether the extended key usages of roles apply, rather than only that of servers.
    type: bool
  eab_policy: &eab_policy
    description: Whether clients need an external account binding.
    type: str
    choices: [not-required, new-account-required, always-required]
  dns_resolver: &dns_resolver
    description: DNS resolver for challenges, as V(host:port); empty for the system's own.
    type: str
  configurations:
    description: Many configurations. Excludes O(mount).
    type: list
    elements: dict
    suboptions:
      mount:
        <<: *mount
        required: true
      enabled: *enabled
      default_directory_policy: *default_directory_policy
      allowed_roles: *allowed_roles
      allowed_issuers: *allowed_issuers
      allow_role_ext_key_usage: *allow_role_ext_key_usage
      eab_policy: *eab_policy
      dns_resolver: *dns_resolver
      state:
        description: Whether this object is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
"""

EXAMPLES = r"""
- name: Serve ACME by one role
  secretops.vault_eso.vault_pki_acme:
    mount: pki
    enabled: true
    default_directory_policy: "role:web"
    allowed_roles: [web]
    eab_policy: always-required
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: ACME configuration, name: pki, action: update, changed: true, fields: [enabled]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.pki.acme import PkiAcme


def main() -> None:
    converge(PkiAcme())


if __name__ == "__main__":
    main()
