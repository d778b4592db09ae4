# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Objects that are one path and a table of fields, and the server's own settings among them.

Source: /api-docs/system/config-cors, /api-docs/system/config-ui, /api-docs/system/config-auditing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.reconcile import Change, Resource, unmanaged
from ..connection.answers import data_of
from ..connection.client import Client
from . import rooted
from .schema import Fields

#: what a name of an HTTP header may be. Source: RFC 9110, section 5.1
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
AT_ROOT = 'leave "namespace" (in a tree "inside") out'


class Setting(Resource):
    """One object at one path. Subclasses give ``path`` and the table ``fields``; a write sends what stands as well."""

    #: names that no state absent and no purge deletes
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
                raise InvalidInput("the server's own cannot be deleted", remedy="declare it as it is to be")
            return
        for name, value in self.desired.items():
            if self.fields[name] is normalise.duration:
                normalise.whole_seconds(value)
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
    """A setting of the whole server, which the root namespace alone has."""

    def check(self) -> None:
        if self.client.namespace:
            self.ask("GET", self.path)
        super().check()

    def ask(self, method: str, path: str, missing_ok: bool = False) -> dict[str, Any] | None:
        """Return the data of an answer. Raises InvalidInput in a namespace, VaultError."""
        what = self.kind + ("s" if not self.kind.endswith("CORS") else " settings")
        answer = rooted.ask(self.client, method, path, what, AT_ROOT)
        return data_of(answer)


def other_headers(value: Any) -> list[str]:
    """Return allowed headers without those that the server adds to any list."""
    return [name for name in normalise.string_set(value) if name.lower() not in STANDARD_HEADERS]


#: Source: OpenBao, vault/cors.go; and HashiCorp Vault's beside these
STANDARD_HEADERS = frozenset(
    (
        *("content-type", "x-requested-with", "x-vault-aws-iam-server-id", "x-vault-mfa", "authorization"),
        *("x-vault-no-request-forwarding", "x-vault-wrap-format", "x-vault-wrap-ttl", "x-vault-policy-override"),
        *("x-vault-token", "x-vault-namespace", "x-vault-index", "x-vault-inconsistent", "x-vault-forward"),
    )
)


class Cors(AtRoot):
    """Which web pages of other origins may call the API."""

    kind = "CORS"
    fields = {
        "allowed_origins": normalise.string_set,
        "allowed_headers": other_headers,
        "allow_credentials": normalise.boolean,
    }
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
                    'allowed_origins: "%s" is no origin' % origin, remedy="write https://host, without a path"
                )

    def read(self) -> Mapping[str, Any] | None:
        found = self.ask("GET", self.path) or {}
        if not found.get("enabled"):
            if self.desired is not None and not self.desired.get("allowed_origins"):
                raise InvalidInput('"allowed_origins" is missing', remedy="name the origins that may call the API")
            return None
        current = {name: found.get(name) for name in self.fields}
        current["allowed_headers"] = other_headers(current["allowed_headers"])
        return current


class UiHeader(AtRoot):
    """One header that the server gives to the user interface's pages."""

    kind = "UI header"
    fields = {"values": normalise.plain}

    def __init__(self, client: Client, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        super().__init__(client, item, str(item["name"]).strip(), schema)
        if self.desired is not None and self.desired.get("values") is not None:
            self.desired = {"values": [normalise.scalar(value) for value in self.desired["values"]]}

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


class AuditedHeader(AtRoot):
    """One header of requests that audit devices write down."""

    kind = "audited header"
    fields = {"hmac": normalise.boolean}
    folder = "sys/config/auditing/request-headers"

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
        if self.client.namespace:
            self.ask("GET", self.folder)

    def read(self) -> Mapping[str, Any] | None:
        # the path of a single one answers 400 where it is missing
        headers = (self.ask("GET", self.folder) or {}).get("headers") or {}
        return next((found for name, found in headers.items() if name.lower() == self.key), None)


def check_header(name: str) -> None:
    """Refuse what no HTTP header is called. Raises InvalidInput."""
    if not HEADER.fullmatch(name) or "%" in name or "#" in name:
        raise InvalidInput("no header is called like this", remedy="use letters, digits and dashes")


def undeclared_headers(
    client: Client, kind: type[UiHeader] | type[AuditedHeader], declared: Sequence[Resource], protected: Sequence[str]
) -> list[UiHeader | AuditedHeader]:
    """Return what deletes the headers that a purge deletes."""
    if kind is UiHeader:
        names = client.list("sys/config/ui/headers/")
    else:
        names = list((client.read(AuditedHeader.folder) or {}).get("headers") or {})
    known = {name.lower(): name for name in names}
    keep = [one.key for one in declared]
    extra = unmanaged(known, keep, [name.lower() for name in protected])
    return [kind(client, {"name": known[name], "state": "absent"}) for name in extra]
