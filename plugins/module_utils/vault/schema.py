# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an endpoint takes, as the server itself tells it.

A server drops fields that it does not know without an error: what another product or version has would be reported as
changed at every run. Source: ``GET <path>?help=1``, which answers an OpenAPI document in both products.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import InvalidInput, SecretopsError
from .client import Client


def properties(answer: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the fields that a write takes; none when the document does not tell."""
    document = answer.get("openapi")
    if not isinstance(document, Mapping):
        return frozenset()
    found: set[str] = set()
    for path in (document.get("paths") or {}).values():
        body = ((path or {}).get("post") or {}).get("requestBody") or {}
        schema = ((body.get("content") or {}).get("application/json") or {}).get("schema") or {}
        name = str(schema.get("$ref") or "").rpartition("/")[2]
        if name:
            schema = ((document.get("components") or {}).get("schemas") or {}).get(name) or {}
        found.update(schema.get("properties") or {})
        # those in the path itself, such as a name
        found.update(str(one.get("name")) for one in (path or {}).get("parameters") or [])
    return frozenset(found)


class Fields:
    """The fields of endpoints, each folder's asked for once, for all resources of a task."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._lock = threading.Lock()
        self._known: dict[str, frozenset[str]] = {}

    def of(self, path: str, folder: str = "") -> frozenset[str]:
        """Return what a write to a path takes, the same for all of a ``folder``; none when the server does not tell."""
        with self._lock:
            key = folder or path
            if key not in self._known:
                try:
                    answer = self.client.request("GET", path, params={"help": "1"}, missing_ok=True)
                except SecretopsError:
                    answer = None
                self._known[key] = properties(answer or {})
            return self._known[key]

    def check(self, path: str, names: Iterable[str], what: str, folder: str = "", product: str = "the server") -> None:
        """Refuse fields that the server would drop. Raises InvalidInput."""
        known = self.of(path, folder)
        unknown = sorted(set(names) - known) if known else []
        if unknown:
            near = difflib.get_close_matches(unknown[0], sorted(known), 1, 0.75)
            raise InvalidInput(
                "%s knows no %s of %s, and would drop it" % (product, ", ".join('"%s"' % one for one in unknown), what),
                remedy='did you mean "%s"?' % near[0] if near else "remove it, or correct the name",
            )
