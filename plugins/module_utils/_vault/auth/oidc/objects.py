# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The types of objects: keys, roles of identity tokens, scopes, assignments, clients, providers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.resource import Change
from ...base.schema import Fields
from .common import Oidc, References
from .fields import of_type


class Key(Oidc):
    """A key that signs tokens."""

    kind = "OIDC key"
    type = "key"
    rank = 10
    fixed = frozenset(("default",))
    fields = of_type("key")

    def check(self) -> None:
        super().check()
        desired = self.desired or {}
        period = normalise.seconds(desired.get("rotation_period"))
        if "rotation_period" in desired and (period or 0) < 60:
            raise InvalidInput('"rotation_period" is below a minute', remedy="give 1m or more")


class Role(Oidc):
    """A role for identity tokens: their key, claims and TTL."""

    kind = "OIDC role"
    type = "role"
    rank = 20
    fields = of_type("role")

    def __init__(self, references: References, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        super().__init__(references, {**item, "template": template(item.get("template"))}, schema)

    def read(self) -> Mapping[str, Any] | None:
        current = super().read()
        if current is None and self.desired is not None and not self.desired.get("key"):
            raise InvalidInput('"key" is missing', remedy="name the key that signs")
        self.info["client_id"] = (current or {}).get("client_id")
        return current


class Scope(Oidc):
    """A set of claims that clients may ask for."""

    kind = "OIDC scope"
    type = "scope"
    rank = 10
    fields = of_type("scope")

    def __init__(self, references: References, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        super().__init__(references, {**item, "template": template(item.get("template"))}, schema)

    def check(self) -> None:
        super().check()
        if self.own == "openid":
            raise InvalidInput('"openid" is a built-in scope of the server', remedy="use another name")


class Assignment(Oidc):
    """Which entities and groups may log in to clients."""

    kind = "OIDC assignment"
    type = "assignment"
    rank = 10
    fixed = frozenset(("allow_all",))
    fields = of_type("assignment")

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        wanted = dict(self.desired or {})
        for option, what in (("entity_ids", "entity"), ("group_ids", "group")):
            if option in wanted:
                wanted[option] = self.referred(option, what)
        return wanted


class Application(Oidc):
    """A client: an application that uses this server for logins. Results never hold its secret."""

    kind = "OIDC client"
    type = "client"
    rank = 20
    fields = of_type("client")

    def read(self) -> Mapping[str, Any] | None:
        found = self.client.read(self.path)
        if found is None:
            return None
        self.info["client_id"] = found.get("client_id")
        current = {name: found.get(name) for name in self.fields}
        for name in ("client_type", "key"):
            wanted = (self.desired or {}).get(name)
            if wanted and normalise.scalar(current[name]) != wanted:
                raise InvalidInput(
                    "%s is %s and cannot be changed to %s" % (name, current[name], wanted),
                    remedy="declare another client, or remove this one first",
                )
        return current

    def write(self, change: Change) -> None:
        super().write(change)
        self.references.forget_clients()
        self.info["client_id"] = (self.client.read(self.path) or {}).get("client_id")


class Provider(Oidc):
    """A provider: an issuer with its clients and scopes."""

    kind = "OIDC provider"
    type = "provider"
    rank = 30
    fixed = frozenset(("default",))
    fields = of_type("provider")

    def __init__(self, references: References, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        issuer = item.get("issuer")
        # the server does not accept a slash at the end
        super().__init__(references, {**item, "issuer": issuer.rstrip("/") if issuer else issuer}, schema)

    def check(self) -> None:
        super().check()
        issuer = (self.desired or {}).get("issuer")
        if issuer is None:
            return
        parts = urlsplit(issuer)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
            raise InvalidInput(
                'issuer: "%s" is not an address without a path' % issuer,
                remedy="write https://host:8200, or leave it out for the server's own",
            )

    def read(self) -> Mapping[str, Any] | None:
        current = super().read()
        if current is None:
            return None
        self.info["issuer"] = current["issuer"]
        # the server's answer includes the path of the provider
        return {**current, "issuer": server_of(current["issuer"])}

    def write(self, change: Change) -> None:
        # clients of the same task have their IDs now
        change.desired = self.resolve(change.current)
        super().write(change)
        self.info["issuer"] = (self.client.read(self.path) or {}).get("issuer")

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        wanted = dict(self.desired or {})
        if "allowed_client_ids" in wanted:
            known = self.references.client_ids()
            given = normalise.strings(wanted["allowed_client_ids"])
            wanted["allowed_client_ids"] = [known.get(value) or value for value in given]
        return wanted


def server_of(issuer: Any) -> str:
    """Return the address of the server in the issuer of a provider."""
    parts = urlsplit(str(issuer or ""))
    return "%s://%s" % (parts.scheme, parts.netloc)


def template(value: Any) -> str | None:
    """Return a template of claims as text; as data it is a JSON document."""
    return json.dumps(value) if isinstance(value, (Mapping, list)) else value


TYPES: dict[str, type[Oidc]] = {kind.type: kind for kind in (Key, Role, Scope, Assignment, Application, Provider)}
