# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Force ExternalSecrets and PushSecrets to be synced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._kubernetes.client import Client
from .._kubernetes.reading import Reader
from .children import Children
from .cluster_external_secret import CLUSTER_EXTERNAL_SECRET, ClusterSync
from .external_secret import EXTERNAL_SECRET, Prover, Sync
from .forced import Forced, Shelf
from .push_secret import PUSH_SECRET, PushProver, PushSync

KINDS = {kind.name: kind for kind in (EXTERNAL_SECRET, CLUSTER_EXTERNAL_SECRET, PUSH_SECRET)}


def syncs(
    client: Client,
    items: Sequence[Mapping[str, Any]],
    api_version: str | None = None,
    prover: Prover | None = None,
    push_prover: PushProver | None = None,
) -> list[Forced]:
    """Return the forced syncs for entries, with what they read prefetched where they are many."""
    reader, shelf = Reader(client), Shelf(client)
    versions: dict[str, str] = {}
    forced: list[Forced] = []
    children = None
    for item in items:
        kind = KINDS[item["kind"]]
        if kind.name not in versions:
            # no version serves all kinds: a wish is for those that have several
            versions[kind.name] = client.version_of(kind, api_version if len(kind.versions) > 1 else None)
        version = versions[kind.name]
        if kind is CLUSTER_EXTERNAL_SECRET:
            children = children or Children(client)
            forced.append(ClusterSync(client, reader, shelf, children, version, item))
        elif kind is PUSH_SECRET:
            forced.append(PushSync(client, reader, shelf, version, item, push_prover))
        else:
            forced.append(Sync(client, reader, shelf, version, item, prover))
    reader.prefetch((one.api, one.version, one.namespace) for one in forced)
    shelf.expect([one.namespace for one in forced if isinstance(one, Sync)])
    return forced
