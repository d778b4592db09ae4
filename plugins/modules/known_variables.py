#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: known_variables
short_description: Refuse misspelt and misshapen variables of the roles of this collection
version_added: 0.1.0
description:
  - Ansible ignores a variable that no role reads. This action fails when the host has a variable with the prefix of a role that the role does
    not know, and names the nearest one that it does.
  - Every role of this collection begins with it, and C(site) does so for all its roles before anything changes.
  - A variable belongs to the role with the longest matching prefix. Variables of your own that have such a prefix are named in the variable
    C(vault_eso_own_variables), a list or a text separated by commas.
  - An inventory says by the variable C(vault_eso_required) what else has to be set, a mapping of names to where they belong. What is not set
    is named before anything changes, all of it at once.
author: secretops.vault_eso contributors (@secretops)
options:
  roles:
    description: The roles whose variables are checked; inside of a role by default that one.
    type: list
    elements: str
  values:
    description:
      - Whether the values are checked as well, against the roles' argument specifications. By default inside of a role, where O(roles) is not set.
      - Ansible's own validation prints a value that it refuses, secrets in it too. So the roles leave lists and mappings with suboptions to this
        action, whose messages hold no values.
      - A variable that is put together from others of different shapes, such as a list and a mapping, is named with what each of them is.
    type: bool
  entry_point:
    description:
      - Inside of a role, the entry point whose options are checked, instead of those of all entry points. Required options that are missing are
        named, and a value that cannot be evaluated is an error.
      - So everything is checked that Ansible's own validation of a role checks, and a play that includes the role can leave that out by
        C(rolespec_validate=false); evaluating each variable twice takes time.
    type: str
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Changes nothing, so that there is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Refuse misspelt variables before anything changes
  secretops.vault_eso.known_variables:
    roles: [vault_config, vault_session]
"""

RETURN = r"""
roles:
  description: The roles whose variables were checked.
  returned: success
  type: list
  elements: str
  sample: [vault_config, vault_session]
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    # Ansible runs the action of the same name (plugins/action); only it knows the variables.
    module = AnsibleModule(
        {
            "roles": {"type": "list", "elements": "str"},
            "values": {"type": "bool"},
            "entry_point": {"type": "str"},
        },
        supports_check_mode=True,
    )
    module.fail_json(msg="known_variables is an action: run it as a task of a play")


if __name__ == "__main__":
    main()
