# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every part of `make test`, the later ones even when an earlier one fails, and end with one honest line.

A part that reports single tests (by a JUnit file) counts each of them, any other part counts as one test. A part that
fails without a failed test, for example because it could not collect any, counts as one failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".cache" / "reports"
# The quick ones first.
PARTS = ("lint", "unit", "sanity", "artifact", "integration", "molecule")
REPORTING = ("unit", "integration")


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


def main() -> int:
    """Run the parts and return the exit status: 0 only when all of them succeeded."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    lines = []
    total = [0, 0, 0]
    for part in PARTS:
        print(f"\n===== make {part} =====", flush=True)
        report = REPORTS / f"{part}.xml"
        report.unlink(missing_ok=True)
        command = ["make", "--no-print-directory", part]
        if part in REPORTING:
            command.append(f"PYTEST_ARGS={os.environ.get('PYTEST_ARGS', '')} --junitxml={report}")
        started = time.monotonic()
        status = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
        passed, failed, skipped = counts(report) if part in REPORTING else (0, 0, 0)
        if status and not failed:
            failed = 1
        elif not status and not passed and part not in REPORTING:
            passed = 1
        total = [a + b for a, b in zip(total, (passed, failed, skipped))]
        word = "FAILED" if status else "ok"
        lines.append(
            f"  {part:<12} {word:<7} {time.monotonic() - started:6.0f} s  {passed:>4} passed {failed:>4} failed"
        )
    print("\n===== make test =====")
    print("\n".join(lines))
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped", flush=True)
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
