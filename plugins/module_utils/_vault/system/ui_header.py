# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Headers of the user interface's pages. Source: /api-docs/system/config-ui."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.field import Field, normalisers
from ..base import purge
from ..base.kind import PURGE, Kind, RunContext
from ..base.listing import Listing
from ..base.schema import Fields
from ..base.setting import AtRoot
from ..connection.client import Client
from .http_header import check_header

FIELDS: Sequence[Field] = (
    Field("name", "Name of the header. The server refuses C(X-Vault-) headers.", sent=False),
    Field(
        "values",
        (
            "Values of the header, in order. Give a list, also for one value, as a text is split at its commas. "
            "Needed unless it is to be absent."
        ),
        type="list",
        elements="str",
        normaliser=normalise.plain,
    ),
)


class UiHeader(AtRoot):
    """One header that the server gives to the user interface's pages."""

    kind = "UI header"
    fields = normalisers(FIELDS)

    def __init__(self, client: Client, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        values = None if item.get("values") is None else [normalise.scalar(value) for value in item["values"]]
        super().__init__(client, {**item, "values": values}, str(item["name"]).strip(), schema)

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def path(self) -> str:
        """The API path."""
        return "sys/config/ui/headers/%s" % self.name

    def check_known(self) -> None:
        """One field, which every server has."""

    def check(self) -> None:
        check_header(self.name)
        if self.name.lower().startswith("x-vault-"):
            raise InvalidInput("the server keeps headers X-Vault-… to itself", remedy="use another name")
        super().check()
        if self.desired is not None and not self.desired.get("values"):
            raise InvalidInput('"values" is missing or empty', remedy='give a value, or set "state: absent"')

    def read(self) -> Mapping[str, Any] | None:
        found = self.client.read(self.path, params={"multivalue": "true"})
        return None if found is None else {"values": found.get("values") or []}


class UiHeaders(Kind):
    """Headers of the user interface."""

    about = "Headers of the user interface"
    note = "In the root namespace only."
    tag = "ui"
    module = "vault_ui_header"
    plural = "headers"
    fields = FIELDS
    options = PURGE
    listings = (Listing("sys/config/ui/headers", item="{path}/{name}?multivalue=true", at_root=True),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        declared = [UiHeader(client, item) for item in items]
        if not context.purge:
            return declared
        existing = client.list("sys/config/ui/headers/")
        return [*declared, *purge.undeclared(context, declared, existing, partial(UiHeader, client), str.lower)]
