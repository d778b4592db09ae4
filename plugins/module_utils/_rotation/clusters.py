# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""One Kubernetes cluster that gets new values: asked before, forced to sync, proven, restarted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Callable, NamedTuple

from .._chain.links import api_path, quoted
from .._chain.proof import Proof
from .._chain.verify import Chain
from .._engine.errors import InvalidInput, SecretopsError
from .._engine.reconcile import apply, plan
from .._engine.resource import Change
from .._eso.external_secret import EXTERNAL_SECRET
from .._eso.forced import SyncRun
from .._eso.sync import syncs
from .._kubernetes.apply import Action, server_dry_run
from .._kubernetes.client import Client as Kubernetes
from .._kubernetes.module import prove
from .._kubernetes.options import connect
from .._kubernetes.rollout import Rollout
from .._vault.base.naming import in_url
from .._vault.connection.client import Client as Vault
from .declared import Application, Place

#: an application and the version that it is to have
Wanted = tuple[Application, int]


class Synced(NamedTuple):
    """What became of one sync: an error, or whether the bytes are proven and if not why."""

    error: SecretopsError | None
    unproven: str = ""


class Cluster:
    """One Kubernetes cluster. Its connection is opened by `open`."""

    def __init__(
        self, name: str, params: Mapping[str, Any], vault: Vault, warn: Callable[[str], None], workers: int
    ) -> None:
        self.name = name
        self.params = params
        self.vault = vault
        self.warn = warn
        self.workers = workers
        self.client: Kubernetes | None = None
        self.chain: Chain | None = None
        #: the keys by which an ExternalSecret reads the secret of an application
        self._keys: dict[tuple[Place, str], list[str]] = {}

    def open(self, applications: Sequence[Application]) -> None:
        """Connect, and look at the stores. Raises SecretopsError."""
        self.client = connect(self.params)
        if any(self._here(one.external_secrets) for one in applications):
            self.chain = Chain(self.client, self.vault, self.warn, workers=self.workers)
            self.chain.sources.read(
                sorted({place.namespace for one in applications for place in self._here(one.external_secrets)})
            )

    def close(self) -> None:
        """Close the connection."""
        if self.client is not None:
            self.client.close()

    def _here(self, places: Iterable[Place]) -> list[Place]:
        return [place for place in places if place.cluster == self.name]

    # -- before anything changes --------------------------------------------------------------------------------------

    def check(self, applications: Sequence[Application], wait: bool) -> dict[str, SecretopsError]:
        """Return why applications cannot be brought to this cluster, by their names; changes nothing.

        The API server does all of it but storing it: it is there, the objects are, and so are the rights.
        ``wait``: whether restarts are waited for.
        """
        try:
            self.open(applications)
            return self._check_objects(applications, wait)
        except SecretopsError as error:
            found = error.at("Kubernetes cluster %s" % self.name)
            return {one.name: found for one in applications}

    def _check_objects(self, applications: Sequence[Application], wait: bool) -> dict[str, SecretopsError]:
        problems: dict[Place, SecretopsError] = {}
        places = list(dict.fromkeys(place for one in applications for place in self._here(one.external_secrets)))
        forced = syncs(SyncRun(self._client()), [_item(place) for place in places])
        problems.update(_errors(places, self._dry_run(forced)))
        lives = {place: one.live for place, one in zip(places, forced)}
        workloads = list(dict.fromkeys(place for one in applications for place in self._here(one.workloads)))
        rollouts = [Rollout(self._client(), _item(place), wait) for place in workloads]
        problems.update(_errors(workloads, self._dry_run(rollouts)))
        found: dict[str, SecretopsError] = {}
        for one in applications:
            mine = self._here((*one.external_secrets, *one.workloads))
            error = next((problems[place] for place in mine if place in problems), None)
            try:
                if error is None:
                    for place in self._here(one.external_secrets):
                        self._keys[place, one.secret] = self._keys_of(place, one, lives[place])
            except SecretopsError as wrong:
                error = wrong.at('ExternalSecret "%s/%s"' % (place.namespace, place.name))
            if error is not None:
                found[one.name] = error.at("Kubernetes cluster %s" % self.name)
        return found

    def _client(self) -> Kubernetes:
        if self.client is None:
            raise RuntimeError("the cluster was not asked")
        return self.client

    def _dry_run(self, actions: Sequence[Action]) -> list[Change]:
        changes = plan(actions, workers=self.workers)
        server_dry_run(changes)
        return changes

    def _keys_of(self, place: Place, application: Application, current: Mapping[str, Any]) -> list[str]:
        """Return the keys by which an ExternalSecret reads an application's secret. Raises SecretopsError."""
        if self.chain is None:
            raise RuntimeError("the cluster was not asked")
        spec = current.get("spec") or {}
        path = "%s/data/%s" % (application.mount, application.path)
        here = (self.vault.namespace or "").strip("/")
        keys: dict[str, None] = {}
        others: set[str] = set()
        for entry in [*(spec.get("data") or []), *(spec.get("dataFrom") or [])]:
            remote = entry.get("remoteRef") or entry.get("extract") or {}
            if not remote.get("key"):
                continue
            key = str(remote["key"])
            store = (entry.get("sourceRef") or {}).get("storeRef") or spec.get("secretStoreRef") or {}
            source = self.chain.sources.store(place.namespace, store)
            inside = "" if source is None else str(source.vault.get("namespace") or "").strip("/")
            if source is None or inside != here or in_url(api_path(source.vault, key)) != in_url(path):
                others.add(key)
                continue
            if remote.get("version"):
                raise InvalidInput(
                    'it reads version %s of "%s": a new one never arrives' % (remote["version"], key),
                    remedy="remove the version from its remote reference",
                )
            keys[key] = None
        if not keys:
            raise InvalidInput(
                'it does not read the secret "%s"%s'
                % (application.secret, ", only %s" % quoted(sorted(others)) if others else ""),
                remedy="correct the path of the application, or take the ExternalSecret out of it",
            )
        return list(keys)

    # -- bringing new values ------------------------------------------------------------------------------------------

    def sync(self, wanted: Sequence[Wanted], timeout: float) -> dict[str, Synced]:
        """Force what reads these versions and wait for the proof; return the outcome by application."""
        places: dict[Place, dict[str, int]] = {}
        for one, version in wanted:
            for place in self._here(one.external_secrets):
                expected = places.setdefault(place, {})
                expected.update(dict.fromkeys(self._keys[place, one.secret], version))
        if not places or self.chain is None:
            return {}
        run = SyncRun(self._client(), None, partial(Proof, self.chain))
        try:
            actions = syncs(run, [{**_item(place), "expect_versions": keys} for place, keys in places.items()])
            changes = self._apply(actions, timeout, self.chain.reasons)
            errors = _errors(list(places), changes)
        except SecretopsError as error:
            # the cluster as a whole
            errors, changes = dict.fromkeys(places, error), []
        unproven = {
            place: "; ".join(sorted({text for text in (change.resource.info.get("unproven") or {}).values() if text}))
            or ("" if change.resource.info.get("proven") else "its target may not be read here")
            for place, change in zip(places, changes)
        }
        found: dict[str, Synced] = {}
        for one, _version in wanted:
            mine = self._here(one.external_secrets)
            failure = next((errors[place] for place in mine if place in errors), None)
            reason = "; ".join("%s: %s" % (place.label, unproven[place]) for place in mine if unproven.get(place))
            if mine:
                found[one.name] = Synced(failure.at("Kubernetes cluster %s" % self.name) if failure else None, reason)
        return found

    def restart(self, applications: Sequence[Application], wait: bool, timeout: float) -> dict[str, SecretopsError]:
        """Restart the workloads of applications; return what failed by application."""
        places = list(dict.fromkeys(place for one in applications for place in self._here(one.workloads)))
        if not places:
            return {}
        actions = [Rollout(self._client(), _item(place), wait) for place in places]
        try:
            errors = _errors(places, self._apply(actions, timeout if wait else None))
        except SecretopsError as error:
            errors = dict.fromkeys(places, error)
        found: dict[str, SecretopsError] = {}
        for one in applications:
            failure = next((errors[place] for place in self._here(one.workloads) if place in errors), None)
            if failure is not None:
                found[one.name] = failure.at("Kubernetes cluster %s" % self.name)
        return found

    def _apply(
        self,
        actions: Sequence[Action],
        timeout: float | None,
        reasons: Callable[[Sequence[Any]], Sequence[str]] | None = None,
    ) -> list[Change]:
        changes = plan(actions, workers=self.workers)
        apply(changes, self.workers)
        if timeout is not None:
            prove(self._client(), changes, timeout, self.workers, reasons)
        return changes


def _item(place: Place) -> dict[str, Any]:
    return {"kind": place.kind or EXTERNAL_SECRET.name, "namespace": place.namespace, "name": place.name}


def _errors(places: Sequence[Place], changes: Sequence[Change]) -> dict[Place, SecretopsError]:
    """Return the error of each place whose change has one; what nobody looked at shares the error that ended it."""
    common = next((change.error for change in changes if change.error is not None and change.error.ends_task), None)
    found: dict[Place, SecretopsError] = {}
    for place, change in zip(places, changes):
        error = change.error
        if error is None and common is not None and not (change.seen and change.reached):
            error = common
        if error is not None:
            found[place] = error
    return found
