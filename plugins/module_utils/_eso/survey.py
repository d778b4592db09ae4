# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What there is of External Secrets Operator in a cluster, and in what state: names and conditions, nothing secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable

from .._kubernetes.client import Client
from .._kubernetes.errors import NotServed
from .._kubernetes.kind import Kind, Object
from .cluster_external_secret import CLUSTER_EXTERNAL_SECRET, describe_cluster_external_secret
from .external_secret import EXTERNAL_SECRET, describe_external_secret
from .generator import KINDS as GENERATORS
from .generator import describe_generator
from .push_secret import PUSH_SECRET, describe_push_secret
from .store import CLUSTER_STORE, STORE, describe_store
from .targets import Targets, hold_against_targets, target_of

#: without these nothing can be declared
CORE = (STORE, CLUSTER_STORE, EXTERNAL_SECRET)
#: what can be told: the kinds, and how an object is described
PARTS: Mapping[str, tuple[tuple[Kind, ...], Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "stores": ((STORE, CLUSTER_STORE), describe_store),
    "external_secrets": ((EXTERNAL_SECRET,), describe_external_secret),
    "cluster_external_secrets": ((CLUSTER_EXTERNAL_SECRET,), describe_cluster_external_secret),
    "push_secrets": ((PUSH_SECRET,), describe_push_secret),
    "generators": (tuple(GENERATORS.values()), describe_generator),
}


def survey(client: Client, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is. ``wanted``: gather, namespaces, name, label_selector, target_keys.

    Raises SecretopsError when the cluster cannot be asked; definitions that are not installed are an answer.
    """
    parts = [part for part in PARTS if part in wanted["gather"]]
    versions, reason = {}, ""
    for kind in dict.fromkeys([*CORE, *(kind for part in parts for kind in PARTS[part][0])]):
        try:
            versions[kind.name] = client.version_of(kind)
        except NotServed as error:
            reason = reason or (str(error) if kind in CORE else "")
    result: dict[str, Any] = {"installed": not reason, "versions": versions, "reason": reason}
    counted: list[tuple[str, dict[str, Any]]] = []
    external: list[tuple[Object, dict[str, Any]]] = []
    for part in parts:
        kinds, tell = PARTS[part]
        result[part] = []
        for kind in kinds:
            for one in _found(client, kind, versions.get(kind.name), wanted):
                entry = tell(one)
                result[part].append(entry)
                if kind is EXTERNAL_SECRET:
                    external.append((one, entry))
                if "ready" in entry:
                    counted.append((kind.name, entry))
    hold_against_targets(client, external)
    if wanted.get("target_keys"):
        targets = Targets(client)
        for one, entry in external:
            path = targets.path(target_of(one))
            held = client.get(path) if path else None
            entry["target_keys"] = sorted((held or {}).get("data") or {})
    result["readiness"] = readiness(counted)
    return result


def _found(client: Client, kind: Kind, version: str | None, wanted: Mapping[str, Any]) -> list[Object]:
    if version is None:
        return []
    spaces = wanted.get("namespaces") if kind.namespaced else None
    query = {"labelSelector": wanted["label_selector"]} if wanted.get("label_selector") else None
    return [
        dict(one, kind=kind.name)
        for space in (spaces if spaces is not None else [None])
        for one in client.list_objects(kind.path(version, space), query)
        if wanted.get("name") in (None, one["metadata"]["name"])
    ]


def readiness(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return how many objects of each kind are ready, by namespace ("" for those of the cluster), in order."""
    count: dict[tuple[str, str], dict[str, Any]] = {}
    for kind, entry in entries:
        space = str(entry.get("namespace") or "")
        one = count.setdefault(
            (space, kind), {"namespace": space, "kind": kind, "ready": 0, "not_ready": 0, "not_ready_names": []}
        )
        if entry["ready"]:
            one["ready"] += 1
        else:
            one["not_ready"] += 1
            one["not_ready_names"].append(entry["name"])
    return [count[key] for key in sorted(count)]
