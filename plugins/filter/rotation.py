# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which the role rotation tells its module which applications a Vault rotates, and where. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

Application = Mapping[str, Any]

#: what an application may name in a Kubernetes cluster
PARTS = ("external_secrets", "workloads")


def _serves(cluster: str, hostvars: Mapping[str, Any], vaults: Sequence[str]) -> str:
    """Return the Vault that serves a Kubernetes cluster: the one that it names, else the first."""
    named = hostvars[cluster].get("vault_cluster") if cluster in hostvars else ""
    return str(named or next(iter(vaults or []), ""))


def _served(host: str, hostvars: Mapping[str, Any], vaults: Sequence[str], clusters: Sequence[str]) -> list[str]:
    return [cluster for cluster in clusters if _serves(cluster, hostvars, vaults) == host]


def rotation_applications(
    applications: Iterable[Application],
    host: str,
    hostvars: Mapping[str, Any],
    vaults: Sequence[str] = (),
    clusters: Sequence[str] = (),
    only: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the applications that are rotated in the Vault ``host``, each entry in a cluster with the cluster's name.

    An entry that names no cluster is in every one that this Vault serves. ``only``: names of applications, empty for
    all; those of folders are chosen by the module, which lists them.
    """
    served = _served(host, hostvars, vaults, clusters)
    found = []
    for one in applications:
        if one.get("vault_cluster") not in (None, "", host):
            continue
        if only and one["name"] not in only and not _is_folder(one):
            continue
        entry = {name: value for name, value in one.items() if name != "vault_cluster" and value is not None}
        for part in PARTS:
            if one.get(part) and clusters:
                entry[part] = [
                    {**place, "cluster": cluster}
                    for place in one[part]
                    for cluster in ([place["cluster"]] if place.get("cluster") else served)
                ]
        found.append(entry)
    return found


def _is_folder(application: Application) -> bool:
    return str(application["path"]).endswith("/*")


def rotation_clusters(
    applications: Iterable[Application], hostvars: Mapping[str, Any], clusters: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the Kubernetes clusters that applications of `rotation_applications` name, with their connections."""
    named = {place.get("cluster") for one in applications for part in PARTS for place in one.get(part) or []}
    return [
        {**(hostvars[cluster].get("kubernetes_connection") or {}), "name": cluster}
        for cluster in clusters
        if cluster in named
    ]


def rotation_without_hooks(applications: Iterable[Application]) -> list[Application]:
    """Return the applications without tasks of their own, which the module rotates together."""
    return [one for one in applications if not one.get("hook")]


def rotation_with_hooks(applications: Iterable[Application]) -> list[Application]:
    """Return the applications whose new values tasks of their own bring to another system."""
    found = [one for one in applications if one.get("hook")]
    for one in found:
        if _is_folder(one):
            raise AnsibleFilterError(
                'application "%s": a hook is for one secret, not for a folder; name the secrets one by one'
                % one["name"]
            )
    return found


def rotation_module_options(applications: Iterable[Application]) -> list[dict[str, Any]]:
    """Return applications as the module takes them."""
    return [{name: value for name, value in one.items() if name != "hook"} for one in applications]


def rotation_unknown(applications: Sequence[Application], only: Iterable[str]) -> list[str]:
    """Return the names that no application has; none where secrets of a folder are found by listing it."""
    if any(_is_folder(one) for one in applications):
        return []
    return [name for name in only if name not in {one["name"] for one in applications}]


def rotation_only_option(applications: Sequence[Application], only: Sequence[str]) -> list[str]:
    """Return the names that the module chooses by, as it lists folders; those that have an entry are chosen already."""
    return list(only) if any(_is_folder(one) for one in applications) else []


def rotation_failed(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the applications of a run that hold no new values that are proven."""
    return [str(one["name"]) for one in results if "error" in one or one.get("outcome") == "not_reached"]


def rotation_summary(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one text for each application that was rotated: its name, the version, and what is not proven."""
    return [
        "%s (version %s%s)" % (one["name"], one["info"]["version"], "" if one["info"].get("proven") else ", not proven")
        for one in results
        if one.get("outcome") == "done"
    ]


def _of_list(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that refuses what is not a list."""

    def filtered(entries: Any, *arguments: Any, **options: Any) -> Any:
        if not isinstance(entries, Sequence) or isinstance(entries, str):
            raise AnsibleFilterError("%s: takes a list" % name)
        return function(entries, *arguments, **options)

    return filtered


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        functions = (
            rotation_applications,
            rotation_module_options,
            rotation_only_option,
            rotation_clusters,
            rotation_failed,
            rotation_with_hooks,
            rotation_without_hooks,
            rotation_summary,
            rotation_unknown,
        )
        return {function.__name__: _of_list(function.__name__, function) for function in functions}
