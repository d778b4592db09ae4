# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of restores: which nodes are to be restarted before they can be unsealed, and what a drill came to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.snapshot_fitness import stale


def restore_stale_nodes(seen: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """Return the addresses of sealed nodes that tell another number of key shares than the restored data has.

    ``seen`` is a result of vault_info, ``record`` what the module vault_snapshot told of the snapshot.
    """
    return stale(seen.get("nodes") or [], record)


def restore_drill_report(
    drilled: Mapping[str, Any], fetched: Mapping[str, Any], cluster: str, ended: str, fault: str = ""
) -> dict[str, Any]:
    """Return what a drill came to, as its reports say it.

    ``drilled`` and ``fetched`` are results of vault_snapshot, empty where it was not asked; ``ended`` is the time, and
    ``fault`` why the drill failed, empty where it did not. A copy is named by its place: the fetched file is gone.
    """
    report: dict[str, Any] = {"cluster": cluster, "time": ended, "ok": not fault}
    if fault:
        report["fault"] = fault
    if (fetched.get("stored") or {}).get("name"):
        report["snapshot"] = "%s/%s" % (str(fetched["place"]).rstrip("/"), fetched["stored"]["name"])
    elif drilled.get("path"):
        report["snapshot"] = drilled["path"]
    saved = drilled.get("time") or fetched.get("time")
    if saved:
        report["snapshot_time"] = saved
    if drilled.get("rto") is None:
        return report
    phases = {**(fetched.get("phases") or {}), **drilled["phases"]}
    return {
        **report,
        "rpo_seconds": drilled.get("rpo"),
        "rto_seconds": round(drilled["rto"] + phases.get("fetch", 0), 1),
        "phases_seconds": phases,
        "counts": drilled["counts"],
        "counts_compared": drilled["counts_compared"],
        "canary": drilled["canary"],
    }


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"restore_drill_report": restore_drill_report, "restore_stale_nodes": restore_stale_nodes}
