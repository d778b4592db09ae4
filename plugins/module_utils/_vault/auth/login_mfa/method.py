# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Methods of login MFA. Source: /api-docs/secret/identity/mfa and the behaviour of both products."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...._engine import normalise, wording
from ...._engine.errors import InvalidInput
from ...._engine.field import normalisers, secret_names
from ...._engine.resource import Change, Resource, check_new
from ...base import purge, valid
from ...base.declaring import View, declare, placed
from ...base.kind import PURGE_DATA, Kind, RunContext
from ...base.listing import Found, Listing
from ...base.normalisers import default
from ...base.typed_field import TypedField
from ...connection.answers import data_of
from ...connection.client import Client
from ...connection.errors import VaultError
from ...system.policy_text import fill_accessors, name_accessors
from ..identity.directory import Directory, exported_directory
from .known import Methods


@dataclass(frozen=True)
class MfaField(TypedField):
    """A field of some types of methods."""

    #: the types that require it in every write, even an update
    needed: bool = False
    #: the types that never return it
    unreadable_of: Sequence[str] = ()
    #: refuses what the server would refuse
    check: valid.Check | None = None


FIELDS = (
    MfaField(
        "name",
        "Name of the method, in its own case. The id of a method that has no name is taken as well.",
        sent=False,
    ),
    MfaField(
        "type",
        "Type of the method. Cannot be changed later. Needed unless the method is to be absent.",
        choices=("duo", "okta", "pingid", "totp"),
        fixed=True,
    ),
    MfaField(
        "issuer",
        "For totp, issuer name that authenticator apps show.",
        of=("totp",),
        needed=True,
    ),
    MfaField(
        "period",
        "For totp, how long a code is valid, a duration; the server's default is 30 seconds.",
        normaliser=normalise.duration,
        of=("totp",),
    ),
    MfaField(
        "algorithm",
        "For totp, the hash; the server's default is V(SHA1).",
        choices=("SHA1", "SHA256", "SHA512"),
        normaliser=default("SHA1"),
        of=("totp",),
    ),
    MfaField(
        "digits",
        "For totp, digits of a code; the server's default is 6.",
        type="int",
        choices=(6, 8),
        of=("totp",),
    ),
    MfaField(
        "skew",
        "For totp, number of periods before and after in which a code is accepted; the server's default is 1.",
        type="int",
        choices=(0, 1),
        of=("totp",),
    ),
    MfaField(
        "key_size",
        "For totp, bytes of a key; the server's default is 20.",
        type="int",
        of=("totp",),
    ),
    MfaField(
        "qr_size",
        ("For totp, size of the QR code in pixels, V(0) for none; the server's default is 200."),
        type="int",
        of=("totp",),
    ),
    MfaField(
        "max_validation_attempts",
        "For totp, number of consecutive wrong codes that are allowed; the server's default is 5.",
        type="int",
        of=("totp",),
    ),
    MfaField(
        "username_format",
        (
            (
                "For duo, okta and pingid, how the name at the provider follows from the entity, as in "
                "C({{identity.entity.name}})."
            ),
            (
                "An auth method may be named by its path, as in C({{identity.entity.aliases[ldap].name}}); its "
                "accessor is looked up. Tag such a text C(!unsafe), or Ansible takes the braces for its own."
            ),
        ),
        of=(
            "duo",
            "okta",
            "pingid",
        ),
        unreadable_of=("pingid",),
    ),
    MfaField(
        "api_hostname",
        "For duo, host name of the API.",
        of=("duo",),
        needed=True,
    ),
    MfaField(
        "push_info",
        "For duo, information that a push shows, as a URL query.",
        of=("duo",),
    ),
    MfaField(
        "use_passcode",
        "For duo, whether a code is asked for rather than a push.",
        type="bool",
        of=("duo",),
    ),
    MfaField(
        "secret_key",
        "For duo, the secret key.",
        secret=True,
        of=("duo",),
        needed=True,
        unreadable_of=("duo",),
    ),
    MfaField(
        "integration_key",
        "For duo, the integration key.",
        secret=True,
        of=("duo",),
        needed=True,
        unreadable_of=("duo",),
    ),
    MfaField(
        "org_name",
        "For okta, name of the organisation.",
        of=("okta",),
        needed=True,
        check=valid.matching(r"\S+", "example"),
    ),
    MfaField(
        "base_url",
        "For okta, domain of the API; the server's default is C(okta.com).",
        of=("okta",),
        check=valid.matching(r"\S+", "okta.com"),
    ),
    MfaField(
        "primary_email",
        (
            "For okta, whether the name is matched with the primary e-mail address only. The server never returns it, "
            "so it follows O(update_secrets), and an update that does not declare it resets it."
        ),
        type="bool",
        of=("okta",),
        unreadable_of=("okta",),
    ),
    MfaField(
        "api_token",
        "For okta, the API token.",
        secret=True,
        of=("okta",),
        needed=True,
        unreadable_of=("okta",),
    ),
    MfaField(
        "settings_file_base64",
        (
            "For pingid, the settings file in base64. Another organisation or address in it is seen as a change, "
            "another key alone is not."
        ),
        secret=True,
        of=("pingid",),
        needed=True,
        unreadable_of=("pingid",),
    ),
)
TYPES = sorted({kind for field in FIELDS for kind in field.of})
#: the fields of each type
BY_TYPE = {kind: tuple(field.name for field in FIELDS if kind in field.of) for kind in TYPES}
NEEDED = frozenset(field.name for field in FIELDS if field.needed)
#: settings of a PingID file that the server returns
PINGID = ("idp_url", "org_alias", "admin_url", "authenticator_url", "use_signature")
#: fields with another name in the server's answers
ANSWERED = {"pushinfo": "push_info"}


def settings(text: str) -> dict[str, Any]:
    """Return the settings of a PingID file in base64. Raises InvalidInput, without any part of it."""
    try:
        lines = base64.b64decode("".join(text.split()), validate=True).decode("utf-8").splitlines()
    except (binascii.Error, ValueError):
        lines = []
    pairs = dict(line.strip().split("=", 1) for line in lines if "=" in line and not line.strip().startswith("#"))
    if "use_base64_key" not in pairs:
        raise InvalidInput(
            '"settings_file_base64" is not a settings file of PingID in base64',
            remedy="download the file from PingID's administration and give it through base64",
        )
    return {name: pairs[name].strip() for name in PINGID if name in pairs}


class Method(Resource):
    """One method. The server resets fields that an update leaves out, so an update sends all of them."""

    kind = "login MFA method"
    # deleting a method deletes the keys that people have enrolled
    holds_data = True
    rank = 10
    secret_fields = secret_names(FIELDS)
    fields = {**normalisers(FIELDS), "use_signature": normalise.boolean}

    def __init__(self, methods: Methods, item: Mapping[str, Any]) -> None:
        self.methods = methods
        self.client = methods.client
        self.item = item
        self.type = str(item.get("type") or "")
        desired: dict[str, Any] | None = None
        if item["state"] != "absent":
            desired = {name: item.get(name) for name in BY_TYPE.get(self.type, ())}
        self.write_only_fields = frozenset(field.name for field in FIELDS if self.type in field.unreadable_of)
        super().__init__(str(item["name"]).strip(), desired)

    def check(self) -> None:
        if not self.name:
            raise InvalidInput("the name is empty", remedy="give one")
        if self.desired is None:
            return
        if not self.type:
            raise InvalidInput('"type" is missing', remedy="use one of %s" % ", ".join(BY_TYPE))
        for name in sorted({field.name for field in FIELDS if field.of} - set(BY_TYPE[self.type])):
            if self.item.get(name) is not None:
                raise InvalidInput('a method of type %s has no field "%s"' % (self.type, name), remedy="remove it")
        valid.check_all(self.desired, {field.name: field.check for field in FIELDS if field.check is not None})
        for name in ("key_size", "max_validation_attempts"):
            if name in self.desired and self.desired[name] < 1:
                raise InvalidInput('"%s" is below 1' % name, remedy="give a larger number, or leave it out")
        if "period" in self.desired and (normalise.seconds(self.desired["period"]) or 0) < 1:
            raise InvalidInput('"period" is below a second', remedy="use 30s, as most programs expect")
        if self.desired.get("settings_file_base64"):
            settings(self.desired["settings_file_base64"])

    def preflight(self) -> None:
        if self.desired is None:
            return
        desired, directory = self.desired, self.methods.directory

        def mounted(mount: str) -> str:
            if directory.accessor(mount) is None:
                directory.missing(
                    self,
                    'username_format: no auth method is mounted at "%s"' % mount,
                    "mount it first, or correct it",
                    "auth_methods",
                    mount,
                )
            return ""

        check_new(
            lambda: self._check_complete(desired, "a new method"),
            lambda: self.methods.find(self.name, own=True) is not None,
        )
        fill_accessors(desired.get("username_format") or "", mounted)

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        wanted = dict(self.desired or {})
        if wanted.get("settings_file_base64"):
            # to see a change of the file, although the server never returns the file itself
            wanted.update(settings(wanted["settings_file_base64"]))
        if wanted.get("username_format"):
            accessor = self.methods.directory.accessor
            wanted["username_format"] = fill_accessors(
                wanted["username_format"], lambda mount: accessor(mount) or "(accessor of %s)" % mount
            )
        return wanted

    def read(self) -> Mapping[str, Any] | None:
        found = self.methods.find(self.name, own=True)
        if found is None:
            return None
        self.info["method_id"] = found["id"]
        if self.desired is None:
            self._warn_of_users(found["id"])
        elif found.get("type") != self.type:
            # the server would silently change the type
            raise InvalidInput(
                "a method of that name has the type %s, not %s" % (found.get("type"), self.type),
                remedy='use another name, or remove that one first with "state: absent"',
            )
        current = {ANSWERED.get(name, name): value for name, value in found.items()}
        known = {"type", *BY_TYPE.get(str(found.get("type")), ()), *PINGID}
        return {name: value for name, value in current.items() if name in known}

    def _warn_of_users(self, key: str) -> None:
        users = self.methods.users(key)
        if users:
            self.warnings.append(
                "the server keeps it as long as a login enforcement uses it: %s"
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
        for name in BY_TYPE[self.type]:
            if name in NEEDED and not fields.get(name):
                raise InvalidInput(
                    '%s needs "%s", which the server requires in every write' % (what, name), remedy="give it"
                )

    def write(self, change: Change) -> None:
        fields = {**(change.current or {}), **change.desired}
        body = {name: fields[name] for name in BY_TYPE[self.type] if fields.get(name) is not None}
        if "period" in body:
            body["period"] = normalise.seconds(body["period"])
        body["method_name"] = (
            self.name if change.current is None else self.methods.all()[self.info["method_id"]]["name"]
        )
        path = "identity/mfa/method/%s" % self.type
        if change.current is not None:
            path += "/%s" % self.info["method_id"]
        # a second attempt to create it would find and change the method of the first attempt
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
                "a login enforcement uses it%s" % (": %s" % ", ".join(users) if users else ""),
                remedy="remove or change that first (module vault_login_mfa_enforcement)",
            ) from error


def undeclared(methods: Methods, declared: Iterable[Method], context: RunContext) -> list[Method]:
    """Return resources that delete undeclared methods; ``protected`` and ``purge_data`` take names and IDs.

    Raises InvalidInput for one that is not in ``purge_data``.
    """
    keep = {*(one.name for one in declared), *context.protected}
    ids = {str(one.get("name") or key): key for key, one in methods.own().items()}
    extra = [Method(methods, {"name": name, "state": "absent"}) for name in sorted(ids) if not keep & {name, ids[name]}]
    loss = "%s, with the devices that people have enrolled"
    purge.refuse_unnamed(extra, set(context.purge_data), loss, lambda one: {one.name, ids[one.name]})
    return extra


class LoginMfaMethods(Kind):
    """Methods of login MFA."""

    about = "Methods of login MFA"
    tag = "auth"
    module = "vault_login_mfa"
    plural = "methods"
    fields = FIELDS
    options = PURGE_DATA
    update_secrets = True
    listings = (Listing("identity/mfa/method", "info", item=""),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        told = {ANSWERED.get(name, name): value for name, value in (one.told or {}).items()}
        if normalise.path(told.get("namespace_path")) != normalise.path(view.client.namespace):
            # one of a namespace above, which is seen here as well
            return None
        kind = str(told.get("type"))
        directory = exported_directory(view)
        if told.get("username_format"):
            told["username_format"] = name_accessors(told["username_format"], directory.mounts.path_of)
        usual = view.usual("identity/mfa/method/%s" % kind)
        item = {**placed(FIELDS, one), **declare(FIELDS, told, usual, kind, ("type", *NEEDED))}
        for field in FIELDS:
            if field.secret and kind in field.unreadable_of and field.needed:
                item[field.name] = view.fill(one, field.name)
        return item

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        methods = Methods(Directory(client, context))
        declared = [Method(methods, item) for item in items]
        return [*declared, *(undeclared(methods, declared, context) if context.purge else [])]
