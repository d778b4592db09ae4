# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Flux: reconcile the source and the Kustomization now, and wait until both are done.

Source: Flux documentation, Kustomization API, "Triggering a reconcile"; ``status.lastHandledReconcileAt`` repeats the
annotation's value, ``status.lastAppliedRevision`` is ``<branch>@sha1:<commit>``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from .._engine.errors import InvalidInput, SecretopsError
from .._engine.resource import Change
from .apply import Action
from .client import Client
from .kind import Kind, Object
from .objects import condition, keeping_managers
from .waiting import Expectation, wait_for

PROVIDER = "Flux"
REQUESTED = "reconcile.fluxcd.io/requestedAt"
MANAGER = "secretops.vault_eso.flux"
KUSTOMIZATION = Kind(
    "Kustomization", "kustomizations", "kustomize.toolkit.fluxcd.io", ("v1", "v1beta2"), True, PROVIDER
)
SOURCES = {
    name: Kind(name, plural, "source.toolkit.fluxcd.io", ("v1", "v1beta2"), True, PROVIDER)
    for name, plural in (
        ("GitRepository", "gitrepositories"),
        ("OCIRepository", "ocirepositories"),
        ("Bucket", "buckets"),
    )
}


def holds(revision: str, wanted: str) -> bool:
    """Tell whether a revision of Flux is the wanted commit; without a wanted one any revision is."""
    return bool(revision) and (not wanted or revision.rpartition(":")[2] == wanted or revision.endswith("/" + wanted))


def ready_message(current: Mapping[str, Any]) -> str:
    """Return reason and message of the Ready condition."""
    entry = condition(current)
    return ": ".join(str(entry[name]) for name in ("reason", "message") if entry.get(name)) or "no reason is given"


class Reconciled(Action):
    """A Kustomization that has applied a commit."""

    kind: ClassVar[str] = "Kustomization"
    api: ClassVar[Kind] = KUSTOMIZATION

    def __init__(self, client: Client, item: Mapping[str, Any], timeout: int) -> None:
        self.client = client
        self.namespace = item["namespace"]
        self.object_name = item["name"]
        self.wanted = item["revision"] or ""
        self.timeout = timeout
        self.stamp = ""
        self.current: Object = {}
        super().__init__("%s/%s" % (self.namespace, self.object_name), {"revision": self.wanted, "ready": True})

    @property
    def version(self) -> str:
        """The version of the API in which it is read and written. Raises NotServed."""
        return self.client.version_of(KUSTOMIZATION)

    def preflight(self) -> None:
        self.client.version_of(KUSTOMIZATION)

    def read(self) -> Mapping[str, Any] | None:
        path = KUSTOMIZATION.path(self.version, self.namespace, self.object_name)
        current = self.client.get(path)
        if current is None:
            raise InvalidInput("does not exist", remedy="create it, or correct its name and namespace")
        if (current.get("spec") or {}).get("suspend"):
            raise InvalidInput("is suspended, so Flux does not reconcile it", remedy="resume it")
        self.current = current
        return self.look_at(current)

    def look_at(self, current: Mapping[str, Any]) -> dict[str, Any]:
        """Return the compared state: the commit that was applied last, and whether that succeeded."""
        applied = str((current.get("status") or {}).get("lastAppliedRevision") or "")
        self.info["revision"] = applied
        entry = condition(current)
        ready = entry.get("status") == "True"
        return {"revision": self.wanted if holds(applied, self.wanted) else applied, "ready": ready}

    def request(self, kind: Kind, version: str, current: Mapping[str, Any], path: str, dry_run: bool = False) -> None:
        """Request a reconcile of an object."""
        metadata = {"annotations": {REQUESTED: self.stamp}}
        metadata = keeping_managers(self.client, kind, version, current, metadata)
        self.client.merge(path, {"metadata": metadata}, MANAGER, dry_run)

    def request_own(self, dry_run: bool = False) -> None:
        """Request a reconcile of the Kustomization."""
        path = KUSTOMIZATION.path(self.version, self.namespace, self.object_name)
        self.request(KUSTOMIZATION, self.version, self.current, path, dry_run)

    def source(self) -> Expectation:
        """Return the condition of the source to wait for. Raises SecretopsError."""
        reference = (self.current.get("spec") or {}).get("sourceRef") or {}
        kind = SOURCES.get(str(reference.get("kind")))
        if kind is None:
            raise InvalidInput('its source has the unknown kind "%s"' % reference.get("kind"), remedy="correct it")
        namespace, name = reference.get("namespace") or self.namespace, reference["name"]

        def look(current: Object | None) -> str:
            return self.handled("its source %s %s/%s" % (kind.name, namespace, name), current, "artifact")

        return Expectation(kind, self.client.version_of(kind), namespace, name, look)

    def handled(self, what: str, current: Object | None, revision: str) -> str:
        """Return "" when an object was reconciled since the request and has the commit, else what is lacking."""
        if current is None:
            raise SecretopsError("%s does not exist" % what, remedy="create it")
        status = current.get("status") or {}
        if status.get("lastHandledReconcileAt") != self.stamp:
            return "Flux has not reconciled %s (does it run?)" % what
        if condition(current).get("status") == "False":
            return "%s is not ready: %s" % (what, ready_message(current))
        held = (
            status.get("lastAppliedRevision")
            if revision == "applied"
            else (status.get("artifact") or {}).get("revision")
        )
        if condition(current).get("status") != "True" or not holds(str(held or ""), self.wanted):
            return "%s is at %s, not at the wanted commit" % (what, held or "no revision")
        return ""

    def write(self, change: Change) -> None:
        self.stamp = str(time.time_ns())
        source = self.source()
        path = source.kind.path(source.version, source.namespace, source.name)
        self.request(source.kind, source.version, self.client.get(path) or {}, path)
        for failed in wait_for(self.client, [source], self.timeout):
            raise failed.error or SecretopsError(failed.lacking)
        self.request_own()

    def server_dry_run(self, change: Change) -> None:
        self.stamp = str(time.time_ns())
        self.request_own(dry_run=True)

    def expectation(self) -> Expectation:
        def look(current: Object | None) -> str:
            lacking = self.handled("it", current, "applied")
            if current is not None and not lacking:
                self.look_at(current)
            return lacking

        return Expectation(KUSTOMIZATION, self.version, self.namespace, self.object_name, look)
