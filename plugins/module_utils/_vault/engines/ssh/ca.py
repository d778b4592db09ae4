# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The CA keys of SSH mounts. Source: /api-docs/secret/ssh."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from ...._engine import normalise, wording
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, normalisers, secret_names, sent_names
from ...._engine.resource import Change
from ...base.declaring import View, placed
from ...base.inside_mount import InsideMount
from ...base.kind import Kind, RunContext
from ...base.listing import Found, Listing
from ...base.mounts import EngineMounts
from ...connection.client import Client
from ...connection.errors import BadRequest

#: type in a public key, by the type in a request for a new key
KEYS = {
    "rsa": "ssh-rsa",
    "ed25519": "ssh-ed25519",
    **{name: name for name in ("ssh-rsa", "ssh-ed25519")},
    **{"ecdsa-sha2-nistp%d" % bits: "ecdsa-sha2-nistp%d" % bits for bits in (256, 384, 521)},
}


def public_key(value: Any) -> list[str]:
    """Return type and body of a public key, without its comment."""
    return normalise.scalar(value).split()[:2]


def bits(key: Any) -> int:
    """Return the size of a public key in bits, 0 where it does not apply. Source: RFC 4253, section 6.6."""
    kind, body = (*public_key(key), "", "")[:2]
    if kind.startswith("ecdsa-sha2-nistp"):
        return int(kind[len("ecdsa-sha2-nistp") :])
    if kind != "ssh-rsa":
        return 0
    try:
        rest = base64.b64decode(body)
    except (binascii.Error, ValueError):
        return 0
    parts = []
    while rest:
        length = int.from_bytes(rest[:4], "big")
        parts.append(rest[4 : 4 + length])
        rest = rest[4 + length :]
    return int.from_bytes(parts[2], "big").bit_length() if len(parts) == 3 else 0


FIELDS: Sequence[Field] = (
    Field("mount", "Path at which the SSH engine is mounted.", sent=False),
    Field("key_type", "Type of the key that the server creates.", choices=("ec", *KEYS)),
    Field("key_bits", "Size of the key that the server creates.", type="int"),
    Field("public_key", "The public key of an existing key pair, with O(private_key).", normaliser=public_key),
    Field("private_key", "The private key of an existing key pair. The server never returns it.", secret=True),
)


class Ca(InsideMount):
    """The CA key of a mount; named by the mount. It is created once and never replaced: hosts trust it."""

    kind = "SSH CA"
    engine = "ssh"
    folder = "config/ca"
    holds_data = True
    rank = 10
    fields = normalisers(FIELDS)
    secret_fields = secret_names(FIELDS)

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any]) -> None:
        desired = {name: item.get(name) for name in sent_names(FIELDS)} if item["state"] == "present" else None
        super().__init__(mounts, item, desired)

    def check(self) -> None:
        super().check()
        desired = self.desired or {}
        if ("private_key" in desired) != ("public_key" in desired):
            raise InvalidInput(
                '"private_key" and "public_key" go together', remedy="give both, or neither to have one created"
            )
        if "private_key" in desired and ("key_type" in desired or "key_bits" in desired):
            raise InvalidInput('"key_type" and "key_bits" are for a key that the server makes', remedy="remove them")
        for name in ("private_key", "public_key"):
            if name in desired and not normalise.scalar(desired[name]).strip():
                raise InvalidInput('"%s" is empty' % name, remedy="give both keys, or neither to have one created")
        size = bits(desired.get("key_type"))
        if size and desired.get("key_bits") and desired["key_bits"] != size:
            raise InvalidInput(
                "a key of type %s has %d bits" % (desired["key_type"], size), remedy='remove "key_bits", or correct it'
            )

    def read(self) -> Mapping[str, Any] | None:
        if not self.find():
            return None
        try:
            current = self.client.read(self.path)
        except BadRequest as error:
            if not wording.key_missing(error.said):
                raise
            return None
        if current is not None and self.desired is not None:
            self.info["public_key"] = normalise.scalar(current.get("public_key")).strip()
        return current

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = super().resolve(current)
        if current is None:
            return desired
        self._check_same(self.info["public_key"], desired)
        # it exists; another request might create a new one
        return {}

    def _check_same(self, found: str, desired: Mapping[str, Any]) -> None:
        kind, wanted = (*public_key(found), "")[0], KEYS.get(desired.get("key_type") or "", "")
        ecdsa = desired.get("key_type") == "ec" and not kind.startswith("ecdsa-")
        size = desired.get("key_bits") or 0
        problem = ""
        if "public_key" in desired and public_key(desired["public_key"]) != public_key(found):
            problem = "it has another key than the declared one"
        elif ecdsa or (wanted and wanted != kind):
            problem = "its key is of type %s and cannot become %s" % (kind, desired["key_type"])
        elif size and bits(found) and bits(found) != size:
            problem = "its key has %d bits and cannot get %d" % (bits(found), size)
        if problem:
            raise InvalidInput(
                problem,
                remedy='correct the declaration, or mount another engine; with "state: absent" first nobody who trusts '
                "the old key is let in any more",
            )

    def write(self, change: Change) -> None:
        self.need_mount()
        desired = change.desired
        body = {**desired, "generate_signing_key": "private_key" not in desired}
        # never retried: a second one would replace the first
        self.client.write(self.path, body, idempotent=False)
        change.touched = True
        made = self.client.read(self.path) or {}
        self.info["public_key"] = normalise.scalar(made.get("public_key")).strip()


class SshCas(Kind):
    """The CA keys of SSH mounts."""

    about = "The keys by which SSH engines sign"
    tag = "ssh"
    module = "vault_ssh_ca"
    plural = "authorities"
    fields = FIELDS
    required = ("mount",)
    listings = (Listing("{mount}/config/ca", "one", engine="ssh", optional=True),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        key = (one.told or {}).get("public_key")
        kind = (*public_key(key), "")[0]
        size = {"key_bits": bits(key)} if kind == "ssh-rsa" and bits(key) else {}
        return {**placed(self.fields, one), **({"key_type": kind} if kind in KEYS else {}), **size}

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounted = EngineMounts(client)
        return [Ca(mounted, item) for item in items]
