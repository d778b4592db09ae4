# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Secrets with the declared keys: merged with the current ones, generated where missing, written with CAS.

Source: /api-docs/secret/kv/kv-v2 (create/update secret).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...._engine import normalise, wording
from ...._engine.errors import InvalidInput
from ...._engine.resource import Change
from ...base.mounts import EngineMounts
from ...connection.errors import BadRequest, VaultError
from .fields import NORMALISERS, NOTES, PREFIX, RESERVED, check_metadata
from .generate import Generator, check_generate
from .secret import Secret
from .values import changed_keys, numbers, rounded

#: how often a merge is retried because somebody else wrote in between
ATTEMPTS = 5


class Conflict(VaultError):
    """Somebody else wrote the secret since it was read."""


def _keys(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys among the fields, without what is metadata."""
    return {name: value for name, value in fields.items() if name not in RESERVED}


class Present(Secret):
    """A secret with the declared keys: exactly these, or these among others."""

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any], generator: Generator) -> None:
        self.generator = generator
        self.data: dict[str, Any] = dict(item.get("data") or {})
        self.generate: dict[str, Any] = dict(item.get("generate") or {})
        self.remove = list(item.get("remove") or [])
        self.exact = item.get("mode") == "exact" and bool(item.get("data") is not None or self.generate)
        self.metadata = {name: value for name, value in (item.get("metadata") or {}).items() if value is not None}
        #: True when the task declares keys, not only metadata
        self.has_keys = item.get("data") is not None or bool(self.generate or self.remove)
        #: True when the declared keys create a missing secret; removing keys does not
        self.creates = item.get("data") is not None or bool(self.generate)
        #: the keys that were read last, None where there are none
        self.before: dict[str, Any] | None = None
        self.current_version = 0
        #: version of the metadata for check-and-set; None: not needed
        self.metadata_version: int | None = None
        self._new: dict[str, Any] = {}
        #: what rotations noted in the custom metadata
        self.notes: dict[str, Any] = {}
        declared = {**self.data, **{PREFIX + name: value for name, value in self.metadata.items()}}
        super().__init__(mounts, item, declared)

    def check(self) -> None:
        super().check()
        if self.item.get("versions"):
            raise InvalidInput('"versions" is for "undelete" and for state absent', remedy="leave it out")
        if not self.has_keys and not self.metadata:
            raise InvalidInput("nothing is declared", remedy='give "data", "generate", "remove" or "metadata"')
        for key, spec in self.generate.items():
            check_generate(key, spec)
        both = sorted(set(self.data) & set(self.generate)) + sorted({*self.data, *self.generate} & set(self.remove))
        if both:
            raise InvalidInput(
                'key "%s" is declared in two ways' % both[0], remedy='name it in one of "data", "generate" and "remove"'
            )
        if self.item.get("mode") == "exact" and self.remove:
            raise InvalidInput('mode "exact" removes every key that is not declared', remedy='leave "remove" out')
        for key, value in self.data.items():
            if value is None:
                raise InvalidInput('key "%s" has no value' % key, remedy='give one, or name the key in "remove"')
        if "" in {*self.data, *self.generate} or RESERVED & {*self.data, *self.generate}:
            raise InvalidInput("a key is empty or named like a field of the metadata", remedy="use another name")
        for key, value in self.data.items():
            if not all(math.isfinite(number) for number in numbers(value) if isinstance(number, float)):
                raise InvalidInput('key "%s" holds a number that is infinite or none' % key, remedy="write it as text")
        check_metadata(self.metadata)

    def preflight(self) -> None:
        try:
            self._check_numbers()
        except VaultError:
            # `read` reports missing permissions
            return

    def _check_numbers(self) -> None:
        """Refuse numbers of which KV version 2 would change the last digits. Raises InvalidInput."""
        for key, value in self.data.items():
            if any(map(rounded, numbers(value))) and self.find() and self.version == 2:
                raise InvalidInput(
                    'key "%s" holds a number of which KV version 2 changes the last digits' % key,
                    remedy="write it as text, in quotes",
                )

    def hidden(self) -> set[str]:
        return {*(self.before or {}), *self.data, *self.generate}

    def _current(self) -> dict[str, Any] | None:
        """Read the keys, None when there are none, and the current version, also that of a deleted one."""
        found = self.get()
        self.current_version = 0
        if self.version == 1 or found is None:
            return found
        about = found.get("metadata") or {}
        self.current_version = about.get("version") or 0
        return found.get("data")

    def read(self) -> Mapping[str, Any] | None:
        exists = self.find()
        metadata: dict[str, Any] | None = None
        if exists:
            for option in ("cas", "metadata"):
                if self.item.get(option) is not None:
                    self.need_version_2(option)
            # the engine may not have existed at the check
            self._check_numbers()
            if self.has_keys:
                self.before = self._current()
            if self.metadata:
                metadata = self._without_notes(self.get("metadata"))
                if metadata is not None and "current_metadata_version" in metadata:
                    self.metadata_version = int(metadata["current_metadata_version"])
                if not self.has_keys:
                    self.current_version = (metadata or {}).get("current_version") or 0
            if self.version == 2:
                self.info.update(version_before=self.current_version, version=self.current_version)
        missing = self.has_keys and self.before is None
        if (missing and self.creates) or (self.metadata and metadata is None):
            return None
        return {
            **(self.before or {}),
            **{PREFIX + name: value for name, value in (metadata or {}).items() if name in self.metadata},
        }

    def _without_notes(self, found: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return metadata without what rotations note there, which is nobody's drift and is kept."""
        custom = (found or {}).get("custom_metadata")
        if not custom:
            return found
        declared = self.metadata.get("custom_metadata") or {}
        self.notes = {name: value for name, value in custom.items() if name in NOTES and name not in declared}
        left = {name: value for name, value in custom.items() if name not in self.notes}
        return {**(found or {}), "custom_metadata": left or None}

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        after = self._merged()
        self.info["changed_keys"] = changed_keys(self.before or {}, after)
        writes = self._writes(after)
        if self.version == 1 and writes and not after:
            raise InvalidInput(
                "no key would be left, and KV version 1 keeps no secret without one",
                remedy='keep a key, or delete the secret with "state: absent"',
            )
        expected = self.item.get("cas")
        if expected is not None and expected != self.current_version and writes:
            raise Conflict(
                'the current version is %d, not %d as "cas" expects' % (self.current_version, expected),
                remedy="look at the secret again, then decide",
            )
        return {**after, **{PREFIX + name: value for name, value in self.metadata.items()}}

    def _writes(self, after: Mapping[str, Any]) -> bool:
        """Tell whether keys are to be written."""
        missing = self.has_keys and self.before is None
        return bool(changed_keys(self.before or {}, after)) or (missing and self.creates)

    def _merged(self) -> dict[str, Any]:
        """Return the desired keys; a generated value stays the same within a run."""
        before = self.before or {}
        after = {} if self.exact else {key: value for key, value in before.items() if key not in self.remove}
        after.update(self.data)
        for key, spec in self.generate.items():
            full = check_generate(key, spec)
            if key in before and not full["rotate"]:
                after[key] = before[key]
            else:
                if key not in self._new:
                    self._new[key] = self.generator.value(full, self)
                after[key] = self._new[key]
        return after

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        return changed_keys(_keys(current), _keys(desired)) + sorted(
            PREFIX + name
            for name, value in self.metadata.items()
            if NORMALISERS[name](current.get(PREFIX + name)) != NORMALISERS[name](value)
        )

    def write(self, change: Change) -> None:
        self.need_mount()
        metadata = {name: self.metadata[name] for name in self.metadata if PREFIX + name in change.fields}
        if metadata:
            # first, so that limits apply to the new version, and a refusal leaves the secret unchanged
            self._write_metadata(metadata)
        after = _keys(change.desired)
        if not self._writes(after):
            return
        if self.version == 1:
            self.post("data", after)
            return
        self._write_version(after)

    def _write_metadata(self, fields: Mapping[str, Any]) -> None:
        body = dict(fields)
        if "custom_metadata" in body:
            # the server would store true as "1"
            body["custom_metadata"] = {**self.notes, **normalise.string_map(body["custom_metadata"])}
        for attempt in range(1, ATTEMPTS + 1):
            if self.metadata_version is not None:
                body["metadata_cas"] = self.metadata_version
            try:
                self.post("metadata", body)
                break
            except BadRequest as error:
                if not wording.metadata_version_differs(error.said) or attempt == ATTEMPTS:
                    raise
            self.absent = False
            # the engine requires the version, or somebody else wrote: write the declared fields once more
            self.metadata_version = int((self.get("metadata") or {}).get("current_metadata_version") or 0)
        if "metadata_cas_required" in fields and "metadata_cas_required" not in (self.get("metadata") or {}):
            raise BadRequest(
                'the server does not know "metadata_cas_required"', self.url("metadata"), 'remove it from "metadata"'
            )

    def _write_version(self, after: dict[str, Any]) -> None:
        explicit = self.item.get("cas")
        for attempt in range(1, ATTEMPTS + 1):
            cas = self.current_version if explicit is None else explicit
            try:
                answer = self.post("data", {"data": after, "options": {"cas": cas}})
                self.info["version"] = answer.get("version")
                return
            except BadRequest as error:
                if not wording.version_differs(error.said):
                    raise
            self.absent = False
            # either somebody else wrote, or our own write was retried because its answer was lost
            self.before = self._current()
            wanted, after = after, self._merged()
            keys = changed_keys(self.before or {}, after)
            if self.before is not None and not changed_keys(self.before, wanted):
                self.info["version"] = self.current_version
                return
            if self.exact or explicit is not None or attempt == ATTEMPTS:
                break
            self.info.update(keys=keys, version_before=self.current_version)
        raise Conflict(
            "somebody else wrote version %d since it was read" % self.current_version,
            remedy="run again, after a look at what was written",
        )
