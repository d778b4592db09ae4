# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Connections and roles of the database engine.

Source: /api-docs/secret/databases, and the page of each database there.
"""

from __future__ import annotations

import datetime
import difflib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

from ..._engine import normalise, wording
from ..._engine.addresses import address_passwords, masked_address
from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.reconcile import Change, Resource, check_new
from ..._engine.scrub import scrub
from ..._engine.secret_names import FIELDS, SECRET_NAME
from ..base.kind import Given
from ..base.listing import plugins
from ..base.mounts import EngineMounts
from ..base.naming import check_mount, check_plain
from ..base.normalisers import default
from ..base.schema import Place, check_kept
from ..base.secret_fields import misplaced
from ..connection.client import Client
from ..connection.errors import BadRequest, PermissionDenied

#: our note in a connection's details that its root credential is the server's own now; plugins keep what they are given
RECORD = "vault_eso_root_rotated"
#: options of a connection with another name in the API: theirs are those of the module's own login
RENAMED = {"root_username": "username", "root_password": "password"}
#: fields that a connection holds itself; everything else is a detail that its plugin takes
OUTSIDE = ("plugin_name", "plugin_version", "allowed_roles", "root_rotation_statements", "password_policy")
#: details that several plugins know, for a word about a slip of the pen
DETAILS = (
    *("max_open_connections", "max_idle_connections", "max_connection_lifetime", "username_template"),
    *("disable_escaping", "password_authentication", "tls_ca", "tls_certificate", "tls_server_name", "tls"),
    *("insecure_tls", "hosts", "host", "port", "connect_timeout", "protocol_version", "keyspace", "consistency"),
)
#: details that are documents of JSON as text
DOCUMENTS = ("pem_json", "service_account_json", "write_concern")
#: how credentials of each type are made. Source: /api-docs/secret/databases (credential_config)
CREDENTIALS = {
    "password": frozenset(("password_policy",)),
    "rsa_private_key": frozenset(("key_bits", "format")),
    "client_certificate": frozenset(
        ("common_name_template", "ca_cert", "ca_private_key", "key_type", "key_bits", "signature_bits")
    ),
}
ALL_CREDENTIALS = frozenset().union(*CREDENTIALS.values())
PLACEHOLDER = re.compile(r"(?<!\{)\{(name|username|password|expiration)\}(?!\})")


def template(value: Any) -> str:
    """Return text with ``{name}`` as ``{{name}}``, which YAML and Jinja leave alone; so for the four placeholders."""
    return PLACEHOLDER.sub(r"{{\1}}", normalise.text(value))


def connection_address(value: Any) -> str:
    """Return an address for a comparison: of one that is no URL the server gives back a form with escapes."""
    text = template(value)
    return text if "://" in text else template(unquote(text))


def statements(value: Any) -> list[str]:
    """Return statements, given as a list or as one, in the order in which they run; a mapping is a JSON document."""
    items = value if isinstance(value, (list, tuple)) else [value]
    texts = (json.dumps(item) if isinstance(item, Mapping) else template(item) for item in items)
    return [text for text in texts if text]


def url_passwords(value: Any) -> list[str]:
    """Return the passwords that stand in a connection's address instead of a placeholder."""
    return address_passwords(normalise.scalar(value))


def secrets_of(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the secrets that stand in connections where none belongs, for what messages must not hold."""
    for item in items:
        yield from url_passwords(item.get("connection_url"))
        for name, value in (item.get("options") or {}).items():
            if name in FIELDS and value:
                yield str(value)


def scrubbed(error: SecretopsError, current: Mapping[str, Any] | None) -> SecretopsError:
    """Take what a connection holds as secrets out of a message: a driver may quote the address that it cannot use."""
    held: set[str] = set()
    for name, value in (current or {}).items():
        if isinstance(value, str):
            held |= {value} if SECRET_NAME.search(name) else set(url_passwords(value))
    # of an address that is no URL, what it takes for a port or a host
    held |= {part for text in held for part in re.split(r"[/?#@:]", text)}
    error.what = scrub(error.what, held)
    return error


class Catalog:
    """The database plugins that the server has, read once."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._names: frozenset[str] | None = None

    def require(self, name: str) -> None:
        """Refuse a plugin that the server does not have, as far as the token lets us know. Raises InvalidInput."""
        if self._names is None:
            # where they cannot be had, the server's own refusal will tell
            self._names = plugins(self.client, lambda client: client.list("sys/plugins/catalog/database"))
        if self._names and name not in self._names:
            raise InvalidInput(
                'this server has no database plugin "%s"' % name,
                remedy="register it as an external plugin, or use one of: %s" % ", ".join(sorted(self._names)),
            )


class Inside(Resource):
    """An object inside a database mount; named ``<mount>/<name>``."""

    def __init__(self, mounted: EngineMounts, item: Mapping[str, Any], desired: Mapping[str, Any] | None) -> None:
        self.mounted = mounted
        self.client: Client = mounted.client
        self.item = item
        self.mount = normalise.path(item["mount"])
        self.own = str(item["name"]).strip()
        super().__init__("%s/%s" % (self.mount, self.own), desired)
        self.info.update(mount=self.mount, name=self.own)

    def check(self) -> None:
        check_mount(self.mount, 'write it like "database"', "mount")
        check_plain(self.own)

    def find(self) -> bool:
        """Make sure that the mount is a database engine; False when it does not exist (yet). Raises InvalidInput."""
        return self.mounted.require(self.mount, "database") is not None

    def need_mount(self) -> None:
        """Refuse to write where nothing is mounted. Raises InvalidInput."""
        if not self.find():
            raise InvalidInput(
                "nothing is mounted there",
                'mount "%s"' % self.mount,
                "mount a database engine first (module vault_secrets_engine)",
            )

    def typed(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the item's options with what stands in ``options``, which must not repeat one of them."""
        names = list(names)
        options = {str(name): value for name, value in (self.item.get("options") or {}).items()}
        return {**options, **{name: self.item.get(name) for name in names if self.item.get(name) is not None}}

    def check_twice(self, names: Iterable[str], *groups: str) -> None:
        """Refuse a setting that is given in two places. Raises InvalidInput."""
        seen = {RENAMED.get(name, name) for name in names if self.item.get(name) is not None}
        for group in groups:
            for name in self.item.get(group) or {}:
                if name in seen:
                    raise InvalidInput('"%s" is given twice' % name, remedy='remove it from "%s"' % group)
                seen.add(name)


class Connection(Inside):
    """How the engine reaches one database, and as whom."""

    kind = "database connection"
    # a rotated root credential is known to nobody else
    holds_data = True
    rank = 10
    names = (
        *OUTSIDE,
        *("connection_url", "root_username", "root_password", "max_open_connections", "max_idle_connections"),
        *("max_connection_lifetime", "username_template"),
    )
    fields = {
        "plugin_name": normalise.scalar,
        "plugin_version": normalise.scalar,
        "allowed_roles": normalise.string_set,
        "root_rotation_statements": statements,
        "password_policy": normalise.scalar,
        "connection_url": connection_address,
        "root_username": normalise.scalar,
        "max_open_connections": normalise.integer,
        "max_idle_connections": normalise.integer,
        "max_connection_lifetime": normalise.duration,
        "username_template": normalise.text,
        "root_rotated": normalise.boolean,
        **dict.fromkeys(DOCUMENTS, normalise.document_form),
    }

    def __init__(self, mounted: EngineMounts, catalog: Catalog, item: Mapping[str, Any]) -> None:
        self.catalog = catalog
        self.item = item
        secret = {str(name): value for name, value in (item.get("secret_options") or {}).items()}
        desired: dict[str, Any] | None = None
        if item["state"] == "present":
            desired = {
                name: normalise.document(value) if name in DOCUMENTS else value
                for name, value in {**self.typed(self.names), **secret}.items()
            }
            for name in ("connection_url", "username_template"):
                if desired.get(name) is not None:
                    desired[name] = template(desired[name]) if name == "connection_url" else desired[name]
            if desired.get("root_rotation_statements") is not None:
                desired["root_rotation_statements"] = statements(desired["root_rotation_statements"])
            if item.get("rotate_root") == "once":
                desired["root_rotated"] = True
        self.secret_fields = frozenset(secret)
        self.write_only_fields = frozenset(("root_password",))
        super().__init__(mounted, item, desired)

    @property
    def _path(self) -> str:
        return "%s/config/%s" % (self.mount, self.own)

    def check(self) -> None:
        super().check()
        if self.desired is None:
            return
        options = self.item.get("options") or {}
        for name, other in RENAMED.items():
            if other in options or other in (self.item.get("secret_options") or {}):
                raise InvalidInput('"%s" has an option of its own' % other, remedy='give it as "%s"' % name)
        misplaced(options, "options", "secret_options")
        misplaced({name: "" for name in options if name in FIELDS}, "options", "secret_options")
        self.check_twice(self.names, "options", "secret_options")
        for name in options:
            near = difflib.get_close_matches(name, DETAILS, 1, 0.85)
            if name not in DETAILS and near:
                raise InvalidInput('unknown option "%s"' % name, remedy='did you mean "%s"?' % near[0])
        if self.desired.get("connection_url") == "":
            raise InvalidInput('"connection_url" is empty', remedy="give the address, or leave the option out")
        if url_passwords(self.desired.get("connection_url")):
            raise InvalidInput(
                "the connection_url holds a password, which would be shown",
                remedy='write "{password}" in its place, and give it as "root_password"',
            )
        normalise.seconds(self.desired.get("max_connection_lifetime"))
        if self.desired.get("plugin_name"):
            self.catalog.require(self.desired["plugin_name"])
        check_new(self._check_new, lambda: self.find() and self.client.read(self._path) is not None)

    def read(self) -> Mapping[str, Any] | None:
        answer = self.client.read(self._path) if self.find() else None
        if answer is None:
            return None
        details = dict(answer.get("connection_details") or {})
        rotated = details.pop(RECORD, None)
        names: dict[str, str] = {other: name for name, other in RENAMED.items()}
        current: dict[str, Any] = {name: answer.get(name) for name in OUTSIDE}
        current["root_rotation_statements"] = answer.get("root_credentials_rotate_statements")
        current.update({names.get(name) or name: value for name, value in details.items()})
        current["root_rotated"] = bool(rotated)
        if rotated:
            self.info["root_rotated"] = rotated
        if self.desired is not None:
            # secrets that the server keeps to itself
            self.write_only_fields |= self.secret_fields - set(current)
            if rotated and "root_rotated" in self.desired and not self._new_user(current):
                # the declared password is of the past: it would lock the engine out
                self.desired.pop("root_password", None)
        return current

    def _new_user(self, current: Mapping[str, Any]) -> bool:
        wanted = (self.desired or {}).get("root_username")
        return wanted is not None and normalise.scalar(current.get("root_username")) != wanted

    def _check_new(self) -> None:
        if self.desired is None:
            return
        if not self.desired.get("plugin_name"):
            raise InvalidInput('"plugin_name" is missing', remedy="say which plugin speaks to the database")
        if "root_rotated" in self.desired and not self.desired.get("root_password"):
            raise InvalidInput(
                '"rotate_root: once" without a "root_password" to begin with',
                remedy="give the credential that the database knows now",
            )

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        names = set(super().compare(current, desired))
        if "root_username" in names:
            # a password goes with its user, and what was rotated was another's
            names |= {"root_password", "root_rotated"} & set(desired)
        return sorted(names)

    def hidden(self) -> set[str]:
        # also what was written by hand, and which no declaration names
        return super().hidden() | {*FIELDS, "root_password"}

    def show(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        plain = {*OUTSIDE, "root_rotation_statements", "root_username", "username_template"}
        return {
            name: masked_address(value) if isinstance(value, str) and name not in plain else value
            for name, value in fields.items()
        }

    def write(self, change: Change) -> None:
        try:
            self._write(change)
        except SecretopsError as error:
            raise scrubbed(error, change.current) from None

    def _write(self, change: Change) -> None:
        self.need_mount()
        desired = self.desired or {}
        names = set(change.fields) - {"root_rotated"}
        body = {RENAMED.get(name, name): desired[name] for name in names if name in desired}
        if change.current is not None and body.get("password") is not None and change.current.get("root_rotated"):
            body[RECORD] = ""
        if body:
            if self.item.get("verify_connection") is not None:
                body["verify_connection"] = self.item["verify_connection"]
            self.client.write(self._path, self._sent(body))
            change.touched = True
        if "root_rotated" in change.fields:
            self._rotate(change)

    @staticmethod
    def _sent(body: Mapping[str, Any]) -> dict[str, Any]:
        # plugins take a lifetime as text
        return {
            name: "%ss" % normalise.seconds(value) if name == "max_connection_lifetime" else value
            for name, value in body.items()
        }

    def _rotate(self, change: Change) -> None:
        """Have the server give itself a password that nobody else knows, then note that it did.

        A run cut off between the two rotates once more, which harms nobody.
        """
        self.client.write("%s/rotate-root/%s" % (self.mount, self.own), idempotent=False)
        change.touched = True
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat()
        # the connection worked a moment ago
        self.client.write(self._path, {RECORD: now, "verify_connection": False})
        kept = (self.client.read(self._path) or {}).get("connection_details") or {}
        if kept.get(RECORD) == now:
            self.info["root_rotated"] = now
        else:
            self.warnings.append(
                'the root credential is rotated, but this plugin keeps no note of it: set "rotate_root: never" now, '
                "or the next run rotates it again"
            )

    def delete(self, change: Change) -> None:
        self.client.delete(self._path)


class Connections:
    """The connections that roles name: each read once. In a rehearsal also those that the same tree declares."""

    def __init__(self, client: Client, given: Given) -> None:
        self.client = client
        self.given = given
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Any] | None] = {}

    def get(self, mount: str, name: str) -> dict[str, Any] | None:
        """Return a connection, None when there is none. Raises PermissionDenied."""
        path = "%s/config/%s" % (mount, quote(name, safe=""))
        with self._lock:
            if path not in self._known:
                self._known[path] = self.client.read(path)
            return self._known[path]

    def problem(self, mount: str, name: str, role: str) -> tuple[str, str]:
        """Return why a role cannot work by a connection, and the remedy; two empty texts when nothing is known."""
        try:
            connection = self.get(mount, name)
        except PermissionDenied:
            return "", ""
        declared = self.given.coming_in("database_connections", mount, "database").get(name)
        if declared is not None:
            allowed = declared.get("allowed_roles")
            connection = {**(connection or {}), **({} if allowed is None else {"allowed_roles": allowed})}
        if connection is None:
            return (
                'there is no connection "%s"' % name,
                'declare it with vault_database_connection, or correct "db_name"',
            )
        allowed = normalise.strings(connection.get("allowed_roles"))
        if not any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), role) for pattern in allowed):
            return 'the connection "%s" does not allow this role' % name, 'add it to the connection\'s "allowed_roles"'
        return "", ""


#: options that not every product has
UNSURE = frozenset(("rotation_schedule", "rotation_window"))


class Role(Inside):
    """What the two types of roles have in common."""

    rank = 20
    folder = ""
    names: tuple[str, ...] = ()
    #: options of the other type
    others: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    def __init__(self, mounted: EngineMounts, connections: Connections, item: Mapping[str, Any]) -> None:
        self.connections = connections
        self.item = item
        desired: dict[str, Any] | None = None
        if item["state"] == "present":
            desired = self.typed(self.names)
            desired.update({name: statements(desired[name]) for name in self.lists if desired.get(name) is not None})
        super().__init__(mounted, item, desired)

    @property
    def path(self) -> str:
        """The path of the role in the API."""
        return "%s/%s/%s" % (self.mount, self.folder, self.own)

    def check(self) -> None:
        super().check()
        if self.desired is None:
            return
        for name in self.others:
            if self.item.get(name) is not None:
                raise InvalidInput('a %s has no "%s"' % (self.kind, name), remedy='remove it, or correct "type"')
        misplaced(self.item.get("options"), "options", "the connection")
        self.check_twice((*self.names, *self.others), "options")
        known = CREDENTIALS.get(str(self.desired.get("credential_type") or ""), ALL_CREDENTIALS)
        for name in sorted(set(self.desired.get("credential_config") or {}) - known):
            raise InvalidInput(
                'credential_config: there is no "%s"' % name, remedy="use one of %s" % ", ".join(sorted(known))
            )
        if not self.desired.get("db_name"):
            raise InvalidInput('"db_name" is missing', remedy="name the connection that the role is for")
        place = Place(self.mount, "database", self.folder, self.own)
        unsure = set(self.item.get("options") or ()) | (UNSURE & set(self.desired))
        doubt = self.mounted.fields.check_inside(place, unsure, "a %s" % self.kind)
        if doubt:
            self.warnings.append(doubt)

    def problem(self) -> tuple[str, str]:
        """Return why the role cannot work by its connection, and the remedy."""
        return self.connections.problem(self.mount, str((self.desired or {})["db_name"]), self.own)

    def read(self) -> Mapping[str, Any] | None:
        current = self.client.read(self.path) if self.find() else None
        if self.desired is not None:
            problem, remedy = self.problem()
            if problem:
                self.warnings.append("%s; %s" % (problem, remedy))
        return current

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        rest = {name: value for name, value in desired.items() if name != "credential_config"}
        names = super().compare(current, rest)
        found = normalise.string_map(current.get("credential_config"))
        wanted = normalise.string_map(desired.get("credential_config"))
        # the server fills in the rest
        if any(found.get(name, "") != value for name, value in wanted.items()):
            names.append("credential_config")
        return sorted(names)

    def write(self, change: Change) -> None:
        self.need_mount()
        names = set(self.desired or {}) if change.current is None else set(change.fields)
        self.client.write(self.path, self.body(change.current or {}))
        change.touched = True
        # the engine drops in silence what it does not know
        unsure = set(self.item.get("options") or {}) | UNSURE
        check_kept(self.client, self.path, unsure & names, self.kind)
        if "credential_config" in names:
            self._check_config()

    def _check_config(self) -> None:
        """Refuse to call it a success when the server dropped a part of how credentials are made. Raises BadRequest."""
        wanted = normalise.string_map((self.desired or {}).get("credential_config"))
        kept = (self.client.read(self.path) or {}).get("credential_config") or {}
        dropped = sorted(name for name, value in wanted.items() if value and name not in kept)
        if dropped:
            raise BadRequest(
                'the server ignores "%s" of "credential_config"' % dropped[0],
                self.path,
                "correct the name or remove it",
            )

    def body(self, current: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is sent: the declared, and what stands, as the server resets some fields that it is not sent."""
        desired = dict(self.desired or {})
        kept = {name: current[name] for name in self.names if current.get(name) is not None}
        old, new = (fields.get("credential_type") or "password" for fields in (kept, {**kept, **desired}))
        if old != new:
            # these belong to the old type
            kept.pop("credential_config", None)
        config = {**(kept.get("credential_config") or {}), **(desired.get("credential_config") or {})}
        if config:
            desired["credential_config"] = config
        return {**kept, **desired}

    def delete(self, change: Change) -> None:
        self.client.delete(self.path)


class DynamicRole(Role):
    """A role that makes a database user for each who asks, and removes it when the lease ends."""

    kind = "dynamic database role"
    folder = "roles"
    lists = ("creation_statements", "revocation_statements", "rollback_statements", "renew_statements")
    names = ("db_name", "default_ttl", "max_ttl", "credential_type", "credential_config", *lists)
    others = ("db_username", "rotation_period", "rotation_schedule", "rotation_window", "rotation_statements")
    fields = {
        "db_name": normalise.scalar,
        "default_ttl": normalise.duration,
        "max_ttl": normalise.duration,
        "credential_type": default("password"),
        **dict.fromkeys(lists, statements),
    }

    def check(self) -> None:
        super().check()
        if self.desired is None:
            return
        usual, longest = (normalise.whole_seconds(self.desired.get(name)) for name in ("default_ttl", "max_ttl"))
        if usual and longest and usual > longest:
            raise InvalidInput("default_ttl is longer than max_ttl", remedy="correct one of the two")

    def read(self) -> Mapping[str, Any] | None:
        current = super().read()
        desired = self.desired
        if desired is not None and not desired.get("creation_statements", (current or {}).get("creation_statements")):
            try:
                plugin = str((self.connections.get(self.mount, desired["db_name"]) or {}).get("plugin_name") or "")
            except PermissionDenied:
                plugin = ""
            if plugin.startswith(("postgresql", "mysql", "mssql", "oracle")):
                self.warnings.append('it has no "creation_statements", so nobody will get a credential by it')
        return current

    def body(self, current: Mapping[str, Any]) -> dict[str, Any]:
        body = super().body(current)
        for name in ("default_ttl", "max_ttl"):
            if name in body:
                body[name] = "%ss" % normalise.seconds(body[name])
        return body


class StaticRole(Role):
    """A role for one database user that exists, whose password the server rotates."""

    kind = "static database role"
    folder = "static-roles"
    lists = ("rotation_statements",)
    names = (
        *("db_name", "db_username", "rotation_period", "rotation_schedule", "rotation_window"),
        *("credential_type", "credential_config", *lists),
    )
    others = ("default_ttl", "max_ttl", *DynamicRole.lists)
    fields = {
        "db_name": normalise.scalar,
        "db_username": normalise.scalar,
        "rotation_period": normalise.duration,
        "rotation_window": normalise.duration,
        "rotation_schedule": normalise.scalar,
        "rotation_statements": statements,
        "credential_type": default("password"),
    }

    def check(self) -> None:
        super().check()
        if self.desired is None:
            return
        if not self.desired.get("db_username"):
            raise InvalidInput('"db_username" is missing', remedy="name the database user that the role is for")
        period, window = (
            normalise.whole_seconds(self.desired.get(name)) for name in ("rotation_period", "rotation_window")
        )
        schedule = self.desired.get("rotation_schedule")
        if not period and not schedule:
            raise InvalidInput(
                'a static role needs a "rotation_period"', remedy="give a duration, such as 24h, or a rotation_schedule"
            )
        if period and schedule:
            raise InvalidInput(
                '"rotation_period" and "rotation_schedule" contradict each other', remedy="give one of the two"
            )
        # Source: the server's own least period and window
        if period and period < 5:
            raise InvalidInput('"rotation_period" is below 5 seconds', remedy="give 5s or more")
        if window and not schedule:
            raise InvalidInput('"rotation_window" is for a "rotation_schedule"', remedy="remove it")

    def read(self) -> Mapping[str, Any] | None:
        current = super().read()
        if current is None:
            return None
        current = dict(current)
        current["db_username"] = current.pop("username", None)
        self.info["last_rotation"] = current.get("last_vault_rotation")
        wanted = (self.desired or {}).get("db_username")
        if wanted and wanted != current["db_username"]:
            raise InvalidInput(
                'it is for the user "%s", and cannot be given to "%s"' % (current["db_username"], wanted),
                remedy="declare another role, or remove this one first",
            )
        return current

    def body(self, current: Mapping[str, Any]) -> dict[str, Any]:
        body = super().body(current)
        if "rotation_schedule" in (self.desired or {}):
            body.pop("rotation_period", None)
        elif "rotation_period" in (self.desired or {}):
            body = {name: value for name, value in body.items() if name not in ("rotation_schedule", "rotation_window")}
        body["username"] = body.pop("db_username")
        for name in ("rotation_period", "rotation_window"):
            if name in body:
                body[name] = "%ss" % normalise.seconds(body[name])
        return body

    def write(self, change: Change) -> None:
        problem, remedy = self.problem()
        if problem:
            self.warnings.clear()
            raise InvalidInput(problem, remedy=remedy)
        try:
            super().write(change)
        except BadRequest as error:
            if (self.desired or {}).get("rotation_schedule") and wording.rotation_period_required(error.said):
                raise InvalidInput(
                    "this server knows no rotation_schedule", remedy='give a "rotation_period" instead'
                ) from None
            raise


TYPES: dict[str, type[Role]] = {"dynamic": DynamicRole, "static": StaticRole}


def placed(items: Sequence[Mapping[str, Any]], mount: str | None) -> Iterator[dict[str, Any]]:
    """Yield items with their mount: their own, else the module's, else ``database``."""
    for item in items:
        yield {**item, "mount": item.get("mount") or mount or "database"}


def connections(mounted: EngineMounts, items: Sequence[Mapping[str, Any]], given: Given) -> list[Connection]:
    """Return the resources of declared connections; with a purge also of the others in their mounts, to be deleted.

    Raises InvalidInput for one to be purged that is not named in ``purge_data`` as well.
    """
    catalog = Catalog(mounted.client)
    resources = [Connection(mounted, catalog, item) for item in placed(items, given.params.get("mount"))]
    if given.purge:
        places = given.places(resources, "database")
        extra = given.undeclared(resources, places, partial(_existing, mounted, folder="config"))
        given.named_again(extra, "with root credentials that nobody else may know", "database connections")
        for place, name in extra:
            resources.append(Connection(mounted, catalog, {"mount": place, "name": name, "state": "absent"}))
    return resources


def roles(mounted: EngineMounts, items: Sequence[Mapping[str, Any]], given: Given) -> list[Role]:
    """Return the resources of declared roles; with a purge also of the others, of both types, in their mounts."""
    known = Connections(mounted.client, given)
    declared = placed(items, given.params.get("mount"))
    resources = [TYPES[item.get("type") or "dynamic"](mounted, known, item) for item in declared]
    extra: list[Role] = []
    for kind in TYPES.values() if given.purge else ():
        # a role of the other type may have the same name, and must go
        alike = [resource for resource in resources if resource.kind == kind.kind]
        places = given.places(resources, "database")
        for place, name in given.undeclared(alike, places, partial(_existing, mounted, folder=kind.folder)):
            extra.append(kind(mounted, known, {"mount": place, "name": name, "state": "absent"}))
    return resources + extra


def _existing(mounted: EngineMounts, place: str, folder: str) -> Iterable[str]:
    return mounted.client.list("%s/%s" % (place, folder)) if mounted.require(place, "database") else ()
