# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Audit devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..system import audit

ITEM: dict[str, Any] = {
    "path": {"type": "str"},
    "type": {"type": "str", "choices": ["file", "socket", "syslog"]},
    "description": {"type": "str"},
    "local": {"type": "bool"},
    "options": {"type": "dict"},
    "replace": {"type": "bool", "default": False},
}
OPTIONS = {
    **PURGE,
    "remove_last": {"type": "bool", "default": False},
}


class AuditDevices(Kind):
    """Audit devices."""

    module = "vault_audit"
    plural = "devices"
    item = ITEM
    options = OPTIONS
    required = ()
    mutually_exclusive = (("devices", "path"), ("devices", "type"))
    listings = (Listing("sys/audit", "map", at_root=True),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        devices = audit.Devices(client, given.params["remove_last"])
        resources = [audit.Device(devices, item) for item in items]
        if given.purge:
            resources += audit.surplus(devices, [resource.name for resource in resources], given.protected)
        return list(devices.arrange(resources))
