# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Anything else that the API reads and writes under one path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..base import secret_fields
from ..base.kind import Given, Kind
from ..connection.client import Client
from ..system import endpoint

ITEM: dict[str, Any] = {
    "path": {"type": "str"},
    "read_path": {"type": "str"},
    "data": {"type": "dict"},
    "secret_data": {"type": "dict", "no_log": True},
    "compare": {"type": "dict"},
    "method": {"type": "str", "choices": ["POST", "PUT", "PATCH"], "default": "POST"},
    "write": {"type": "str", "choices": ["when_different", "when_missing", "always"], "default": "when_different"},
}


class Endpoints(Kind):
    """Anything else that the API reads and writes under one path."""

    module = "vault_endpoint"
    plural = "endpoints"
    item = ITEM
    required = ("path",)
    update_secrets = True
    concealed = "secret_data"
    unlisted = "they are paths of any API"

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        return secret_fields.secret_values([item.get("data") for item in declared])

    def public(self, items: Sequence[Mapping[str, Any]], given: Given) -> Iterable[str]:
        return [item[name] for item in items for name in ("path", "read_path") if item.get(name)]

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return [endpoint.Endpoint(client, item) for item in items]
