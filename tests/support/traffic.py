# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that reads and writes all the time, as applications do, while a cluster is worked on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

#: How long a client tries one request again, in seconds: an election takes some ten.
PATIENCE = 60.0
TIMEOUT = 5.0
PAUSE = 0.2
#: How long a standby may answer with what was there before, in seconds.
LATE = 10.0


@dataclass
class Side:
    """What one thread saw."""

    done: int = 0
    retried: int = 0
    stale: int = 0
    slowest: float = 0.0
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.done} done, {self.retried} retried, {self.stale} stale, {len(self.failed)} failed, "
            f"slowest {self.slowest:.2f} s"
        )


class Traffic:
    """Reads and writes a KV v2 mount from two threads, from entering to leaving.

    A request that fails is tried again at the next address, for `PATIENCE` seconds. Nothing but an answer of the server
    counts as done. `written` has the last number that the server confirmed, by key.
    """

    def __init__(self, urls: list[str], ca_cert: str, log_in: Callable[[], str], mount: str = "secret") -> None:
        self.urls, self.ca_cert, self.log_in, self.mount = urls, ca_cert, log_in, mount
        self.writes, self.reads = Side(), Side()
        self.written: dict[str, int] = {}
        self.token = log_in()
        self.ended = threading.Event()
        self.threads: list[threading.Thread] = []
        self.folder = f"traffic-{time.time_ns()}"

    def __enter__(self) -> Traffic:
        for work, side in ((self.write, self.writes), (self.read, self.reads)):
            self.threads.append(threading.Thread(target=self.repeat, args=(work, side), daemon=True))
            self.threads[-1].start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(PATIENCE + TIMEOUT)

    def repeat(self, work: Callable[[int, Side], None], side: Side) -> None:
        """Work until the end, and keep how long the slowest took."""
        number = 0
        while not self.ended.is_set():
            number += 1
            began = time.monotonic()
            try:
                work(number, side)
            except Exception as error:  # noqa: BLE001  (a thread that ended without a word would look well)
                side.failed.append(f"ended by {error!r}")
                return
            side.slowest = max(side.slowest, time.monotonic() - began)
            time.sleep(0.02)

    def write(self, number: int, side: Side) -> None:
        """Write the next number."""
        key = f"{self.folder}/{number % 20}"
        if self.ask("POST", f"data/{key}", side, {"data": {"number": number}}) is not None:
            self.written[key] = number

    def read(self, number: int, side: Side) -> None:
        """Read a number that was confirmed. A standby of OpenBao answers by itself, so it may be an older one."""
        for key, wanted in list(self.written.items())[number % 20 :][:1]:
            answer = self.ask("GET", f"data/{key}", side)
            if answer is not None and answer["data"]["data"]["number"] < wanted:
                side.stale += 1

    def ask(self, method: str, path: str, side: Side, body: object = None) -> Any:
        """Ask until a server answers; returns its answer, None when the patience is at an end."""
        deadline = time.monotonic() + PATIENCE
        attempt, reason = 0, ""
        while time.monotonic() < deadline:
            url = self.urls[attempt % len(self.urls)]
            try:
                answer = requests.request(
                    method,
                    f"{url}/v1/{self.mount}/{path}",
                    json=body,
                    headers={"X-Vault-Token": self.token},
                    verify=self.ca_cert,
                    timeout=TIMEOUT,
                )
                if answer.ok:
                    side.done += 1
                    return answer.json() if answer.content else {}
                reason = f"{answer.status_code} {answer.text.strip()}"
                if answer.status_code == 403:
                    self.token = self.log_in()
            except Exception as error:  # noqa: BLE001  (whatever it is, a client tries again)
                reason = str(error)
            attempt += 1
            side.retried += 1
            time.sleep(PAUSE)
        side.failed.append(f"{method} {path}: {reason}")
        return None

    def nothing_lost(self) -> None:
        """Assert that nothing failed, and that all that was confirmed is there; prints a line of figures."""
        assert self.ended.is_set(), "leave the traffic before you ask what became of it"
        assert self.writes.done > 0 and self.reads.done > 0, "the traffic did something"
        assert self.writes.failed + self.reads.failed == [], "\n".join(self.writes.failed + self.reads.failed)
        side = Side()
        lost = {}
        for key, wanted in self.written.items():
            # the first server may be a standby, which answers by itself and may be late
            deadline = time.monotonic() + LATE
            while True:
                answer = self.ask("GET", f"data/{key}", side)
                found = answer["data"]["data"]["number"] if answer else None
                if found == wanted or time.monotonic() > deadline:
                    break
                time.sleep(PAUSE)
            if found != wanted:
                lost[key] = (found, wanted)
        assert lost == {}, "what is there, and what was confirmed"
        for key in self.written:
            self.ask("DELETE", f"metadata/{key}", side)
        print(f"writes: {self.writes}; reads: {self.reads}")
