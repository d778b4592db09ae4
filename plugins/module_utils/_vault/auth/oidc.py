# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The server as an OIDC provider: keys, roles of identity tokens, scopes, assignments, clients, providers.

Source: /api-docs/secret/identity/oidc-provider and /api-docs/secret/identity/tokens.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.reconcile import Change
from ..base.kind import Given
from ..base.naming import check_plain, in_url
from ..base.normalisers import default
from ..base.schema import Fields
from ..base.setting import Setting
from ..connection.answers import data_of
from ..connection.client import Client

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: the kinds of a tree that make what is referred to
COMING = {"entity": "identity_entities", "group": "identity_groups"}
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA")


class Directory:
    """Ids by the names that declarations use: of clients, entities and groups. Each is read once."""

    def __init__(self, client: Client, given: Given) -> None:
        self.client = client
        #: says whether what is missing may come earlier in the same run
        self.given = given
        self._lock = threading.Lock()
        self._clients: dict[str, str] | None = None
        self._known: dict[tuple[str, str], str] = {}

    def client_ids(self) -> dict[str, str]:
        """Return the ids of all OIDC clients by their names."""
        with self._lock:
            if self._clients is None:
                answer = self.client.request("LIST", "identity/oidc/client", missing_ok=True)
                info = (data_of(answer) if answer else {}).get("key_info") or {}
                self._clients = {name: str(entry.get("client_id") or "") for name, entry in info.items()}
            return self._clients

    def forget_clients(self) -> None:
        """Read the clients again at the next question."""
        with self._lock:
            self._clients = None

    def identity(self, what: str, name: str) -> str:
        """Return the id of an entity or a group; '' when there is none of this name."""
        with self._lock:
            if (what, name) not in self._known:
                found = self.client.read("identity/%s/name/%s" % (what, in_url(name))) or {}
                self._known[what, name] = str(found.get("id") or "")
            return self._known[what, name]


class Oidc(Setting):
    """What all types have in common. Named ``<type>/<name>``."""

    type: ClassVar[str]

    def __init__(self, directory: Directory, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        self.directory = directory
        self.own = str(item["name"]).strip()
        super().__init__(directory.client, item, self.own, schema)
        self.info.update(type=self.type, name=self.own)

    @property
    def path(self) -> str:
        """The API path."""
        return "identity/oidc/%s/%s" % (self.type, self.own)

    def check(self) -> None:
        check_plain(self.own)
        if self.desired is not None:
            for name in sorted({one for kind in TYPES.values() for one in kind.fields} - set(self.fields)):
                if self.item.get(name) is not None:
                    raise InvalidInput('type "%s" has no "%s"' % (self.type, name), remedy="remove it")
            for name in ("key", "client_id"):
                if self.desired.get(name) == "":
                    raise InvalidInput('"%s" is empty' % name, remedy="leave it out, or give a name")
        super().check()

    def write(self, change: Change) -> None:
        # an update leaves alone what it does not say, and would fix what the server works out, such as the issuer
        names = set(self.desired or {}) if change.current is None else set(change.fields)
        self.client.write(self.path, {name: (self.desired or {})[name] for name in names})

    def find_reference(self, option: str, what: str) -> None:
        """Put ids in place of the names of entities or groups. Raises InvalidInput for a name that nothing has."""
        desired = self.desired or {}
        found = []
        for value in normalise.strings(desired.get(option)):
            known = value if UUID.fullmatch(value) else self.directory.identity(what, value)
            given = self.directory.given
            if not known and not given.rehearsal:
                raise InvalidInput('there is no %s "%s"' % (what, value), remedy='correct "%s"' % option)
            if not known and value.lower() not in given.coming(COMING[what]):
                self.warnings.append('there is no %s "%s" (yet)' % (what, value))
            found.append(known or value)
        if option in desired:
            desired[option] = found


class Key(Oidc):
    """A key that signs tokens."""

    kind = "OIDC key"
    type = "key"
    rank = 10
    fixed = frozenset(("default",))
    fields = {
        "algorithm": default("RS256"),
        "rotation_period": normalise.duration,
        "verification_ttl": normalise.duration,
        "allowed_client_ids": normalise.string_set,
    }

    def check(self) -> None:
        super().check()
        desired = self.desired or {}
        period = normalise.seconds(desired.get("rotation_period"))
        if "rotation_period" in desired and (period or 0) < 60:
            raise InvalidInput('"rotation_period" is below a minute', remedy="give 1m or more")


class Role(Oidc):
    """Who asks for an identity token by this role gets these claims."""

    kind = "OIDC role"
    type = "role"
    rank = 20
    fields = {
        "key": normalise.scalar,
        "template": normalise.document_form,
        "client_id": normalise.scalar,
        "ttl": normalise.duration,
    }

    def __init__(self, directory: Directory, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        super().__init__(directory, {**item, "template": template(item.get("template"))}, schema)

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
    fields = {"template": normalise.document_form, "description": normalise.text}

    def __init__(self, directory: Directory, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        super().__init__(directory, {**item, "template": template(item.get("template"))}, schema)

    def check(self) -> None:
        super().check()
        if self.own == "openid":
            raise InvalidInput('"openid" is the server\'s own scope', remedy="use another name")


class Assignment(Oidc):
    """Which entities and groups may log in to clients."""

    kind = "OIDC assignment"
    type = "assignment"
    rank = 10
    fixed = frozenset(("allow_all",))
    fields = {"entity_ids": normalise.string_set, "group_ids": normalise.string_set}

    def read(self) -> Mapping[str, Any] | None:
        self.find_reference("entity_ids", "entity")
        self.find_reference("group_ids", "group")
        return super().read()


class Application(Oidc):
    """A client: an application that lets people log in by this server. Its secret is never read into a result."""

    kind = "OIDC client"
    type = "client"
    rank = 20
    fields = {
        "key": default("default"),
        "redirect_uris": normalise.string_set,
        "assignments": normalise.string_set,
        "client_type": default("confidential"),
        "id_token_ttl": normalise.duration,
        "access_token_ttl": normalise.duration,
        "authorization_code": normalise.boolean,
        "client_credentials": normalise.boolean,
    }

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
        self.directory.forget_clients()
        self.info["client_id"] = (self.client.read(self.path) or {}).get("client_id")


class Provider(Oidc):
    """A provider: an issuer with its clients and scopes."""

    kind = "OIDC provider"
    type = "provider"
    rank = 30
    fixed = frozenset(("default",))
    fields = {
        "issuer": normalise.scalar,
        "allowed_client_ids": normalise.string_set,
        "scopes_supported": normalise.string_set,
    }

    def __init__(self, directory: Directory, item: Mapping[str, Any], schema: Fields | None = None) -> None:
        issuer = item.get("issuer")
        # the server takes no slash at its end
        super().__init__(directory, {**item, "issuer": issuer.rstrip("/") if issuer else issuer}, schema)

    def check(self) -> None:
        super().check()
        issuer = (self.desired or {}).get("issuer")
        if issuer is None:
            return
        parts = urlsplit(issuer)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
            raise InvalidInput(
                'issuer: "%s" is no address without a path' % issuer,
                remedy="write https://host:8200, or leave it out for the server's own",
            )

    def read(self) -> Mapping[str, Any] | None:
        self._resolve_clients()
        current = super().read()
        if current is None:
            return None
        self.info["issuer"] = current["issuer"]
        # the server answers the path of the provider with it
        parts = urlsplit(str(current["issuer"] or ""))
        return {**current, "issuer": "%s://%s" % (parts.scheme, parts.netloc)}

    def write(self, change: Change) -> None:
        # clients of the same task have their ids now
        self._resolve_clients()
        super().write(change)
        self.info["issuer"] = (self.client.read(self.path) or {}).get("issuer")

    def _resolve_clients(self) -> None:
        desired = self.desired or {}
        if "allowed_client_ids" in desired:
            known = self.directory.client_ids()
            given = normalise.strings(desired["allowed_client_ids"])
            desired["allowed_client_ids"] = [known.get(value) or value for value in given]


def template(value: Any) -> str | None:
    """Return a template of claims as text; as data it is a JSON document."""
    return json.dumps(value) if isinstance(value, (Mapping, list)) else value


TYPES: dict[str, type[Oidc]] = {kind.type: kind for kind in (Key, Role, Scope, Assignment, Application, Provider)}


def objects(client: Client, items: Iterable[Mapping[str, Any]], given: Given) -> list[Oidc]:
    """Return the resources of declared objects; with a purge also of the others, to be deleted.

    What the purge keeps is named ``<name>`` or ``<type>/<name>``.
    """
    directory, schema = Directory(client, given), Fields(client)
    resources = [TYPES[item["type"]](directory, item, schema) for item in items]
    extra: list[Oidc] = []
    for name, kind in TYPES.items() if given.purge else ():
        keep = {one.own for one in resources if one.type == name} | kind.fixed | set(given.protected)
        for own in client.list("identity/oidc/%s" % name):
            if own not in keep and "%s/%s" % (name, own) not in keep:
                extra.append(kind(directory, {"name": own, "type": name, "state": "absent"}, schema))
    return resources + extra
