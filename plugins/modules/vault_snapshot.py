#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_snapshot
short_description: Save, verify and restore raft snapshots
version_added: 0.1.0
description:
  - With O(state=present) a snapshot is taken from the leader, verified (gzip, members, checksums, size, index), and given its name only then.
    A record stands beside it as C(NAME.snap.json), with cluster, index, term, version, seal, key share generation, checksum and time.
    Each run takes one.
  - With O(state=verified) the snapshot O(src) is verified, also against its record; the server is not asked.
  - With O(state=restored) the snapshot O(src) is verified, the cluster is put back to it, and the module waits until the cluster answers again.
  - A token that may only C(read) the path C(sys/storage/raft/snapshot) can save.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  state:
    description: What is to be done.
    type: str
    choices: [present, verified, restored]
    default: present
  dest:
    description:
      - Directory on the controller for snapshots, each named by cluster, time and index; created with mode 0700 when it is missing.
      - Or the name of one file, which ends in C(.snap).
    type: path
  src:
    description: Snapshot to verify or restore. Of a directory the newest snapshot with a record is taken.
    type: path
  keep:
    description: How many snapshots of this cluster to keep in O(dest). Older ones are removed after a new one has been verified. Without it none is.
    type: int
  min_size:
    description: Size in bytes that a snapshot has at the least.
    type: int
    default: 1024
  max_size:
    description: Size in bytes that a snapshot has at the most. A server that sends more is cut off, before the disk is full.
    type: int
    default: 17179869184
    version_added: 0.1.0
  transfer_timeout:
    description: Seconds in which the whole snapshot is to be fetched or sent.
    type: int
    default: 1800
    version_added: 0.1.0
  allow_lower_index:
    description: Accept a raft index that is lower than that of the newest snapshot, as after a restore into a new cluster.
    type: bool
    default: false
  key_store:
    description: Key store of the cluster, whose generation is recorded, no secret of it.
    type: path
  labels:
    description: What else to record beside the snapshot, such as a canary's value. Nothing secret.
    type: dict
    default: {}
  force:
    description:
      - With O(state=restored), restore a snapshot of another cluster, or of other key shares. The cluster then unseals with the shares of the snapshot.
      - With O(state=present), replace a file that exists.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait after a restore.
    type: int
    default: 120
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change. Snapshots that are to be restored are verified.
    support: full
  diff_mode:
    description: Shows that a snapshot is saved or restored.
    support: full
"""

EXAMPLES = r"""
- name: Save a snapshot and keep fourteen
  secretops.vault_eso.vault_snapshot:
    dest: /srv/backup/vault
    keep: 14

- name: Verify the newest
  secretops.vault_eso.vault_snapshot:
    state: verified
    src: /srv/backup/vault

- name: Put the cluster back
  secretops.vault_eso.vault_snapshot:
    state: restored
    src: /srv/backup/vault/vault-20260801T030000Z-1234.snap
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: snapshot, name: /srv/backup/vault, action: create, changed: true, fields: [saved]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 1, update: 0, delete: 0, none: 0, failed: 0, not_reached: 0}
path:
  description: Path of the snapshot.
  returned: success
  type: str
  sample: /srv/backup/vault/vault-20260801T030000Z-1234.snap
index:
  description: Raft index.
  returned: success
  type: int
  sample: 1234
term:
  description: Raft term.
  returned: success
  type: int
  sample: 3
size:
  description: Size in bytes.
  returned: success
  type: int
  sample: 16921
sha256:
  description: Checksum of the file.
  returned: success
  type: str
  sample: 34fd567a940a45dc4142e37f6f2c32ce2d18db1630a1f8921bcb7b9e4f764444
labels:
  description: What was recorded with it.
  returned: when there is a record
  type: dict
  sample: {canary: "20260801T030000"}
pruned:
  description: Paths of the snapshots that were removed.
  returned: when a snapshot was saved
  type: list
  elements: str
  sample: []
sealed:
  description: Whether the cluster is sealed after the restore and has to be unsealed.
  returned: when a snapshot was restored
  type: bool
  sample: false
token_valid:
  description: Whether the token that was used exists in the restored data; if not, log in again.
  returned: when a snapshot was restored
  type: bool
  sample: true
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server import snapshot

SPEC = {
    "state": {"type": "str", "choices": ["present", "verified", "restored"], "default": "present"},
    "dest": {"type": "path"},
    "src": {"type": "path"},
    "keep": {"type": "int"},
    "min_size": {"type": "int", "default": 1024},
    "max_size": {"type": "int", "default": 16 << 30},
    "transfer_timeout": {"type": "int", "default": 1800},
    "allow_lower_index": {"type": "bool", "default": False},
    "key_store": {"type": "path", "no_log": False},
    "labels": {"type": "dict", "default": {}},
    "force": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
}


def main() -> None:
    module = VaultModule(SPEC)
    if module.params["state"] == "verified":
        with module.failing_clearly():
            module.reconcile([snapshot.Verified(module.params)])
    with module.client() as client:
        module.reconcile([snapshot.resource(client, module.params)])


if __name__ == "__main__":
    main()
