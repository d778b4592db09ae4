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

from ...base.kind import PURGE, Kind, RunContext
from ...base.listing import Listing
from ...base.schema import Fields
from ...connection.client import Client
from .common import References
from .fields import FIELDS
from .objects import TYPES


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
