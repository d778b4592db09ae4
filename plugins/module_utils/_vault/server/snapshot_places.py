# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The options of a place to which snapshots are copied: of the module, and of the roles that hand them on."""

from __future__ import annotations

from ..._engine.field import Field

PLACE = (
    Field(
        "url",
        (
            "C(/directory), which must exist, so that a file system that is not mounted is told.",
            "C(sftp://user@host:port/directory), by the program C(sftp); the account needs no shell.",
            "C(s3://bucket/prefix), by the Python library boto3, which is to be installed where snapshots are copied.",
        ),
        required=True,
    ),
    Field(
        "keep",
        "How many copies of this cluster to keep there. Older ones are removed after a new one was verified. Without it"
        " none is, and where a copy is fetched it has no effect.",
        "int",
    ),
    Field("ssh_key", "Private key for SSH, without a passphrase; by default those that SSH finds.", "path"),
    Field(
        "ssh_known_hosts",
        "File with the host's key, by default the user's own. A host that is not in it is refused.",
        "path",
    ),
    Field("s3_endpoint", "URL of an S3-compatible storage, by default that of Amazon."),
    Field("s3_region", "Region of the bucket."),
    Field(
        "s3_access_key",
        "Access key. Without it boto3 looks for a credential, as in its environment variables, files and the host's"
        " role.",
    ),
    Field("s3_secret_key", "The secret of C(s3_access_key).", secret=True),
    Field("s3_session_token", "Session token of a temporary credential.", secret=True),
    Field("s3_ca_cert", "File of the CA of the storage's certificate.", "path"),
    Field("s3_encryption", "Server-side encryption of the objects.", choices=("AES256", "aws:kms")),
    Field("s3_kms_key_id", "Key for C(aws:kms)."),
    Field(
        "s3_lock_mode",
        "Object lock, for which the bucket must be made. Until C(s3_lock_days) are over the storage keeps each copy,"
        " whoever removes it.",
        choices=("GOVERNANCE", "COMPLIANCE"),
    ),
    Field("s3_lock_days", "Days of the lock.", "int"),
    Field("s3_storage_class", "Storage class of the objects."),
)
