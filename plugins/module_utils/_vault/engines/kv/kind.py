# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Secrets of KV engines, versions 1 and 2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...base.declaring import Omitted, View, declare, placed
from ...base.inside_mount import with_mount
from ...base.kind import PURGE_DATA, Kind, RunContext
from ...base.listing import Found, Listing
from ...base.mounts import EngineMounts, split_type
from ...base.naming import in_url
from ...connection.client import Client
from . import purge
from .absent import Gone, Undeleted
from .fields import FIELDS, METADATA
from .generate import Generator
from .present import Present
from .secret import Secret
from .waiting import patiently

OPTIONS: dict[str, Any] = {
    **PURGE_DATA,
    "purge_mount": {"type": "list", "elements": "str"},
    "purge_below": {"type": "str"},
    "purge_delete": {"type": "str", "choices": ["soft", "destroy", "all"], "default": "soft"},
}


def secret(mounts: EngineMounts, item: Mapping[str, Any], generator: Generator) -> Secret:
    """Return the resource for one declared secret; ``generator`` is shared by all secrets of a task."""
    if item["state"] == "absent":
        return Gone(mounts, item, None)
    return Undeleted(mounts, item) if item.get("undelete") else Present(mounts, item, generator)


def public_names(items: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the public texts of declared secrets: mounts, paths and the names of keys."""
    names: set[str] = set()
    for item in items:
        names.update(
            (
                item["mount"],
                item["path"],
                *(item.get("data") or {}),
                *(item.get("generate") or {}),
                *(item.get("remove") or []),
            )
        )
    return names


class Secrets(Kind):
    """Secrets in KV engines."""

    about = "Secrets of KV engines"
    note = "Keep values that are secret in an encrypted file."
    tag = "secrets"
    module = "vault_kv"
    plural = "secrets"
    fields = FIELDS
    options = OPTIONS
    required = ("path",)
    concealed = "data"
    within = ("secrets_engines", "")
    listings = (Listing("{mount}", engine="kv", fields=False, walk=purge.names),)

    def public(self, items: Sequence[Mapping[str, Any]], context: RunContext) -> Iterable[str]:
        return public_names(with_mount(items, context.params.get("mount"), "secret"))

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        item = placed(self.fields, one)
        path, kv2 = in_url(one.name), str((one.entry.get("options") or {}).get("version", "1")) == "2"
        if view.keys:
            # of version 2 the server names the keys without their values
            keys = patiently(lambda: view.client.read(("%s/subkeys/%s" if kv2 else "%s/%s") % (one.mount, path))) or {}
            keys = keys.get("subkeys") or {} if kv2 else keys
            if not keys:
                raise Omitted("its current version is deleted, or has no keys")
            item["data"] = {str(key): view.fill(one, str(key)) for key in sorted(keys)}
        if kv2:
            told = patiently(lambda: view.client.read("%s/metadata/%s" % (one.mount, path))) or {}
            metadata = declare(METADATA, told, {})
            item.update({"metadata": metadata} if metadata else {})
        return item

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts, params = EngineMounts(client), context.params
        generator = Generator(client, context.planning, context.planned_names("password_policies"))
        declared = [secret(mounts, item, generator) for item in with_mount(items, params.get("mount"), "secret")]
        if not context.purge:
            return declared
        named = params.get("purge_mount") or [params.get("mount") or ""]
        planned = [path for path, kind in context.mounts if split_type(kind)[0] == "kv"]
        places, warnings = purge.places(mounts, declared, named, planned, context.check_mode)
        return [*declared, *warnings, *purge.undeclared(mounts, declared, places, params)]
