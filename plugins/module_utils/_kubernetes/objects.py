# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Field managers and conditions of objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._engine.scrub import scrub_event
from .._engine.secrets import KNOWN
from .client import Client
from .kind import Kind, Object

#: the field manager of all declared objects. Changing it would leave fields behind in every cluster.
MANAGER = "secretops.vault_eso"


def managers(current: Mapping[str, Any], operation: str) -> set[str]:
    """Return the names of the field managers that wrote an object by ``Apply`` or by ``Update``."""
    return {
        entry.get("manager", "")
        for entry in (current.get("metadata") or {}).get("managedFields") or []
        if entry.get("operation") == operation
    }


def applied_by_us(current: Mapping[str, Any]) -> bool:
    """Tell whether this collection has applied an object."""
    return MANAGER in managers(current, "Apply")


def migrated(
    client: Client, api: Kind, version: str, current: Mapping[str, Any]
) -> tuple[list[Object] | None, list[str]]:
    """Return an object's managedFields with served versions, and the versions that are no longer served.

    None and an empty list when all are served. With others in it a server answers an apply with 500, and any other
    change of the object drops all of managedFields, so the field managers are lost.
    """
    entries = (current.get("metadata") or {}).get("managedFields") or []
    found = {str(entry.get("apiVersion")) for entry in entries}
    if not api.group or found <= {api.api_version(version)}:
        return None, []
    old = found - {api.api_version(one) for one in client.versions(api.group)}
    if not old:
        return None, []
    new = api.api_version(version)
    return [{**entry, "apiVersion": new} if entry.get("apiVersion") in old else entry for entry in entries], sorted(old)


def keeping_managers(
    client: Client, api: Kind, version: str, current: Mapping[str, Any], metadata: Mapping[str, Any]
) -> Object:
    """Return the metadata of a merge patch that keeps the object's managedFields."""
    fields = migrated(client, api, version, current)[0]
    return dict(metadata) if fields is None else {"managedFields": fields, **metadata}


def condition(current: Mapping[str, Any], name: str = "Ready") -> Mapping[str, Any]:
    """Return a condition of an object's status, {} without it; possible values in its message are masked."""
    for entry in (current.get("status") or {}).get("conditions") or []:
        if entry.get("type") == name:
            if not entry.get("message"):
                return dict(entry)
            return {**entry, "message": scrub_event(KNOWN.scrub_foreign(entry["message"]))}
    return {}
