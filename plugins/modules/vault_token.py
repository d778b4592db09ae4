#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_token
short_description: Create, look up, renew and revoke tokens of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates a token, and looks up, renews or revokes one by the token itself or by its accessor.
  - A created token is in the registered variable, or in a file of mode 0600. The output of the task shows no token, as with C(no_log=true). An error is shown.
  - For the token of a play use P(secretops.vault_eso.vault_login#module).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  action:
    description:
      - What to do. V(create) makes another token at each run.
      - V(revoke) of a token that does not exist any more is no change.
    type: str
    choices: [create, lookup, renew, revoke]
    required: true
  target:
    description: Token to look up, renew or revoke; by default the one that the module logs in with. With O(action=revoke) this or O(accessor) must be given.
    type: str
  accessor:
    description: Accessor of that token instead.
    type: str
  increment:
    description: For O(action=renew), the TTL that is asked for, a duration; by default what the token's role says.
    type: str
  dest:
    description: For O(action=create), path of a file for the token, which is not in the result then. It gets mode 0600.
    type: path
  policies:
    description: For O(action=create), the policies of the token; by default those of the login.
    type: list
    elements: str
  token_role:
    description: For O(action=create), token role to create it by.
    type: str
  ttl:
    description: For O(action=create), a duration after which the token ends unless it is renewed.
    type: str
  period:
    description: For O(action=create), a duration that each renewal gives, without an end.
    type: str
  explicit_max_ttl:
    description: For O(action=create), a duration after which the token ends in any case.
    type: str
  type:
    description: For O(action=create), the kind of token. A batch token is not stored and cannot be revoked.
    type: str
    choices: [service, batch]
  num_uses:
    description: For O(action=create), how many requests it is good for; V(0) for any number.
    type: int
  orphan:
    description: For O(action=create), let it outlive the token that creates it. Needs more permissions.
    type: bool
    default: false
  renewable:
    description: For O(action=create), whether it can be renewed.
    type: bool
  no_default_policy:
    description: For O(action=create), leave out the policy C(default).
    type: bool
  display_name:
    description: For O(action=create), name of the token in audit logs.
    type: str
  metadata:
    description: For O(action=create), text by name for audit logs.
    type: dict
attributes:
  action:
    description: Runs the module, and masks its result.
    support: full
  check_mode:
    description: Creates, renews and revokes nothing in check mode. Looks the token up, as far as there is one.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
seealso:
  - module: secretops.vault_eso.vault_login
"""

EXAMPLES = r"""
- name: Create a token for a pipeline
  secretops.vault_eso.vault_token:
    action: create
    policies: [reader]
    ttl: 20m
    display_name: pipeline
  register: pipeline

- name: Look at it
  secretops.vault_eso.vault_token:
    action: lookup
    accessor: "{{ pipeline.accessor }}"
  register: found

- name: Let it live on
  secretops.vault_eso.vault_token:
    action: renew
    accessor: "{{ pipeline.accessor }}"
    increment: 20m

- name: End it
  secretops.vault_eso.vault_token:
    action: revoke
    accessor: "{{ pipeline.accessor }}"
"""

RETURN = r"""
token:
  description: The token.
  returned: with O(action=create) without O(dest), not in check mode
  type: str
  sample: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER
accessor:
  description: The token's accessor; batch tokens have none.
  returned: when there is a token
  type: str
  sample: 3Xn9ooTrEJ5cOWFIBhVrQ7zz
policies:
  description: Its policies.
  returned: when there is a token
  type: list
  elements: str
  sample: [default, reader]
ttl:
  description: Seconds until it ends unless it is renewed, 0 for never.
  returned: when there is a token
  type: int
  sample: 1200
renewable:
  description: Whether it can be renewed.
  returned: when there is a token
  type: bool
  sample: true
info:
  description: All that the server tells about it, without the token itself.
  returned: with O(action=lookup)
  type: dict
  sample: {display_name: token-pipeline, orphan: false, num_uses: 0, path: auth/token/create, type: service}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection import token
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule

SPEC = {
    "action": {"type": "str", "choices": ["create", "lookup", "renew", "revoke"], "required": True},
    "target": {"type": "str", "no_log": True},
    "accessor": {"type": "str", "no_log": False},
    "increment": {"type": "str"},
    "dest": {"type": "path"},
    "policies": {"type": "list", "elements": "str"},
    "token_role": {"type": "str", "no_log": False},
    "ttl": {"type": "str"},
    "period": {"type": "str"},
    "explicit_max_ttl": {"type": "str"},
    "type": {"type": "str", "choices": ["service", "batch"]},
    "num_uses": {"type": "int"},
    "orphan": {"type": "bool", "default": False},
    "renewable": {"type": "bool"},
    "no_default_policy": {"type": "bool"},
    "display_name": {"type": "str"},
    "metadata": {"type": "dict"},
}


def main() -> None:
    module = VaultModule(SPEC, mutually_exclusive=[["target", "accessor"]])
    with module.failing_clearly():
        token.check(module.params)
    with module.client() as client:
        module.ansible.exit_json(**token.act(client, module.params, module.check_mode))


if __name__ == "__main__":
    main()
