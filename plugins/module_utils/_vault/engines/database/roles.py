# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Dynamic and static roles of database mounts. Source: /api-docs/secret/databases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ...._engine import normalise, wording
from ...._engine.errors import InvalidInput
from ...._engine.field import normalisers, sent_names
from ...._engine.resource import Change
from ...._engine.secret_patterns import apparent_secrets
from ...base import purge
from ...base.declaring import View, further
from ...base.inside_mount import with_mount
from ...base.kind import MOUNTS, PURGE, Kind, RunContext
from ...base.listing import Found, Listing
from ...base.mounts import EngineMounts
from ...connection.client import Client
from ...connection.errors import BadRequest, PermissionDenied
from .allowed import Connections
from .in_mount import RENAMED
from .role import DYNAMIC, FIELDS, SHARED, STATIC, Role


class DynamicRole(Role):
    """A role that creates a database user per request, and removes it when the lease ends."""

    kind = "dynamic database role"
    folder = "roles"
    declared_fields = (*SHARED, *DYNAMIC)
    fields = normalisers(declared_fields)
    others = sent_names(STATIC)

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

    def body(self, desired: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
        body = super().body(desired, current)
        for name in ("default_ttl", "max_ttl"):
            if name in body:
                body[name] = "%ss" % normalise.seconds(body[name])
        return body


class StaticRole(Role):
    """A role for one existing database user, whose password the server rotates."""

    kind = "static database role"
    folder = "static-roles"
    declared_fields = (*SHARED, *STATIC)
    fields = normalisers(declared_fields)
    others = sent_names(DYNAMIC)

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
        # Source: the server's minimum period and window
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
        return current

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = self.desired or {}
        if current is not None and desired["db_username"] != current["db_username"]:
            raise InvalidInput(
                'it is for the user "%s", and cannot be given to "%s"'
                % (current["db_username"], desired["db_username"]),
                remedy="declare another role, or remove this one first",
            )
        return desired

    def body(self, desired: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
        body = super().body(desired, current)
        if "rotation_schedule" in desired:
            body.pop("rotation_period", None)
        elif "rotation_period" in desired:
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
            if change.desired.get("rotation_schedule") and wording.rotation_period_required(error.said):
                raise InvalidInput(
                    "this server knows no rotation_schedule", remedy='give a "rotation_period" instead'
                ) from None
            raise


TYPES: dict[str, type[Role]] = {"dynamic": DynamicRole, "static": StaticRole}


class DatabaseRoles(Kind):
    """Dynamic and static roles of database mounts."""

    about = "Database roles, dynamic and static"
    tag = "database"
    module = "vault_database_role"
    plural = "roles"
    fields = FIELDS
    options = {**PURGE, **MOUNTS}
    within = ("secrets_engines", "database")
    listings = (
        Listing("{mount}/roles", engine="database", type="dynamic"),
        Listing("{mount}/static-roles", engine="database", type="static"),
    )

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        # the API takes a CA's private key among options that are not secret
        return apparent_secrets([item.get("credential_config") for item in declared])

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        told = dict(one.told or {})
        if one.listing.type == "static":
            told["db_username"] = told.get("username")
        item = super().declaration(one.told_as(told), view) or {}
        known = {*sent_names(FIELDS), *RENAMED, *RENAMED.values()}
        options = further(told, known, view.usual_of(one))
        return {**item, **({"options": options} if options else {})}

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts, known = EngineMounts(client), Connections(client, context)
        declared = [
            TYPES[item.get("type") or "dynamic"](mounts, known, item)
            for item in with_mount(items, context.params.get("mount"), "database")
        ]
        extra: list[Role] = []
        # a role of the other type may have the same name, and is deleted
        for kind in TYPES.values() if context.purge else ():
            extra += purge.inside_mounts(context, mounts, declared, kind, partial(kind, mounts, known))
        return [*declared, *extra]
