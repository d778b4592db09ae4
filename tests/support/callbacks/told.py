# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every result that callbacks are given into the file TOLD, a line of JSON each, with nothing left out."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: told
type: aggregate
short_description: Writes results into a file
description: [For tests.]
"""


class CallbackModule(CallbackBase):
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "told"

    def _write(self, event: str, told: Any) -> None:
        # an attribute of its own since ansible-core 2.19
        result = told.result if hasattr(told, "result") else told._result
        task = told.task if hasattr(told, "task") else told._task
        entry = {"event": event, "task": task.get_name(), "result": result, "arguments": task.args}
        with open(os.environ["TOLD"], "a", encoding="utf-8") as file:
            file.write(json.dumps(entry, default=repr, sort_keys=True) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write("failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write("unreachable", result)

    def v2_runner_retry(self, result: Any) -> None:
        self._write("retry", result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._write("item ok", result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._write("item failed", result)
