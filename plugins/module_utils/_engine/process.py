# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The Ansible run that a process belongs to, whether it is still alive, and how a process ends. Source: proc(5)."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

#: the commands that run tasks
_COMMAND = re.compile(r"ansible(-playbook|-console)?$")


def _command(pid: int) -> list[bytes]:
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/<pid>/stat`` from the third on, [] when the process has ended."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[:1] in (["Z"], ["X"]) else fields


def _space() -> str:
    """Return an identifier of this boot and this PID namespace: process IDs are only valid there."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return "%s %s" % (file.read().strip(), os.readlink("/proc/self/ns/pid"))
    except OSError:
        return ""


def _runs_tasks(command: list[bytes]) -> bool:
    # an interpreter and its option may come first
    return any(_COMMAND.match(os.path.basename(word).decode(errors="replace")) for word in command[:3])


def run() -> dict[str, Any]:
    """Return the Ansible run that this process belongs to: ``pid``, ``start`` and ``space``; {} without one.

    It is the nearest ancestor that is an Ansible command, past its workers, which have the same command line.
    """
    space, pid = _space(), os.getpid()
    while space and pid > 1:
        command, fields = _command(pid), _stat(pid)
        if not fields:
            return {}
        parent = int(fields[1])
        if _runs_tasks(command) and _command(parent) != command:
            return {"pid": pid, "start": fields[19], "space": space}
        pid = parent
    return {}


def lives(owner: Mapping[str, Any]) -> bool | None:
    """Tell whether a run is still alive; None when that cannot be determined."""
    if not owner or owner.get("space") != _space():
        return None
    fields = _stat(int(owner["pid"]))
    return bool(fields) and fields[19] == owner["start"]


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, so that the block cleans up; a second signal is ignored.

    No effect outside of the main thread.
    """
    signals = (signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: Any) -> None:
        for one in signals:
            signal.signal(one, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = [signal.signal(one, stop) for one in signals]
    try:
        yield
    finally:
        for one, handler in zip(signals, before):
            signal.signal(one, handler)
