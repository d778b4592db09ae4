# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The declaration of a whole cluster as one tree: kinds in the order of their dependencies, also inside namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._engine import normalise, places, secrets
from .._engine.display import echo
from .._engine.errors import InvalidInput, SecretopsError
from .._engine.module import bulk_spec
from .._engine.names import MAY_BE_EMPTY, empty_names
from .._engine.numbers import negative
from .._engine.reconcile import apply, distinct, ended, plan, preflight, unfinished
from .._engine.report import Report
from .._engine.resource import DELETE, NONE, Change, Resource
from .auth.approle_secret_id import ApproleSecretIds
from .auth.identity.entity import IdentityEntities
from .auth.identity.group import IdentityGroups
from .auth.login_mfa.enforcement import LoginMfaEnforcements
from .auth.login_mfa.method import LoginMfaMethods
from .auth.method import AuthMethods
from .auth.oidc.kind import Oidc
from .auth.role import AuthRoles
from .base.kind import Kind, RunContext
from .connection.client import Client
from .connection.errors import VaultError
from .engines.aws.config import AwsConfigs
from .engines.aws.role import AwsRoles
from .engines.database.connection import DatabaseConnections
from .engines.database.roles import DatabaseRoles
from .engines.kv.kind import Secrets
from .engines.mount import SecretsEngines
from .engines.pki.acme import PkiAcme
from .engines.pki.ca import PkiCas
from .engines.pki.certificate import PkiCertificates
from .engines.pki.role import PkiRoles
from .engines.ssh.ca import SshCas
from .engines.ssh.role import SshRoles
from .engines.transit import TransitKeys
from .system.audit import AuditDevices
from .system.audited_header import AuditedHeaders
from .system.cors import Cors
from .system.endpoint import Endpoints
from .system.namespace import Namespaces
from .system.password_policy import PasswordPolicies
from .system.policy import Policies
from .system.quota import Quotas
from .system.ui_header import UiHeaders

#: kinds by their names in a tree, in the order of their dependencies
KINDS: Mapping[str, Kind] = {
    "audit_devices": AuditDevices(),
    "audited_headers": AuditedHeaders(),
    "cors": Cors(),
    "ui_headers": UiHeaders(),
    "namespaces": Namespaces(),
    "auth_methods": AuthMethods(),
    "secrets_engines": SecretsEngines(),
    "password_policies": PasswordPolicies(),
    "policies": Policies(),
    "auth_roles": AuthRoles(),
    "identity_entities": IdentityEntities(),
    "identity_groups": IdentityGroups(),
    "oidc": Oidc(),
    "login_mfa_methods": LoginMfaMethods(),
    "quotas": Quotas(),
    "pki_cas": PkiCas(),
    "pki_roles": PkiRoles(),
    "pki_acme": PkiAcme(),
    "transit_keys": TransitKeys(),
    "ssh_cas": SshCas(),
    "ssh_roles": SshRoles(),
    "database_connections": DatabaseConnections(),
    "database_roles": DatabaseRoles(),
    "aws_configs": AwsConfigs(),
    "aws_roles": AwsRoles(),
    "secrets": Secrets(),
    "endpoints": Endpoints(),
    "pki_certificates": PkiCertificates(),
    "approle_secret_ids": ApproleSecretIds(),
    # last, as it makes logins harder
    "login_mfa_enforcements": LoginMfaEnforcements(),
}
#: kinds that name mounts inside namespaces: they come after all objects there
LAST = frozenset(("quotas",))
#: options that are part of an object's name
NAMES = ("name", "path", "mount", "role", "dest", "cert_dest")
#: keys of a tree other than kinds
PURGE, INSIDE = "purge", "inside"


class _Whole(Resource):
    """All objects of a kind, for an error that does not belong to one object."""

    def __init__(self, title: str) -> None:
        super().__init__(title, {})

    @property
    def label(self) -> str:
        return self.name


class Stage:
    """The declared objects of one kind in one namespace."""

    def __init__(
        self, title: str, kind: Kind, namespace: str, items: Sequence[Mapping[str, Any]], context: RunContext
    ) -> None:
        self.title = title
        self.kind = kind
        self.namespace = namespace
        self.items = items
        self.context = context
        #: place of its objects, for their results
        self.place = {"part": title, **({"namespace": namespace} if namespace else {})}

    def resources(self, client: Client, purge: bool = True, planning: bool = False) -> list[Resource]:
        """Return its resources; ``planning`` as in check mode. Raises SecretopsError."""
        params = self.context.params if purge else {**self.context.params, "purge": False}
        context = RunContext(params, self.context.check_mode, self.context.mounts, planning, self.context.tree_items)
        found: list[Resource] = self.kind.resources(client, self.items, context)
        for resource in found:
            resource.place = self.place
        return found


class Tree:
    """A tree of declarations.

    ``configuration``: lists by the names of `KINDS`; under ``purge`` the purge options by kind; under ``inside`` trees
    by namespaces. ``only``: the kinds to process. Call `validate` before anything else; ``hidden``, every value that is
    never printed, is known before that.
    """

    def __init__(self, configuration: Mapping[str, Any], only: Iterable[str] = (), check_mode: bool = False) -> None:
        self.check_mode = check_mode
        self.only = frozenset(only or KINDS)
        self.stages: list[Stage] = []
        self._secrets = secrets.Secrets()
        self.problems: list[str] = []
        #: place of each namespace's declaration, to find duplicates
        self._branches: dict[str, str] = {}
        #: namespaces that may not exist yet
        self._made: set[str] = set()
        for name in sorted(self.only - set(KINDS)):
            self.problems.append('there is no kind "%s" (there are %s)' % (name, ", ".join(KINDS)))
        self._grow(configuration, "configuration", "")
        self.stages.sort(key=lambda stage: stage.title in LAST)
        self._tell_names()

    def _tell_names(self) -> None:
        """Give each stage the declarations of the others in its namespace."""
        declared: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
        for stage in self.stages:
            present = [item for item in stage.items if item.get("state") != "absent"]
            declared.setdefault(stage.namespace, {})[stage.title] = present
        for stage in self.stages:
            stage.context.tree_items = declared[stage.namespace]

    def validate(self) -> None:
        """Validate all options as the modules would. Raises InvalidInput."""
        if self.problems:
            more = "; and %d more" % (len(self.problems) - 5) if len(self.problems) > 5 else ""
            said = "; ".join(self.problems[:5]) + more
            raise InvalidInput(said, remedy="correct the declaration, nothing was changed")

    @property
    def hidden(self) -> frozenset[str]:
        """The values to mask wherever they occur, without those that are too short or part of a name."""
        return self._secrets.values()

    def _grow(self, tree: Any, where: str, namespace: str) -> None:
        problems = self.problems
        if not isinstance(tree, Mapping):
            problems.append("%s is not a mapping of lists" % where)
            return
        if self._branches.setdefault(namespace, where) != where:
            # each would be converged alone, and purge the objects of the other
            twice = (self._branches[namespace], where, "namespace %s" % namespace if namespace else "namespace")
            problems.append("%s and %s are one %s: put them together" % twice)
            return
        unknown = sorted(str(name) for name in tree if name not in KINDS and name not in (PURGE, INSIDE))
        problems += ['%s: there is no kind "%s" (there are %s)' % (where, name, ", ".join(KINDS)) for name in unknown]
        purge = tree.get(PURGE) or {}
        if not isinstance(purge, Mapping):
            problems.append("%s.purge is not a mapping of kinds" % where)
            purge = {}
        for name in sorted(str(name) for name in purge):
            if name not in KINDS or "purge" not in KINDS[name].options:
                able = [title for title, kind in KINDS.items() if "purge" in kind.options]
                problems.append('%s.purge: "%s" cannot be purged (%s can)' % (where, name, ", ".join(able)))
        for title, kind in KINDS.items():
            declared = tree.get(title) or []
            if (declared or title in purge) and title in self.only:
                mounts = _mounts(tree, kind)
                self._add(title, kind, namespace, declared, purge.get(title, False), where, mounts)
                self._check_mounts(tree, kind, declared, "%s.%s" % (where, title))
        inside = tree.get(INSIDE) or {}
        if not isinstance(inside, Mapping):
            problems.append("%s.inside is not a mapping of namespaces" % where)
            inside = {}
        gone = _gone(tree.get("namespaces"), "name")
        self._made |= {
            "/".join(part for part in (namespace, name) if part) for name in _kept(tree.get("namespaces"), "name")
        }
        for name, branch in inside.items():
            below, place = normalise.path(name), "%s.inside.%s" % (where, name)
            if branch and any((below + "/").startswith(one + "/") for one in gone):
                problems.append("%s: the namespace is to be absent: correct one of the two" % place)
                continue
            path = "/".join(part for part in (namespace, below) if part)
            self._grow(branch or {}, place, path)

    def _add(
        self,
        title: str,
        kind: Kind,
        namespace: str,
        declared: Any,
        purge: Any,
        where: str,
        mounts: Sequence[tuple[str, str]],
    ) -> None:
        place = "%s.%s" % (where, title)
        if not isinstance(declared, (list, tuple)) or not all(isinstance(item, Mapping) for item in declared):
            self.problems.append("%s is not a list of mappings" % place)
            self._secrets.add(declared, unless_public=True)
            return
        self._secrets.add(*kind.secrets(declared), unless_public=True)
        entry = bulk_spec(kind.item, kind.plural, kind.required)[kind.plural]
        found = ArgumentSpecValidator({title: dict(entry, required=True)}).validate({title: list(declared)})
        # secrets are known even when something else is invalid
        self._secrets.add(*found._no_log_values, unless_public=True)
        if found.error_messages:
            placed = list(places.located({title: declared}, {title: entry}, where))
            self.problems += placed or ["%s: %s" % (place, message) for message in found.error_messages]
        if not isinstance(purge, (Mapping, bool, type(None))):
            self.problems.append('%s.purge.%s is not a mapping of options: write "{}" for none' % (where, title))
            purge = False
        # an empty mapping, null and "true" are a purge without options
        options = {} if purge is False else {"purge": True, **(purge if isinstance(purge, Mapping) else {})}
        validated = ArgumentSpecValidator(dict(kind.options)).validate(options)
        self.problems += ["%s.purge.%s: %s" % (where, title, message) for message in validated.error_messages]
        allowed = MAY_BE_EMPTY | {"%s.%s" % (title, name) for name in kind.may_be_empty}
        empty = [
            *empty_names({title: declared}, {title: entry}, where, allowed),
            *empty_names(options, kind.options, "%s.purge.%s" % (where, title), allowed),
        ]
        self.problems += ["%s is empty: give a value, or leave it out" % name for name in empty]
        below = [
            *negative({title: found.validated_parameters.get(title)}, {title: entry}, where),
            *negative(validated.validated_parameters, kind.options, "%s.purge.%s" % (where, title)),
        ]
        self.problems += ["%s is negative (%g): give 0 or more" % one for one in below]
        if found.error_messages or validated.error_messages:
            self._secrets.add(*echo({title: declared}, {title: entry})[1], unless_public=True)
            return
        context = RunContext(validated.validated_parameters, self.check_mode, mounts)
        items = [dict(item, state=item.get("state") or "present") for item in found.validated_parameters[title]]
        self._secrets.public(kind.public(items, context))
        self._secrets.public(str(item[name]) for item in items for name in NAMES if item.get(name) is not None)
        self.stages.append(Stage(title, kind, namespace, items, context))

    def _check_mounts(self, tree: Mapping[str, Any], kind: Kind, declared: Any, place: str) -> None:
        """Refuse objects in a mount that is to be absent: they would be deleted with it and fail at the next run."""
        gone = _gone(tree.get(kind.within[0]), "path", "type") if kind.within else set()
        if not gone or not isinstance(declared, (list, tuple)):
            return
        mounts = {
            normalise.path(item.get("mount"))
            for item in declared
            if isinstance(item, Mapping) and item.get("state") != "absent"
        }
        self.problems += [
            '%s: the mount "%s" that it is in is to be absent: correct one of the two' % (place, mount)
            for mount in sorted(mounts & gone)
        ]

    def libraries(self) -> Iterator[tuple[str, str | None]]:
        """Yield the Python libraries that the declared kinds need, with the errors of their import."""
        for stage in self.stages:
            yield from stage.kind.libraries

    def check(self, client: Client) -> None:
        """Validate all stages before the first of them changes anything. Raises InvalidInput.

        Objects of an earlier stage are not reported as missing. Refused requests are left to the stages: a namespace
        may not exist yet.
        """
        client.expect(self._made)
        for stage in self.stages:
            try:
                resources = stage.resources(_within(client, stage.namespace), planning=True)
                distinct(resources)
                preflight(resources)
            except InvalidInput as error:
                where = stage.title + (' in namespace "%s"' % stage.namespace if stage.namespace else "")
                raise error.at(where) from None
            except VaultError as error:
                if error.ends_task:
                    raise
                continue

    def converge(self, client: Client, update_secrets: str, workers: int) -> Report:
        """Write stage by stage, delete in reverse order, and return one report.

        A failed object does not stop the others, but then nothing is deleted: an object that could not be read may look
        undeclared, and one that could not be written may still need an object that is to be deleted.
        """
        changes: list[Change] = []
        deletions: list[list[Change]] = []
        client.expect(self._made)
        left = list(self.stages)
        while left and not ended(changes):
            stage = left.pop(0)
            failed = any(change.error is not None for change in changes)
            try:
                resources = stage.resources(_within(client, stage.namespace), purge=not failed)
                found = plan(resources, update_secrets if stage.kind.update_secrets else "always", workers)
            except SecretopsError as error:
                change = Change(_Whole(stage.title), NONE)
                change.resource.place = stage.place
                change.error = error.at(stage.title)
                changes.append(change)
                continue
            if not self.check_mode:
                apply([change for change in found if change.action != DELETE], workers)
                deletions.append([change for change in found if change.action == DELETE])
            changes += found
        if not unfinished(changes) and not ended(changes):
            for found in reversed(deletions):
                apply(found, workers)
                if any(change.error is not None for change in found):
                    break
        return Report(changes, self.check_mode, sum(len(stage.items) for stage in left))


def _gone(declared: Any, *names: str) -> set[str]:
    """Return the paths of the entries that are declared absent; each is the first of some options that is given."""
    return {
        normalise.path(next((item[name] for name in names if item.get(name)), ""))
        for item in (declared if isinstance(declared, (list, tuple)) else [])
        if isinstance(item, Mapping) and item.get("state") == "absent"
    } - {""}


def _kept(declared: Any, name: str) -> set[str]:
    """Return the paths of the entries that are declared present."""
    return {
        normalise.path(item.get(name))
        for item in (declared if isinstance(declared, (list, tuple)) else [])
        if isinstance(item, Mapping) and item.get("state") != "absent" and item.get(name)
    }


def _mounts(tree: Mapping[str, Any], kind: Kind) -> list[tuple[str, str]]:
    """Return path and type of the declared mounts that hold objects of a kind."""
    if kind.within is None:
        return []
    title, wanted = kind.within
    mounts = tree.get(title) or []
    return [
        (normalise.path(item.get("path") or item.get("type")), str(item.get("type") or ""))
        for item in (mounts if isinstance(mounts, (list, tuple)) else [])
        if isinstance(item, Mapping) and item.get("state") != "absent" and wanted in ("", item.get("type"))
    ]


def _within(client: Client, namespace: str) -> Client:
    """Return the client for a namespace below its own."""
    if not namespace:
        return client
    return client.within("/".join(part for part in (client.namespace, namespace) if part))
