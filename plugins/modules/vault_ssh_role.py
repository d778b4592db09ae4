#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_ssh_role
short_description: Manage roles of SSH engines of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes the roles by which an SSH engine signs keys of users and hosts, or hands out one-time passwords.
  - What is not declared of a role that exists stays as it is, although the server replaces a role as a whole.
  - Durations, lists and defaults are compared by what they mean.
  - Roles of a mount that are not declared can be removed with O(purge).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.mounts
options:
  mount: &mount
    description: Path at which the SSH engine is mounted. For an entry of O(roles) by default the module's O(mount), and V(ssh) without either.
    type: str
  name: &name
    description: Name of the role.
    type: str
  key_type: &key_type
    description: V(ca) to sign keys, V(otp) to hand out one-time passwords. A new role needs it.
    type: str
    choices: [ca, otp]
  default_user: &default_user
    description: User of a credential when the request names none; O(key_type=otp) needs it.
    type: str
  default_user_template: &default_user_template
    description: Whether O(default_user) is an identity template.
    type: bool
  allowed_users: &allowed_users
    description: Users that credentials may be issued for; V(*) for every user.
    type: list
    elements: str
  allowed_users_template: &allowed_users_template
    description: Whether O(allowed_users) holds identity templates.
    type: bool
  allowed_domains: &allowed_domains
    description: Domains that host certificates may be issued for.
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
  allow_user_certificates: &allow_user_certificates
    description: Whether keys of users are signed.
    type: bool
  allow_host_certificates: &allow_host_certificates
    description: Whether keys of hosts are signed.
    type: bool
  allow_user_key_ids: &allow_user_key_ids
    description: Whether clients may choose the certificate's key ID.
    type: bool
  allow_empty_principals: &allow_empty_principals
    description: Whether certificates without principals are allowed (OpenBao).
    type: bool
  allowed_critical_options: &allowed_critical_options
    description: Critical options that clients may request; an empty list allows all.
    type: list
    elements: str
  default_critical_options: &default_critical_options
    description: Critical options of certificates when the request names none.
    type: dict
  allowed_extensions: &allowed_extensions
    description: Extensions that clients may request; V(*) for all.
    type: list
    elements: str
  default_extensions: &default_extensions
    description: Extensions of certificates when the request names none, such as C(permit-pty) with an empty text.
    type: dict
  default_extensions_template: &default_extensions_template
    description: Whether the values of O(default_extensions) are identity templates.
    type: bool
  allowed_user_key_lengths: &allowed_user_key_lengths
    description: Key types that are signed, each with the required length in bits, or a list of lengths.
    type: dict
  algorithm_signer: &algorithm_signer
    description: Signature algorithm, for a CA with an RSA key.
    type: str
    choices: [default, ssh-rsa, rsa-sha2-256, rsa-sha2-512]
  issuer_ref: &issuer_ref
    description: Name or ID of the issuer that signs (OpenBao).
    type: str
  key_id_format: &key_id_format
    description: Format of the certificate's key ID. Tag it C(!unsafe), or Ansible evaluates the braces itself.
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
  cidr_list: &cidr_list
    description: Networks of the hosts that one-time passwords may be issued for.
    type: list
    elements: str
  exclude_cidr_list: &exclude_cidr_list
    description: Networks in O(cidr_list) that are excluded.
    type: list
    elements: str
  port: &port
    description: SSH port, returned with a one-time password.
    type: int
  roles:
    description: Many roles. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      mount: *mount
      name:
        <<: *name
        required: true
      key_type: *key_type
      default_user: *default_user
      default_user_template: *default_user_template
      allowed_users: *allowed_users
      allowed_users_template: *allowed_users_template
      allowed_domains: *allowed_domains
      allowed_domains_template: *allowed_domains_template
      allow_bare_domains: *allow_bare_domains
      allow_subdomains: *allow_subdomains
      allow_user_certificates: *allow_user_certificates
      allow_host_certificates: *allow_host_certificates
      allow_user_key_ids: *allow_user_key_ids
      allow_empty_principals: *allow_empty_principals
      allowed_critical_options: *allowed_critical_options
      default_critical_options: *default_critical_options
      allowed_extensions: *allowed_extensions
      default_extensions: *default_extensions
      default_extensions_template: *default_extensions_template
      allowed_user_key_lengths: *allowed_user_key_lengths
      algorithm_signer: *algorithm_signer
      issuer_ref: *issuer_ref
      key_id_format: *key_id_format
      ttl: *ttl
      max_ttl: *max_ttl
      not_before_duration: *not_before_duration
      cidr_list: *cidr_list
      exclude_cidr_list: *exclude_cidr_list
      port: *port
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
- name: Sign keys of operators for half an hour
  secretops.vault_eso.vault_ssh_role:
    mount: ssh-client
    name: operators
    key_type: ca
    allow_user_certificates: true
    allowed_users: [admin]
    default_user: admin
    default_extensions:
      permit-pty: ""
    ttl: 30m

- name: Have these roles and no others
  secretops.vault_eso.vault_ssh_role:
    mount: ssh-client
    roles:
      - name: operators
        key_type: ca
        allow_user_certificates: true
        allowed_users: [admin]
        ttl: 1h
      - name: hosts
        key_type: ca
        allow_host_certificates: true
        allowed_domains: [example.com]
        allow_subdomains: true
    purge: true
"""

RETURN = r"""
results:
  description: One entry per role.
  returned: always
  type: list
  elements: dict
  sample: [{kind: SSH role, name: ssh-client/operators, action: update, changed: true, fields: [ttl]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.ssh.role import SshRoles


def main() -> None:
    converge(SshRoles())


if __name__ == "__main__":
    main()
