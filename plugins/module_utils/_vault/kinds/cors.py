# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Which web pages of other origins may call the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base import setting
from ..base.kind import Given, Kind
from ..base.listing import Listing
from ..connection.client import Client

ITEM: dict[str, Any] = {
    "allowed_origins": {"type": "list", "elements": "str"},
    "allowed_headers": {"type": "list", "elements": "str"},
    "allow_credentials": {"type": "bool"},
}


class Cors(Kind):
    """Which web pages of other origins may call the API: one object for a server."""

    module = "vault_cors"
    plural = "configurations"
    item = ITEM
    required = ()
    listings = (Listing("sys/config/cors", "one", switch="enabled", at_root=True),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return [setting.Cors(client, item) for item in items]
