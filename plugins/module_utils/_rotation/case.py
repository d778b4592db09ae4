# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""One application's rotation in Vault and in its database: found out, begun, written, put back, ended.

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
from .kv import Conflict, KvSecret, Patience, Version, differing, passes
from .probe import BEFORE, ProbeFailed

# What is to be done for an application.
BEGIN, REDO, WRITTEN, BACK, BRING, REST = "begin", "redo", "written", "back", "bring", "rest"
#: the same in words, for the plan
WORDS: Mapping[str, str] = {
    BEGIN: "would be rotated",
    REDO: "would be rotated: an earlier run ended before it wrote the new values",
    WRITTEN: "would be completed: an earlier run wrote the new values and ended before they were proven everywhere",
    BACK: "would be put back: an earlier run ended while it did that",
    BRING: "would be brought to the clusters that were left out",
    REST: "is not due",
}


class NotProven(SecretopsError):
    """It is not known whether the new values arrived."""

    code = "not_proven"


class Busy(SecretopsError):
    """Another run is at it."""

    code = "conflict"


class Case:
    """One application in this run. What talks to servers raises SecretopsError."""

    def __init__(self, application: Application, client: Client, mounts: EngineMounts, patience: Patience) -> None:
        self.application = application
        self.secret = KvSecret(client, mounts, application.mount, application.path, patience)
        self.credential: Credential | None = None
        if application.database:
            self.credential = Credential(client, mounts, application.database, application.secret, patience)
        self.state = REST
        self.age: int | None = None
        #: what the secret held before
        self.base = Version(0, None)
        self.open: record.Open | None = None
        #: the values of the keys that are rotated, and the version that holds them
        self.values: dict[str, Any] = {}
        self.version = 0
        self.error: SecretopsError | None = None
        #: "held": not begun, as a cluster would not take it; "not_reached"; "put_back", "not_proven", "failed"; "done"
        self.outcome = ""
        self.touched = False
        self.restarted = False
        self.doubts = ""
        self.pruned: list[int] = []
        #: clusters that are left out knowingly
        self.left: list[str] = []

    # -- before anything changes --------------------------------------------------------------------------------------

    def look(self, due: bool, now: float, left_out: Sequence[str]) -> None:
        """Find out what is to be done. ``due``: at any age. ``left_out``: clusters that this run leaves out."""
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
        self.open = record.opened(custom)
        missed = record.left_out(custom, one.clusters)
        self.left = [name for name in left_out if name in one.clusters]
        if self.open is not None:
            self._look_at_open(self.open, held)
        elif due or one.max_age is None or self.age is None or self.age >= one.max_age:
            self.state = BEGIN
        elif set(missed) - set(self.left):
            self.state = BRING
            self.values, self.version = {key: held[key] for key in one.values}, self.base.number
            self.application = one.within(missed)
        if self.left:
            self.application = self.application.within(set(one.clusters) - set(self.left))
        if self.credential is not None and self.state not in (REST, BRING):
            self.credential.check(held)
        if one.probe is not None and self.state != REST:
            one.probe.check()
        if one.probe is not None and self.state == BEGIN:
            try:
                one.probe.wait(BEFORE)
            except ProbeFailed as error:
                error.what += ", before anything was rotated"
                raise

    def _look_at_open(self, found: record.Open, held: Mapping[str, Any]) -> None:
        if found.owner and process.lives(found.owner) and dict(found.owner) != process.run():
            raise Busy(
                "another run rotates it (process %s)" % found.owner.get("pid"), self.secret.where, "wait for its end"
            )
        keys = self.application.values
        before = self.secret.read(found.version).data
        if found.step == record.BACK:
            self.state = BACK
        elif record.written(keys, before, held, found.version, self.base.number):
            self.state = WRITTEN
        else:
            self.state = REDO
            return
        # the earlier run may have restarted them with the new values
        self.restarted = True
        self.values, self.version = {key: held[key] for key in keys}, self.base.number
        self.base = Version(found.version, before)

    # -- the change ---------------------------------------------------------------------------------------------------

    def write(self, run: str, generator: Generator, label: Any) -> None:
        """Change the credential where it lives, prove it there, and write the new version."""
        one, credential = self.application, self.credential
        values: dict[str, Any] = self.secret.patience(
            lambda: {key: generator.value(spec, label) for key, spec in one.generate.items()}
        )
        KNOWN.add(*values.values())
        before = ""
        if credential is not None and credential.role:
            before = (self.open.role if self.open else "") or credential.rotated()
        self.open = record.Open(run, self.base.number, record.BEGUN, before, process.run())
        self.secret.note({record.OPEN: self.open.text()})
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
            if isinstance(error, ServerError) and passes(error):
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
                restored = self.credential.back(current.data or {})
                if differing(sorted(restored), current.data or {}, restored):
                    self.secret.put(restored, current)
                    error.what += "; the secret holds the password that the database has now"
            self.secret.note({record.OPEN: None})
        except SecretopsError as other:
            error.what += "; it could not be put back (%s)" % other.what

    def again(self) -> bool:
        """Tell whether somebody else wrote other keys meanwhile, so that a newer version is to be proven."""
        current = self.secret.read()
        if current.number == self.version or not self.holds(current):
            return False
        self.version = current.number
        return True

    def holds(self, current: Version) -> bool:
        """Tell whether a version holds the new values."""
        return not differing(sorted(self.values), current.data or {}, self.values)

    def put_back(self) -> None:
        """Write the former values as a newer version, and put them back in the database. Raises SecretopsError."""
        one = self.application
        found = self.open or record.Open("", self.base.number)
        self.open = found._replace(step=record.BACK, owner=process.run())
        before = self.base.data
        if before is None:
            raise SecretopsError(
                "version %d, which would be put back, can be read no more" % self.base.number,
                self.secret.where,
                'write valid values by hand, and remove "%s" from its custom metadata' % record.OPEN,
            )
        current = self.secret.read()
        if not self.holds(current):
            self.secret.note({record.OPEN: None})
            raise Conflict(
                "somebody else wrote version %d meanwhile; it was left as it is" % current.number,
                self.secret.where,
                "look at what was written",
            )
        self.secret.note({record.OPEN: self.open.text()})
        restored = {key: before.get(key) for key in one.generate}
        if self.credential is not None:
            restored.update(self.credential.back(before))
        if differing(sorted(restored), current.data or {}, restored):
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

    def end(self, run: str) -> None:
        """Note that the rotation is done, and destroy old versions."""
        noted: dict[str, str | None] = {record.OPEN: None, record.LEFT: record.left_text(self.left)}
        if self.state != BRING:
            noted.update({record.AT: now_text(), record.RUN: run})
        self.secret.note(noted)
        if self.application.keep_versions:
            self.pruned = self.secret.prune(self.application.keep_versions)
        self.outcome = "done"

    def end_back(self) -> None:
        """Note that the former values are back everywhere."""
        self.secret.note({record.OPEN: None})

    def result(self, check_mode: bool) -> dict[str, Any]:
        """Return the entry of the module's ``results``; nothing in it is secret."""
        info: dict[str, Any] = {"version_before": self.base.number, "version": self.version or self.base.number}
        planned = check_mode and self.error is None and self.state != REST
        if self.state != REST:
            info["proven"] = self.outcome == "done" and not self.doubts
        if self.doubts:
            info["unproven"] = self.doubts
        if self.outcome == "done" or planned:
            info["clusters"] = self.application.clusters
        if self.left:
            info["left_out"] = self.left
        if self.pruned:
            info["destroyed"] = self.pruned
        entry: dict[str, Any] = {
            "kind": "application",
            "name": self.application.name,
            "secret": self.application.secret,
            "action": "none" if self.state == REST else "update",
            "changed": planned or self.touched,
            "outcome": self.outcome or ("planned" if planned else "not_due" if self.error is None else "failed"),
            "fields": self.application.keys if self.state != REST else [],
            "info": info,
        }
        if self.error is not None:
            entry["error"], entry["error_code"] = str(self.error), self.error.code
        return entry

    def told(self) -> str:
        """Return one line of the plan."""
        one = self.application
        text = "%s %s (%s, version %d, %s)" % (
            one.name,
            WORDS[self.state],
            one.secret,
            self.base.number,
            record.words(self.age),
        )
        if self.state == REST:
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
