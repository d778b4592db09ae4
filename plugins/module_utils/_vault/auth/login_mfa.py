# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Login MFA: the methods, and the logins that ask for them.

People name methods, auth methods, groups and entities; the server wants their ids and accessors. One LIST tells all
methods with their fields, another all enforcements. Source: /api-docs/secret/identity/mfa and what both products do.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from ..._engine import normalise, wording
from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.reconcile import Change, Resource, check_completed, check_new
from ..base import legal
from ..base.naming import check_plain
from ..base.normalisers import default, lower_set
from ..connection.answers import data_of
from ..connection.errors import VaultError
from ..system.policy import fill_accessors
from .identity.common import segment
from .identity.directory import Directory, Names, mount_path

#: the fields of each type, by their names in the module
FIELDS: dict[str, tuple[str, ...]] = {
    "totp": ("issuer", "period", "algorithm", "digits", "skew", "key_size", "qr_size", "max_validation_attempts"),
    "duo": ("api_hostname", "username_format", "push_info", "use_passcode", "secret_key", "integration_key"),
    "okta": ("org_name", "base_url", "username_format", "primary_email", "api_token"),
    "pingid": ("username_format", "settings_file_base64"),
}
#: without these the server takes no write at all, not even an update
NEEDED: dict[str, tuple[str, ...]] = {
    "totp": ("issuer",),
    "duo": ("api_hostname", "secret_key", "integration_key"),
    "okta": ("org_name", "api_token"),
    "pingid": ("settings_file_base64",),
}
#: parts of an address
LEGAL: dict[str, legal.Check] = {
    "org_name": legal.matching(r"\S+", "example"),
    "base_url": legal.matching(r"\S+", "okta.com"),
}
#: never returned by the server
UNREADABLE: dict[str, frozenset[str]] = {
    "totp": frozenset(),
    "duo": frozenset(("secret_key", "integration_key")),
    "okta": frozenset(("api_token", "primary_email")),
    "pingid": frozenset(("settings_file_base64", "username_format")),
}
#: what a PingID settings file says, as far as the server tells it again
PINGID = ("idp_url", "org_alias", "admin_url", "authenticator_url", "use_signature")
#: names that are others in the server's answers
ANSWERED = {"pushinfo": "push_info"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def settings(text: str) -> dict[str, Any]:
    """Return what a PingID settings file in base64 says. Raises InvalidInput, which never holds a part of it."""
    try:
        lines = base64.b64decode("".join(text.split()), validate=True).decode("utf-8").splitlines()
    except (binascii.Error, ValueError):
        lines = []
    pairs = dict(line.strip().split("=", 1) for line in lines if "=" in line and not line.strip().startswith("#"))
    if "use_base64_key" not in pairs:
        raise InvalidInput(
            '"settings_file_base64" is no settings file of PingID in base64',
            remedy="download the file from PingID's administration and give it through base64",
        )
    return {name: pairs[name].strip() for name in PINGID if name in pairs}


class Methods:
    """All methods that the namespace sees, its parents' among them, read once (``LIST identity/mfa/method``)."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.client = directory.client
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Any]] | None = None
        self._enforcements: dict[str, dict[str, Any]] | None = None

    def _list(self, path: str) -> dict[str, dict[str, Any]]:
        answer = self.client.request("LIST", path, missing_ok=True)
        return dict((data_of(answer) if answer else {}).get("key_info") or {})

    def all(self) -> dict[str, dict[str, Any]]:
        """Return the methods by id. Raises PermissionDenied."""
        with self._lock:
            if self._known is None:
                self._known = self._list("identity/mfa/method")
            return self._known

    def enforcements(self) -> dict[str, dict[str, Any]]:
        """Return the login enforcements of the namespace by name. Raises PermissionDenied."""
        with self._lock:
            if self._enforcements is None:
                self._enforcements = self._list("identity/mfa/login-enforcement")
            return self._enforcements

    def own(self) -> dict[str, dict[str, Any]]:
        """Return the methods of this very namespace by id."""
        here = normalise.path(self.client.namespace)
        return {key: one for key, one in self.all().items() if normalise.path(one.get("namespace_path")) == here}

    def find(self, name: str, own: bool = False) -> dict[str, Any] | None:
        """Return the method of a name or an id, the namespace's own before one of its parents'."""
        for group in (self.own(),) if own else (self.own(), self.all()):
            if name in group:
                return group[name]
            for one in group.values():
                if one.get("name") == name:
                    return one
        return None

    def name(self, key: str) -> str:
        """Return the name for an id, the id itself where there is no name."""
        return str(self.all().get(key, {}).get("name") or key)

    def users(self, key: str) -> list[str]:
        """Return the names of the enforcements that ask for a method."""
        return sorted(name for name, one in self.enforcements().items() if key in (one.get("mfa_method_ids") or []))


class Method(Resource):
    """One method. The server resets what an update does not say, so an update says everything."""

    kind = "login MFA method"
    # with a method go the keys that people have enrolled
    holds_data = True
    rank = 10
    secret_fields = frozenset(("secret_key", "integration_key", "api_token", "settings_file_base64"))
    fields = {
        "type": normalise.scalar,
        "issuer": normalise.scalar,
        "period": normalise.duration,
        "algorithm": default("SHA1"),
        **dict.fromkeys(("digits", "skew", "key_size", "qr_size", "max_validation_attempts"), normalise.integer),
        **dict.fromkeys(("api_hostname", "username_format", "push_info", "org_name", "base_url"), normalise.scalar),
        **dict.fromkeys(("use_passcode", "use_signature"), normalise.boolean),
    }

    def __init__(self, methods: Methods, item: Mapping[str, Any]) -> None:
        self.methods = methods
        self.client = methods.client
        self.item = item
        self.type = str(item.get("type") or "")
        desired: dict[str, Any] | None = None
        if item["state"] != "absent":
            desired = {name: item.get(name) for name in FIELDS.get(self.type, ())}
        self.write_only_fields = UNREADABLE.get(self.type, frozenset())
        super().__init__(str(item["name"]).strip(), desired)

    def check(self) -> None:
        if not self.name:
            raise InvalidInput("the name is empty", remedy="give one")
        if self.desired is None:
            return
        if not self.type:
            raise InvalidInput('"type" is missing', remedy="use one of %s" % ", ".join(FIELDS))
        for name in sorted({name for names in FIELDS.values() for name in names} - set(FIELDS[self.type])):
            if self.item.get(name) is not None:
                raise InvalidInput('a method of type %s has no "%s"' % (self.type, name), remedy="remove it")
        legal.check_all(self.desired, LEGAL)
        for name in ("key_size", "max_validation_attempts"):
            if name in self.desired and self.desired[name] < 1:
                raise InvalidInput('"%s" is below 1' % name, remedy="give a larger number, or leave it out")
        if "period" in self.desired and (normalise.seconds(self.desired["period"]) or 0) < 1:
            raise InvalidInput('"period" is below a second', remedy="use 30s, as most programs expect")
        if self.desired.get("settings_file_base64"):
            # so that a change of the file is seen, although the server keeps the file itself
            self.desired.update(settings(self.desired["settings_file_base64"]))
        check_new(
            lambda: self._check_complete(self.desired or {}, "a new method"),
            lambda: self.methods.find(self.name, own=True) is not None,
        )
        if self.desired.get("username_format"):
            self.desired["username_format"] = fill_accessors(self.desired["username_format"], self._accessor)

    def _accessor(self, mount: str) -> str:
        directory = self.methods.directory
        if directory.accessor(mount) is None:
            directory.missing(
                self,
                'username_format: no auth method is mounted at "%s"' % mount,
                "mount it first, or correct it",
                "auth_methods",
                mount,
            )
        return directory.accessor(mount) or "(accessor of %s)" % mount

    def read(self) -> Mapping[str, Any] | None:
        found = self.methods.find(self.name, own=True)
        if found is None:
            return None
        self.info["method_id"] = found["id"]
        if self.desired is None:
            self._warn_of_users(found["id"])
        elif found.get("type") != self.type:
            # the server would turn it into the other type without a word
            raise InvalidInput(
                "a method of that name has the type %s, and %s is declared" % (found.get("type"), self.type),
                remedy='use another name, or remove that one first with "state: absent"',
            )
        current = {ANSWERED.get(name, name): value for name, value in found.items()}
        known = {"type", *FIELDS.get(str(found.get("type")), ()), *PINGID}
        return {name: value for name, value in current.items() if name in known}

    def _warn_of_users(self, key: str) -> None:
        users = self.methods.users(key)
        if users:
            self.warnings.append(
                "the server keeps it as long as a login enforcement asks for it: %s"
                % ", ".join('"%s"' % name for name in users)
            )

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        names = set(super().compare(current, desired))
        if names:
            self._check_complete({**current, **desired}, "changing %s" % ", ".join(sorted(names)))
        if names & set(PINGID):
            names = (names - set(PINGID)) | {"settings_file_base64"}
        return sorted(names)

    def _check_complete(self, fields: Mapping[str, Any], what: str) -> None:
        for name in NEEDED[self.type]:
            if not fields.get(name):
                raise InvalidInput(
                    '%s needs "%s", which the server wants with every write' % (what, name), remedy="give it"
                )

    def write(self, change: Change) -> None:
        fields = {**(change.current or {}), **(self.desired or {})}
        body = {name: fields[name] for name in FIELDS[self.type] if fields.get(name) is not None}
        if "period" in body:
            body["period"] = normalise.seconds(body["period"])
        body["method_name"] = (
            self.name if change.current is None else self.methods.all()[self.info["method_id"]]["name"]
        )
        path = "identity/mfa/method/%s" % self.type
        if change.current is not None:
            path += "/%s" % self.info["method_id"]
        # a second attempt at a creation would find the first one's method and change it
        answer = data_of(self.client.write(path, body))
        self.info.setdefault("method_id", answer.get("method_id"))

    def delete(self, change: Change) -> None:
        current = change.current or {}
        try:
            self.client.delete("identity/mfa/method/%s/%s" % (current["type"], self.info["method_id"]))
        except VaultError as error:
            if not wording.method_in_use(error.said):
                raise
            users = self.methods.users(self.info["method_id"])
            raise InvalidInput(
                "a login enforcement asks for it%s" % (": %s" % ", ".join(users) if users else ""),
                remedy="remove or change that first (module vault_login_mfa_enforcement)",
            ) from error


class Enforcement(Resource):
    """Which logins ask for which methods; any one condition is enough. What has a name is shown by it."""

    kind = "login MFA enforcement"
    rank = 30
    fields = {
        "mfa_methods": normalise.string_set,
        "auth_methods": normalise.string_set,
        "auth_method_types": normalise.string_set,
        "identity_groups": lower_set,
        "identity_entities": lower_set,
    }
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
            types |= {str(item.get("type")) for item in self.directory.given.beside("auth_methods")}
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
        """Return the name for an id or accessor, in the words of the declaration where it gives the id itself."""
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
                "it says of no login that it is to ask for the methods",
                remedy='give "auth_methods", "auth_method_types", "identity_groups" or "identity_entities"',
            )

    def _warn_of_own_login(self, after: Mapping[str, Any]) -> None:
        """Automation has no second factor: say so when its own way in is about to ask for one."""
        try:
            own = self.directory.mounts.own()
            kind = str((self.directory.mounts.get(own) or {}).get("type") or "") if own else ""
        except SecretopsError:
            return
        if own and (own in (after.get("auth_methods") or ()) or kind in (after.get("auth_method_types") or ())):
            self.warnings.append(
                'it covers "%s", by which this very login came: the next one there asks for a second factor' % own
            )

    def write(self, change: Change) -> None:
        desired = self.desired or {}
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


def surplus(
    methods: Methods, declared: Iterable[str], protected: Iterable[str], purge_data: Iterable[str]
) -> list[Method]:
    """Return what deletes the methods that are not declared. Raises InvalidInput for one that is not named again."""
    keep, named = {*declared, *protected}, set(purge_data)
    found = {key: str(one.get("name") or key) for key, one in methods.own().items()}
    extra = sorted((name, key) for key, name in found.items() if name not in keep and key not in keep)
    unnamed = [name for name, key in extra if name not in named and key not in named]
    if unnamed:
        raise InvalidInput(
            "purging %s would lose what people have enrolled in it" % ", ".join('"%s"' % name for name in unnamed),
            'option "purge"',
            'name it in "purge_data" to delete it, or in "protected" to keep it',
        )
    return [Method(methods, {"name": name, "state": "absent"}) for name, _key in extra]


def surplus_enforcements(methods: Methods, declared: Iterable[str], protected: Iterable[str]) -> list[Enforcement]:
    """Return what deletes the enforcements that are not declared."""
    extra = sorted(set(methods.enforcements()) - set(declared) - set(protected))
    return [Enforcement(methods, {"name": name, "state": "absent"}) for name in extra]
