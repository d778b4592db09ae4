# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and return values that all converging modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """State, bulk, check mode."""

    DOCUMENTATION = r"""
options:
  state:
    description: Whether the object is to exist. With a list, what holds for entries without a state of their own.
    type: str
    choices: [present, absent]
    default: present
  workers:
    description: How many requests are under way at the same time, over one pool of connections.
    type: int
    default: 4
  report:
    description:
      - Which objects have an entry in the result C(results). With V(changes) those that were changed, or would be, or failed.
      - For lists of hundreds of objects V(changes) makes the result, and with it the task, considerably smaller and faster.
    type: str
    choices: [all, changes]
    default: all
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change.
    support: full
  diff_mode:
    description: Names the fields that change, with their values unless these are secret.
    support: full
"""

    UPDATE_SECRETS = r"""
options:
  update_secrets:
    description:
      - What becomes of fields that the server never returns, such as passwords.
      - With V(on_create) they are written when the object is created, with V(always) at every run, which then always reports a change.
    type: str
    choices: [on_create, always]
    default: on_create
"""

    MOUNTS = r"""
options:
  purge_mounts:
    description:
      - Mounts that O(purge) looks into as well, whatever is declared in them.
      - Without it these are O(mount) and the mounts of the declared objects; in a tree (M(secretops.vault_eso.vault_configuration))
        also the mounts of the fitting type that the tree declares.
    type: list
    elements: str
    default: []
"""
