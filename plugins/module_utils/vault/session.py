# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One login for a play: a token in a private file, revoked at the play's end.

Source: /api-docs/auth/token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from .. import normalise, private_file
from ..errors import InvalidInput, SecretopsError
from .client import BadRequest, Client, PermissionDenied, VaultError
from .login import Login

Warn = Callable[[str], None]
#: stands beside a token that existed before: such a token is not ours to revoke
BORROWED = ".borrowed"


def check(params: Mapping[str, Any]) -> None:
    """Refuse contradictory options before anything is sent. Raises InvalidInput."""
    if params["state"] == "absent":
        return
    if params["child"] and params["auth_method"] != "token":
        raise InvalidInput(
            "a child token is made from a token, not by a login",
            'option "child"',
            'remove it, or set "auth_method" to "token"',
        )
    if not params["child"]:
        for name in ("policies", "ttl", "display_name"):
            if params[name]:
                raise InvalidInput("is for a child token", 'option "%s"' % name, 'remove it, or set "child"')
    ttl = normalise.seconds(params["ttl"])
    if ttl is not None and ttl <= 0:
        raise InvalidInput("a token needs a life of its own", 'option "ttl"', "give a duration, such as 1h")


def begin(client: Client, login: Login, params: Mapping[str, Any], warn: Warn) -> dict[str, Any]:
    """Log in, write the token to ``dest``, and return what is not secret: ``ttl`` (s), ``policies``, ``display_name``.

    A token of ours that a run which was cut off left in ``dest`` is revoked. Raises InvalidInput, PermissionDenied,
    BadRequest, Unreachable, Sealed; nothing is left behind then.
    """
    dest = params["dest"]
    private_file.prepare(dest, "dest", private=True)
    client.choose()
    given = login.token(client)
    client.token = given
    left = private_file.read(dest)
    borrowed = private_file.read(dest + BORROWED) is not None
    ours = login.leased or params["child"]
    if params["child"]:
        client.token = _child(client, params)
    try:
        known = _known(client)
        if not ours:
            private_file.write(dest + BORROWED, "The token beside this file existed before: it is not revoked with it.")
        private_file.write(dest, str(client.token))
    except SecretopsError:
        if ours:
            _revoke(client, warn)
        raise
    if ours:
        private_file.remove(dest + BORROWED)
    if left and left not in (given, client.token) and not borrowed:
        _revoke(client.at(client.url, left), warn)
    return {
        "dest": dest,
        "url": client.url,
        "ttl": known.get("ttl", 0),
        "renewable": bool(known.get("renewable")),
        "policies": sorted({*(known.get("policies") or []), *(known.get("identity_policies") or [])}),
        "display_name": known.get("display_name") or "",
    }


def _known(client: Client) -> dict[str, Any]:
    """Return what the server says of the token; nothing when its policies do not let it ask."""
    try:
        return client.read("auth/token/lookup-self") or {}
    except PermissionDenied as error:
        if "invalid, expired or revoked" in error.what:
            raise
        return {}


def _child(client: Client, params: Mapping[str, Any]) -> str:
    body = {name: params[name] for name in ("policies", "display_name") if params[name]}
    if params["ttl"]:
        body["ttl"] = "%ss" % normalise.seconds(params["ttl"])
    # never repeated: a second attempt would leave a token that nobody knows
    answer = client.write("auth/token/create", body, idempotent=False)
    return str(answer["auth"]["client_token"])


def _revoke(client: Client, warn: Warn) -> bool:
    """Revoke the client's token and tell whether that was done; one that is no longer valid is none to revoke."""
    try:
        client.request("POST", "auth/token/revoke-self", {}, idempotent=True)
        return True
    except PermissionDenied as error:
        if "invalid, expired or revoked" not in error.what:
            warn("the token could not be revoked: %s" % error)
    except BadRequest as error:
        # batch tokens end by themselves
        if "batch" not in error.what:
            warn("the token could not be revoked: %s" % error)
    except VaultError as error:
        warn("the token could not be revoked and lives on until it expires: %s" % error)
    return False


def end(connect: Callable[[], Client], params: Mapping[str, Any], warn: Warn, check_mode: bool) -> dict[str, Any]:
    """Revoke the token in ``dest`` and remove the file; returns whether it was revoked.

    Works with an expired token, and without a server: the file goes in any case. Raises SecretopsError when the file
    cannot be removed.
    """
    dest = params["dest"]
    token = private_file.read(dest)
    borrowed = private_file.read(dest + BORROWED) is not None
    if check_mode:
        return {"dest": dest, "revoked": False}
    revoked = False
    if token and not borrowed:
        try:
            client = connect()
            client.token = token
            revoked = _revoke(client, warn)
            client.close()
        except SecretopsError as error:
            warn("the token could not be revoked and lives on until it expires: %s" % error)
    private_file.remove(dest)
    private_file.remove(dest + BORROWED)
    return {"dest": dest, "revoked": revoked}
