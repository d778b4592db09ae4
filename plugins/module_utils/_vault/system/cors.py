# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Which web pages of other origins may call the API. Source: /api-docs/system/config-cors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.field import Field, normalisers
from ..base.declaring import View
from ..base.kind import Kind, RunContext
from ..base.listing import Found, Listing
from ..base.setting import AtRoot
from ..connection.client import Client

#: Source: OpenBao, vault/cors.go; and HashiCorp Vault's beside these
STANDARD_HEADERS = frozenset(
    (
        *("content-type", "x-requested-with", "x-vault-aws-iam-server-id", "x-vault-mfa", "authorization"),
        *("x-vault-no-request-forwarding", "x-vault-wrap-format", "x-vault-wrap-ttl", "x-vault-policy-override"),
        *("x-vault-token", "x-vault-namespace", "x-vault-index", "x-vault-inconsistent", "x-vault-forward"),
    )
)


def other_headers(value: Any) -> list[str]:
    """Return allowed headers without those that the server adds to any list."""
    return [name for name in normalise.string_set(value) if name.lower() not in STANDARD_HEADERS]


FIELDS: Sequence[Field] = (
    Field(
        "allowed_origins",
        (
            "Origins of the pages, such as V(https://portal.example.com), or V(*) alone for any.",
            "Needed unless it is to be absent, or CORS is on already.",
        ),
        type="list",
        elements="str",
    ),
    Field(
        "allowed_headers",
        "Headers that pages may send beside those that the server always allows.",
        type="list",
        elements="str",
        normaliser=other_headers,
    ),
    Field("allow_credentials", "Whether pages may send credentials of the browser (OpenBao).", type="bool"),
)


class CorsSettings(AtRoot):
    """Which web pages of other origins may call the API."""

    kind = "CORS"
    fields = normalisers(FIELDS)
    path = "sys/config/cors"

    def __init__(self, client: Client, item: Mapping[str, Any]) -> None:
        super().__init__(client, item, "cors")

    @property
    def label(self) -> str:
        return "CORS"

    def check(self) -> None:
        super().check()
        if self.desired is None:
            return
        origins = normalise.strings(self.desired.get("allowed_origins"))
        if "allowed_origins" in self.desired and not origins:
            raise InvalidInput('"allowed_origins" is empty', remedy='name one, or switch CORS off with "state: absent"')
        if "*" in origins and (len(origins) > 1 or self.desired.get("allow_credentials")):
            raise InvalidInput(
                'the origin "*" goes neither with others nor with "allow_credentials"', remedy="name the origins"
            )
        for origin in origins:
            if origin != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#\s]+", origin, re.IGNORECASE):
                raise InvalidInput(
                    'allowed_origins: "%s" is not an origin' % origin, remedy="write https://host, without a path"
                )

    def read(self) -> Mapping[str, Any] | None:
        found = self.ask("GET", self.path) or {}
        if not found.get("enabled"):
            return None
        current = {name: found.get(name) for name in self.fields}
        current["allowed_headers"] = other_headers(current["allowed_headers"])
        return current

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = super().resolve(current)
        if current is None and not desired.get("allowed_origins"):
            raise InvalidInput('"allowed_origins" is missing', remedy="name the origins that may call the API")
        return desired


class Cors(Kind):
    """Which web pages of other origins may call the API: one object for a server."""

    about = "Which web pages may call the API, one entry"
    note = "In the root namespace only."
    tag = "ui"
    module = "vault_cors"
    plural = "configurations"
    fields = FIELDS
    required = ()
    listings = (Listing("sys/config/cors", "one", switch="enabled", at_root=True),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        one.told = {**(one.told or {}), "allowed_headers": other_headers((one.told or {}).get("allowed_headers"))}
        return super().declaration(one, view)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        return [CorsSettings(client, item) for item in items]
