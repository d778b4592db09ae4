# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Errors of the Vault client."""

from __future__ import annotations

from ..._engine.errors import NoAnswer, ServerError
from ..._http import failure

WORDS = failure.Words(
    "the server",
    "check that the server runs and the address is right",
    'set "tls_server_name" to a name in the certificate, or correct the address',
    'set "ca_cert" (VAULT_CACERT, BAO_CACERT) to the file of the CA that signed it',
    'check "client_cert" and "client_key"',
)


class VaultError(ServerError):
    """An error answer of the server."""


class Unreachable(VaultError, NoAnswer):
    """No server answered, or it is not trusted."""


class NotVault(VaultError):
    """The answer does not come from a Vault, but perhaps from a proxy in between."""

    code = "not_vault"
    ends_task = True


class Redirected(NotVault):
    """The server redirects to an address that the client does not follow."""

    code = "redirected"


class PermissionDenied(VaultError):
    """403: the token is not allowed to do this, or is invalid."""

    code = "permission_denied"


class InvalidToken(PermissionDenied):
    """403: the token is missing, invalid, expired or revoked."""

    code = "token_invalid"
    ends_task = True


class BadRequest(VaultError):
    """400, 405: the server refuses the request."""

    code = "refused"


class Missing(VaultError):
    """404: the object does not exist. ``container``: its mount or namespace does not exist."""

    code = "missing"
    container = False


class NoNamespace(Missing):
    """404: the namespace does not exist."""

    code = "namespace_missing"
    container = True


class NoRoute(Missing):
    """404: nothing is mounted at that path."""

    code = "mount_missing"
    container = True


class NoApi(Missing):
    """404: the server, or the engine, does not have that path."""

    code = "path_unknown"
    container = True


class Sealed(VaultError):
    """The server is sealed or not initialised."""

    code = "sealed"
    ends_task = True
    retryable = True


class Uninitialised(Sealed):
    """The server is not initialised."""

    code = "uninitialised"
    retryable = False


def unreachable(error: BaseException, url: str, timeout: float, ca_cert: str | None) -> Unreachable:
    """Return the error for a request that got no answer."""
    authority = "the CA in %s" % ca_cert if ca_cert else "a CA that this machine trusts"
    found = failure.explain(error, timeout, WORDS, authority)
    problem = Unreachable(found.what, url, found.remedy)
    failure.fill(problem, found)
    return problem
