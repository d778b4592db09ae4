#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_auth_role
short_description: Manage roles of auth methods of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes the roles of auth methods, and what other methods call users, groups and certificates.
  - Works with the types kubernetes, approle, jwt, oidc, token (roles), userpass (users), ldap (groups and users), cert (certificates)
    and aws (roles, and the STS roles of other accounts).
  - Durations, lists, address blocks and defaults are compared by their meaning. Fields that are not declared are left alone.
  - A role that names a policy which does not exist gives a warning.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.mounts
  - secretops.vault_eso.reconcile.update_secrets
options:
  mount: &mount
    description:
      - Path of the auth method, without C(auth/); by default the O(type).
      - Next to O(roles), the mount of entries without one of their own.
    type: str
  type: &type
    description: Type of the auth method; by default that of O(mount). Next to O(roles), that of entries without one of their own.
    type: str
    choices: [approle, aws, cert, jwt, kubernetes, ldap, oidc, token, userpass]
  name: &name
    description: Name of the role, user, group or certificate, or ID of the AWS account.
    type: str
  subject: &subject
    description:
      - For ldap, whether O(name) is that of a group or a user; a group by default.
      - For aws, V(sts_account) declares with which role (C(sts_role), C(external_id) in O(options)) the account with this ID is accessed.
    type: str
    choices: [group, sts_account, user]
  token_policies: &token_policies
    description: Policies of the tokens. A role of type token has C(allowed_policies) in O(options) instead, and no TTL but the explicit one.
    type: list
    elements: str
  token_ttl: &token_ttl
    description: Initial TTL of the tokens, a duration; V(0) is the method's default.
    type: str
  token_max_ttl: &token_max_ttl
    description: Maximum TTL of the tokens including renewals, a duration.
    type: str
  token_explicit_max_ttl: &token_explicit_max_ttl
    description: TTL that neither a renewal nor another setting extends, a duration.
    type: str
  token_period: &token_period
    description: Makes the tokens periodic - they stay valid as long as they are renewed within this duration.
    type: str
  token_num_uses: &token_num_uses
    description: How often a token can be used; V(0) is without limit.
    type: int
  token_bound_cidrs: &token_bound_cidrs
    description: Address blocks from which one may log in and use the tokens.
    type: list
    elements: str
  token_strictly_bind_ip: &token_strictly_bind_ip
    description: Whether a token is bound to the address that it was issued to (OpenBao).
    type: bool
  token_no_default_policy: &token_no_default_policy
    description: Whether the tokens go without the policy V(default).
    type: bool
  token_type: &token_type
    description: Type of the tokens.
    type: str
    choices: [default, service, batch, default-service, default-batch]
  bound_service_account_names: &bound_service_account_names
    description: For kubernetes, names of the service accounts that may log in.
    type: list
    elements: str
  bound_service_account_namespaces: &bound_service_account_namespaces
    description: For kubernetes, namespaces of these service accounts.
    type: list
    elements: str
  bound_service_account_namespace_selector: &bound_service_account_namespace_selector
    description: For kubernetes, label selector of these namespaces, as JSON or YAML text, or as data.
    type: raw
  audience: &audience
    description:
      - For kubernetes, audience that a service account's token must have.
      - A role without one gives a warning, once for all roles of a task.
    type: str
  alias_name_source: &alias_name_source
    description: For kubernetes, the source of the alias name.
    type: str
    choices: [serviceaccount_uid, serviceaccount_name]
  options: &options
    description:
      - All other fields by their names in the API, such as C(secret_id_ttl) (approle), C(bound_claims) (jwt), C(certificate) (cert),
        C(bound_iam_principal_arn) (aws) or C(allowed_policies) (token).
      - Secrets are refused here, see O(secret_options).
    type: dict
  secret_options: &secret_options
    description: Secret fields, such as C(password) (userpass) or C(role_id) (approle). They follow O(update_secrets) when the server never returns
      them.
    type: dict
  roles:
    description: Many roles. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      mount: *mount
      type: *type
      name:
        <<: *name
        required: true
      subject: *subject
      token_policies: *token_policies
      token_ttl: *token_ttl
      token_max_ttl: *token_max_ttl
      token_explicit_max_ttl: *token_explicit_max_ttl
      token_period: *token_period
      token_num_uses: *token_num_uses
      token_bound_cidrs: *token_bound_cidrs
      token_strictly_bind_ip: *token_strictly_bind_ip
      token_no_default_policy: *token_no_default_policy
      token_type: *token_type
      bound_service_account_names: *bound_service_account_names
      bound_service_account_namespaces: *bound_service_account_namespaces
      bound_service_account_namespace_selector: *bound_service_account_namespace_selector
      audience: *audience
      alias_name_source: *alias_name_source
      options: *options
      secret_options: *secret_options
      state:
        description: Whether this role is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the roles that are not declared, in the mounts that O(roles) names and in O(mount). See O(purge_mounts).
    type: bool
    default: false
  protected:
    description: Names, or mount and name with a slash between them, that O(purge) never deletes.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Let External Secrets Operator log in
  secretops.vault_eso.vault_auth_role:
    mount: kubernetes
    name: external-secrets
    bound_service_account_names: [external-secrets]
    bound_service_account_namespaces: [external-secrets]
    audience: vault
    token_policies: [external-secrets]
    token_ttl: 15m

- name: Declare all roles of a mount and remove the others
  secretops.vault_eso.vault_auth_role:
    mount: approle
    roles:
      - name: cicd-pipeline
        token_policies: [cicd]
        token_ttl: 1h
        token_max_ttl: 4h
        options:
          secret_id_ttl: 24h
      - name: legacy
        state: absent
    purge: true

- name: Let a pipeline make short tokens of its own
  secretops.vault_eso.vault_auth_role:
    type: token
    name: pipeline
    token_explicit_max_ttl: 1h
    token_type: service
    options:
      allowed_policies: [cicd]
      disallowed_policies_glob: ["admin*"]
      orphan: true

- name: Let a workload in AWS log in, from another account too
  secretops.vault_eso.vault_auth_role:
    mount: aws
    roles:
      - name: worker
        token_policies: [worker]
        options:
          auth_type: iam
          bound_iam_principal_arn: ["arn:aws:iam::123456789012:role/worker"]
      - name: "210987654321"
        subject: sts_account
        options:
          sts_role: arn:aws:iam::210987654321:role/vault

- name: Declare a user
  secretops.vault_eso.vault_auth_role:
    mount: userpass
    name: alice
    token_policies: [operator]
    secret_options:
      password: "{{ alice_password }}"
"""

RETURN = r"""
results:
  description: One entry per role.
  returned: always
  type: list
  elements: dict
  sample: [{kind: auth role, name: kubernetes/external-secrets, action: update, changed: true, fields: [token_ttl]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.role import AuthRoles
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge


def main() -> None:
    converge(AuthRoles())


if __name__ == "__main__":
    main()
