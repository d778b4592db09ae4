# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Reads objects one by one or, for many of them, by lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable

from .client import Client
from .errors import Forbidden
from .kind import Kind, Object

Key = tuple["str | None", str]
#: kind, version and namespace of a wanted object
Wanted = tuple[Kind, str, "str | None"]


def key_of(item: Mapping[str, Any]) -> Key:
    """Return namespace and name of an object."""
    return item["metadata"].get("namespace"), item["metadata"]["name"]


def collections(wanted: Iterable[Wanted], many: int) -> list[tuple[Kind, str, list[str | None]]]:
    """Return the collections to list for many objects: kind, version and namespaces, [None] for the whole cluster.

    A namespace with more than ``many`` objects of a kind gets a list; many namespaces get one list of the cluster.
    """
    count: dict[tuple[Kind, str], dict[str | None, int]] = {}
    for kind, version, namespace in wanted:
        spaces = count.setdefault((kind, version), {})
        spaces[namespace] = spaces.get(namespace, 0) + 1
    found: list[tuple[Kind, str, list[str | None]]] = []
    for (kind, version), spaces in count.items():
        if len(spaces) > many and sum(spaces.values()) > 4 * many:
            found.append((kind, version, [None]))
        else:
            full = [space for space, number in spaces.items() if number > many]
            if full:
                found.append((kind, version, full))
    return found


class Reader:
    """Reads objects: each by its own request, or many of one collection by one list.

    With ``query`` the lists hold only some of a collection, and what they lack is asked for one by one. ``keep`` says
    what is kept of an object.
    """

    MANY = 5

    def __init__(
        self,
        client: Client,
        query: Mapping[str, Any] | None = None,
        keep: Callable[[Object], Any] | None = None,
    ) -> None:
        self.client = client
        self.query = query
        self.keep = keep or (lambda item: item)
        self._lists: dict[str, dict[Key, Any]] = {}

    def prefetch(self, wanted: Iterable[Wanted]) -> None:
        """List the collections with many wanted objects, where RBAC allows it."""
        wanted = list(wanted)
        for kind, version, spaces in collections(wanted, self.MANY):
            try:
                self._list(kind, version, spaces)
            except Forbidden:
                if spaces != [None] or not kind.namespaced:
                    # single objects may be allowed all the same
                    continue
                # a list of the cluster may be denied, and those of namespaces allowed
                self.prefetch_each(kind, version, {space for api, _v, space in wanted if api is kind})

    def prefetch_each(self, kind: Kind, version: str, spaces: Iterable[str | None]) -> None:
        """List a kind in each of some namespaces, where RBAC allows it."""
        for space in spaces:
            try:
                self._list(kind, version, [space])
            except Forbidden:
                continue

    def _list(self, kind: Kind, version: str, spaces: Iterable[str | None]) -> None:
        for space in spaces:
            path = kind.path(version, space)
            found = self.client.list_objects(path, self.query)
            self._lists[path] = {key_of(item): self.keep(item) for item in found}

    def get(self, kind: Kind, version: str, namespace: str | None, name: str) -> Any:
        """Return an object as ``keep`` reduces it, or None."""
        for path in (kind.path(version), kind.path(version, namespace)):
            if path in self._lists:
                key = (namespace, name)
                if key in self._lists[path] or not self.query:
                    return self._lists[path].get(key)
        found = self.client.get(kind.path(version, namespace, name))
        return None if found is None else self.keep(found)
