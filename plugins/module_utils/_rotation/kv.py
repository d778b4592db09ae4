# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The secret of one application in a KV engine of version 2: its versions and its custom metadata.

Source: /api-docs/secret/kv/kv-v2.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, TypeVar

from .._engine import wording
from .._engine.errors import InvalidInput, NoAnswer, SecretopsError, ServerError
from .._engine.secrets import KNOWN
from .._vault.base.mounts import EngineMounts
from .._vault.base.naming import in_url
from .._vault.connection.client import Client
from .._vault.connection.errors import BadRequest
from .._vault.engines.kv.waiting import patiently

Answer = TypeVar("Answer")
#: how often metadata is written again because somebody else wrote in between
ATTEMPTS = 5
#: seconds between two attempts while a cluster elects a leader
PAUSE = 1.0


class Retry:
    """Repeats what failed because no server could take it, such as while a cluster elects a leader.

    For what looks before it does, so that a repetition does nothing twice. ``seconds``: for how long, from the first
    failure in a row on.
    """

    def __init__(self, client: Client, seconds: float) -> None:
        self.client = client
        self.seconds = seconds

    def __call__(self, act: Callable[[], Answer]) -> Answer:
        deadline: float | None = None
        while True:
            try:
                return patiently(act)
            except ServerError as error:
                now = time.monotonic()
                deadline = now + self.seconds if deadline is None else deadline
                if now >= deadline or not is_temporary(error):
                    raise
            time.sleep(PAUSE)
            self._look_again()

    def _look_again(self) -> None:
        try:
            self.client.choose_again()
        except SecretopsError as error:
            if not isinstance(error, ServerError) or not is_temporary(error):
                raise


def is_temporary(error: ServerError) -> bool:
    """Tell whether the same request may succeed a little later: there is no leader, or it is another one now."""
    if isinstance(error, NoAnswer) and error.tls:
        return False
    return error.retryable or error.status >= 500


class Version(NamedTuple):
    """What a secret holds: the number of its current version, and its keys, None where that is deleted."""

    number: int
    data: Mapping[str, Any] | None


class Conflict(SecretopsError):
    """Somebody else changed the same keys since they were read."""

    code = "conflict"


class KvSecret:
    """One secret. All of it raises SecretopsError."""

    def __init__(self, client: Client, mounts: EngineMounts, mount: str, path: str, retry: Retry) -> None:
        self.client = client
        self.mounts = mounts
        self.mount, self.path = mount, path
        self.retry = retry
        self.where = 'secret "%s/%s"' % (mount, path)

    def url(self, part: str) -> str:
        """Return its API path below ``data``, ``metadata`` or ``destroy``."""
        return "%s/%s/%s" % (self.mount, part, in_url(self.path))

    def check_engine(self) -> None:
        """Refuse an engine without versions. Raises InvalidInput."""
        entry = self.mounts.require(self.mount, "kv")
        if entry is None:
            raise InvalidInput("nothing is mounted there", 'mount "%s"' % self.mount, "correct the mount")
        if str((entry.get("options") or {}).get("version", "1")) != "2":
            raise InvalidInput(
                "the engine is of KV version 1: without versions nothing could be rolled back",
                'mount "%s"' % self.mount,
                "upgrade it to version 2",
            )

    def metadata(self) -> dict[str, Any] | None:
        """Return what is known of it, None when it does not exist."""
        return self.retry(lambda: self.client.read(self.url("metadata")))

    def read(self, version: int | None = None) -> Version:
        """Return a version, by default the current one; its data is None where it is deleted or destroyed."""
        found = self.retry(
            lambda: self.client.read(self.url("data"), None if version is None else {"version": version})
        )
        data = (found or {}).get("data")
        number = int(((found or {}).get("metadata") or {}).get("version") or 0)
        for value in (data or {}).values():
            if isinstance(value, str):
                KNOWN.add(value, unless_public=True)
        return Version(number, data)

    def put(self, keys: Mapping[str, Any], base: Version, optional: Mapping[str, Any] | None = None) -> int:
        """Write new values of some keys over a version by check-and-set, every other key kept; return the new version.

        What somebody else writes to other keys meanwhile is kept. Raises Conflict when it is one of these keys.
        ``optional`` are values that nobody compares, such as the time. None removes a key.
        """
        current = base
        for _attempt in range(ATTEMPTS):
            merged = {**(current.data or {}), **keys, **(optional or {})}
            data = {key: value for key, value in merged.items() if value is not None}
            body = {"data": data, "options": {"cas": current.number}}
            try:
                answer = self.retry(lambda body=body: self.client.write(self.url("data"), body))  # type: ignore[misc]
                return int((answer.get("data") or {}).get("version") or 0)
            except BadRequest as error:
                if not wording.version_differs(error.said):
                    raise
            # our own write whose answer was lost, or somebody else's
            current = self.read()
            held = current.data or {}
            if all(held.get(key) == value for key, value in keys.items()):
                return current.number
            if any(held.get(key) != (base.data or {}).get(key) for key in keys):
                break
        raise Conflict(
            "somebody else wrote version %d since it was read, with other values for %s"
            % (current.number, ", ".join(sorted(keys))),
            self.where,
            "look at what was written, then run again",
        )

    def set_custom_metadata(self, changes: Mapping[str, str | None]) -> None:
        """Change entries of the custom metadata, None removes one; the others stay."""
        for attempt in range(1, ATTEMPTS + 1):
            found = self.metadata() or {}
            custom = dict(found.get("custom_metadata") or {})
            wanted = {key: value for key, value in {**custom, **changes}.items() if value is not None}
            if wanted == custom:
                return
            body: dict[str, Any] = {"custom_metadata": wanted}
            if "current_metadata_version" in found:
                body["metadata_cas"] = int(found["current_metadata_version"])
            try:
                self.retry(lambda body=body: self.client.write(self.url("metadata"), body))  # type: ignore[misc]
                return
            except BadRequest as error:
                if not wording.metadata_version_differs(error.said) or attempt == ATTEMPTS:
                    raise

    def prune(self, keep: int) -> list[int]:
        """Destroy all but the newest ``keep`` versions; return the numbers of those that were destroyed."""
        found = self.metadata() or {}
        newest = int(found.get("current_version") or 0)
        old = [
            int(number)
            for number, version in (found.get("versions") or {}).items()
            if int(number) <= newest - keep and not version.get("destroyed")
        ]
        if old:
            self.retry(lambda: self.client.write(self.url("destroy"), {"versions": sorted(old)}, method="PUT"))
        return sorted(old)


def changed_keys(keys: Sequence[str], one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the names of keys with different values."""
    return [key for key in keys if one.get(key) != other.get(key)]
