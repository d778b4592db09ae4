# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Every secrets engine and auth method of all namespaces, and whether it answers.

A server that does not have an engine's type keeps its mount, and answers each request to it with 404.
Source: /api-docs/system/mounts, /api-docs/system/plugins-catalog, and the behaviour of both products.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..._engine.errors import InvalidInput
from ..connection.client import Client
from ..connection.errors import Missing, Sealed
from ..system.namespace import children, join

#: the table of each category of plugins, as the catalogue names them, and what its paths begin with
TABLES = {"auth": ("sys/auth", "auth/"), "secret": ("sys/mounts", "")}
BUILTIN = "+builtin"
WORKERS = 8


def mounted(client: Client) -> list[dict[str, Any]]:
    """Return every mount of the client's namespace and those below it, in the order of namespace and path.

    C(answers) tells whether the node that the client asks takes requests for it, and is None where the namespace is
    sealed; C(external) whether it is run by a plugin from outside of the server, or one of its name is registered.
    Raises VaultError, for a token that may not list mounts, namespaces or the catalogue as well.
    """
    registered = _registered(client)
    found: list[dict[str, Any]] = []
    for namespace, inside in _namespaces(client, ""):
        for category, (table, prefix) in TABLES.items():
            try:
                rows = inside.read(table) or {}
            except Sealed:
                if not namespace:
                    raise
                found.append({"namespace": namespace, "path": "", "type": "", "category": category, "answers": None})
                continue
            found += [
                _row(namespace, prefix + str(path), category, row, registered)
                for path, row in sorted(rows.items())
                if isinstance(row, Mapping) and "type" in row
            ]
    asked = [one for one in found if one["answers"] is not None]
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        for one, answers in zip(asked, pool.map(lambda one: _answers(client, one), asked)):
            one["answers"] = answers
    return found


def _namespaces(client: Client, name: str) -> Iterator[tuple[str, Client]]:
    inside = client.within(join(client.namespace, name)) if name else client
    yield name, inside
    try:
        below = children(inside)
    except (InvalidInput, Sealed):
        # the server has no namespaces, or this one is sealed with those in it
        return
    for one in below:
        yield from _namespaces(client, join(name, one))


def _registered(client: Client) -> set[tuple[str, str]]:
    """Return category and name of the plugins in the catalogue that are not built in; it is that of all namespaces."""
    catalogue = client.within(None).read("sys/plugins/catalog") or {}
    return {
        (str(one.get("type")), str(one.get("name")))
        for one in catalogue.get("detailed") or []
        if isinstance(one, Mapping) and not one.get("builtin")
    }


def _row(
    namespace: str, path: str, category: str, row: Mapping[str, Any], registered: set[tuple[str, str]]
) -> dict[str, Any]:
    version = str(row.get("running_plugin_version") or "")
    runs_external = bool(row.get("running_sha256")) or (bool(version) and BUILTIN not in version)
    return {
        "namespace": namespace,
        "path": path.rstrip("/"),
        "type": str(row["type"]),
        "category": category,
        "version": version,
        "external": runs_external or (category, str(row["type"])) in registered,
        "answers": True,
    }


def _answers(client: Client, one: Mapping[str, Any]) -> bool:
    """Tell whether a mount answers to a question for its help, which every token may ask and each type of mount has."""
    inside = client.within(join(client.namespace, one["namespace"])) if one["namespace"] else client
    try:
        inside.request("GET", one["path"], params={"help": "1"})
    except Missing:
        return False
    return True
