# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Transport of the Vault client: the connections of `_http.transport`, with the CA and the proxy of requests.

requests reads the environment and ~/.netrc for each request, looks for proxies, and merges cookies and hooks; urllib3
wraps the objects of http.client. Together that costs several times the request itself, and for one server the result is
always the same. Only proxies with an address other than plain HTTP go through requests.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ..._engine.errors import InvalidInput
from ..._http import rules
from ..._http.failure import TooLarge, through
from ..._http.transport import PIECE, Answer, Server, left, look_up_proxy, proxy_of

try:
    # `adapter` uses its API classes
    import hvac  # noqa: F401  # pylint: disable=unused-import
    import requests
    import urllib3

    HVAC_ERROR = None
except ImportError:
    HVAC_ERROR = traceback.format_exc()

#: connections that the session of requests keeps, where the fast path cannot be used
POOL = 16
#: characters that are not quoted in a request target; a percent sign only where it begins an escape
TARGET = "/%:@!$&'()*+,;=~"
#: a percent sign that does not begin an escape
LONE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class _Adapter(requests.adapters.HTTPAdapter if HVAC_ERROR is None else object):  # type: ignore[misc]
    """A pool that can check the certificate against a name other than the address's."""

    def __init__(self, server_name: str | None = None) -> None:
        self.server_name = server_name
        super().__init__(pool_connections=4, pool_maxsize=POOL)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self.server_name:
            kwargs["assert_hostname"] = self.server_name
            kwargs["server_hostname"] = self.server_name
        super().init_poolmanager(*args, **kwargs)


def _body(data: Any) -> bytes:
    """Return data as JSON. Raises InvalidInput for numbers that JSON does not support."""
    try:
        return json.dumps(data, allow_nan=False).encode()
    except ValueError:
        raise InvalidInput("a number is infinite or NaN", remedy="write it as text, in quotes") from None


class Session(requests.Session if HVAC_ERROR is None else object):  # type: ignore[misc]
    """A session of requests, with the fast paths `call` and `transfer`; never follows redirects.

    ``verify`` and ``cert`` are set before the first call. ``server_name``: the name in the server's certificate when it
    is another than the address's. ``proxy``: the URL of the proxy for every server, whatever the environment says of
    proxies; without one the environment's.
    """

    def __init__(self, server_name: str | None = None, proxy: str | None = None) -> None:
        super().__init__()
        self.server_name = server_name
        # passed with each request, because the environment takes precedence over the session
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._servers: dict[tuple[str, str], Server | None] = {}
        #: proxies with an address other than plain HTTP, by server
        self._far: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()
        # an entry of this host in ~/.netrc is not a login for Vault
        self.auth = lambda request: request
        self.mount("https://", _Adapter(server_name))
        self.mount("http://", _Adapter())

    def close(self) -> None:
        for server in self._servers.values():
            if server is not None:
                server.close()
        super().close()

    def _context(self, verify: Any, cert: Any) -> ssl.SSLContext:
        """Return urllib3's TLS context with the CA and the client certificate that requests would use."""
        context: ssl.SSLContext = urllib3.util.ssl_.create_urllib3_context(
            cert_reqs=ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        )
        context.check_hostname = bool(verify)
        if verify:
            bundle = requests.utils.DEFAULT_CA_BUNDLE_PATH if verify is True else verify
            folder = os.path.isdir(bundle)
            context.load_verify_locations(capath=bundle if folder else None, cafile=None if folder else bundle)
        if cert:
            certificate, key = (cert, None) if isinstance(cert, str) else cert
            # an empty password, so that nobody is asked for one at the terminal
            context.load_cert_chain(certificate, key, password="")
        return context

    def _server(self, scheme: str, host: str) -> Server | None:
        """Return the connections to a server, or None where requests is needed. Raises InvalidInput, OSError."""
        key = (scheme, host)
        if key not in self._servers:
            with self._lock:
                if key not in self._servers:
                    url = "%s://%s/" % key
                    address = rules.origin(url)
                    if address is None:
                        raise InvalidInput('"%s" is not a URL' % rules.shown(url), 'option "url"')
                    settings = self.merge_environment_settings(url, dict(self._proxies), False, self.verify, self.cert)
                    named = requests.utils.select_proxy(url, settings["proxies"])
                    proxy = proxy_of(named) if named else None
                    server = None
                    self._far[key] = named or ""
                    if proxy is not None or not named:
                        context = self._context(settings["verify"], settings["cert"]) if scheme == "https" else None
                        server = Server(address, context, self.server_name, proxy)
                    self._servers[key] = server
        return self._servers[key]

    @staticmethod
    def _target(path: str, query: str, params: Any) -> str:
        """Return the target of the request line."""
        target = quote(LONE.sub("%25", path), safe=TARGET)
        queries = [query] if query else []
        if params:
            queries.append(urlencode(params, doseq=True))
        return target + ("?" + "&".join(queries) if queries else "")

    def call(
        self, method: str, url: str, headers: Mapping[str, str], timeout: float, data: Any = None, params: Any = None
    ) -> Answer:
        """Send ``data`` as JSON and return the answer, within ``timeout`` seconds.

        Raises OSError, HTTPException, the exceptions of requests, and InvalidInput.
        """
        sent, body = dict(headers), None
        if data is not None:
            body = _body(data)
            sent.setdefault("Content-Type", "application/json")
        parts = urlsplit(url)
        server = self._server(parts.scheme, parts.netloc)
        if server is None:
            with self.transfer(method, url, sent, body, timeout, params=params) as (answer, pieces):
                answer.content = b"".join(pieces)
                return answer
        return server.request(method, self._target(parts.path, parts.query, params), body, sent, timeout)

    @contextmanager
    def transfer(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: Any,
        timeout: float,
        limit: int = rules.LIMIT,
        params: Any = None,
    ) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """Send bytes or a file, and yield the answer and its body in chunks. Raises as `call` does."""
        deadline = time.monotonic() + timeout
        parts = urlsplit(url)
        server = self._server(parts.scheme, parts.netloc)
        if server is None:
            proxy = self._far[parts.scheme, parts.netloc]
            look_up_proxy(proxy, deadline)
            with (
                through(rules.shown(proxy)),
                self.request(
                    method,
                    url,
                    headers=headers,
                    data=body,
                    params=params,
                    timeout=timeout,
                    stream=True,
                    allow_redirects=False,
                    proxies=dict(self._proxies),
                    # passed here, because a CA bundle of the environment takes precedence over the session's
                    verify=self.verify,
                    cert=self.cert,
                ) as found,
            ):
                yield (
                    Answer(found.status_code, found.headers, b""),
                    _bounded(found.raw.stream(PIECE, decode_content=False), limit, deadline),
                )
            return
        target = self._target(parts.path, parts.query, params)
        connection, response = server.open(method.upper(), target, body, headers, deadline)
        try:
            with through(server.proxy):
                yield Answer(response.status, response.headers, b""), response.pieces(limit)
        finally:
            response.close()
            connection.close()


def _bounded(pieces: Iterator[bytes], limit: int, deadline: float) -> Iterator[bytes]:
    count = 0
    for piece in pieces:
        left(deadline)
        count += len(piece)
        if count > limit:
            raise TooLarge(limit)
        yield piece
