# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the names of tasks into the file CUT_TASKS, and kills the run with all that it started, where CUT_AT says so.

CUT_AT is the number of a task, from 1, or a part of its name. CUT_AFTER: seconds from when it begins.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: cut
type: aggregate
short_description: Kills a run at a task
description: [For tests.]
"""


def _kill() -> None:
    os.killpg(0, signal.SIGKILL)


class CallbackModule(CallbackBase):
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "cut"

    number = 0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.number += 1
        with open(os.environ["CUT_TASKS"], "a", encoding="utf-8") as file:
            file.write(task.get_name() + "\n")
        wanted = os.environ.get("CUT_AT", "")
        if wanted and (self.number == int(wanted) if wanted.isdigit() else wanted in task.get_name()):
            after = float(os.environ.get("CUT_AFTER", "0"))
            if not after:
                _kill()
            timer = threading.Timer(after, _kill)
            timer.daemon = True
            timer.start()

    v2_playbook_on_handler_task_start = v2_playbook_on_task_start
