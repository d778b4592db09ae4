# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kubernetes side: plain REST calls, watches, a work queue and Events.

The official client loads the kubeconfig and owns the connections; objects stay plain dicts, because what the API
server sends must come back unchanged in an update.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Callable
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import client, config

NAME = "emulated-external-secrets"
Object = dict[str, Any]
Key = tuple[str, str, str]  # kind, namespace, name
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiError(Exception):
    """An answer of the API server that is not a success: HTTP status, reason and the server's own message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message or reason)
        self.status = status
        self.reason = reason


def now() -> str:
    """The current time as Kubernetes writes it, whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def log(*parts: str) -> None:
    """One line per event to stdout, whatever line breaks a message brings along."""
    line = " ".join(" ".join(part.split()) for part in parts if part)
    print(f"{now()} {line}", flush=True)


class Kube:
    """A thin REST client that is safe to use from several threads."""

    def __init__(self, kubeconfig: str, context: str | None) -> None:
        configuration = client.Configuration()
        config.load_kube_config(kubeconfig, context=context, client_configuration=configuration)
        configuration.connection_pool_maxsize = 16
        self.configuration = configuration
        self.host = configuration.host.rstrip("/")
        self.pool = client.ApiClient(configuration).rest_client.pool_manager

    def raw(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
        read_timeout: float = 15,
        stream: bool = False,
    ) -> Any:
        """Send one request; return the urllib3 response. Raise ApiError for 4xx/5xx and urllib3's own errors."""
        sent = {"Accept": "application/json", "User-Agent": NAME, **(headers or {})}
        for setting in self.configuration.auth_settings().values():
            if setting["in"] == "header" and setting["value"]:
                sent[setting["key"]] = setting["value"]
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        url = self.host + path + ("?" + urlencode(query) if query else "")
        timeout = urllib3.Timeout(connect=5, read=read_timeout)
        response = self.pool.request(
            method, url, body=payload, headers=sent, timeout=timeout, retries=False, preload_content=not stream
        )
        if response.status >= 400:
            try:
                answer = json.loads(response.data)
            except ValueError:
                answer = {}
            raise ApiError(response.status, answer.get("reason", ""), answer.get("message", f"HTTP {response.status}"))
        return response

    def call(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Object:
        """Send one request and return the decoded object."""
        return json.loads(self.raw(method, path, query, body, headers).data)

    def find(self, path: str) -> Object | None:
        """GET an object; None when it does not exist."""
        try:
            return self.call("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def merge_patch(self, path: str, patch: Object, manager: str = NAME) -> Object:
        """PATCH by JSON merge patch."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self.call("PATCH", path, {"fieldManager": manager}, patch, headers)

    def watch(self, path: str, query: dict[str, Any], headers: dict[str, str], seconds: int) -> Iterator[Object]:
        """Yield watch events until the server ends the watch after `seconds`."""
        query = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": seconds}
        response = self.raw("GET", path, query, None, headers, seconds + 15, stream=True)
        rest = b""
        try:
            for chunk in response.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)
        finally:
            response.close()


def path_of(group_version: str, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The API path of a resource; group_version is `v1` or `group/version`."""
    parts = ["api" if group_version == "v1" else "apis", group_version]
    if namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(plural)
    parts += [quote(part, safe="") for part in (name, subresource) if part]
    return "/" + "/".join(parts)


def core(plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The API path of a core/v1 resource."""
    return path_of("v1", plural, namespace, name, subresource)


def set_finalizer(kube: Kube, path: str, item: Object, finalizer: str, on: bool) -> bool:
    """Add a finalizer to an object, or take it off; whether that was a change. Raise ApiError."""
    held = item["metadata"].get("finalizers") or []
    if (finalizer in held) == on:
        return False
    wanted = [*held, finalizer] if on else [name for name in held if name != finalizer]
    version = item["metadata"]["resourceVersion"]
    kube.merge_patch(path, {"metadata": {"finalizers": wanted or None, "resourceVersion": version}})
    return True


def key_of(kind: str, item: Object) -> Key:
    """The queue key of an object."""
    return (kind, item["metadata"].get("namespace", ""), item["metadata"]["name"])


class Informer(threading.Thread):
    """Keeps a cache of one resource by list and watch and reports every change; survives any outage."""

    def __init__(
        self,
        kube: Kube,
        label: str,
        locate: Callable[[], str | None],
        handler: Callable[[str, str, Object, Object | None], None],
        query: dict[str, Any] | None = None,
        metadata_only: bool = False,
    ) -> None:
        super().__init__(name=f"watch-{label}", daemon=True)
        self.kube = kube
        self.label = label
        self.locate = locate  # the path to list, or None while the kind is not served
        self.handler = handler
        self.query = query or {}
        self.metadata_only = metadata_only
        self.items: dict[tuple[str, str], Object] = {}
        self.lock = threading.Lock()
        self.synced = threading.Event()
        self.complaint = ""

    def all(self) -> list[Object]:
        """A copy of the cache."""
        with self.lock:
            return list(self.items.values())

    def run(self) -> None:
        while True:
            try:
                path = self.locate()
                if path is None:
                    self.complain("is not served; waiting for its CustomResourceDefinition")
                    time.sleep(5)
                    continue
                self.follow(path)
            except Exception as error:  # noqa: BLE001 - an outage of whatever form must not end the watch
                self.complain(f"watch interrupted: {type(error).__name__}: {error}")
                time.sleep(1)

    def complain(self, text: str) -> None:
        """Say it once, not at every attempt."""
        if text != self.complaint:
            log("watch", self.label, text)
        self.complaint = text
        if "not served" in text:
            self.synced.set()

    def follow(self, path: str) -> None:
        """List, then watch until the resource version is too old or the connection breaks."""
        accept = {"Accept": METADATA_LIST} if self.metadata_only else {}
        listed = self.kube.call("GET", path, self.query, None, accept)
        fresh = {(i["metadata"].get("namespace", ""), i["metadata"]["name"]): i for i in listed.get("items") or []}
        with self.lock:
            gone = [item for key, item in self.items.items() if key not in fresh]
        for item in gone:
            self.apply("DELETED", item)
        for item in fresh.values():
            self.apply("MODIFIED", item)
        if self.complaint:
            log("watch", self.label, "is running")
            self.complaint = ""
        self.synced.set()
        version = listed["metadata"]["resourceVersion"]
        accept = {"Accept": METADATA_ONLY} if self.metadata_only else {}
        while True:
            for event in self.kube.watch(path, {**self.query, "resourceVersion": version}, accept, 240):
                if event["type"] == "ERROR":
                    return  # usually 410 Gone: list again
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self.apply(event["type"], event["object"])

    def apply(self, kind: str, item: Object) -> None:
        """Put one change into the cache and report it when it is one."""
        key = (item["metadata"].get("namespace", ""), item["metadata"]["name"])
        with self.lock:
            old = self.items.pop(key, None)
            if kind != "DELETED":
                self.items[key] = item
        same = old is not None and old["metadata"]["resourceVersion"] == item["metadata"]["resourceVersion"]
        if kind == "DELETED" or not same:
            self.handler(self.label, kind, item, old)


class WorkQueue:
    """Keys to reconcile, each at most once at a time, at its earliest due time; failures back off exponentially."""

    def __init__(self, base: float = 1.0, most: float = 60.0) -> None:
        self.base, self.most = base, most
        self.condition = threading.Condition()
        self.due: dict[Key, float] = {}
        self.heap: list[tuple[float, Key]] = []
        self.working: set[Key] = set()
        self.failures: dict[Key, int] = {}

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Make the key due after `delay` seconds, or earlier when it already was."""
        when = time.monotonic() + max(delay, 0.0)
        with self.condition:
            if key in self.due and self.due[key] <= when:
                return
            self.due[key] = when
            heapq.heappush(self.heap, (when, key))
            self.condition.notify()

    def fail(self, key: Key) -> float:
        """Make the key due again after its backoff; return that in seconds."""
        with self.condition:
            count = self.failures[key] = self.failures.get(key, 0) + 1
        delay = min(self.base * 2 ** min(count - 1, 20), self.most)
        self.add(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """The key succeeded: its next failure starts again at the shortest backoff."""
        with self.condition:
            self.failures.pop(key, None)

    def take(self) -> Key:
        """Wait for a due key that nobody works on, and take it."""
        with self.condition:
            while True:
                wait = None
                skipped = []
                try:
                    while self.heap:
                        when, key = self.heap[0]
                        if self.due.get(key) != when:
                            heapq.heappop(self.heap)
                            continue
                        wait = when - time.monotonic()
                        if wait > 0:
                            break
                        heapq.heappop(self.heap)
                        if key in self.working:
                            skipped.append((when, key))
                            continue
                        del self.due[key]
                        self.working.add(key)
                        return key
                finally:
                    for entry in skipped:
                        heapq.heappush(self.heap, entry)
                self.condition.wait(wait if wait and wait > 0 else None)

    def done(self, key: Key) -> None:
        """Give the key free again."""
        with self.condition:
            self.working.discard(key)
            self.condition.notify_all()


class Recorder:
    """Writes Events; a repeated one raises the count of the first, as client-go does."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.seen: dict[str, tuple[str, int]] = {}
        self.lock = threading.Lock()

    def event(self, item: Object, kind: str, reason: str, message: str) -> None:
        """Record an Event on an object and log it. A failure to write it is logged only."""
        meta = item["metadata"]
        where = f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else meta["name"]
        log(f"{item['kind']} {where}:", kind, reason, message)
        message = message[:1000]
        namespace = meta.get("namespace") or "default"
        digest = hashlib.sha256(f"{meta['uid']} {kind} {reason} {message}".encode()).hexdigest()
        stamp = now()
        try:
            with self.lock:
                name, count = self.seen.get(digest, ("", 0))
                if name:
                    try:
                        self.kube.merge_patch(
                            core("events", namespace, name), {"count": count + 1, "lastTimestamp": stamp}
                        )
                        self.seen[digest] = (name, count + 1)
                        return
                    except ApiError as error:  # events expire
                        if error.status != 404:
                            raise
                name = f"{meta['name'][:200]}.{digest[:10]}{time.time_ns():x}"
                self.kube.call(
                    "POST",
                    core("events", namespace),
                    {"fieldManager": NAME},
                    {
                        "apiVersion": "v1",
                        "kind": "Event",
                        "metadata": {"name": name, "namespace": namespace},
                        "involvedObject": {
                            "apiVersion": item["apiVersion"],
                            "kind": item["kind"],
                            "name": meta["name"],
                            "namespace": meta.get("namespace", ""),
                            "uid": meta["uid"],
                            "resourceVersion": meta["resourceVersion"],
                        },
                        "type": kind,
                        "reason": reason,
                        "message": message,
                        "count": 1,
                        "firstTimestamp": stamp,
                        "lastTimestamp": stamp,
                        "source": {"component": NAME},
                        "reportingComponent": NAME,
                        "reportingInstance": "",
                    },
                )
                if len(self.seen) >= 5000:  # forgetting them all only means that counts start again
                    self.seen.clear()
                self.seen[digest] = (name, 1)
        except (ApiError, urllib3.exceptions.HTTPError) as error:
            log(f"{item['kind']} {where}:", "could not write an Event:", str(error))
