# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Namespaces below the connection's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import PURGE_DATA, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..system import namespace

ITEM: dict[str, Any] = {
    "name": {"type": "str"},
    "custom_metadata": {"type": "dict"},
    "delete_data": {"type": "bool", "default": False},
}


class Namespaces(Kind):
    """Namespaces below the connection's."""

    module = "vault_namespace"
    plural = "namespaces"
    item = ITEM
    options = PURGE_DATA
    listings = (Listing("sys/namespaces", walk=lambda client, _mount, _entry: namespace.tree(client)),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        resources = [namespace.Namespace(client, item) for item in items]
        if given.purge:
            declared = [resource.name for resource in resources]
            resources += namespace.surplus(client, declared, given.protected, given.purge_data)
        return namespace.arrange(resources)
