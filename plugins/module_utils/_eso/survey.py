# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What there is of External Secrets Operator in a cluster, and in what state: names and conditions, nothing secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._kubernetes.client import Client
from .._kubernetes.errors import NotServed
from .._kubernetes.kind import Kind, Object
from .kind import EsoKind
from .kinds import KINDS

#: the parts of the survey, by the option that declares them
PARTS: Mapping[str, EsoKind] = {kind.plural: kind for kind in KINDS}
#: without these nothing can be declared
CORE = tuple(api for kind in KINDS if kind.core for api in kind.apis)


def survey(client: Client, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is. ``wanted``: gather, namespaces, name, label_selector, target_keys.

    Raises SecretopsError when the cluster cannot be asked; CRDs that are not installed are an answer.
    """
    parts = [part for part in PARTS if part in wanted["gather"]]
    versions, reason = {}, ""
    for api in dict.fromkeys([*CORE, *(api for part in parts for api in PARTS[part].apis)]):
        try:
            versions[api.name] = client.version_of(api)
        except NotServed as error:
            reason = reason or (str(error) if api in CORE else "")
    result: dict[str, Any] = {"installed": not reason, "versions": versions, "reason": reason}
    counted: list[tuple[str, dict[str, Any]]] = []
    for part in parts:
        kind = PARTS[part]
        found = [
            (api, one, kind.describe(one))
            for api in kind.apis
            for one in _found(client, api, versions.get(api.name), wanted)
        ]
        kind.complete(client, [(one, entry) for _api, one, entry in found], wanted)
        result[part] = [entry for _api, _one, entry in found]
        counted += [(api.name, entry) for api, _one, entry in found if "ready" in entry]
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
