# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Kubernetes objects as resources of the engine: compared by declared fields, written by server-side apply.

Only declared fields are compared, so a server's defaults and other managers' fields are not drift. A field that this
collection applied before and that is no longer declared is drift as well, by the object's managedFields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from .._engine import normalise, wording
from .._engine.errors import InvalidInput, SecretopsError
from .._engine.reconcile import ended
from .._engine.resource import CREATE, DELETE, NONE, UPDATE, Change, Resource
from .client import Client
from .errors import Conflict, KubernetesError, Missing, Refused
from .fields import Path, compact, dotted, joined, leaves, look_up, matches, nested, owned, spelled, without_none, words
from .kind import Kind, Object
from .objects import MANAGER, managers, migrated
from .reading import Reader
from .schema import UNREADABLE, Schema, at, child, problems
from .waiting import Expectation

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@contextmanager
def about(kind: str, item: Mapping[str, Any]) -> Iterator[None]:
    """Add the name of the entry's object to errors that are raised inside."""
    try:
        yield
    except InvalidInput as error:
        name = "/".join(str(item[part]) for part in ("namespace", "name") if item.get(part))
        raise error.at('%s "%s"' % (kind, name)) from None


class Cluster:
    """The cluster that a task's objects are applied to, and the options of the apply. Sends no request by itself."""

    def __init__(self, client: Client, api_version: str | None = None, force_conflicts: bool = False) -> None:
        self.client = client
        self.reader = Reader(client)
        self.api_version = api_version
        self.force_conflicts = force_conflicts

    def version_of(self, kind: Kind) -> str:
        """Return the version of the API in which objects of a kind are read and written. Raises NotServed."""
        return self.client.version_of(kind, self.api_version)


class KubeObject(Resource):
    """One Kubernetes object with the declared labels, annotations and body.

    Subclasses set ``api`` and, for what they know of their kind, ``compared`` (how to compare a field, by dotted path),
    and ``whole`` (mappings without a schema, which are one field, by dotted path). Without a cluster it can be checked
    and rendered, and nothing else.
    """

    api: ClassVar[Kind]
    compared: ClassVar[Mapping[str, normalise.Normaliser]] = {}
    whole: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, item: Mapping[str, Any], body: Mapping[str, Any] | None, cluster: Cluster | None = None) -> None:
        self._cluster = cluster
        self.item = item
        self.namespace: str | None = item.get("namespace") or None
        self.object_name = str(item["name"])
        self.live: Object | None = None
        #: the declared part of the manifest
        self.declared: Object = {}
        desired = None
        if item["state"] == "present":
            # a server keeps no empty labels
            metadata = compact({name: words(name, item.get(name)) for name in ("labels", "annotations")})
            self.declared = {**({"metadata": metadata} if metadata else {}), **without_none(body or {})}
            self.paths = leaves(self.declared, whole=self.whole)
            desired = {dotted(path): value for path, value in self.paths.items()}
        name = "%s/%s" % (self.namespace, self.object_name) if self.namespace else self.object_name
        super().__init__(name, desired)

    @property
    def cluster(self) -> Cluster:
        """The cluster that it is applied to."""
        if self._cluster is None:
            raise TypeError("%s was made without a cluster" % self.label)
        return self._cluster

    @property
    def client(self) -> Client:
        """The client of the cluster."""
        return self.cluster.client

    @property
    def version(self) -> str:
        """The version of the API in which it is read and written. Raises NotServed."""
        return self.cluster.version_of(self.api)

    def rendered(self, version: str) -> Object:
        """Return the manifest in a version of the API."""
        return {
            "apiVersion": self.api.api_version(version),
            "kind": self.api.name,
            **self.declared,
            "metadata": {
                "name": self.object_name,
                **(self.declared.get("metadata") or {}),
                **({"namespace": self.namespace} if self.namespace else {}),
            },
        }

    @property
    def manifest(self) -> Object:
        """The manifest in the version in which it is written. Raises NotServed."""
        return self.rendered(self.version)

    def check(self) -> None:
        for what, name in (("name", self.object_name), ("namespace", self.namespace)):
            if name is not None and not _NAME.fullmatch(name):
                raise InvalidInput(
                    'the %s "%s" is not a Kubernetes name' % (what, name),
                    remedy='use lower case letters, digits, "-" and "."',
                )
        if self.api.namespaced and not self.namespace:
            raise InvalidInput("no namespace is given", remedy='set "namespace"')
        if not self.api.namespaced and self.namespace:
            raise InvalidInput("a %s belongs to no namespace" % self.api.name, remedy='remove "namespace"')

    def preflight(self) -> None:
        self.cluster.version_of(self.api)

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        reader = resources[0].cluster.reader
        reader.prefetch((one.api, one.version, one.namespace) for one in resources)

    def path(self) -> str:
        """Return the object's REST path."""
        return self.api.path(self.version, self.namespace, self.object_name)

    def fresh(self) -> Object | None:
        """Read the object from the server again."""
        self.live = self.client.get(self.path())
        return self.live

    def read(self) -> Mapping[str, Any] | None:
        self.live = self.cluster.reader.get(self.api, self.version, self.namespace, self.object_name)
        if self.live is None:
            return None
        if self.desired is None:
            return {"apiVersion": self.api.api_version(self.version)}
        fields = {dotted(path): look_up(self.live, path) for path in self.paths}
        fields.update({dotted(path): look_up(self.live, path) for path in self.stale(self.live)})
        return fields

    def stale(self, live: Mapping[str, Any]) -> list[Path]:
        """Return the fields that this collection applied before and that are no longer declared."""
        found: set[Path] = set()
        for entry in (live.get("metadata") or {}).get("managedFields") or []:
            if entry.get("manager") != MANAGER or entry.get("operation") != "Apply" or entry.get("subresource"):
                continue
            for path in owned(entry.get("fieldsV1") or {}):
                declared = any(path == known[: len(path)] or known == path[: len(known)] for known in self.paths)
                if not declared and look_up(live, path) is not None:
                    found.add(path)
        return sorted(found)

    @property
    def schema(self) -> Schema:
        """The served schema of this kind, or a minimal one where it cannot be read."""
        return self.client.schema(self.api, self.version) or UNREADABLE

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        differing = []
        for path, value in self.paths.items():
            name = dotted(path)
            normaliser, whole = self.compared.get(name), name in self.whole
            # the schema costs a request and is only needed to recognise defaults of the server
            if not matches(current.get(name), value, None, normaliser, whole) and (
                not isinstance(value, list) or not matches(current.get(name), value, at(self.schema, path), normaliser)
            ):
                differing.append(name)
        return sorted(differing + [name for name in current if name not in desired])

    def fit(self, schema: Schema) -> None:
        """Refuse values that a schema does not allow or drops silently. Raises InvalidInput; sends no request."""
        for name, value in self.declared.items():
            if name != "metadata":
                for problem in problems(child(schema, name), value, (name,)):
                    raise InvalidInput(
                        "%s %s" % (spelled(problem.path, self.item), problem.what), remedy=problem.remedy
                    )

    def validate(self) -> None:
        """Validate the manifest by the served schema before it is sent. Raises InvalidInput."""
        self.fit(self.schema)

    def write(self, change: Change) -> None:
        self.live = self._apply(dry_run=False)

    def delete(self, change: Change) -> None:
        self.client.delete(self.path(), ((self.live or {}).get("metadata") or {}).get("uid"))

    def server_dry_run(self, change: Change) -> None:
        """Run the server-side dry-run, for check mode. Raises SecretopsError."""
        if change.action == DELETE:
            self.client.delete(self.path(), dry_run=True)
            return
        try:
            self._apply(dry_run=True)
        except Missing:
            # in check mode the task that creates the namespace has not run either
            self.warnings.append('namespace "%s" does not exist yet' % self.namespace)

    def _apply(self, dry_run: bool) -> Object:
        answer = self._send(dry_run)
        # A server that does not know the schema (yet) drops unknown fields silently.
        dropped = sorted(
            dotted(path)
            for path, value in self.paths.items()
            if value not in ("", False, 0) and look_up(answer, path) is None
        )
        if dropped:
            raise Refused(
                "the API server dropped %s: the installed CRD does not have it" % (", ".join(dropped)),
                remedy="correct the name, or upgrade the operator and its CRDs",
            )
        return answer

    def _send(self, dry_run: bool) -> Object:
        """Apply; where the server cannot, patch the cause and apply again."""
        try:
            return self._send_once(dry_run)
        except Refused as error:
            # API servers before 1.21 leave null for a mapping whose last key is no longer declared
            patch = nested(self.emptied())
            if not patch:
                raise
            return self._send_after(patch, dry_run, error)
        except KubernetesError as error:
            # managedFields of a version that the CRD no longer lists cannot be converted: an apply answers 500
            fields = self.migrated()
            if error.status < 500 or fields is None:
                raise
            return self._send_after({"metadata": {"managedFields": fields}}, dry_run, error)

    def _send_after(self, patch: Object, dry_run: bool, cause: KubernetesError) -> Object:
        """Send a merge patch, then apply again. Raises the cause when the patch is refused."""
        try:
            if dry_run:
                # a dry-run of the patch leaves nothing that a second request could build on
                return self.client.merge(self.path(), joined(self.manifest, patch), MANAGER, True)
            self.client.merge(self.path(), patch, MANAGER)
        except KubernetesError:
            raise cause from None
        self.fresh()
        return self._send_once(dry_run)

    def emptied(self) -> list[Path]:
        """Return the mappings that become empty when fields that are no longer declared are removed."""
        gone = set(self.stale(self.live or {}))
        parents = {path[:-1] for path in gone if len(path) > 2}
        return sorted(
            path for path in parents if all((*path, str(key)) in gone for key in look_up(self.live, path) or {})
        )

    def migrated(self) -> list[Object] | None:
        """Return the object's managedFields moved to a served version, None when all versions are served."""
        fields, old = migrated(self.client, self.api, self.version, self.live or {})
        if fields is not None:
            self.warnings.append(
                "its managed fields are of %s, which its CRD no longer lists; they are migrated to %s"
                % (" and ".join(old), self.version)
            )
        return fields

    def _send_once(self, dry_run: bool) -> Object:
        manifest = self.manifest
        try:
            return self.client.apply(self.path(), manifest, MANAGER, self.cluster.force_conflicts, dry_run)
        except Conflict as error:
            causes = (error.body.get("details") or {}).get("causes") or []
            others = wording.field_managers(" ".join([error.said, *(str(one.get("message")) for one in causes)]))
            if not others:
                raise
            # Edits by hand (operation Update) are drift and are reverted; a tool that applies would revert ours in
            # turn.
            appliers = managers(self.live or {}, "Apply") & others
            if not appliers:
                return self.client.apply(self.path(), manifest, MANAGER, True, dry_run)
            fields = sorted(
                {
                    str(one.get("field", "")).lstrip(".")
                    for one in causes
                    if wording.field_managers(str(one.get("message"))) & appliers
                }
            )
            raise Conflict(
                "%s is applied by the field manager %s as well"
                % (", ".join(fields), " and ".join('"%s"' % name for name in sorted(appliers))),
                remedy='declare it in one of the two, or set "force_conflicts" to take it over',
            ) from error


def validate(changes: Sequence[Change]) -> None:
    """Validate planned objects by the served schema before any of them is sent. Raises InvalidInput."""
    for change in changes:
        if change.action in (CREATE, UPDATE) and change.error is None and isinstance(change.resource, KubeObject):
            try:
                change.resource.validate()
            except InvalidInput as error:
                raise error.at(change.resource.label) from None


def server_dry_run(changes: Sequence[Change]) -> None:
    """Run the server-side dry-run of every planned change; a refusal becomes the change's error."""
    for change in changes:
        if ended(changes):
            return
        if change.action != NONE and change.error is None and isinstance(change.resource, (KubeObject, Action)):
            try:
                change.resource.server_dry_run(change)
            except SecretopsError as error:
                change.error = error.at(change.resource.label)


class Action(Resource):
    """An action on an existing object, done each time: a sync, a restart."""

    def server_dry_run(self, change: Change) -> None:
        """Run the server-side dry-run. Raises SecretopsError."""
        raise NotImplementedError

    def expectation(self) -> Expectation:
        """Return the condition that proves the action; called after `write`."""
        raise NotImplementedError

    def conclude(self) -> None:
        """Record the proven outcome in `info`. Raises SecretopsError."""
