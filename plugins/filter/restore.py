# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which the role snapshot restores: which nodes are to be restarted before they can be unsealed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.snapshot_fitness import stale


def restore_stale_nodes(seen: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """Return the addresses of sealed nodes that tell another number of key shares than the restored data has.

    ``seen`` is a result of vault_info, ``record`` what the module vault_snapshot told of the snapshot.
    """
    return stale(seen.get("nodes") or [], record)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"restore_stale_nodes": restore_stale_nodes}
