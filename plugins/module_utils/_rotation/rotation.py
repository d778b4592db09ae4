# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""One application's rotation in Vault and in its database: checked, begun, written, finished or rolled back.

Each step looks at what is there before it does anything, so that a run that died is completed by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._engine import process
from .._engine.errors import InvalidInput, SecretopsError, ServerError
from .._engine.secrets import KNOWN
from .._http.rules import shown
from .._vault.base.mounts import EngineMounts
from .._vault.connection.client import Client
from .._vault.engines.kv.generate import Generator
from . import record
from .database import Credential
from .declared import Application
from .kv import Conflict, KvSecret, Retry, Version, changed_keys, is_temporary
from .probe import BEFORE, ProbeFailed

# What is to be done for an application.
ROTATE, RETRY, WRITTEN, ROLL_BACK, SYNC, NOT_DUE = "rotate", "retry", "written", "roll_back", "sync", "not_due"
#: the same in words, for the plan
PLAN_TEXT: Mapping[str, str] = {
    ROTATE: "would be rotated",
    RETRY: "would be rotated: an earlier run ended before it wrote the new values",
    WRITTEN: "would be completed: an earlier run wrote the new values and ended before they were proven everywhere",
    ROLL_BACK: "would be rolled back: an earlier run ended while it did that",
    SYNC: "would be synced in the clusters that were skipped",
    NOT_DUE: "is not due",
}


class NotProven(SecretopsError):
    """It is not known whether the new values arrived."""

    code = "not_proven"


class Busy(SecretopsError):
    """Another run is at it."""

    code = "conflict"


class Rotation:
    """One application in this run. What talks to servers raises SecretopsError."""

    def __init__(self, application: Application, client: Client, mounts: EngineMounts, retry: Retry) -> None:
        self.application = application
        self.secret = KvSecret(client, mounts, application.mount, application.path, retry)
        self.credential: Credential | None = None
        if application.database:
            self.credential = Credential(client, mounts, application.database, application.secret, retry)
        self.state = NOT_DUE
        self.age: int | None = None
        #: what the secret held before
        self.base = Version(0, None)
        self.in_progress: record.InProgress | None = None
        #: whether it is in progress by an earlier task of this run of Ansible
        self.own = False
        #: the values of the keys that are rotated, and the version that holds them
        self.values: dict[str, Any] = {}
        self.version = 0
        self.error: SecretopsError | None = None
        #: "done", "written", "rolled_back", "not_proven", "failed", "not_reached"; "held": a cluster would not take it
        self.outcome = ""
        self.touched = False
        self.restarted = False
        self.unproven = ""
        self.pruned: list[int] = []
        #: clusters that this run skips
        self.skipped: list[str] = []

    # -- before anything changes --------------------------------------------------------------------------------------

    def look(self, due: bool, now: float, skip_clusters: Sequence[str]) -> None:
        """Find out what is to be done. ``due``: at any age. ``skip_clusters``: clusters that this run skips."""
        one = self.application
        self.secret.check_engine()
        metadata = self.secret.metadata()
        if metadata is None:
            raise InvalidInput("does not exist", self.secret.where, "correct the path, or write the secret first")
        self.base = self.secret.read()
        if self.base.data is None:
            raise InvalidInput("its current version is deleted", self.secret.where, "undelete it, or write a new one")
        held = self.base.data
        wanted = sorted({*one.values, *filter(None, [one.database.username_key if one.database else ""])})
        missing = [key for key in wanted if key not in held]
        if missing:
            raise InvalidInput(
                "has no key %s, only %s" % (", ".join(missing), ", ".join(sorted(held))),
                self.secret.where,
                "correct the name, or write the key first",
            )
        self.age = record.age(metadata, now)
        custom = metadata.get("custom_metadata") or {}
        self.in_progress = record.in_progress(custom)
        missed = record.skipped_clusters(custom, one.clusters)
        self.skipped = [name for name in skip_clusters if name in one.clusters]
        if self.in_progress is not None:
            self._resume(self.in_progress, held)
        elif due or one.max_age is None or self.age is None or self.age >= one.max_age:
            self.state = ROTATE
        elif set(missed) - set(self.skipped):
            self.state = SYNC
            self.values, self.version = {key: held[key] for key in one.values}, self.base.number
            self.application = one.within(missed)
        if self.skipped:
            self.application = self.application.within(set(one.clusters) - set(self.skipped))
        if self.credential is not None and self.state not in (NOT_DUE, SYNC):
            self.credential.check(held)
        if one.probe is not None and self.state != NOT_DUE:
            one.probe.check()
        if one.probe is not None and self.state == ROTATE:
            try:
                one.probe.wait(BEFORE)
            except ProbeFailed as error:
                error.what += ", before anything was rotated"
                raise

    def _resume(self, found: record.InProgress, held: Mapping[str, Any]) -> None:
        self.own = bool(found.owner) and dict(found.owner) == process.run()
        if found.owner and not self.own and process.lives(found.owner):
            raise Busy(
                "another run rotates it (process %s)" % found.owner.get("pid"), self.secret.where, "wait for its end"
            )
        keys = self.application.values
        before = self.secret.read(found.version).data
        if found.step == record.ROLLING_BACK:
            self.state = ROLL_BACK
        elif record.written(keys, before, held, found.version, self.base.number):
            self.state = WRITTEN
        else:
            self.state = RETRY
            return
        # the earlier run may have restarted them with the new values
        self.restarted = True
        self.values, self.version = {key: held[key] for key in keys}, self.base.number
        self.base = Version(found.version, before)

    # -- the change ---------------------------------------------------------------------------------------------------

    def write(self, run: str, generator: Generator, label: Any) -> None:
        """Change the credential where it lives, prove it there, and write the new version."""
        one, credential = self.application, self.credential
        values: dict[str, Any] = self.secret.retry(
            lambda: {key: generator.value(spec, label) for key, spec in one.generate.items()}
        )
        KNOWN.add(*values.values())
        before = ""
        if credential is not None and credential.role:
            before = (self.in_progress.role if self.in_progress else "") or credential.last_rotation()
        self.in_progress = record.InProgress(run, self.base.number, record.BEGUN, before, process.run())
        self.secret.set_custom_metadata({record.IN_PROGRESS: self.in_progress.text()})
        self.touched = True
        try:
            if credential is not None and one.database is not None:
                if credential.role:
                    values.update(credential.rotate(before))
                else:
                    credential.set_password(values[one.database.key])
                credential.prove(values)
            stamp = {one.timestamp_key: now_text()} if one.timestamp_key else {}
            self.version = self.secret.put(values, self.base, stamp)
            self.values = {key: values[key] for key in one.values}
        except SecretopsError as error:
            if isinstance(error, ServerError) and is_temporary(error):
                # nobody can undo it now; what was done is found out by the next run
                raise
            self._undo(error)
            raise

    def _undo(self, error: SecretopsError) -> None:
        """Leave everything as it was: what failed was not written."""
        try:
            current = self.secret.read()
            if self.credential is not None:
                # whether this run or an earlier one changed it, or none
                restored = self.credential.restore(current.data or {})
                if changed_keys(sorted(restored), current.data or {}, restored):
                    self.secret.put(restored, current)
                    error.what += "; the secret holds the password that the database has now"
            self.secret.set_custom_metadata({record.IN_PROGRESS: None})
        except SecretopsError as other:
            error.what += "; it could not be rolled back (%s)" % other.what

    def adopt_newer_version(self) -> bool:
        """Tell whether somebody else wrote other keys meanwhile, so that a newer version is to be proven."""
        current = self.secret.read()
        if current.number == self.version or not self.holds(current):
            return False
        self.version = current.number
        return True

    def holds(self, current: Version) -> bool:
        """Tell whether a version holds the new values."""
        return not changed_keys(sorted(self.values), current.data or {}, self.values)

    def roll_back(self) -> None:
        """Write the former values as a newer version, and put them back in the database. Raises SecretopsError."""
        one = self.application
        found = self.in_progress or record.InProgress("", self.base.number)
        self.in_progress = found._replace(step=record.ROLLING_BACK, owner=process.run())
        before = self.base.data
        if before is None:
            raise SecretopsError(
                "version %d, to which it would be rolled back, can no longer be read" % self.base.number,
                self.secret.where,
                'write valid values by hand, and remove "%s" from its custom metadata' % record.IN_PROGRESS,
            )
        current = self.secret.read()
        if not self.holds(current):
            self.secret.set_custom_metadata({record.IN_PROGRESS: None})
            raise Conflict(
                "somebody else wrote version %d meanwhile; it was left as it is" % current.number,
                self.secret.where,
                "look at what was written",
            )
        self.secret.set_custom_metadata({record.IN_PROGRESS: self.in_progress.text()})
        restored = {key: before.get(key) for key in one.generate}
        if self.credential is not None:
            restored.update(self.credential.restore(before))
        if changed_keys(sorted(restored), current.data or {}, restored):
            stamp = {one.timestamp_key: before.get(one.timestamp_key)} if one.timestamp_key else {}
            self.version = self.secret.put(restored, current, stamp)
        else:
            self.version = current.number
        self.values = {key: restored[key] for key in one.values}

    def probe(self) -> None:
        """Ask the application whether it works. Raises ProbeFailed."""
        if self.application.probe is not None:
            self.application.probe.wait()

    # -- the end ------------------------------------------------------------------------------------------------------

    def finish(self, run: str) -> None:
        """Note that the rotation is done, and destroy old versions."""
        noted: dict[str, str | None] = {record.IN_PROGRESS: None, record.SKIPPED: record.skipped_text(self.skipped)}
        if self.state != SYNC:
            noted.update({record.ROTATED_AT: now_text(), record.RUN_ID: run})
        self.secret.set_custom_metadata(noted)
        if self.application.keep_versions:
            self.pruned = self.secret.prune(self.application.keep_versions)
        self.outcome = "done"

    def finish_roll_back(self) -> None:
        """Note that the former values are back everywhere."""
        self.secret.set_custom_metadata({record.IN_PROGRESS: None})

    def result(self, check_mode: bool) -> dict[str, Any]:
        """Return the entry of the module's ``results``; nothing in it is secret."""
        info: dict[str, Any] = {"version_before": self.base.number, "version": self.version or self.base.number}
        planned = check_mode and self.error is None and self.state != NOT_DUE
        if self.state != NOT_DUE:
            info["proven"] = self.outcome == "done" and not self.unproven
        if self.unproven:
            info["unproven"] = self.unproven
        if self.outcome == "done" or planned:
            info["clusters"] = self.application.clusters
        if self.skipped:
            info["skipped_clusters"] = self.skipped
        if self.pruned:
            info["destroyed"] = self.pruned
        entry: dict[str, Any] = {
            "kind": "application",
            "name": self.application.name,
            "secret": self.application.secret,
            "action": "none" if self.state == NOT_DUE else "update",
            "changed": planned or self.touched,
            "outcome": self.outcome or ("planned" if planned else "not_due" if self.error is None else "failed"),
            "fields": self.application.keys if self.state != NOT_DUE else [],
            "info": info,
        }
        if self.error is not None:
            entry["error"], entry["error_code"] = str(self.error), self.error.code
        return entry

    def plan_line(self) -> str:
        """Return one line of the plan."""
        one = self.application
        text = "%s %s (%s, version %d, %s)" % (
            one.name,
            PLAN_TEXT[self.state],
            one.secret,
            self.base.number,
            record.age_text(self.age),
        )
        if self.state == NOT_DUE:
            return text
        text += ": %s" % ", ".join(one.keys)
        if one.external_secrets or one.workloads:
            text += "; syncs %d, restarts %d in %s" % (
                len(one.external_secrets),
                len(one.workloads),
                ", ".join(one.clusters),
            )
        if one.probe is not None:
            text += "; probes %s" % shown(one.probe.url)
        return text


def now_text() -> str:
    """Return the time (UTC) as it is written."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
