# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Force objects of the operator to be synced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .forced import Forced, SyncRun
from .kinds import KINDS

#: what can be synced by force, by kind; the first is the usual one
FORCED: Mapping[str, type[Forced]] = {kind.forced.api.name: kind.forced for kind in KINDS if kind.forced is not None}


def syncs(run: SyncRun, items: Sequence[Mapping[str, Any]]) -> list[Forced]:
    """Return the forced syncs for entries without asking a server."""
    return [FORCED[item["kind"]](run, item) for item in items]
