#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: vault_raft_data
short_description: Read how far a host's raft data are, or set them aside
version_added: 0.1.0
description:
  - Reads the data directory of integrated storage on a host, also while the server is stopped or sealed. It tells the last entry of the log,
    by which the most recent of several nodes is found, and the peers as this node knows them.
  - Sets the data aside, so that the server joins its cluster as a new node. Nothing is deleted.
  - Runs on the host and needs nothing there but Python 3.9. What the storage holds is encrypted and is not read.
author: secretops.vault_eso contributors (@secretops)
options:
  path:
    description: The data directory, C(path) of the server's raft storage.
    type: path
    required: true
  state:
    description:
      - V(present) reads. V(aside) moves the data into a directory C(set-aside-TIME) inside of O(path), on the same file system.
      - Data that a server has open are not moved; stop it first.
    type: str
    choices: [present, aside]
    default: present
attributes:
  check_mode:
    description: Reads everything, moves nothing, and reports what would change.
    support: full
  diff_mode:
    description: There is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Read how far the data are
  secretops.vault_eso.vault_raft_data:
    path: /opt/openbao/data
  become: true
  register: data

- name: Set the data aside
  secretops.vault_eso.vault_raft_data:
    path: /opt/openbao/data
    state: aside
  become: true
"""

RETURN = r"""
exists:
  description: Whether there are files of a server.
  returned: success
  type: bool
  sample: true
used:
  description: Whether a server has worked with them. Data that cannot be read count as used.
  returned: success
  type: bool
  sample: true
opened:
  description: Whether a node was ever unsealed with them, so that they may hold secrets. An initialisation alone does not count, data that cannot
    be read do.
  returned: success
  type: bool
  sample: true
term:
  description: The term of the last entry of the log. Of two nodes the one with the higher term is more recent, and of the same term the one with the higher
    index.
  returned: success
  type: int
  sample: 3
index:
  description: The index of the last entry of the log.
  returned: success
  type: int
  sample: 237
applied_index:
  description: The index of the last entry that was applied.
  returned: success
  type: int
  sample: 237
peers:
  description: The peers as this node knew them last, each with id, address and suffrage.
  returned: success
  type: list
  elements: dict
  sample: [{id: vault-1, address: "192.0.2.11:8201", suffrage: voter}]
running:
  description: Whether a server has the data open.
  returned: success
  type: bool
  sample: false
forced:
  description: Whether a file C(peers.json) waits for the server's next start.
  returned: success
  type: bool
  sample: false
problem:
  description: Why the data cannot be read; empty when they can.
  returned: success
  type: str
  sample: ""
aside:
  description: Where the data were set aside; empty when there were none.
  returned: when O(state=aside)
  type: str
  sample: /opt/openbao/data/set-aside-20261128T013000Z
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.module import Module
from ansible_collections.secretops.vault_eso.plugins.module_utils._host import raft_data

SPEC = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "aside"], "default": "present"},
}


def main() -> None:
    module = Module(SPEC)
    with module.failing_clearly():
        module.ansible.exit_json(**raft_data.converge(module.params, module.check_mode))


if __name__ == "__main__":
    main()
