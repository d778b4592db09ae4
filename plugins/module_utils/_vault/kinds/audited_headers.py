# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Headers of requests that audit devices write down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base import setting
from ..base.kind import PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client

ITEM: dict[str, Any] = {
    "name": {"type": "str"},
    "hmac": {"type": "bool"},
}


class AuditedHeaders(Kind):
    """Headers of requests that audit devices write down."""

    module = "vault_audited_header"
    plural = "headers"
    item = ITEM
    options = PURGE
    listings = (Listing("sys/config/auditing/request-headers", "map", within="headers", at_root=True),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        resources = [setting.AuditedHeader(client, item) for item in items]
        extra = (
            setting.undeclared_headers(client, setting.AuditedHeader, resources, given.protected) if given.purge else []
        )
        return [*resources, *extra]
