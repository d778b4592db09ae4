# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The result of a run over many objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .resource import NONE, Change


class Report:
    """The result of a run; in check mode, of what it would do."""

    def __init__(self, changes: Sequence[Change], check_mode: bool = False, beyond: int = 0) -> None:
        self.changes = list(changes)
        self.check_mode = check_mode
        #: number of further declared objects that were not read
        self.beyond = beyond

    @property
    def failed(self) -> list[Change]:
        """The changes that failed, in the order of the declaration."""
        return [change for change in self.changes if change.error is not None]

    @property
    def changed(self) -> bool:
        """True when at least one object was changed (in check mode: would be)."""
        return any(change.effective(self.check_mode) for change in self.changes)

    def summary(self) -> dict[str, int]:
        """Return how many objects were created, updated, deleted, left alone, failed, not reached."""
        count = {"create": 0, "update": 0, "delete": 0, "none": 0, "failed": 0, "not_reached": self.beyond}
        for change in self.changes:
            if change.error is not None:
                count["failed"] += 1
            elif not change.seen or (change.action != NONE and not change.reached and not self.check_mode):
                count["not_reached"] += 1
            else:
                count[change.action] += 1
        return count

    def message(self) -> str:
        """Return the message of a failed module: which objects failed, why, and the outcome of the others."""
        failed = self.failed
        text = "; ".join(str(change.error) for change in failed[:3])
        if len(failed) > 3:
            text += "; and %d more, see results" % (len(failed) - 3)
        if len(self.changes) + self.beyond > 1:
            count = self.summary()
            done = count["create"] + count["update"] + count["delete"]
            text += " (%d failed, %d %s, %d unchanged, %d not reached)" % (
                count["failed"],
                done,
                "would change" if self.check_mode else "changed",
                count["none"],
                count["not_reached"],
            )
        return text

    def code(self) -> str:
        """Return the error code of the first object that failed."""
        return next((change.error.code for change in self.changes if change.error is not None), "")

    def as_result(self, only_changes: bool = False) -> dict[str, Any]:
        """Return the mapping for exit_json and fail_json; ``only_changes`` leaves out unchanged objects."""
        seen = [one for one in self.changes if one.seen or one.error is not None]
        told = [one for one in seen if not only_changes or one.error is not None or one.action != NONE]
        result: dict[str, Any] = {
            "changed": self.changed,
            "summary": self.summary(),
            "results": [change.result(self.check_mode) for change in told],
            "diff": [
                diff for diff in (change.diff() for change in self.changes if change.effective(self.check_mode)) if diff
            ],
        }
        if len(self.changes) == 1 and self.changes[0].resource.info:
            result.update({key: value for key, value in self.changes[0].resource.info.items() if key not in result})
        return result
