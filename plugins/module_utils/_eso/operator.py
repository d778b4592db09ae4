# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The operator itself in a cluster: its CRDs, its Deployments, what depends on it, and when it is ready."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from .._engine import progress
from .._engine.errors import InvalidInput, SecretopsError
from .._kubernetes.client import LIST_METADATA_ONLY, METADATA_ONLY, Client
from .._kubernetes.errors import NotServed, Unreachable
from .._kubernetes.kind import CRD, NAMESPACE, Kind, Object
from .._kubernetes.manifests import Manifests
from .._kubernetes.objects import condition
from .kind import GROUP, OPERATOR
from .kinds import KINDS

DEPLOYMENT = Kind("Deployment", "deployments", "apps", ("v1",))
ENDPOINTS = Kind("Endpoints", "endpoints", "", ("v1",))
SERVICE = Kind("Service", "services", "", ("v1",))
#: what keeps the operator from being removed: nothing updates or finalises these without it
DEPENDENTS = (
    *(api for kind in KINDS for api in kind.apis if api.group == GROUP),
    Kind("ClusterPushSecret", "clusterpushsecrets", GROUP, ("v1alpha1",), False, OPERATOR),
)
#: seconds between two looks while something is waited for, at first and at most
FIRST, LAST = 0.2, 2.0


def look(client: Client, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that is asked for, as the module C(eso_state) documents it. Raises SecretopsError."""
    # before anything is called missing
    client.greet()
    manifests = Manifests(client, asked["field_manager"] if asked["apply"] else "", asked["force_conflicts"])
    found: dict[str, Any] = {}
    if asked["kinds"]:
        found["missing_kinds"] = [name for name in asked["kinds"] if manifests.kind(*_kind(name)) is None]
    if asked["namespaces"]:
        found["missing_namespaces"] = missing_namespaces(client, asked["namespaces"])
    if asked["crds"]:
        found["crds"] = crds(client, asked["crds"])
    if asked["crd_group"]:
        found["crd_names"] = crd_names(client, asked["crd_group"])
    if asked["operators"]:
        found["operators"] = operators(client)
    if asked["api_server"]:
        found["api_server"] = api_server(client)
    if asked["dependents"]:
        found["dependents"] = dependents(client)
    if asked["objects"]:
        found["differing"] = {name: manifests.differing(listed) for name, listed in _lists(asked["objects"]).items()}
        compared = sum(len(listed) for listed in asked["objects"].values())
        found["summary"] = {"none": compared - sum(len(listed) for listed in found["differing"].values())}
    if asked["absent"]:
        found["present"] = manifests.existing(asked["absent"])
    wait(client, asked, manifests)
    return found


def _kind(name: str) -> tuple[str, str]:
    """Return apiVersion and kind of ``apps/v1/Deployment``. Raises InvalidInput."""
    api_version, _slash, kind = name.rpartition("/")
    if not api_version or not kind:
        raise InvalidInput('"%s" is not a kind' % name, 'option "kinds"', "write it as apps/v1/Deployment")
    return api_version, kind


def _lists(declared: Mapping[str, Any]) -> Mapping[str, Sequence[Object]]:
    for name, value in declared.items():
        if not isinstance(value, (list, tuple)):
            raise InvalidInput('"%s" is not a list' % name, 'option "objects"', "give a list of manifests")
    return declared


def missing_namespaces(client: Client, names: Iterable[str]) -> list[str]:
    """Return the namespaces that do not exist."""
    return [name for name in names if client.get(NAMESPACE.path("v1", None, name), accept=METADATA_ONLY) is None]


def crds(client: Client, names: Iterable[str]) -> list[dict[str, Any]]:
    """Return of each CRD that is installed the few facts that matter: one has up to 700 KB."""
    found = []
    for name in names:
        crd = client.get(CRD.path("v1", None, name))
        if crd is None:
            continue
        annotations = crd["metadata"].get("annotations") or {}
        found.append(
            {
                "name": name,
                "versions": [one["name"] for one in (crd.get("spec") or {}).get("versions") or []],
                "stored": list((crd.get("status") or {}).get("storedVersions") or []),
                "release": annotations.get("meta.helm.sh/release-name") or "",
                "kept": annotations.get("helm.sh/resource-policy") == "keep",
            }
        )
    return found


def crd_names(client: Client, group: str) -> list[str]:
    """Return the names of the CRDs of an API group and of the groups below it."""
    found = client.list_objects(CRD.path("v1"), accept=LIST_METADATA_ONLY)
    return sorted(one["metadata"]["name"] for one in found if one["metadata"]["name"].endswith("." + group))


def operators(client: Client) -> list[dict[str, str]]:
    """Return the Deployments of the operator's controller in the whole cluster, by the labels of its chart."""
    found = client.list_objects(DEPLOYMENT.path("v1"), {"labelSelector": "app.kubernetes.io/name=external-secrets"})
    return [
        {
            "name": one["metadata"]["name"],
            "namespace": one["metadata"]["namespace"],
            "version": str((one["metadata"].get("labels") or {}).get("app.kubernetes.io/version") or "").lstrip("v"),
        }
        for one in found
    ]


def api_server(client: Client) -> dict[str, Any]:
    """Return the API server's networks and ports as a NetworkPolicy needs them, empty when they are not published.

    A NetworkPolicy sees where a connection really goes, the endpoints. The address of the service is for network
    plugins that look before the translation.
    """
    endpoints = client.get(ENDPOINTS.path("v1", "default", "kubernetes")) or {}
    subsets = endpoints.get("subsets") or []
    if not subsets:
        return {"cidrs": [], "ports": []}
    service = client.get(SERVICE.path("v1", "default", "kubernetes")) or {}
    addresses = [one["ip"] for subset in subsets for one in subset.get("addresses") or []]
    addresses += [address for address in [(service.get("spec") or {}).get("clusterIP")] if address]
    ports = {int(one["port"]) for subset in subsets for one in subset.get("ports") or []}
    return {
        "cidrs": sorted({"%s/%d" % (address, 128 if ":" in address else 32) for address in addresses}),
        "ports": sorted(ports | {443}),
    }


def dependents(client: Client) -> list[str]:
    """Return kind and name of every object that needs the operator: ``ExternalSecret payments/app``."""
    found = set()
    for kind in DEPENDENTS:
        try:
            version = client.version_of(kind)
        except NotServed:
            continue
        for one in client.list_objects(kind.path(version), accept=LIST_METADATA_ONLY):
            name, namespace = one["metadata"]["name"], one["metadata"].get("namespace")
            found.add("%s %s" % (kind.name, "%s/%s" % (namespace, name) if namespace else name))
    return sorted(found)


# -- waiting ----------------------------------------------------------------------------------------------------------


def wait(client: Client, asked: Mapping[str, Any], manifests: Manifests) -> None:
    """Wait for Flux, then for the Deployments. Raises SecretopsError when they are not ready in time."""
    deadline = time.monotonic() + asked["wait_timeout"]
    seconds = asked["wait_timeout"]
    for one in asked["wait_for_flux"]:
        kind = manifests.kind(one["api_version"], one["kind"])
        where = "%s %s/%s" % (one["kind"], one["namespace"], one["name"])
        if kind is None:
            raise NotServed("is not served as %s" % one["api_version"], where, "install Flux")
        path = kind.path(kind.versions[0], one["namespace"], one["name"])
        lacking = _until(lambda path=path: flux_lacks(client.get(path), seconds), deadline)  # type: ignore[misc]
        if lacking:
            raise SecretopsError("%s is not ready: %s" % (where, lacking))
    release = asked["wait_for_release"]
    if release:
        path = DEPLOYMENT.path("v1", release["namespace"])
        query = {"labelSelector": "app.kubernetes.io/instance=%s" % release["name"]}
        lacking = _until(
            lambda: (deployments_lack(client.list_objects(path, query), release["name"], release["version"]), False),
            deadline,
        )
        if lacking:
            raise SecretopsError(
                "External Secrets Operator %s does not run in %s after %d s: %s"
                % (release["version"], release["namespace"], seconds, lacking),
                remedy="look at their pods and events",
            )


def _until(judge: Callable[[], tuple[str, bool]], deadline: float) -> str:
    """Look until nothing is lacking, until it is hopeless, or until the deadline; return what is lacking."""
    pause = FIRST
    while True:
        try:
            lacking, hopeless = judge()
        except Unreachable as error:
            # a control plane that restarts meanwhile
            if not error.retryable or error.tls or time.monotonic() + pause >= deadline:
                raise
            lacking, hopeless = str(error), False
        if not lacking or hopeless or time.monotonic() + pause > deadline:
            return lacking
        progress.tell("%s", lacking)
        time.sleep(pause)
        pause = min(pause * 1.5, LAST)


def flux_lacks(current: Mapping[str, Any] | None, seconds: int) -> tuple[str, bool]:
    """Return what an object of Flux lacks to be ready, and whether Flux has given up.

    Ready counts only for the newest generation; Stalled means that Flux does not try again.
    """
    current = current or {}
    ready = condition(current)
    observed = (current.get("status") or {}).get("observedGeneration", -1)
    newest = observed == (current.get("metadata") or {}).get("generation", 0)
    if newest and ready.get("status") == "True":
        return "", False
    # one that is left from an older generation says nothing of this one
    stalled = newest and condition(current, "Stalled").get("status") == "True"
    if ready:
        return "%s, %s" % (ready.get("reason"), ready.get("message")), stalled
    return "no controller of Flux has looked at it in %d s, make sure that they run" % seconds, stalled


def deployments_lack(found: Sequence[Mapping[str, Any]], release: str, version: str) -> str:
    """Return what the Deployments of a release lack to run in a version with all their pods, "" when nothing."""
    if not found:
        return "the release %s has no Deployment" % release
    return ", ".join(filter(None, (_lacks(one, version) for one in found)))


def _lacks(deployment: Mapping[str, Any], version: str) -> str:
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    replicas = (deployment.get("spec") or {}).get("replicas")
    replicas = 1 if replicas is None else int(replicas)
    chart = str((metadata.get("labels") or {}).get("helm.sh/chart") or "")
    if chart != "external-secrets-" + version:
        return "%s is of %s" % (metadata["name"], chart or "an unknown chart")
    seen = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    # available ones may be of the older template
    running = min(int(status.get(name) or 0) for name in ("updatedReplicas", "availableReplicas")) if seen else 0
    return "" if seen and running >= replicas else "%s has %d of %d pods" % (metadata["name"], running, replicas)
