#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_login
short_description: Log in to Vault or OpenBao once for a play
version_added: 0.1.0
description:
  - Logs in by any auth method and writes the token to a file that only its owner can read. Other modules read it by their O(token_file),
    and renew it when half of its TTL is over.
  - With O(state=absent) the token is revoked and the file removed; do that in the C(always) section of the play's block.
  - The token is in no result, no fact and no argument.
  - Without O(dest) the file is in a directory of the user's own, the same for all runs. A token that a run left there, because it
    was interrupted or killed, is revoked by the next login of the same user.
  - A token that an interrupted run left in O(dest) is revoked when another one is written there.
  - A token is sent to the server that it came from and to no other; a record without secrets beside the file (C(.session)) names it.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  state:
    description:
      - V(present) logs in, V(absent) revokes the token in O(dest) and removes the file.
      - V(absent) needs no login, works with an expired token, and removes the file with a warning when no server answers.
    type: str
    choices: [present, absent]
    default: present
  dest:
    description:
      - Path of the file for the token. It gets mode 0600 and is written whole or not at all.
      - Its directory must be private (mode 0700) and is made when it does not exist. Choose one in memory, such as below C(/dev/shm).
      - By default a new file below O(directory), whose path is returned. Needed for O(state=absent), which refuses a file that is
        not a login's.
    type: path
  directory:
    description:
      - Directory for the sessions of all users, each with a private one of its own in it. For a login without O(dest).
      - By default E(XDG_RUNTIME_DIR), else C(/dev/shm), else the system's directory for temporary files.
    type: path
  child:
    description:
      - For O(auth_method=token), make a child token and write that one, with O(policies) and O(ttl) of its own.
      - Without it the token that exists is written to O(dest), and O(state=absent) removes the file without revoking that token.
    type: bool
    default: false
  policies:
    description: Policies of the child token; by default those of its parent.
    type: list
    elements: str
  ttl:
    description:
      - TTL of the token, a duration such as V(20m). A short one ends early what a killed run leaves; modules renew it as they use it.
      - For a child token, and for logins other than V(token), whose auth role's TTL is the default.
    type: str
  display_name:
    description: Name of the child token in audit logs.
    type: str
attributes:
  check_mode:
    description: Logs in, but does not log out.
    details:
      - With O(state=present) it logs in and writes the file in check mode too, as later tasks cannot read without a token. Nothing that is declared changes.
      - With O(state=absent) nothing is done in check mode; set C(check_mode=false) on that task.
    support: partial
  diff_mode:
    description: There is nothing to show.
    support: none
notes:
  - Never reports a change, as a login changes nothing that anybody declares.
"""

EXAMPLES = r"""
- name: Work with one login
  module_defaults:
    group/secretops.vault_eso.vault:
      url: https://vault.example.com:8200
      token_file: /dev/shm/deploy/token
  block:
    - name: Log in
      secretops.vault_eso.vault_login:
        auth_method: approle
        role_id_file: ~/.vault/role-id
        secret_id_file: ~/.vault/secret-id
        dest: /dev/shm/deploy/token
        ttl: 20m

    - name: Declare a policy
      secretops.vault_eso.vault_policy:
        name: reader
        rules:
          - path: secret/data/*
            capabilities: [read]
  always:
    - name: Log out
      secretops.vault_eso.vault_login:
        state: absent
        dest: /dev/shm/deploy/token
      check_mode: false
"""

RETURN = r"""
dest:
  description: Path of the file.
  returned: always
  type: str
  sample: /dev/shm/deploy/token
url:
  description: Address that the login went to.
  returned: with O(state=present)
  type: str
  sample: https://vault.example.com:8200
ttl:
  description: Seconds that the token has left; 0 is without end.
  returned: with O(state=present)
  type: int
  sample: 3600
renewable:
  description: Whether the token can be renewed.
  returned: with O(state=present)
  type: bool
  sample: true
policies:
  description: Policies of the token.
  returned: with O(state=present)
  type: list
  elements: str
  sample: [default, operator]
display_name:
  description: Name of the token in audit logs.
  returned: with O(state=present)
  type: str
  sample: approle
revoked:
  description: Whether a token was revoked.
  returned: with O(state=absent)
  type: bool
  sample: true
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.registry import login_for
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection import session
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule, connect

SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "dest": {"type": "path"},
    "directory": {"type": "path"},
    "child": {"type": "bool", "default": False},
    "policies": {"type": "list", "elements": "str"},
    "ttl": {"type": "str"},
    "display_name": {"type": "str"},
}


def main() -> None:
    module = VaultModule(SPEC)
    params, warn = module.params, module.ansible.warn
    with module.failing_clearly():
        session.check(params)
        if params["state"] == "absent":
            result = session.end(params, warn, module.check_mode)
        else:
            result = session.begin(connect(params, warn=warn), login_for(params), params, warn)
        module.ansible.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
