# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""How values stay out of Ansible's output, while variables keep them."""

from __future__ import annotations

import sys


def mask_task() -> bool:
    """Let the task that is being run show nothing of its result, as with ``no_log: true``; tells whether there is one.

    A lookup is not told for which task it is evaluated, so the task's executor is looked for among the callers.
    """
    frame = sys._getframe(1)
    while frame is not None:
        executor = frame.f_locals.get("self")
        task = getattr(executor, "_task", None)
        if type(executor).__name__ == "TaskExecutor" and task is not None:
            task.no_log = True
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
