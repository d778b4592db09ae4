# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What the status of the operator's objects means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._kubernetes.apply import KubeObject
from .._kubernetes.client import Client
from .._kubernetes.fields import compact
from .._kubernetes.kind import Object
from .._kubernetes.objects import applied_by_us, condition
from .._kubernetes.waiting import Expectation, Look
from .values import duration


def ready(current: Object | None) -> str:
    """Return "" when an object's Ready condition is true, else what it lacks."""
    if current is None:
        return "does not exist"
    entry = condition(current)
    if not entry:
        return "has no status yet (does the operator run?)"
    if entry.get("status") == "True":
        return ""
    return "is not ready: %s" % (
        ": ".join(str(entry[name]) for name in ("reason", "message") if entry.get(name)) or "no reason is given"
    )


def synced_generation(current: Mapping[str, Any]) -> int | None:
    """Return the generation that was synced last: ``status.syncedResourceVersion`` is ``<generation>-<hash>``."""
    generation = str((current.get("status") or {}).get("syncedResourceVersion") or "").partition("-")[0]
    return int(generation) if generation.isdigit() else None


def frozen(spec: Mapping[str, Any]) -> str:
    """Return why the operator never syncs an ExternalSecret a second time, "" when it does."""
    if spec.get("refreshPolicy") == "CreatedOnce":
        return "its refresh policy is CreatedOnce"
    if spec.get("refreshPolicy") != "OnChange" and duration(spec.get("refreshInterval")) == 0:
        return "its refresh interval is 0"
    return ""


def synced(current: Object | None) -> str:
    """Return "" when an ExternalSecret is Ready and what is Ready is its newest spec, else what it lacks."""
    lacking = ready(current)
    if lacking or current is None or frozen(current.get("spec") or {}):
        return lacking
    generation = synced_generation(current)
    if generation is not None and generation != current["metadata"].get("generation"):
        return "is not synced yet since its last change"
    return ""


def expect_ready(resource: KubeObject, changed: bool) -> Expectation:
    """Return what to wait for after an object was applied: the operator has looked at it and finds it right."""
    first = {"looks": 0}

    def look(current: Object | None) -> str:
        first["looks"] += 1
        # A store's status does not say which spec it is about: give the operator time to look at the new one.
        if changed and first["looks"] <= 4:
            return ready(current) or "is not looked at again yet"
        return ready(current)

    return expected(resource, look)


def expected(resource: KubeObject, look: Look) -> Expectation:
    """Return an object as one that is waited for, with the operator's reason when it does not come."""

    def explain(current: Object | None) -> str:
        return cause(resource.client, resource.api.name, current)

    return Expectation(resource.api, resource.version, resource.namespace, resource.object_name, look, explain)


def cause(client: Client, kind: str, current: Object | None) -> str:
    """Return why the operator could not do it: its newest Warning event, with the key of the entry that it names."""
    if current is None:
        return ""
    metadata, spec = current["metadata"], current.get("spec") or {}
    text = client.last_warning(
        metadata.get("namespace") or "default", kind, metadata["name"], str(metadata.get("uid") or "")
    )
    match = re.search(r"spec\.(data|dataFrom)\[(\d+)\]", text)
    if match and int(match.group(2)) < len(spec.get(match.group(1)) or []):
        entry = spec[match.group(1)][int(match.group(2))]
        key = (entry.get("remoteRef") or entry.get("extract") or {}).get("key")
        if key and key not in text:
            text += ' (key "%s")' % key
    return text


def describe(current: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an object of any kind for the survey: name and condition."""
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
