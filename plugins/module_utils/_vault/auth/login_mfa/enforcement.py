# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Login MFA enforcements. Source: /api-docs/secret/identity/mfa/login-enforcement.

Declarations name methods, auth methods, groups and entities; the server uses their IDs and accessors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ...._engine.errors import InvalidInput, SecretopsError
from ...._engine.field import Field, normalisers
from ...._engine.resource import Change, Resource, check_completed
from ...base import purge
from ...base.declaring import View, placed
from ...base.kind import PURGE, Kind, RunContext
from ...base.listing import Found, Listing
from ...base.naming import check_plain
from ...base.normalisers import lower_set
from ...connection.client import Client
from ..identity.common import UUID, segment
from ..identity.directory import Directory, Names, exported_directory, mount_path
from .known import Methods

FIELDS = (
    Field(
        "name",
        "Name of the enforcement.",
        sent=False,
    ),
    Field(
        "mfa_methods",
        "Names of the methods, all of them; also of those of a parent namespace. Needed for a new enforcement.",
        type="list",
        elements="str",
    ),
    Field(
        "auth_methods",
        "Paths of the auth methods whose logins need the second factor, all of them.",
        type="list",
        elements="str",
    ),
    Field(
        "auth_method_types",
        "Types of auth methods whose logins need the second factor, all of them. One of each type must be mounted.",
        type="list",
        elements="str",
    ),
    Field(
        "identity_groups",
        ("Names of the identity groups whose members need it, all of them; an ID for a group of a child namespace."),
        type="list",
        elements="str",
        normaliser=lower_set,
    ),
    Field(
        "identity_entities",
        "Names of the identity entities that need it, all of them; an ID for an entity of a child namespace.",
        type="list",
        elements="str",
        normaliser=lower_set,
    ),
)


class Enforcement(Resource):
    """The methods that logins need; any one condition is enough. Objects are shown by name where they have one."""

    kind = "login MFA enforcement"
    rank = 30
    fields = normalisers(FIELDS)
    #: the fields by their names in the API
    api = {
        "mfa_methods": "mfa_method_ids",
        "auth_methods": "auth_method_accessors",
        "auth_method_types": "auth_method_types",
        "identity_groups": "identity_group_ids",
        "identity_entities": "identity_entity_ids",
    }

    def __init__(self, methods: Methods, item: Mapping[str, Any]) -> None:
        self.methods = methods
        self.directory = methods.directory
        self.client = methods.client
        desired: dict[str, Any] | None = None
        if item["state"] != "absent":
            desired = {name: item.get(name) for name in self.fields}
            if desired["auth_methods"] is not None:
                desired["auth_methods"] = [mount_path(path) for path in desired["auth_methods"]]
        self._current: Mapping[str, Any] = {}
        super().__init__(str(item["name"]).strip(), desired)

    @property
    def _path(self) -> str:
        return "identity/mfa/login-enforcement/%s" % segment(self.name)

    def check(self) -> None:
        check_plain(self.name)

    def preflight(self) -> None:
        desired = self.desired or {}
        for name in desired.get("mfa_methods") or ():
            if self.methods.find(name) is None:
                self.directory.missing(
                    self,
                    'there is no login MFA method "%s"' % name,
                    "declare it first (module vault_login_mfa)",
                    "login_mfa_methods",
                    name,
                )
        for path in desired.get("auth_methods") or ():
            if self.directory.accessor(path) is None:
                self.directory.missing(
                    self,
                    'no auth method is mounted at "%s"' % path,
                    'mount it first, or correct "auth_methods"',
                    "auth_methods",
                    path,
                )
        if desired.get("auth_method_types"):
            types = {str(entry.get("type")) for entry in self.directory.mounts.all().values()}
            types |= {str(item.get("type")) for item in self.directory.context.planned("auth_methods")}
            for name in sorted(set(desired["auth_method_types"]) - types):
                self.directory.missing(
                    self,
                    "no auth method of type %s is mounted" % name,
                    'mount one first, or correct "auth_method_types"',
                    "auth_methods",
                    "",
                )
        for names, option in (
            (self.directory.groups, "identity_groups"),
            (self.directory.entities, "identity_entities"),
        ):
            for name in desired.get(option) or ():
                if not UUID.fullmatch(name) and names.id(name) is None:
                    self.directory.missing(
                        self,
                        'there is no identity %s "%s"' % (names.what, name),
                        'create it first, or correct "%s"' % option,
                        option,
                        name,
                    )
        if self.desired is not None:
            check_completed(self._check_complete, self.desired, self._read)

    def _read(self) -> dict[str, Any] | None:
        found = self.methods.enforcements().get(self.name)
        if found is None:
            return None
        self.info["id"] = found.get("id")
        self._current = found
        return self.shown(found)

    def shown(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of an answer, with names for what is declared, or when nothing is."""
        current: dict[str, Any] = {}
        for name, other in self.api.items():
            values = [str(value) for value in found.get(other) or []]
            declared = self.desired is None or name in self.desired
            current[name] = sorted(self._shown(name, value) for value in values) if declared else sorted(values)
        return current

    def read(self) -> Mapping[str, Any] | None:
        current = self._read()
        if self.desired is not None:
            after = {**(current or {}), **self.desired}
            self._check_complete(after)
            self._warn_of_own_login(after)
        return current

    def _shown(self, field: str, value: str) -> str:
        """Return the name for an ID or accessor, or the ID where the declaration uses the ID itself."""
        if value in ((self.desired or {}).get(field) or ()) or field == "auth_method_types":
            return value
        if field == "mfa_methods":
            return self.methods.name(value)
        if field == "auth_methods":
            return self.directory.mount({"mount_accessor": value})
        return self._names(field).name(value)

    def _names(self, field: str) -> Names:
        return self.directory.groups if field == "identity_groups" else self.directory.entities

    def _check_complete(self, after: Mapping[str, Any]) -> None:
        if not after.get("mfa_methods"):
            raise InvalidInput("no method is given", remedy='name at least one in "mfa_methods"')
        if not any(after.get(name) for name in self.fields if name != "mfa_methods"):
            raise InvalidInput(
                "it applies to no login",
                remedy='give "auth_methods", "auth_method_types", "identity_groups" or "identity_entities"',
            )

    def _warn_of_own_login(self, after: Mapping[str, Any]) -> None:
        """Warn when the module's own login will need a second factor: automation has none."""
        try:
            own = self.directory.mounts.own()
            kind = str((self.directory.mounts.get(own) or {}).get("type") or "") if own else ""
        except SecretopsError:
            return
        if own and (own in (after.get("auth_methods") or ()) or kind in (after.get("auth_method_types") or ())):
            self.warnings.append(
                'it covers "%s", the auth method of this login: the next login there needs a second factor' % own
            )

    def write(self, change: Change) -> None:
        desired = change.desired
        body: dict[str, Any] = {}
        for name, other in self.api.items():
            # a write replaces the whole enforcement
            body[other] = self._ids(name, desired[name]) if name in desired else self._current.get(other) or []
        self.client.write(self._path, body)

    def _ids(self, field: str, values: Iterable[str]) -> list[str]:
        if field == "auth_method_types":
            return sorted(set(values))
        if field == "mfa_methods":
            found = [self.methods.find(value) for value in values]
            return sorted({str(one["id"]) for one in found if one})
        if field == "auth_methods":
            return sorted({str(self.directory.accessor(value)) for value in values})
        return sorted({value if UUID.fullmatch(value) else str(self._names(field).id(value)) for value in values})

    def delete(self, change: Change) -> None:
        self.client.delete(self._path)


class LoginMfaEnforcements(Kind):
    """Login MFA enforcements."""

    about = "Which logins ask for login MFA"
    tag = "auth"
    module = "vault_login_mfa_enforcement"
    plural = "enforcements"
    fields = FIELDS
    options = PURGE
    listings = (Listing("identity/mfa/login-enforcement"),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        directory = exported_directory(view)
        methods: Methods = view.once("mfa methods", lambda: Methods(directory))
        item = {"name": one.name, "state": "absent"}
        # what is to be absent is read as people would declare it
        return {
            **placed(FIELDS, one),
            **{k: v for k, v in Enforcement(methods, item).shown(one.told or {}).items() if v},
        }

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        methods = Methods(Directory(client, context))
        make = partial(Enforcement, methods)
        declared = [make(item) for item in items]
        if not context.purge:
            return declared
        return [*declared, *purge.undeclared(context, declared, methods.enforcements(), make)]
