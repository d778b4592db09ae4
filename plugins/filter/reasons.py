# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a task of another collection failed, in one word, where its result has no such field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import wording


def k8s_reasons(result: Mapping[str, Any]) -> list[str]:
    """Return why objects of a result of kubernetes.core.k8s failed, each reason once; [] when none did."""
    inner = result.get("result") or {}
    entries = inner.get("results") or [result]
    found = []
    for entry in entries:
        if not entry.get("error"):
            continue
        said = str(entry["error"].get("msg") or "") if isinstance(entry["error"], Mapping) else str(entry["error"])
        if wording.in_missing_namespace(said):
            found.append("namespace_missing")
        elif wording.kind_not_served(said):
            found.append("not_served")
        else:
            found.append("other")
    return sorted(set(found))


def git_reason(said: Any) -> str:
    """Return why Git failed, from what it and ansible.builtin.git said: overtaken, no_branch or other."""
    text = str(said or "")
    if wording.overtaken(text):
        return "overtaken"
    return "no_branch" if wording.no_branch(text) else "other"


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"k8s_reasons": k8s_reasons, "git_reason": git_reason}
