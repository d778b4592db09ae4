# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Whether a snapshot fits a cluster, and which key shares open the cluster after a restore. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .. import products

Facts = Mapping[str, Any]


class Unfit(NamedTuple):
    """Why a snapshot cannot be restored: what is wrong, and what to do."""

    what: str
    remedy: str


def unfit(record: Facts, server: Facts) -> Unfit | None:
    """Return why a cluster can never take a snapshot, None where nothing speaks against it.

    ``record`` is what was written down beside the snapshot, ``server`` holds product, version and seal_type of the
    cluster. What is not known on both sides is not compared.
    """
    product, there = record.get("product"), server.get("product")
    if product and there and product != there:
        return Unfit(
            "was saved by %s, and the servers are %s: neither reads the data of the other" % (product, there),
            "restore it into a cluster of %s" % product,
        )
    version, runs = str(record.get("version") or ""), str(server.get("version") or "")
    if _minor(version) and _minor(runs) and _minor(version) > _minor(runs):
        return Unfit(
            "was saved by version %s, and the servers run %s, which may not read newer data" % (version, runs),
            "upgrade the servers to %s first, or use an older snapshot" % version,
        )
    seal, has = str(record.get("seal_type") or ""), str(server.get("seal_type") or "")
    if seal and has and seal != has:
        return Unfit(
            'was saved under the seal "%s", and the servers have "%s", which cannot open its data' % (seal, has),
            'give the servers the seal "%s" first, and migrate the seal after the restore' % seal,
        )
    return None


def _minor(version: str) -> tuple[int, ...]:
    """Return major and minor number, () for what is no version."""
    try:
        return products.parse_version(version)[:2]
    except ValueError:
        return ()


def is_foreign(record: Facts, server: Facts) -> bool:
    """Tell whether a snapshot is known to be of another cluster."""
    there = record.get("cluster_id")
    return bool(there) and there != server.get("cluster_id")


def openings(stores: Iterable[tuple[str, Facts]], record: Facts) -> list[tuple[str, list[str]]]:
    """Return the sets of shares that may open the cluster after a restore, the likeliest first, each with its path.

    ``stores`` are paths and contents of key stores. A store keeps the shares from before each rekey too, which open the
    snapshots of their time. Sets of another cluster, encrypted ones, recovery shares and too few are left out.
    """
    found: list[tuple[tuple[bool, bool, bool], str, list[str]]] = []
    for path, data in stores:
        cluster = data.get("cluster_id")
        if data.get("share_type") == "recovery":
            continue
        if cluster and record.get("cluster_id") and cluster != record["cluster_id"]:
            continue
        for number, one in enumerate([data, *reversed(data.get("former") or [])]):
            shares = [str(share) for share in one.get("shares") or []]
            if one.get("encrypted") or not shares or len(shares) < int(record.get("key_threshold") or 1):
                continue
            same = record.get("key_share_generation") in (None, one.get("generation"))
            found.append(((not cluster, not same, number > 0), path, shares))
    return [(path, shares) for _rank, path, shares in sorted(found, key=lambda one: one[0])]


def stale(nodes: Iterable[Facts], record: Facts) -> list[str]:
    """Return the addresses of sealed nodes that tell another number of key shares than the restored data has.

    A node keeps the threshold that it read when it started: it combines too few or too many shares, which open nothing,
    until it is restarted. Both products do. ``nodes`` are those of `vault_info`.
    """
    wanted = (record.get("key_threshold"), record.get("key_shares"))
    if None in wanted:
        return []
    return [
        str(node["url"])
        for node in nodes
        if node.get("sealed") and (node.get("threshold"), node.get("shares")) != wanted
    ]
