# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Transport of both clients: connections of http.client, with a deadline and a size limit for each request.

A timeout of a socket bounds one read: a server that sends a byte at a time is read for ever. Here a deadline bounds the
whole request, from looking for the address to the last byte of the body, and no more bytes are read than allowed.
"""

from __future__ import annotations

import http.client
import io
import json
import queue
import select
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from .._engine.errors import InvalidInput
from .._engine.secrets import KNOWN
from . import rules
from .failure import ProxyFailure, SlowName, TooLarge, through

#: bytes per read or write
PIECE = 1 << 16
#: seconds that a socket's timeout may differ from the time that is left before it is set again, which is a system call
SLACK = 0.02


class _Timed(io.RawIOBase):
    """Reads from a socket up to a deadline. Raises socket.timeout."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        # the socket counts its readers and closes with the last one
        self._raw: Any = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        bound(self._sock, self._deadline)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Source:
    """A socket in the form that http.client's response expects."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Timed(self._sock, self._deadline))


def left(deadline: float) -> float:
    """Return the seconds until a deadline. Raises socket.timeout when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise socket.timeout("the deadline has passed")
    return seconds


def bound(sock: socket.socket, deadline: float) -> None:
    """Set a socket's timeout to a deadline, within `SLACK`. Raises socket.timeout when it has passed."""
    seconds = left(deadline)
    now = sock.gettimeout()
    if now is None or not -SLACK < now - seconds < SLACK:
        sock.settimeout(seconds)


def resolve(host: str, port: int, deadline: float) -> list[Any]:
    """Return a name's addresses as `socket.getaddrinfo` does. Raises socket.gaierror, and SlowName at the deadline.

    The resolver of libc takes no deadline: it asks each server for some seconds, again and again. So it works in a
    thread, which is left alone when time is over.
    """
    with suppress(socket.gaierror):
        # an address is not a name, and needs no thread
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    answers: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001  # pylint: disable=broad-except
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        found = answers.get(timeout=left(deadline))
    except queue.Empty:
        raise SlowName("the name was not resolved in time") from None
    if isinstance(found, Exception):
        raise found
    return found


class Response(http.client.HTTPResponse):
    """A response with a size limit, which another thread can end."""

    #: its socket
    source: socket.socket | None = None

    def pieces(self, limit: int) -> Iterator[bytes]:
        """Yield the body in chunks. Raises TooLarge, other OSErrors, HTTPException."""
        if self.length is not None and self.length > limit:
            raise TooLarge(limit)
        count = 0
        while True:
            piece = self.read(PIECE)
            if not piece:
                if self.length:
                    raise http.client.IncompleteRead(b"", self.length)
                return
            count += len(piece)
            if count > limit:
                raise TooLarge(limit)
            yield piece

    def arriving(self) -> Iterator[bytes]:
        """Yield data as soon as it arrives. Raises OSError, HTTPException."""
        while True:
            piece = self.read1(PIECE)
            if not piece:
                return
            yield piece

    def shutdown(self) -> None:
        """End the response from any thread: its reader sees the end of the body."""
        # the plain socket: a TLS shutdown would break the session under the thread that reads
        if self.source is not None:
            socket.socket.shutdown(self.source, socket.SHUT_RDWR)

    def content(self, limit: int) -> bytes:
        """Return the body. Raises as `pieces` does."""
        if self.length is not None and self.length <= PIECE:
            return self.read()
        return b"".join(self.pieces(limit))


class Proxy(NamedTuple):
    """A proxy with a plain HTTP address, and its Proxy-Authorization header."""

    host: str
    port: int
    headers: Mapping[str, str]

    def __str__(self) -> str:
        return "http://%s:%d" % (self.host, self.port)


def proxy_of(url: str, headers: Mapping[str, str] | None = None) -> Proxy | None:
    """Return the proxy of an address, None for other schemes. Raises InvalidInput."""
    try:
        parts = urlsplit(url if "://" in url else "http://" + url)
        if parts.scheme != "http":
            return None
        if not parts.hostname:
            raise ValueError
        sent = dict(headers or {})
        if parts.username is not None:
            pair = "%s:%s" % (unquote(parts.username), unquote(parts.password or ""))
            sent["Proxy-Authorization"] = "Basic " + b64encode(pair.encode()).decode()
        return Proxy(parts.hostname, parts.port or 80, sent)
    except ValueError:
        raise InvalidInput(
            '"%s" is not the URL of a proxy' % rules.shown(url), remedy='correct HTTPS_PROXY or the option "proxy"'
        ) from None


def look_up_proxy(url: str, deadline: float) -> None:
    """Resolve a proxy's name within the deadline, for libraries that have none. Raises ProxyFailure."""
    parts = urlsplit(url if "://" in url else "http://" + url)
    with suppress(ValueError):
        try:
            resolve(str(parts.hostname), parts.port or 80, deadline)
        except OSError as error:
            reason = "its name does not resolve"
            if isinstance(error, socket.timeout):
                reason = "its name was not resolved in time"
            raise ProxyFailure(rules.shown(url), reason) from error


class Connection(http.client.HTTPConnection):
    """A connection with a `deadline` for every step, with TLS where it has a context."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.deadline = 0.0
        if server.proxy is None:
            super().__init__(server.host)
        else:
            super().__init__(server.proxy.host, server.proxy.port)
            if server.context is not None:
                self.set_tunnel(server.host, server.port, dict(server.proxy.headers))
        if server.proxy is None:
            self.port = server.port
        self._create_connection = self._reach

    def response_class(self, sock: socket.socket, **kwargs: Any) -> Response:  # type: ignore[override]
        """Return the response that reads the answer."""
        response = Response(_Source(sock, self.deadline), **kwargs)  # type: ignore[arg-type]
        response.source = sock
        return response

    def _reach(self, address: tuple[str, int], *_args: Any, **_kwargs: Any) -> socket.socket:
        """Connect to the first of a name's addresses that answers. Raises OSError."""
        failure: OSError | None = None
        for found in resolve(*address, self.deadline):
            sock = None
            try:
                sock = socket.socket(*found[:3])
                sock.settimeout(left(self.deadline))
                sock.connect(found[4])
                return sock
            except OSError as error:
                failure = error
                if sock is not None:
                    sock.close()
        raise failure or OSError("the name has no address")

    def connect(self) -> None:
        """Open the connection. Raises OSError (also ProxyFailure) and HTTPException."""
        server = self.server
        try:
            super().connect()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if server.proxy is None:
                raise
            reason = "connection refused" if isinstance(error, ConnectionRefusedError) else str(error)[:200]
            if isinstance(error, SlowName):
                reason = "its name was not resolved in time"
            elif isinstance(error, socket.timeout):
                reason = "no answer in time"
            elif isinstance(error, socket.gaierror):
                reason = "its name does not resolve"
            raise ProxyFailure(str(server.proxy), reason) from error
        if server.context is not None:
            self.sock.settimeout(left(self.deadline))
            self.sock = server.context.wrap_socket(self.sock, server_hostname=server.server_name or server.name)

    def send(self, data: Any) -> None:
        """Send bytes or the content of a file. Raises OSError."""
        if not isinstance(data, bytes) and hasattr(data, "read"):
            for block in iter(lambda: data.read(PIECE), b""):
                self.send(block)
            return
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), PIECE) or (0,):
            bound(self.sock, self.deadline)
            self.sock.sendall(data[start : start + PIECE])


class Answer:
    """The answer of an API call."""

    __slots__ = ("content", "headers", "status_code")

    def __init__(self, status_code: int, headers: Any, content: bytes) -> None:
        self.status_code = status_code
        self.headers = headers
        self.content = content

    def json(self) -> Any:
        """Return the body as data. Raises ValueError when it is not JSON, or nested too deep."""
        try:
            return json.loads(self.content)
        except RecursionError:
            raise ValueError("nested too deep") from None

    def text(self) -> str:
        """Return the body as text; invalid characters are replaced."""
        return self.content.decode("utf-8", "replace")

    def about(self) -> str:
        """Describe the answer for a message, without its content."""
        kind = KNOWN.scrub_foreign(self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        kind = "".join(char for char in kind[:40] if char.isalnum() or char in "/.+-")
        packed = ", compressed" if self.headers.get("Content-Encoding") else ""
        what = "%s%s, %d bytes" % (kind or "no content type", packed, len(self.content)) if self.content else "empty"
        return "status %d, %s" % (self.status_code, what)


class Server:
    """The keep-alive connections to one server, for many threads: each takes one and puts it back.

    ``server_name``: the name in the server's certificate when it is another than the address's.
    """

    def __init__(
        self,
        address: rules.Origin,
        context: ssl.SSLContext | None,
        server_name: str | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self.name = address.host
        self.host = "[%s]" % address.host if ":" in address.host else address.host
        self.port = address.port
        self.context = context
        self.server_name = server_name
        self.proxy = proxy
        self.address = address
        self.idle: deque[Connection] = deque()

    def _take(self) -> Connection:
        """Return an idle connection; a new one is opened by its first request."""
        try:
            connection = self.idle.pop()
        except IndexError:
            return Connection(self)
        # readable before a request means that the server closed it
        if connection.sock is not None and readable(connection.sock):
            connection.close()
        return connection

    def open(
        self, method: str, target: str, body: Any, headers: Mapping[str, str], deadline: float
    ) -> tuple[Connection, Response]:
        """Send a request and return its answer with an unread body. Raises OSError and HTTPException."""
        sent = dict(headers)
        rules.check_headers(sent)
        if self.proxy is not None and self.context is None:
            target = "%s%s" % (self.address, target)
            sent.update(self.proxy.headers)
        connection = self._take()
        connection.deadline = deadline
        try:
            with through(self.proxy):
                connection.request(method, target, body, sent)
                response: Any = connection.getresponse()
                return connection, response
        except BaseException:
            connection.close()
            raise

    def request(
        self, method: str, target: str, body: Any, headers: Mapping[str, str], timeout: float, limit: int = rules.LIMIT
    ) -> Answer:
        """Send a request and return its answer, all within ``timeout`` seconds. Raises OSError and HTTPException."""
        connection, response = self.open(method, target, body, headers, time.monotonic() + timeout)
        try:
            with through(self.proxy):
                content = response.content(limit)
        except BaseException:
            response.close()
            connection.close()
            raise
        self.idle.append(connection)
        return Answer(response.status, response.headers, content)

    def close(self) -> None:
        """Close the idle connections."""
        while self.idle:
            self.idle.pop().close()


def readable(sock: socket.socket) -> bool:
    """Tell whether data can be read without waiting."""
    # select.select takes no number above 1023
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
