#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_auth
short_description: Manage auth methods of Vault or OpenBao
version_added: 0.1.0
description:
  - Mounts, tunes, configures and removes auth methods, one or many in one task over one login.
  - Before anything changes it is checked that no method of another type stands in the way, and that the server has the wanted type.
  - Where a type's configuration is replaced as a whole by the server (kubernetes, jwt, oidc), fields that are not declared keep their values.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.update_secrets
options:
  path: &path
    description: Path of the mount, without C(auth/); by default the O(type).
    type: str
  type: &type
    description: Type of the method, such as V(kubernetes), V(approle), V(jwt), V(oidc), V(userpass), V(ldap), V(cert) or V(aws). Cannot be changed
      later.
    type: str
  description: &description
    description: Description for people.
    type: str
  local: &local
    description: Whether the mount is kept out of replication. Cannot be changed later.
    type: bool
  seal_wrap: &seal_wrap
    description: Whether the data of the mount is wrapped by the seal as well. Cannot be changed later.
    type: bool
  default_lease_ttl: &default_lease_ttl
    description: Default TTL of tokens, a duration; V(0) is the system's default.
    type: str
  max_lease_ttl: &max_lease_ttl
    description: Maximum TTL of tokens, a duration; V(0) is the system's maximum.
    type: str
  listing_visibility: &listing_visibility
    description: Whether the login page of the user interface shows the method.
    type: str
    choices: [hidden, unauth]
  token_type: &token_type
    description: Type of the tokens that the method issues.
    type: str
    choices: [default-service, default-batch, service, batch]
  passthrough_request_headers: &passthrough_request_headers
    description: Request headers that are passed to the method.
    type: list
    elements: str
  allowed_response_headers: &allowed_response_headers
    description: Response headers that the method may set.
    type: list
    elements: str
  audit_non_hmac_request_keys: &audit_non_hmac_request_keys
    description: Keys of requests that audit devices write in the clear.
    type: list
    elements: str
  audit_non_hmac_response_keys: &audit_non_hmac_response_keys
    description: Keys of answers that audit devices write in the clear.
    type: list
    elements: str
  user_lockout_config: &user_lockout_config
    description:
      - When a user is locked out after failed logins, for methods of type C(approle), C(ldap), C(userpass).
      - Fields that are left out stay unchanged. C(0) means the server's default.
    type: dict
    suboptions:
      lockout_threshold:
        description: Number of failed logins.
        type: int
      lockout_duration:
        description: How long the user is locked out, a duration.
        type: str
      lockout_counter_reset:
        description: Time without a failed login after which the counter is reset, a duration.
        type: str
      lockout_disable:
        description: Whether the lockout is disabled.
        type: bool
  config: &config
    description:
      - Configuration of the method, with the fields of C(auth/PATH/config); for aws, of C(config/client) and C(config/identity) do.
      - Durations, lists and certificates are compared by their meaning. Secrets are refused here, see O(secret_config).
      - A field that the server does not know is refused before anything is mounted. Where nobody can tell, as with a server that is newer than this
        collection, check mode warns, and a method that was made for it is removed again.
    type: dict
  secret_config: &secret_config
    description:
      - Secret fields of the configuration, such as C(token_reviewer_jwt) (kubernetes), C(bindpass) (ldap), C(oidc_client_secret) (oidc) or
        C(secret_key) (aws).
      - They are never printed. Those that the server never returns follow O(update_secrets), and are sent along whenever another field changes.
    type: dict
  methods:
    description: Many methods. Excludes O(path) and O(type).
    type: list
    elements: dict
    suboptions:
      path: *path
      type: *type
      description: *description
      local: *local
      seal_wrap: *seal_wrap
      default_lease_ttl: *default_lease_ttl
      max_lease_ttl: *max_lease_ttl
      listing_visibility: *listing_visibility
      token_type: *token_type
      passthrough_request_headers: *passthrough_request_headers
      allowed_response_headers: *allowed_response_headers
      audit_non_hmac_request_keys: *audit_non_hmac_request_keys
      audit_non_hmac_response_keys: *audit_non_hmac_response_keys
      user_lockout_config: *user_lockout_config
      config: *config
      secret_config: *secret_config
      state:
        description: Whether this method is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description:
      - Remove the methods that are not declared, except V(token), the one that the module is logged in by, and those in O(protected).
      - A method holds roles and users, so each must be named again in O(purge_data); otherwise nothing at all is done.
    type: bool
    default: false
  protected:
    description: Paths that O(purge) never removes.
    type: list
    elements: str
    default: []
  purge_data:
    description: Paths that O(purge) may remove, with all that is in them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Let service accounts of a Kubernetes cluster log in
  secretops.vault_eso.vault_auth:
    path: kubernetes/production
    type: kubernetes
    description: Production cluster
    config:
      kubernetes_host: https://10.0.0.10:6443
      kubernetes_ca_cert: "{{ lookup('ansible.builtin.file', 'production-ca.crt') }}"
      disable_local_ca_jwt: true

- name: Declare several methods
  secretops.vault_eso.vault_auth:
    methods:
      - type: approle
        max_lease_ttl: 24h
      - type: oidc
        listing_visibility: unauth
        config:
          oidc_discovery_url: https://idp.example.com/realms/platform
          oidc_client_id: vault
          default_role: reader
        secret_config:
          oidc_client_secret: "{{ platform_oidc_client_secret }}"
      - path: github
        state: absent
"""

RETURN = r"""
results:
  description: One entry per method.
  returned: always
  type: list
  elements: dict
  sample: [{kind: auth method, name: kubernetes, action: update, changed: true, fields: [config.kubernetes_host]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
accessor:
  description: Accessor of the mount, for templated policies and identity aliases. With O(methods) it is in each entry's C(info).
  returned: for a single method that exists
  type: str
  sample: auth_kubernetes_73071255
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.method import AuthMethods
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge


def main() -> None:
    converge(AuthMethods())


if __name__ == "__main__":
    main()
