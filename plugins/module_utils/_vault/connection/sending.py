# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Requests to the addresses of one Vault: the pool, redirects, and which node is asked."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..._engine import wording
from ..._engine.credential import in_header
from ..._engine.secrets import KNOWN
from ..._http import failure, rules
from ..._http.transport import Answer
from . import checks
from .answers import body_of
from .errors import NotVault, Redirected, Unreachable, VaultError, unreachable
from .transport import HVAC_ERROR, Session

if HVAC_ERROR is None:
    import requests

AnySender = TypeVar("AnySender", bound="Sender")


class Sender:
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

    def once(self, text: str) -> bool:
        """Tell whether the task shows a text for the first time, in any namespace."""
        with self._counting:
            first = text not in self._said
            self._said.add(text)
            return first

    def close(self) -> None:
        """Close the pooled connections."""
        self.session.close()

    def at(self: AnySender, url: str, token: str | None = None) -> AnySender:
        """Return a client for one other address with the same TLS settings and pool."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.urls, other.url, other._chosen, other.token = [url.rstrip("/")], url.rstrip("/"), True, token
        other._token_known = other._api = None
        return other

    def within(self: AnySender, namespace: str | None) -> AnySender:
        """Return a client for another namespace (an absolute path) with the same token and pool."""
        other = object.__new__(type(self))
        self.choose()
        other.__dict__.update(self.__dict__)
        other.namespace, other._api = namespace.strip("/") if namespace else None, None
        return other

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
        # a server refuses it in a namespace
        node = self.at(url)
        node.namespace = None
        try:
            answer = node.send(
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

    def choose_again(self) -> None:
        """Choose among the addresses once more: another node may be the active one now. Raises Unreachable."""
        with self._lock:
            self._chosen = len(self.urls) == 1
        self.choose()
