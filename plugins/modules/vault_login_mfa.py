#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_login_mfa
short_description: Manage the methods of login MFA in Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes the methods by which a login asks for a second factor - TOTP, Duo, Okta and PingID.
  - Methods are named; the server's id is looked up. What is not declared stays as it is.
  - Which logins ask for them is declared by M(secretops.vault_eso.vault_login_mfa_enforcement).
  - The server wants the keys of Duo, Okta and PingID again with every change, so they are sent along whenever another field differs.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.update_secrets
options:
  name: &name
    description: Name of the method, in its own case. The id of a method that has no name is taken as well.
    type: str
  type: &type
    description: Type of the method. Cannot be changed later. Needed unless the method is to be absent.
    type: str
    choices: [duo, okta, pingid, totp]
  issuer: &issuer
    description: For totp, issuer name that authenticator apps show.
    type: str
  period: &period
    description: For totp, how long a code is valid, a duration; the server's default is 30 seconds.
    type: str
  algorithm: &algorithm
    description: For totp, the hash; the server's default is V(SHA1).
    type: str
    choices: [SHA1, SHA256, SHA512]
  digits: &digits
    description: For totp, digits of a code; the server's default is 6.
    type: int
    choices: [6, 8]
  skew: &skew
    description: For totp, number of periods before and after in which a code is accepted; the server's default is 1.
    type: int
    choices: [0, 1]
  key_size: &key_size
    description: For totp, bytes of a key; the server's default is 20.
    type: int
  qr_size: &qr_size
    description: For totp, size of the QR code in pixels, V(0) for none; the server's default is 200.
    type: int
  max_validation_attempts: &max_validation_attempts
    description: For totp, number of consecutive wrong codes that are allowed; the server's default is 5.
    type: int
  username_format: &username_format
    description:
      - For duo, okta and pingid, how the name at the provider follows from the entity, as in C({{identity.entity.name}}).
      - An auth method may be named by its path, as in C({{identity.entity.aliases[ldap].name}}); its accessor is looked up. Tag such a text
        C(!unsafe), or Ansible takes the braces for its own.
    type: str
  api_hostname: &api_hostname
    description: For duo, host name of the API.
    type: str
  push_info: &push_info
    description: For duo, information that a push shows, as a URL query.
    type: str
  use_passcode: &use_passcode
    description: For duo, whether a code is asked for rather than a push.
    type: bool
  secret_key: &secret_key
    description: For duo, the secret key.
    type: str
  integration_key: &integration_key
    description: For duo, the integration key.
    type: str
  org_name: &org_name
    description: For okta, name of the organisation.
    type: str
  base_url: &base_url
    description: For okta, domain of the API; the server's default is C(okta.com).
    type: str
  primary_email: &primary_email
    description: For okta, whether the name is matched with the primary e-mail address only. The server never returns it, so it follows
      O(update_secrets), and an update that does not declare it resets it.
    type: bool
  api_token: &api_token
    description: For okta, the API token.
    type: str
  settings_file_base64: &settings_file_base64
    description: For pingid, the settings file in base64. Another organisation or address in it is seen as a change, another key alone is not.
    type: str
  methods:
    description: Many methods. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      type: *type
      issuer: *issuer
      period: *period
      algorithm: *algorithm
      digits: *digits
      skew: *skew
      key_size: *key_size
      qr_size: *qr_size
      max_validation_attempts: *max_validation_attempts
      username_format: *username_format
      api_hostname: *api_hostname
      push_info: *push_info
      use_passcode: *use_passcode
      secret_key: *secret_key
      integration_key: *integration_key
      org_name: *org_name
      base_url: *base_url
      primary_email: *primary_email
      api_token: *api_token
      settings_file_base64: *settings_file_base64
      state:
        description: Whether this method is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description:
      - Delete the methods of the namespace that are not declared, except those in O(protected).
      - With a method go the keys that people have enrolled, so each must be named again in O(purge_data); otherwise nothing at all is done.
    type: bool
    default: false
  protected:
    description: Names or ids that O(purge) never deletes.
    type: list
    elements: str
    default: []
  purge_data:
    description: Names or ids that O(purge) may delete, with all that is enrolled.
    type: list
    elements: str
    default: []
seealso:
  - module: secretops.vault_eso.vault_login_mfa_enforcement
"""

EXAMPLES = r"""
- name: Let people confirm logins with codes
  secretops.vault_eso.vault_login_mfa:
    name: staff
    type: totp
    issuer: Example Vault
    period: 30s
    digits: 6
    max_validation_attempts: 3

- name: Declare all methods
  secretops.vault_eso.vault_login_mfa:
    methods:
      - name: staff
        type: totp
        issuer: Example Vault
      - name: operators
        type: duo
        api_hostname: api-1234abcd.duosecurity.com
        username_format: !unsafe "{{identity.entity.aliases[ldap].name}}"
        integration_key: "{{ duo_integration_key }}"
        secret_key: "{{ duo_secret_key }}"
    purge: true
    purge_data: [pilot]
"""

RETURN = r"""
results:
  description: One entry per method.
  returned: always
  type: list
  elements: dict
  sample: [{kind: login MFA method, name: staff, action: update, changed: true, fields: [digits], info: {method_id: b6d373b8-5804-9b75-caeb-69e619723fc3}}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
method_id:
  description: The method's id.
  returned: for a single method that exists
  type: str
  sample: b6d373b8-5804-9b75-caeb-69e619723fc3
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.login_mfa.method import LoginMfaMethods
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge


def main() -> None:
    converge(LoginMfaMethods())


if __name__ == "__main__":
    main()
