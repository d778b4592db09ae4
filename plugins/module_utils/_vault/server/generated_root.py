# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A root token made with key shares, for when no other way in is left.

Source: /api-docs/system/generate-root-token (OpenBao), /api-docs/system/generate-root (HashiCorp Vault).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from ..._engine import private_file
from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.resource import Change, Resource
from ..._engine.secrets import KNOWN
from ..connection.answers import data_of
from ..connection.client import Client
from ..connection.errors import PermissionDenied, VaultError
from .attempt import ROOT_TOKEN, Attempt, seal_of
from .key_store import shares_from, undisturbed
from .shares import enough

ROOT_PATH = "auth/token/root"


def decoded(encoded: str, otp: str) -> str:
    """Return the token that the server has combined with the one-time password, byte by byte. Raises ValueError."""
    content = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    if len(content) != len(otp):
        raise ValueError("%d bytes for a password of %d" % (len(content), len(otp)))
    return bytes(one ^ two for one, two in zip(content, otp.encode())).decode("ascii")


def at_root(client: Client, token: str) -> Client:
    """Return a client with a root token. Its namespace is the root, whatever the client's own is."""
    found = client.at(client.choose(), token)
    found.namespace = None
    return found


def revoke(client: Client, token: str) -> int:
    """Revoke a root token; return how many were: 0 when an earlier run had revoked it. Raises VaultError."""
    try:
        at_root(client, token).request("POST", "auth/token/revoke-self", {}, idempotent=True)
    except PermissionDenied:
        return 0
    return 1


class GeneratedToken(Resource):
    """A root token in a file of mode 0600, made with key shares unless the file holds a valid one."""

    kind = "root token in"

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self.client = client
        self.params = params
        self.attempt = Attempt(client, ROOT_TOKEN)
        self.recovery = False
        self.dest = str(params["dest"])
        #: names the attempt of a run that was cut off
        self.note = self.dest + ".attempt"
        super().__init__(self.dest, {"token": "valid"} if params["state"] == "generated" else None)

    def _root(self, token: str) -> dict[str, Any] | None:
        """Return what the server says of a root token, None when it does not know it."""
        try:
            found = data_of(at_root(self.client, token).request("GET", "auth/token/lookup-self") or {})
        except PermissionDenied:
            return None
        return found if "root" in (found.get("policies") or []) else None

    def _noted(self) -> dict[str, Any]:
        try:
            data = json.loads(private_file.read(self.note) or "{}")
        except ValueError:
            data = {}
        return data if isinstance(data, dict) else {}

    def _shares(self) -> list[str]:
        return shares_from(self.params, running=True, recovery=self.recovery)

    def read(self) -> Mapping[str, Any] | None:
        held = private_file.read(self.dest)
        if held:
            KNOWN.add(held)
            found = self._root(held)
            if found is not None:
                self.info["accessor"] = found.get("accessor")
                return {"token": "valid"}
        if self.desired is None:
            return {"token": "invalid"} if held else None
        self.recovery, _threshold = seal_of(self.client)
        self.attempt.look()
        if self.attempt.started and self.attempt.nonce != self._noted().get("nonce"):
            self.attempt.refuse_foreign(self.params["cancel_nonce"])
        enough(self._shares(), int(self.attempt.status.get("required") or 0))
        private_file.prepare(self.dest, "dest")
        return None

    def write(self, change: Change) -> None:
        before = self._noted()
        if self.attempt.started:
            # its one-time password is lost with the run that began it
            self.attempt.cancel()
        otp = str(self.attempt.start({}).get("otp") or "")
        KNOWN.add(otp)
        nonce = self.attempt.nonce
        try:
            private_file.write(self.note, json.dumps({"nonce": nonce, "started_at": int(time.time())}))
            if not otp:
                raise InvalidInput("the server gives no one-time password", self.attempt.prefix, "upgrade it first")
            with undisturbed():
                answer, _basis = self.attempt.offer(self._shares())
                change.touched = True
                token = decoded(str(answer.get("encoded_token") or answer.get("encoded_root_token") or ""), otp)
                KNOWN.add(token)
                self._keep(token)
        except SecretopsError:
            self.attempt.look()
            if self.attempt.started and self.attempt.nonce == nonce:
                self.attempt.cancel()
                private_file.remove(self.note)
            # of an attempt that is over the server may have made a token: by the note the next run looks for it
            raise
        found = self._root(token)
        if found is None:
            raise SecretopsError("the server does not know the token that it made", self.dest, "run again")
        self.info["accessor"] = found.get("accessor")
        private_file.remove(self.note)
        if before:
            self._tell_lost(token, before)

    def _keep(self, token: str) -> None:
        """Write the token to its file. One that cannot be written is revoked: nobody would have it."""
        try:
            private_file.write(self.dest, token)
        except SecretopsError:
            revoke(self.client, token)
            raise

    def delete(self, change: Change) -> None:
        """Revoke the token, and remove its file only then: a root token that nobody has must not stay valid."""
        token = private_file.read(self.dest)
        self.info["revoked"] = revoke(self.client, token) if token else 0
        change.touched = True
        private_file.remove(self.dest)

    def _tell_lost(self, token: str, before: Mapping[str, Any]) -> None:
        """Warn of a root token that nobody has: an earlier run was cut off between the server's answer and the file."""
        holder = at_root(self.client, token)
        lost = []
        for accessor in holder.list("auth/token/accessors"):
            try:
                one = data_of(holder.write("auth/token/lookup-accessor", {"accessor": accessor}))
            except VaultError:
                continue
            later = int(one.get("creation_time") or 0) >= int(before.get("started_at", time.time()))
            if later and one.get("path") == ROOT_PATH and accessor != self.info["accessor"]:
                lost.append(accessor)
        if lost:
            self.warnings.append(
                "an earlier run was cut off after the server had made a root token, which nobody has; revoke it by its"
                " accessor: %s" % ", ".join(lost)
            )
