# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What a server does only for enough holders of key shares: new shares, a root token, the proof that shares are valid.

The server has one attempt of each kind at a time, in the leader's memory: it ends when that node no longer leads.
Source: /api-docs/system/rotate (OpenBao), /api-docs/system/rekey and generate-root (both products).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._engine.errors import InvalidInput, SecretopsError
from ..connection.answers import data_of
from ..connection.client import Client
from ..connection.errors import BadRequest, Missing, PermissionDenied, VaultError
from .shares import Share, attempts, enough
from .status import opens_by_itself

#: the paths of each kind, the newer first: OpenBao has the first, HashiCorp Vault and older versions the second
ROOT_KEY = ("sys/rotate/root", "sys/rekey")
RECOVERY_KEY = ("sys/rotate/recovery", "sys/rekey-recovery-key")
ROOT_TOKEN = ("sys/generate-root-token", "sys/generate-root")


class Busy(InvalidInput):
    """Somebody else's attempt is under way."""

    code = "attempt_under_way"


class NotOffered(InvalidInput):
    """The server has none of the paths, or keeps them closed."""

    code = "path_unknown"


class Attempt:
    """One kind of attempt on a cluster. ``status`` is what the server said last of it."""

    def __init__(self, client: Client, prefixes: Sequence[str]) -> None:
        self.client = client
        self.prefixes = prefixes
        self.begin = "attempt" if prefixes is ROOT_TOKEN else "init"
        self.prefix = ""
        self.status: dict[str, Any] = {}

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self.client.request(
            method, "%s/%s" % (self.prefix, path), body, idempotent=method in ("GET", "DELETE")
        )
        return data_of(answer or {})

    def look(self) -> dict[str, Any]:
        """Ask for the state of the attempt, and find the paths that the server has. Raises VaultError, InvalidInput."""
        denied: SecretopsError | None = None
        for prefix in [self.prefix] if self.prefix else self.prefixes:
            self.prefix = prefix
            try:
                self.status = self._call("GET", self.begin)
                return self.status
            except PermissionDenied as error:
                denied = denied or error
            except (Missing, BadRequest):
                continue
        self.prefix = ""
        if denied is not None and self.client.token:
            raise denied
        raise NotOffered(
            "the server offers none of %s%s"
            % (", ".join(self.prefixes), "" if self.client.token else " to somebody without a token"),
            self.client.url,
            "log in with a token that may use it, or set %s to false in the listener for the time of this"
            % (
                "disable_unauthed_generate_root_endpoints"
                if self.prefixes is ROOT_TOKEN
                else "disable_unauthed_rekey_endpoints"
            ),
        )

    @property
    def started(self) -> bool:
        """Whether an attempt is under way."""
        return bool(self.status.get("started"))

    @property
    def nonce(self) -> str:
        """The attempt's name, which every share has to be given with."""
        return str(self.status.get("nonce") or "")

    def check_cancelling(self) -> None:
        """Refuse a login that may begin an attempt and not end it. Raises PermissionDenied."""
        path = "%s/%s" % (self.prefix, self.begin)
        if self.prefix != self.prefixes[0]:
            # open to everybody
            return
        answer = data_of(self.client.write("sys/capabilities-self", {"paths": [path]}))
        if not {"delete", "root"} & set(answer.get(path) or answer.get("capabilities") or []):
            raise PermissionDenied("the login lacks delete", path, "give it a policy that may cancel what it begins")

    def refuse_foreign(self, allowed: str | None) -> None:
        """Cancel an attempt whose nonce the user named; refuse any other. Raises Busy."""
        if self.nonce != (allowed or "-"):
            raise Busy(
                "somebody else's attempt is under way (nonce %s, %s of %s key shares given)"
                % (self.nonce, self.status.get("progress"), self.status.get("required")),
                self.prefix,
                'let them end it, or cancel it: "cancel_nonce: %s"' % self.nonce,
            )

    def start(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Begin, and return what the server says. Raises Busy."""
        try:
            answer = self._call("POST", self.begin, body)
        except BadRequest:
            if self.look().get("started"):
                self.refuse_foreign(None)
            raise
        self.look()
        return answer

    def cancel(self) -> None:
        """Throw the attempt away."""
        self._call("DELETE", self.begin, {"nonce": self.nonce} if self.nonce else None)
        self.look()

    def offer(self, given: Sequence[str]) -> tuple[dict[str, Any], tuple[Share, ...]]:
        """Give the key shares that are valid now; return the server's last answer, and the shares that it took.

        Raises InvalidInput when they are too few, SecretopsError when no set of them is valid.
        """
        needed = int(self.status.get("required") or 0)
        for basis in attempts(enough(given, needed), needed):
            answer = self._give(basis)
            if answer is not None:
                return answer, basis
        raise InvalidInput(
            "these key shares are not the cluster's",
            self.prefix,
            "use the shares of this very cluster, and those that are valid since the last rekey",
        )

    def _give(self, basis: Sequence[Share]) -> dict[str, Any] | None:
        nonce, answer = self.nonce, {}
        for share in basis:
            try:
                answer = self._call("POST", "update", {"key": share.text, "nonce": nonce})
            except VaultError as error:
                # a root token's wrong shares are answered by 500
                if error.status not in (400, 500):
                    raise
                if self.look().get("nonce") != nonce:
                    raise SecretopsError(
                        "the attempt is gone: it was cancelled, or another node leads now",
                        self.prefix,
                        "run again; the key shares of before are still valid",
                    ) from error
                if self.status.get("progress"):
                    # refused before it was compared
                    raise
                return None
        return answer

    def verify(self, given: Sequence[str], threshold: int) -> None:
        """Give new shares, which become valid by that. Raises SecretopsError."""
        shares = enough(given, threshold)
        if self._call("GET", "verify").get("progress"):
            self._call("DELETE", "verify")
        for basis in attempts(shares, threshold):
            nonce = self._call("GET", "verify").get("nonce")
            try:
                for share in basis:
                    answer = self._call("POST", "verify", {"key": share.text, "nonce": nonce})
            except BadRequest:
                continue
            if answer.get("complete", True):
                return
        raise InvalidInput(
            "the new key shares are not those that the server made",
            self.prefix,
            "give the decrypted ones of this rekey; the key shares of before are still valid",
        )


def prove(client: Client, given: Sequence[str], recovery: bool) -> tuple[Share, ...]:
    """Prove that enough of the key shares are valid now, by an attempt that is cancelled before its end.

    New shares are made and thrown away; without their verification those of before stay valid.
    Raises Busy, InvalidInput when they are not.
    """
    attempt = Attempt(client, RECOVERY_KEY if recovery else ROOT_KEY)
    if attempt.look().get("started"):
        attempt.refuse_foreign(None)
    enough(given, int(attempt.status.get("required") or 0))
    attempt.check_cancelling()
    attempt.start({"secret_shares": 1, "secret_threshold": 1, "require_verification": True})
    try:
        if not attempt.status.get("verification_required"):
            raise NotOffered("the server cannot verify a rekey", attempt.prefix, "leave the proof out")
        return attempt.offer(given)[1]
    finally:
        attempt.cancel()


def seal_of(client: Client) -> tuple[bool, int]:
    """Return whether the seal opens by itself, so that the shares are recovery shares, and their threshold."""
    status = client.request("GET", "sys/seal-status", authenticated=False) or {}
    return opens_by_itself(status), int(status.get("t") or 0)
