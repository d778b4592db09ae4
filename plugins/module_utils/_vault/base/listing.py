# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What the server lists: where the objects of a kind stand, and which of many do not exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ..connection.client import Client
from ..connection.errors import VaultError

#: from so many objects of one folder on, a LIST is worth its request
MANY = 50

#: how a server answers for a kind: a LIST of names, a LIST with ``key_info`` by ID, a GET of all objects by name, and
#: a GET of the only one
NAMES, INFO, MAP, ONE = "names", "info", "map", "one"


@dataclass(frozen=True)
class Listing:
    """Where the server keeps objects of one kind. Paths are of the API; ``{mount}`` stands for each mount of a type."""

    path: str
    shape: str = NAMES
    #: for ``{mount}``: type of the secrets engines, or of the auth methods when the path begins with ``auth/``
    engine: str = ""
    #: of kinds with types: which one this is
    type: str = ""
    #: of types with several: whose fields these are, such as a group's
    subject: str = ""
    #: path of one object, by default its name (of INFO its ID) below ``path``; of INFO "": what the list says is all
    item: str = "{path}/{name}"
    #: of INFO: the field of ``key_info`` that is the name
    name: str = "name"
    #: of MAP: the field of the answer that holds the objects
    within: str = ""
    #: of ONE: the field that says whether it exists at all
    switch: str = ""
    #: whether their fields may be told: not of what holds secrets
    fields: bool = True
    #: the root namespace alone has it
    at_root: bool = False
    #: not every product has it, or it is an error until it is configured
    optional: bool = False
    #: finds the names where one LIST does not: of the client, the mount and what the server says of the mount
    walk: Callable[[Client, str, Mapping[str, Any]], Iterable[str]] | None = None


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
