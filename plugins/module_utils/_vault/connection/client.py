# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The client of Vault or OpenBao: one pool of keep-alive connections, retries, and errors with a remedy.

hvac's API classes are used for requests without a token; they send through this client as well (`adapter`).
"""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from ..._engine import wording
from ..._engine.credential import in_header
from ..._engine.errors import InvalidInput
from ..._engine.secrets import KNOWN
from ..._http import failure, retry, rules
from ..._http.transport import Answer
from . import adapter, checks, refusals
from .answers import body_of, data_of
from .errors import (
    InvalidToken,
    Missing,
    NoNamespace,
    NoRoute,
    NotVault,
    PermissionDenied,
    Redirected,
    Unreachable,
    VaultError,
    unreachable,
)
from .transport import HVAC_ERROR, Session

if HVAC_ERROR is None:
    import requests

#: not allowed in an API path, as it would address another: queries, fragments, control characters, empty and dot parts
ELSEWHERE = re.compile(r"[?#\x00-\x1f\x7f]|//|(?:^|/)\.{1,2}(?:/|$)")


class Client:
    """One server, one namespace, one token.

    ``urls``: addresses in order of preference; of several, the active node is taken, else the first that is unsealed.
    ``timeout`` in seconds for one request; ``retries``: how often an idempotent request is repeated.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        token: str | None = None,
        namespace: str | None = None,
        ca_cert: str | None = None,
        validate_certs: bool = True,
        tls_server_name: str | None = None,
        client_cert: str | None = None,
        client_key: str | None = None,
        proxy: str | None = None,
        timeout: int = 30,
        retries: int = 4,
        follow_redirects: bool = True,
    ) -> None:
        self.urls = checks.check_urls(urls)
        rules.check_times(timeout, retries)
        self.namespace = checks.check_namespace(namespace)
        checks.check_files(ca_cert, client_cert, client_key)
        self.url = self.urls[0]
        #: origins that token and body may be sent to
        self.named = frozenset(found for found in map(rules.origin, self.urls) if found)
        self.token = token
        self.ca_cert = ca_cert
        self.timeout = timeout
        self.retries = retries
        self.follow_redirects = follow_redirects
        self._chosen = len(self.urls) == 1
        self._lock = threading.Lock()
        self._local = threading.local()
        self._token_known: bool | None = None
        #: namespaces that do not exist yet and are about to be created
        self.pending: frozenset[str] = frozenset()
        self._mounts: dict[tuple[str | None, str], frozenset[str] | None] = {}
        #: number of requests; shared with clients derived from this one
        self.requests = {"total": 0}
        #: texts that were shown once for all objects of the task; shared in the same way
        self._said: set[str] = set()
        self._counting = threading.Lock()
        #: takes a warning for the user, where there is one to be told
        self.warn: Callable[[str], None] | None = None
        self.session = Session(tls_server_name, proxy)
        self._api: Any = None
        self.session.verify = (ca_cert or True) if validate_certs else False
        if client_cert:
            self.session.cert = (client_cert, client_key) if client_key else client_cert
        if not validate_certs:
            requests.packages.urllib3.disable_warnings()  # type: ignore[attr-defined]

    @property
    def token(self) -> str | None:
        """The token of its requests."""
        return self._token

    @token.setter
    def token(self, token: str | None) -> None:
        KNOWN.add(token)
        self._token = token

    def expect(self, namespaces: Iterable[str]) -> None:
        """Declare that namespaces, relative to the client's own, may not exist yet: then nothing exists in them."""
        own = self.namespace or ""
        self.pending |= {"/".join(part for part in (own, one.strip("/")) if part) for one in namespaces}

    def once(self, text: str) -> bool:
        """Tell whether the task shows a text for the first time, in any namespace."""
        with self._counting:
            first = text not in self._said
            self._said.add(text)
            return first

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

    # -- transport ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the pooled connections."""
        self.session.close()

    def at(self, url: str, token: str | None = None) -> Client:
        """Return a client for one other address with the same TLS settings and pool."""
        other = object.__new__(Client)
        other.__dict__.update(self.__dict__)
        other.urls, other.url, other._chosen, other.token = [url.rstrip("/")], url.rstrip("/"), True, token
        other._token_known = other._api = None
        return other

    def within(self, namespace: str | None) -> Client:
        """Return a client for another namespace (an absolute path) with the same token and pool."""
        other = object.__new__(Client)
        self.choose()
        other.__dict__.update(self.__dict__)
        other.namespace, other._api = namespace.strip("/") if namespace else None, None
        return other

    @property
    def api(self) -> Any:
        """hvac's client over this one, for requests without a token: logins, and the state of a server."""
        if self._api is None:
            self._api = adapter.api(self)
        return self._api

    def _headers(self, token: str | None, headers: Mapping[str, str] | None) -> dict[str, str]:
        """Return the headers of a request. Source: Vault API, HTTP headers."""
        found = {**(headers or {}), "X-Vault-Request": "true"}
        if token:
            found["X-Vault-Token"] = in_header(token, "token")
        if self.namespace:
            found["X-Vault-Namespace"] = self.namespace
        return found

    def send(
        self,
        url: str,
        method: str,
        path: str,
        token: str | None,
        data: Any,
        params: Any,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        """Send a request once, follow redirects, and return the answer with any status.

        Raises Unreachable, Redirected, InvalidInput.
        """
        base, target = url, "/v1/" + path.strip("/")
        sent = self._headers(token, headers)
        for _hop in range(rules.MOST_HOPS + 1):
            with self._counting:
                self.requests["total"] += 1
            with self.reaching(base):
                answer = self.session.call(method, base + target, sent, self.timeout, data, params)
            if answer.status_code not in rules.REDIRECTS or not self.follow_redirects:
                break
            base, target = self.redirected(answer, base + target)
            # the redirect's address holds them
            params = None
        else:
            raise Redirected("too many redirects", url, "correct the addresses that the nodes advertise (api_addr)")
        if answer.status_code == 400 and wording.speaks_tls(answer.text()):
            plain = Unreachable("the port speaks TLS", url, 'use "https://"')
            plain.code, plain.retryable = failure.TLS, False
            raise plain
        return answer

    @contextmanager
    def reaching(self, url: str) -> Iterator[None]:
        """Turn the errors of the transport into Unreachable."""
        try:
            yield
        except (OSError, http.client.HTTPException, requests.exceptions.RequestException) as error:
            raise unreachable(error, url, self.timeout, self.ca_cert) from error

    def redirected(self, answer: Answer, url: str) -> tuple[str, str]:
        """Return the target of a redirect as base address and path. Raises Redirected where it is not followed."""
        location = str(answer.headers.get("Location") or "")
        found = rules.redirect(answer.status_code, url, location, self.named)
        if found.refused or found.target is None:
            error = Redirected(
                "it redirects (status %d) to %s, which is not followed: %s"
                % (answer.status_code, found.target or "an address that is none", found.refused),
                str(rules.origin(url)),
                'add that address to "url" if a node of the cluster has it, else correct "url"',
            )
            error.status = answer.status_code
            raise error
        parts = urlsplit(found.url)
        return "%s://%s" % (parts.scheme, parts.netloc), parts.path + ("?" + parts.query if parts.query else "")

    def health(self, url: str | None = None, why: list[str] | None = None) -> dict[str, Any] | None:
        """Return ``sys/health`` of one address, or None when no Vault answers; ``why`` collects the reasons.

        Raises Unreachable when the server is not trusted.
        """
        url = url or self.url
        try:
            answer = self.send(
                url,
                "GET",
                "sys/health",
                None,
                None,
                {"standbyok": "true", "perfstandbyok": "true", "sealedcode": "200", "uninitcode": "200"},
                None,
            )
            found = body_of(answer, "GET", "sys/health", url)
            return found if "initialized" in found else None
        except Unreachable as error:
            if error.tls:
                raise
            problem: VaultError = error
        except NotVault as error:
            problem = error
        if why is not None:
            why.append(problem.what)
        return None

    def _health_of_one(self, url: str, why: list[str], untrusted: list[Unreachable]) -> dict[str, Any] | None:
        """Return the health of one of several addresses; a server that is not trusted is collected, and passed over."""
        try:
            return self.health(url, why)
        except Unreachable as error:
            untrusted.append(error)
            return None

    def choose(self) -> str:
        """Choose one of several addresses, once: the active node, else the first that is initialised and unsealed.

        A server that is not trusted, such as one whose certificate has expired, is passed over with a warning. Raises
        Unreachable when no other serves.
        """
        with self._lock:
            if self._chosen:
                return self.url
            why: list[str] = []
            untrusted: list[Unreachable] = []
            states = [(url, self._health_of_one(url, why, untrusted)) for url in self.urls]
            usable = [
                (url, state)
                for url, state in states
                if state is not None and state.get("initialized") and not state.get("sealed")
            ]
            if usable:
                self.url = next((url for url, state in usable if not state.get("standby")), usable[0][0])
                for error in untrusted:
                    if self.warn and self.once(str(error)):
                        self.warn("%s. The other addresses are used" % error)
            elif untrusted:
                raise untrusted[0]
            elif any(state is not None for _url, state in states):
                self.url = next(url for url, state in states if state is not None)
            else:
                raise Unreachable(
                    "none of the addresses answers (%s)" % "; ".join(dict.fromkeys(why)),
                    ", ".join(self.urls),
                    "check that the servers run and the addresses are correct",
                )
            self._chosen = True
            return self.url

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

    def choose_again(self) -> None:
        """Choose among the addresses once more: another node may be the active one now. Raises Unreachable."""
        with self._lock:
            self._chosen = len(self.urls) == 1
        self.choose()

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
