# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to Vault or OpenBao: pooled transport, retries, and errors that say what to do.

hvac does the talking: its adapter takes one session (`transport.Session`), so that all threads of a module share one
pool of kept-alive connections.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..credential import in_header
from ..errors import InvalidInput, SecretopsError
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


class VaultError(SecretopsError):
    """An answer of the server that is no success. ``status`` is the HTTP status, 0 when there was no answer."""

    status = 0


class Unreachable(VaultError):
    """No server answered."""


class PermissionDenied(VaultError):
    """403: the token may not do this, or is none."""


class InvalidToken(PermissionDenied):
    """403: there is no token, or it is one no longer."""


class BadRequest(VaultError):
    """400, 405: the server refuses what was sent."""


class Sealed(VaultError):
    """The server is sealed or not initialised."""


def env(*names: str) -> str | None:
    """Return the first non-empty of ``BAO_x`` and ``VAULT_x`` environment variables for each name x."""
    for name in names:
        for prefix in ("BAO_", "VAULT_"):
            value = os.environ.get(prefix + name)
            if value:
                return value
    return None


def certificate_problem(error: Exception, url: str, ca_cert: str | None) -> VaultError:
    """Return the error for a failed TLS handshake."""
    detail = str(error)
    if "Hostname mismatch" in detail or "IP address mismatch" in detail or "doesn't match" in detail:
        return Unreachable(
            "the server's certificate is for another name",
            url,
            'set "tls_server_name" to a name in the certificate, or correct the address',
        )
    if "CERTIFICATE_VERIFY_FAILED" in detail or "unable to get" in detail or "certificate verify failed" in detail:
        return Unreachable(
            "the server's certificate is not signed by %s"
            % ("the CA in %s" % ca_cert if ca_cert else "a CA that this machine trusts"),
            url,
            'set "ca_cert" (VAULT_CACERT, BAO_CACERT) to the file of the CA that signed it',
        )
    if "WRONG_VERSION_NUMBER" in detail or "wrong version number" in detail or "record layer" in detail:
        return Unreachable("the port does not speak TLS", url, 'use "http://", or correct the port')
    return Unreachable("TLS failed: %s" % detail.splitlines()[0][:200], url)


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
        for url in urls:
            if not url.startswith(("https://", "http://")):
                raise InvalidInput('"%s" is not a URL' % url, 'option "url"', "write https://host:8200")
        if namespace and not re.fullmatch(r"[\x21-\x7e]+", namespace):
            raise InvalidInput(
                "the namespace holds blanks, line ends or other characters that no namespace has",
                'option "namespace"',
                'write its path, such as "team-a/shop"',
            )
        for option, name in (("ca_cert", ca_cert), ("client_cert", client_cert), ("client_key", client_key)):
            if name and not os.path.exists(name):
                raise InvalidInput(
                    'no such file: "%s"' % name,
                    'option "%s"' % option,
                    "give the path of an existing PEM file on the machine where the module runs",
                )
        self.urls = [url.rstrip("/") for url in urls]
        self.url = self.urls[0]
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
        #: how many requests were sent; shared by the clients made of this one
        self.requests = {"total": 0}
        #: what was said once for all objects of the task; shared in the same way
        self._said: set[str] = set()
        self._counting = threading.Lock()
        self.session = Session(tls_server_name)
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

    def once(self, text: str) -> bool:
        """Tell whether this is the first time that the task asks for a text, in whatever namespace."""
        with self._counting:
            first = text not in self._said
            self._said.add(text)
            return first

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

    def _send(
        self,
        url: str,
        method: str,
        path: str,
        token: str | None,
        data: Any,
        params: Any,
        headers: Mapping[str, str] | None,
    ) -> Any:
        adapter = RawAdapter(
            base_uri=url,
            token=in_header(token, "token") if token else token,
            namespace=self.namespace,
            timeout=self.timeout,
            verify=self.session.verify,
            cert=self.session.cert,
            session=self._calls,
            allow_redirects=self.follow_redirects,
            ignore_exceptions=True,
            strict_http=False,
            request_header=True,
        )
        with self._counting:
            self.requests["total"] += 1
        kwargs: dict[str, Any] = {}
        if data is not None:
            kwargs["json"] = data
        if params:
            kwargs["params"] = params
        try:
            answer = adapter.request(
                method.lower() if method != "LIST" else "list",
                "/v1/" + path.lstrip("/"),
                headers=dict(headers or {}),
                raise_exception=False,
                **kwargs,
            )
        except requests.exceptions.SSLError as error:
            raise certificate_problem(error, url, self.ca_cert) from error
        except requests.exceptions.Timeout as error:
            raise Unreachable(
                "no answer within %s seconds" % self.timeout,
                url,
                'check that the server runs and the address is right, or raise "timeout"',
            ) from error
        except requests.exceptions.ConnectionError as error:
            reason = "the connection failed"
            if "refused" in str(error):
                reason = "connection refused"
            elif isinstance(error.__cause__, socket.gaierror) or "NameResolution" in str(error):
                reason = "the name does not resolve"
            raise Unreachable(reason, url, "check that the server runs and the address is right") from error
        except requests.exceptions.RequestException as error:
            raise Unreachable("the request failed (%s)" % type(error).__name__, url) from error
        if answer.status_code == 400 and b"HTTP request to an HTTPS server" in answer.content:
            raise Unreachable("the port speaks TLS", url, 'use "https://"')
        return answer

    def health(self, url: str | None = None) -> dict[str, Any] | None:
        """Return ``sys/health`` of one address, whatever its state, or None when nothing answers."""
        try:
            answer = self._send(
                url or self.url,
                "GET",
                "sys/health",
                None,
                None,
                {"standbyok": "true", "perfstandbyok": "true", "sealedcode": "200", "uninitcode": "200"},
                None,
            )
            return dict(answer.json())
        except Unreachable as error:
            if "certificate" in error.what:
                raise
            return None
        except ValueError:
            return None

    def choose(self) -> str:
        """Choose one of several addresses, once: the active node, else the first that is initialised and unsealed."""
        with self._lock:
            if self._chosen:
                return self.url
            states = [(url, self.health(url)) for url in self.urls]
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
                    "none of the addresses answers",
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
        Raises Unreachable, Sealed, PermissionDenied, BadRequest, VaultError.
        """
        if ELSEWHERE.search(path):
            raise InvalidInput(
                "this path would lead to another", repr(path)[1:-1], "correct the name or the mount in it"
            )
        method = method.upper()
        repeatable = method in ("GET", "LIST", "PUT", "DELETE") if idempotent is None else idempotent
        attempts = self.retries + 1 if repeatable else 1
        for attempt in range(attempts):
            last = attempt == attempts - 1
            url = self.choose()
            try:
                answer = self._send(url, method, path, self.token if authenticated else None, data, params, headers)
            except Unreachable as error:
                if last or "TLS" in error.what or "certificate" in error.what or "resolve" in error.what:
                    raise
                time.sleep(min(0.2 * 2**attempt, 3))
                with self._lock:
                    self._chosen = len(self.urls) == 1
                continue
            if self._may_pass(answer) and not last and not self._is_sealed(answer):
                time.sleep(min(float(answer.headers.get("Retry-After") or 0) or 0.2 * 2**attempt, 5))
                continue
            return self._understand(answer, method, path, missing_ok)
        raise AssertionError("unreachable")

    @staticmethod
    def _may_pass(answer: Any) -> bool:
        # OpenBao's storage refuses one of two writes to the same place at the same moment
        conflict = answer.status_code == 500 and b"transaction commit failed" in answer.content
        return conflict or answer.status_code in RETRY_STATUS

    @staticmethod
    def _is_sealed(answer: Any) -> bool:
        return answer.status_code == 503 and b"sealed" in answer.content

    def _understand(self, answer: Any, method: str, path: str, missing_ok: bool) -> dict[str, Any] | None:
        try:
            body = answer.json() if answer.content else {}
        except ValueError:
            body = {}
        if not isinstance(body, dict):
            body = {"data": body}
        status = answer.status_code
        if status in (301, 302, 303, 307, 308) and not self.follow_redirects:
            redirected = VaultError(
                "%s: the node answers with a redirect instead of forwarding the request" % path,
                self.url,
                "let the nodes reach each other's cluster port, with versions that can forward to each other",
            )
            redirected.status = status
            raise redirected
        if status < 400 or (status in (472, 473) and path.startswith("sys/health")):
            return body
        errors = [str(item).strip() for item in body.get("errors") or []]
        if status == 404 and missing_ok:
            # a deleted KV v2 version answers 404 with data; everything else that is not there answers without
            return body if body.get("data") else None
        raise self._error(status, method, path, errors)

    def _error(self, status: int, method: str, path: str, errors: list[str]) -> VaultError:
        text = "; ".join(" ".join(item.split()) for item in errors)[:500]
        error: VaultError
        if status == 403:
            error = self._denied(method, path, text)
        elif status == 404:
            error = VaultError(
                "does not exist%s" % (" (%s)" % text if text else ""),
                path,
                "check the path and that the engine or auth method is mounted there",
            )
        elif status == 503 and "sealed" in text.lower():
            state = self.health(self.url) or {}
            if state and not state.get("initialized", True):
                error = Sealed(
                    "the server is not initialised",
                    self.url,
                    "run the role vault_cluster or the module vault_init first",
                )
            else:
                error = Sealed("the server is sealed", self.url, "unseal it: the role vault_cluster or vault_unseal")
        elif status in (400, 405, 422):
            if "not initialized" in text.lower():
                error = Sealed(
                    "the server is not initialised",
                    self.url,
                    "run the role vault_cluster or the module vault_init first",
                )
            else:
                error = BadRequest("the server refuses it: %s" % (text or "status %d" % status), path)
        else:
            error = VaultError("the server answers %d%s" % (status, ": " + text if text else ""), path)
        error.status = status
        return error

    def _denied(self, method: str, path: str, text: str) -> VaultError:
        if not self.token:
            return InvalidToken("no token was given", path, 'set "token", "token_file" or another "auth_method"')
        if "login" in path.rsplit("/", 2)[-2:]:
            return PermissionDenied("login refused: %s" % text, path)
        with self._lock:
            if self._token_state is None:
                try:
                    look = self._send(self.url, "GET", "auth/token/lookup-self", self.token, None, None, None)
                    known = (
                        look.status_code == 200
                        or b"permission denied" not in look.content.lower()
                        or (
                            b"invalid token" not in look.content.lower()
                            and b"bad token" not in look.content.lower()
                            and self._capabilities(path) is not None
                        )
                    )
                    self._token_state = "valid" if known else "invalid"
                except Unreachable:
                    self._token_state = "valid"
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

    def _capabilities(self, path: str) -> Any:
        answer = self._send(self.url, "POST", "sys/capabilities-self", self.token, {"paths": [path]}, None, None)
        return answer.json() if answer.status_code == 200 else None

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
            if answer.status_code == 404:
                return {}
            return data_of(answer.json()) if answer.status_code == 200 else None
        except (Unreachable, ValueError):
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
    return data if isinstance(data, dict) else dict(answer)
