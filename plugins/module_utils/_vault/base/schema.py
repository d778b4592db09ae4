# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The fields of an endpoint, as the server itself documents them.

A server drops unknown fields without an error: a field of another product or version would be reported as changed at
every run. Source: ``GET <path>?help=1``, which answers an OpenAPI document in both products.

A mount that does not exist yet cannot be asked. Then another mount of the same type is, also in a parent namespace; and
without one, `known_fields` has the fields of both products.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ..._engine import normalise
from ..._engine.errors import InvalidInput, SecretopsError
from ..connection.client import Client
from ..connection.errors import BadRequest
from ..products import PRODUCTS, Product, parse_version, product_of_plugin
from . import known_fields

#: similarity from which a known name is suggested
MISSPELT = 0.85


def _bodies(answer: Mapping[str, object]) -> Iterator[tuple[Mapping[str, Any], list[Any]]]:
    """Yield what each path of the document takes: the properties of a write, and the parameters in the path."""
    document = answer.get("openapi")
    if not isinstance(document, Mapping):
        return
    for path in (document.get("paths") or {}).values():
        body = ((path or {}).get("post") or {}).get("requestBody") or {}
        schema = ((body.get("content") or {}).get("application/json") or {}).get("schema") or {}
        name = str(schema.get("$ref") or "").rpartition("/")[2]
        if name:
            schema = ((document.get("components") or {}).get("schemas") or {}).get(name) or {}
        yield schema.get("properties") or {}, (path or {}).get("parameters") or []


def properties(answer: Mapping[str, object]) -> frozenset[str]:
    """Return the names of the fields of a write; empty when the document does not tell."""
    found: set[str] = set()
    for body, parameters in _bodies(answer):
        found.update(body)
        # parameters of the path, such as a name
        found.update(str(one.get("name")) for one in parameters)
    return frozenset(found)


def defaults(answer: Mapping[str, object]) -> dict[str, Any]:
    """Return what the fields of a write are when they are not given; None where the document gives no default."""
    found: dict[str, Any] = {}
    for body, _parameters in _bodies(answer):
        found.update({name: (one or {}).get("default") for name, one in body.items()})
    return found


@dataclass(frozen=True)
class Place:
    """A folder of a mount whose objects all have the same fields."""

    #: path of the mount in the API, such as ``auth/kubernetes`` or ``pki``
    mount: str
    #: type of the auth method or secrets engine
    type: str
    #: below the mount: ``role``, or ``config`` for an object without a name
    folder: str
    #: of one object in the folder
    name: str = ""
    #: returns the fields there by product name; None: those of `known_fields`
    takes: Callable[[str], frozenset[str]] | None = None

    @property
    def below(self) -> str:
        """The path of the object below any mount of the type."""
        return "/".join(part for part in (self.folder, self.name) if part)

    @property
    def table(self) -> str:
        """The API path that lists mounts of this sort."""
        return "sys/auth" if self.mount.startswith("auth/") else "sys/mounts"

    @property
    def form(self) -> str:
        """The name of the fields in `known_fields`."""
        return "%s%s %s" % ("auth/" if self.table == "sys/auth" else "", self.type, self.folder)


class Fields:
    """The fields of endpoints, read once per folder for all resources of a task."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._lock = threading.RLock()
        self._known: dict[str, frozenset[str]] = {}
        self._tables: dict[str, list[tuple[Client, Mapping[str, Mapping[str, object]]]]] = {}

    def of(self, path: str, folder: str = "", client: Client | None = None) -> frozenset[str]:
        """Return the fields of a write, the same for all paths of a ``folder``; empty when the server does not tell."""
        with self._lock:
            key = folder or path
            if key not in self._known:
                try:
                    answer = (client or self.client).request("GET", path, params={"help": "1"}, missing_ok=True)
                except SecretopsError as error:
                    if self._ends(error, client):
                        raise
                    answer = None
                self._known[key] = properties(answer or {})
            return self._known[key]

    def _ends(self, error: SecretopsError, client: Client | None) -> bool:
        """Tell whether every other request would fail too; a parent namespace that denies the token does not count."""
        return error.ends_task and client in (None, self.client)

    def forget(self, mount: str) -> None:
        """Clear the cache of a mount that was just created."""
        with self._lock:
            self._known = {key: known for key, known in self._known.items() if not key.startswith(mount + "/")}

    def check(self, path: str, names: Iterable[str], what: str, folder: str = "") -> None:
        """Refuse fields that the server does not know and would drop. Raises InvalidInput."""
        known: frozenset[str] = frozenset()
        for client in self._upwards():
            known = known or self.of(path, "%s:%s" % (client.namespace, folder or path), client)
        unknown = sorted(set(names) - known) if known else []
        if unknown:
            raise _refused(unknown, known, what, "the server")

    def _upwards(self) -> Iterator[Client]:
        """Yield the client and those of the parent namespaces: a new namespace inherits their plugins."""
        client = self.client
        yield client
        while client.namespace:
            client = client.within(client.namespace.rpartition("/")[0])
            yield client

    def check_inside(self, place: Place, names: Iterable[str], what: str) -> str:
        """Refuse fields that a mount would drop, even one that does not exist yet. Raises InvalidInput.

        Returns a warning where this is not certain: the server may know more fields than `known_fields`.
        """
        wanted = set(names)
        if not wanted:
            return ""
        told = self._told(place)
        if told and wanted <= told:
            return ""
        product, version = self._made_by(place)
        known = told or self._remembered(place, product)
        unknown = sorted(wanted - known) if known else []
        if not unknown:
            return ""
        title = "%s %s" % (product.title, version) if product is not None else "the server"
        refusal = _refused(unknown, known, what, title)
        complete = known_fields.UP_TO.get(product.name) if product is not None else None
        misspelt = difflib.get_close_matches(unknown[0], sorted(known), 1, MISSPELT)
        if told or misspelt or (complete and parse_version(version)[:2] <= complete):
            raise refusal
        return "%s may not know %s of %s; this can be checked once the mount exists; %s" % (
            title,
            _quoted(unknown),
            what,
            refusal.remedy,
        )

    def _told(self, place: Place) -> frozenset[str]:
        """Return the fields as the mount, or else another mount of its type, documents them; empty without one."""
        found = self.of("%s/%s" % (place.mount, place.below), "%s/%s" % (place.mount, place.folder))
        if found:
            return found
        for client, mounts in self._mounts(place.table):
            for path, entry in mounts.items():
                if entry.get("type") != place.type:
                    continue
                prefix = "auth/" if place.table == "sys/auth" else ""
                mount = prefix + normalise.path(path)
                key = "%s:%s/%s" % (client.namespace, mount, place.folder)
                found = self.of("%s/%s" % (mount, place.below), key, client)
                if found:
                    return found
        return frozenset()

    def _mounts(self, table: str) -> Iterator[tuple[Client, Mapping[str, Mapping[str, object]]]]:
        """Yield the mounts of the namespace and of its parents, each with its client."""
        with self._lock:
            if table not in self._tables:
                found: list[tuple[Client, Mapping[str, Mapping[str, object]]]] = []
                for client in self._upwards():
                    try:
                        listed = client.read(table) or {}
                    except SecretopsError as error:
                        if self._ends(error, client):
                            raise
                        listed = {}
                    mounts = {path: entry for path, entry in listed.items() if isinstance(entry, dict)}
                    found.append((client, {path: entry for path, entry in mounts.items() if path.endswith("/")}))
                self._tables[table] = found
            return iter(self._tables[table])

    def _made_by(self, place: Place) -> tuple[Product | None, str]:
        """Return product and version, from the plugins of the mounts."""
        for _client, mounts in self._mounts(place.table):
            for entry in mounts.values():
                product, version = product_of_plugin(entry.get("running_plugin_version"))
                if product is not None:
                    return product, version
        return None, ""

    @staticmethod
    def _remembered(place: Place, product: Product | None) -> frozenset[str]:
        """Return the known fields of the product, or of all products when it is unknown."""
        names = [product.name] if product is not None else sorted(PRODUCTS)
        takes = place.takes or (lambda name: known_fields.known(name, place.form))
        return frozenset().union(*map(takes, names))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join('"%s"' % name for name in names)


def _refused(unknown: list[str], known: Iterable[str], what: str, who: str) -> InvalidInput:
    near = difflib.get_close_matches(unknown[0], sorted(known), 1, 0.75)
    return InvalidInput(
        "%s does not know %s of %s, and would drop it" % (who, _quoted(unknown), what),
        remedy='did you mean "%s"?' % near[0] if near else "remove it, or correct the name",
    )


def check_kept(client: Client, path: str, names: Iterable[str], kind: str) -> None:
    """Fail when the server dropped a field that no table knows. Raises BadRequest."""
    names = set(names)
    if not names:
        return
    kept = client.read(path) or {}
    dropped = sorted(names - set(kept))
    if dropped:
        raise BadRequest(
            'the server ignores %s, which type "%s" does not know'
            % (", ".join('"%s"' % name for name in dropped), kind),
            path,
            "correct the name or remove it",
        )
