# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What a secret's custom metadata says of its rotations, and what follows from it. No I/O.

A rotation that has begun is written there before anything changes, and taken away when it has ended: whoever finds it
completes it. It holds no value.
"""

from __future__ import annotations

import calendar
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

#: names in the custom metadata: when and by which run it was rotated last, the rotation in progress, skipped clusters
ROTATED_AT, RUN_ID, IN_PROGRESS, SKIPPED = "rotated_at", "rotation_run", "rotation_in_progress", "rotation_skipped"
#: characters of a value of custom metadata. Source: /api-docs/secret/kv/kv-v2 (create/update metadata)
LONGEST = 512

# What a rotation in progress is about to do.
BEGUN, ROLLING_BACK = "begun", "rolling_back"


class InProgress(NamedTuple):
    """A rotation that has begun: from which version, by which run, and what it is about to do."""

    run: str
    version: int
    step: str = BEGUN
    #: when the static role was rotated before, as the server writes it
    role: str = ""
    #: the run of Ansible that is at it
    owner: Mapping[str, Any] = {}

    def text(self) -> str:
        """Return it as a value of custom metadata."""
        return json.dumps(self._asdict(), separators=(",", ":"), sort_keys=True)


def in_progress(custom: Mapping[str, Any]) -> InProgress | None:
    """Return the rotation in progress; None without one, and for what this collection has not written."""
    try:
        found = json.loads(str(custom.get(IN_PROGRESS) or "null"))
        return None if found is None else InProgress(**{**found, "version": int(found["version"])})
    except (KeyError, TypeError, ValueError):
        return None


def skipped_text(clusters: Sequence[str]) -> str | None:
    """Return skipped clusters as a value of custom metadata: ``*`` where they are too many for one."""
    text = ",".join(clusters)
    return "*" if len(text) > LONGEST else text or None


def skipped_clusters(custom: Mapping[str, Any], clusters: Sequence[str]) -> list[str]:
    """Return those of some clusters that the last rotation was not, or perhaps not, brought to."""
    noted = str(custom.get(SKIPPED) or "").split(",")
    return [name for name in clusters if name in noted or "*" in noted]


def seconds(stamp: Any) -> float | None:
    """Return a time of Vault or of ours (UTC) in seconds, None when it is none."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", str(stamp or ""))
    try:
        return float(calendar.timegm(time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S"))) if match else None
    except ValueError:
        return None


def age(metadata: Mapping[str, Any], now: float) -> int | None:
    """Return how long ago a secret was rotated, or written where it never was, in seconds; None when nobody knows."""
    custom = metadata.get("custom_metadata") or {}
    version = (metadata.get("versions") or {}).get(str(metadata.get("current_version"))) or {}
    for stamp in (custom.get(ROTATED_AT), version.get("created_time"), metadata.get("updated_time")):
        found = seconds(stamp)
        if found is not None:
            return max(int(now - found), 0)
    return None


def written(
    keys: Sequence[str],
    before: Mapping[str, Any] | None,
    current: Mapping[str, Any],
    version: int,
    current_version: int,
) -> bool:
    """Tell whether the current version holds new values in all keys since ``version``, whose data was ``before``.

    ``before`` is None where that version can be read no more: then a newer version is taken for the new one, as a
    second rotation would be worse.
    """
    if current_version <= version:
        return False
    return before is None or all(key in current and current[key] != before.get(key) for key in keys)


def age_text(age_seconds: int | None) -> str:
    """Return an age as people say it."""
    if age_seconds is None:
        return "of unknown age"
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if age_seconds >= size:
            number = age_seconds // size
            return "%d %s%s old" % (number, unit, "" if number == 1 else "s")
    return "new"
