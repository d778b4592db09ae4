# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Auth methods: the mount, its tuning and its configuration.

The types of methods are in `methods`. Source: /api-docs/system/auth, and the ``config`` endpoint of
each method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ..._engine import normalise, wording
from ..._engine.errors import InvalidInput
from ..._engine.resource import Change, Resource
from ..base import purge, secret_fields, valid
from ..base.declaring import EMPTY, View, declare, duration_text, further, placed, shaped, usual
from ..base.kind import PURGE_DATA, Kind, RunContext
from ..base.listing import Found, Listing
from ..base.naming import check_mount
from ..base.normalisers import sent
from ..base.schema import Place, check_kept
from ..base.secret_fields import misplaced
from ..connection.client import Client
from ..connection.errors import BadRequest, NoApi
from . import registry
from .method_fields import FIELDS, FIXED, LOCKOUT, TUNE
from .method_type import FORMER, Config
from .mounts import MethodMounts

NO_CONFIG = Config()
#: prefix of the fields of the configuration
PREFIX = "config."


def in_config(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the configuration by their own names."""
    return {name[len(PREFIX) :]: value for name, value in fields.items() if name.startswith(PREFIX)}


class AuthMethod(Resource):
    """One auth method. Fields of its configuration are named ``config.<field>``."""

    kind = "auth method"
    holds_data = True
    rank = 10

    def __init__(self, client: Client, mounts: MethodMounts, item: Mapping[str, Any]) -> None:
        self.client = client
        self.mounts = mounts
        self.item = item
        path = normalise.path(item.get("path") or item.get("type"))
        self.type = str(item.get("type") or "")
        open_config = {str(key): value for key, value in (item.get("config") or {}).items() if value is not None}
        secret_config = {
            str(key): value for key, value in (item.get("secret_config") or {}).items() if value is not None
        }
        desired: dict[str, Any] | None = None
        if item.get("state") != "absent":
            desired = {name: item.get(name) for name in (*FIXED, *TUNE)}
            for name, value in (item.get("user_lockout_config") or {}).items():
                desired["lockout." + name] = value
            desired.update({PREFIX + key: value for key, value in {**open_config, **secret_config}.items()})
        self.method = registry.of(self.type)
        self.config = self.method.config or NO_CONFIG
        lockout = {"lockout." + name: function for name, (function, _sent) in LOCKOUT.items()}
        self.fields = {**TUNE, **lockout, **{PREFIX + key: how for key, how in self.config.table.items()}}
        self.secret_fields = frozenset(PREFIX + key for key in secret_config)
        self.write_only_fields = frozenset(PREFIX + key for key in self.config.write_only)
        self.configured = bool(open_config or secret_config)
        #: warnings about fields that can be checked once the method exists
        self._unchecked: list[str] = []
        super().__init__(path, desired)

    @property
    def _mount(self) -> str:
        return "sys/auth/%s" % self.name

    def _places(self) -> dict[str, set[str]]:
        """Return the API paths of the declared configuration, each with the names of its fields."""
        places = self.config.places(self._declared())
        return {"auth/%s/%s" % (self.name, place): names for place, names in places.items()}

    def _declared(self) -> dict[str, Any]:
        """Return the declared configuration."""
        return in_config(self.desired or {})

    def check(self) -> None:
        if not self.name:
            raise InvalidInput("neither path nor type is given", remedy='give "type"')
        check_mount(self.name, 'write it like "kubernetes" or "team/approle"', blanks=True)
        if self.name.startswith("auth/"):
            raise InvalidInput('the path begins with "auth/", which the server adds itself', remedy='leave "auth/" out')
        if self.desired is None:
            if self.name.split("/")[0] in registry.OWN_PATHS:
                raise InvalidInput("the server's built-in method cannot be removed", remedy="leave it")
            return
        if not self.type:
            raise InvalidInput("no type is given", remedy='give "type"')
        misplaced(self.item.get("config"), "config", "secret_config", registry.SECRETS)
        twice = set(self.item.get("config") or {}) & set(self.item.get("secret_config") or {})
        if twice:
            raise InvalidInput(
                '"%s" stands in both "config" and "secret_config"' % sorted(twice)[0], remedy="keep one of the two"
            )
        default, longest = (
            normalise.seconds(self.desired.get(name)) for name in ("default_lease_ttl", "max_lease_ttl")
        )
        if default and longest and default > longest:
            raise InvalidInput("default_lease_ttl is longer than max_lease_ttl", remedy="correct one of the two")
        if self.configured and self.method.config is None:
            raise InvalidInput(
                'type "%s" has no configuration' % self.type, remedy='remove "config" and "secret_config"'
            )
        lockout = [name for name in self.desired if name.startswith("lockout.")]
        if lockout and not self.method.locks_out:
            raise InvalidInput(
                "a method of type %s has no user lockout" % self.type, remedy='remove "user_lockout_config"'
            )
        valid.check_all(self.desired, self.config.checks, PREFIX)
        if self.config.review is not None:
            self.warnings += self.config.review(self._declared())

    def preflight(self) -> None:
        if self.desired is None:
            if self.mounts.get(self.name) is not None and self.mounts.own() == self.name:
                raise InvalidInput(
                    "the module's own token comes from it and would be revoked with it",
                    remedy="log in by another method",
                )
            return
        self._check_mount()
        self._check_known()

    def _check_known(self) -> None:
        """Refuse configuration that the server does not know and would drop. Raises InvalidInput."""
        for path, names in self._places().items():
            mount = "auth/%s" % self.name
            below = path[len(mount) + 1 :]
            place = Place(mount, self.type, below, takes=self.method.knowing(below))
            warning = self.mounts.fields.check_inside(place, names, "type %s" % self.type)
            if warning:
                self._unchecked.append(warning)
                self.warnings.append(warning)

    def _check_mount(self) -> None:
        """Compare the fields that are fixed after creation with the mounted method, before anything changes."""
        mount = self.mounts.get(self.name)
        if mount is None:
            declared = self._declared()
            for secret, told_by in self.config.told.items():
                if declared.get(told_by) and not declared.get(secret):
                    raise InvalidInput(
                        "%s is given without its secret" % told_by, remedy='give "%s" in "secret_config"' % secret
                    )
            for path in self.mounts.all():
                if path.startswith(self.name + "/") or self.name.startswith(path + "/"):
                    raise InvalidInput('the auth method "%s" is in the way' % path, remedy="choose another path")
            self.mounts.check_type(self.type)
            return
        for name in FIXED:
            desired = (self.desired or {}).get(name)
            if desired is not None and mount.get(name) != desired:
                raise InvalidInput(
                    "an auth method with %s %s is mounted there, not %s" % (name, mount.get(name), desired),
                    remedy='choose another path, or remove it first with "state: absent", which loses its roles',
                )

    def read(self) -> Mapping[str, Any] | None:
        mount = self.mounts.get(self.name)
        if mount is None:
            return None
        self.info["accessor"] = mount.get("accessor")
        tune = mount.get("config") or {}
        current: dict[str, Any] = {name: mount.get(name) for name in (*FIXED, "description")}
        current.update({name: tune.get(name) for name in TUNE if name != "description"})
        lockout = tune.get("user_lockout_config") or {}
        for name, (_function, other) in LOCKOUT.items():
            current["lockout." + name] = lockout.get("user_" + other)
        for path, names in self._places().items() if self.desired is not None else ():
            config = self.client.read(path)
            if config is not None:
                current.update({PREFIX + key: value for key, value in config.items()})
                # a secret that the server does not return is write-only, once a configuration exists
                self.write_only_fields |= self.secret_fields & {PREFIX + key for key in names - set(config)}
        return current

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        names = set(super().compare(current, desired))
        for secret, told_by in self.config.told.items():
            # the server tells whether this write-only field is set
            if PREFIX + secret in desired and current.get(PREFIX + told_by) is False:
                names.add(PREFIX + secret)
        if names & {PREFIX + name for name in self.config.accounts}:
            credentials = {PREFIX + name for name in self.config.credentials}
            names |= credentials & self.write_only_fields & set(desired)
        changed = sorted(name for name in names if name.startswith(PREFIX))
        for secret, told_by in self.config.told.items() if changed else ():
            if current.get(PREFIX + told_by) and PREFIX + secret not in desired:
                raise InvalidInput(
                    'changing %s would lose the "%s" that is set' % (", ".join(changed), secret),
                    remedy='declare it in "secret_config" (empty to remove it)',
                )
        return sorted(names)

    def write(self, change: Change) -> None:
        desired = change.desired
        tune = {name: desired[name] for name in TUNE if name in desired}
        if change.current is None:
            body: dict[str, Any] = {name: desired[name] for name in FIXED if name in desired}
            body["description"] = tune.pop("description", "")
            body["config"] = tune
            try:
                # not retried: a second attempt would find the path in use
                self.client.write(self._mount, body, idempotent=False)
            except BadRequest as error:
                if wording.plugin_unknown(error.said):
                    raise self.mounts.unavailable(self.type) from None
                raise
            change.touched = True
            self.mounts.forget()
            self.info["accessor"] = (self.mounts.get(self.name) or {}).get("accessor")
        else:
            differing = {name: tune[name] for name in change.fields if name in tune}
            if differing:
                self.client.write(self._mount + "/tune", differing)
                change.touched = True
        if change.current is None:
            self._ask_the_new(change)
        self._write_lockout(change)
        self._write_config(change)

    def _ask_the_new(self, change: Change) -> None:
        """Check the fields of a method that was just mounted, and unmount it when it lacks a declared one."""
        self.mounts.fields.forget("auth/%s" % self.name)
        self.warnings = [text for text in self.warnings if text not in self._unchecked]
        try:
            self._check_known()
        except InvalidInput:
            self.delete(change)
            change.touched = False
            self.mounts.forget()
            raise

    def _write_lockout(self, change: Change) -> None:
        desired = change.desired
        body: dict[str, Any] = {}
        for name, (function, other) in LOCKOUT.items():
            field = "lockout." + name
            if field in change.fields and field in desired:
                # the server requires numbers and durations as text
                value = desired[field]
                body[other] = normalise.boolean(value) if function is normalise.boolean else normalise.scalar(value)
        if body:
            self.client.write(self._mount + "/tune", {"user_lockout_config": body})
            change.touched = True

    def _write_config(self, change: Change) -> None:
        if not any(name.startswith(PREFIX) for name in change.fields):
            return
        desired, current = in_config(change.desired), in_config(change.current or {})
        if self.config.partial:
            names = {name[len(PREFIX) :] for name in change.fields if name.startswith(PREFIX)}
            body = {name: value for name, value in desired.items() if not current or name in names}
        else:
            # current fields are sent along, otherwise they would be lost
            left = self.config.answered_only
            if self.config.alternatives & set(desired):
                left |= self.config.alternatives
            empty: tuple[Any, ...] = (None, "", [], {})
            kept = {name: value for name, value in current.items() if name not in left and value not in empty}
            body = {**kept, **desired}
        table = self.config.table
        unknown = set(desired) - set(table) - self._write_only()
        for path, names in self._places().items():
            mine = {name: body[name] for name in names if name in body} if self.config.partial else body
            if not mine:
                continue
            self.client.write(path, {name: sent(value, table.get(name)) for name, value in mine.items()})
            change.touched = True
            check_kept(self.client, path, unknown & names, self.type)

    def _write_only(self) -> set[str]:
        return {name[len(PREFIX) :] for name in self.secret_fields | self.write_only_fields}

    def delete(self, change: Change) -> None:
        self.client.delete(self._mount)


def removable(mounts: MethodMounts) -> list[str]:
    """Return the paths that a purge may remove: neither built-in ones, nor that of the module's login."""
    kept = {*registry.OWN_PATHS, mounts.own()}
    # namespaces of some products list methods of their own
    return [path for path, entry in mounts.all().items() if path not in kept and entry["type"] not in registry.BUILT_IN]


class AuthMethods(Kind):
    """Auth methods: mount, tuning and configuration."""

    module = "vault_auth"
    plural = "methods"
    about = "Auth methods"
    tag = "auth"
    fields = FIELDS
    options = PURGE_DATA
    required = ()
    update_secrets = True
    mutually_exclusive = (("methods", "path"), ("methods", "type"))
    listings = (Listing("sys/auth", "map"),)

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        return secret_fields.secret_values([item.get("config") for item in declared], registry.SECRETS)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        entry = one.told or {}
        kind = registry.type_of(entry)
        if one.name in registry.OWN_PATHS or kind in registry.BUILT_IN:
            return None
        tune = entry.get("config") or {}
        item = {**placed(FIELDS, one), **declare(FIELDS, {**entry, **tune, "type": kind}, {})}
        lockout = tune.get("user_lockout_config") or {}
        found = {}
        for name, (how, other) in LOCKOUT.items():
            value = lockout.get("user_" + other)
            if how(value):
                found[name] = duration_text(value) if how is normalise.duration else value
        item.update({"user_lockout_config": found} if found else {})
        open_config, secret_config = self._config(registry.of(kind).config or NO_CONFIG, one, view)
        item.update({"config": open_config} if open_config else {})
        item.update({"secret_config": secret_config} if secret_config else {})
        return item

    @staticmethod
    def _config(config: Config, one: Found, view: View) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the configuration of a method, and placeholders for what is secret in it."""
        fields = {field.name: field for field in config.fields}
        open_config: dict[str, Any] = {}
        secret_config: dict[str, Any] = {}
        if config is NO_CONFIG:
            return open_config, secret_config
        for place in config.places(fields) or {"config": set()}:
            path = "auth/%s/%s" % (one.name, place)
            try:
                told = view.client.read(path) or {}
            except (BadRequest, NoApi):
                # not configured yet, or nothing that this type has
                continue
            if all(value in EMPTY for value in told.values()):
                # never configured: what is answered then is not what would be the default
                continue
            takes = view.usual(path, "auth %s %s" % ((one.told or {}).get("type"), place))
            for name, field in fields.items():
                secret = field.secret or field.name in config.credentials
                if secret and told.get(field.told_by or field.goes_with):
                    secret_config[name] = view.fill(one, name)
                value = told.get(name)
                if secret or field.write_only or value is None or name in config.answered_only:
                    continue
                if takes is None or not usual(value, takes.get(name), field.normaliser):
                    open_config[name] = shaped(field, value)
            hidden = {*fields, *config.answered_only, *FORMER.split(), *registry.SECRETS}
            open_config.update(further(told, hidden, takes))
        return open_config, secret_config

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts = MethodMounts(client)
        make = partial(AuthMethod, client, mounts)
        declared = [make(item) for item in items]
        if not context.purge:
            return declared
        loss = "%s, with the roles and users in it"
        return [
            *declared,
            *purge.undeclared(context, declared, removable(mounts), make, normalise.path, loss, by="path"),
        ]
