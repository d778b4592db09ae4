# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Raft snapshots: what the options of the module declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._engine.resource import Resource
from ..connection.client import Client
from .snapshot_drill import Drilled
from .snapshot_fetch import Fetched
from .snapshot_restore import Restored, Verified
from .snapshot_save import Ready, Snapshot

#: states for which no server is asked
OFFLINE = {"verified": Verified, "fetched": Fetched, "drilled": Drilled}


def offline(params: Mapping[str, Any]) -> Resource:
    """Return what the options declare, for a state that needs no server."""
    return OFFLINE[params["state"]](params)


def resource(client: Client, params: Mapping[str, Any], check_mode: bool) -> Resource:
    """Return what the options declare."""
    if params["state"] == "restored":
        return Restored(client, params)
    return (Ready if params["state"] == "ready" else Snapshot)(client, params, check_mode)
