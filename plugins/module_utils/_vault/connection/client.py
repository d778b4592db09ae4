# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The client of Vault or OpenBao: one pool of keep-alive connections, retries, and errors with a remedy.

hvac's API classes are used for requests without a token; they send through this client as well (`adapter`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..._engine import wording
from ..._engine.errors import InvalidInput
from ..._engine.secrets import KNOWN
from ..._http import retry, rules
from ..._http.transport import Answer
from . import adapter, refusals
from .answers import body_of, data_of
from .errors import (
    InvalidToken,
    Missing,
    NoNamespace,
    NoRoute,
    NotVault,
    PermissionDenied,
    Redirected,
    VaultError,
)
from .sending import Sender

#: not allowed in an API path, as it would address another: queries, fragments, control characters, empty and dot parts
ELSEWHERE = re.compile(r"[?#\x00-\x1f\x7f]|//|(?:^|/)\.{1,2}(?:/|$)")


class Client(Sender):
    """The verbs of the API over the requests of one server, and what its answers mean."""

    @property
    def api(self) -> Any:
        """hvac's client over this one, for requests without a token: logins, and the state of a server."""
        if self._api is None:
            self._api = adapter.api(self)
        return self._api

    def expect(self, namespaces: Iterable[str]) -> None:
        """Declare that namespaces, relative to the client's own, may not exist yet: then nothing exists in them."""
        own = self.namespace or ""
        self.pending |= {"/".join(part for part in (own, one.strip("/")) if part) for one in namespaces}

    def _keep_warnings(self, warnings: Any, sent: Any) -> None:
        """Keep the warnings in a write's answer, for `take_warnings`."""
        if isinstance(warnings, list):
            # the warning that a name was taken from the path is harmless
            news = [one for one in warnings if not wording.name_from_path(str(one))]
            said = [KNOWN.scrub_foreign(one, sent) for one in news]
            self._local.warnings = [*getattr(self._local, "warnings", ()), *said]

    def take_warnings(self) -> list[str]:
        """Return the server's warnings in this thread since the last call, one line each."""
        said, self._local.warnings = getattr(self._local, "warnings", ()), []
        texts = ("".join(one if one.isprintable() else " " for one in text) for text in said)
        return [" ".join(text.split())[:500] for text in texts]

    def request(
        self,
        method: str,
        path: str,
        data: Any = None,
        params: Mapping[str, Any] | None = None,
        *,
        idempotent: bool | None = None,
        missing_ok: bool = False,
        authenticated: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """Send a request and return the JSON answer ({} when it is empty), or None for 404 with ``missing_ok``.

        Repeats an idempotent one (by default GET, LIST, PUT, DELETE) after 412, 429, 502, 503 and connection errors.
        Raises Unreachable, NotVault, Sealed, PermissionDenied, BadRequest, Missing, VaultError.
        """
        if ELSEWHERE.search(path):
            raise InvalidInput(
                "this path would address another one", repr(path)[1:-1], "correct the name or the mount in it"
            )
        method = method.upper()
        repeatable = method in retry.IDEMPOTENT if idempotent is None else idempotent
        token = self.token if authenticated else None
        self.choose()
        answer = retry.answer_of(
            lambda: self.send(self.url, method, path, token, data, params, headers),
            self.retries if repeatable else 0,
            self._may_pass,
            self.choose_again,
        )
        return self.understand(answer, method, path, missing_ok, data)

    @staticmethod
    def _may_pass(answer: Answer) -> bool:
        if answer.status_code == 503:
            # a sealed server stays sealed
            return not wording.is_sealed(answer.text())
        conflict = answer.status_code == 500 and wording.write_conflict(answer.text())
        return conflict or answer.status_code in retry.VAULT

    def understand(
        self, answer: Answer, method: str, path: str, missing_ok: bool = False, sent: Any = None
    ) -> dict[str, Any] | None:
        """Return the body of an answer, or None for 404 with ``missing_ok``. Raises as `request` does.

        ``sent`` is the body of the request: its secrets are masked in messages, as a server may quote them.
        """
        status = answer.status_code
        if status in rules.KEEP_METHOD and not self.follow_redirects:
            redirected = Redirected(
                "%s: the node answers with a redirect instead of forwarding the request" % path,
                self.url,
                "let the nodes reach each other's cluster port, with versions that can forward to each other",
            )
            redirected.status = status
            raise redirected
        body = body_of(answer, method, path, self.url)
        if status < 400 or (status in (472, 473) and path.startswith("sys/health")):
            if method in ("POST", "PUT", "PATCH"):
                self._keep_warnings(body.get("warnings"), sent)
            return body
        errors = [KNOWN.scrub_foreign(item, sent).strip() for item in body.get("errors") or []]
        if status == 404 and not errors and body.get("data"):
            # a deleted KV v2 version answers 404 with data
            if missing_ok:
                return body
        elif status == 404 and not errors and body.get("warnings"):
            found = body["warnings"] if isinstance(body["warnings"], list) else []
            errors = [KNOWN.scrub_foreign(item, sent) for item in found]
            raise refusals.refusal(self, 400, method, path, errors)
        error = refusals.refusal(self, status, method, path, errors)
        if self._may_pass(answer):
            error.retryable, error.retry_after = True, rules.retry_after(answer.headers.get("Retry-After") or "")
        if missing_ok and isinstance(error, Missing) and self._absent(error, path):
            return None
        raise error

    def _absent(self, error: Missing, path: str) -> bool:
        """Tell whether a 404 means that the object does not exist."""
        if isinstance(error, NoNamespace):
            return self._expected()
        if isinstance(error, NoRoute):
            # without its mount it cannot exist; the list of mounts tells whether the mount is missing
            key = (self.namespace, "sys/auth" if path.startswith("auth/") else "sys/mounts")
            known = self._mounts.get(key)
            if known is None or _mounted(known, path):
                known = self._mounts[key] = self._listed_mounts(key[1])
            return known is not None and not _mounted(known, path)
        return isinstance(error, Missing) and not error.container

    def _expected(self) -> bool:
        """Tell whether the client's namespace may not exist yet."""
        return any((str(self.namespace) + "/").startswith(one + "/") for one in self.pending)

    def _listed_mounts(self, table: str) -> frozenset[str] | None:
        """Return the paths that ``sys/mounts`` or ``sys/auth`` lists, None when no Vault tells them."""
        answer = self.send(self.url, "GET", table, self.token, None, None, None)
        try:
            body = body_of(answer, "GET", table, self.url)
        except NotVault:
            return None
        if answer.status_code != 200:
            # without permission to list, the router's message decides
            return frozenset() if answer.status_code == 403 else None
        prefix = "auth/" if table == "sys/auth" else ""
        return frozenset(prefix + str(name) for name in data_of(body) if str(name).endswith("/"))

    def knows_token(self) -> bool:
        """Tell, cached, whether the token is valid: 403 is the answer to an invalid token and to missing rights."""
        with self._lock:
            if self._token_known is None:
                try:
                    look = self.send(self.url, "GET", "auth/token/lookup-self", self.token, None, None, None)
                    denied = look.status_code == 403
                    if denied and not wording.not_a_token(look.text()):
                        # every valid token may list its mounts, whatever its policies are
                        look = self.send(self.url, "GET", "sys/internal/ui/mounts", self.token, None, None, None)
                        denied = look.status_code == 403
                    self._token_known = not denied
                except VaultError:
                    self._token_known = True
            return self._token_known

    def greet(self) -> None:
        """Check once, before anything is planned, that a Vault answers and knows the token.

        Raises Unreachable, NotVault, Sealed, InvalidToken, NoNamespace.
        """
        path = "auth/token/lookup-self"
        try:
            found = self.request("GET", path) or {}
        except InvalidToken:
            raise
        except PermissionDenied:
            # its policies do not let it ask
            return
        except NoNamespace:
            if self._expected():
                return
            raise
        except Missing as error:
            # every Vault has this path, so something is in front of it
            raise NotVault(
                "a Vault answers, but not at this path (%s)" % error.what, self.url, 'correct the path in "url"'
            ) from error
        if "id" not in data_of(found):
            raise NotVault(
                "the server that answers is not Vault (it does not know the path of tokens)", self.url, 'correct "url"'
            )

    # -- verbs --------------------------------------------------------------------------------------------------------

    def read(
        self, path: str, params: Mapping[str, Any] | None = None, authenticated: bool = True
    ) -> dict[str, Any] | None:
        """Return the ``data`` of a path, None when it does not exist. 403 and outages are errors, never absence."""
        answer = self.request("GET", path, params=params, missing_ok=True, authenticated=authenticated)
        return None if answer is None else data_of(answer)

    def list(self, path: str) -> list[str]:
        """Return the keys below a path, [] when it does not exist."""
        answer = self.request("LIST", path, missing_ok=True)
        return list((data_of(answer) if answer else {}).get("keys") or [])

    def try_list(self, path: str) -> dict[str, Any] | None:
        """Return the whole ``data`` of a LIST, {} when it is empty, None when listing is not possible.

        For an optional speed-up: without permission to list, or without that API, objects are read one by one.
        """
        try:
            answer = self.send(self.choose(), "LIST", path, self.token, None, None, None)
            if answer.status_code not in (200, 404):
                return None
            body = self.understand(answer, "LIST", path, missing_ok=True)
            return {} if body is None else data_of(body)
        except VaultError:
            return None

    def write(
        self, path: str, data: Mapping[str, Any] | None = None, *, method: str = "POST", idempotent: bool = True
    ) -> dict[str, Any]:
        """Write and return the whole answer. ``idempotent=False`` for a request that must never be retried."""
        return self.request(method, path, dict(data or {}), idempotent=idempotent) or {}

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> None:
        """Delete a path; one that does not exist is no error."""
        self.request("DELETE", path, params=params, missing_ok=True)


def _mounted(mounts: Iterable[str], path: str) -> bool:
    return any((path.strip("/") + "/").startswith(mount) for mount in mounts)
