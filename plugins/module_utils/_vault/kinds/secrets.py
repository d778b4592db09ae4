# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Secrets in KV engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..base.kind import PURGE_DATA, Given, Kind
from ..base.listing import Listing
from ..base.mounts import EngineMounts, split_type
from ..connection.client import Client
from ..engines.kv import secret as kv

METADATA: dict[str, Any] = {
    "max_versions": {"type": "int"},
    "cas_required": {"type": "bool"},
    "metadata_cas_required": {"type": "bool"},
    "delete_version_after": {"type": "str"},
    "custom_metadata": {"type": "dict"},
}
ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "path": {"type": "str"},
    "data": {"type": "dict", "no_log": True},
    "mode": {"type": "str", "choices": ["merge", "exact"], "default": "merge"},
    "generate": {"type": "dict"},
    "remove": {"type": "list", "elements": "str"},
    "cas": {"type": "int"},
    "metadata": {"type": "dict", "options": METADATA},
    "delete": {"type": "str", "choices": ["soft", "destroy", "all"], "default": "soft"},
    "undelete": {"type": "bool", "default": False},
    "versions": {"type": "list", "elements": "int"},
}
OPTIONS: dict[str, Any] = {
    **PURGE_DATA,
    "purge_mount": {"type": "list", "elements": "str"},
    "purge_below": {"type": "str"},
    "purge_delete": {"type": "str", "choices": ["soft", "destroy", "all"], "default": "soft"},
}


class Secrets(Kind):
    """Secrets in KV engines."""

    about = "Secrets of KV engines"
    note = "Keep values that are secret in an encrypted file."
    tag = "secrets"
    module = "vault_kv"
    plural = "secrets"
    item = ITEM
    options = OPTIONS
    required = ("path",)
    concealed = "data"
    within = ("secrets_engines", "")
    listings = (Listing("{mount}", engine="kv", fields=False, walk=kv.names),)

    def public(self, items: Sequence[Mapping[str, Any]], given: Given) -> Iterable[str]:
        return kv.public_names(kv.at_mount(items, given.params.get("mount")))

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        mounted, params = EngineMounts(client), given.params
        generator = kv.Generator(client, given.rehearsal, given.coming("password_policies"))
        declared = [kv.secret(mounted, item, generator) for item in kv.at_mount(items, params.get("mount"))]
        if not given.purge:
            return declared
        named = params.get("purge_mount") or [params.get("mount") or ""]
        planned = [path for path, kind in given.mounts if split_type(kind)[0] == "kv"]
        mounts, warnings = kv.purge_mounts(mounted, declared, named, planned, lenient=given.check_mode)
        return [*declared, *warnings, *kv.surplus(mounted, declared, mounts, params)]
