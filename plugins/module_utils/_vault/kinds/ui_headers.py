# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Headers of the user interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base import setting
from ..base.kind import PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client

ITEM: dict[str, Any] = {
    "name": {"type": "str"},
    "values": {"type": "list", "elements": "str"},
}


class UiHeaders(Kind):
    """Headers of the user interface."""

    module = "vault_ui_header"
    plural = "headers"
    item = ITEM
    options = PURGE
    listings = (Listing("sys/config/ui/headers", item="{path}/{name}?multivalue=true", at_root=True),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        resources = [setting.UiHeader(client, item) for item in items]
        extra = setting.undeclared_headers(client, setting.UiHeader, resources, given.protected) if given.purge else []
        return [*resources, *extra]
