#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_snapshot
short_description: Save, copy, verify, fetch and restore raft snapshots, and try a restore in a scratch server
version_added: 0.1.0
description:
  - With O(state=present) a snapshot is taken from the leader, verified (gzip, members, checksums, size, index), and given its name only then.
    A manifest stands beside it as C(NAME.snap.json), with product, version, cluster, index, term, seal, key share generation, checksum and time.
    Each run takes one. Where the leader changes meanwhile, it is taken from the next one.
  - Copies go to O(copies), encrypted where O(age_recipients) or O(gpg_public_keys) are given. Each is read back before it counts. Older ones are
    removed only after that, and those in O(dest) only when every copy has succeeded.
  - With O(state=ready) all that a snapshot needs is tried, each place by writing to it. Nothing is saved, and nothing is written to Vault.
  - With O(state=verified) the snapshot O(src) is verified, also against its manifest; the server is not asked.
  - With O(state=fetched) the newest copy of O(from_copy) is brought to O(dest), decrypted and verified; the server is not asked.
  - With O(state=restored) the snapshot O(src) is verified, the cluster is put back to it, and the module waits until the cluster answers again.
  - With O(state=drilled) a scratch server on the controller is put back to the snapshot O(src), unsealed with O(key_stores), and read. It is in
    a network namespace of its own, so that it revokes no lease anywhere, and ends with the module. No server of the cluster is asked.
  - A token that may only C(read) the path C(sys/storage/raft/snapshot) can save.
  - In S3, C(s3:PutObject) and C(s3:AbortMultipartUpload) are enough to save; C(s3:GetObject) to read back and fetch, C(s3:ListBucket) and
    C(s3:DeleteObject) for O(copies[].keep).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  state:
    description: What is to be done.
    type: str
    choices: [present, ready, verified, fetched, restored, drilled]
    default: present
  dest:
    description:
      - Directory on the controller for snapshots, each named by cluster, time and index; created with mode 0700 when it is missing.
      - Or the name of one file, which ends in C(.snap).
      - Without it snapshots are kept at O(copies) alone.
    type: path
  src:
    description: Snapshot to verify or restore. Of a directory the newest snapshot with a manifest is taken.
    type: path
  cluster:
    description:
      - Name of the cluster, in the names of files, in manifests and in metrics. By default the name that the server gives itself.
      - With O(state=fetched), the cluster whose snapshot is wanted.
    type: str
  copies:
    description: Places to which each snapshot is copied.
    type: list
    elements: dict
    suboptions: &place
      url:
        description:
          - C(/directory), which must exist, so that a file system that is not mounted is told.
          - C(sftp://user@host:port/directory), by the program C(sftp); the account needs no shell.
          - C(s3://bucket/prefix), by the Python library boto3, which is to be installed where snapshots are copied.
        type: str
        required: true
      keep:
        description: How many copies of this cluster to keep there. Older ones are removed after a new one was verified. Without it none is, and where
          a copy is fetched it has no effect.
        type: int
      ssh_key:
        description: Private key for SSH, without a passphrase; by default those that SSH finds.
        type: path
      ssh_known_hosts:
        description: File with the host's key, by default the user's own. A host that is not in it is refused.
        type: path
      s3_endpoint:
        description: URL of an S3-compatible storage, by default that of Amazon.
        type: str
      s3_region:
        description: Region of the bucket.
        type: str
      s3_access_key:
        description: Access key. Without it boto3 looks for a credential, as in its environment variables, files and the host's role.
        type: str
      s3_secret_key:
        description: The secret of C(s3_access_key).
        type: str
      s3_session_token:
        description: Session token of a temporary credential.
        type: str
      s3_ca_cert:
        description: File of the CA of the storage's certificate.
        type: path
      s3_encryption:
        description: Server-side encryption of the objects.
        type: str
        choices: [AES256, 'aws:kms']
      s3_kms_key_id:
        description: Key for C(aws:kms).
        type: str
      s3_lock_mode:
        description: Object lock, for which the bucket must be made. Until C(s3_lock_days) are over the storage keeps each copy, whoever removes it.
        type: str
        choices: [GOVERNANCE, COMPLIANCE]
      s3_lock_days:
        description: Days of the lock.
        type: int
      s3_storage_class:
        description: Storage class of the objects.
        type: str
  from_copy:
    description: Place that O(state=fetched) takes a snapshot from, described as in O(copies).
    type: dict
    suboptions: *place
  copy_name:
    description: Name of the copy that O(state=fetched) takes, by default the newest.
    type: str
  age_recipients:
    description: Public keys for which copies are encrypted by the program C(age), which is to be installed where the module runs.
    type: list
    elements: str
  gpg_public_keys:
    description: Files with public keys for which copies are encrypted by the program C(gpg), instead of age.
    type: list
    elements: path
  age_identity:
    description: File with the private key of age, for O(state=fetched).
    type: path
  gnupg_home:
    description: Directory of GnuPG with the private key, for O(state=fetched). By default the user's own.
    type: path
  metrics_file:
    description:
      - File for the textfile collector of Prometheus' node_exporter, named C(*.prom). Written at success and at failure, with mode 0644.
      - C(vault_snapshot_last_success_timestamp_seconds), C(vault_snapshot_last_run_success), C(vault_snapshot_size_bytes) and more, by cluster.
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
    description: Seconds in which the whole snapshot is to be fetched or sent, and in which each copy is to be written.
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
  key_stores:
    description:
      - With O(state=restored), key stores of which the shares may open the cluster afterwards, for what the module returns as RV(key_stores).
      - With O(state=drilled), key stores that are tried, of the cluster of the snapshot and with shares in clear.
      - The shares from before a rekey, which a key store keeps, count as well.
      - Once they are named, a snapshot of another cluster is restored only when one of them holds shares of that cluster in clear.
    type: list
    elements: path
  labels:
    description: What else to record in the manifest, such as a canary's value. Nothing secret.
    type: dict
    default: {}
  force:
    description:
      - With O(state=restored), restore a snapshot of another cluster, or of other key shares. The cluster then unseals with the shares of the snapshot.
      - With O(state=present), replace a file that exists.
    type: bool
    default: false
  binary:
    description: With O(state=drilled), program of the scratch server, of the cluster's version. By default C(bao), then C(vault) in the C(PATH).
    type: path
  max_age:
    description: With O(state=drilled), age in seconds at which a snapshot is too old.
    type: int
  canary_mount:
    description: With O(state=drilled), mount of the KV engine that holds the canary.
    type: str
    default: secret
  canary_path:
    description: With O(state=drilled), path of the canary, whose value is that of the label C(canary). Empty for none.
    type: str
    default: snapshot-canary
  wait_timeout:
    description: Seconds to wait after a restore, and for the next leader when the leader changes while a snapshot is saved.
    type: int
    default: 120
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change. Places are looked at only. Snapshots that are to be restored are verified.
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

- name: Save a snapshot, and copy it to two other places
  secretops.vault_eso.vault_snapshot:
    dest: /srv/backup/vault
    keep: 3
    copies:
      - url: sftp://vault-backup@backup.example.com/snapshots
        keep: 30
        ssh_key: /etc/vault-backup/id_ed25519
      - url: s3://vault-snapshots/production
        s3_encryption: aws:kms
        s3_lock_mode: COMPLIANCE
        s3_lock_days: 35
    age_recipients:
      - age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
    metrics_file: /var/lib/prometheus/node-exporter/vault_snapshot.prom

- name: Bring the newest copy back
  secretops.vault_eso.vault_snapshot:
    state: fetched
    from_copy:
      url: s3://vault-snapshots/production
    age_identity: /root/age-identity.txt
    dest: /srv/restore

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
copies:
  description: The copies that were made, with the checksums of the files there; C(read_back) is false where the identity may only write.
  returned: when a snapshot was saved
  type: list
  elements: dict
  sample:
    - url: s3://vault-snapshots/production
      name: vault-20260801T030000Z-1234.snap.age
      size: 17121
      sha256: 34fd567a940a45dc4142e37f6f2c32ce2d18db1630a1f8921bcb7b9e4f764444
      read_back: true
      pruned: []
age:
  description: How many seconds ago the snapshot was saved.
  returned: when a snapshot was fetched
  type: int
  sample: 3600
labels:
  description: What was recorded with it.
  returned: when there is a manifest
  type: dict
  sample: {canary: "20260801T030000"}
pruned:
  description: Paths of the snapshots that were removed.
  returned: when a snapshot was saved
  type: list
  elements: str
  sample: []
rpo:
  description: Age of the snapshot in seconds, what would be lost at the most.
  returned: with O(state=drilled)
  type: int
  sample: 3600
rto:
  description: Seconds that verifying, restoring, unsealing and reading took.
  returned: with O(state=drilled)
  type: float
  sample: 21.3
phases:
  description: Seconds that each part took.
  returned: when a snapshot was fetched or drilled
  type: dict
  sample: {verify: 0.1, start: 5.2, restore: 3.1, unseal: 9.8, read: 0.3}
counts:
  description: How many mounts, auth methods and policies the restored data holds.
  returned: with O(state=drilled)
  type: dict
  sample: {mounts: 5, auth_methods: 3, policies: 12}
counts_compared:
  description: Whether they were compared with the label C(counts), which then are the same.
  returned: with O(state=drilled)
  type: bool
  sample: true
canary:
  description: Whether the canary was read.
  returned: with O(state=drilled)
  type: str
  sample: read
other_cluster:
  description: Whether the snapshot is known to be of another cluster.
  returned: with O(state=restored)
  type: bool
  sample: false
key_stores:
  description: Those of O(key_stores) that may open the cluster after the restore, the likeliest first.
  returned: with O(state=restored), when O(key_stores) is given
  type: list
  elements: str
  sample: [/srv/vault/unseal-keys.json]
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

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.field import argument_spec
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server import snapshot
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.snapshot_places import PLACE

SPEC = {
    "state": {
        "type": "str",
        "choices": ["present", "ready", "verified", "fetched", "restored", "drilled"],
        "default": "present",
    },
    "dest": {"type": "path"},
    "src": {"type": "path"},
    "cluster": {"type": "str"},
    "copies": {"type": "list", "elements": "dict", "options": argument_spec(PLACE)},
    "from_copy": {"type": "dict", "options": argument_spec(PLACE)},
    "copy_name": {"type": "str"},
    "age_recipients": {"type": "list", "elements": "str"},
    "gpg_public_keys": {"type": "list", "elements": "path", "no_log": False},
    "age_identity": {"type": "path"},
    "gnupg_home": {"type": "path"},
    "metrics_file": {"type": "path"},
    "keep": {"type": "int"},
    "min_size": {"type": "int", "default": 1024},
    "max_size": {"type": "int", "default": 16 << 30},
    "transfer_timeout": {"type": "int", "default": 1800},
    "allow_lower_index": {"type": "bool", "default": False},
    "key_store": {"type": "path", "no_log": False},
    "key_stores": {"type": "list", "elements": "path", "no_log": False},
    "labels": {"type": "dict", "default": {}},
    "binary": {"type": "path"},
    "max_age": {"type": "int"},
    "canary_mount": {"type": "str", "default": "secret"},
    "canary_path": {"type": "str", "default": "snapshot-canary"},
    "force": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
}


def main() -> None:
    module = VaultModule(SPEC)
    if module.params["state"] in snapshot.OFFLINE:
        with module.failing_clearly():
            module.reconcile([snapshot.offline(module.params)])
    with module.client() as client:
        module.reconcile([snapshot.resource(client, module.params, module.check_mode)])


if __name__ == "__main__":
    main()
