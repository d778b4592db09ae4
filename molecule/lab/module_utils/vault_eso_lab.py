# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's modules share: commands, atomic files, and processes that outlive the module that started them."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


class LabError(Exception):
    """One sentence for the user: what failed, where, and what to do."""


def run(*command: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a shell.

    :param timeout: seconds
    :raises LabError: when it cannot be started, takes too long or, with ``check``, returns other than 0
    """
    environment = {**os.environ, "LC_ALL": "C", "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{' '.join(command)}: {error}") from error
    if check and done.returncode:
        raise LabError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip() or f'exit {done.returncode}'}")
    return done


def ask(*command: str) -> subprocess.CompletedProcess[str] | None:
    """Run a command whose failure is an answer; None when it gave none within 10 seconds (a loaded machine is slow)."""
    try:
        return run(*command, check=False, timeout=10)
    except LabError:
        return None


def write_file(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write a file atomically; return whether it changed."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return True


def mounts_under(directory: Path) -> list[Path]:
    """Mount points at or under a directory, the deepest first, from /proc/self/mountinfo (proc(5))."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        # octal escapes stand for blanks and the like
        point = Path(line.split()[4].encode().decode("unicode_escape"))
        if point == directory or directory in point.parents:
            found.append(point)
    return sorted(found, key=lambda point: len(point.parts), reverse=True)


def boot_id() -> str:
    """The identifier of this boot of the machine: process numbers mean nothing across two boots."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def process_stat(pid: int) -> dict[str, Any] | None:
    """State, session and start time (clock ticks since boot) of a process, from /proc/PID/stat (proc(5))."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return {"state": fields[0], "parent": int(fields[1]), "session": int(fields[3]), "started": int(fields[19])}


def all_pids() -> list[int]:
    """The numbers of all processes that can be seen."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


class Daemon:
    """A process in a session of its own, known by a record (JSON) that tells it from any other with the same number.

    The record holds the boot, the process number, its start time and a fingerprint of how it was started. Nothing is
    ever signalled whose start time differs from the recorded one.
    """

    def __init__(self, record: Path) -> None:
        self.path = record
        self.record: dict[str, Any] = {}
        if record.exists():
            self.record = json.loads(record.read_text(encoding="utf-8"))

    @property
    def pid(self) -> int | None:
        """The process number, when the process still runs."""
        record = self.record
        if not record or record["boot"] != boot_id():
            return None
        stat = process_stat(record["pid"])
        if stat is None or stat["started"] != record["started"] or stat["state"] in "ZX":
            return None
        return int(record["pid"])

    def members(self) -> list[int]:
        """All live processes of the session, the leader's descendants that outlived it included."""
        record = self.record
        if not record or record["boot"] != boot_id():
            return []
        leader = process_stat(record["pid"])
        if leader is not None and leader["started"] != record["started"]:
            return []  # the number was given to somebody else: the kernel does that only when the session is empty
        stats = ((pid, process_stat(pid)) for pid in all_pids())
        return [pid for pid, stat in stats if stat and stat["session"] == record["pid"] and stat["state"] not in "ZX"]

    @staticmethod
    def fingerprint(command: Sequence[str], environment: Mapping[str, str], watch: Sequence[str] = ()) -> str:
        """A digest of command and environment, and of date and size of the files that command and watch name."""
        files = []
        for argument in [*command, *watch]:
            path = Path(argument)
            if path.is_absolute() and path.is_file():
                stat = path.stat()
                files.append([argument, stat.st_size, stat.st_mtime_ns])
        text = json.dumps([list(command), sorted(environment.items()), files])
        return hashlib.sha256(text.encode()).hexdigest()

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        directory: Path,
        prepare: Callable[[], None] | None = None,
        watch: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        """Start it detached, its output appended to ``log``.

        The child writes the record itself before it becomes the command, so that no moment exists in which it runs
        unrecorded.

        :param prepare: called in the child, for example to enter a control group
        :param watch: further files that belong to the fingerprint
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fingerprint = self.fingerprint(command, environment, watch)

        def record() -> None:
            stat = process_stat(os.getpid())
            if stat is None:
                raise LabError("the process cannot see itself in /proc")
            text = json.dumps(
                {
                    "boot": boot_id(),
                    "pid": os.getpid(),
                    "started": stat["started"],
                    "fingerprint": fingerprint,
                    "command": list(command),
                    "environment": dict(environment),
                },
                indent=1,
            )
            write_file(self.path, text, 0o600)
            if prepare is not None:
                prepare()

        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                cwd=directory,
                start_new_session=True,
                preexec_fn=record,
            )
        self.record = json.loads(self.path.read_text(encoding="utf-8"))
        return process

    def signal(self, number: int, pids: Sequence[int] | None = None) -> None:
        """Signal the members of the session, each through a descriptor that cannot come to mean another process."""
        for pid in self.members() if pids is None else pids:
            send_signal(pid, number)

    def stop(self, grace: float, forget: bool = True) -> bool:
        """End every process of the session: SIGTERM, and SIGKILL after ``grace`` seconds. Return whether any ran.

        :param forget: remove the record, too
        """
        members = self.members()
        if members and grace > 0:
            self.signal(signal.SIGTERM)
            wait_until(lambda: not self.members(), grace)
        self.signal(signal.SIGKILL)
        if not wait_until(lambda: not self.members(), 10):
            raise LabError(
                f"{self.path.stem}: processes {self.members()} do not end after SIGKILL; look at their state"
            )
        if forget:
            self.forget()
        return bool(members)

    def forget(self) -> None:
        """Remove the record."""
        self.path.unlink(missing_ok=True)
        self.record = {}


def send_signal(pid: int, number: int) -> None:
    """Signal a process; one that is gone is no error."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)


def wait_until(condition: Callable[[], Any], timeout: float, pause: float = 0.05) -> bool:
    """Ask until the answer is true or ``timeout`` seconds are over; return the last answer."""
    end = time.monotonic() + timeout
    while True:
        if condition():
            return True
        if time.monotonic() >= end:
            return False
        select.select([], [], [], pause)


def tail(path: Path, lines: int = 5) -> str:
    """The last lines of a log, in one line."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return " | ".join(text.strip().splitlines()[-lines:])
