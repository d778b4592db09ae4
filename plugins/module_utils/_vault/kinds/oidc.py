# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The server as an OIDC provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..auth import oidc
from ..base.kind import PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client

STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}
ITEM: dict[str, Any] = {
    "type": {"type": "str", "choices": list(oidc.TYPES)},
    "name": {"type": "str"},
    "algorithm": {"type": "str", "choices": list(oidc.ALGORITHMS)},
    "rotation_period": {"type": "str"},
    "verification_ttl": {"type": "str"},
    "allowed_client_ids": STRINGS,
    "key": {"type": "str", "no_log": False},
    "template": {"type": "raw"},
    "client_id": {"type": "str"},
    "ttl": {"type": "str"},
    "description": {"type": "str"},
    "entity_ids": STRINGS,
    "group_ids": STRINGS,
    "redirect_uris": STRINGS,
    "assignments": STRINGS,
    "client_type": {"type": "str", "choices": ["confidential", "public"]},
    "id_token_ttl": {"type": "str", "no_log": False},
    "access_token_ttl": {"type": "str", "no_log": False},
    "authorization_code": {"type": "bool"},
    "client_credentials": {"type": "bool"},
    "issuer": {"type": "str"},
    "scopes_supported": STRINGS,
}


class Oidc(Kind):
    """The server as an OIDC provider."""

    about = "Keys, scopes, assignments, clients and providers of OIDC"
    tag = "oidc"
    module = "vault_oidc"
    plural = "objects"
    item = ITEM
    options = PURGE
    required = ("name", "type")
    listings = tuple(Listing("identity/oidc/%s" % name, type=name) for name in oidc.TYPES)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return oidc.objects(client, items, given)
