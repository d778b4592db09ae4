# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.

"""Actions of the database engine, done each time. Source: /api-docs/secret/databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...base.mounts import EngineMounts
from ...base.naming import check_mount, check_plain
from ...connection.client import Client
from ...connection.errors import PermissionDenied


def _existing(client: Client, mount: str, folder: str, what: str, name: str) -> dict[str, Any] | None:
    """Return an object, None when the token may use but not read it. Raises InvalidInput when it does not exist."""
    try:
        found = client.read("%s/%s/%s" % (mount, folder, name))
    except PermissionDenied:
        return None
    if found is None:
        raise InvalidInput(
            "does not exist", '%s "%s/%s"' % (what, mount, name), "declare it first, or correct the name"
        )
    return found


def _mount(client: Client, params: Mapping[str, Any], name: str) -> str:
    mount = normalise.path(params["mount"])
    check_mount(mount, 'write it like "database"', "mount")
    check_plain(name)
    if EngineMounts(client).require(mount, "database") is None:
        raise InvalidInput("nothing is mounted there", 'mount "%s"' % mount, "mount a database engine first")
    return mount


def credentials(client: Client, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return credentials of a dynamic or a static role, as the result of a module. Raises SecretopsError."""
    static = params["static_role"] is not None
    name = str(params["static_role"] if static else params["role"])
    mount = _mount(client, params, name)
    if static:
        _existing(client, mount, "static-roles", "static role", name)
        found = client.read("%s/static-creds/%s" % (mount, name))
        if found is None:
            raise InvalidInput("has no credentials", 'static role "%s/%s"' % (mount, name), "correct the name")
        return {"changed": False, **found}
    _existing(client, mount, "roles", "database role", name)
    if check_mode:
        return {"changed": True}
    # never retried: each attempt may leave a user in the database
    answer = client.request("GET", "%s/creds/%s" % (mount, name), idempotent=False) or {}
    lease = {key: answer[key] for key in ("lease_id", "lease_duration", "renewable") if key in answer}
    return {"changed": True, **lease, **(answer.get("data") or {})}


def act(client: Client, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Reset a connection, or rotate the password of a static role. Raises SecretopsError."""
    name = str(params["name"])
    mount = _mount(client, params, name)
    if params["action"] == "reset_connection":
        _existing(client, mount, "config", "database connection", name)
        if not check_mode:
            client.write("%s/reset/%s" % (mount, name))
        return {"changed": True}
    before = _existing(client, mount, "static-roles", "static role", name)
    if check_mode:
        return {"changed": True, "last_vault_rotation": (before or {}).get("last_vault_rotation")}
    # each attempt sets a new password
    client.write("%s/rotate-role/%s" % (mount, name), idempotent=False)
    after = _existing(client, mount, "static-roles", "static role", name)
    return {"changed": True, "last_vault_rotation": (after or {}).get("last_vault_rotation")}
