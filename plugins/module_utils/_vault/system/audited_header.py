# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Headers of requests that audit devices write down. Source: /api-docs/system/config-auditing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..._engine.field import Field, normalisers
from ..base import purge
from ..base.kind import PURGE, Kind, RunContext
from ..base.listing import Listing
from ..base.schema import Fields
from ..base.setting import AtRoot
from ..connection.client import Client
from .http_header import check_header

FIELDS: Sequence[Field] = (
    Field("name", "Name of the header.", sent=False),
    Field(
        "hmac",
        (
            "Whether its value is written as HMAC instead of in clear. The server's default is in clear; an existing "
            "setting stays."
        ),
        type="bool",
    ),
)


class AuditedHeader(AtRoot):
    """One header of requests that audit devices write down."""

    kind = "audited header"
    fields = normalisers(FIELDS)
    folder = probe = "sys/config/auditing/request-headers"

    def __init__(self, client: Client, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        super().__init__(client, item, str(item["name"]).strip(), schema)

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def path(self) -> str:
        """The API path."""
        return "%s/%s" % (self.folder, self.name)

    def check_known(self) -> None:
        """One field, which every server has."""

    def check(self) -> None:
        check_header(self.name)

    def read(self) -> Mapping[str, Any] | None:
        # the path of a single one answers 400 where it is missing
        headers = (self.ask("GET", self.folder) or {}).get("headers") or {}
        return next((found for name, found in headers.items() if name.lower() == self.key), None)


class AuditedHeaders(Kind):
    """Headers of requests that audit devices write down."""

    about = "Headers of requests that audit devices write down"
    note = "In the root namespace only."
    tag = "audit"
    module = "vault_audited_header"
    plural = "headers"
    fields = FIELDS
    options = PURGE
    listings = (Listing("sys/config/auditing/request-headers", "map", within="headers", at_root=True),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        declared = [AuditedHeader(client, item) for item in items]
        if not context.purge:
            return declared
        existing = (client.read(AuditedHeader.folder) or {}).get("headers") or {}
        return [*declared, *purge.undeclared(context, declared, existing, partial(AuditedHeader, client), str.lower)]
