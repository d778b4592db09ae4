# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Force ExternalSecrets to be synced, and prove that they were.

The operator does not record which version of a Vault secret it has read. The proof is that its status was written after
the force and for what it was forced with; stronger: that the bytes in the Secret are the wanted ones, compared here by
digest. Values stay in this process.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from ..errors import InvalidInput, SecretopsError
from ..reconcile import Change
from .apply import Action, Expectation, Reader, condition
from .client import SECRET, Client, Forbidden, Kind, Missing, Object
from .external_secrets import EXTERNAL_SECRET, SYNCED, cause, frozen, synced_generation, target_name

#: another manager than that of declarations, so that an annotation left behind is nobody's drift
MANAGER = "secretops.vault_eso.sync"
ANNOTATION = "force-sync"


def digests(secret: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the SHA-256 (hex) of each value of a Secret by key; {} for a missing one."""
    return {
        key: hashlib.sha256(base64.b64decode(value or "")).hexdigest()
        for key, value in ((secret or {}).get("data") or {}).items()
    }


def changed_keys(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the sorted names of the keys that were added, removed or given another value."""
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


class Sync(Action):
    """One forced sync of an ExternalSecret."""

    kind = EXTERNAL_SECRET.name
    api: ClassVar[Kind] = EXTERNAL_SECRET

    def __init__(self, client: Client, reader: Reader, version: str, item: Mapping[str, Any]) -> None:
        self.client = client
        self.reader = reader
        self.version = version
        self.item = item
        self.namespace, self.object_name = item["namespace"], item["name"]
        self.value = "%d-%s" % (time.time_ns() // 1_000_000, secrets.token_hex(4))
        self.before: dict[str, str] | None = None
        self.generation = 0
        self.old = ""
        self.target = ""
        super().__init__("%s/%s" % (self.namespace, self.object_name), {ANNOTATION: self.value})

    def read(self) -> Mapping[str, Any] | None:
        current = self.reader.get(self.api, self.version, self.namespace, self.object_name)
        if current is None:
            raise SecretopsError("does not exist", remedy="create it first, or correct name and namespace")
        spec = current.get("spec") or {}
        if frozen(spec):
            raise InvalidInput(
                "%s: the operator never syncs it again" % frozen(spec),
                remedy="give it a refresh interval, or the refresh policy OnChange",
            )
        self.target = target_name(current)
        self.before = self._digests()
        annotations = current["metadata"].get("annotations") or {}
        return {ANNOTATION: annotations.get(ANNOTATION)}

    def _digests(self) -> dict[str, str] | None:
        try:
            return digests(self.client.get(SECRET.path("v1", self.namespace, self.target)))
        except Forbidden as error:
            if self.item.get("expect_keys") or self.item.get("expect_sha256"):
                raise
            self.warnings.append("which keys changed cannot be told: %s" % error)
            return None

    def _force(self, dry_run: bool) -> Object:
        return self.client.merge(
            self.api.path(self.version, self.namespace, self.object_name),
            {"metadata": {"annotations": {ANNOTATION: self.value}}},
            MANAGER,
            dry_run,
        )

    def rehearse(self, change: Change) -> None:
        self._force(dry_run=True)

    def write(self, change: Change) -> None:
        try:
            answer = self._force(dry_run=False)
        except Missing as error:
            raise SecretopsError("was deleted meanwhile", remedy="create it again") from error
        self.old = str((answer.get("status") or {}).get("syncedResourceVersion") or "")
        self.generation = int(answer["metadata"].get("generation") or 0)

    def expectation(self) -> Expectation:
        def explain(current: Object | None) -> str:
            return cause(self.client, self.api.name, current)

        return Expectation(self.api, self.version, self.namespace, self.object_name, self._look, explain)

    def _look(self, current: Object | None) -> str:
        if current is None:
            raise SecretopsError("was deleted while it was waited for", remedy="create it again")
        annotations = current["metadata"].get("annotations") or {}
        if annotations.get(ANNOTATION) != self.value:
            raise SecretopsError(
                'somebody else changed the annotation "%s" meanwhile' % ANNOTATION,
                remedy="run again; remove it from the declaration if it is declared",
            )
        entry, status = condition(current), current.get("status") or {}
        version = str(status.get("syncedResourceVersion") or "")
        if not entry:
            return "was not synced (it has no status: does the operator run?)"
        if entry.get("status") != "True":
            return "was not synced (%s)" % ": ".join(
                str(entry[name]) for name in ("reason", "message") if entry.get(name)
            )
        if version == self.old or synced_generation(current) != current["metadata"].get("generation"):
            return "was not synced (its status is still the one from before)"
        if entry.get("reason") != SYNCED:
            raise SecretopsError(
                "was not synced: %s, the secret is missing in Vault" % entry.get("reason"),
                remedy="check the keys in its data and data_from",
            )
        if self._digests_lack():
            return self._digests_lack()
        self.info.update(
            refresh_time=status.get("refreshTime"),
            synced_resource_version=version,
            reason=entry.get("reason"),
            target=self.target,
        )
        return ""

    def _digests_lack(self) -> str:
        wanted = {key: str(digest).lower() for key, digest in (self.item.get("expect_sha256") or {}).items()}
        expected = sorted({*(self.item.get("expect_keys") or []), *wanted})
        if not expected:
            return ""
        held = self._digests() or {}
        missing = [key for key in expected if key not in held]
        if missing:
            return 'the Secret "%s" lacks %s' % (self.target, ", ".join(missing))
        other = [key for key in sorted(wanted) if not hmac.compare_digest(held[key], wanted[key])]
        return (
            'the Secret "%s" holds another value than expected in %s' % (self.target, ", ".join(other)) if other else ""
        )

    def conclude(self) -> None:
        after = self._digests() if self.before is not None else None
        if after is not None and self.before is not None:
            self.info.update(keys=sorted(after), changed_keys=changed_keys(self.before, after))
