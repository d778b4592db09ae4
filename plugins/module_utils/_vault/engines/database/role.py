# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The base of dynamic and static roles of database mounts, and the fields of both.

Source: /api-docs/secret/databases (create role, create static role).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, sent_names
from ...._engine.resource import Change
from ...base.mounts import EngineMounts
from ...base.normalisers import default
from ...base.schema import Place, check_kept
from ...base.secret_fields import misplaced
from ...connection.errors import BadRequest
from .allowed import Connections
from .in_mount import InDatabaseMount, declared
from .statements import statements

#: settings of each credential type. Source: /api-docs/secret/databases (credential_config)
CREDENTIALS = {
    "password": frozenset(("password_policy",)),
    "rsa_private_key": frozenset(("key_bits", "format")),
    "client_certificate": frozenset(
        ("common_name_template", "ca_cert", "ca_private_key", "key_type", "key_bits", "signature_bits")
    ),
}
ALL_CREDENTIALS = frozenset().union(*CREDENTIALS.values())
STATEMENTS = partial(Field, type="raw", normaliser=statements)
DURATION = partial(Field, normaliser=normalise.duration)
#: of both types
SHARED = (
    Field("db_name", "Name of the connection, see P(secretops.vault_eso.vault_database_connection#module)."),
    Field(
        "credential_type",
        "Type of the credentials.",
        choices=("password", "rsa_private_key", "client_certificate"),
        normaliser=default("password"),
    ),
    Field(
        "credential_config",
        (
            (
                "Settings of the O(credential_type), such as C(password_policy) or C(key_bits). What is not named is "
                "not compared."
            ),
            "A private key among them, as C(ca_private_key), is not printed.",
        ),
        type="dict",
    ),
)
DYNAMIC = (
    STATEMENTS(
        "creation_statements",
        (
            (
                "For a dynamic role, the statements that create a user, a list or one text, with C({name}), "
                "C({password}) and C({expiration}) in their places."
            ),
            (
                "These become the server's own C({{name}}) and so on, which Jinja would take for variables; "
                "under C(!unsafe) these can be written as well."
            ),
        ),
    ),
    STATEMENTS(
        "revocation_statements",
        "For a dynamic role, the statements that remove a user; by default the plugin's own.",
    ),
    STATEMENTS("rollback_statements", "For a dynamic role, the statements that run after a failed creation."),
    STATEMENTS("renew_statements", "For a dynamic role, the statements that extend the validity of a user."),
    DURATION("default_ttl", "For a dynamic role, the TTL of a lease, a duration; V(0) is the engine's default."),
    DURATION(
        "max_ttl",
        "For a dynamic role, the maximum TTL of a lease including renewals, a duration; V(0) is the engine's default.",
    ),
)
STATIC = (
    Field(
        "db_username",
        "For a static role, the user in the database, C(username) in the API. It cannot be changed.",
    ),
    DURATION(
        "rotation_period",
        (
            "For a static role, after which time the password is rotated, a duration. A static role needs this or a "
            "O(rotation_schedule)."
        ),
    ),
    Field(
        "rotation_schedule",
        "For a static role, when the password is rotated, in the form of cron; HashiCorp Vault only.",
    ),
    DURATION(
        "rotation_window",
        (
            "For a static role with a O(rotation_schedule), how long after each time the rotation may be tried, a "
            "duration."
        ),
    ),
    STATEMENTS(
        "rotation_statements",
        (
            "For a static role, the statements that set the password, with C({name}) and C({password}) in their "
            "places; by default the plugin's own."
        ),
    ),
)
FIELDS = (
    Field(
        "mount",
        (
            "Path of the database engine, by default V(database).",
            "Next to O(roles), the mount of entries without one of their own.",
        ),
        sent=False,
    ),
    Field("name", "Name of the role.", sent=False),
    Field(
        "type",
        "Type of the role. A dynamic and a static one of the same name are two roles.",
        choices=("dynamic", "static"),
        default="dynamic",
        sent=False,
    ),
    *SHARED,
    *DYNAMIC,
    *STATIC,
    Field("options", "All other fields by their names in the API.", type="dict", sent=False),
)


#: options that not every product has
UNSURE = frozenset(("rotation_schedule", "rotation_window"))


class Role(InDatabaseMount):
    """The base of the two types of roles."""

    rank = 20
    #: the fields of the type
    declared_fields: ClassVar[Sequence[Field]]
    #: options of the other type
    others: ClassVar[Sequence[str]]

    def __init__(self, mounts: EngineMounts, connections: Connections, item: Mapping[str, Any]) -> None:
        self.connections = connections
        self.names = sent_names(self.declared_fields)
        desired: dict[str, Any] | None = None
        if item["state"] == "present":
            desired = declared(item, self.names)
            lists = [name for name, function in self.fields.items() if function is statements]
            desired.update({name: statements(desired[name]) for name in lists if desired.get(name) is not None})
        super().__init__(mounts, item, desired)

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

    def preflight(self) -> None:
        if self.desired is None:
            return
        place = Place(self.mount, "database", self.folder, self.own)
        unsure = set(self.item.get("options") or ()) | (UNSURE & set(self.desired))
        warning = self.mounts.fields.check_inside(place, unsure, "a %s" % self.kind)
        if warning:
            self.warnings.append(warning)

    def problem(self) -> tuple[str, str]:
        """Return why the role cannot use its connection, and the remedy."""
        return self.connections.problem(self.mount, str((self.desired or {})["db_name"]), self.own)

    def read(self) -> Mapping[str, Any] | None:
        current = self.current()
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
        names = set(change.desired) if change.current is None else set(change.fields)
        self.client.write(self.path, self.body(change.desired, change.current or {}))
        change.touched = True
        # the engine drops unknown fields silently
        unsure = set(self.item.get("options") or {}) | UNSURE
        check_kept(self.client, self.path, unsure & names, self.kind)
        if "credential_config" in names:
            self._check_config(change.desired)

    def _check_config(self, desired: Mapping[str, Any]) -> None:
        """Fail when the server dropped a part of ``credential_config``. Raises BadRequest."""
        wanted = normalise.string_map(desired.get("credential_config"))
        kept = (self.client.read(self.path) or {}).get("credential_config") or {}
        dropped = sorted(name for name, value in wanted.items() if value and name not in kept)
        if dropped:
            raise BadRequest(
                'the server ignores "%s" of "credential_config"' % dropped[0],
                self.path,
                "correct the name or remove it",
            )

    def body(self, desired: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a write: the declared and the current fields, as the server resets some missing fields."""
        kept = {name: current[name] for name in self.names if current.get(name) is not None}
        old, new = (fields.get("credential_type") or "password" for fields in (kept, {**kept, **desired}))
        if old != new:
            # these belong to the old type
            kept.pop("credential_config", None)
        config = {**(kept.get("credential_config") or {}), **(desired.get("credential_config") or {})}
        return {**kept, **desired, **({"credential_config": config} if config else {})}
