# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Password policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._engine.reconcile import unmanaged
from ..base.kind import PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..system import password_policy

RULE: dict[str, Any] = {
    "charset": {"type": "str", "required": True},
    "min_chars": {"type": "int", "default": 0},
}
ITEM: dict[str, Any] = {
    "name": {"type": "str"},
    "length": {"type": "int"},
    "rules": {"type": "list", "elements": "dict", "options": RULE},
    "policy": {"type": "raw"},
}


class PasswordPolicies(Kind):
    """Password policies."""

    module = "vault_password_policy"
    plural = "policies"
    item = ITEM
    options = PURGE
    listings = (Listing("sys/policies/password"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        resources = [password_policy.PasswordPolicy(client, item) for item in items]
        if given.purge:
            declared = [resource.name for resource in resources]
            for name in unmanaged(password_policy.existing(client), declared, given.protected):
                resources.append(password_policy.PasswordPolicy(client, {"name": name, "state": "absent"}))
        return resources
