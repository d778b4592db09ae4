# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Turns refused requests into errors: what, where, remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._engine import wording
from .errors import (
    BadRequest,
    InvalidToken,
    Missing,
    NoApi,
    NoNamespace,
    NoRoute,
    PermissionDenied,
    Sealed,
    Uninitialised,
    VaultError,
)

if TYPE_CHECKING:
    from .client import Client

#: paths that also need the capability sudo. Source: /docs/concepts/policies#root-protected-api-endpoints
SUDO = (
    "sys/auth/",
    "sys/audit",
    "sys/config/cors",
    "sys/config/ui/",
    "sys/leases/lookup/",
    "sys/leases/revoke-force/",
    "sys/leases/revoke-prefix/",
    "sys/plugins/catalog/",
    "sys/raw",
    "sys/rotate",
    "sys/seal",
    "sys/step-down",
    "sys/storage/raft/snapshot-auto/",
)
CAPABILITY = {"GET": "read", "LIST": "list", "POST": "update", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def refusal(client: Client, status: int, method: str, path: str, errors: list[str]) -> VaultError:
    """Return the error for a status above 399; ``errors`` are the server's messages."""
    text = "; ".join(" ".join(item.split()) for item in errors)[:500]
    error: VaultError
    if status == 403:
        error = _denied(client, method, path, text)
    elif status == 404:
        error = _missing(client, path, text)
    elif status == 503 and wording.is_sealed(text):
        state = client.health(client.url) or {}
        if state and not state.get("initialized", True):
            error = _uninitialised(client)
        else:
            error = Sealed("the server is sealed", client.url, "unseal it: the role vault_cluster or vault_unseal")
    elif status in (400, 405, 422):
        if wording.is_uninitialised(text):
            error = _uninitialised(client)
        else:
            error = BadRequest("the server refuses it: %s" % (text or "status %d" % status), path)
    elif status == 500 and wording.internal_error(text):
        error = VaultError(
            "the server answers 500: internal error",
            path,
            "its log on %s tells why; a server answers so while no audit device can be written, as with a full disk"
            % client.url,
        )
    else:
        error = VaultError("the server answers %d%s" % (status, ": " + text if text else ""), path)
    error.status, error.said = status, text
    return error


def _uninitialised(client: Client) -> Uninitialised:
    return Uninitialised(
        "the server is not initialised", client.url, "run the role vault_cluster or the module vault_init first"
    )


def _missing(client: Client, path: str, text: str) -> VaultError:
    if wording.no_namespace(text):
        return NoNamespace(
            'the namespace "%s" does not exist (%s)' % (client.namespace, text),
            client.url,
            'create it, or correct "namespace"',
        )
    kind: type[VaultError] = VaultError
    if wording.no_route(text):
        kind = NoRoute
    elif wording.no_api(text):
        kind = NoApi
    elif wording.no_object(text):
        kind = Missing
    return kind(
        "does not exist%s" % (" (%s)" % text if text else ""),
        path,
        "check the path and that the engine or auth method is mounted there",
    )


def _denied(client: Client, method: str, path: str, text: str) -> VaultError:
    if not client.token:
        return InvalidToken("no token was given", path, 'set "token", "token_file" or another "auth_method"')
    if "login" in path.rsplit("/", 2)[-2:]:
        return PermissionDenied("login refused: %s" % text, path)
    if not client.knows_token():
        return InvalidToken("the token is invalid, expired or revoked", client.url, "log in again")
    needed = [CAPABILITY.get(method, "update")]
    if method in ("POST", "PUT"):
        needed = ["create", "update"]
    if path.startswith(SUDO):
        needed.append("sudo")
    where = "%s/%s" % (client.namespace, path) if client.namespace else path
    return PermissionDenied(
        "permission denied",
        where,
        'the token\'s policies lack: path "%s" { capabilities = [%s] }'
        % (path, ", ".join('"%s"' % item for item in needed)),
    )
