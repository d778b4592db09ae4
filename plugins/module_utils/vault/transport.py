# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How requests travel: a session of requests, with a short way for API calls that hvac's adapter takes.

For each request anew, requests reads the environment and ~/.netrc, looks for proxies, merges cookies and hooks, and
urllib3 wraps what http.client gives: together several times the work of the request itself. For one server all of that
is known after the first, so `Session.call` keeps http.client's connections, with the TLS settings of urllib3 and the CA
that requests would take. What needs more (a proxy, a redirect) goes the whole way.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import threading
import traceback
from collections import deque
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ..errors import InvalidInput

try:
    import requests
    import urllib3
    from hvac.adapters import RawAdapter

    HVAC_ERROR = None
except ImportError:
    HVAC_ERROR = traceback.format_exc()
    RawAdapter = None

#: connections that the session of requests keeps, where the short way is none
POOL = 16
#: what may stand in a request target as it is; a percent sign where it begins what is quoted already
TARGET = "/%:@!$&'()*+,;=~"
#: how many fields an answer's head may have, and how many bytes each; the limits of http.client
MOST_FIELDS = 100
LONGEST_LINE = 65536
#: a percent sign that begins nothing
LONE = re.compile(r"%(?![0-9A-Fa-f]{2})")

__all__ = ["HVAC_ERROR", "RawAdapter", "Session"]


class _Adapter(requests.adapters.HTTPAdapter if HVAC_ERROR is None else object):  # type: ignore[misc]
    """A pool that can check the certificate against another name than the address's."""

    def __init__(self, server_name: str | None = None) -> None:
        self.server_name = server_name
        super().__init__(pool_connections=4, pool_maxsize=POOL)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self.server_name:
            kwargs["assert_hostname"] = self.server_name
            kwargs["server_hostname"] = self.server_name
        super().init_poolmanager(*args, **kwargs)


class _Headers(dict[str, str]):
    """The fields of an answer's head by their names in lower case."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class _Response(http.client.HTTPResponse):
    """A response whose head is read line by line: email.parser takes a third of the time of a whole request."""

    def begin(self) -> None:
        """Read the head. Raises HTTPException. Source: RFC 9112, and what `http.client.HTTPResponse.read` goes by."""
        status = http.client.CONTINUE
        while status == http.client.CONTINUE:
            version, status, reason = self._read_status()  # type: ignore[attr-defined]
            fields = self._fields()
        if not version.startswith("HTTP/1."):
            raise http.client.UnknownProtocol(version)
        self.version = 10 if version == "HTTP/1.0" else 11
        self.code = self.status = status
        self.reason = reason.strip()
        self.headers = self.msg = fields
        self.chunked = (fields.get("transfer-encoding") or "").lower() == "chunked"
        self.chunk_left = None
        length = fields.get("content-length") or ""
        self.length = int(length) if length.isdecimal() and not self.chunked else None
        if status in (http.client.NO_CONTENT, http.client.NOT_MODIFIED):
            self.length = 0
        # without a length the answer ends with the connection
        closes = self._check_close()  # type: ignore[attr-defined]
        self.will_close = closes or (self.length is None and not self.chunked)

    def _fields(self) -> Any:
        fields = _Headers()
        for _field in range(MOST_FIELDS):
            line = self.fp.readline(LONGEST_LINE + 1)
            if len(line) > LONGEST_LINE:
                raise http.client.LineTooLong("header line")
            if line in (b"\r\n", b"\n", b""):
                return fields
            name, _colon, value = line.decode("iso-8859-1").partition(":")
            fields.setdefault(name.lower(), value.strip())
        raise http.client.HTTPException("got more than %d headers" % MOST_FIELDS)


class _Connection(http.client.HTTPConnection):
    """A connection that answers with `_Response`."""

    response_class = _Response


class _TLSConnection(_Connection):
    """A connection with TLS that can check the certificate against another name than the address's."""

    default_port = http.client.HTTPS_PORT

    def __init__(self, host: str, timeout: float | None, context: ssl.SSLContext, server_name: str | None) -> None:
        super().__init__(host, timeout=timeout)
        self.context = context
        self.server_name = server_name

    def connect(self) -> None:
        super().connect()
        self.sock = self.context.wrap_socket(self.sock, server_hostname=self.server_name or self.host)


class _Answer:
    """What an API call gave: as much of requests' Response as hvac's adapter and `Client` look at."""

    __slots__ = ("content", "headers", "status_code")

    def __init__(self, status_code: int, headers: Any, content: bytes) -> None:
        self.status_code = status_code
        self.headers = headers
        self.content = content

    @property
    def ok(self) -> bool:
        """Whether the status is no error."""
        return self.status_code < 400

    def json(self) -> Any:
        """Return the body as data. Raises ValueError when it is no JSON."""
        return json.loads(self.content)


def _body(data: Any) -> bytes:
    """Return data as JSON. Raises InvalidInput for the numbers that JSON does not have."""
    try:
        return json.dumps(data, allow_nan=False).encode()
    except ValueError:
        raise InvalidInput("a number is infinite or none", remedy="write it as text, in quotes") from None


class _Server:
    """The kept-alive connections to one server, for many threads: each takes one, and puts it back."""

    def __init__(self, host: str, context: ssl.SSLContext | None, server_name: str | None) -> None:
        self.host = host
        self.context = context
        self.server_name = server_name
        self.idle: deque[http.client.HTTPConnection] = deque()

    def take(self, timeout: float | None) -> http.client.HTTPConnection:
        """Return a connection that nobody uses, opened at its first request."""
        try:
            connection = self.idle.pop()
        except IndexError:
            if self.context is None:
                return _Connection(self.host, timeout=timeout)
            return _TLSConnection(self.host, timeout, self.context, self.server_name)
        # what can be read before anything was asked is the end of the connection
        if connection.sock is not None and urllib3.util.wait_for_read(connection.sock, timeout=0):
            connection.close()
        return connection

    def request(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str], timeout: float | None
    ) -> _Answer:
        """Send a request and return its answer. Raises OSError and HTTPException."""
        connection = self.take(timeout)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        self.idle.append(connection)
        return _Answer(answer.status, answer.headers, content)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self.idle:
            self.idle.pop().close()


class Session(requests.Session if HVAC_ERROR is None else object):  # type: ignore[misc]
    """A session of requests, of which `call` is the short way for API calls; `request` stays what it is.

    ``verify`` and ``cert`` are set before the first call. ``server_name``: the name in the server's certificate when it
    is another than the address's.
    """

    def __init__(self, server_name: str | None = None) -> None:
        super().__init__()
        self.server_name = server_name
        self._servers: dict[tuple[str, str], _Server | None] = {}
        self._lock = threading.Lock()
        self.mount("https://", _Adapter(server_name))
        self.mount("http://", _Adapter())

    def close(self) -> None:
        for server in self._servers.values():
            if server is not None:
                server.close()
        super().close()

    def _context(self, verify: Any, cert: Any) -> ssl.SSLContext:
        """Return urllib3's TLS settings with the CA and the client certificate that requests would use."""
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

    def _server(self, scheme: str, host: str) -> _Server | None:
        """Return the connections to a server, or None where only `request` will do: through a proxy."""
        key = (scheme, host)
        if key not in self._servers:
            with self._lock:
                if key not in self._servers:
                    url = "%s://%s/" % key
                    settings = self.merge_environment_settings(url, {}, False, self.verify, self.cert)
                    server = None
                    if "@" not in host and not requests.utils.select_proxy(url, settings["proxies"]):
                        context = self._context(settings["verify"], settings["cert"]) if scheme == "https" else None
                        server = _Server(host, context, self.server_name)
                    self._servers[key] = server
        return self._servers[key]

    def call(self, method: str, url: str, **kwargs: Any) -> Any:
        """Send ``json`` and ``params`` and return the answer. Raises the exceptions of requests, and InvalidInput."""
        parts = urlsplit(url)
        try:
            server = self._server(parts.scheme, parts.netloc)
            if server is None:
                return super().request(method, url, **kwargs)
            headers = {name: value for name, value in kwargs["headers"].items() if value is not None}
            body = None
            if kwargs.get("json") is not None:
                body = _body(kwargs["json"])
                if not any(name.lower() == "content-type" for name in headers):
                    headers["Content-Type"] = "application/json"
            target = quote(LONE.sub("%25", parts.path), safe=TARGET)
            query = [parts.query] if parts.query else []
            if kwargs.get("params"):
                query.append(urlencode(kwargs["params"], doseq=True))
            if query:
                target += "?" + "&".join(query)
            answer = server.request(method.upper(), target, body, headers, kwargs.get("timeout"))
        except ssl.SSLError as error:
            raise requests.exceptions.SSLError(error) from error
        except socket.timeout as error:
            raise requests.exceptions.Timeout(error) from error
        except (http.client.HTTPException, OSError) as error:
            if isinstance(error, requests.exceptions.RequestException):
                raise
            raise requests.exceptions.ConnectionError(error) from error
        if answer.status_code in (301, 302, 303, 307, 308) and kwargs.get("allow_redirects"):
            return super().request(method, url, **kwargs)
        return answer
