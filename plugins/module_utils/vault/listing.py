# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one LIST tells about many objects: which of them do not exist, so that they need no read of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

from .client import Client, VaultError

#: from so many objects of one folder on, a LIST is worth its request
MANY = 50


def plugins(client: Client, ask: Callable[[Client], Iterable[str]]) -> frozenset[str]:
    """Return the names of the plugins that the server has; none when it does not let the token see.

    ``ask`` reads them through a client. A namespace that does not exist yet has what its parent has.
    """
    while True:
        try:
            names = frozenset(ask(client))
        except VaultError:
            return frozenset()
        if names or not client.namespace:
            return names
        client = client.within(client.namespace.rpartition("/")[0])


def mark_absent(client: Client, places: Iterable[tuple[str, str, Any]]) -> None:
    """Set ``absent`` of every resource that its folder does not list.

    ``places`` are folder, name and resource. Nothing is marked where the token may not list, or in a folder of few.
    Of a name with slashes some APIs list the whole, and some the first part only, as a folder: then it is to be read.
    """
    folders: dict[str, list[tuple[str, Any]]] = {}
    for folder, name, resource in places:
        resource.absent = False
        folders.setdefault(folder, []).append((name, resource))
    for folder, members in folders.items():
        found = client.try_list(folder) if len(members) >= MANY else None
        if found is None:
            continue
        # most engines keep names in lower case: to be sure, what differs in case alone is read
        names = {str(name).lower() for name in found.get("keys") or []}
        for name, resource in members:
            wanted = name.lower()
            resource.absent = wanted not in names and wanted.partition("/")[0] + "/" not in names
