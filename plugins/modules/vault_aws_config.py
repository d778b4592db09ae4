#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_aws_config
short_description: Manage how the AWS secrets engine of Vault reaches AWS
version_added: 0.1.0
description:
  - Sets the root configuration of an AWS secrets engine (C(config/root)) and how long its leases live (C(config/lease)).
  - HashiCorp Vault has the engine built in. OpenBao takes it as an external plugin; where the server's plugin catalogue has none, the module
    says so before anything changes.
  - What is not declared stays as it is. A configuration goes with its engine, so there is none to be absent.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.update_secrets
options:
  mount: &mount
    description: Path of the secrets engine.
    type: str
  access_key: &access_key
    description: ID of the engine's access key. Without one it uses the credentials of its machine.
    type: str
  secret_key: &secret_key
    description: The secret of O(access_key). The server never returns it; it is sent along when O(access_key) changes, else by O(update_secrets).
    type: str
  region: &region
    description: AWS region.
    type: str
  iam_endpoint: &iam_endpoint
    description: Address of IAM, when it is not AWS's own.
    type: str
  sts_endpoint: &sts_endpoint
    description: Address of STS, when it is not AWS's own.
    type: str
  sts_region: &sts_region
    description: Region of O(sts_endpoint).
    type: str
  max_retries: &max_retries
    description: How often a failed request to AWS is repeated; V(-1) is AWS's own default.
    type: int
  username_template: &username_template
    description: Template of the names of IAM users. Tag it C(!unsafe), or Ansible evaluates the braces itself.
    type: str
  role_arn: &role_arn
    description: Role that is assumed by workload identity federation, instead of O(access_key) (HashiCorp Vault Enterprise).
    type: str
  identity_token_audience: &identity_token_audience
    description: Audience of the tokens for that.
    type: str
  identity_token_ttl: &identity_token_ttl
    description: TTL of these tokens, a duration.
    type: str
  lease: &lease
    description: Initial TTL of the credentials of IAM users, a duration. The server requires O(lease_max) as well.
    type: str
  lease_max: &lease_max
    description: Maximum TTL of the credentials of IAM users, a duration.
    type: str
  configs:
    description: Configurations of many mounts. Excludes O(mount).
    type: list
    elements: dict
    suboptions:
      mount:
        <<: *mount
        required: true
      access_key: *access_key
      secret_key: *secret_key
      region: *region
      iam_endpoint: *iam_endpoint
      sts_endpoint: *sts_endpoint
      sts_region: *sts_region
      max_retries: *max_retries
      username_template: *username_template
      role_arn: *role_arn
      identity_token_audience: *identity_token_audience
      identity_token_ttl: *identity_token_ttl
      lease: *lease
      lease_max: *lease_max
      state:
        description: Only V(present) is possible.
        type: str
        choices: [present, absent]
seealso:
  - module: secretops.vault_eso.vault_aws_role
  - module: secretops.vault_eso.vault_secrets_engine
"""

EXAMPLES = r"""
- name: Mount the engine
  secretops.vault_eso.vault_secrets_engine:
    path: aws
    type: aws

- name: Give it a key
  secretops.vault_eso.vault_aws_config:
    mount: aws
    access_key: "{{ aws_access_key }}"
    secret_key: "{{ aws_secret_key }}"
    region: eu-central-1
    lease: 1h
    lease_max: 24h
"""

RETURN = r"""
results:
  description: One entry per mount.
  returned: always
  type: list
  elements: dict
  sample: [{kind: AWS configuration, name: aws, action: update, changed: true, fields: [region]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.aws.config import AwsConfigs


def main() -> None:
    converge(AwsConfigs())


if __name__ == "__main__":
    main()
