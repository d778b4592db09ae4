# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Identity groups with their members or alias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..auth import identity
from ..base.kind import PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client

ALIAS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "mount": {"type": "str", "required": True},
}
ITEM: dict[str, Any] = {
    "name": {"type": "str"},
    "type": {"type": "str", "choices": ["internal", "external"], "default": "internal"},
    "policies": {"type": "list", "elements": "str"},
    "metadata": {"type": "dict"},
    "member_entities": {"type": "list", "elements": "str"},
    "member_groups": {"type": "list", "elements": "str"},
    "alias": {"type": "dict", "options": ALIAS},
}


class IdentityGroups(Kind):
    """Identity groups with their members or alias."""

    about = "Identity groups"
    tag = "identity"
    module = "vault_identity_group"
    plural = "groups"
    item = ITEM
    options = PURGE
    listings = (Listing("identity/group/name"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        directory = identity.Directory(client, given)
        resources = [identity.Group(directory, item) for item in items]
        if given.purge:
            declared = [resource.name for resource in resources]
            for name in identity.surplus_groups(directory, declared, given.protected):
                resources.append(identity.Group(directory, {"name": name, "state": "absent"}))
        return list(identity.arrange(resources))
