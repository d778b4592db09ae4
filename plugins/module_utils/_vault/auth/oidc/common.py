# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The base of all OIDC objects, and the IDs that they refer to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.resource import Change
from ...base.kind import RunContext
from ...base.naming import check_plain, in_url
from ...base.schema import Fields
from ...base.setting import Setting
from ...connection.answers import data_of
from ...connection.client import Client
from ..identity.common import UUID
from .fields import FIELDS

#: the kinds of a tree that create the referenced objects
COMING = {"entity": "identity_entities", "group": "identity_groups"}


class References:
    """IDs of clients, entities and groups by the names in declarations. Each is read once."""

    def __init__(self, client: Client, context: RunContext) -> None:
        self.client = client
        #: tells whether a missing object may be created earlier in the same run
        self.context = context
        self._lock = threading.Lock()
        self._clients: dict[str, str] | None = None
        self._known: dict[tuple[str, str], str] = {}

    def client_ids(self) -> dict[str, str]:
        """Return the IDs of all OIDC clients by name."""
        with self._lock:
            if self._clients is None:
                answer = self.client.request("LIST", "identity/oidc/client", missing_ok=True)
                info = (data_of(answer) if answer else {}).get("key_info") or {}
                self._clients = {name: str(entry.get("client_id") or "") for name, entry in info.items()}
            return self._clients

    def forget_clients(self) -> None:
        """Clear the cache of clients."""
        with self._lock:
            self._clients = None

    def identity(self, what: str, name: str) -> str:
        """Return the ID of an entity or a group; '' when it does not exist."""
        with self._lock:
            if (what, name) not in self._known:
                found = self.client.read("identity/%s/name/%s" % (what, in_url(name))) or {}
                self._known[what, name] = str(found.get("id") or "")
            return self._known[what, name]


class Oidc(Setting):
    """The base of all types. Named ``<type>/<name>``."""

    type: ClassVar[str]

    def __init__(self, references: References, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        self.references = references
        self.own = str(item["name"]).strip()
        super().__init__(references.client, item, self.own, schema)
        self.info.update(type=self.type, name=self.own)

    @property
    def path(self) -> str:
        """The API path."""
        return "identity/oidc/%s/%s" % (self.type, self.own)

    def check(self) -> None:
        check_plain(self.own)
        if self.desired is not None:
            for name in sorted({field.name for field in FIELDS if field.of} - set(self.fields)):
                if self.item.get(name) is not None:
                    raise InvalidInput('type "%s" has no "%s"' % (self.type, name), remedy="remove it")
            for name in ("key", "client_id"):
                if self.desired.get(name) == "":
                    raise InvalidInput('"%s" is empty' % name, remedy="leave it out, or give a name")
        super().check()

    def write(self, change: Change) -> None:
        # an update keeps fields that it leaves out; sending current values would fix computed ones, such as the issuer
        names = set(change.desired) if change.current is None else set(change.fields)
        self.client.write(self.path, {name: change.desired[name] for name in names})

    def referred(self, option: str, what: str) -> list[str]:
        """Return the IDs for the names of entities or groups. Raises InvalidInput for an unknown name."""
        found = []
        for value in normalise.strings((self.desired or {}).get(option)):
            # "*" stands for all
            plain = value == "*" or UUID.fullmatch(value)
            known = value if plain else self.references.identity(what, value)
            context = self.references.context
            if not known and not context.planning:
                raise InvalidInput('there is no %s "%s"' % (what, value), remedy='correct "%s"' % option)
            if not known and value.lower() not in context.planned_names(COMING[what]):
                self.warnings.append('there is no %s "%s" (yet)' % (what, value))
            found.append(known or value)
        return found
