# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The whole way between a Secret and its values in Vault, link by link: which one breaks first, and what to do.

An ExternalSecret's goes from Vault to Kubernetes, a PushSecret's the other way.

The operator's own login is made (TokenRequest, login, revoked at the end), so that what is found is what the operator
meets. Of secrets only the names of their keys are kept. Requests grow with the number of logins and of distinct
secrets, not with that of ExternalSecrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from .._engine.errors import InvalidInput
from .._engine.module import Module
from .._eso.external_secret import EXTERNAL_SECRET
from .._eso.provider import references
from .._eso.push_secret import PUSH_SECRET
from .._eso.status import cause, ready, synced
from .._eso.store import CLUSTER_STORE, STORE, check_store
from .._eso.targets import Targets
from .._kubernetes.client import Client as Kubernetes
from .._kubernetes.errors import Forbidden, NotServed
from .._kubernetes.kind import SECRET
from .._kubernetes.waiting import with_cause
from .._vault.connection.client import Client as Vault
from .._vault.connection.module import connect, logged_in
from .access import Access
from .links import Broken, Need, Session, Source, broken, is_push, needs, push_needs, quoted
from .logins import Logins, Warn
from .sources import Sources


class Chain:
    """Verifies many ExternalSecrets and PushSecrets over one connection to each side."""

    def __init__(self, kubernetes: Kubernetes, vault: Vault, warn: Warn, ready: bool = True, workers: int = 4) -> None:
        self.kubernetes = kubernetes
        self.vault = vault
        self.ready = ready
        self.workers = max(workers, 1)
        self.sources = Sources(kubernetes)
        self.version = kubernetes.version_of(EXTERNAL_SECRET)
        self._sessions: dict[tuple[str, str, str, str], Session] = {}
        self.targets = Targets(kubernetes)
        self.logins = Logins(kubernetes, vault, warn)
        self.access = Access(self.logins)

    def survey(self, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Verify what is there. ``wanted``: namespaces, name, label_selector. Raises SecretopsError."""
        spaces = wanted.get("namespaces")
        query = {"labelSelector": wanted["label_selector"]} if wanted.get("label_selector") else None
        kinds = [(EXTERNAL_SECRET, self.version)]
        with suppress(NotServed):
            kinds.append((PUSH_SECRET, self.kubernetes.version_of(PUSH_SECRET)))
        found = [
            one
            for kind, version in kinds
            for space in (spaces if spaces is not None else [None])
            for one in self.kubernetes.list_objects(kind.path(version, space), query)
            if wanted.get("name") in (None, one["metadata"]["name"])
        ]
        self.sources.read(spaces)
        return self.verify(found, lone=not query and wanted.get("name") is None)

    def reasons(self, objects: Sequence[Mapping[str, Any] | None]) -> list[str]:
        """Return for each object which link does not hold, "" for none and for what belongs to no namespace."""
        self._sessions.clear()
        found = [one for one in objects if one is not None and one["metadata"].get("namespace")]
        # their status is newer now
        self.sources.read(sorted({one["metadata"]["namespace"] for one in found}))
        # whoever asks has told already what the object's own status says
        told = iter(
            "everything in Vault holds" if one["link"] == "status" else one["message"] for one in self.verify(found)
        )
        return [next(told) if one is not None and one["metadata"].get("namespace") else "" for one in objects]

    def session(self, source: Source, namespace: str) -> Session:
        """Return the login that a source makes from a namespace; shared where it is the same."""
        auth = source.vault.get("auth") or {}
        bound = source.cluster and all(ref.get("namespace") for _where, ref in references(auth))
        effective = "" if bound else namespace
        return self._sessions.setdefault(
            (source.kind, source.namespace, source.name, effective), Session(source, effective)
        )

    # -- verifying ----------------------------------------------------------------------------------------------------

    def verify(self, external_secrets: Sequence[Mapping[str, Any]], lone: bool = False) -> list[dict[str, Any]]:
        """Return an entry for each ExternalSecret, with ``lone`` one for each store that none of them uses as well.

        Raises SecretopsError when a side cannot be asked. No login outlives this call.
        """
        plans = [self._plan(one) for one in external_secrets]
        others = self._lone_stores() if lone else []
        sessions = list(self._sessions.values())
        try:
            with ThreadPoolExecutor(max_workers=self.workers) as pool:
                list(pool.map(self.logins.log_in, sessions))
                for session in sessions:
                    if session.error is None:
                        self.access.check_paths(session)
                        self.access.check_contents(session, pool)
        finally:
            self.logins.revoke(sessions)
        self.targets = Targets(self.kubernetes, [one["metadata"].get("namespace") for one in external_secrets])
        results = [self._judge(one, *plan) for one, plan in zip(external_secrets, plans)]
        return results + [self._judge_store(session) for session in others]

    def _plan_push(self, current: Mapping[str, Any]) -> tuple[list[tuple[Session, Need]], Broken | None]:
        spec, namespace = current.get("spec") or {}, current["metadata"]["namespace"]
        steps: list[tuple[Session, Need]] = []
        error: Broken | None = None
        for reference in self.sources.named(namespace, spec.get("secretStoreRefs") or []):
            try:
                source = self.sources.store(namespace, reference)
            except Broken as one:
                error = error or one
                continue
            if source is None:
                continue
            for entry in spec.get("data") or []:
                session = self.session(source, namespace)
                steps += [(session, need) for need in push_needs(spec, entry, source.vault)]
        for session, need in steps:
            session.needs[need] = None
        return steps, error or self._source_secret(namespace, spec)

    def _source_secret(self, namespace: str, spec: Mapping[str, Any]) -> Broken | None:
        """Return what the Secret lacks that a PushSecret pushes, None for nothing and for what is chosen by labels."""
        name = ((spec.get("selector") or {}).get("secret") or {}).get("name")
        if not name:
            return None
        where = 'Secret "%s/%s"' % (namespace, name)
        try:
            secret = self.kubernetes.get(SECRET.path("v1", namespace, name))
        except Forbidden as error:
            self.logins.say("%s: not verified: %s" % (where, error))
            return None
        if secret is None:
            return broken("source", "does not exist", where, "create it, or correct selector.secret.name")
        if spec.get("template"):
            # what it makes is pushed
            return None
        data = secret.get("data") or {}
        for entry in spec.get("data") or []:
            key = (entry.get("match") or {}).get("secretKey")
            if key and key not in data:
                return broken(
                    "source",
                    'has no key "%s", only %s' % (key, quoted(sorted(data)[:12]) or "none at all"),
                    where,
                    "add it, or correct secretKey",
                )
        return None

    def _plan(self, current: Mapping[str, Any]) -> tuple[list[tuple[Session, Need]], Broken | None]:
        if is_push(current):
            return self._plan_push(current)
        spec, namespace = current.get("spec") or {}, current["metadata"]["namespace"]
        steps: list[tuple[Session, Need]] = []
        for entry in [*(spec.get("data") or []), *(spec.get("dataFrom") or [])]:
            other = entry.get("sourceRef") or {}
            try:
                if other.get("generatorRef"):
                    made = self.sources.generator(namespace, other["generatorRef"])
                    if made is not None:
                        steps.append((self.session(made[0], namespace), made[1]))
                    continue
                source = self.sources.store(namespace, other.get("storeRef") or spec.get("secretStoreRef") or {})
                wanted = [] if source is None else needs(spec, entry, source.vault)
            except Broken as error:
                return steps, error
            if source is not None:
                session = self.session(source, namespace)
                steps += [(session, need) for need in wanted]
        for session, need in steps:
            session.needs[need] = None
        return steps, None

    def _lone_stores(self) -> list[Session]:
        used = {(one.source.kind, one.source.namespace, one.source.name) for one in self._sessions.values()}
        lone = []
        for key in sorted(set(self.sources.stores) - used):
            spec = self.sources.stores[key].get("spec") or {}
            vault = (spec.get("provider") or {}).get("vault")
            cluster = key[0] == CLUSTER_STORE.name
            if vault is None:
                continue
            source = Source(*key, vault, cluster, self.sources.stores[key])
            if cluster and any(not ref.get("namespace") for _where, ref in references(vault.get("auth") or {})):
                # whose credentials it takes is known only where it is used
                continue
            session = self.session(source, key[1])
            try:
                check_store(key[0], key[1] or None, spec)
            except InvalidInput as error:
                session.error = broken("store", error.what, source.label, error.remedy)
            lone.append(session)
        return lone

    # -- judging ------------------------------------------------------------------------------------------------------

    def _judge(
        self, current: Mapping[str, Any], steps: Sequence[tuple[Session, Need]], error: Broken | None
    ) -> dict[str, Any]:
        metadata = current["metadata"]
        kind = (PUSH_SECRET if is_push(current) else EXTERNAL_SECRET).name
        first = next((session.error for session, _need in steps if session.error), None) or error
        first = first or next((session.needs[need] for session, need in steps if session.needs[need]), None)
        if first is None and self.ready:
            first = next((lacking for lacking in (self._unready(session) for session, _need in steps) if lacking), None)
            lacking = synced(dict(current))
            if first is None and lacking:
                why = cause(self.kubernetes, kind, dict(current))
                first = broken(
                    "status",
                    "everything in Vault holds, but it %s" % with_cause(lacking, why),
                    "",
                    "force a sync, and look at the operator's log",
                )
        untried = sorted({session.untried for session, _need in steps if session.untried})
        if first is None and self.ready and kind == EXTERNAL_SECRET.name:
            # the operator says Ready where it had nothing to write as well
            lacking, unseen = self.targets.judge(dict(current))
            untried += [unseen] if unseen else []
            if lacking:
                first = broken("target", lacking, "", "")
        return self._entry(kind, metadata.get("namespace") or "", metadata["name"], first, untried)

    def _judge_store(self, session: Session) -> dict[str, Any]:
        first = session.error or (self._unready(session) if self.ready else None)
        source = session.source
        return self._entry(
            source.kind, source.namespace, source.name, first, [session.untried] if session.untried else []
        )

    @staticmethod
    def _entry(kind: str, namespace: str, name: str, error: Broken | None, untried: Sequence[str]) -> dict[str, Any]:
        return {
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "holds": error is None,
            "link": error.link if error else "",
            "message": str(error) if error else "",
            "not_verified": list(untried),
        }

    def _unready(self, session: Session) -> Broken | None:
        source = session.source
        if source.kind not in (STORE.name, CLUSTER_STORE.name):
            return None
        lacking = ready(dict(source.live))
        if not lacking:
            return None
        why = cause(self.kubernetes, source.kind, dict(source.live))
        return broken(
            "store",
            "everything in Vault holds, but it %s" % with_cause(lacking, why),
            source.label,
            "check that the operator's pods reach %s and trust its CA" % source.vault.get("server"),
        )


@contextmanager
def connected(kubernetes: Kubernetes, module: Module) -> Iterator[Chain]:
    """Give a chain over a module's connection to a cluster and its option ``vault``; errors end the module."""
    params = module.params["vault"]
    warn = module.ansible.warn
    with module.failing_clearly(), logged_in(connect(params, warn=warn), params, warn) as vault:
        yield Chain(kubernetes, vault, warn, module.params.get("ready", True), module.params["workers"])


def sentence(results: Sequence[Mapping[str, Any]]) -> str:
    """Return one text for what does not hold: each cause once, with the objects that it hits."""
    causes: dict[str, list[str]] = {}
    for one in results:
        if not one["holds"]:
            name = "%s/%s" % (one["namespace"], one["name"]) if one["namespace"] else one["name"]
            causes.setdefault(one["message"], []).append('%s "%s"' % (one["kind"], name))
    parts = []
    for message, hit in list(causes.items())[:5]:
        others = " and %d more" % (len(hit) - 2) if len(hit) > 2 else ""
        parts.append("%s%s: %s" % (", ".join(hit[:2]), others, message))
    if len(causes) > 5:
        parts.append("and %d more causes, see results" % (len(causes) - 5))
    return ". ".join(parts)
