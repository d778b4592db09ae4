# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""ACL policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..auth.mounts import Mounts
from ..base.kind import PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..system import policy

RULE: dict[str, Any] = {
    "path": {"type": "str", "required": True},
    "capabilities": {"type": "list", "elements": "str", "required": True},
    "description": {"type": "str"},
    "allowed_parameters": {"type": "dict"},
    "denied_parameters": {"type": "dict"},
    "required_parameters": {"type": "list", "elements": "str"},
    "min_wrapping_ttl": {"type": "str"},
    "max_wrapping_ttl": {"type": "str"},
}
ITEM: dict[str, Any] = {
    "name": {"type": "str"},
    "policy": {"type": "raw"},
    "rules": {"type": "list", "elements": "dict", "options": RULE},
    "expiration": {"type": "str"},
    "cas_required": {"type": "bool"},
    "allow_slashes_in_identity_templates": {"type": "bool"},
    "allow_wildcards_in_identity_templates": {"type": "bool"},
}


class Policies(Kind):
    """ACL policies."""

    module = "vault_policy"
    plural = "policies"
    item = ITEM
    options = PURGE
    listings = (Listing("sys/policies/acl"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        mounts = Mounts(client)
        resources = [policy.Policy(client, item, mounts, given) for item in items]
        if given.purge:
            declared = [resource.name for resource in resources]
            for name in policy.surplus(client, declared, given.protected):
                resources.append(policy.Policy(client, {"name": name, "state": "absent"}))
        return resources
