# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.

"""Tokens on demand: create, look up, renew, revoke. Source: /api-docs/auth/token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._engine import normalise, private_file
from ..._engine.errors import InvalidInput, SecretopsError
from ..base.naming import check_plain
from .answers import data_of
from .client import Client
from .errors import VaultError

#: options of a new token by their names in the API; durations are sent in seconds
NEW = {
    "policies": "policies",
    "type": "type",
    "num_uses": "num_uses",
    "renewable": "renewable",
    "no_default_policy": "no_default_policy",
    "display_name": "display_name",
    "metadata": "meta",
}
DURATIONS = ("ttl", "period", "explicit_max_ttl")


def check(params: Mapping[str, Any]) -> None:
    """Refuse options of another action and invalid values. Raises InvalidInput."""
    action = params["action"]
    only = dict.fromkeys((*NEW, *DURATIONS, "orphan", "token_role", "dest"), "create")
    for name, wanted in {**only, "increment": "renew"}.items():
        if params[name] and action != wanted:
            raise InvalidInput('is for the action "%s"' % wanted, 'option "%s"' % name, "remove it")
    for name in ("target", "accessor"):
        if params[name] and action == "create":
            raise InvalidInput("is for an existing token", 'option "%s"' % name, "remove it")
    if action == "revoke" and not (params["target"] or params["accessor"]):
        raise InvalidInput("no token is named", 'action "revoke"', 'give "target" or "accessor"')
    for name in (*DURATIONS, "increment"):
        normalise.whole_seconds(params[name])
    if params["orphan"] and params["token_role"]:
        raise InvalidInput("a token role decides itself whether its tokens are orphans", 'option "orphan"', "remove it")
    if params["token_role"]:
        check_plain(params["token_role"])


def act(client: Client, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Carry out ``action`` and return the result of a module. Raises SecretopsError."""
    if params["action"] == "create":
        return {"changed": True} if check_mode else _create(client, params)
    known = _look(client, params)
    if params["action"] == "lookup":
        if known is None:
            raise InvalidInput("the token does not exist or has expired", remedy="create another one")
        return {"changed": False, **_told(known), "info": {key: known[key] for key in known if key != "id"}}
    if known is None:
        if params["action"] == "revoke":
            return {"changed": False}
        raise InvalidInput("the token does not exist or has expired", remedy="create another one")
    if params["action"] == "renew" and not known.get("renewable"):
        raise InvalidInput("the token cannot be renewed", remedy="create another one")
    if check_mode:
        return {"changed": True, **_told(known)}
    path, body = _place(params, params["action"])
    if params["increment"]:
        body["increment"] = "%ss" % normalise.whole_seconds(params["increment"])
    answer = client.write("auth/token/%s" % path, body)
    if params["action"] == "revoke":
        return {"changed": True}
    return {"changed": True, **_told({**known, **(answer.get("auth") or {})})}


def _place(params: Mapping[str, Any], verb: str) -> tuple[str, dict[str, Any]]:
    """Return endpoint and body for the named token, else for the login's."""
    if params["accessor"]:
        return verb + "-accessor", {"accessor": params["accessor"]}
    if params["target"]:
        return verb, {"token": params["target"]}
    return verb + "-self", {}


def _look(client: Client, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the server's lookup of a token, None when it no longer exists."""
    path, body = _place(params, "lookup")
    if path == "lookup-self":
        return client.read("auth/token/lookup-self")
    try:
        return data_of(client.request("POST", "auth/token/%s" % path, body, idempotent=True) or {})
    except VaultError as error:
        if _gone(client, path, error):
            return None
        raise


def _gone(client: Client, path: str, error: VaultError) -> bool:
    """Tell whether an answer means that the token does not exist: 404, or 403 or 400 with the right to look it up."""
    if error.status == 404:
        return True
    if error.status not in (400, 403):
        return False
    answer = client.write("sys/capabilities-self", {"paths": ["auth/token/%s" % path]})
    allowed = data_of(answer).get("auth/token/%s" % path) or answer.get("capabilities") or []
    return bool({"update", "root", "sudo"} & set(allowed))


def _told(known: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "accessor": known.get("accessor") or "",
        "policies": sorted({*(known.get("token_policies") or known.get("policies") or [])}),
        "ttl": known.get("lease_duration", known.get("ttl", 0)),
        "renewable": bool(known.get("renewable")),
    }


def _create(client: Client, params: Mapping[str, Any]) -> dict[str, Any]:
    if params["dest"]:
        private_file.prepare(params["dest"], "dest")
    body = {api: params[name] for name, api in NEW.items() if params[name] is not None}
    if params["metadata"]:
        body["meta"] = normalise.string_map(params["metadata"])
    for name in DURATIONS:
        if params[name] is not None:
            body[name] = "%ss" % normalise.whole_seconds(params[name])
    path = "auth/token/create"
    if params["token_role"]:
        path += "/" + params["token_role"]
    elif params["orphan"]:
        path += "-orphan"
    # never repeated: a second attempt would leave a token that nobody knows
    auth = client.write(path, body, idempotent=False).get("auth")
    if not isinstance(auth, dict) or not auth.get("client_token"):
        raise SecretopsError("the server created no token", path, "see its log")
    result = {"changed": True, **_told(auth)}
    if not params["dest"]:
        return {**result, "token": auth["client_token"]}
    try:
        private_file.write(params["dest"], auth["client_token"])
    except SecretopsError:
        client.write("auth/token/revoke", {"token": auth["client_token"]})
        raise
    return {**result, "dest": params["dest"]}
