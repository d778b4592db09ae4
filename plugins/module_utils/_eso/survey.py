# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What there is of External Secrets Operator in a cluster, and in what state: names and conditions, nothing secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from .._kubernetes.apply import applied_by_us, compact, condition
from .._kubernetes.client import Client
from .._kubernetes.errors import NotServed
from .._kubernetes.kind import Kind, Object
from . import cluster_external_secret
from .external_secret import (
    AUTH_METHODS,
    CLUSTER_EXTERNAL_SECRET,
    CLUSTER_STORE,
    EXTERNAL_SECRET,
    PUSH_SECRET,
    STORE,
    synced,
)
from .generator import FIELDS
from .generator import KINDS as GENERATORS
from .targets import Targets, target_of

#: without these nothing can be declared
CORE = (STORE, CLUSTER_STORE, EXTERNAL_SECRET)


def describe(current: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of any kind: name and condition."""
    metadata, entry, status = current["metadata"], condition(current), current.get("status") or {}
    return dict(
        compact(
            {
                "name": metadata["name"],
                "namespace": metadata.get("namespace"),
                "ready": entry.get("status") == "True",
                "reason": entry.get("reason") or "",
                "message": entry.get("message") or "",
                "last_transition": entry.get("lastTransitionTime"),
                "managed": applied_by_us(current),
                "refresh_time": status.get("refreshTime"),
                "synced_resource_version": status.get("syncedResourceVersion"),
            }
        )
    )


def auth_method(vault: Mapping[str, Any]) -> str:
    """Return the name of the auth method in the description of a Vault, "" without one."""
    return next((name for name in AUTH_METHODS if (vault.get("auth") or {}).get(name)), "")


def describe_store(current: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a store."""
    provider = (current.get("spec") or {}).get("provider") or {}
    vault = provider.get("vault") or {}
    return {
        **describe(current),
        "kind": current.get("kind") or "",
        "provider": next(iter(provider), ""),
        "server": vault.get("server") or "",
        "path": vault.get("path") or "",
        "auth_method": auth_method(vault),
    }


def describe_external_secret(current: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of an ExternalSecret."""
    spec, target = current.get("spec") or {}, target_of(current)
    return {
        **describe(current),
        "store": store_of(spec),
        "target": target.name,
        "target_kind": target.kind,
        "refresh_interval": spec.get("refreshInterval"),
        "refresh_policy": spec.get("refreshPolicy") or "Periodic",
        "in_sync": synced(dict(current)) == "",
    }


def hold_against_targets(client: Client, found: Sequence[tuple[Object, dict[str, Any]]]) -> None:
    """Complete the entries of ExternalSecrets by whether what they fill exists, with its keys.

    One that the operator calls Ready and that filled nothing is not ready. A target that may not be read is not proven.
    """
    targets = Targets(client, [one["metadata"].get("namespace") for one, entry in found if entry["ready"]])
    for one, entry in found:
        lacking, unseen = targets.judge(one) if entry["ready"] else ("is not ready", "")
        entry["proven"] = not lacking and not unseen
        if entry["ready"] and lacking:
            entry["in_sync"] = False
            if not synced(one):
                entry.update(ready=False, message=lacking)
        if unseen:
            entry["not_proven"] = unseen


def store_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return name and kind of the store that an ExternalSecret's spec names."""
    reference = spec.get("secretStoreRef") or {}
    return {"name": reference.get("name") or "", "kind": reference.get("kind") or STORE.name}


def describe_cluster_external_secret(current: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a ClusterExternalSecret, whose condition alone says little."""
    spec, status = current.get("spec") or {}, current.get("status") or {}
    lacking = cluster_external_secret.provided(dict(current))
    return {
        **describe(current),
        "ready": not lacking,
        "message": lacking or condition(current).get("message") or "",
        "external_secret": status.get("externalSecretName")
        or spec.get("externalSecretName")
        or current["metadata"]["name"],
        "store": store_of(spec.get("externalSecretSpec") or {}),
        "provisioned_namespaces": sorted(status.get("provisionedNamespaces") or []),
        "failed_namespaces": [
            {"namespace": one.get("namespace"), "reason": one.get("reason") or ""}
            for one in status.get("failedNamespaces") or []
        ],
        "refresh_interval": spec.get("refreshTime"),
    }


def describe_push_secret(current: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a PushSecret: where it pushes to, never what."""
    spec, status = current.get("spec") or {}, current.get("status") or {}
    return {
        **describe(current),
        "stores": [
            compact(
                {"name": one.get("name"), "kind": one.get("kind") or STORE.name, "labels": one.get("labelSelector")}
            )
            for one in spec.get("secretStoreRefs") or []
        ],
        "source": ((spec.get("selector") or {}).get("secret") or {}).get("name") or "",
        "pushed": sorted({place for places in (status.get("syncedPushSecrets") or {}).values() for place in places}),
        "refresh_interval": spec.get("refreshInterval"),
        "update_policy": spec.get("updatePolicy") or "Replace",
        "deletion_policy": spec.get("deletionPolicy") or "None",
        "in_sync": synced(dict(current)) == "",
    }


def describe_generator(current: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a generator, which has no status."""
    metadata, spec = current["metadata"], current.get("spec") or {}
    kind = str(current.get("kind") or "")
    if kind == "ClusterGenerator":
        kind = str(spec.get("kind") or "")
        spec = (spec.get("generator") or {}).get(FIELDS.get(kind, "")) or {}
    provider = spec.get("provider") or {}
    return dict(
        compact(
            {
                "kind": current.get("kind") or "",
                "generator_kind": kind,
                "name": metadata["name"],
                "namespace": metadata.get("namespace"),
                "managed": applied_by_us(current),
                "path": spec.get("path"),
                "server": provider.get("server"),
                "auth_method": auth_method(provider) or None,
            }
        )
    )


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
