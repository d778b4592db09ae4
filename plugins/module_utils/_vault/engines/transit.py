# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Keys of transit engines: type and settings, but never their rotation.

Source: /api-docs/secret/transit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.field import Field, fixed_names, normalisers
from ..._engine.resource import CREATE, Change, check_new
from ..base import purge
from ..base.declaring import Omitted, View
from ..base.inside_mount import InsideMount
from ..base.kind import MOUNTS, PURGE_DATA, Kind, RunContext
from ..base.listing import Found, Listing
from ..base.mounts import EngineMounts
from ..connection.client import Client

TYPES = (
    *("aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305", "ed25519"),
    *("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "rsa-3072", "rsa-4096", "hmac"),
    *("mldsa-44", "mldsa-65", "mldsa-87"),
)
#: types that support derivation
DERIVING = ("aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305", "ed25519")
#: settings that cannot be reverted
ONE_WAY = ("exportable", "allow_plaintext_backup")
VERSIONS = ("min_decryption_version", "min_encryption_version")
#: fields of ``config`` only
LATER = ("deletion_allowed", *VERSIONS)
#: what a purge of keys loses
LOSS = "%s, and nobody could decrypt what was encrypted by them"
#: the server's minimum rotation period, in seconds
LEAST_PERIOD = 3600


def least_version(value: Any) -> Any:
    """Return the oldest version for decryption: versions begin at 1."""
    return normalise.integer(value) or 1


def size(value: Any) -> Any:
    """Return the size of a key; a missing one means 0."""
    return normalise.integer(value) or 0


FIELDS: Sequence[Field] = (
    Field(
        "mount",
        (
            "Path at which the transit engine is mounted. For an entry of O(keys) by default the module's O(mount), "
            "and V(transit) without either."
        ),
        sent=False,
    ),
    Field("name", "Name of the key.", sent=False),
    Field(
        "type",
        (
            "Type of the key, by default V(aes256-gcm96). Not every product and version has all of them. It cannot be "
            "changed."
        ),
        choices=TYPES,
        fixed=True,
    ),
    Field(
        "derived",
        "Whether a key is derived for each context. It cannot be changed.",
        type="bool",
        fixed=True,
    ),
    Field(
        "convergent_encryption",
        "Whether the same text gives the same ciphertext, with O(derived) only. It cannot be changed.",
        type="bool",
        fixed=True,
    ),
    Field(
        "key_size",
        "Size of a key of type V(hmac) in bytes, V(32) to V(512). It cannot be changed.",
        type="int",
        normaliser=size,
        fixed=True,
    ),
    Field("exportable", "Whether the key may be exported. It cannot be reverted.", type="bool"),
    Field(
        "allow_plaintext_backup",
        "Whether the key may be backed up in plain text. It cannot be reverted.",
        type="bool",
    ),
    Field(
        "deletion_allowed",
        (
            "Whether the key may be deleted.",
            (
                "The server refuses to delete a key without it. With O(state=absent) it is set first where it is "
                "given as V(true)."
            ),
        ),
        type="bool",
    ),
    Field(
        "min_decryption_version",
        "Minimum version for decryption and verification; it must exist.",
        type="int",
        normaliser=least_version,
    ),
    Field(
        "min_encryption_version", "Minimum version for encryption and signing; V(0) for the newest only.", type="int"
    ),
    Field(
        "auto_rotate_period",
        "Period of automatic rotation, a duration of at least an hour; V(0) for never.",
        normaliser=normalise.duration,
    ),
)
#: fixed after creation; the server silently ignores another value later
FIXED = fixed_names(FIELDS)


class Key(InsideMount):
    """One key of a transit mount, named ``<mount>/<name>``."""

    kind = "transit key"
    engine = "transit"
    folder = "keys"
    # without it nobody can decrypt its data
    holds_data = True
    fields = normalisers(FIELDS)

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any]) -> None:
        desired = {name: item.get(name) for name in self.fields} if item["state"] == "present" else None
        super().__init__(mounts, item, desired)

    def check(self) -> None:
        super().check()
        desired = self.desired
        if desired is None:
            return
        period = normalise.whole_seconds(desired.get("auto_rotate_period"))
        if period and period < LEAST_PERIOD:
            raise InvalidInput('"auto_rotate_period" is below an hour', remedy="give 1h or more, or 0 for never")
        self._check_order(desired)

    def preflight(self) -> None:
        desired = self.desired
        if desired is not None:
            check_new(lambda: self._check_new(desired), lambda: self.current() is not None)

    def read(self) -> Mapping[str, Any] | None:
        current = self.current()
        if current is not None:
            self.info.update(type=current.get("type"), latest_version=current.get("latest_version"))
            if self.desired is None:
                self._check_deletion(current)
        return current

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = super().resolve(current)
        if current is not None:
            self._check_change(current, desired)
        self._check_versions({**(current or {"latest_version": 1}), **desired})
        return desired

    def _check_deletion(self, current: Mapping[str, Any]) -> None:
        if not current.get("deletion_allowed") and not self.item.get("deletion_allowed"):
            raise InvalidInput(
                "the server keeps it, because its deletion is not allowed, and what it encrypted would be lost",
                remedy='give "deletion_allowed: true" with "state: absent" to confirm',
            )

    def _check_new(self, desired: Mapping[str, Any]) -> None:
        kind = desired.get("type") or TYPES[0]
        if desired.get("convergent_encryption") and not desired.get("derived"):
            raise InvalidInput('"convergent_encryption" is for derived keys', remedy='set "derived: true" as well')
        if desired.get("convergent_encryption") and kind == "ed25519":
            raise InvalidInput('a key of type ed25519 has no "convergent_encryption"', remedy="remove it")
        if desired.get("derived") and kind not in DERIVING:
            raise InvalidInput(
                "no keys can be derived from type %s" % kind, remedy="use one of %s" % ", ".join(DERIVING)
            )
        if desired.get("key_size") and kind != "hmac":
            raise InvalidInput('a key of type %s has no "key_size"' % kind, remedy="remove it")
        if kind == "hmac" and not 32 <= (desired.get("key_size") or 0) <= 512:
            raise InvalidInput('a key of type hmac needs a "key_size"', remedy="give 32 to 512 (bytes)")

    def _check_change(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> None:
        if current.get("soft_deleted"):
            raise InvalidInput(
                "it is soft-deleted, so nothing of it can be changed",
                remedy="restore it first (%s/soft-delete-restore)" % self.path,
            )
        for name in normalise.differing(current, desired, self.fields):
            if name in FIXED:
                raise InvalidInput(
                    "%s is %s and cannot be changed to %s"
                    % (name, normalise.scalar(current.get(name)) or "not set", normalise.scalar(desired[name])),
                    remedy="correct the declaration, or declare a key of another name",
                )
            if name in ONE_WAY and not desired[name]:
                raise InvalidInput(
                    "%s is true and cannot be taken back" % name,
                    remedy="correct the declaration, or declare a key of another name",
                )

    def _check_versions(self, after: Mapping[str, Any]) -> None:
        latest = after.get("latest_version") or 1
        for name in VERSIONS:
            if (after.get(name) or 0) > latest:
                raise InvalidInput(
                    "%s is %d, and the newest version is %d" % (name, after[name], latest),
                    remedy="rotate the key first, or correct the number",
                )
        self._check_order(after)

    @staticmethod
    def _check_order(after: Mapping[str, Any]) -> None:
        encrypting, decrypting = (after.get(name) or 0 for name in reversed(VERSIONS))
        if encrypting and encrypting < decrypting:
            raise InvalidInput(
                "min_encryption_version is below min_decryption_version, so nobody could decrypt",
                remedy="give the same or a newer version, or 0 for the newest",
            )

    def write(self, change: Change) -> None:
        self.need_mount()
        desired = dict(change.desired)
        if "auto_rotate_period" in desired:
            desired["auto_rotate_period"] = "%ss" % normalise.seconds(desired["auto_rotate_period"])
        names = set(change.fields)
        if change.action == CREATE:
            self.client.write(self.path, {name: desired[name] for name in names - set(LATER)})
            change.touched = True
            names &= set(LATER)
            self.info.update(type=desired.get("type") or TYPES[0], latest_version=1)
        if names:
            self.client.write("%s/config" % self.path, {name: desired[name] for name in names})
            change.touched = True

    def delete(self, change: Change) -> None:
        if not (change.current or {}).get("deletion_allowed"):
            self.client.write("%s/config" % self.path, {"deletion_allowed": True})
            change.touched = True
        self.client.delete(self.path)


class TransitKeys(Kind):
    """Keys of transit mounts."""

    about = "Keys of transit engines"
    tag = "transit"
    module = "vault_transit_key"
    plural = "keys"
    fields = FIELDS
    options = {**PURGE_DATA, **MOUNTS}
    within = ("secrets_engines", "transit")
    listings = (Listing("{mount}/keys", engine="transit"),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        if (one.told or {}).get("soft_deleted"):
            raise Omitted("it is soft-deleted")
        item = super().declaration(one, view) or {}
        # these number what the key itself went through, which another server's key did not
        for name in sorted(set(item) & set(VERSIONS)):
            view.note(one.where, "%s is %s, which is of this very key" % (name, item[name]))
        return {name: value for name, value in item.items() if name not in VERSIONS}

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts = EngineMounts(client)
        return purge.all_inside(context, mounts, items, Key, partial(Key, mounts), LOSS)
