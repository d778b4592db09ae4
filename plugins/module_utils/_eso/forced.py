# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A forced sync, and the proof that it was done.

The operator does not record which version of a Vault secret it has read. The proof is that its status was written after
the force and for what it was forced with; stronger: that the bytes in the Secret are the wanted ones, compared here by
digest. Values stay in this process.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, ClassVar, NamedTuple, TypeVar

from .._engine.errors import InvalidInput, SecretopsError
from .._engine.resource import Change
from .._kubernetes.apply import Action
from .._kubernetes.client import Client
from .._kubernetes.errors import Forbidden, Missing
from .._kubernetes.kind import SECRET, Kind, Object
from .._kubernetes.objects import condition, keeping_managers
from .._kubernetes.reading import Reader
from .._kubernetes.waiting import Expectation
from .status import cause, frozen, synced_generation
from .targets import MANAGED, WRITTEN, Target, Targets, fills, lacks, refuse_unfilled, unseen

#: another manager than that of declarations, so that an annotation left behind is nobody's drift
MANAGER = "secretops.vault_eso.sync"
ANNOTATION = "force-sync"
#: begins the proof of a version of a key in Vault, for an ExternalSecret
Prover = Callable[[Object, str, int], Any]
#: the same for a PushSecret
PushProver = Callable[[Object], Any]
Made = TypeVar("Made")


class Contents(NamedTuple):
    """The contents of an object, as digests of its values by key; ``digests`` is None for a missing object."""

    digests: Mapping[str, str] | None = None
    #: whether nobody can change it
    immutable: bool = False
    #: when it was created, as Kubernetes writes it
    created: str = ""
    #: whether ``digests`` are all that it holds: not of a kind whose contents are not known here
    known: bool = True


def contents_of(current: Mapping[str, Any] | None) -> Contents:
    """Return the contents of a Secret, a ConfigMap or an object of any other kind."""
    if current is None:
        return Contents()
    # the objects of a list do not say their kind, and only Secrets are listed
    kind = current.get("kind") or "Secret"
    found: dict[str, str] = {}
    if kind == "Secret":
        found = digests(current)
    elif kind == "ConfigMap":
        found = digests({"data": current.get("binaryData")})
        for key, text in (current.get("data") or {}).items():
            found[key] = hashlib.sha256(str(text).encode()).hexdigest()
    created = str(current["metadata"].get("creationTimestamp") or "")
    return Contents(found, bool(current.get("immutable")), created, kind in ("Secret", "ConfigMap"))


def digests(secret: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the SHA-256 (hex) of each value of a Secret by key; {} for a missing one."""
    return {
        key: hashlib.sha256(base64.b64decode(value or "")).hexdigest()
        for key, value in ((secret or {}).get("data") or {}).items()
    }


def changed_keys(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the sorted names of the keys that were added, removed or given another value."""
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


def unproven(current: Mapping[str, Any], old: str, reasons: Sequence[str] = WRITTEN) -> str:
    """Return "" when an object was synced after its status was ``old``, with a reason, else what is lacking.

    Raises SecretopsError when waiting cannot help.
    """
    entry, status = condition(current), current.get("status") or {}
    version = str(status.get("syncedResourceVersion") or "")
    if not entry:
        return "was not synced (it has no status: does the operator run?)"
    if entry.get("status") != "True":
        return "was not synced (%s)" % ": ".join(str(entry[name]) for name in ("reason", "message") if entry.get(name))
    if version == old or synced_generation(current) != current["metadata"].get("generation"):
        return "was not synced (its status is still the one from before)"
    refuse_unfilled(current)
    if entry.get("reason") not in reasons:
        raise SecretopsError(
            "was not synced: the operator says %s" % ": ".join(str(entry.get(name)) for name in ("reason", "message")),
            remedy="look at its events and the operator's log",
        )
    return ""


def unexpected(target: Target, found: Mapping[str, str], item: Mapping[str, Any]) -> str:
    """Return "" when a Secret holds what ``expect_keys`` and ``expect_sha256`` want, else what is wrong."""
    wanted = {key: str(digest).lower() for key, digest in (item.get("expect_sha256") or {}).items()}
    missing = [key for key in sorted({*(item.get("expect_keys") or []), *wanted}) if key not in found]
    if missing:
        return "the %s lacks %s" % (target.label, ", ".join(missing))
    other = [key for key in sorted(wanted) if not hmac.compare_digest(found[key], wanted[key])]
    return "the %s holds another value than expected in %s" % (target.label, ", ".join(other)) if other else ""


class TargetContents:
    """The contents of targets; of many Secrets in a namespace by one list. Shared by the syncs of a run.

    All that reads raises Forbidden.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.targets = Targets(client)
        self._lock = threading.Lock()
        self._wanted: list[tuple[Kind, str, str | None]] = []
        self._before = self._reader()
        self._after: Reader | None = None

    def _reader(self) -> Reader:
        return Reader(self.client, {"labelSelector": MANAGED + "=true"}, contents_of)

    def expect(self, namespaces: Sequence[str | None]) -> None:
        """Say in which namespaces Secrets will be asked for, one entry for each Secret."""
        self._wanted += [(SECRET, "v1", namespace) for namespace in namespaces]
        self._before.prefetch(self._wanted)

    def before(self, target: Target) -> Contents:
        """Return the contents of a target at the beginning."""
        return self._get(self._before, target)

    def after(self, target: Target) -> Contents:
        """Return the contents of a target after all syncs."""
        with self._lock:
            if self._after is None:
                self._after = self._reader()
                self._after.prefetch(self._wanted)
        return self._get(self._after, target)

    def _get(self, reader: Reader, target: Target) -> Contents:
        if target.generic:
            return self.now(target)
        return reader.get(SECRET, "v1", target.namespace, target.name) or Contents()

    def now(self, target: Target) -> Contents:
        """Return the contents of a target now."""
        path = self.targets.path(target)
        return contents_of(None if path is None else self.client.get(path))


class SyncRun:
    """What the forced syncs of a task share. Asks the API server only when it is asked itself.

    ``prover`` and ``push_prover`` begin proofs in Vault; None without a connection to it.
    """

    def __init__(
        self,
        client: Client,
        api_version: str | None = None,
        prover: Prover | None = None,
        push_prover: PushProver | None = None,
    ) -> None:
        self.client = client
        self.reader = Reader(client)
        self.contents = TargetContents(client)
        self.api_version = api_version
        self.prover = prover
        self.push_prover = push_prover
        self._shared: dict[Any, Any] = {}

    def version_of(self, kind: Kind) -> str:
        """Return the version in which objects of a kind are read and forced. Raises NotServed."""
        # no version serves all kinds: the option is for those that have several
        return self.client.version_of(kind, self.api_version if len(kind.versions) > 1 else None)

    def shared(self, make: Callable[[Client], Made]) -> Made:
        """Return what ``make`` makes of the client, once for all syncs."""
        if make not in self._shared:
            self._shared[make] = make(self.client)
        made: Made = self._shared[make]
        return made


class Forced(Action):
    """One forced sync, of an ExternalSecret or of all those of a ClusterExternalSecret."""

    api: ClassVar[Kind]
    annotation: ClassVar[str] = ANNOTATION

    def __init__(self, run: SyncRun, item: Mapping[str, Any]) -> None:
        self.run = run
        self.client = run.client
        self.item = item
        self.namespace: str | None = item.get("namespace") if self.api.namespaced else None
        self.object_name = item["name"]
        self.live: Object = {}
        self.value = "%d-%s" % (time.time_ns() // 1_000_000, secrets.token_hex(4))
        name = "%s/%s" % (self.namespace, self.object_name) if self.api.namespaced else self.object_name
        super().__init__(name, {self.annotation: self.value})

    @property
    def version(self) -> str:
        """The version of the API in which it is read and forced. Raises NotServed."""
        return self.run.version_of(self.api)

    def preflight(self) -> None:
        self.run.version_of(self.api)

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        resources[0].run.reader.prefetch((one.api, one.version, one.namespace) for one in resources)

    def current(self) -> Object:
        """Read the object. Raises SecretopsError when it does not exist."""
        found = self.run.reader.get(self.api, self.version, self.namespace, self.object_name)
        if found is None:
            raise SecretopsError("does not exist", remedy="create it first, or correct name and namespace")
        self.live = found
        return found

    def refuse_frozen(self, spec: Mapping[str, Any]) -> None:
        """Raise InvalidInput when the operator would not sync it."""
        if frozen(spec):
            raise InvalidInput(
                "%s: the operator never syncs it again" % frozen(spec),
                remedy="give it a refresh interval, or the refresh policy OnChange",
            )

    def contents(self, read: Callable[[Target], Contents], target: Target) -> Contents | None:
        """Return the contents of a target, None with a warning when it may not be read."""
        try:
            return read(target)
        except Forbidden as error:
            if self.item.get("expect_keys") or self.item.get("expect_sha256"):
                raise
            warning = unseen(target, error)
            if warning not in self.warnings:
                self.warnings.append(warning)
            return None

    def lacking(self, target: Target) -> str:
        """Return what a target lacks of what is expected, "" for nothing."""
        if not self.item.get("expect_keys") and not self.item.get("expect_sha256"):
            return ""
        contents = self.contents(self.run.contents.now, target) or Contents()
        return unexpected(target, contents.digests or {}, self.item)

    def arrived(self, current: Object, target: Target) -> Contents | None:
        """Return the contents of a target after the sync, None when it may not be read. Raises SecretopsError."""
        after = self.contents(self.run.contents.after, target)
        spec = current.get("spec") or {}
        if after is not None and fills(spec):
            lacking = lacks(target, spec, after.digests)
            if lacking:
                raise SecretopsError(lacking, remedy="force it again, and look whether something else removes it")
        return after

    def force(self, dry_run: bool) -> Object:
        """Change the annotation."""
        metadata = {"annotations": {self.annotation: self.value}}
        metadata = keeping_managers(self.client, self.api, self.version, self.live, metadata)
        path = self.api.path(self.version, self.namespace, self.object_name)
        return self.client.merge(path, {"metadata": metadata}, MANAGER, dry_run)

    def server_dry_run(self, change: Change) -> None:
        self.force(dry_run=True)

    def write(self, change: Change) -> None:
        try:
            self.forced(self.force(dry_run=False))
        except Missing as error:
            raise SecretopsError("was deleted meanwhile", remedy="create it again") from error

    def forced(self, answer: Object) -> None:
        """Record the state of the object when it was forced."""

    def expectation(self) -> Expectation:
        def explain(current: Object | None) -> str:
            return cause(self.client, *self.culprit(current))

        return Expectation(self.api, self.version, self.namespace, self.object_name, self._look, explain)

    def culprit(self, current: Object | None) -> tuple[str, Object | None]:
        """Return kind and object whose events tell why the sync is late."""
        return self.api.name, current

    def _look(self, current: Object | None) -> str:
        """Return "" when the sync is done, else what is lacking. Raises SecretopsError when waiting cannot help."""
        raise NotImplementedError

    def refuse_foreign(self, current: Object | None) -> Object:
        """Raise SecretopsError when the object is gone or somebody else forces it too."""
        if current is None:
            raise SecretopsError("was deleted while it was waited for", remedy="create it again")
        if (current["metadata"].get("annotations") or {}).get(self.annotation) != self.value:
            raise SecretopsError(
                'somebody else changed the annotation "%s" meanwhile' % self.annotation,
                remedy="run again; remove it from the declaration if it is declared",
            )
        return current


class Single(Forced):
    """One forced sync of one object of a namespace, proven by its own status."""

    #: the reasons of its Ready condition once it was synced
    reasons: ClassVar[Sequence[str]] = WRITTEN

    def __init__(self, run: SyncRun, item: Mapping[str, Any]) -> None:
        self.old = ""
        #: the object as it was when it was proven to be synced
        self.last: Object = {}
        super().__init__(run, item)

    def check(self) -> None:
        if not self.namespace:
            raise InvalidInput("no namespace is given", remedy='set "namespace"')

    def look_at(self, current: Object) -> None:
        """Record what is needed of the object before it is forced."""

    def read(self) -> Mapping[str, Any] | None:
        current = self.current()
        self.look_at(current)
        return {self.annotation: (current["metadata"].get("annotations") or {}).get(self.annotation)}

    def forced(self, answer: Object) -> None:
        self.old = str((answer.get("status") or {}).get("syncedResourceVersion") or "")

    def missing(self) -> str:
        """Return what the synced object still lacks, "" for nothing."""
        return ""

    def _look(self, current: Object | None) -> str:
        current = self.refuse_foreign(current)
        lacking = unproven(current, self.old, self.reasons) or self.missing()
        if not lacking:
            self.last = current
            status = current.get("status") or {}
            self.info.update(
                refresh_time=status.get("refreshTime"),
                synced_resource_version=status.get("syncedResourceVersion"),
                reason=condition(current).get("reason"),
            )
        return lacking
