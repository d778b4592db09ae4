# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What a Vault that refuses, or does not answer, is told as."""

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
    """An answer of the server that is no success."""


class Unreachable(VaultError, NoAnswer):
    """No server answered, or one that is not trusted."""


class NotVault(VaultError):
    """What answered is no Vault, or something in between that is none."""

    code = "not_vault"
    ends_task = True


class Redirected(NotVault):
    """The server sends the client to where it does not go."""

    code = "redirected"


class PermissionDenied(VaultError):
    """403: the token may not do this, or is none."""

    code = "permission_denied"


class InvalidToken(PermissionDenied):
    """403: the token is missing, invalid, expired or revoked."""

    code = "token_invalid"
    ends_task = True


class BadRequest(VaultError):
    """400, 405: the server refuses what was sent."""

    code = "refused"


class Missing(VaultError):
    """404: the object does not exist. ``container``: it is what the object would be in that does not exist."""

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
    """404: the server, or the engine, does not know that path."""

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
