#!/usr/bin/env python3
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An EMULATED External Secrets Operator controller, for labs where no cluster can run the real one.

It refuses to run beside a real one, and marks what it does: field manager and Event source are
`emulated-external-secrets`. What it does and what it refuses stands in README.md beside this file.

    python eso_controller.py --kubeconfig FILE [--context NAME] [--resync SECONDS]

Exit codes: 0 ended by SIGTERM or SIGINT; 2 wrong use; 3 a real operator is (or may be) in the cluster.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from functools import partial

import urllib3
from eso_cluster import ClusterExternalSecretReconciler
from eso_externalsecret import ExternalSecretReconciler
from eso_kube import NAME, ApiError, Informer, Key, Kube, Object, Recorder, WorkQueue, core, key_of, log, path_of
from eso_policy import GROUP, LABEL_MANAGED, target_name
from eso_push import PushSecretReconciler
from eso_store import StoreReconciler
from eso_template import TemplateError
from eso_values import synced_resource_version
from eso_vault import VaultError

# kind: (plural, API versions in order of preference)
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "SecretStore": ("secretstores", ("v1", "v1beta1")),
    "ClusterSecretStore": ("clustersecretstores", ("v1", "v1beta1")),
    "ExternalSecret": ("externalsecrets", ("v1", "v1beta1")),
    "ClusterExternalSecret": ("clusterexternalsecrets", ("v1", "v1beta1")),
    "PushSecret": ("pushsecrets", ("v1alpha1",)),
    "ClusterPushSecret": ("clusterpushsecrets", ("v1alpha1",)),  # only told that it is not emulated
}
WORKERS = 4
START = 20.0  # seconds that the API server may take to answer at the start


class RealOperator(Exception):
    """A real External Secrets Operator is in the cluster, or it cannot be known that none is."""


def refuse_beside_a_real_one(kube: Kube) -> None:
    """Raise RealOperator when a Deployment of the real operator exists; ApiError or urllib3's when nobody can tell."""
    query = {"labelSelector": "app.kubernetes.io/name=external-secrets"}
    found = kube.call("GET", path_of("apps/v1", "deployments"), query)["items"]
    if found:
        meta = found[0]["metadata"]
        raise RealOperator(
            f"Deployment {meta['namespace']}/{meta['name']} is a real External Secrets Operator; an "
            "emulated controller must not run beside it: delete that Deployment, or do not start this"
        )


class Discovery:
    """Which API version serves each kind; asked again when a kind is missing or its path is gone."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.lock = threading.Lock()
        self.known: dict[str, str] = {}  # kind -> group/version

    def refresh(self) -> None:
        """Ask the API server what it serves. Raise ApiError or urllib3's errors."""
        served: dict[str, set[str]] = {}
        group = self.kube.find(f"/apis/{GROUP}")
        for entry in (group or {}).get("versions") or []:
            resources = self.kube.find(f"/apis/{entry['groupVersion']}") or {}
            served[entry["version"]] = {item["name"] for item in resources.get("resources") or []}
        known = {}
        for kind, (plural, versions) in KINDS.items():
            version = next((name for name in versions if plural in served.get(name, ())), None)
            if version:
                known[kind] = f"{GROUP}/{version}"
        with self.lock:
            if known != self.known:
                log("serving", ", ".join(f"{kind} {known[kind].split('/')[1]}" for kind in known) or "nothing yet")
            self.known = known

    def path(self, kind: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The API path of an object. Raise ApiError (404) while its kind is not served."""
        with self.lock:
            version = self.known.get(kind)
        if version is None:
            raise ApiError(
                404,
                "NotFound",
                f"{kind}.{GROUP} is not served by this cluster; install the operator's CustomResourceDefinitions",
            )
        return path_of(version, KINDS[kind][0], namespace, name, subresource)

    def serves(self, kind: str) -> bool:
        """Whether a kind was served when last asked."""
        with self.lock:
            return kind in self.known

    def locate(self, kind: str) -> str | None:
        """The path to list a kind, freshly discovered; None while it is not served."""
        self.refresh()
        with self.lock:
            version = self.known.get(kind)
        return path_of(version, KINDS[kind][0]) if version else None


class Controller:
    """Watches, the work queue and its workers."""

    def __init__(self, kube: Kube, resync: float, controller_class: str) -> None:
        self.kube, self.resync = kube, resync
        self.queue = WorkQueue()
        self.discovery = Discovery(kube)
        self.recorder = Recorder(kube)
        self.stopping = threading.Event()
        self.failure = ""
        self.store = StoreReconciler(kube, self.discovery, self.recorder, controller_class)
        self.external_secret = ExternalSecretReconciler(kube, self.discovery, self.recorder, controller_class)
        self.cluster = ClusterExternalSecretReconciler(kube, self.discovery, self.recorder)
        self.push = PushSecretReconciler(kube, self.discovery, self.recorder, controller_class)
        self.informers: dict[str, Informer] = {}
        for kind in KINDS:
            self.informers[kind] = Informer(kube, kind, partial(self.discovery.locate, kind), self.changed)
        self.informers["Secret"] = Informer(
            kube,
            "Secret",
            lambda: core("secrets"),
            self.secret_changed,
            {"labelSelector": f"{LABEL_MANAGED}=true"},
            metadata_only=True,
        )
        self.informers["Namespace"] = Informer(
            kube, "Namespace", lambda: core("namespaces"), self.namespace_changed, metadata_only=True
        )

    def changed(self, kind: str, event: str, item: Object, old: Object | None) -> None:
        """Queue an object when more than its status changed."""
        meta = item["metadata"]
        if event == "MODIFIED" and old is not None:
            before = old["metadata"]
            if synced_resource_version(before) == synced_resource_version(meta) and not meta.get("deletionTimestamp"):
                return
        if event != "DELETED":
            self.queue.add(key_of(kind, item))
        if kind == "PushSecret" and any(one and one["spec"].get("deletionPolicy") == "Delete" for one in (item, old)):
            # its stores are kept as long as it has to remove something from them
            for store in ("SecretStore", "ClusterSecretStore"):
                for one in self.informers[store].all():
                    if one["metadata"].get("namespace", meta["namespace"]) == meta["namespace"]:
                        self.queue.add(key_of(store, one))
        if kind == "ExternalSecret":
            for owner in meta.get("ownerReferences") or []:
                if owner["kind"] == "ClusterExternalSecret":
                    self.queue.add(("ClusterExternalSecret", "", owner["name"]))

    def secret_changed(self, kind: str, event: str, item: Object, old: Object | None) -> None:
        """Queue the ExternalSecrets that write a managed Secret which changed or went away."""
        meta = item["metadata"]
        if event == "DELETED" and self.kube.find(core("secrets", meta["namespace"], meta["name"])) is not None:
            return  # it has only lost its label: the operator, too, sees it no longer until the next refresh
        for es in self.informers["ExternalSecret"].all():
            if es["metadata"]["namespace"] == meta["namespace"] and target_name(es) == meta["name"]:
                self.queue.add(key_of("ExternalSecret", es))

    def namespace_changed(self, kind: str, event: str, item: Object, old: Object | None) -> None:
        """Queue the ClusterExternalSecrets when namespaces come, go or change their labels."""
        if event == "MODIFIED" and old and old["metadata"].get("labels") == item["metadata"].get("labels"):
            return
        for ces in self.informers["ClusterExternalSecret"].all():
            self.queue.add(key_of("ClusterExternalSecret", ces))

    def reconcile(self, key: Key) -> float | None:
        """One object; returns the seconds until it is looked at again, None for never."""
        kind, namespace, name = key
        if not self.discovery.serves(kind):
            return None  # gone with its CustomResourceDefinition; the watch brings it back
        if kind in ("SecretStore", "ClusterSecretStore"):
            return self.store.reconcile(kind, namespace, name)
        if kind == "ExternalSecret":
            return self.external_secret.reconcile(namespace, name)
        if kind == "ClusterExternalSecret":
            return self.cluster.reconcile(name)
        if kind == "PushSecret":
            return self.push.reconcile(namespace, name)
        item = self.kube.find(self.discovery.path(kind, namespace, name))
        if item is not None:
            self.recorder.event(item, "Warning", "NotEmulated", f"{kind} is not emulated: nothing is done for it")
        return None

    def work(self) -> None:
        """A worker: take keys until the process ends."""
        while True:
            key = self.queue.take()
            try:
                delay = self.reconcile(key)
                self.queue.forget(key)
                if delay is not None:
                    self.queue.add(key, delay)
            except ApiError as error:
                if error.status == 409:  # somebody else wrote first: look again at once
                    self.queue.add(key, 0.1)
                else:
                    self.failed(key, error)
            except Exception as error:  # noqa: BLE001 - whatever happens to one object, the others go on
                self.failed(key, error)
            finally:
                self.queue.done(key)

    def failed(self, key: Key, error: Exception) -> None:
        """Back off; the cause has been told by an Event where the object could be read."""
        delay = self.queue.fail(key)
        kind, namespace, name = key
        told = isinstance(error, (VaultError, TemplateError))  # an Event has said it
        # what is not expected might quote anything, so only its kind and place are told
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else ""
        known = isinstance(error, (ApiError, urllib3.exceptions.HTTPError))
        log(
            f"{kind} {namespace + '/' if namespace else ''}{name}:",
            f"retry in {delay:.0f}s",
            "" if told else f"{type(error).__name__}: {error}" if known else f"{type(error).__name__} at {place}",
        )

    def be_alone(self) -> None:
        """Wait for an API server that answers. Raise RealOperator, or what kept it from answering for START seconds."""
        end = time.monotonic() + START
        while not self.stopping.is_set():
            try:
                return refuse_beside_a_real_one(self.kube)
            except (ApiError, urllib3.exceptions.HTTPError) as error:
                if time.monotonic() < end:
                    self.stopping.wait(1)
                    continue
                if isinstance(error, ApiError):
                    raise RealOperator(
                        f"cannot make sure that no real External Secrets Operator runs: {error}; allow listing "
                        "deployments in all namespaces"
                    ) from None
                raise
        return None

    def run(self) -> int:
        """Run until SIGTERM or SIGINT. Return the exit code."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: self.stopping.set())
        self.be_alone()
        if self.stopping.is_set():
            return 0
        log(NAME, "starts: this is an emulation, not External Secrets Operator; API server", self.kube.host)
        for informer in self.informers.values():
            informer.start()
        for informer in self.informers.values():
            informer.synced.wait(5)
        for number in range(WORKERS):
            threading.Thread(target=self.work, name=f"worker-{number}", daemon=True).start()
        due = time.monotonic() + self.resync
        while not self.stopping.wait(min(self.resync, 15)):
            try:
                refuse_beside_a_real_one(self.kube)
            except (ApiError, urllib3.exceptions.HTTPError):
                continue  # the API server is away or just starting: a real one could not do anything either
            if time.monotonic() >= due:
                due = time.monotonic() + self.resync
                for kind in KINDS:
                    for item in self.informers[kind].all():
                        self.queue.add(key_of(kind, item))
        end = time.monotonic() + 1.0
        while self.queue.working and time.monotonic() < end:  # let running refreshes revoke their tokens
            time.sleep(0.02)
        log(NAME, "ends")
        return 0


def main() -> int:
    """Parse the command line and run. Return the exit code."""
    parser = argparse.ArgumentParser(description="EMULATED External Secrets Operator controller, for labs only.")
    parser.add_argument("--kubeconfig", required=True, help="kubeconfig file of the cluster")
    parser.add_argument("--context", help="context of the kubeconfig (default: its current one)")
    parser.add_argument(
        "--resync",
        type=float,
        default=300,
        metavar="SECONDS",
        help="look at every object again this often (default: 300)",
    )
    parser.add_argument("--controller-class", default="default", help="serve stores of this spec.controller too")
    arguments = parser.parse_args()
    if arguments.resync <= 0:
        parser.error("--resync must be more than 0")
    try:
        kube = Kube(arguments.kubeconfig, arguments.context)
    except Exception as error:  # noqa: BLE001 - several kinds, all about this file
        parser.error(f"{arguments.kubeconfig}: {error}")
    try:
        return Controller(kube, arguments.resync, arguments.controller_class).run()
    except RealOperator as error:
        log(NAME, "refuses:", str(error))
        print(error, file=sys.stderr)
        return 3
    except urllib3.exceptions.HTTPError as error:
        print(f"{kube.host}: the API server cannot be reached: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # watches block in reads of minutes; nothing of theirs needs an end
    os._exit(code)
