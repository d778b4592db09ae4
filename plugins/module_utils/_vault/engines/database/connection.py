# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Connections of database mounts: the address of a database, and the engine's user there.

Source: /api-docs/secret/databases, and the page of each database there.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ...._engine import normalise
from ...._engine.addresses import masked_address
from ...._engine.errors import InvalidInput, SecretopsError
from ...._engine.field import Field, normalisers, sent_names, write_only_names
from ...._engine.resource import Change, check_new
from ...._engine.secret_names import FIELDS as SECRETS
from ...._engine.secret_names import SECRET_NAME
from ...base import purge, secret_fields
from ...base.declaring import Omitted, View, declare, placed
from ...base.kind import MOUNTS, PURGE_DATA, Kind, RunContext
from ...base.listing import Found, Listing, plugins
from ...base.mounts import EngineMounts
from ...base.secret_fields import misplaced
from ...connection.client import Client
from .in_mount import RENAMED, InDatabaseMount, declared
from .secrets import scrubbed, secrets_of, url_passwords
from .statements import connection_address, statements, template

#: our mark in a connection's details that its root credential was rotated; plugins keep unknown details
RECORD = "vault_eso_root_rotated"
#: fields of the connection itself; all others are details of its plugin
OUTSIDE = ("plugin_name", "plugin_version", "allowed_roles", "root_rotation_statements", "password_policy")
#: details of several plugins, to suggest a correction of a misspelt one
DETAILS = (
    *("max_open_connections", "max_idle_connections", "max_connection_lifetime", "username_template"),
    *("disable_escaping", "password_authentication", "tls_ca", "tls_certificate", "tls_server_name", "tls"),
    *("insecure_tls", "hosts", "host", "port", "connect_timeout", "protocol_version", "keyspace", "consistency"),
)
#: details that hold JSON as text
DOCUMENTS = ("pem_json", "service_account_json", "write_concern")
FIELDS = (
    Field(
        "mount",
        (
            "Path of the database engine, by default V(database).",
            "Next to O(connections), the mount of entries without one of their own.",
        ),
        sent=False,
    ),
    Field("name", "Name of the connection.", sent=False),
    Field(
        "plugin_name",
        (
            "Plugin for the database, such as V(postgresql-database-plugin) or V(mysql-database-plugin). "
            "Needed for a new connection."
        ),
    ),
    Field("plugin_version", "Version of an external plugin."),
    Field(
        "connection_url",
        (
            "Address of the database, with C({username}) and C({password}) in the places of the credential.",
            (
                "They become the server's own C({{username}}) and C({{password}}), which Jinja would take "
                "for variables; under C(!unsafe) these can be written as well."
            ),
            (
                "An address that holds a password is refused, because it would be shown. One that somebody gave the "
                "server by hand is shown without it."
            ),
        ),
        normaliser=connection_address,
    ),
    Field(
        "root_username",
        ("The server's user in the database, C(username) in the API. O(username) is that of the module's own login."),
    ),
    Field(
        "root_password",
        (
            "Password of O(root_username), C(password) in the API.",
            "It is written when the connection is created or O(root_username) changes, otherwise by O(update_secrets).",
        ),
        secret=True,
        write_only=True,
    ),
    Field(
        "allowed_roles",
        "Names of the roles that may use the connection, with V(*) as wildcard. The order does not matter.",
        type="list",
        elements="str",
    ),
    Field(
        "root_rotation_statements",
        "Statements that rotate the root credential, a list or one text; by default the plugin's own.",
        type="raw",
        normaliser=statements,
    ),
    Field(
        "password_policy",
        "Name of the password policy for the passwords that the server makes; empty for its default.",
    ),
    Field(
        "verify_connection",
        (
            "Whether the server tests the connection when it is written, which is its default. It does not store this, "
            "so it is not compared."
        ),
        type="bool",
        sent=False,
    ),
    Field("max_open_connections", "How many connections to the database may be open at a time.", type="int"),
    Field("max_idle_connections", "How many of them may be idle; a negative number for none.", type="int"),
    Field(
        "max_connection_lifetime",
        "How long a connection may be used, a duration; V(0s) for no limit.",
        normaliser=normalise.duration,
    ),
    Field(
        "username_template",
        "Template of the names of the users that dynamic roles create. Protect it from Jinja by C(!unsafe).",
        normaliser=normalise.text,
    ),
    Field(
        "rotate_root",
        (
            (
                "With V(once) the server gives its root credential a new password that nobody else knows, after the "
                "connection is created, and never again."
            ),
            (
                "The time of the rotation is stored in the connection's details as C(vault_eso_root_rotated), where "
                "every later run finds it. A run that is interrupted in between rotates once more."
            ),
            "As long as it is there, O(root_password) is not written, whatever O(update_secrets) is.",
            (
                "After the password was reset in the database by hand, run once with V(never), "
                "O(update_secrets=always) and the new password; that removes it."
            ),
        ),
        choices=("never", "once"),
        default="never",
        sent=False,
    ),
    Field(
        "options",
        (
            "All other details of the plugin, such as C(tls_ca), C(hosts) or C(disable_escaping).",
            "Secrets are refused here, see O(secret_options).",
        ),
        type="dict",
        sent=False,
    ),
    Field(
        "secret_options",
        (
            "Secret details, such as C(private_key) or C(pem_bundle). They follow O(update_secrets) when the server "
            "does not return them."
        ),
        type="dict",
        secret=True,
        sent=False,
    ),
)
NAMES = sent_names(FIELDS)
#: what servers tell in the place of a password in an address
REDACTED = ":xxxxx@"


class Catalog:
    """The server's database plugins, read once."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._names: frozenset[str] | None = None

    def require(self, name: str) -> None:
        """Refuse a plugin that the server does not have, as far as the token may list them. Raises InvalidInput."""
        if self._names is None:
            # where they cannot be listed, the server's own refusal follows
            self._names = plugins(self.client, lambda client: client.list("sys/plugins/catalog/database"))
        if self._names and name not in self._names:
            raise InvalidInput(
                'this server has no database plugin "%s"' % name,
                remedy="register it as an external plugin, or use one of: %s" % ", ".join(sorted(self._names)),
            )


class Connection(InDatabaseMount):
    """One connection to a database."""

    kind = "database connection"
    # nobody else knows a rotated root credential
    holds_data = True
    rank = 10
    folder = "config"
    fields = {
        **normalisers(FIELDS),
        "root_rotated": normalise.boolean,
        **dict.fromkeys(DOCUMENTS, normalise.document_form),
    }
    write_only_fields = write_only_names(FIELDS)

    def __init__(self, mounts: EngineMounts, catalog: Catalog, item: Mapping[str, Any]) -> None:
        self.catalog = catalog
        secret = {str(name): value for name, value in (item.get("secret_options") or {}).items()}
        desired: dict[str, Any] | None = None
        if item["state"] == "present":
            desired = {
                name: normalise.document(value) if name in DOCUMENTS else value
                for name, value in {**declared(item, NAMES), **secret}.items()
            }
            if desired.get("connection_url") is not None:
                desired["connection_url"] = template(desired["connection_url"])
            if desired.get("root_rotation_statements") is not None:
                desired["root_rotation_statements"] = statements(desired["root_rotation_statements"])
            if item.get("rotate_root") == "once":
                desired["root_rotated"] = True
        self.secret_fields = frozenset(secret)
        super().__init__(mounts, item, desired)

    def check(self) -> None:
        super().check()
        if self.desired is None:
            return
        options = self.item.get("options") or {}
        for name, other in RENAMED.items():
            if other in options or other in (self.item.get("secret_options") or {}):
                raise InvalidInput('"%s" has an option of its own' % other, remedy='give it as "%s"' % name)
        misplaced(options, "options", "secret_options")
        misplaced({name: "" for name in options if name in SECRETS}, "options", "secret_options")
        self.check_twice(NAMES, "options", "secret_options")
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

    def preflight(self) -> None:
        if self.desired is None:
            return
        if self.desired.get("plugin_name"):
            self.catalog.require(self.desired["plugin_name"])
        check_new(self._check_new, lambda: self.current() is not None)

    def read(self) -> Mapping[str, Any] | None:
        answer = self.current()
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
        # secrets that the server does not return
        self.write_only_fields |= self.secret_fields - set(current)
        return current

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = dict(self.desired or {})
        if current is not None and current["root_rotated"] and "root_rotated" in desired:
            wanted = desired.get("root_username")
            if wanted is None or normalise.scalar(current.get("root_username")) == wanted:
                # the declared password is outdated: it would lock the engine out
                desired.pop("root_password", None)
        return desired

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
            # the password is sent with its user; a rotated one belongs to the old user
            names |= {"root_password", "root_rotated"} & set(desired)
        return sorted(names)

    def hidden(self) -> set[str]:
        # also secrets that were written by hand and are not declared
        return super().hidden() | {*SECRETS, "root_password"}

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
        desired = change.desired
        names = set(change.fields) - {"root_rotated"}
        body = {RENAMED.get(name, name): desired[name] for name in names if name in desired}
        if change.current is not None and body.get("password") is not None and change.current.get("root_rotated"):
            body[RECORD] = ""
        if body:
            if self.item.get("verify_connection") is not None:
                body["verify_connection"] = self.item["verify_connection"]
            self.client.write(self.path, self._sent(body))
            change.touched = True
        if "root_rotated" in change.fields:
            self._rotate(change)

    @staticmethod
    def _sent(body: Mapping[str, Any]) -> dict[str, Any]:
        # plugins expect a lifetime as text
        return {
            name: "%ss" % normalise.seconds(value) if name == "max_connection_lifetime" else value
            for name, value in body.items()
        }

    def _rotate(self, change: Change) -> None:
        """Let the server rotate its root credential, then mark it as rotated.

        A run that is interrupted between the two rotates once more, which is harmless.
        """
        self.client.write("%s/rotate-root/%s" % (self.mount, self.own), idempotent=False)
        change.touched = True
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat()
        # the connection was just tested
        self.client.write(self.path, {RECORD: now, "verify_connection": False})
        kept = (self.client.read(self.path) or {}).get("connection_details") or {}
        if kept.get(RECORD) == now:
            self.info["root_rotated"] = now
        else:
            self.warnings.append(
                'the root credential is rotated, but this plugin keeps no note of it: set "rotate_root: never" now, '
                "or the next run rotates it again"
            )


class DatabaseConnections(Kind):
    """Connections of database mounts."""

    about = "Database connections"
    tag = "database"
    module = "vault_database_connection"
    plural = "connections"
    fields = FIELDS
    options = {**PURGE_DATA, **MOUNTS}
    within = ("secrets_engines", "database")
    update_secrets = True
    listings = (Listing("{mount}/config", engine="database"),)

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        yield from secret_fields.secret_values([item.get("options") for item in declared])
        yield from secrets_of(declared)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        told = one.told or {}
        details = dict(told.get("connection_details") or {})
        rotated = details.pop(RECORD, None)
        renamed: dict[str, str] = {other: name for name, other in RENAMED.items()}
        details = {renamed.get(name) or name: value for name, value in details.items() if value not in (None, "")}
        answered = {
            **{name: told.get(name) for name in OUTSIDE},
            "root_rotation_statements": told.get("root_credentials_rotate_statements"),
            **details,
        }
        address = str(details.get("connection_url") or "")
        if url_passwords(address) or REDACTED in address:
            raise Omitted(
                "its connection_url holds a password, which is told to nobody; write {{password}} in its place, and "
                "the password as root_password (module vault_database_connection)"
            )
        item = {**placed(FIELDS, one), **declare(FIELDS, answered, {})}
        if details.get("root_username"):
            item["root_password"] = view.fill(one, "root_password")
        item.update({"rotate_root": "once"} if rotated else {})
        secret = {name for name in details if name in SECRETS or SECRET_NAME.search(name)} - {"root_password"}
        options = {name: details[name] for name in sorted(details) if name not in (*NAMES, *secret)}
        item.update({"options": options} if options else {})
        hidden = {name: view.fill(one, name) for name in sorted(secret)}
        return {**item, **({"secret_options": hidden} if hidden else {})}

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts, catalog = EngineMounts(client), Catalog(client)
        loss = "%s, with root credentials that nobody else may know"
        return purge.all_inside(context, mounts, items, Connection, partial(Connection, mounts, catalog), loss)
