# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Identity entities with their aliases."""

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
    "custom_metadata": {"type": "dict"},
}
ITEM: dict[str, Any] = {
    "name": {"type": "str"},
    "policies": {"type": "list", "elements": "str"},
    "metadata": {"type": "dict"},
    "disabled": {"type": "bool"},
    "aliases": {"type": "list", "elements": "dict", "options": ALIAS},
}
OPTIONS = {
    **PURGE,
    "purge_automatic": {"type": "bool", "default": False},
}


class IdentityEntities(Kind):
    """Identity entities with their aliases."""

    about = "Identity entities"
    tag = "identity"
    module = "vault_identity_entity"
    plural = "entities"
    item = ITEM
    options = OPTIONS
    listings = (Listing("identity/entity/name"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        directory = identity.Directory(client, given)
        resources = [identity.Entity(directory, item) for item in items]
        if given.purge:
            declared = [resource.name for resource in resources]
            automatic = given.params["purge_automatic"]
            for name in identity.surplus_entities(directory, declared, given.protected, automatic):
                resources.append(identity.Entity(directory, {"name": name, "state": "absent"}))
        return resources
