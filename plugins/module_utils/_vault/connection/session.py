# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""One login for a play: a token in a private file, renewed while it is used, revoked at the end of the play.

Next to the token is a record without secrets: its server, its expiry, and the Ansible run that it was created for. With
it the next run finds and revokes the token of a killed run. Tasks that log in by themselves keep their tokens there too
while they work.
Source: /api-docs/auth/token.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Callable

from ..._engine import normalise, private_file, process
from ..._engine.errors import InvalidInput, SecretopsError
from ..auth.registry import method_of
from .client import Client
from .errors import BadRequest, InvalidToken, PermissionDenied, VaultError
from .login import Login
from .options import connect, settings

Warn = Callable[[str], None]
#: suffix of a token's file
RECORD = ".session"
#: seconds after which a token of an unknown run without a known expiry counts as abandoned
LONGEST = 24 * 3600
#: seconds until the next attempt to revoke an abandoned token: each task that logs in checks
PAUSE = 60
#: timeout in seconds for the server of a killed run, which may be gone as well
BRIEFLY: dict[str, Any] = {"timeout": 5, "retries": 0, "follow_redirects": False}


def check(params: Mapping[str, Any]) -> None:
    """Refuse contradictory options before anything is sent. Raises InvalidInput."""
    if params["state"] == "absent":
        if not params["dest"]:
            raise InvalidInput("no file is given", 'option "dest"', "give what the login returned as dest")
        return
    if params["child"] and method_of(params).leased:
        raise InvalidInput(
            "a child token is created from a token, not by a login",
            'option "child"',
            'remove it, or set "auth_method" to "token"',
        )
    for name in ("policies", "display_name"):
        if params[name] and not params["child"]:
            raise InvalidInput("is for a child token", 'option "%s"' % name, 'remove it, or set "child"')
    if params["ttl"] and not params["child"] and not method_of(params).leased:
        raise InvalidInput(
            "an existing token keeps its TTL", 'option "ttl"', 'remove it, set "child", or log in by another method'
        )
    ttl = normalise.seconds(params["ttl"])
    if ttl is not None and ttl <= 0:
        raise InvalidInput("a token needs a TTL above 0", 'option "ttl"', "give a duration, such as 20m")


def begin(client: Client, login: Login, params: Mapping[str, Any], warn: Warn) -> dict[str, Any]:
    """Log in, write the token to ``dest``, and return the public facts: ``ttl`` (s), ``policies``, ``display_name``.

    Without ``dest`` a file is chosen; see `place`. Tokens of killed runs there, or in ``dest``, are revoked. Raises
    InvalidInput, PermissionDenied, BadRequest, Unreachable, Sealed; then nothing is left behind.
    """
    dest = params["dest"] or place(params.get("directory"), warn)
    try:
        return _begin(client, login, dest, params, warn)
    except BaseException:
        if not params["dest"]:
            discard(dest)
        raise


def _begin(client: Client, login: Login, dest: str, params: Mapping[str, Any], warn: Warn) -> dict[str, Any]:
    private_file.prepare(dest, "dest", private=True)
    client.choose()
    given = login.token(client)
    client.token = given
    left, before = private_file.read(dest), record(dest)
    ours = login.leased or params["child"]
    if params["child"]:
        client.token = _child(client, params)
    try:
        if ours:
            # before any other request: from here on the next run finds it
            store(dest, str(client.token), params, {})
        if params["ttl"] and login.leased:
            _shorten(client, int(normalise.seconds(params["ttl"]) or 0))
        known = _known(client)
        store(dest, str(client.token), params, known, borrowed=not ours)
    except BaseException:
        if ours:
            _revoke(client, warn)
            discard(dest)
        raise
    finally:
        replaced = left not in (given, client.token) and private_file.read(dest) != left
        if left and before and not before["borrowed"] and replaced:
            _revoke_left(left, before, warn)
    return {
        "dest": dest,
        "url": client.url,
        "ttl": known.get("ttl", 0),
        "renewable": bool(known.get("renewable")),
        "policies": sorted({*(known.get("policies") or []), *(known.get("identity_policies") or [])}),
        "display_name": known.get("display_name") or "",
    }


# -- the place --------------------------------------------------------------------------------------------------------


def place(directory: str | None, warn: Warn) -> str:
    """Return the path of a new file in the user's directory of sessions, in memory if possible.

    Tokens of killed runs there are revoked and removed. Raises InvalidInput.
    """
    usual = [os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"]  # noqa: S108
    candidates = [directory] if directory else usual
    base = next((one for one in candidates if one and os.path.isdir(one) and os.access(one, os.W_OK)), directory)
    folder = _folder(base or tempfile.gettempdir())
    private_file.prepare(os.path.join(folder, "x"), "directory", private=True)
    # the killed run may have had another environment
    for one in dict.fromkeys([folder, *(_folder(other) for other in [*usual, tempfile.gettempdir()] if other)]):
        if one == folder or _is_ours(one):
            sweep(one, warn)
    return os.path.join(tempfile.mkdtemp(dir=folder, prefix="session-"), "token")


def _folder(base: str) -> str:
    """Return the user's directory of sessions in a shared directory."""
    return os.path.join(base, "secretops.vault_eso-%d" % os.geteuid())


def _is_ours(folder: str) -> bool:
    """Tell whether a directory belongs to the user and is closed to everybody else."""
    try:
        state = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o077


def keep_while(token: str, params: Mapping[str, Any]) -> str:
    """Keep the token of a task's own login where the next run finds it if this one is killed.

    Returns the path of its file, which `discard` removes; empty where there is no private place.
    """
    dest = ""
    try:
        # the next login of a play reports tokens that cannot be revoked now
        dest = place(None, lambda _text: None)
        store(dest, token, params, {})
    except (SecretopsError, OSError):
        # nothing was kept, so the file is not needed
        if dest:
            with suppress(SecretopsError):
                discard(dest)
        return ""
    return dest


def sweep(folder: str, warn: Warn) -> None:
    """Revoke and remove the tokens of ended runs in a directory of sessions."""
    for name in sorted(os.listdir(folder)):
        dest = os.path.join(folder, name, "token")
        if not name.startswith("session-"):
            continue
        try:
            found = record(dest)
            if found is None:
                # just created, or abandoned before a token was in it
                if time.time() - os.stat(os.path.dirname(dest)).st_mtime > LONGEST:
                    discard(dest)
                continue
            over = bool(found["expires"]) and time.time() > found["expires"]
            lives = process.lives(found["owner"])
            old = time.time() - found["made"] > LONGEST
            if not over and (lives or (lives is None and not old) or time.time() - found.get("tried", 0) < PAUSE):
                continue
            # a run that was killed during the write left the token in a temporary file
            tokens = {text for text in [private_file.read(dest), *private_file.left(dest)] if text}
            wanted = [] if over or found["borrowed"] else sorted(tokens)
            revoked = [_revoke_left(token, found, warn) for token in wanted]
            if all(revoked) or old:
                discard(dest)
            else:
                private_file.write(dest + RECORD, json.dumps({**found, "tried": int(time.time())}, sort_keys=True))
        except FileNotFoundError:
            # another run was faster
            continue
        except (SecretopsError, OSError) as error:
            warn("a session that an interrupted run left in %s could not be ended: %s" % (folder, error))


def discard(dest: str) -> None:
    """Remove the file of a token, its record, and their directory if it was created for them. Raises SecretopsError."""
    private_file.remove(dest)
    for path in (dest, dest + RECORD):
        private_file.remove_left(path)
    private_file.remove(dest + RECORD)
    if os.path.basename(os.path.dirname(dest)).startswith("session-"):
        with suppress(OSError):
            os.rmdir(os.path.dirname(dest))


# -- the record -------------------------------------------------------------------------------------------------------


def record(dest: str) -> dict[str, Any] | None:
    """Return the record of a token's file, None without one. Raises SecretopsError."""
    text = private_file.read(dest + RECORD)
    try:
        data = json.loads(text or "null")
    except ValueError:
        data = None
    wanted = {
        "connection": dict,
        "owner": dict,
        "borrowed": bool,
        "renewable": bool,
        "expires": int,
        "ttl": int,
        "made": int,
    }
    if not isinstance(data, dict) or not all(isinstance(data.get(name), kind) for name, kind in wanted.items()):
        return None
    return data


def store(dest: str, token: str, params: Mapping[str, Any], known: Mapping[str, Any], borrowed: bool = False) -> None:
    """Write a token and its record. ``known`` is the server's lookup of it. Raises SecretopsError."""
    ttl = int(known.get("ttl") or 0)
    data = {
        "connection": settings(params),
        "owner": process.run(),
        "borrowed": borrowed,
        "made": int(time.time()),
        "ttl": ttl,
        "expires": int(time.time()) + ttl if ttl else 0,
        "renewable": bool(known.get("renewable")),
    }
    # the record first: a token without one could not be revoked later
    private_file.write(dest + RECORD, json.dumps(data, sort_keys=True))
    private_file.write(dest, token)


def keep(client: Client, dest: str) -> None:
    """Renew the token of a session after half of its TTL. ``POST auth/token/renew-self``."""
    dest = os.path.expanduser(dest)
    try:
        data = record(dest)
        if not data or data["borrowed"] or not data["renewable"] or not data["expires"]:
            return
        if time.time() < data["expires"] - data["ttl"] / 2:
            return
        answer = client.write("auth/token/renew-self", {"increment": "%ds" % data["ttl"]})
        ttl = int((answer.get("auth") or {}).get("lease_duration") or 0)
        if ttl:
            private_file.write(dest + RECORD, json.dumps({**data, "expires": int(time.time()) + ttl}, sort_keys=True))
    except SecretopsError:
        # the task itself will report a problem of the token
        return


# -- tokens -----------------------------------------------------------------------------------------------------------


def _known(client: Client) -> dict[str, Any]:
    """Return the server's lookup of the token; empty when its policies do not allow that."""
    try:
        return client.read("auth/token/lookup-self") or {}
    except InvalidToken:
        raise
    except PermissionDenied:
        return {}


def _child(client: Client, params: Mapping[str, Any]) -> str:
    body = {name: params[name] for name in ("policies", "display_name") if params[name]}
    if params["ttl"]:
        body["ttl"] = "%ss" % normalise.seconds(params["ttl"])
    # never retried: a second attempt would leave a token that nobody knows
    answer = client.write("auth/token/create", body, idempotent=False)
    return str(answer["auth"]["client_token"])


def _shorten(client: Client, ttl: int) -> None:
    """Set the TTL of a login's token, in seconds, where its type and policies allow that."""
    with suppress(PermissionDenied, BadRequest):
        client.write("auth/token/renew-self", {"increment": "%ds" % ttl})


def _revoke(client: Client, warn: Warn) -> bool:
    """Revoke the client's token and tell whether that was done; an invalid token needs no revocation."""
    try:
        client.request("POST", "auth/token/revoke-self", {}, idempotent=True)
        return True
    except InvalidToken:
        return False
    except BadRequest as error:
        if not _is_batch(client):
            warn("the token could not be revoked: %s" % error)
    except PermissionDenied as error:
        warn("the token could not be revoked: %s" % error)
    except VaultError as error:
        warn("the token could not be revoked and stays valid until it expires: %s" % error)
    return False


def _is_batch(client: Client) -> bool:
    """Tell whether the token is a batch token, which cannot be revoked."""
    try:
        return _known(client).get("type") == "batch"
    except SecretopsError:
        return False


def _revoke_left(token: str, found: Mapping[str, Any], warn: Warn) -> bool:
    """Revoke the token of an ended run at its own server; tells whether it is no longer valid."""
    said: list[str] = []
    try:
        client = connect({**found["connection"], **BRIEFLY})
    except SecretopsError as error:
        warn("a token that an interrupted run left could not be revoked: %s" % error)
        return False
    try:
        client.token = token
        _revoke(client, said.append)
    finally:
        client.close()
    for text in said:
        warn("of an interrupted run: %s" % text)
    return not said


def end(params: Mapping[str, Any], warn: Warn, check_mode: bool) -> dict[str, Any]:
    """Revoke the token in ``dest`` and remove the file; returns whether it was revoked.

    The token is sent only to the server that it came from. Works with an expired token, and without a server: the file
    is removed in any case. Raises InvalidInput for a file that is not from a login, SecretopsError when it cannot be
    removed.
    """
    dest = params["dest"]
    token, found = private_file.read(dest), record(dest)
    if os.path.lexists(dest) and found is None:
        raise InvalidInput(
            "%s is not the file of a login: %s is missing" % (dest, os.path.basename(dest) + RECORD),
            'option "dest"',
            "name the dest of a login; remove any other file by hand",
        )
    if check_mode:
        return {"dest": dest, "revoked": False}
    revoked = False
    if token and found and not found["borrowed"]:
        try:
            own = {name: params[name] for name in ("timeout", "retries", "follow_redirects")}
            client = connect({**found["connection"], **own})
            client.token = token
            revoked = _revoke(client, warn)
            client.close()
        except SecretopsError as error:
            warn("the token could not be revoked and stays valid until it expires: %s" % error)
    discard(dest)
    return {"dest": dest, "revoked": revoked}
