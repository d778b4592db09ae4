# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The fields of a secret, and of its metadata. Source: /api-docs/secret/kv/kv-v2 (create/update metadata)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.field import Field, normalisers
from ...base import naming
from ...base.normalisers import count

METADATA = (
    Field("max_versions", "How many versions are kept; V(0) for the engine's setting.", type="int", normaliser=count),
    Field("cas_required", "Refuse writes without the version that they are based on.", type="bool"),
    Field(
        "metadata_cas_required",
        (
            "Refuse changes of the metadata without the version that they are based on (OpenBao).",
            "The module always sends it where the server has one.",
        ),
        type="bool",
    ),
    Field(
        "delete_version_after",
        "How long a version is kept, a duration; V(0) for ever.",
        normaliser=lambda value: normalise.seconds(value or 0),
    ),
    Field(
        "custom_metadata",
        "Text by name, for people and programs; replaces what was there.",
        type="dict",
        normaliser=normalise.string_map,
    ),
)
FIELDS = (
    Field(
        "mount",
        (
            "Path at which the KV engine is mounted. For an entry of O(secrets) by default the module's O(mount), and "
            "V(secret) without either."
        ),
        sent=False,
    ),
    Field("path", "Path of the secret inside the mount, without C(data/).", sent=False),
    Field(
        "data",
        (
            "Keys and values. Values may be any JSON value. They are compared as JSON, so the number 1 and the text "
            '"1" differ.'
        ),
        type="dict",
        secret=True,
    ),
    Field(
        "mode",
        "With V(merge) undeclared keys stay unchanged, with V(exact) they are removed.",
        choices=("merge", "exact"),
        default="merge",
        sent=False,
    ),
    Field(
        "generate",
        (
            (
                "Keys whose values are generated at random, here or by a password policy of the server, where the key "
                "is missing."
            ),
            (
                "Each key has a mapping, which may be empty, with C(format) (V(text), V(hex), V(base64), "
                "V(base64url), V(uuid), V(policy); text by default), C(length) (characters of text, or bytes of the "
                "others; 32 by default), C(charset) (V(alnum), V(alpha), V(lower), V(upper), V(digits), V(symbols) or "
                "the characters themselves; alnum by default), C(policy) (name of a password policy) and C(rotate)."
            ),
            "With C(rotate=true) the key gets a new value in every run.",
            ("In check mode no password policy is asked for a value, and one that does not exist (yet) is a warning."),
        ),
        type="dict",
        sent=False,
    ),
    Field("remove", "Keys to remove, with O(mode=merge).", type="list", elements="str", sent=False),
    Field(
        "cas",
        (
            "Write only when this is the current version; V(0) means only when there is none.",
            (
                "Without it the version that was read is used, and a merge is retried when somebody else wrote in "
                "between."
            ),
        ),
        type="int",
        sent=False,
    ),
    Field(
        "metadata",
        (
            "Settings of the whole secret (KV version 2). Fields that are left out stay unchanged. Needs access to the "
            "metadata path."
        ),
        type="dict",
        fields=METADATA,
    ),
    Field(
        "delete",
        (
            (
                "How a secret becomes absent. V(soft) deletes the current version so that it can be brought back, "
                "V(destroy) removes the data of all versions for good, V(all) removes the secret with all that is "
                "known about it. With O(versions) the first two take these versions only."
            ),
            "KV version 1 has no versions; there V(soft) and V(all) both remove the secret for good.",
        ),
        choices=("soft", "destroy", "all"),
        default="soft",
        sent=False,
    ),
    Field(
        "undelete",
        (
            "Bring back the current version, or O(versions), if it is softly deleted. Excludes O(data), O(generate), "
            "O(remove) and O(metadata)."
        ),
        type="bool",
        default=False,
        sent=False,
    ),
    Field(
        "versions",
        "Versions that O(delete) and O(undelete) are about.",
        type="list",
        elements="int",
        sent=False,
    ),
)
#: normalisers of the metadata
NORMALISERS = normalisers(METADATA)
#: what rotations note in the custom metadata of a secret
NOTES = frozenset(("rotated_at", "rotation_run", "rotation_in_progress", "rotation_skipped"))
#: prefix of the metadata's fields in the result and the diff
PREFIX = "metadata."
RESERVED = frozenset(PREFIX + name for name in NORMALISERS)


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Refuse metadata that the server would refuse, or take for something else. Raises InvalidInput."""
    for name, value in metadata.items():
        NORMALISERS[name](value)
    normalise.whole_seconds(metadata.get("delete_version_after"))
    naming.check_metadata(metadata.get("custom_metadata"), "custom_metadata")
