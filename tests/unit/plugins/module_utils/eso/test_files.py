# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a tree and of a backup hold what they are to hold, to the last byte."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.reconcile import reconcile
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.resource import Resource
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso import backup, tree
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.yaml_text import as_yaml


@pytest.mark.parametrize("kind", ["tree", "backup"])
def test_a_text_that_ends_with_empty_lines_is_the_same_at_the_second_run(tmp_path: Path, kind: str) -> None:
    text = as_yaml({"kind": "UUID", "metadata": {"name": "one"}, "spec": {"text": "two lines\n\n\n"}})

    def file() -> Resource:
        if kind == "tree":
            return tree.TreeFile(str(tmp_path), "apps/uuid-one.yaml", tree.HEADER + text)
        return backup.BackupFile(str(tmp_path / "backup.yaml"), backup.HEADER + text)

    assert reconcile([file()]).summary()["create"] == 1
    (written,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert written.read_text().endswith(text)
    assert stat.S_IMODE(written.stat().st_mode) == (0o644 if kind == "tree" else 0o600)
    assert reconcile([file()]).summary()["none"] == 1
