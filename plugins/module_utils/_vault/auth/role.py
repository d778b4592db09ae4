# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Roles of auth methods, or their users, groups and certificates.

The types of methods are in `methods`. Source: /api-docs/auth/<type>; the token fields are the same for
all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.resource import Change, Resource, check_completed, check_new
from ..base import secret_fields, valid
from ..base.declaring import View, further, placed, shaped, usual
from ..base.kind import MOUNTS, PURGE, Kind, RunContext
from ..base.listing import Found, mark_absent
from ..base.naming import check_mount, check_plain, in_url
from ..base.normalisers import lower_set, sent
from ..base.schema import Place, check_kept
from ..base.secret_fields import misplaced
from ..connection.client import Client
from ..connection.errors import PermissionDenied, VaultError
from . import registry
from .method_type import CERTAIN, DOUBTFUL, TOKEN, Entries
from .mounts import MethodMounts
from .policies import Policies
from .role_fields import FIELDS, REPLACED, TYPED, as_sent


class AuthRole(Resource):
    """One role, user, group or certificate of an auth method; named ``<mount>/<name>``."""

    kind = "auth role"
    rank = 20

    def __init__(self, client: Client, mounts: MethodMounts, policies: Policies, item: Mapping[str, Any]) -> None:
        self.client = client
        self.mounts = mounts
        self.policies = policies
        self.item = item
        self.mount = normalise.path(item.get("mount") or item.get("type"))
        self.role = str(item["name"]).strip()
        self.type = str(item.get("type") or "")
        self.subject = str(item.get("subject") or "")
        secret = {str(name): value for name, value in (item.get("secret_options") or {}).items()}
        self.absent = False
        self._checked_as = ""
        #: whether it was already checked against the mount and the current entry
        self._fits = False
        desired: dict[str, Any] | None = None
        if item.get("state") != "absent":
            desired = {name: as_sent(name, item.get(name)) for name in TYPED}
            desired.update(item.get("options") or {})
            desired.update(secret)
        self.secret_fields = frozenset(secret)
        super().__init__("%s%s/%s" % (self.mount, "/" + self.subject if self.subject else "", self.role), desired)
        self._compare_as_its_type()

    # -- what it is ---------------------------------------------------------------------------------------------------

    def know_type(self) -> None:
        """Take the type from the mount, or check it against the mount's. Raises InvalidInput, PermissionDenied."""
        try:
            found = registry.type_of(self.mounts.get(self.mount))
        except PermissionDenied as error:
            if not self.type:
                error.remedy = '%s, or give "type"' % error.remedy
                raise error.at(self.label) from None
            return
        if found and self.type and found != self.type:
            raise InvalidInput(
                'the auth method "%s" is of type %s, not %s' % (self.mount, found, self.type),
                remedy='correct "mount" or "type"',
            )
        if found and not self.type:
            self.type = found
            self._compare_as_its_type()

    def _compare_as_its_type(self) -> None:
        """Set the normalisers of the type."""
        entries = self.entries
        self.fields = entries.table
        self.write_only_fields = entries.secrets & set(self.desired or {})
        self.answered_only = (REPLACED - set(entries.table)) | frozenset(entries.fixed) | frozenset(entries.own_paths)

    @property
    def entries(self) -> Entries:
        """The type's description of its entries; a general one as long as the type is unknown."""
        method = registry.of(self.type)
        return method.of(self.subject) or method.entries[0]

    @property
    def path(self) -> str:
        """The path of the entry in the API."""
        return "%s/%s" % (self.folder, in_url(self.role))

    @property
    def folder(self) -> str:
        """The API path of all entries of its sort."""
        return "auth/%s/%s" % (self.mount, self.entries.folder)

    @property
    def key(self) -> str:
        # an unknown type may have case-sensitive names
        sensitive = not self.type or registry.of(self.type).case_sensitive
        return self.name if sensitive else self.name.lower()

    def _declared(self) -> dict[str, Any]:
        """Return the declaration by the names of the API."""
        renamed = self.entries.renamed
        return {renamed.get(name, name): value for name, value in (self.desired or {}).items()}

    def wanted(self) -> Mapping[str, Any]:
        """Return the declaration in the server's form; only after `check`."""
        as_stored = self.entries.as_stored
        return as_stored(self._declared(), self.role) if as_stored else self._declared()

    # -- what is refused ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        if not self.mount:
            raise InvalidInput("no mount is given", remedy='give "mount", or "type" when the mount has the same name')
        check_mount(self.mount, 'write it like "kubernetes"', "mount", blanks=True)
        if self.mount.startswith("auth/"):
            raise InvalidInput(
                'the mount begins with "auth/", which the server adds itself', remedy='leave "auth/" out'
            )
        if {"", ".", ".."} & set(self.role.split("/")):
            raise InvalidInput(
                "the name is empty or holds what a path cannot hold", remedy="use letters, digits, - _ . @"
            )
        if self.desired is None:
            return
        options = self.item.get("options") or {}
        misplaced(options, "options", "secret_options", registry.SECRETS)
        for name in TYPED if options else ():
            if name in options and self.item.get(name) is not None:
                raise InvalidInput('"%s" is given twice' % name, remedy='remove it from "options"')
        for name in set(options) & set(self.item.get("secret_options") or {}):
            raise InvalidInput('"%s" is given twice' % name, remedy='remove it from "options"')
        times = {
            field.name: normalise.seconds(self.desired[field.name])
            for field in TOKEN
            if field.is_duration and field.name in self.desired
        }
        ttl, longest = times.get("token_ttl"), times.get("token_max_ttl")
        if ttl and longest and ttl > longest:
            raise InvalidInput("token_ttl is longer than token_max_ttl", remedy="correct one of the two")
        if self.type:
            self._check_type()
            self._checked_as = self.type

    def _check_type(self) -> None:
        """Refuse options that an entry of the type does not have. Raises InvalidInput."""
        if self.type not in registry.METHODS:
            raise InvalidInput(
                'roles of type "%s" are not known' % self.type,
                remedy="use one of %s" % ", ".join(sorted(registry.METHODS)),
            )
        method, entries = registry.METHODS[self.type], self.entries
        if self.subject and self.subject not in method.subjects:
            text = 'subject "%s" is for type %s, not %s' % (self.subject, registry.owner(self.subject), self.type)
            raise InvalidInput(text, remedy="remove it")
        if not method.directory_names:
            check_plain(self.role)
        if self.desired is None:
            return
        for other in registry.METHODS.values():
            for name in other.option_names if other is not method else ():
                if self.item.get(name) is not None:
                    raise InvalidInput(
                        '"%s" is for type %s, not %s' % (name, other.name, self.type), remedy="remove it"
                    )
        declared = self._declared()
        for name in sorted(entries.without & set(declared)):
            raise InvalidInput(
                'a role of type %s has no "%s"' % (self.type, name),
                remedy='use %s in "options"' % ", ".join(entries.policies)
                if name == "token_policies"
                else "remove it, or use token_explicit_max_ttl or token_period",
            )
        if not entries.tokens:
            self._check_own(declared)
        for name in sorted(declared.keys() - entries.names):
            near = difflib.get_close_matches(name, sorted(entries.names), 1, 0.8)
            if near:
                raise InvalidInput('unknown option "%s"' % name, remedy='did you mean "%s"?' % near[0])
        valid.check_all(declared, entries.checks)
        if entries.check is not None:
            entries.check(declared)

    def _check_own(self, wanted: Mapping[str, Any]) -> None:
        """Refuse token fields for an entry that does not have them. Raises InvalidInput."""
        entries = self.entries
        extra = sorted(set(wanted) - set(entries.table))
        for other in registry.METHODS[self.type].entries:
            for name in extra if not other.tokens else ():
                if name in other.table:
                    raise InvalidInput(
                        '"%s" is a field of %s, not of %s' % (name, other.title, entries.title.split()[-1]),
                        remedy='remove it, or set "subject: %s"' % other.subject,
                    )
        if extra:
            raise InvalidInput(
                '"%s" is not a field of %s' % (extra[0], entries.title),
                remedy=entries.remedy or "use %s" % ", ".join(sorted(entries.table)),
            )

    def preflight(self) -> None:
        try:
            self._fit()
        except VaultError:
            # what the server does not let the token see is for `read` to say
            return

    def _fit(self) -> None:
        """Check the declaration against the mount and the current entry. Raises InvalidInput, PermissionDenied."""
        if self._fits:
            return
        self.know_type()
        if not self.type:
            return
        if self._checked_as != self.type:
            # unknown at its check
            self._check_type()
            self.convert_durations()
        if self.mounts.entries.setdefault(self.key, self) is not self:
            raise InvalidInput("is declared twice", remedy="keep one of the two")
        if self.desired is None:
            self._fits = True
            return
        wanted, entries = self.wanted(), self.entries
        if set(wanted) - CERTAIN - entries.certain:
            method = registry.METHODS[self.type]
            place = Place(
                "auth/%s" % self.mount, self.type, entries.folder, in_url(self.role), method.knowing(entries.folder)
            )
            warning = self.mounts.fields.check_inside(place, wanted, "a role of type %s" % self.type)
            if warning:
                self.warnings.append(warning)
        new, whole = entries.new, entries.whole
        if new is not None:
            check_new(lambda: new(wanted), lambda: self.client.read(self.path) is not None)
        if whole is not None:
            check_completed(whole, wanted, lambda: self.client.read(self.path))
        self._fits = True

    def _warn(self, current: Mapping[str, Any]) -> None:
        wanted, entries = self.wanted(), self.entries
        missing = self.policies.missing(item for name in entries.policies for item in lower_set(wanted.get(name)))
        if missing:
            self.warnings.append("no policy has the name %s" % ", ".join('"%s"' % name for name in missing))
        for text in entries.advise({**current, **wanted}) if entries.advise else ():
            if self.client.once(text):
                self.warnings.append(text)

    # -- what the engine asks -----------------------------------------------------------------------------------------

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        places = []
        for resource in resources:
            try:
                resource.know_type()
            except SecretopsError:
                # its read will report it
                break
            if resource.type in registry.METHODS:
                places.append((resource.folder, resource.role, resource))
        mark_absent(resources[0].client, places)

    def read(self) -> Mapping[str, Any] | None:
        self._fit()
        if not self.type:
            return None
        current = None if self.absent else self.client.read(self.path)
        if self.desired is not None:
            self._warn(current or {})
        if current is None or self.desired is None:
            return current
        entries, wanted = self.entries, self.wanted()
        for name, none in entries.fixed.items():
            now = normalise.scalar(current.get(name) or none)
            if name in wanted and not normalise.same(now, wanted[name], self.fields.get(name)):
                raise InvalidInput(
                    "%s is %s and cannot be changed to %s" % (name, now, wanted[name]),
                    remedy='correct it, or delete the role first with "state: absent"',
                )
        for name, below in entries.own_paths.items():
            if name in wanted:
                current = {**current, **(self.client.read("%s/%s" % (self.path, below)) or {})}
        return current

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        return self.wanted()

    def write(self, change: Change) -> None:
        if not self.type:
            raise VaultError(
                'no auth method is mounted at "%s"' % self.mount,
                remedy="declare it with vault_auth, or correct the mount",
            )
        names = set(change.fields)
        body = {name: sent(value, self.fields.get(name)) for name, value in self.whole_body(change).items()}
        self.client.write(self.path, body)
        change.touched = True
        unsure = {name for name in names & DOUBTFUL if change.desired[name]}
        check_kept(self.client, self.path, (names - self.entries.names) | unsure, self.type)

    def delete(self, change: Change) -> None:
        self.client.delete(self.path)


def entry(item: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of the list with the module's mount, and the module's type when the mount is the same."""
    mount = item.get("mount") or common.get("mount")
    same = mount == common.get("mount")
    return {**item, "mount": mount, "type": item.get("type") or (common.get("type") if same else None)}


def existing(client: Client, mounts: MethodMounts, mount: str, kind: str = "", subject: str = "") -> list[str]:
    """Return the names of a mount's roles (for LDAP: groups or users). Raises PermissionDenied."""
    probe = AuthRole(client, mounts, Policies(client), {"mount": mount, "type": kind, "name": "-", "subject": subject})
    probe.know_type()
    return client.list(probe.folder) if probe.type else []


def purge(
    client: Client, mounts: MethodMounts, policies: Policies, declared: Iterable[AuthRole], context: RunContext
) -> list[AuthRole]:
    """Return resources that delete undeclared roles in the mounts of the declared roles and of the task.

    In a tree also in the methods that it declares, including users and groups. Raises InvalidInput, PermissionDenied.
    """
    declared = list(declared)
    for resource in declared:
        resource.know_type()
    # most methods keep names in lower case, so two names that differ in case only may be the same
    protected = {normalise.path(name).lower() for name in context.protected}
    keep = {resource.path.lower() for resource in declared}
    places = {(resource.mount, resource.type, resource.subject) for resource in declared}
    looked_into = {place[0] for place in places}
    places |= {(mount, "", "") for mount in context.named_mounts() if mount not in looked_into}
    for mount, kind in context.mounts:
        if kind in registry.METHODS:
            places |= {(mount, kind, subject) for subject in ("", *registry.METHODS[kind].subjects)}
    found: dict[str, AuthRole] = {}
    for path, kind, subject in sorted(places):
        for role in existing(client, mounts, path, kind, subject):
            item = {"mount": path, "type": kind, "subject": subject, "name": role, "state": "absent"}
            resource = AuthRole(client, mounts, policies, item)
            resource.know_type()
            # a default subject is the same as if it were named
            if resource.path.lower() not in keep and not protected & {resource.name.lower(), role.lower()}:
                found.setdefault(resource.path, resource)
    return list(found.values())


class AuthRoles(Kind):
    """Roles, users and groups of auth methods."""

    module = "vault_auth_role"
    plural = "roles"
    about = "Roles, users and groups of auth methods"
    tag = "auth"
    fields = FIELDS
    options = {**PURGE, **MOUNTS}
    within = ("auth_methods", "")
    update_secrets = True
    listings = tuple(registry.listings())

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        return secret_fields.secret_values([item.get("options") for item in declared], registry.SECRETS)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        told, takes = one.told or {}, view.usual_of(one)
        entries = registry.of(one.listing.type).of(one.listing.subject) or registry.of(one.listing.type).entries[0]
        fields = {field.name: field for field in entries.all_fields}
        item = placed(FIELDS, one)
        done = {*entries.secrets, *entries.own_paths, *(REPLACED - set(entries.table))}
        for field in FIELDS:
            name = entries.renamed.get(field.name, field.name)
            if not field.sent or name in done:
                continue
            done.add(name)
            value, known = told.get(name), fields.get(name)
            if value is None or (takes is not None and name not in takes):
                continue
            if takes is None or not usual(value, takes[name], known.normaliser if known else field.normaliser):
                item[field.name] = shaped(field, value)
        options = further(told, done, takes, entries.table)
        item.update({"options": options} if options else {})
        secret = [field.name for field in entries.fields if field.write_only][:1]
        return {**item, **({"secret_options": {name: view.fill(one, name) for name in secret}} if secret else {})}

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts = MethodMounts(client)
        policies = Policies(client, context.planned_names("policies"))
        params = context.params
        common = {"mount": params.get("mount"), "type": params.get("type")}
        entries = [entry(item, common) for item in items]
        # the tree tells the type of a method that it creates
        known = dict(context.mounts)
        for one in entries:
            one["type"] = one["type"] or known.get(normalise.path(one["mount"])) or None
        resources = [AuthRole(client, mounts, policies, one) for one in entries]
        if context.purge:
            resources += purge(client, mounts, policies, resources, context)
        return resources
