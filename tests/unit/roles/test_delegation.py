# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play on the controller lends its local connection to what it delegates, unless the task says another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]


def tasks_of(content: Any) -> Iterator[dict[str, Any]]:
    for entry in content or []:
        yield entry
        for section in ("block", "rescue", "always", "tasks"):
            yield from tasks_of(entry.get(section))


def test_what_is_delegated_to_a_server_is_asked_there() -> None:
    found = 0
    for path in [*(ROOT / "roles").rglob("tasks/**/*.yml"), *(ROOT / "playbooks" / "tasks").glob("*.yml")]:
        for task in tasks_of(yaml.safe_load(path.read_text())):
            if task.get("delegate_to", "localhost") != "localhost":
                found += 1
                assert task.get("connection") == "ssh", f"{path}: {task['name']}"
                assert "ansible_python_interpreter" in task["vars"], f"{path}: {task['name']}"
    assert found >= 2
