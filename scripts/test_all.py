# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every part of `make test`, the later ones even when an earlier one fails, and end with one honest line.

Molecule is mostly one process that waits for its hosts, so it runs beside the other parts. The output of a part is
printed whole when the part ends, never mixed with another's; meanwhile it can be followed in ``.cache/reports``. With
``JOBS=1`` the parts run one after the other and print as they go.

A part that reports single tests (by a JUnit file) counts each of them, any other part counts as one test. A part that
fails without a failed test, for example because it could not collect any, counts as one failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".cache" / "reports"
# Each lane runs its parts one after the other, the quick ones first.
LANES = (("lint", "unit", "sanity", "artifact", "integration"), ("molecule", "sanity-cores"))
REPORTING = ("unit", "integration")
# Both the integration tests and the lab build this when it is missing from the cache; neither waits for the other.
CONTROL_PLANE = "from support import kubernetes_api; kubernetes_api.find_binaries()"

# Seconds; a CI that hears nothing for some ten minutes takes a job for dead.
SIGN_OF_LIFE = 120


@dataclass
class Part:
    """A finished part: its exit status, seconds, and counts of tests."""

    name: str
    status: int
    seconds: float
    passed: int
    failed: int
    skipped: int

    def __str__(self) -> str:
        word = "FAILED" if self.status else "ok"
        return f"  {self.name:<12} {word:<7} {self.seconds:6.0f} s  {self.passed:>4} passed {self.failed:>4} failed"


def counts(report: Path) -> tuple[int, int, int]:
    """Read passed, failed and skipped from pytest's JUnit file; zeros when there is none."""
    if not report.exists():
        return 0, 0, 0
    passed = failed = skipped = 0
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 (written by pytest a moment ago)
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        left_out = int(suite.get("skipped", 0))
        passed += max(int(suite.get("tests", 0)) - bad - left_out, 0)
        failed += bad
        skipped += left_out
    return passed, failed, skipped


def run(name: str, log: Path | None = None) -> Part:
    """Run one part, with its output on the terminal or in a file."""
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = ["make", "--no-print-directory", name]
    if name in REPORTING:
        command.append(f"PYTEST_ARGS={os.environ.get('PYTEST_ARGS', '')} --junitxml={report}")
    started = time.monotonic()
    if log is None:
        status = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    else:
        with log.open("wb") as file:
            status = subprocess.run(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False
            ).returncode
    passed, failed, skipped = counts(report) if name in REPORTING else (0, 0, 0)
    if status and not failed:
        failed = 1
    elif not status and not passed and name not in REPORTING:
        passed = 1
    return Part(name, status, time.monotonic() - started, passed, failed, skipped)


def one_by_one(lanes: Sequence[Sequence[str]]) -> list[Part]:
    """Run all parts one after the other; each prints as it goes."""
    done = []
    for name in (name for lane in lanes for name in lane):
        print(f"\n===== make {name} =====", flush=True)
        done.append(run(name))
    return done


def side_by_side(lanes: Sequence[Sequence[str]]) -> list[Part]:
    """Run the lanes at the same time; each part's output is printed whole when the part ends."""
    done: list[Part] = []
    running: set[str] = set()
    printing = threading.Lock()

    def work(lane: Sequence[str]) -> None:
        for name in lane:
            log = REPORTS / f"{name}.log"
            with printing:
                running.add(name)
                print(f"make {name}: running, its output goes to {log.relative_to(ROOT)}", flush=True)
            part = run(name, log)
            with printing:
                print(f"\n===== make {name} =====", flush=True)
                with log.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
                print(f"make {name}: {'FAILED' if part.status else 'ok'} after {part.seconds:.0f} s\n", flush=True)
                running.discard(name)
                done.append(part)

    # daemons: Ctrl-C reaches the parts by itself and must not wait for the ones that have not begun
    threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    begun = told = time.monotonic()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.5)
        if time.monotonic() - told >= SIGN_OF_LIFE:
            told = time.monotonic()
            with printing:
                print(f"make test: {(told - begun) / 60:.0f} min, running {' and '.join(sorted(running))}", flush=True)
    return sorted(done, key=lambda part: [name for lane in lanes for name in lane].index(part.name))


def prepare() -> None:
    """Fill the cache that two lanes would fill at the same time; the parts themselves tell what goes wrong with it."""
    if not os.environ.get("KUBECONFIG") and not os.environ.get("KUBEBUILDER_ASSETS"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        subprocess.run(
            [sys.executable, "-c", CONTROL_PLANE], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, check=False
        )


def main() -> int:
    """Run the parts and return the exit status: 0 only when all of them succeeded."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    if os.environ.get("JOBS") == "1":
        parts = one_by_one(LANES)
    else:
        prepare()
        parts = side_by_side(LANES)
    print(f"\n===== make test: {(time.monotonic() - started) / 60:.0f} min =====")
    print("\n".join(str(part) for part in parts))
    passed, failed, skipped = (sum(counted) for counted in zip(*((p.passed, p.failed, p.skipped) for p in parts)))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
