# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Wait for objects: a few are polled, many are watched."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Callable

from .._engine import progress
from .._engine.errors import SecretopsError
from .client import Client
from .errors import Forbidden
from .kind import Kind, Object
from .reading import Key, Reader, collections, key_of

#: judges an object: returns "" when it is as desired, else what is lacking
Look = Callable[["Object | None"], str]
#: seconds between two rounds, at first and at most
FIRST, LAST = 0.1, 2.0
#: minimum length of a common beginning for two texts to count as the same
SAME, CUT = 12, 200
#: maximum duration of one watch request, in seconds
WATCH = 300


class Expectation:
    """One object to wait for; ``look`` judges it, ``explain`` adds the cause after a timeout."""

    def __init__(
        self,
        kind: Kind,
        version: str,
        namespace: str | None,
        name: str,
        look: Look,
        explain: Callable[[Object | None], str] | None = None,
    ) -> None:
        self.kind = kind
        self.version = version
        self.namespace = namespace
        self.name = name
        self.look = look
        self.explain = explain
        self.lacking = "was not looked at"
        self.last: Object | None = None
        self.error: SecretopsError | None = None

    @property
    def key(self) -> Key:
        """Namespace and name of the object."""
        return self.namespace, self.name

    def judge(self, current: Object | None) -> None:
        """Judge the object and record what is lacking."""
        self.last = current
        try:
            self.lacking = self.look(current)
        except SecretopsError as error:
            self.error, self.lacking = error, error.what

    @property
    def open(self) -> bool:
        """Whether the wait goes on."""
        return bool(self.lacking) and self.error is None


class Watch:
    """The current state of a collection: listed once, then kept up to date by a watch in its own thread.

    Raises Forbidden when listing is denied; a denied watch is recorded in ``error``.
    """

    def __init__(self, client: Client, path: str, deadline: float, news: threading.Event) -> None:
        self.client = client
        self.path = path
        self.deadline = deadline
        self.news = news
        self.lock = threading.Lock()
        self.changed: set[Key] = set()
        self.error: SecretopsError | None = None
        self.stopped = False
        self.objects: dict[Key, Object] = {}
        self.version = ""
        self.stream: object = None
        self._list()
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _list(self) -> None:
        items, self.version = self.client.collection(self.path)
        with self.lock:
            before, self.objects = self.objects, {key_of(item): item for item in items}
            self.changed |= {*before, *self.objects}

    def _run(self) -> None:
        try:
            while not self.stopped:
                left = self.deadline - time.monotonic()
                if left <= 0:
                    return
                if not self._follow(min(left + 1, WATCH)) and not self.stopped:
                    # the watch expired; list again
                    time.sleep(FIRST)
                    self._list()
                    self.news.set()
        except SecretopsError as error:
            self.error = error
            self.news.set()

    def _follow(self, seconds: float) -> bool:
        """Follow the changes for some seconds; False when the watch expired and the collection must be listed again."""
        stream = self.client.watch(self.path, self.version, seconds)
        self.stream = stream
        if self.stopped:
            stream.close()
        for what, item in stream:
            if what == "ERROR":
                return False
            self.version = str(item["metadata"].get("resourceVersion") or self.version)
            if what in ("ADDED", "MODIFIED", "DELETED"):
                key = key_of(item)
                with self.lock:
                    if what == "DELETED":
                        self.objects.pop(key, None)
                    else:
                        self.objects[key] = item
                    self.changed.add(key)
                self.news.set()
        return True

    def take(self) -> set[Key]:
        """Return which objects changed since the last time."""
        with self.lock:
            changed, self.changed = self.changed, set()
        return changed

    def get(self, key: Key) -> Object | None:
        """Return an object as it is now, or None."""
        with self.lock:
            return self.objects.get(key)

    def stop(self) -> None:
        """End the watch."""
        self.stopped = True
        close = getattr(self.stream, "close", None)
        if close is not None:
            close()


def with_cause(lacking: str, cause: str) -> str:
    """Return what is lacking with its cause, without repetition: a status often quotes the event or its beginning."""
    told, cause = " ".join(lacking.split()), " ".join(cause.split())
    if not cause or cause in told:
        return lacking
    for start in range(len(told)):
        rest = told[start:]
        if len(rest) < SAME:
            break
        if cause.startswith(rest):
            return lacking + (": " + cause[len(rest) :].lstrip(" :,") if cause[len(rest) :] else "")
        if rest.startswith(cause[:CUT]) and len(cause) >= CUT:
            # an event is cut off
            return lacking
    return "%s: %s" % (lacking, cause)


def wait_for(client: Client, expectations: Sequence[Expectation], timeout: float) -> list[Expectation]:
    """Wait until all expectations are met; return the unmet ones after ``timeout`` seconds, with ``error`` set.

    Many objects of a collection cost one list and one watch; few objects cost a request each per round. Rounds start
    0.1 s apart and slow down to 2 s. ``look`` may raise SecretopsError to give an object up at once.
    """
    deadline = time.monotonic() + timeout
    news = threading.Event()
    watches = _watches(client, expectations, deadline, news)
    try:
        _wait(client, expectations, watches, deadline, news)
    finally:
        for watch in watches.values():
            watch.stop()
    for one in expectations:
        if one.open:
            cause = one.explain(one.last) if one.explain else ""
            text = "%s after %g seconds" % (one.lacking, timeout)
            one.error = SecretopsError(text + with_cause(one.lacking, cause)[len(one.lacking) :])
    return [one for one in expectations if one.error is not None]


def _watches(
    client: Client, expectations: Sequence[Expectation], deadline: float, news: threading.Event
) -> dict[str, Watch]:
    """Return a watch for each collection with many awaited objects, by path."""
    found: dict[str, Watch] = {}
    for kind, version, spaces in collections(((one.kind, one.version, one.namespace) for one in expectations), 5):
        for space in spaces:
            path = kind.path(version, space)
            try:
                found[path] = Watch(client, path, deadline, news)
            except Forbidden:
                # single objects may be allowed all the same
                continue
    return found


def _wait(
    client: Client,
    expectations: Sequence[Expectation],
    watches: dict[str, Watch],
    deadline: float,
    news: threading.Event,
) -> None:
    pause = FIRST
    while True:
        for path, watch in list(watches.items()):
            if watch.error is not None:
                if not isinstance(watch.error, Forbidden):
                    raise watch.error
                # listing is allowed, watching is not
                del watches[path]
        reader = Reader(client)
        pending = [one for one in expectations if one.open]
        reader.prefetch((one.kind, one.version, one.namespace) for one in pending if _watched(watches, one) is None)
        for one in pending:
            source = _watched(watches, one)
            if source is None:
                one.judge(reader.get(one.kind, one.version, one.namespace, one.name))
            else:
                one.judge(source.get(one.key))
        end = min(time.monotonic() + pause, deadline)
        pause = min(pause * 1.5, LAST)
        while True:
            pending = [one for one in pending if one.open]
            progress.tell("%d of %d ready", len(expectations) - len(pending), len(expectations))
            left = end - time.monotonic()
            if not pending or left <= 0:
                break
            if news.wait(max(left, 0.01)):
                news.clear()
                _look_at_news(pending, watches)
        if not pending or time.monotonic() >= deadline:
            return


def _watched(watches: dict[str, Watch], one: Expectation) -> Watch | None:
    return watches.get(one.kind.path(one.version)) or watches.get(one.kind.path(one.version, one.namespace))


def _look_at_news(pending: Sequence[Expectation], watches: dict[str, Watch]) -> None:
    """Judge only the objects that changed since the last time."""
    changed = {path: watch.take() for path, watch in watches.items()}
    for one in pending:
        for path in (one.kind.path(one.version), one.kind.path(one.version, one.namespace)):
            if one.key in changed.get(path, ()):
                one.judge(watches[path].get(one.key))
