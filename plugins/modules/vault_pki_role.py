#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_pki_role
short_description: Manage roles of PKI engines of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes the roles by which a PKI engine issues certificates, one or thousands in one task over one login.
  - What is not declared of a role that exists stays as it is. Durations, lists and defaults are compared by what they mean.
  - Roles of a mount that are not declared can be removed with O(purge).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.mounts
options:
  mount: &mount
    description: Path at which the PKI engine is mounted. For an entry of O(roles) by default the module's O(mount), and V(pki) without either.
    type: str
  name: &name
    description: Name of the role.
    type: str
  issuer_ref: &issuer_ref
    description: Name or ID of the issuer that signs; by default the mount's default issuer.
    type: str
  ttl: &ttl
    description: Default TTL of certificates, a duration; V(0) for the mount's default.
    type: str
  max_ttl: &max_ttl
    description: Maximum TTL of certificates, a duration; V(0) for the mount's limit.
    type: str
  not_before_duration: &not_before_duration
    description: How far certificates are backdated, a duration.
    type: str
  allowed_domains: &allowed_domains
    description: Domains that the role may issue certificates for.
    type: list
    elements: str
  allowed_domains_template: &allowed_domains_template
    description: Whether O(allowed_domains) holds identity templates.
    type: bool
  allow_bare_domains: &allow_bare_domains
    description: Whether the domains themselves are allowed.
    type: bool
  allow_subdomains: &allow_subdomains
    description: Whether names below the domains are allowed.
    type: bool
  allow_glob_domains: &allow_glob_domains
    description: Whether the domains may hold glob patterns.
    type: bool
  allow_wildcard_certificates: &allow_wildcard_certificates
    description: Whether wildcard certificates are allowed.
    type: bool
  allow_any_name: &allow_any_name
    description: Whether all names are allowed.
    type: bool
  allow_localhost: &allow_localhost
    description: Whether V(localhost) is allowed.
    type: bool
  allow_ip_sans: &allow_ip_sans
    description: Whether IP addresses are allowed as SANs.
    type: bool
  allowed_uri_sans: &allowed_uri_sans
    description: URIs that are allowed as SANs; globs are allowed.
    type: list
    elements: str
  allowed_other_sans: &allowed_other_sans
    description: Other SANs that are allowed, as C(oid;UTF8:value).
    type: list
    elements: str
  enforce_hostnames: &enforce_hostnames
    description: Whether names must be valid host names.
    type: bool
  require_cn: &require_cn
    description: Whether a common name is required.
    type: bool
  server_flag: &server_flag
    description: Whether certificates are for servers.
    type: bool
  client_flag: &client_flag
    description: Whether certificates are for clients.
    type: bool
  code_signing_flag: &code_signing_flag
    description: Whether certificates are for signing code.
    type: bool
  email_protection_flag: &email_protection_flag
    description: Whether certificates are for protecting email.
    type: bool
  key_type: &key_type
    description: Type of the keys; V(any) accepts that of a CSR.
    type: str
    choices: [rsa, ec, ed25519, any]
  key_bits: &key_bits
    description: Size of the keys; V(0) for the default of the type.
    type: int
  signature_bits: &signature_bits
    description: Size of the hash of signatures with RSA keys; V(0) for the default.
    type: int
  key_usage: &key_usage
    description: Key usages, such as V(DigitalSignature); an empty list for none.
    type: list
    elements: str
  ext_key_usage: &ext_key_usage
    description: Extended key usages, such as V(ServerAuth).
    type: list
    elements: str
  use_csr_common_name: &use_csr_common_name
    description: Whether the common name of a CSR is used.
    type: bool
  use_csr_sans: &use_csr_sans
    description: Whether the SANs of a CSR are used.
    type: bool
  organization: &organization
    description: Organizations (O) of the subject.
    type: list
    elements: str
  ou: &ou
    description: Organizational units (OU) of the subject.
    type: list
    elements: str
  country: &country
    description: Countries (C) of the subject.
    type: list
    elements: str
  locality: &locality
    description: Localities (L) of the subject.
    type: list
    elements: str
  province: &province
    description: Provinces (ST) of the subject.
    type: list
    elements: str
  street_address: &street_address
    description: Street addresses of the subject.
    type: list
    elements: str
  postal_code: &postal_code
    description: Postal codes of the subject.
    type: list
    elements: str
  no_store: &no_store
    description: Whether certificates are not stored, so that they can be neither listed nor revoked.
    type: bool
  generate_lease: &generate_lease
    description:
      - Whether certificates have leases.
      - The server revokes a certificate with a lease together with the token that asked for it. The modules of a play ask with a token that is
        revoked when they or the play end, so a role for M(secretops.vault_eso.vault_pki_certificate) goes without.
    type: bool
  basic_constraints_valid_for_non_ca: &basic_constraints_valid_for_non_ca
    description: "Whether certificates of end entities have basic constraints (CA: false)."
    type: bool
  options: &options
    description: Further options of a role by their names in the API, such as C(policy_identifiers). One that the server does not know is an error.
    type: dict
  roles:
    description: Many roles. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      mount: *mount
      name:
        <<: *name
        required: true
      issuer_ref: *issuer_ref
      ttl: *ttl
      max_ttl: *max_ttl
      not_before_duration: *not_before_duration
      allowed_domains: *allowed_domains
      allowed_domains_template: *allowed_domains_template
      allow_bare_domains: *allow_bare_domains
      allow_subdomains: *allow_subdomains
      allow_glob_domains: *allow_glob_domains
      allow_wildcard_certificates: *allow_wildcard_certificates
      allow_any_name: *allow_any_name
      allow_localhost: *allow_localhost
      allow_ip_sans: *allow_ip_sans
      allowed_uri_sans: *allowed_uri_sans
      allowed_other_sans: *allowed_other_sans
      enforce_hostnames: *enforce_hostnames
      require_cn: *require_cn
      server_flag: *server_flag
      client_flag: *client_flag
      code_signing_flag: *code_signing_flag
      email_protection_flag: *email_protection_flag
      key_type: *key_type
      key_bits: *key_bits
      signature_bits: *signature_bits
      key_usage: *key_usage
      ext_key_usage: *ext_key_usage
      use_csr_common_name: *use_csr_common_name
      use_csr_sans: *use_csr_sans
      organization: *organization
      ou: *ou
      country: *country
      locality: *locality
      province: *province
      street_address: *street_address
      postal_code: *postal_code
      no_store: *no_store
      generate_lease: *generate_lease
      basic_constraints_valid_for_non_ca: *basic_constraints_valid_for_non_ca
      options: *options
      state:
        description: Whether this role is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the roles that are not declared, in the mounts that O(roles) names and in O(mount). See O(purge_mounts).
    type: bool
    default: false
  protected:
    description: Names of roles, or C(mount/name), that O(purge) never deletes.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Declare a role
  secretops.vault_eso.vault_pki_role:
    mount: pki_int
    name: web
    allowed_domains: [apps.example.com]
    allow_subdomains: true
    key_type: ec
    ttl: 24h
    max_ttl: 720h

- name: Declare all roles of a mount and remove the others
  secretops.vault_eso.vault_pki_role:
    mount: pki_int
    roles:
      - name: web
        allowed_domains: [apps.example.com]
        allow_subdomains: true
      - name: mesh
        allowed_uri_sans: ["spiffe://example.com/*"]
        require_cn: false
        options:
          allowed_serial_numbers: ["*"]
    purge: true
    protected: [acme]
"""

RETURN = r"""
results:
  description: One entry per role.
  returned: always
  type: list
  elements: dict
  sample: [{kind: PKI role, name: pki_int/web, action: update, changed: true, fields: [ttl], info: {mount: pki_int, name: web}}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.pki.role import PkiRoles


def main() -> None:
    converge(PkiRoles())


if __name__ == "__main__":
    main()
