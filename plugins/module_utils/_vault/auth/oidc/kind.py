# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The server as an OIDC provider.

Source: /api-docs/secret/identity/oidc-provider and /api-docs/secret/identity/tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...base.declaring import View
from ...base.kind import PURGE, Kind, RunContext
from ...base.listing import Found, Listing
from ...base.schema import Fields
from ...connection.client import Client
from ..identity.directory import exported_directory
from .common import References
from .fields import FIELDS
from .objects import TYPES, server_of

#: what the server's own objects have for all
ALL = ("allowed_client_ids", "entity_ids", "group_ids")


def _as_made(item: Mapping[str, Any]) -> bool:
    """Tell whether one of the server's own objects is as the server made it."""
    said = {name: value for name, value in item.items() if name not in ("name", "type")}
    return all(name in ALL and value == ["*"] for name, value in said.items())


class Oidc(Kind):
    """The server as an OIDC provider."""

    about = "Keys, scopes, assignments, clients and providers of OIDC"
    tag = "oidc"
    module = "vault_oidc"
    plural = "objects"
    fields = FIELDS
    options = PURGE
    required = ("name", "type")
    listings = tuple(Listing("identity/oidc/%s" % name, type=name) for name in TYPES)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        directory = exported_directory(view)
        references: References = view.once("oidc", lambda: References(view.client, RunContext({})))
        told = dict(one.told or {})
        for option, names in (("entity_ids", directory.entities), ("group_ids", directory.groups)):
            told[option] = [names.name(key) for key in told.get(option) or []]
        if one.listing.type == "provider":
            known = {key: name for name, key in references.client_ids().items()}
            told["allowed_client_ids"] = [known.get(key, key) for key in told.get("allowed_client_ids") or []]
            address = view.once("address", lambda: (view.client.read("sys/leader") or {}).get("leader_address"))
            issuer = server_of(told.get("issuer"))
            # the server's own address is the default
            told["issuer"] = None if issuer == str(address or "").rstrip("/") else issuer
        item = super().declaration(one.told_as(told), view)
        if item is not None and one.listing.type == "role":
            # a new one needs it
            item["key"] = told.get("key")
        built_in = TYPES[one.listing.type].fixed
        return None if item is None or (one.name in built_in and _as_made(item)) else item

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        """Return the resources of declared objects; with a purge also resources that delete the others.

        ``protected`` takes ``<name>`` or ``<type>/<name>``.
        """
        references, schema = References(client, context), Fields(client)
        resources = [TYPES[item["type"]](references, item, schema) for item in items]
        extra = []
        for name, of_type in TYPES.items() if context.purge else ():
            keep = {one.own for one in resources if one.type == name} | of_type.fixed | set(context.protected)
            for own in client.list("identity/oidc/%s" % name):
                if own not in keep and "%s/%s" % (name, own) not in keep:
                    item = {"name": own, "type": name, "state": "absent"}
                    extra.append(of_type(references, item, schema))
        return resources + extra
