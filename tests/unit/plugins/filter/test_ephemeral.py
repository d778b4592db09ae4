# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that end with a job are told from those that outlast it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.secretops.vault_eso.plugins.filter import ephemeral as places


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*places.JOB_VARIABLES, places.RUNNER_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_outside_of_a_job_everything_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert places.ephemeral(["/runner/keys.json"]) == []
    # ansible-runner without a container
    monkeypatch.setenv(places.RUNNER_VARIABLE, "/srv/runner/artifacts")
    assert places.ephemeral(["/srv/keys.json"]) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWX_HOST", "https://awx.example.com"), ("AWX_ISOLATED_DATA_DIR", "/runner/artifacts/7"), ("", "")],
)
def test_in_a_job_only_what_is_named_lasts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    if name:
        monkeypatch.setenv(name, value)
    job = "" if name else 7
    there = tmp_path / "keys.json"
    paths = ["/runner/project/keys.json", str(there), f"{tmp_path}-other/keys.json"]
    assert places.ephemeral(paths, [], job) == paths
    assert places.ephemeral(paths, str(tmp_path), job) == [paths[0], paths[2]]
    there.touch()
    # what was brought into the job is not made by it
    assert places.ephemeral(paths, [], job) == [paths[0], paths[2]]
