# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What is recorded of a snapshot, beside it and beside its copies: JSON of version, cluster, index, seal and time."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

#: RFC 3339 in UTC
TIME = "%Y-%m-%dT%H:%M:%SZ"


def made(
    facts: Mapping[str, Any],
    status: Mapping[str, Any],
    node: str,
    cluster: str | None,
    product: str,
    generation: int | None = None,
    labels: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the record of a snapshot that was taken now.

    ``facts`` are those of `archive.inspect`, ``status`` is ``sys/seal-status`` of the ``node`` it was taken from,
    ``cluster`` the name that the user gives the cluster, ``generation`` that of the key store.
    """
    return {
        **facts,
        "cluster": cluster or status.get("cluster_name"),
        "cluster_id": status.get("cluster_id"),
        "cluster_name": status.get("cluster_name"),
        "product": product,
        "version": status.get("version"),
        "seal_type": status.get("type"),
        "key_shares": status.get("n"),
        "key_threshold": status.get("t"),
        "key_share_generation": generation,
        "node": node,
        "time": datetime.datetime.now(datetime.timezone.utc).strftime(TIME),
        "labels": dict(labels or {}),
    }


def order(record: Mapping[str, Any]) -> tuple[str, int]:
    """Return what sorts records by time, then by index."""
    return str(record.get("time")), int(record.get("index") or 0)


def age(record: Mapping[str, Any]) -> int | None:
    """Return how many seconds ago a snapshot was taken, None for a record without a time."""
    try:
        then = datetime.datetime.strptime(str(record.get("time")), TIME).replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    return int((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds())
