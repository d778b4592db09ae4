# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Objects with one path and a table of fields, such as the server's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.resource import Change, Resource
from ..connection.answers import data_of
from ..connection.client import Client
from . import root_namespace
from .schema import Fields

AT_ROOT = 'leave "namespace" (in a tree "inside") out'


class Setting(Resource):
    """One object at one path. Subclasses define ``path`` and ``fields``; a write includes the current fields."""

    #: built-in names that neither state absent nor a purge deletes
    fixed: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, client: Client, item: Mapping[str, Any], name: str, schema: Fields | None = None) -> None:
        self.client = client
        self.item = item
        self.schema = schema or Fields(client)
        super().__init__(name, {one: item.get(one) for one in self.fields} if item["state"] == "present" else None)

    @property
    def path(self) -> str:
        """The API path."""
        raise NotImplementedError

    def check(self) -> None:
        if self.desired is None:
            if self.name in self.fixed:
                raise InvalidInput("the server's built-in object cannot be deleted", remedy="declare it as it is to be")
            return
        for name, value in self.desired.items():
            if self.fields[name] is normalise.duration:
                normalise.whole_seconds(value)

    def preflight(self) -> None:
        if self.desired is not None:
            self.check_known()

    def check_known(self) -> None:
        """Refuse fields that the server would drop. Raises InvalidInput."""
        self.schema.check(self.path, self.desired or {}, self.label, self.kind)

    def read(self) -> Mapping[str, Any] | None:
        found = self.client.read(self.path)
        return None if found is None else {name: found.get(name) for name in self.fields}

    def write(self, change: Change) -> None:
        self.client.write(self.path, self.whole_body(change))

    def delete(self, change: Change) -> None:
        self.client.delete(self.path)


class AtRoot(Setting):
    """A setting of the whole server, which only the root namespace has."""

    #: path that tells whether the namespace has it
    probe = ""

    def preflight(self) -> None:
        if self.client.namespace:
            self.ask("GET", self.probe or self.path)
        super().preflight()

    def ask(self, method: str, path: str) -> dict[str, Any] | None:
        """Return the data of an answer. Raises InvalidInput in a namespace, VaultError."""
        what = self.kind + ("s" if not self.kind.endswith("CORS") else " settings")
        answer = root_namespace.request(self.client, method, path, what, AT_ROOT)
        return data_of(answer)
