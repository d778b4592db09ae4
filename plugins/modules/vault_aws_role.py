#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_aws_role
short_description: Manage roles of the AWS secrets engine of Vault
version_added: 0.1.0
description:
  - Creates, updates and deletes the roles by which an AWS secrets engine gives credentials.
  - HashiCorp Vault has the engine built in. OpenBao takes it as an external plugin; where the server's plugin catalogue has none, the module
    says so before anything changes.
  - Policy documents are compared as data, durations and lists by their meaning. What is not declared stays as it is.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.mounts
options:
  mount: &mount
    description:
      - Path of the secrets engine; by default V(aws).
      - Next to O(roles), the mount of entries without one of their own.
    type: str
  name: &name
    description: Name of the role.
    type: str
  credential_type: &credential_type
    description: Type of the credentials. Cannot be changed later. Needed unless the role is to be absent.
    type: str
    choices: [assumed_role, federation_token, iam_user, session_token]
  policy_arns: &policy_arns
    description: ARNs of the policies of the users or sessions, all of them.
    type: list
    elements: str
  policy_document: &policy_document
    description: Policy of the users or sessions, as JSON text or as data.
    type: raw
  iam_groups: &iam_groups
    description: IAM groups of the users, or whose policies a session has, all of them.
    type: list
    elements: str
  iam_tags: &iam_tags
    description: Tags of the users, all of them.
    type: dict
  role_arns: &role_arns
    description: For V(assumed_role), ARNs of the roles that can be assumed, all of them.
    type: list
    elements: str
  session_tags: &session_tags
    description: For V(assumed_role), tags of the sessions, all of them.
    type: dict
  external_id: &external_id
    description: For V(assumed_role), the external id that the role asks for.
    type: str
  default_sts_ttl: &default_sts_ttl
    description: Default TTL of sessions, a duration.
    type: str
  max_sts_ttl: &max_sts_ttl
    description: Maximum TTL of sessions, a duration.
    type: str
  user_path: &user_path
    description: For V(iam_user), path of the users; the server's default is V(/).
    type: str
  permissions_boundary_arn: &permissions_boundary_arn
    description: For V(iam_user), ARN of the users' permissions boundary.
    type: str
  mfa_serial_number: &mfa_serial_number
    description: For V(session_token), number or ARN of the MFA device.
    type: str
  roles:
    description: Many roles. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      mount: *mount
      name:
        <<: *name
        required: true
      credential_type: *credential_type
      policy_arns: *policy_arns
      policy_document: *policy_document
      iam_groups: *iam_groups
      iam_tags: *iam_tags
      role_arns: *role_arns
      session_tags: *session_tags
      external_id: *external_id
      default_sts_ttl: *default_sts_ttl
      max_sts_ttl: *max_sts_ttl
      user_path: *user_path
      permissions_boundary_arn: *permissions_boundary_arn
      mfa_serial_number: *mfa_serial_number
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
seealso:
  - module: secretops.vault_eso.vault_aws_config
  - module: secretops.vault_eso.vault_secrets_engine
"""

EXAMPLES = r"""
- name: Let a pipeline assume a role
  secretops.vault_eso.vault_aws_role:
    name: deploy
    credential_type: assumed_role
    role_arns: ["arn:aws:iam::123456789012:role/deploy"]
    default_sts_ttl: 15m
    max_sts_ttl: 1h

- name: Declare all roles of a mount
  secretops.vault_eso.vault_aws_role:
    mount: aws
    roles:
      - name: reader
        credential_type: iam_user
        policy_document:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: s3:GetObject
              Resource: "arn:aws:s3:::example/*"
      - name: legacy
        state: absent
    purge: true
"""

RETURN = r"""
results:
  description: One entry per role.
  returned: always
  type: list
  elements: dict
  sample: [{kind: AWS role, name: aws/deploy, action: update, changed: true, fields: [max_sts_ttl]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.aws.role import AwsRoles


def main() -> None:
    converge(AwsRoles())


if __name__ == "__main__":
    main()
