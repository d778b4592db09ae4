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


def test_figures_that_were_kept_fill_the_readme_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import report

    readme = (ROOT / "README.md").read_text()
    place = {"processors": "2 x x", "memory": "1 GiB", "system": "x", "load": "0.0", "server": "openbao"}
    rows = [
        {"contender": contender, "hosts": 100, "lookups": 1000, "rounds": 3, "seconds": seconds, "requests": requests}
        for contender, seconds, requests in (("this collection", 1.234, 14), ("another", 9.0, 2000))
    ]
    filled = report.into(readme, {"lookups": {"place": place, "rows": rows}})
    assert "1.2 |       14 |" in filled and "load before the run 0.0" in filled
    # the other parts stay as they are, and once more gives the same
    assert filled.replace(
        filled.split("made by make bench: lookups")[1].split("end of lookups")[0], ""
    ) == readme.replace(readme.split("made by make bench: lookups")[1].split("end of lookups")[0], "")
    assert report.into(filled, {"lookups": {"place": place, "rows": rows}}) == filled


def test_a_bar_of_a_bound_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import report

    common = {"phase": "unchanged", "size": 100, "count": 100}
    rows = [
        {**common, "contender": report.OURS, "work": 0.0, "fixed": 0.8, "error": 0.0},
        {**common, "contender": report.POOLED, "work": 0.05, "fixed": 0.0, "error": 0.0},
    ]
    drawn = report.plot({"kinds": {"rows": {"policies": rows}}})
    assert drawn.count("at most 0.50") == 1 and drawn.count('fill-opacity="0.35"') == 1


def test_single_tasks_are_told_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import report

    place = {"processors": "2", "memory": "8 GiB", "system": "Linux", "load": "0.1", "server": "openbao"}
    rows = [{"title": "a task in the worker", "seconds": 0.0784, "processor": 0.0612}]
    page = report.page({"tasks": {"place": place, "rows": rows}})
    assert "| a task in the worker |   0.078 |             0.061 |" in page
