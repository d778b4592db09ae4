# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The engine: read the current state, compare it with the declared one, change the least.

Knows neither Vault nor Kubernetes. A module passes resources and gets a `Report`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Callable

from . import progress
from .errors import InvalidInput, SecretopsError
from .report import Report
from .resource import CREATE, DELETE, NONE, UPDATE, Change, Resource


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
