# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Distinguishes answers of a Vault from those of anything else. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..._http.transport import Answer
from .errors import NotVault

#: paths whose answers have no ``data`` around them, with fields that identify them. Source: Vault API, /sys
BARE: Mapping[str, frozenset[str]] = {
    "sys/health": frozenset(("initialized",)),
    "sys/init": frozenset(("initialized", "keys", "keys_base64")),
    "sys/leader": frozenset(("ha_enabled",)),
    "sys/seal-status": frozenset(("sealed",)),
    "sys/unseal": frozenset(("sealed",)),
}
#: further paths with a form of their own, for vault_endpoint
FREE = re.compile(r"sys/(metrics|internal/|pprof|rekey|generate-root|raw|replication/|in-flight-req)|.*/\.well-known/")
#: fields of the help of a path (``?help=1``)
HELP = frozenset(("help", "openapi"))


def body_of(answer: Answer, method: str, path: str, url: str) -> dict[str, Any]:
    """Return the body of an answer, {} when it may be empty. Raises NotVault for any other server's answer."""
    status = answer.status_code
    try:
        body = answer.json() if answer.content else None
    except ValueError:
        body = None
    known = False
    if isinstance(body, dict):
        errors = body.get("errors")
        if isinstance(errors, list):
            # a partial success has both
            known = all(isinstance(one, str) for one in errors) and (status >= 400 or "request_id" in body)
        elif errors is None:
            known = isinstance(body.get("request_id"), str) and isinstance(body.get("data"), (dict, type(None)))
            bare = BARE.get(path.strip("/"))
            if bare is not None:
                known = bool(bare & set(body))
            elif not known and status == 200:
                known = FREE.match(path) is not None or set(body) >= HELP
    elif status == 204 and not answer.content:
        known = method not in ("GET", "LIST")
    if known and (status in (200, 204) or status >= 400):
        return body or {}
    error = NotVault(
        "the server that answers is not Vault (%s)" % answer.about(),
        url,
        'correct "url", or look at the proxy or load balancer in between',
    )
    error.status = status
    raise error


def data_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``data`` of an answer, or the answer itself where the API has none around it."""
    data = answer.get("data")
    if data is None and "request_id" in answer and "data" in answer:
        return {}
    return data if isinstance(data, dict) else dict(answer)
