# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What is read of Vault: the entries of ``data`` and ``data_from``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._engine.errors import InvalidInput
from .._engine.field import Field
from .values import check_choice, check_pattern

REMOTE = (
    Field("key", "Path of the secret.", required=True),
    Field("property", "Key in the secret; dots lead into JSON."),
    Field("version", "Version of the secret; without it the newest."),
    Field(
        "metadata_policy", "Whether the secret's metadata is read instead of its contents.", choices=("None", "Fetch")
    ),
    Field(
        "conversion_strategy", "How characters that a key must not have are replaced.", choices=("Default", "Unicode")
    ),
    Field("decoding_strategy", "How the value is decoded.", choices=("None", "Base64", "Base64URL", "Auto")),
    Field(
        "null_byte_policy",
        (
            "Whether a value with null bytes is an error, such as where text is expected. Needs "
            "version 2.3 of the operator."
        ),
        choices=("Ignore", "Fail"),
    ),
)
SOURCE = Field(
    "source_ref",
    "Another source than C(store) for this entry, as a manifest has it.",
    "dict",
    fields=(
        Field("store_ref", "Another store, by C(name) and C(kind).", "dict"),
        Field("generator_ref", "A generator, by C(kind) and C(name).", "dict"),
    ),
)
#: paths of engines that make what they give: by a POST, which the provider never sends, and by a GET
_ISSUED = re.compile(r"pki[^/]*/(issue|sign|sign-verbatim)/")
_LEASED = re.compile(r"database/(static-)?creds/")
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def check_data(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Refuse duplicate or impossible keys and references; return warnings. Raises InvalidInput."""
    seen: set[str] = set()
    warnings: list[str] = []
    for number, entry in enumerate(entries):
        key = str(entry.get("secretKey") or "")
        if not _SECRET_KEY.fullmatch(key):
            raise InvalidInput(
                'data[%d]: "%s" is not a key of a Secret' % (number, key),
                remedy='use letters, digits, "-", "_" and "."',
            )
        if key in seen:
            raise InvalidInput('data: the key "%s" is declared twice' % key, remedy="keep one of the two")
        seen.add(key)
        if (entry.get("sourceRef") or {}).get("generatorRef") is not None:
            raise InvalidInput(
                "data[%d].source_ref.generator_ref: the operator ignores it there" % number,
                remedy="use the generator in data_from, by source_ref.generator_ref",
            )
        warnings += check_remote("data[%d].remote_ref" % number, entry.get("remoteRef") or {})
    return warnings


def check_remote(where: str, reference: Mapping[str, Any]) -> list[str]:
    """Refuse a reference without a key, or one that the provider cannot read; return warnings. Raises InvalidInput."""
    key = str(reference.get("key") or "")
    if not key:
        raise InvalidInput("%s has no key" % where, remedy="write the path of the secret in Vault")
    if key.startswith("/"):
        raise InvalidInput('%s: the key "%s" begins with a slash' % (where, key), remedy="write it without")
    if _ISSUED.match(key):
        raise InvalidInput(
            '%s: "%s" is not a KV secret, and the provider reads KV only' % (where, key),
            remedy="declare a VaultDynamicSecret generator and use it in data_from by source_ref.generator_ref",
        )
    check_choice("decodingStrategy", reference.get("decodingStrategy"), ("None", "Base64", "Base64URL", "Auto"))
    check_choice("metadataPolicy", reference.get("metadataPolicy"), ("None", "Fetch"))
    check_choice("nullBytePolicy", reference.get("nullBytePolicy"), ("Ignore", "Fail"))
    if _LEASED.match(key):
        return [
            '%s: "%s" is not a KV secret; only a store of version v1 reads it, without renewing its lease: a '
            "VaultDynamicSecret in data_from, by source_ref.generator_ref, is made for it" % (where, key)
        ]
    return []


def check_data_from(where: str, entry: Mapping[str, Any]) -> list[str]:
    """Refuse an entry that is not exactly one of extract, find and generator; return warnings. Raises InvalidInput."""
    source = entry.get("sourceRef") or {}
    sources = [name for name in ("extract", "find") if entry.get(name) is not None]
    sources += ["source_ref.generator_ref"] if source.get("generatorRef") is not None else []
    if len(sources) != 1:
        raise InvalidInput(
            "%s has %s" % (where, " and ".join(sources) if sources else "no source"),
            remedy="give exactly one of extract, find and source_ref.generator_ref in an entry",
        )
    if source.get("generatorRef") and source.get("storeRef"):
        raise InvalidInput("%s.source_ref has generator_ref and store_ref" % where, remedy="give one of the two")
    for number, step in enumerate(entry.get("rewrite") or []):
        if step.get("regexp") is not None:
            check_pattern("%s.rewrite[%d].regexp.source" % (where, number), step["regexp"].get("source") or "")
    if "extract" in sources:
        return check_remote("%s.extract" % where, entry["extract"])
    find = entry.get("find") or {}
    if find.get("name") is not None:
        if not find["name"].get("regexp"):
            raise InvalidInput("%s.find.name has no regexp" % where, remedy="give one")
        check_pattern("%s.find.name.regexp" % where, find["name"]["regexp"])
    if "find" in sources and not any(find.get(name) for name in ("path", "name", "tags")):
        return ["%s.find has no path, no name and no tags: it takes every secret of the mount" % where]
    return []
