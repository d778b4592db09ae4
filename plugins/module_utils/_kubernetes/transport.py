# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Creates the connections of `_http.transport` from the official client's configuration.

Proxies that these do not support (with an address other than plain HTTP) use the pool of the official client.
"""

from __future__ import annotations

import ssl
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from .._engine.errors import InvalidInput
from .._http import rules
from .._http.failure import TooLarge, through
from .._http.transport import PIECE, Answer, Server, left, look_up_proxy, proxy_of

try:
    import urllib3
    from kubernetes import client as kubernetes_client
    from kubernetes.client import rest

    KUBERNETES_ERROR = None
except ImportError:
    KUBERNETES_ERROR = traceback.format_exc()


def _context(configuration: Any) -> ssl.SSLContext:
    """Return the TLS context that the official client would use. Raises OSError, ValueError."""
    verify = bool(configuration.verify_ssl)
    context: ssl.SSLContext = urllib3.util.ssl_.create_urllib3_context(
        cert_reqs=ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    )
    context.check_hostname = verify and configuration.assert_hostname is not False
    if getattr(configuration, "disable_strict_ssl_verification", False):
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if verify:
        data = getattr(configuration, "ca_cert_data", None)
        if configuration.ssl_ca_cert or data:
            context.load_verify_locations(cafile=configuration.ssl_ca_cert, cadata=data)
        else:
            context.load_default_certs()
    if configuration.cert_file:
        # an empty password prevents a prompt at the terminal
        context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    return context


def _bypassed(host: str, no_proxy: str | None) -> bool:
    test = getattr(rest, "should_bypass_proxies", None)
    return bool(test(host, no_proxy or "")) if test else False


class Transport:
    """The connections to one API server. Raises InvalidInput when the certificates are not usable."""

    def __init__(self, configuration: Any) -> None:
        address = rules.origin(str(configuration.host))
        if address is None:
            raise InvalidInput('"%s" is not a URL' % rules.shown(str(configuration.host)), 'option "host"')
        self.prefix = urlsplit(str(configuration.host)).path.rstrip("/")
        self.base = str(configuration.host).rstrip("/")
        self._server: Server | None = None
        self._pool: Any = None
        self._proxy = ""
        proxy = None
        named = configuration.proxy
        try:
            if named and not _bypassed(configuration.host, configuration.no_proxy):
                proxy = proxy_of(named, configuration.proxy_headers)
                if proxy is None:
                    self._proxy = named
                    self._pool = kubernetes_client.ApiClient(configuration).rest_client.pool_manager
                    return
            context = _context(configuration) if address.scheme == "https" else None
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            raise InvalidInput(
                "the certificates cannot be used (%s)" % error,
                "the connection to Kubernetes",
                'check "ca_cert", "client_cert", "client_key" and the kubeconfig',
            ) from error
        self._server = Server(address, context, getattr(configuration, "tls_server_name", None), proxy)

    @property
    def reads_files(self) -> bool:
        """Whether the configuration's certificates are read at each new connection, and not once."""
        return self._pool is not None

    def close(self) -> None:
        """Close the idle connections."""
        if self._server is not None:
            self._server.close()
        else:
            self._pool.clear()

    def request(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        """Send a request and return its answer, all within ``timeout`` seconds. Raises OSError, HTTPException."""
        if self._server is not None:
            return self._server.request(method, self.prefix + target, body, headers, timeout)
        deadline = time.monotonic() + timeout
        found = self._far(method, target, body, headers, timeout)
        content = b""
        for piece in found.stream(PIECE):
            left(deadline)
            content += piece
            if len(content) > rules.LIMIT:
                raise TooLarge(rules.LIMIT)
        return Answer(found.status, found.headers, content)

    def _far(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Any:
        look_up_proxy(self._proxy, time.monotonic() + timeout)
        with through(rules.shown(self._proxy)):
            return self._pool.request(
                method,
                self.base + target,
                body=body,
                headers=dict(headers),
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )

    def follow(self, target: str, headers: Mapping[str, str], seconds: float) -> Following:
        """Send a GET with a streamed answer, for some seconds. Raises OSError, HTTPException."""
        if self._server is None:
            found = self._far("GET", target, None, headers, seconds)
            return Following(found.status, found.headers, found.stream(PIECE), found, found)
        connection, response = self._server.open("GET", self.prefix + target, None, headers, time.monotonic() + seconds)
        return Following(response.status, response.headers, response.arriving(), connection, response)


class Following:
    """A streamed answer. Iterate over its chunks; `close` ends it from any thread."""

    def __init__(self, status: int, headers: Any, pieces: Iterator[bytes], connection: Any, response: Any) -> None:
        self.status = status
        self.headers = headers
        self._pieces = pieces
        self._connection = connection
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def whole(self) -> Answer:
        """Return an error answer as a whole: its first chunk holds the message."""
        return Answer(self.status, self.headers, next(self._pieces, b""))

    def release(self) -> None:
        """Release the connection after the last chunk."""
        with suppress(OSError, ValueError):
            self._response.close()
            self._connection.close()

    def close(self) -> None:
        """End it; the thread that reads it sees the end."""
        with suppress(OSError, ValueError, RuntimeError, AttributeError):
            # older versions of urllib3 cannot; the server ends it then
            self._response.shutdown()
