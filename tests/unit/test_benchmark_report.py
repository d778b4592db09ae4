# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a benchmark gives a number where the run can tell one, and a bound where it cannot."""

from __future__ import annotations

import sys

import pytest

from support.system import ROOT


@pytest.mark.parametrize(
    ("seconds", "unit", "fixed", "error", "said"),
    [
        (0.57, 1.0, 0.9, 0.09, "0.57 ± 0.09"),
        (1.46, 1.0, 0.9, 0.73, "at most 2.92"),
        (0.0, 1.0, 0.9, 0.0, "at most 0.05"),
        (-0.4, 1.0, 0.9, 0.0, "at most 0.05"),
        (0.03, 1.0, 0.0, 0.0, "0.03"),
    ],
)
def test_what_cannot_be_told_apart_is_a_bound(
    monkeypatch: pytest.MonkeyPatch, seconds: float, unit: float, fixed: float, error: float, said: str
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import report

    assert report.told(seconds, unit, fixed, error) == said
    assert report.number(0.001) == "0.001"


@pytest.mark.parametrize("page", ["README.md", "docs/benchmarks.md"])
def test_no_figure_claims_that_something_takes_no_time(page: str) -> None:
    tables = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("|")]
    assert tables
    assert not [line for line in tables if " 0.00 |" in line]
