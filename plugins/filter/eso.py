# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which the role eso decides: what is refused, what Flux has to serve, what is to be removed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Callable, NamedTuple

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean

_EXACT = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
#: the first that knows v1, the first that knows it alone, the first that can do without the right to request any token
KNOWS_V1 = (0, 16, 0)
V1_ONLY = (0, 17, 0)
DECLARED_TOKENS = (2, 5, 0)
SERVICE_MONITOR = "monitoring.coreos.com/v1/ServiceMonitor"
#: the NetworkPolicies of the role, the one that forbids last
POLICIES = ("vault", "webhook", "metrics", "dns-and-api-server", "default-deny")


class FluxKind(NamedTuple):
    """A kind of Flux: since which Flux it is served, and which controller works on it."""

    since: str
    controller: str


HELM_RELEASE = "helm.toolkit.fluxcd.io/v2/HelmRelease"
OCI_REPOSITORY = "source.toolkit.fluxcd.io/v1/OCIRepository"
HELM_REPOSITORY = "source.toolkit.fluxcd.io/v1/HelmRepository"
KUSTOMIZATION = "kustomize.toolkit.fluxcd.io/v1/Kustomization"
GIT_REPOSITORY = "source.toolkit.fluxcd.io/v1/GitRepository"
FLUX = {
    HELM_RELEASE: FluxKind("2.3", "helm-controller"),
    OCI_REPOSITORY: FluxKind("2.6", "source-controller"),
    HELM_REPOSITORY: FluxKind("2.3", "source-controller"),
    KUSTOMIZATION: FluxKind("2.0", "kustomize-controller"),
    GIT_REPOSITORY: FluxKind("2.0", "source-controller"),
}


def eso_problems(declared: Mapping[str, Any]) -> list[str]:
    """Return why the declaration alone cannot come true, one sentence each."""
    return list(_declaration(_Declared("eso_problems", declared)))


def eso_cluster_problems(found: Mapping[str, Any], declared: Mapping[str, Any]) -> list[str]:
    """Return why the cluster cannot take what is declared, one sentence each; ``found`` is what eso_state returned."""
    wanted = _Declared("eso_cluster_problems", declared)
    if not isinstance(found, Mapping):
        raise AnsibleFilterError("eso_cluster_problems: takes the result of eso_state")
    problems = [*_unserved(found, wanted)]
    if wanted["state"] == "absent":
        return [*problems, *_needed(found, wanted)]
    return [*problems, *_operators(found, wanted), *_crds(found, wanted)]


def eso_kinds(declared: Mapping[str, Any]) -> list[str]:
    """Return the kinds that the cluster has to serve, as ``apiVersion/kind``."""
    return _kinds(_Declared("eso_kinds", declared))


def eso_undeclared(declared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the objects that only the role makes and that are not declared, as manifests, in the order of removal."""
    return list(_undeclared(_Declared("eso_undeclared", declared)))


class _Declared:
    """What is declared. Versions are compared as numbers; a yes may be a text."""

    def __init__(self, name: str, declared: Any) -> None:
        if not isinstance(declared, Mapping):
            raise AnsibleFilterError("%s: takes a mapping of what is declared" % name)
        self._declared = declared
        self.exact = _EXACT.fullmatch(str(declared["version"])) is not None

    def __getitem__(self, name: str) -> Any:
        return self._declared[name]

    def says(self, name: str) -> bool:
        """Tell whether an option is on."""
        return bool(boolean(self._declared[name]))

    @property
    def version(self) -> tuple[int, ...]:
        """The declared version; (0,) where it is not an exact one."""
        return _version(self._declared["version"]) if self.exact else (0,)


def _version(text: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in str(text).split("."))


# -- the declaration --------------------------------------------------------------------------------------------------


def _declaration(declared: _Declared) -> Iterator[str]:
    version, method, present = declared["version"], declared["method"], declared["state"] == "present"
    if not declared.exact:
        yield ("eso_version is %s, but what runs must not change by itself: name one version, such as 2.9.0" % version)
    elif declared.version < KNOWS_V1:
        yield (
            "eso_version is %s, and this role installs 0.16.0 and newer: an older operator is brought up by 0.16.2"
            ' (README of the role eso, "Coming from 0.x")' % version
        )
    yield from _method(declared)
    if declared.says("network_policies") and present:
        vaults = declared["network_vault"] or []
        if not vaults or any("namespace" not in one and "cidrs" not in one for one in vaults):
            yield (
                "eso_network_vault does not say where Vault is, and with eso_network_policies everything else is forbidden:"
                " name its namespace when it runs in the cluster, or its cidrs when it does not, or set"
                " eso_network_policies to false"
            )
    if declared.says("network_policies") and method == "manifests" and not declared["api_server_cidrs"]:
        yield (
            "eso_network_api_server_cidrs is empty, and eso_method: manifests asks no cluster: name the API server's"
            " addresses, those of its endpoints and of the service kubernetes, or set eso_network_policies to false"
        )
    if declared["service_account_tokens"] == "declared" and declared.exact and declared.version < DECLARED_TOKENS:
        yield (
            "eso_service_account_tokens: declared needs version 2.5.0 of External Secrets Operator, and eso_version is"
            " %s: set it to any" % version
        )


def _method(declared: _Declared) -> Iterator[str]:
    method, present = declared["method"], declared["state"] == "present"
    if declared["crds"] == "kustomization" and method == "manifests" and not declared["manifests_path"]:
        yield (
            "eso_crds: kustomization needs eso_manifests_path, the path of eso_manifests_directory inside the Git repository,"
            " because a HelmRelease can wait for a Kustomization only inside one; name it, or use eso_crds: release"
        )
    if declared["crds"] == "kustomization" and method == "helm":
        yield (
            "eso_crds: kustomization needs Flux because a HelmRelease can wait for a Kustomization only inside one; set"
            " eso_method to flux, or use eso_crds: release"
        )
    if method == "manifests" and not present:
        yield (
            "eso_method: manifests writes files only: remove them in your repository, or set eso_method to what installed"
            " the operator"
        )
    elif method == "manifests" and not declared["manifests_directory"]:
        yield "eso_method: manifests needs eso_manifests_directory, where to write them"


# -- the cluster ------------------------------------------------------------------------------------------------------


def _kinds(declared: _Declared) -> list[str]:
    kinds = []
    if declared["method"] == "flux":
        kinds = [HELM_RELEASE, OCI_REPOSITORY if declared["source"] == "oci" else HELM_REPOSITORY]
        if declared["crds"] == "kustomization":
            kinds += [KUSTOMIZATION, GIT_REPOSITORY]
    if declared.says("service_monitor") and declared["state"] == "present":
        kinds.append(SERVICE_MONITOR)
    return kinds


def _unserved(found: Mapping[str, Any], declared: _Declared) -> Iterator[str]:
    missing = list(found.get("missing_kinds") or [])
    flux = [name for name in missing if name in FLUX]
    if flux:
        needed = [FLUX[name] for name in _kinds(declared) if name in FLUX]
        parts = [name.rpartition("/") for name in flux]
        yield (
            "This cluster does not serve %s in %s: install Flux %s or newer with its %s, or set eso_method to helm or manifests"
            % (
                ", ".join(kind for _version, _slash, kind in parts),
                ", ".join(dict.fromkeys(version for version, _slash, _kind in parts)),
                max(one.since for one in needed),
                " and ".join(dict.fromkeys(FLUX[name].controller for name in flux)),
            )
        )
    for namespace in found.get("missing_namespaces") or []:
        yield ("The namespace %s does not exist: set eso_flux_namespace to the one in which Flux works" % namespace)
    if SERVICE_MONITOR in missing:
        yield (
            "This cluster does not serve ServiceMonitor in monitoring.coreos.com/v1: install the Prometheus operator's"
            " CRDs, or set eso_service_monitor to false"
        )
    published = "api_server" not in found or found["api_server"]["cidrs"]
    if declared["state"] == "present" and not published and not declared["api_server_cidrs"]:
        yield (
            "The service kubernetes in the namespace default has no endpoints, so that the API server's addresses are not"
            " known: name them by eso_network_api_server_cidrs, or set eso_network_policies to false"
        )


def _needed(found: Mapping[str, Any], declared: _Declared) -> Iterator[str]:
    names = list(found.get("dependents") or [])
    if names and not declared.says("confirmed"):
        yield (
            "%d objects of External Secrets Operator exist in %s, such as %s: without the operator nothing updates or"
            " finalises them%s; delete them first, or add %s to eso_confirm_removal"
            % (
                len(names),
                declared["host"],
                ", ".join(names[:3]),
                ", and deleting its CRDs deletes them and every Secret that they own"
                if declared.says("remove_crds")
                else "",
                declared["host"],
            )
        )


def _operators(found: Mapping[str, Any], declared: _Declared) -> Iterator[str]:
    running = list(found.get("operators") or [])
    others = sorted({one["namespace"] for one in running if one["namespace"] != declared["namespace"]})
    if others and not declared.says("has_class"):
        yield (
            "External Secrets Operator already runs in the namespace %s, and two would undo each other's work: set"
            " eso_namespace to that one, remove it there, or give this one a class of its own by eso_values.controllerClass"
            % ", ".join(others)
        )
    version = next((one["version"] for one in running if one["namespace"] == declared["namespace"]), "")
    if _EXACT.fullmatch(version) is None:
        return
    if _version(version) > declared.version and not declared.says("allow_downgrade"):
        yield (
            "External Secrets Operator %s runs in %s, and eso_version is %s: an older version may not know what a newer one"
            " stored; name %s or newer, or set eso_allow_downgrade to true"
            % (version, declared["namespace"], declared["version"], version)
        )
    # 0.16 is the only line that knows v1beta1 and v1 both: every way from before to after leads through it
    if _version(version) < KNOWS_V1 and declared.version >= V1_ONLY:
        yield (
            "External Secrets Operator %s stores v1beta1, and %s serves v1 only: install eso_version 0.16.2 first, move your"
            ' manifests and the stored objects to v1 there, then come back (README of the role eso, "Coming from 0.x")'
            % (version, declared["version"])
        )


def _crds(found: Mapping[str, Any], declared: _Declared) -> Iterator[str]:
    installed = list(found.get("crds") or [])
    storable = ["v1"] if declared.version >= V1_ONLY else ["v1", "v1beta1"]
    old = [one for one in installed if "v1" not in one["versions"] and declared.version >= V1_ONLY]
    unreadable = [one for one in installed if one in old or set(one["stored"]) - set(storable)]
    if unreadable:
        yield (
            "%s: the API server keeps objects as %s, and External Secrets Operator %s knows %s; %swrite each object once and set"
            ' status.storedVersions of the CRD (README of the role eso, "Coming from 0.x")'
            % (
                ", ".join(one["name"] for one in unreadable),
                ", ".join(sorted({version for one in unreadable for version in one["stored"]})),
                declared["version"],
                ", ".join(storable),
                "install eso_version 0.16.2 first, then " if old else "",
            )
        )
    # an upgrade of a release deletes what the new chart no longer has, unless the object itself says that it is to be kept
    lost = [one["name"] for one in installed if one["release"] == declared["release"] and not one["kept"]]
    if lost and declared["crds"] != "chart":
        yield (
            "%s belongs to the release %s without the annotation helm.sh/resource-policy: keep, so that eso_crds: %s would"
            " delete it with all its objects and their Secrets: run once with eso_crds: chart, which annotates it, then with %s"
            % (", ".join(lost), declared["release"], declared["crds"], declared["crds"])
        )
    # Flux takes objects over, Helm does not
    owner = declared["release"] if declared["crds"] == "chart" else declared["crds_release"]
    others = [one["name"] for one in installed if one["release"] != owner]
    if others and declared["method"] == "helm" and declared["crds"] != "none":
        yield (
            "%s exists and does not belong to the release %s, and Helm refuses to take it over: set eso_crds to %s if that is"
            " where it came from, or to none to leave it to whoever made it"
            % (", ".join(others), owner, "chart" if declared["crds"] == "release" else "release")
        )


# -- what is to go ----------------------------------------------------------------------------------------------------


def _undeclared(declared: _Declared) -> Iterator[dict[str, Any]]:
    removed = declared["state"] == "absent"
    namespace, release = declared["namespace"], declared["release"]
    for policy in POLICIES:
        unwanted = policy == "metrics" and not declared["network_metrics_namespace"]
        if removed or unwanted or not declared.says("network_policies"):
            yield _object("networking.k8s.io/v1/NetworkPolicy", namespace, "%s-%s" % (release, policy))
    if declared["method"] == "flux":
        crds, flux, source = declared["crds_release"], declared["flux_namespace"], declared["source"]
        if removed or declared["crds"] != "release":
            yield _object(HELM_RELEASE, flux, crds)
        if removed or declared["crds"] != "kustomization":
            yield _object(KUSTOMIZATION, flux, crds)
            yield _object(GIT_REPOSITORY, flux, crds)
        if removed or source != "helm":
            yield _object(HELM_REPOSITORY, flux, release)
        if removed or source != "oci":
            yield _object(OCI_REPOSITORY, flux, release)
    if not removed:
        return
    for account in declared["service_accounts"]:
        name, where = "%s-token-%s" % (release, account["name"]), account.get("namespace") or namespace
        yield _object("rbac.authorization.k8s.io/v1/RoleBinding", where, name)
        yield _object("rbac.authorization.k8s.io/v1/Role", where, name)
    if declared.says("remove_namespace"):
        yield _object("v1/Namespace", "", namespace)


def _object(kind: str, namespace: str, name: str) -> dict[str, Any]:
    api_version, _slash, kind = kind.rpartition("/")
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "eso_problems": eso_problems,
            "eso_cluster_problems": eso_cluster_problems,
            "eso_kinds": eso_kinds,
            "eso_undeclared": eso_undeclared,
        }
