# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The connection to Vault or OpenBao: pooled transport, retries, and errors that say what to do.

hvac does the talking: its adapter takes one session (`transport.Session`), so that all threads of a module share one
pool of kept-alive connections.
"""

from __future__ import annotations

import http.client
import os
import re
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from ..._engine import redact, secrecy, wording
from ..._engine.credential import in_header
from ..._engine.errors import InvalidInput, NoAnswer, ServerError
from ..._http import failure, retry, rules
from ..._http.transport import Answer
from .transport import HVAC_ERROR, RawAdapter, Session

if HVAC_ERROR is None:
    import requests

#: answers after which the same request may succeed. Source: Vault API, HTTP status codes
RETRY_STATUS = frozenset((412, 429, 502, 503))
#: paths that want the capability sudo as well. Source: /docs/concepts/policies#root-protected-api-endpoints
SUDO = (
    "sys/auth/",
    "sys/audit",
    "sys/config/cors",
    "sys/config/ui/",
    "sys/leases/lookup/",
    "sys/leases/revoke-force/",
    "sys/leases/revoke-prefix/",
    "sys/plugins/catalog/",
    "sys/raw",
    "sys/rotate",
    "sys/seal",
    "sys/step-down",
    "sys/storage/raft/snapshot-auto/",
)
#: what no path of the API has, as it would lead to another: queries, fragments, control characters, empty and dot parts
ELSEWHERE = re.compile(r"[?#\x00-\x1f\x7f]|//|(?:^|/)\.{1,2}(?:/|$)")
CAPABILITY = {"GET": "read", "LIST": "list", "POST": "update", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


#: paths whose answers stand alone, with what one of them must hold. Source: Vault API, /sys
BARE: Mapping[str, frozenset[str]] = {
    "sys/health": frozenset(("initialized",)),
    "sys/init": frozenset(("initialized", "keys", "keys_base64")),
    "sys/leader": frozenset(("ha_enabled",)),
    "sys/seal-status": frozenset(("sealed",)),
    "sys/unseal": frozenset(("sealed",)),
}
#: paths that answer in a form of their own, for whoever reads them by vault_endpoint
FREE = re.compile(r"sys/(metrics|internal/|pprof|rekey|generate-root|raw|replication/|in-flight-req)|.*/\.well-known/")
#: what the help of a path holds (``?help=1``)
HELP = frozenset(("help", "openapi"))
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


def env(*names: str) -> str | None:
    """Return the first non-empty of ``BAO_x`` and ``VAULT_x`` environment variables for each name x."""
    for name in names:
        for prefix in ("BAO_", "VAULT_"):
            value = os.environ.get(prefix + name)
            if value:
                return value
    return None


def unreachable(error: BaseException, url: str, timeout: float, ca_cert: str | None) -> Unreachable:
    """Return the error for a request that got no answer."""
    authority = "the CA in %s" % ca_cert if ca_cert else "a CA that this machine trusts"
    found = failure.explain(error, timeout, WORDS, authority)
    problem = Unreachable(found.what, url, found.remedy)
    failure.fill(problem, found)
    return problem


class _Calls:
    """A session as hvac's adapter uses one, of which every request is a `Session.call`."""

    def __init__(self, session: Session) -> None:
        self.request = session.call
        # nothing of a session's own, so that the adapter passes on what it is given
        self.verify = self.cert = self.proxies = None


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
        if not urls:
            raise InvalidInput(
                "no address of a Vault server is known",
                'option "url"',
                "set it, or the environment variable VAULT_ADDR or BAO_ADDR",
            )
        self.urls = [_address(url) for url in urls]
        rules.check_times(timeout, retries)
        if namespace and not re.fullmatch(r"[\x21-\x7e]+", namespace):
            raise InvalidInput(
                "the namespace holds blanks, line ends or other characters that no namespace has",
                'option "namespace"',
                'write its path, such as "team-a/shop"',
            )
        for option, name in (("ca_cert", ca_cert), ("client_cert", client_cert), ("client_key", client_key)):
            if name and not os.path.exists(name):
                raise InvalidInput(
                    'no such file: "%s"' % redact.path(name),
                    'option "%s"' % option,
                    "give the path of an existing PEM file on the machine where the module runs",
                )
        self.url = self.urls[0]
        #: where token and body may go
        self.named = frozenset(found for found in map(rules.origin, self.urls) if found)
        self.token = token
        self.namespace = namespace.strip("/") if namespace else None
        self.ca_cert = ca_cert
        self.timeout = timeout
        self.retries = retries
        self.follow_redirects = follow_redirects
        self._chosen = len(self.urls) == 1
        self._lock = threading.Lock()
        self._local = threading.local()
        self._token_state: str | None = None
        #: namespaces that do not exist yet, and are about to be made
        self.pending: frozenset[str] = frozenset()
        self._mounts: dict[tuple[str | None, str], frozenset[str] | None] = {}
        #: how many requests were sent; shared by the clients made of this one
        self.requests = {"total": 0}
        #: what was said once for all objects of the task; shared in the same way
        self._said: set[str] = set()
        self._counting = threading.Lock()
        self.session = Session(tls_server_name, proxy)
        self._calls = _Calls(self.session)
        try:
            self.session.verify = (ca_cert or True) if validate_certs else False
            if ca_cert and os.path.isfile(ca_cert):
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_cert)
        except (ssl.SSLError, OSError) as error:
            raise InvalidInput(
                "%s holds no PEM certificate" % ca_cert, 'option "ca_cert"', "give the CA's certificate as PEM"
            ) from error
        if client_cert:
            self.session.cert = (client_cert, client_key) if client_key else client_cert
        if not validate_certs:
            requests.packages.urllib3.disable_warnings()  # type: ignore[attr-defined]

    def expect(self, namespaces: Iterable[str]) -> None:
        """Take namespaces, relative to the client's own, for such as may not exist yet: nothing exists in them then."""
        own = self.namespace or ""
        self.pending |= {"/".join(part for part in (own, one.strip("/")) if part) for one in namespaces}

    def once(self, text: str) -> bool:
        """Tell whether this is the first time that the task asks for a text, in whatever namespace."""
        with self._counting:
            first = text not in self._said
            self._said.add(text)
            return first

    def _hear(self, warnings: Any, sent: Any) -> None:
        """Keep what the server warns of in a write's answer, for `heard`."""
        if isinstance(warnings, list):
            # that a name was taken from the path is no news
            news = [one for one in warnings if not wording.name_from_path(str(one))]
            said = [secrecy.said(one, sent, self.token) for one in news]
            self._local.heard = [*getattr(self._local, "heard", ()), *said]

    def heard(self) -> list[str]:
        """Return what the server warned of in this thread since the last call, in one line each."""
        said, self._local.heard = getattr(self._local, "heard", ()), []
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
        return other

    def within(self, namespace: str | None) -> Client:
        """Return a client for another namespace (an absolute path) with the same token and pool."""
        other = object.__new__(Client)
        self.choose()
        other.__dict__.update(self.__dict__)
        other.namespace = namespace.strip("/") if namespace else None
        return other

    def _adapter(self, url: str, token: str | None) -> Any:
        return RawAdapter(
            base_uri=url,
            token=in_header(token, "token") if token else token,
            namespace=self.namespace,
            timeout=self.timeout,
            verify=self.session.verify,
            cert=self.session.cert,
            session=self._calls,
            allow_redirects=False,
            ignore_exceptions=True,
            strict_http=False,
            request_header=True,
        )

    def _send(
        self,
        url: str,
        method: str,
        path: str,
        token: str | None,
        data: Any,
        params: Any,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        kwargs: dict[str, Any] = {}
        if data is not None:
            kwargs["json"] = data
        if params:
            kwargs["params"] = params
        base, target = url, "/v1/" + path.lstrip("/")
        for _hop in range(rules.MOST_HOPS + 1):
            with self._counting:
                self.requests["total"] += 1
            with self.reaching(base):
                answer: Answer = self._adapter(base, token).request(
                    method.lower(), target, headers=dict(headers or {}), raise_exception=False, **kwargs
                )
            if answer.status_code not in rules.REDIRECTS or not self.follow_redirects:
                break
            base, target = self.redirected(answer, base + target)
            # the server has put them into the address
            kwargs.pop("params", None)
        else:
            raise Redirected(
                "it redirects without end", url, "correct the addresses that the nodes advertise (api_addr)"
            )
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
        """Return where a redirect leads, as base address and path. Raises Redirected where it is not followed."""
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
        """Return ``sys/health`` of one address, whatever its state, or None when no Vault answers; ``why`` gets why.

        Raises Unreachable when the server is not trusted.
        """
        url = url or self.url
        try:
            answer = self._send(
                url,
                "GET",
                "sys/health",
                None,
                None,
                {"standbyok": "true", "perfstandbyok": "true", "sealedcode": "200", "uninitcode": "200"},
                None,
            )
            found = self._vaults(answer, "GET", "sys/health", url)
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

    def choose(self) -> str:
        """Choose one of several addresses, once: the active node, else the first that is initialised and unsealed."""
        with self._lock:
            if self._chosen:
                return self.url
            why: list[str] = []
            states = [(url, self.health(url, why)) for url in self.urls]
            usable = [
                (url, state)
                for url, state in states
                if state is not None and state.get("initialized") and not state.get("sealed")
            ]
            if usable:
                self.url = next((url for url, state in usable if not state.get("standby")), usable[0][0])
            elif any(state is not None for _url, state in states):
                self.url = next(url for url, state in states if state is not None)
            else:
                raise Unreachable(
                    "none of the addresses answers (%s)" % "; ".join(dict.fromkeys(why)),
                    ", ".join(self.urls),
                    "check that the servers run and the addresses are right",
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
                "this path would lead to another", repr(path)[1:-1], "correct the name or the mount in it"
            )
        method = method.upper()
        repeatable = method in ("GET", "LIST", "PUT", "DELETE") if idempotent is None else idempotent
        token = self.token if authenticated else None
        self.choose()
        answer = retry.answer_of(
            lambda: self._send(self.url, method, path, token, data, params, headers),
            self.retries if repeatable else 0,
            self._may_pass,
            self._choose_again,
        )
        return self.understand(answer, method, path, missing_ok, data)

    def _choose_again(self) -> None:
        with self._lock:
            self._chosen = len(self.urls) == 1
        self.choose()

    @staticmethod
    def _may_pass(answer: Answer) -> bool:
        if answer.status_code == 503:
            # who is sealed stays so
            return not wording.is_sealed(answer.text())
        conflict = answer.status_code == 500 and wording.write_conflict(answer.text())
        return conflict or answer.status_code in RETRY_STATUS

    def _vaults(self, answer: Answer, method: str, path: str, url: str) -> dict[str, Any]:
        """Return the body of an answer, {} when it is rightly empty. Raises NotVault for what no Vault answers."""
        status = answer.status_code
        try:
            body = answer.json() if answer.content else None
        except ValueError:
            body = None
        known = False
        if isinstance(body, dict):
            errors = body.get("errors")
            if isinstance(errors, list):
                # a part of the success may have failed: then there are both
                known = all(isinstance(one, str) for one in errors) and (status >= 400 or "request_id" in body)
            elif errors is None:
                known = isinstance(body.get("request_id"), str) and isinstance(body.get("data"), (dict, type(None)))
                bare = BARE.get(path.strip("/"))
                if bare is not None:
                    known = bool(bare & set(body))
                elif not known and status == 200:
                    known = FREE.match(path) is not None or set(body) >= HELP
        elif status == 204 and not answer.content:
            known = method not in ("GET", "LIST")
        if known and (status in (200, 204) or status >= 400):
            return body or {}
        error = NotVault(
            "what answers is no Vault (%s)" % answer.about(),
            url,
            'correct "url", or look at the proxy or load balancer in between',
        )
        error.status = status
        raise error

    def understand(
        self, answer: Answer, method: str, path: str, missing_ok: bool = False, sent: Any = None
    ) -> dict[str, Any] | None:
        """Return the body of an answer, or None for 404 with ``missing_ok``. Raises as `request` does.

        ``sent`` is the body of the request: its secrets are not in messages, though a server may send them back.
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
        body = self._vaults(answer, method, path, self.url)
        if status < 400 or (status in (472, 473) and path.startswith("sys/health")):
            if method in ("POST", "PUT", "PATCH"):
                self._hear(body.get("warnings"), sent)
            return body
        errors = [secrecy.said(item, sent, self.token).strip() for item in body.get("errors") or []]
        if status == 404 and not errors and body.get("data"):
            # a deleted KV v2 version answers 404 with data
            if missing_ok:
                return body
        elif status == 404 and not errors and body.get("warnings"):
            found = body["warnings"] if isinstance(body["warnings"], list) else []
            errors = [secrecy.said(item, sent, self.token) for item in found]
            raise self._error(400, method, path, errors)
        error = self._error(status, method, path, errors)
        if self._may_pass(answer):
            error.retryable, error.retry_after = True, rules.wish(answer.headers.get("Retry-After") or "")
        if missing_ok and isinstance(error, Missing) and self._absent(error, path):
            return None
        raise error

    def _absent(self, error: Missing, path: str) -> bool:
        """Tell whether a 404 means that the object does not exist."""
        if isinstance(error, NoNamespace):
            return self._expected()
        if isinstance(error, NoRoute):
            # without its mount it cannot exist; that the mount is missing is for the list of mounts to say
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
        answer = self._send(self.url, "GET", table, self.token, None, None, None)
        try:
            body = self._vaults(answer, "GET", table, self.url)
        except NotVault:
            return None
        if answer.status_code != 200:
            # who may not see the list has the router's own word
            return frozenset() if answer.status_code == 403 else None
        prefix = "auth/" if table == "sys/auth" else ""
        return frozenset(prefix + str(name) for name in data_of(body) if str(name).endswith("/"))

    def _error(self, status: int, method: str, path: str, errors: list[str]) -> VaultError:
        text = "; ".join(" ".join(item.split()) for item in errors)[:500]
        error: VaultError
        if status == 403:
            error = self._denied(method, path, text)
        elif status == 404:
            error = self._missing(path, text)
        elif status == 503 and wording.is_sealed(text):
            state = self.health(self.url) or {}
            if state and not state.get("initialized", True):
                error = self._uninitialised()
            else:
                error = Sealed("the server is sealed", self.url, "unseal it: the role vault_cluster or vault_unseal")
        elif status in (400, 405, 422):
            if wording.is_uninitialised(text):
                error = self._uninitialised()
            else:
                error = BadRequest("the server refuses it: %s" % (text or "status %d" % status), path)
        else:
            error = VaultError("the server answers %d%s" % (status, ": " + text if text else ""), path)
        error.status, error.said = status, text
        return error

    def _uninitialised(self) -> Uninitialised:
        return Uninitialised(
            "the server is not initialised", self.url, "run the role vault_cluster or the module vault_init first"
        )

    def _missing(self, path: str, text: str) -> VaultError:
        if wording.no_namespace(text):
            return NoNamespace(
                'the namespace "%s" does not exist (%s)' % (self.namespace, text),
                self.url,
                'create it, or correct "namespace"',
            )
        kind: type[VaultError] = VaultError
        if wording.no_route(text):
            kind = NoRoute
        elif wording.no_api(text):
            kind = NoApi
        elif wording.no_object(text):
            kind = Missing
        return kind(
            "does not exist%s" % (" (%s)" % text if text else ""),
            path,
            "check the path and that the engine or auth method is mounted there",
        )

    def _denied(self, method: str, path: str, text: str) -> VaultError:
        if not self.token:
            return InvalidToken("no token was given", path, 'set "token", "token_file" or another "auth_method"')
        if "login" in path.rsplit("/", 2)[-2:]:
            return PermissionDenied("login refused: %s" % text, path)
        self._look_at_token()
        if self._token_state == "invalid":
            return InvalidToken("the token is invalid, expired or revoked", self.url, "log in again")
        needed = [CAPABILITY.get(method, "update")]
        if method in ("POST", "PUT"):
            needed = ["create", "update"]
        if path.startswith(SUDO):
            needed.append("sudo")
        where = "%s/%s" % (self.namespace, path) if self.namespace else path
        return PermissionDenied(
            "permission denied",
            where,
            'the token\'s policies lack: path "%s" { capabilities = [%s] }'
            % (path, ", ".join('"%s"' % item for item in needed)),
        )

    def _look_at_token(self) -> None:
        """Learn once whether the token is valid: 403 is the answer to a wrong one and to one that may not ask."""
        with self._lock:
            if self._token_state is not None:
                return
            try:
                look = self._send(self.url, "GET", "auth/token/lookup-self", self.token, None, None, None)
                denied = look.status_code == 403
                if denied and not wording.not_a_token(look.text()):
                    # every token that is valid may see its mounts, whatever its policies are
                    look = self._send(self.url, "GET", "sys/internal/ui/mounts", self.token, None, None, None)
                    denied = look.status_code == 403
                self._token_state = "invalid" if denied else "valid"
            except VaultError:
                self._token_state = "valid"

    def greet(self) -> None:
        """Ask once, before anything is planned, whether a Vault is there that knows the token.

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
            # a Vault has this path in any case: something is before it
            raise NotVault(
                "a Vault answers, but not at this path (%s)" % error.what, self.url, 'correct the path in "url"'
            ) from error
        if "id" not in data_of(found):
            raise NotVault("what answers is no Vault (it knows nothing of the token)", self.url, 'correct "url"')

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
        """Return the whole ``data`` of a LIST, {} when there is nothing, None when it cannot be had by one request.

        For what a listing would save: who may not list, or has a server without that API, reads one by one.
        """
        try:
            answer = self._send(self.choose(), "LIST", path, self.token, None, None, None)
            if answer.status_code not in (200, 404):
                return None
            body = self.understand(answer, "LIST", path, missing_ok=True)
            return {} if body is None else data_of(body)
        except VaultError:
            return None

    def write(
        self, path: str, data: Mapping[str, Any] | None = None, *, method: str = "POST", idempotent: bool = True
    ) -> dict[str, Any]:
        """Write and return the whole answer. ``idempotent=False`` for what must never be repeated blindly."""
        return self.request(method, path, dict(data or {}), idempotent=idempotent) or {}

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> None:
        """Delete a path; one that does not exist is no error."""
        self.request("DELETE", path, params=params, missing_ok=True)


def data_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``data`` of an answer, or the answer itself where the API has none around it."""
    data = answer.get("data")
    if data is None and "request_id" in answer and "data" in answer:
        return {}
    return data if isinstance(data, dict) else dict(answer)


def _mounted(mounts: Iterable[str], path: str) -> bool:
    return any((path.strip("/") + "/").startswith(mount) for mount in mounts)


def _address(url: str) -> str:
    """Return the address of a server as the client takes it. Raises InvalidInput."""
    found = rules.check_url(url, "url", "https://host:8200")
    parts = found.split("/")
    for name in ("v1", "ui"):
        if name in parts[3:]:
            raise InvalidInput(
                'the URL goes on with "/%s"' % "/".join(parts[3:]),
                'option "url"',
                "write %s: the API's own path is added" % "/".join(parts[: parts.index(name, 3)]),
            )
    return found
