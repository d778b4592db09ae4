# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The engine: read the current state, compare it with the declared one, show the difference, change the least.

Knows neither Vault nor Kubernetes. A module passes resources and gets a `Report`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Callable, ClassVar

from . import normalise, progress
from .display import as_text, shown_pair
from .errors import InvalidInput, SecretopsError
from .hidden import HIDDEN_OLD
from .scrub import leaves, scrub

CREATE, UPDATE, DELETE, NONE = "create", "update", "delete", "none"


class Resource:
    """One declared object.

    Subclasses set the class variables, `desired` (what is declared; None when the object is to be absent) and implement
    `read`, `write` and `delete`. The engine calls, in this order: `check` of all, `preflight` of all, then of each
    `read`, `resolve`, `compare`, and unless in check mode `write` or `delete`. Nothing is asked of a server before
    `preflight`, and nobody but the engine changes `desired` after the constructor.
    """

    kind: ClassVar[str] = "object"
    #: how to compare a field; a field that is not named is compared by `normalise.guess`
    fields: Mapping[str, normalise.Normaliser] = {}
    #: never printed
    secret_fields: frozenset[str] = frozenset()
    #: write-only: never returned by the server, written by the rule of ``update_secrets``
    write_only_fields: frozenset[str] = frozenset()
    #: returned by a read, but not accepted by a write
    answered_only: frozenset[str] = frozenset()
    #: it has a server of its own: an outage there does not affect the other objects
    own_server: ClassVar[bool] = False
    #: deleting it loses data that cannot be declared again
    holds_data: ClassVar[bool] = False
    #: lower ones are written first and deleted last
    rank: int = 0
    #: names of objects of the same kind that it depends on; None: all of lower rank
    needs: frozenset[str] | None = None
    #: its place in a tree, for its result: ``part`` and ``namespace``
    place: Mapping[str, str] = {}

    def __init__(self, name: str, desired: Mapping[str, Any] | None) -> None:
        self.name = name
        self.desired = None if desired is None else {key: value for key, value in desired.items() if value is not None}
        #: facts for the result that are not secret, such as a version number; filled by `read` and `write`
        self.info: dict[str, Any] = {}
        self.warnings: list[str] = []

    @property
    def label(self) -> str:
        """The object's name in messages: ``policy "eso"``."""
        inside = self.place.get("namespace")
        return '%s "%s"' % (self.kind, self.name) + (' in namespace "%s"' % inside if inside else "")

    @property
    def key(self) -> str:
        """The name as the server compares it: two resources of one kind and key are one object."""
        return self.name

    def check(self) -> None:
        """Validate the declaration alone. Raises InvalidInput; sends no request, changes nothing."""

    def preflight(self) -> None:
        """Validate the declaration against the server: what it supports, and its current state.

        Called for every resource after every `check` and before anything changes. Raises InvalidInput.
        """

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        """Read lists that answer for many objects of this class; called before the first `read`. Raises nothing."""

    def read(self) -> Mapping[str, Any] | None:
        """Return the current fields, or None when the object does not exist. Raises SecretopsError."""
        raise NotImplementedError

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Return the desired state in view of the current one, with open values filled in. Raises SecretopsError.

        ``current`` is what `read` returned. Not called for an object that is to be absent. Without open values this is
        the declaration itself.
        """
        return self.desired or {}

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        """Return the names of the desired fields that differ; write-only fields are not compared."""
        comparable = {key: value for key, value in desired.items() if key not in self.write_only_fields}
        return normalise.differing(current, comparable, self.fields)

    def write(self, change: Change) -> None:
        """Create or update the object. Raises SecretopsError."""
        raise NotImplementedError

    def delete(self, change: Change) -> None:
        """Delete the object. Raises SecretopsError."""
        raise NotImplementedError

    def whole_body(self, change: Change) -> dict[str, Any]:
        """Return the body of a write: the declaration for a new object, else current fields with the changes.

        Many endpoints reset fields that an update leaves out to their default.
        Write-only fields are sent only when they are declared and to be changed.
        """
        desired = change.desired
        if change.current is None:
            return dict(desired)
        left = self.answered_only | self.write_only_fields
        stands = {name: value for name, value in change.current.items() if value is not None and name not in left}
        return {**stands, **{name: desired[name] for name in change.fields if name in desired}}

    def convert_durations(self) -> None:
        """Turn the declared durations into seconds. Raises InvalidInput for any other text.

        This is the only change that the engine makes to a declaration; it comes after `check`.
        """
        for name, value in (self.desired or {}).items():
            try:
                sent = normalise.as_sent(value, self.fields.get(name))
            except InvalidInput as error:
                raise error.at(name) from None
            if sent is not value:
                self.desired[name] = sent  # type: ignore[index]

    def take_warnings(self) -> list[str]:
        """Return the server's warnings since the last call in this thread, without the object's secrets."""
        ask = getattr(getattr(self, "client", None), "take_warnings", None)
        if ask is None:
            return []
        hidden = self.hidden()
        secrets = leaves([value for name, value in (self.desired or {}).items() if name in hidden or "*" in hidden])
        return [scrub(text, secrets) for text in ask()]

    def hidden(self) -> set[str]:
        """Return the names of the fields whose values are never printed; may depend on what was read."""
        return set(self.secret_fields | self.write_only_fields)

    def show(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields as a diff shows them, before secrets are hidden."""
        return fields


def check_completed(
    check: Callable[[Mapping[str, Any]], None],
    desired: Mapping[str, Any],
    read: Callable[[], Mapping[str, Any] | None],
) -> None:
    """Validate the declaration alone; if that fails, retry with the current state merged in. Raises InvalidInput.

    A failure to read is left to the resource's own `read`.
    """
    try:
        check(desired)
    except InvalidInput:
        try:
            current = read()
        except InvalidInput:
            raise
        except SecretopsError:
            return
        check({**(current or {}), **desired})


def check_new(check: Callable[[], None], exists: Callable[[], bool]) -> None:
    """Validate what a new object needs; whether it exists is asked only when the validation fails.

    Raises InvalidInput. A failure to read is left to the resource's own `read`.
    """
    try:
        check()
    except InvalidInput:
        try:
            found = exists()
        except InvalidInput:
            raise
        except SecretopsError:
            return
        if not found:
            raise


class Change:
    """The planned change of one resource.

    ``action``; the differing ``fields``; ``current``, what was read; ``desired``, the resolved state (see
    `Resource.resolve`), empty for what is to be absent.
    """

    def __init__(
        self, resource: Resource, action: str, current: Mapping[str, Any] | None = None, fields: Sequence[str] = ()
    ) -> None:
        self.resource = resource
        self.action = action
        self.current = current
        self.desired: Mapping[str, Any] = resource.desired or {}
        self.fields = list(fields)
        self.error: SecretopsError | None = None
        self.reached = False
        #: whether it was processed: not after an error that every other object would meet
        self.seen = True
        #: set by a `write` of several steps after its first one: a later failure does not undo that
        self.touched = False

    def diff(self) -> dict[str, Any] | None:
        """Return Ansible's diff entry with secrets hidden, or None when nothing changes."""
        if self.action == NONE:
            return None
        resource = self.resource
        desired = self.desired
        current = self.current or {}
        if self.action == UPDATE:
            before = {name: current[name] for name in self.fields if current.get(name) is not None}
            after = {name: desired[name] for name in self.fields if name in desired}
        else:
            before, after = dict(current), dict(desired)
        hidden = resource.hidden()
        shown_before, shown_after = shown_pair(resource.show(before), resource.show(after), hidden, self.fields)
        if self.action == UPDATE:
            for name in self.fields:
                if name in resource.write_only_fields and name not in shown_before:
                    shown_before[name] = HIDDEN_OLD
        header = "%s (%s)" % (resource.label, self.action)
        return {
            "before_header": header,
            "after_header": header,
            "before": as_text(shown_before) if self.action != CREATE else "",
            "after": as_text(shown_after) if self.action != DELETE else "",
        }

    def effective(self, check_mode: bool = False) -> bool:
        """Tell whether the object was changed, even if only in part; in check mode, whether it would be."""
        if self.error is not None:
            return self.touched
        return self.action != NONE and (self.reached or check_mode)

    def result(self, check_mode: bool = False) -> dict[str, Any]:
        """Return the entry of the module's ``results``: nothing in it is secret."""
        entry: dict[str, Any] = {
            "kind": self.resource.kind,
            "name": self.resource.name,
            "action": self.action,
            "changed": self.effective(check_mode),
            "fields": self.fields,
            **self.resource.place,
        }
        if self.resource.info:
            entry["info"] = self.resource.info
        if self.error is not None:
            entry["error"], entry["error_code"] = str(self.error), self.error.code
        return entry


class Report:
    """The result of a run; in check mode, of what it would do."""

    def __init__(self, changes: Sequence[Change], check_mode: bool = False, beyond: int = 0) -> None:
        self.changes = list(changes)
        self.check_mode = check_mode
        #: number of further declared objects that were not read
        self.beyond = beyond

    @property
    def failed(self) -> list[Change]:
        """The changes that failed, in the order of the declaration."""
        return [change for change in self.changes if change.error is not None]

    @property
    def changed(self) -> bool:
        """True when at least one object was changed (in check mode: would be)."""
        return any(change.effective(self.check_mode) for change in self.changes)

    def summary(self) -> dict[str, int]:
        """Return how many objects were created, updated, deleted, left alone, failed, not reached."""
        count = {"create": 0, "update": 0, "delete": 0, "none": 0, "failed": 0, "not_reached": self.beyond}
        for change in self.changes:
            if change.error is not None:
                count["failed"] += 1
            elif not change.seen or (change.action != NONE and not change.reached and not self.check_mode):
                count["not_reached"] += 1
            else:
                count[change.action] += 1
        return count

    def message(self) -> str:
        """Return the message of a failed module: which objects failed, why, and the outcome of the others."""
        failed = self.failed
        text = "; ".join(str(change.error) for change in failed[:3])
        if len(failed) > 3:
            text += "; and %d more, see results" % (len(failed) - 3)
        if len(self.changes) + self.beyond > 1:
            count = self.summary()
            done = count["create"] + count["update"] + count["delete"]
            text += " (%d failed, %d %s, %d unchanged, %d not reached)" % (
                count["failed"],
                done,
                "would change" if self.check_mode else "changed",
                count["none"],
                count["not_reached"],
            )
        return text

    def code(self) -> str:
        """Return the error code of the first object that failed."""
        return next((change.error.code for change in self.changes if change.error is not None), "")

    def as_result(self, only_changes: bool = False) -> dict[str, Any]:
        """Return the mapping for exit_json and fail_json; ``only_changes`` leaves out unchanged objects."""
        seen = [one for one in self.changes if one.seen or one.error is not None]
        told = [one for one in seen if not only_changes or one.error is not None or one.action != NONE]
        result: dict[str, Any] = {
            "changed": self.changed,
            "summary": self.summary(),
            "results": [change.result(self.check_mode) for change in told],
            "diff": [
                diff for diff in (change.diff() for change in self.changes if change.effective(self.check_mode)) if diff
            ],
        }
        if len(self.changes) == 1 and self.changes[0].resource.info:
            result.update({key: value for key, value in self.changes[0].resource.info.items() if key not in result})
        return result


def ended(changes: Iterable[Change]) -> bool:
    """Tell whether an error would stop every other object too: the server is unreachable, the token invalid."""
    return any(
        change.error is not None and change.error.ends_task and not change.resource.own_server for change in changes
    )


def _each(function: Callable[[Change], None], changes: Sequence[Change], workers: int, done: str) -> None:
    # each thread takes the next object: a future for each would cost more than the object itself
    waiting = deque(changes)
    lock = Lock()

    def guarded(change: Change) -> None:
        try:
            function(change)
        except SecretopsError as error:
            with lock:
                if error.ends_task and ended(changes):
                    # reported once: other threads meet it at the same moment
                    change.seen = False
                    return
                change.error = error.at(change.resource.label)
                if ended((change,)):
                    waiting.clear()

    def drain() -> None:
        while waiting:
            try:
                change = waiting.popleft()
            except IndexError:
                return
            progress.tell("%d of %d objects %s", len(changes) - len(waiting) - 1, len(changes), done)
            try:
                guarded(change)
            except BaseException:
                waiting.clear()
                raise

    if workers <= 1 or len(changes) <= 1:
        drain()
        return
    with ThreadPoolExecutor(max_workers=min(workers, len(changes))) as pool:
        threads = [pool.submit(drain) for _worker in range(min(workers, len(changes)))]
        try:
            for thread in threads:
                thread.result()
        except BaseException:
            # a signal: start no further object
            waiting.clear()
            raise


def distinct(resources: Iterable[Resource]) -> None:
    """Refuse invalid declarations and duplicates. Raises InvalidInput."""
    seen: set[tuple[str, str]] = set()
    for resource in resources:
        if (resource.kind, resource.key) in seen:
            raise InvalidInput("is declared twice", resource.label, "keep one of the two")
        seen.add((resource.kind, resource.key))
        try:
            resource.check()
            resource.convert_durations()
        except SecretopsError as error:
            raise error.at(resource.label) from None


def preflight(resources: Iterable[Resource]) -> None:
    """Validate all resources against the server, before anything changes. Raises SecretopsError."""
    for resource in resources:
        try:
            resource.preflight()
        except SecretopsError as error:
            raise error.at(resource.label) from None


def plan(resources: Iterable[Resource], update_secrets: str = "always", workers: int = 4) -> list[Change]:
    """Read every resource and return a change for each, in the given order. Writes nothing.

    ``update_secrets``: ``always`` writes a declared write-only field at every run (and reports a change),
    ``on_create`` only when the object is created. Raises InvalidInput when a declaration cannot be right or names an
    object twice; a failure to read is kept in the change's ``error``.
    """
    changes = [Change(resource, NONE) for resource in resources]
    distinct(change.resource for change in changes)
    preflight(change.resource for change in changes)

    classes: dict[type[Resource], list[Resource]] = {}
    for change in changes:
        classes.setdefault(type(change.resource), []).append(change.resource)
    for kind, alike in classes.items():
        kind.prepare(alike)

    for change in changes:
        change.seen = False

    def look(change: Change) -> None:
        resource = change.resource
        current = resource.read()
        change.seen = True
        change.current = current
        if resource.desired is None:
            change.action = NONE if current is None else DELETE
            return
        change.desired = resource.resolve(current)
        if current is None:
            change.action, change.fields = CREATE, sorted(change.desired)
        else:
            names = resource.compare(current, change.desired)
            if update_secrets == "always":
                names = sorted(set(names) | (resource.write_only_fields & set(change.desired)))
            change.fields = names
            change.action = UPDATE if names else NONE

    _each(look, changes, workers, "read")
    return changes


def apply(changes: Sequence[Change], workers: int = 4) -> None:
    """Execute a plan: creations and updates by rising rank, then deletions by falling rank.

    An object that fails is marked. Objects that depend on it are skipped, and so are all deletions, as it may still
    need the objects to delete. When a deletion fails, those of lower rank are skipped.
    """
    if ended(changes):
        return
    pending = [change for change in changes if change.error is None and change.action != NONE]

    def act(change: Change) -> None:
        change.reached = True
        resource = change.resource
        # earlier warnings belong to another object
        resource.take_warnings()
        try:
            if change.action == DELETE:
                resource.delete(change)
            else:
                resource.write(change)
        finally:
            for warning in resource.take_warnings():
                if warning not in resource.warnings:
                    resource.warnings.append("the server warns: %s" % warning)

    # an object that could not be read counts as failed for those that depend on it
    lost = {(change.resource.kind, change.resource.name) for change in changes if change.error is not None}
    failed = False
    for batch in _ranked([change for change in pending if change.action != DELETE]):
        ready = [change for change in batch if not _waits(change.resource, lost, failed)]
        _each(act, ready, workers, "written")
        if ended(ready):
            return
        failed = failed or any(change.error is not None for change in ready)
        lost |= {(one.resource.kind, one.resource.name) for one in batch if one.error is not None or not one.reached}
    if unfinished(changes):
        return
    for batch in reversed(_ranked([change for change in pending if change.action == DELETE])):
        _each(act, batch, workers, "deleted")
        if any(change.error is not None for change in batch):
            return


def unfinished(changes: Iterable[Change]) -> bool:
    """Tell whether a declared object could not be read or written: then nothing is deleted."""
    return any(not change.seen if change.error is None else change.resource.desired is not None for change in changes)


def _ranked(changes: Sequence[Change]) -> list[list[Change]]:
    """Return the changes of each rank, the lowest first."""
    ranks = sorted({change.resource.rank for change in changes})
    return [[change for change in changes if change.resource.rank == rank] for rank in ranks]


def _waits(resource: Resource, lost: set[tuple[str, str]], failed: bool) -> bool:
    if resource.needs is None:
        return failed
    return any((resource.kind, name) in lost for name in resource.needs)


def reconcile(
    resources: Iterable[Resource], check_mode: bool = False, update_secrets: str = "always", workers: int = 4
) -> Report:
    """Plan, and apply unless in check mode. Objects that could not be read are skipped; the others go on."""
    changes = plan(resources, update_secrets, workers)
    report = Report(changes, check_mode)
    if not check_mode:
        apply(changes, workers)
    return report
