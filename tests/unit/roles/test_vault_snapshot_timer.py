# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role brings every file that its program imports to the hosts, and the program needs nothing else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.module_utils._snapshot import host
from support.system import ROOT

UTILS = ROOT / "plugins" / "module_utils"
#: imported only where snapshots go to S3
OPTIONAL = {"boto3", "botocore"}


def files(path: Path) -> list[Path]:
    """The files that a relative path without an ending names."""
    return [found for found in (path.with_suffix(".py"), path / "__init__.py") if found.exists()]


def test_the_program_is_complete() -> None:
    waiting, seen, foreign = [UTILS / "_snapshot" / "host.py"], set(), set()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        waiting += [one / "__init__.py" for one in file.parents if UTILS in one.parents]
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                foreign |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                foreign.add(str(node.module).partition(".")[0])
            elif isinstance(node, ast.ImportFrom):
                base = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                waiting += [found for alias in node.names for found in files(base / alias.name)] + files(base)
    brought = yaml.safe_load((ROOT / "roles" / "vault_snapshot_timer" / "vars" / "main.yml").read_text())
    assert sorted(str(file.relative_to(UTILS)) for file in seen) == brought["__vault_snapshot_timer_files"]
    assert foreign <= sys.stdlib_module_names | OPTIONAL


def test_missing_settings_are_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "settings.json")
    assert host.main([path]) == 1
    assert capsys.readouterr().err == f"there is no setting in {path}; run the playbook snapshot_timer again\n"
