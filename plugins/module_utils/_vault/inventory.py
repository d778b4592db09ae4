# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The existing objects by kind: their names and public fields. Never a secret.

A kind's `listings` tell where its objects are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._engine.errors import InvalidInput, SecretopsError
from .._engine.secret_patterns import masked
from .auth import registry
from .base import root_namespace
from .base.kind import Kind
from .base.listing import INFO, MAP, ONE, Found, Listing
from .base.mounts import split_type
from .base.setting import AT_ROOT
from .configuration import KINDS
from .connection.answers import data_of
from .connection.client import Client
from .connection.errors import BadRequest, Missing, NoApi, VaultError
from .system.namespace import join

ALL = "all"


def check(names: Sequence[str]) -> None:
    """Refuse unknown kinds and kinds that no server lists. Raises InvalidInput."""
    able = ", ".join([*(name for name, kind in KINDS.items() if kind.listings), ALL])
    for name in names:
        if name == ALL:
            continue
        if name not in KINDS:
            raise InvalidInput('there is no kind "%s"' % name, 'option "kinds"', "use one of: %s" % able)
        if not KINDS[name].listings:
            raise InvalidInput(
                '"%s" cannot be listed: %s' % (name, KINDS[name].unlisted), 'option "kinds"', "use one of: %s" % able
            )


class Inventory:
    """Lists the existing objects; the mounts are read once."""

    def __init__(self, client: Client, workers: int = 8) -> None:
        self.client = client
        self.workers = workers
        self._mounts: dict[str, dict[str, Any]] = {}

    def gather(self, names: Sequence[str], fields: bool = True) -> dict[str, list[dict[str, Any]]]:
        """Return the objects of kinds, each with ``name`` and further keys as far as it has them.

        These are ``mount``, ``type``, ``subject`` and ``fields``. For ``all``, kinds that this server lacks are left
        out. Raises SecretopsError.
        """
        result = {}
        for title, kind in KINDS.items():
            if not kind.listings or not {title, ALL}.intersection(names):
                continue
            try:
                result[title] = self._of(title, kind, fields)
            except (NoApi, InvalidInput) as error:
                # not every product, and not every namespace, has every kind
                if title in names:
                    raise error.at(title) from None
            except SecretopsError as error:
                raise error.at(title) from None
        return result

    def _of(self, title: str, kind: Kind, fields: bool) -> list[dict[str, Any]]:
        found = [one for listing in kind.listings for one in self._look(title, listing)]
        hidden = {name for name, option in kind.item.items() if option.get("no_log")}
        told: list[Mapping[str, Any] | None] = [None] * len(found)
        if fields:
            with ThreadPoolExecutor(max_workers=self.workers) as pool:
                told = list(pool.map(self.read, found))
        result = []
        for one, data in zip(found, told):
            entry: dict[str, Any] = {"name": one.name}
            if one.mount:
                entry["mount"] = one.mount
            if one.listing.type:
                entry["type"] = one.listing.type
            if one.listing.subject:
                entry["subject"] = one.listing.subject
            if data is not None:
                entry["fields"] = masked({name: value for name, value in data.items() if name not in hidden})
            result.append(entry)
        order = ("mount", "type", "subject", "name")
        return sorted(result, key=lambda entry: [entry.get(name, "") for name in order])

    def places(self, listing: Listing) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the mounts of a listing with their entries; a listing outside mounts yields an empty path."""
        if not listing.engine:
            yield "", {}
            return
        path = "sys/auth" if listing.path.startswith("auth/") else "sys/mounts"
        for mount, kind in self.mounts(path):
            if kind == listing.engine:
                yield mount, self._mounts[path][mount]

    def mounts(self, table: str) -> list[tuple[str, str]]:
        """Return path and type of the mounts that a table such as ``sys/auth`` lists. Raises SecretopsError."""
        if table not in self._mounts:
            found = self.client.read(table) or {}
            mounts = {path.strip("/"): entry for path, entry in found.items()}
            self._mounts[table] = {path: entry for path, entry in mounts.items() if isinstance(entry, dict)}
        # the token method of a namespace has a type of its own
        found = self._mounts[table]
        return [(path, split_type(registry.type_of(entry))[0]) for path, entry in found.items() if "type" in entry]

    def _look(self, title: str, listing: Listing) -> Iterator[Found]:
        """Yield the objects of a listing."""
        for mount, entry in self.places(listing):
            yield from self.look(title, listing, mount, entry)

    def look(self, title: str, listing: Listing, mount: str, entry: Mapping[str, Any]) -> Iterator[Found]:
        """Yield the objects of a listing in one mount. Raises SecretopsError."""
        if listing.walk is not None:
            for name in listing.walk(self.client, mount, entry):
                yield Found(listing, mount, name, name, None, entry)
            return
        data = self._ask(title, listing, mount) or {}
        if listing.shape == ONE:
            if data and (not listing.switch or data.get(listing.switch)):
                yield Found(listing, mount, mount or title, "", data, entry)
        elif listing.shape == MAP:
            for name, value in (data.get(listing.within) or {} if listing.within else data).items():
                if isinstance(value, Mapping):
                    yield Found(listing, mount, name.rstrip("/"), name, value, entry)
        else:
            info = data.get("key_info") or {} if listing.shape == INFO else {}
            for key in data.get("keys") or []:
                about = info.get(key) or {}
                told = about if listing.shape == INFO and not listing.item else None
                one = Found(listing, mount, str(about.get(listing.name) or key), str(key), told, entry)
                one.about = about
                yield one

    def _ask(self, title: str, listing: Listing, mount: str) -> dict[str, Any] | None:
        method = "GET" if listing.shape in (ONE, MAP) else "LIST"
        path = listing.path.format(mount=mount)
        try:
            if listing.at_root:
                return data_of(root_namespace.request(self.client, method, path, title.replace("_", " "), AT_ROOT))
            answer = self.client.request(method, path, missing_ok=True)
            return None if answer is None else data_of(answer)
        except VaultError as error:
            # no object of this kind was ever created, or the product does not have it
            absent = isinstance(error, Missing) and not error.container
            if absent or (listing.optional and isinstance(error, (BadRequest, NoApi))):
                return None
            raise

    def read(self, one: Found) -> Mapping[str, Any] | None:
        """Return the fields of an object, None where they may not be told. Raises SecretopsError."""
        if not one.listing.fields or one.told is not None or one.key.endswith("/"):
            return one.told if one.listing.fields else None
        client = self.client
        path, query = one.place()
        if one.listing.path == "sys/namespaces":
            # each namespace lists its own children
            parent, _slash, last = one.key.rpartition("/")
            client = client.within(join(client.namespace, parent)) if parent else client
            path = "sys/namespaces/%s" % last
        return client.read(path, query)
