# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Rate limit and lease count quotas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..system import quota

ITEM: dict[str, Any] = {
    "name": {"type": "str"},
    "type": {"type": "str", "choices": ["rate-limit", "lease-count"], "default": "rate-limit"},
    "path": {"type": "str"},
    "role": {"type": "str"},
    "inheritable": {"type": "bool"},
    "rate": {"type": "float"},
    "interval": {"type": "str"},
    "block_interval": {"type": "str"},
    "max_leases": {"type": "int"},
}


class Quotas(Kind):
    """Rate limit and lease count quotas."""

    module = "vault_quota"
    plural = "quotas"
    item = ITEM
    options = PURGE
    # a quota of everything, and of a method whatever the role
    may_be_empty = ("path", "role")
    listings = tuple(
        Listing("sys/quotas/%s" % name, type=name, optional=kind is not quota.RateLimit, at_root=True)
        for name, kind in quota.TYPES.items()
    )

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        resources = [quota.quota(client, item) for item in items]
        if given.purge:
            resources += quota.surplus(client, resources, given.protected)
        return resources
