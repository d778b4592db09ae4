# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc
import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_seconds
type: notification
short_description: Write how long each task took
description:
  - For the benchmarks only; writes JSON to the file that TASK_SECONDS names.
  - With TASK_SECONDS_GC=off Ansible's processes collect no garbage. One collection takes up to a third of a task,
    and falls into one task or another.
"""


class CallbackModule(CallbackBase):
    """Times from the start of a task to the start of the next."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "task_seconds"

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[dict[str, Any]] = []
        self.since = 0.0
        if os.environ.get("TASK_SECONDS_GC") == "off":
            gc.disable()

    def _end(self) -> None:
        if self.tasks:
            self.tasks[-1].setdefault("seconds", time.perf_counter() - self.since)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Begin with a task."""
        self._end()
        self.tasks.append({"name": task.get_name()})
        self.since = time.perf_counter()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write the times."""
        self._end()
        with open(os.environ["TASK_SECONDS"], "w", encoding="utf-8") as file:
            json.dump(self.tasks, file)
