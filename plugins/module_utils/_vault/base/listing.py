# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Lists of the server: where the objects of a kind are, and which declared ones do not exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ..connection.client import Client
from ..connection.errors import VaultError
from .naming import in_url

#: from this many objects of one folder on, a LIST saves requests
MANY = 50

#: forms of a list: a LIST of names, a LIST with ``key_info`` by ID, a GET of all objects by name, a GET of the only
#: object
NAMES, INFO, MAP, ONE = "names", "info", "map", "one"


@dataclass(frozen=True)
class Listing:
    """Where the server keeps objects of one kind. Paths are of the API; ``{mount}`` stands for each mount of a type."""

    path: str
    shape: str = NAMES
    #: for ``{mount}``: type of the secrets engines, or of the auth methods when the path begins with ``auth/``
    engine: str = ""
    #: for kinds with types: the type
    type: str = ""
    #: for types with several subjects: the subject, such as a group
    subject: str = ""
    #: path of one object, by default its name (of INFO its ID) below ``path``; of INFO "": what the list says is all
    item: str = "{path}/{name}"
    #: for INFO: the field of ``key_info`` that is the name
    name: str = "name"
    #: for MAP: the field of the answer that holds the objects
    within: str = ""
    #: for ONE: the field that tells whether it exists
    switch: str = ""
    #: whether their fields may be shown: not for objects that hold secrets
    fields: bool = True
    #: it exists in the root namespace only
    at_root: bool = False
    #: it may be missing in a product, or an error until it is configured
    optional: bool = False
    #: returns the names where one LIST does not; takes the client, the mount and the server's entry of the mount
    walk: Callable[[Client, str, Mapping[str, Any]], Iterable[str]] | None = None


class Found:
    """One object that the server lists."""

    def __init__(
        self,
        listing: Listing,
        mount: str,
        name: str,
        key: str,
        told: Mapping[str, Any] | None,
        entry: Mapping[str, Any] | None = None,
    ) -> None:
        self.listing = listing
        self.mount = mount
        self.name = name
        #: by which the API knows it
        self.key = key
        #: its fields, when the list says them, or once they were read
        self.told = told
        #: what the server says of the mount
        self.entry: Mapping[str, Any] = entry or {}
        #: what its list says of it
        self.about: Mapping[str, Any] = {}
        #: others that are told together with it
        self.beside: Sequence[Found] = ()

    def told_as(self, told: Mapping[str, Any]) -> Found:
        """Return the same object with other fields."""
        found = Found(self.listing, self.mount, self.name, self.key, told, self.entry)
        found.about, found.beside = self.about, self.beside
        return found

    @property
    def where(self) -> str:
        """The object as an export names it: ``pki/web``."""
        return "/".join(part for part in (self.mount, self.listing.subject, self.name) if part)

    def place(self) -> tuple[str, dict[str, str] | None]:
        """Return the API path of the object, and the query by which it is read."""
        listing = self.listing
        path, _mark, query = listing.item.partition("?")
        found = path.format(path=listing.path.format(mount=self.mount), mount=self.mount, name=in_url(self.key))
        return found.rstrip("/"), dict([query.split("=")]) if query else None


def plugins(client: Client, ask: Callable[[Client], Iterable[str]]) -> frozenset[str]:
    """Return the names of the server's plugins; empty when the token may not read them.

    ``ask`` reads them through a client. A namespace that does not exist yet will have its parent's plugins.
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

    ``places`` are folder, name and resource. Nothing is marked where the token may not list, or in a folder with few.
    Some APIs list a name with slashes as a whole, others only its first part, as a folder; then it is read.
    """
    folders: dict[str, list[tuple[str, Any]]] = {}
    for folder, name, resource in places:
        resource.absent = False
        folders.setdefault(folder, []).append((name, resource))
    for folder, members in folders.items():
        found = client.try_list(folder) if len(members) >= MANY else None
        if found is None:
            continue
        # most engines keep names in lower case, so a name that differs in case only is read
        names = {str(name).lower() for name in found.get("keys") or []}
        for name, resource in members:
            wanted = name.lower()
            resource.absent = wanted not in names and wanted.partition("/")[0] + "/" not in names
