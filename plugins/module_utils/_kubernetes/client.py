# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The client of a Kubernetes API server: requests and discovery.

The connections are those of `_http.transport`. Objects are plain JSON: the dynamic client's discovery of the whole API
costs more than all other work of a module.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Callable
from urllib.parse import quote, urlencode

from .._engine.scrub import scrub_event
from .._engine.secrets import KNOWN
from .._http import failure, retry, rules
from .._http.transport import Answer
from . import answers
from .errors import WORDS, Forbidden, KubernetesError, Missing, NotKubernetes, NotServed, Unreachable
from .kind import CRD, EVENT, Kind, Object
from .transport import KUBERNETES_ERROR, Following, Transport

if KUBERNETES_ERROR is None:
    import urllib3

PAGE = 500
#: up to this many objects events are read one by one; and seconds that a list of events is cached
MANY_EVENTS = 5
EVENTS_LAST = 5
JSON = "application/json"
APPLY_PATCH = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
#: requests an object's metadata only, so a Secret's data never reaches this process
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
#: the same for a list
LIST_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Client:
    """One cluster, one identity.

    ``configuration`` is one of the official client; ``timeout`` in seconds for one request; ``retries``: how often an
    idempotent request is repeated; ``headers`` go with every request (impersonation). Safe to use from several threads.
    """

    def __init__(
        self, configuration: Any, timeout: int = 30, retries: int = 3, headers: Mapping[str, str] | None = None
    ) -> None:
        rules.check_times(timeout, retries)
        if not configuration.verify_ssl:
            urllib3.disable_warnings()
        self.configuration = configuration
        self.host = str(configuration.host).rstrip("/")
        self.timeout = timeout
        self.retries = retries
        self.headers = dict(headers or {})
        self.requests = 0
        self.writes = 0
        self.watches = 0
        self._warnings: dict[tuple[str, str], list[Any]] = {}
        self._served: dict[str, list[str]] = {}
        self._plurals: dict[str, set[str]] = {}
        self._schemas: dict[tuple[str, str, str], Object | None] = {}
        self._lock = threading.Lock()
        self.transport = Transport(configuration)
        #: removes what the transport may need as long as it is used
        self.at_close: Callable[[], None] | None = None

    # -- transport ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the pooled connections."""
        self.transport.close()
        if self.at_close is not None:
            self.at_close()

    def _headers(self, content_type: str, accept: str) -> dict[str, str]:
        headers = {"Accept": accept, "User-Agent": "secretops.vault_eso", **self.headers}
        if content_type:
            headers["Content-Type"] = content_type
        for setting in self.configuration.auth_settings().values():
            if setting["in"] == "header" and setting["value"]:
                headers[setting["key"]] = setting["value"]
        return headers

    def _send(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Any, content_type: str, accept: str
    ) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers(content_type if body is not None else "", accept)
        with self._reaching(self.timeout):
            return self.transport.request(method, self._target(method, path, query), data, headers, self.timeout)

    def _target(self, method: str, path: str, query: Mapping[str, Any] | None) -> str:
        with self._lock:
            self.requests += 1
            self.writes += method != "GET"
        return path + ("?" + urlencode(query) if query else "")

    @contextmanager
    def _reaching(self, seconds: float) -> Iterator[None]:
        """Turn the errors of the transport into Unreachable."""
        try:
            yield
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            found = failure.explain(error, seconds, WORDS, "the CA that is trusted here")
            problem = Unreachable(found.what, self.host, found.remedy)
            raise failure.fill(problem, found) from error

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        missing_ok: bool = False,
        idempotent: bool | None = None,
    ) -> Object | None:
        """Send a request and return the JSON answer, or None for 404 with ``missing_ok``.

        Repeats an idempotent one (GET, DELETE, server-side apply) after 429, 502, 503, 504 and connection errors.
        Raises Unreachable, Forbidden, Conflict, Refused, Missing, KubernetesError.
        """
        repeatable = (
            idempotent
            if idempotent is not None
            else (method in ("GET", "DELETE") or content_type in (APPLY_PATCH, MERGE_PATCH))
        )
        answer = retry.answer_of(
            lambda: self._send(method, path, query, body, content_type, accept),
            self.retries if repeatable else 0,
            lambda found: found.status_code in retry.KUBERNETES,
        )
        if 200 <= answer.status_code < 300:
            return answers.object_of(answer, path, self.host)
        refused = answers.refusal(answer, path, self.host)
        if answer.status_code in retry.KUBERNETES:
            refused.retryable, refused.retry_after = True, rules.retry_after(answer.headers.get("Retry-After") or "")
        if missing_ok and isinstance(refused, Missing):
            return None
        raise refused

    # -- verbs --------------------------------------------------------------------------------------------------------

    def get(self, path: str, query: Mapping[str, Any] | None = None, accept: str = JSON) -> Object | None:
        """Return an object, or None when it (or its namespace) does not exist."""
        return self.request("GET", path, query=query, accept=accept, missing_ok=True)

    def list_objects(self, path: str, query: Mapping[str, Any] | None = None, accept: str = JSON) -> list[Object]:
        """Return all objects of a collection, page by page; [] when its namespace does not exist."""
        return self.collection(path, query, accept)[0]

    def collection(
        self, path: str, query: Mapping[str, Any] | None = None, accept: str = JSON
    ) -> tuple[list[Object], str]:
        """Return all objects of a collection, and the resource version that a watch goes on from."""
        found: list[Object] = []
        token = ""
        while True:
            page = (
                self.request(
                    "GET",
                    path,
                    query={**(query or {}), "limit": PAGE, **({"continue": token} if token else {})},
                    accept=accept,
                    missing_ok=True,
                )
                or {}
            )
            found += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return found, str((page.get("metadata") or {}).get("resourceVersion") or "")

    def watch(self, path: str, version: str, seconds: float) -> Stream:
        """Return the changes of a collection since a resource version, for some seconds. ``GET ...?watch=true``.

        Raises Forbidden, KubernetesError; an expired version is a 410, here or as an event of the type ERROR.
        """
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": max(1, int(seconds))}
        # the server ends it; when it does not, it is ended some seconds later
        longest = max(1, int(seconds)) + 10
        with self._reaching(longest):
            answer = self.transport.follow(self._target("GET", path, query), self._headers("", JSON), longest)
            with self._lock:
                self.watches += 1
            if answer.status != 200:
                refused = answer.whole()
                answer.close()
                raise answers.refusal(refused, path, self.host)
        return Stream(answer)

    def apply(self, path: str, manifest: Object, manager: str, force: bool = False, dry_run: bool = False) -> Object:
        """Write an object by server-side apply and return it. Raises Conflict when others own its fields.

        A field that the schema does not know is refused: old servers do so by themselves, later ones when asked.
        """
        query = {
            "fieldManager": manager,
            "force": str(force).lower(),
            "fieldValidation": "Strict",
            **({"dryRun": "All"} if dry_run else {}),
        }
        return self.request("PATCH", path, manifest, query, content_type=APPLY_PATCH) or {}

    def merge(self, path: str, patch: Object, manager: str, dry_run: bool = False) -> Object:
        """Change an object by JSON merge patch and return it. Raises Missing when it does not exist."""
        query = {"fieldManager": manager, **({"dryRun": "All"} if dry_run else {})}
        return self.request("PATCH", path, patch, query, content_type=MERGE_PATCH) or {}

    def delete(self, path: str, uid: str | None = None, dry_run: bool = False) -> None:
        """Delete an object (the one with this uid); one that is gone already is fine."""
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        if dry_run:
            # with a body the server does not look at the query
            body["dryRun"] = ["All"]
        self.request("DELETE", path, body, missing_ok=True)

    # -- what is served -----------------------------------------------------------------------------------------------

    def greet(self) -> None:
        """Make sure that an API server answers, before a 404 counts as missing. ``GET /version``.

        Raises Unreachable, NotKubernetes.
        """
        try:
            known = self.request("GET", "/version") or {}
        except Forbidden:
            return
        except (Missing, NotServed) as error:
            raise NotKubernetes(
                "the server that answers is not a Kubernetes API server, or not at this path",
                self.host,
                "correct the address",
            ) from error
        if "gitVersion" not in known:
            raise NotKubernetes(
                "the server that answers is not a Kubernetes API server", self.host, "correct the address"
            )

    def versions(self, group: str) -> list[str]:
        """Return the versions of a group that the API server serves, [] for none. ``GET /apis/<group>``."""
        if group not in self._served:
            answer = self.get("/apis/%s" % quote(group, safe="")) or {}
            self._served[group] = [entry["version"] for entry in answer.get("versions") or []]
        return self._served[group]

    def plurals(self, group: str, version: str) -> set[str]:
        """Return the resources of one version of a group. ``GET /apis/<group>/<version>``."""
        key = "%s/%s" % (group, version)
        if key not in self._plurals:
            answer = self.get("/apis/%s" % key) or {}
            self._plurals[key] = {entry["name"] for entry in answer.get("resources") or []}
        return self._plurals[key]

    def kind_of(self, api_version: str, name: str) -> Kind | None:
        """Return the kind for ``apiVersion`` and ``kind`` of an object, None when it is not served."""
        group, _slash, version = api_version.rpartition("/")
        answer = self.get("/apis/%s/%s" % (group, version) if group else "/api/%s" % version) or {}
        for entry in answer.get("resources") or []:
            if entry.get("kind") == name and "/" not in entry["name"]:
                return Kind(name, entry["name"], group, (version,), bool(entry.get("namespaced")))
        return None

    def schema(self, kind: Kind, version: str) -> Object | None:
        """Return the served schema of a kind, None where it cannot be read.

        ``GET /openapi/v3/apis/<group>/<version>``, which everybody may read who is logged in; servers before 1.24 have
        it in the CRD alone. Source: Kubernetes documentation, The Kubernetes API, OpenAPI V3.
        """
        key = (kind.group, version, kind.name)
        if key not in self._schemas:
            try:
                self._schemas[key] = self._published(kind, version) or self._defined(kind, version)
            except Forbidden:
                self._schemas[key] = None
        return self._schemas[key]

    def _published(self, kind: Kind, version: str) -> Object | None:
        try:
            answer = self.get("/openapi/v3/apis/%s/%s" % (quote(kind.group, safe=""), version)) or {}
        except KubernetesError:
            # servers before 1.24 answer 404 with a list of their paths; the CRD is read next
            return None
        wanted = {"group": kind.group, "kind": kind.name, "version": version}
        for found in ((answer.get("components") or {}).get("schemas") or {}).values():
            if wanted in (found.get("x-kubernetes-group-version-kind") or []):
                return dict(found)
        return None

    def _defined(self, kind: Kind, version: str) -> Object | None:
        crd = self.get(CRD.path("v1", None, "%s.%s" % (kind.plural, kind.group))) or {}
        for found in (crd.get("spec") or {}).get("versions") or []:
            if found.get("name") == version:
                return dict((found.get("schema") or {}).get("openAPIV3Schema") or {}) or None
        return None

    def version_of(self, kind: Kind, requested: str | None = None) -> str:
        """Return the version to use for a kind: the requested one, else the first of its versions that is served.

        Raises NotServed when the CRD is not installed or the requested version is not served.
        """
        if not kind.group:
            return kind.versions[0]
        served = self.versions(kind.group)
        if not served:
            self.greet()
            raise NotServed(
                'the cluster does not serve the API group "%s"' % kind.group,
                self.host,
                "install %s with its CRDs first" % (kind.provider or "its operator"),
            )
        requested = (requested or "").rpartition("/")[2]
        if requested:
            if requested not in served or kind.plural not in self.plurals(kind.group, requested):
                known = [version for version in served if kind.plural in self.plurals(kind.group, version)]
                raise NotServed(
                    "%s is not served as %s" % (kind.name, kind.api_version(requested)),
                    self.host,
                    'leave "api_version" out, or use one of %s' % (", ".join(known) or "(none is served)"),
                )
            return requested
        for version in kind.versions:
            if version in served and kind.plural in self.plurals(kind.group, version):
                return version
        raise NotServed(
            "the CRD %s.%s is not installed in a version this collection knows (%s)"
            % (kind.plural, kind.group, ", ".join(kind.versions)),
            self.host,
            "install or upgrade %s with its CRDs" % (kind.provider or "its operator"),
        )

    def last_warning(self, namespace: str, kind: str, name: str, uid: str = "") -> str:
        """Return the text of the newest Warning event about an object, "" without one or without permission.

        With ``uid`` events of an earlier object of the same name do not count. For many objects one list
        answers for all objects of a kind in a namespace.
        """
        known = self._warnings.setdefault((namespace, kind), [0, 0.0, {}])
        known[0] += 1
        if known[0] > MANY_EVENTS:
            if time.monotonic() - known[1] > EVENTS_LAST:
                known[1:] = [time.monotonic(), self._events(namespace, "involvedObject.kind=%s" % kind)]
            found = known[2]
        else:
            found = self._events(namespace, "involvedObject.kind=%s,involvedObject.name=%s" % (kind, name))
        texts = [text for about, text in found.get(name, []) if not uid or about in ("", uid)]
        return texts[-1] if texts else ""

    def _events(self, namespace: str, selector: str) -> dict[str, list[tuple[str, str]]]:
        """Return UID and text of Warning events, the newest last, by object name."""
        try:
            events = self.list_objects(EVENT.path("v1", namespace), {"fieldSelector": selector + ",type=Warning"})
        except Forbidden:
            return {}
        events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        texts: dict[str, list[tuple[str, str]]] = {}
        for event in events:
            about = event.get("involvedObject") or {}
            text = " ".join(scrub_event(KNOWN.scrub_foreign(event.get("message") or "")).split())[:400]
            texts.setdefault(str(about.get("name")), []).append((str(about.get("uid") or ""), text))
        return texts


class Stream:
    """The events of a watch: type and object."""

    def __init__(self, answer: Following) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[tuple[str, Object]]:
        rest = b""
        try:
            for part in self._answer:
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    event = json.loads(line) if line.strip() else {}
                    item = event.get("object")
                    if isinstance(item, dict) and isinstance(item.get("metadata"), dict):
                        yield str(event.get("type")), item
                if len(rest) > rules.LIMIT:
                    return
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError, AttributeError):
            # cut off, or closed from here: the watcher starts a new watch
            return
        finally:
            self._answer.release()

    def close(self) -> None:
        """End it, from any thread."""
        self._answer.close()
