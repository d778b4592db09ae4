# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which the role rotation decides what is rotated on which host, and what has to follow there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

Application = Mapping[str, Any]

#: what an application may name in a Kubernetes cluster
PARTS = ("external_secrets", "workloads")


def _first(names: Any) -> str:
    return str(next(iter(names or []), ""))


def _serves(cluster: str, hostvars: Mapping[str, Any], vaults: Sequence[str]) -> str:
    """Return the Vault that serves a Kubernetes cluster: the one that it names, else the first."""
    named = hostvars[cluster].get("vault_cluster") if cluster in hostvars else ""
    return str(named or _first(vaults))


def rotation_held(
    applications: Iterable[Application],
    unready: Iterable[str],
    host: str,
    hostvars: Mapping[str, Any],
    vaults: Sequence[str] = (),
) -> list[str]:
    """Return the names of the applications that must not be rotated in a Vault, each once.

    ``unready`` are Kubernetes clusters that cannot take new values, ``host`` the Vault, ``vaults`` all of them. A value that
    is new in Vault alone is an outage as soon as the application is restarted. An entry that names no cluster is every
    cluster's, with the Vault that serves each.
    """
    found: list[str] = []
    for application in applications:
        places = [entry.get("cluster") or "" for part in PARTS for entry in application.get(part) or []]
        for cluster in unready:
            concerned = cluster in places or "" in places
            here = application.get("vault_cluster") or _serves(cluster, hostvars, vaults) == host
            if concerned and here and application["name"] not in found:
                found.append(str(application["name"]))
    return found


def rotation_mine(applications: Iterable[Application], host: str) -> list[Application]:
    """Return the applications that are rotated in a Vault: those that name none come first, then those that name it."""
    every = list(applications)
    unnamed = [one for one in every if "vault_cluster" not in one]
    return unnamed + [one for one in every if "vault_cluster" in one and one["vault_cluster"] in (None, "", host)]


def rotation_done(applications: Iterable[Application], changed: Iterable[str]) -> list[str]:
    """Return the names of the applications whose secret is among those that changed, written as ``mount/path``."""
    secrets = set(changed)
    return [str(one["name"]) for one in applications if _secret(one) in secrets]


def _secret(application: Application) -> str:
    return re.sub("/+", "/", "%s/%s" % (application.get("mount", "secret"), application["path"]))


def rotation_brought(
    applications: Iterable[Application], hostvars: Mapping[str, Any], vault: str = "", vaults: Sequence[str] = ()
) -> list[Application]:
    """Return the applications whose new values are to be brought to a Kubernetes cluster.

    ``vault`` is the Vault that serves the cluster, the first of ``vaults`` where it is empty. Applications whose rotation
    failed or was held back in this run are left out. A run that is limited to Kubernetes rotates nothing, and brings what
    an earlier one has rotated.
    """

    def left(application: Application) -> bool:
        name = str(application.get("vault_cluster") or vault or _first(vaults))
        facts = hostvars[name] if name in hostvars else {}  # noqa: SIM401 - Ansible gives a value for any name
        if "__rotation_left" in facts:
            return application["name"] in facts["__rotation_left"]
        return "converge_failure" in facts

    return [one for one in applications if not left(one)]


def rotation_secrets(applications: Iterable[Application], held: Sequence[str], stamp: str) -> list[dict[str, Any]]:
    """Return the entries of vault_kv that give applications new values; ``stamp`` is the time, for those that keep it."""
    return [
        {
            "mount": one.get("mount", "secret"),
            "path": one["path"],
            "mode": "merge",
            "generate": {
                key: {**(how or {}), "rotate": True} for key, how in sorted((one.get("generate") or {}).items())
            },
            "data": {one["timestamp_key"]: stamp} if one.get("timestamp_key") else {},
        }
        for one in applications
        if one["name"] not in held
    ]


def rotation_objects(applications: Iterable[Application], part: str, host: str) -> list[dict[str, str]]:
    """Return the C(external_secrets) or C(workloads) of applications that are in a cluster; one that names none is in all."""
    if part not in PARTS:
        raise AnsibleFilterError("rotation_objects: %s is none of %s" % (part, ", ".join(PARTS)))
    kinds: dict[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
        "external_secrets": lambda entry: {},
        "workloads": lambda entry: {"kind": entry.get("kind") or "Deployment"},
    }
    return [
        {**kinds[part](entry), "namespace": entry["namespace"], "name": entry["name"]}
        for application in applications
        for entry in application.get(part) or []
        if (entry.get("cluster") or host) == host
    ]


def _of_applications(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that refuses what is not a list of applications."""

    def filtered(applications: Any, *arguments: Any) -> Any:
        if not isinstance(applications, Sequence) or isinstance(applications, str):
            raise AnsibleFilterError("%s: takes a list of applications" % name)
        return function(applications, *arguments)

    return filtered


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        functions = (
            rotation_brought,
            rotation_done,
            rotation_held,
            rotation_mine,
            rotation_objects,
            rotation_secrets,
        )
        return {function.__name__: _of_applications(function.__name__, function) for function in functions}
