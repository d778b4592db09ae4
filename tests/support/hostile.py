# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTPS server that answers wrongly, in every way by a name of its own, and a recorder that nobody may call.

The behaviour is chosen by the address: ``<url>/<when>/<behaviour>`` is what a client is given. ``always`` behaves so
from the first request on; ``later`` answers logins, health and the token's look-up as a Vault does, and the first
discovery requests as a Kubernetes API server does, and behaves so after that. Nothing is kept between requests, so that
many clients may ask at once.
"""

from __future__ import annotations

import datetime
import email.utils
import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from support.local import Authority, Pair

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome to the portal</body></html>"
#: seconds between two bytes of a body that drips, and for how long it does
DRIP, DRIPS = 0.1, 60


def tls(pair: Pair) -> ssl.SSLContext:
    """Return the TLS settings of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    return context


@dataclass
class Request:
    """What a client asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """A server on the loopback interface, with a thread for each connection."""

    answer: Callable[[socket.socket, Request], None]
    context: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._socket.getsockname()[1]
        self.url = "%s://127.0.0.1:%d" % ("https" if self.context else "http", self.port)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _address = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock: socket.socket) -> None:
        # the client ends many of these conversations, which is what is wanted
        with suppress(OSError, ValueError), sock:
            sock.settimeout(20)
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True)
            with sock, sock.makefile("rb") as reader:
                line = reader.readline().decode("latin-1").split()
                if len(line) != 3:
                    return
                headers = {}
                while (field_ := reader.readline().strip()) != b"":
                    name, _colon, value = field_.decode("latin-1").partition(":")
                    headers[name.strip().lower()] = value.strip()
                body = reader.read(int(headers.get("content-length") or 0))
                request = Request(line[0], line[1], headers, body)
                self.requests.append(request)
                self.answer(sock, request)
                with suppress(OSError):
                    if self.context is None:
                        sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def message(status: int, body: bytes = b"", kind: str = "application/json", **fields: str) -> bytes:
    """Return a whole answer; a field's name is written with underscores."""
    head = ["HTTP/1.1 %d Status" % status, "Connection: close"]
    if kind:
        head.append("Content-Type: " + kind)
    if "Content_Length" not in fields:
        head.append("Content-Length: %d" % len(body))
    head += ["%s: %s" % (name.replace("_", "-"), value) for name, value in fields.items()]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def _json(status: int, data: object, **fields: str) -> bytes:
    return message(status, json.dumps(data).encode(), **fields)


class Hostile:
    """The server. ``recorder`` and ``plain`` are other hosts: what reaches them was sent to strangers."""

    def __init__(self, authority: Authority) -> None:
        context = tls(authority.issue("hostile"))
        self.ca = str(authority.ca)
        self.recorder = Listener(lambda sock, _request: sock.sendall(_json(200, VAULT)), context)
        self.plain = Listener(lambda sock, _request: sock.sendall(_json(200, VAULT)))
        self.server = Listener(self._answer, context)
        self.url = self.server.url

    def close(self) -> None:
        """Take no more connections."""
        for one in (self.server, self.recorder, self.plain):
            one.close()

    def at(self, when: str, behaviour: str, mark: str = "") -> str:
        """Return the address that behaves so; a mark tells whose it is, and changes nothing."""
        return "%s/%s/%s%s" % (self.url, when, behaviour, "~" + mark if mark else "")

    def asked(self, url: str) -> int:
        """Return how many requests came for an address."""
        prefix = url[len(self.url) :] + "/"
        return sum(request.path.startswith(prefix) for request in self.server.requests)

    def strangers(self) -> list[Request]:
        """Return what reached another host."""
        return self.recorder.requests + self.plain.requests

    def _answer(self, sock: socket.socket, request: Request) -> None:
        when, behaviour, path = (request.path.lstrip("/").split("/", 2) + ["", ""])[:3]
        path = urlsplit("/" + path).path
        polite = POLITE.get(path) or KUBERNETES.get(path) or (LOGIN if "/login" in path else None)
        if when == "later" and polite is not None:
            sock.sendall(_json(200, polite))
            return
        BEHAVIOURS[behaviour.partition("~")[0]](self, sock, request)


VAULT = {"request_id": "1", "lease_id": "", "renewable": False, "lease_duration": 0, "data": {"keys": ["x"]}}
TOKEN = {"id": "s.any", "accessor": "a", "policies": ["root"], "ttl": 3600, "renewable": True, "type": "service"}
LOGIN = {
    **VAULT,
    "data": None,
    "auth": {"client_token": "s.made-by-the-hostile", "policies": ["root"], "renewable": True},
}
HEALTH = {"initialized": True, "sealed": False, "standby": False, "version": "2.7.2", "cluster_id": "c"}
POLITE: dict[str, object] = {
    "/v1/sys/health": HEALTH,
    "/v1/auth/token/lookup-self": {**VAULT, "data": TOKEN},
    "/v1/auth/token/revoke-self": {**VAULT, "data": None},
}
ESO = "external-secrets.io"
KUBERNETES: dict[str, object] = {
    "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.0"},
    "/apis/%s" % ESO: {
        "kind": "APIGroup",
        "name": ESO,
        "versions": [{"groupVersion": ESO + "/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": ESO + "/v1", "version": "v1"},
    },
    "/apis/%s/v1" % ESO: {
        "kind": "APIResourceList",
        "groupVersion": ESO + "/v1",
        "resources": [
            {"name": "externalsecrets", "kind": "ExternalSecret", "namespaced": True},
            {"name": "secretstores", "kind": "SecretStore", "namespaced": True},
            {"name": "clustersecretstores", "kind": "ClusterSecretStore", "namespaced": False},
            {"name": "clusterexternalsecrets", "kind": "ClusterExternalSecret", "namespaced": False},
        ],
    },
}
Behaviour = Callable[[Hostile, socket.socket, Request], None]


def _says(answer: bytes | Callable[[Hostile, Request], bytes]) -> Behaviour:
    def behave(hostile: Hostile, sock: socket.socket, request: Request) -> None:
        sock.sendall(answer(hostile, request) if callable(answer) else answer)

    return behave


def _redirects(status: int, where: str) -> Behaviour:
    def behave(hostile: Hostile, sock: socket.socket, request: Request) -> None:
        bases = {"recorder": hostile.recorder.url, "plain": hostile.plain.url, "itself": hostile.url}
        location = where if where not in bases else bases[where] + request.path
        sock.sendall(message(status, b"", Location=location))

    return behave


def _drips(head: bytes, forever: bytes) -> Behaviour:
    def behave(_hostile: Hostile, sock: socket.socket, _request: Request) -> None:
        sock.sendall(head)
        end = time.monotonic() + DRIPS
        while time.monotonic() < end:
            sock.sendall(forever)
            time.sleep(DRIP)

    return behave


def _waits(_hostile: Hostile, sock: socket.socket, _request: Request) -> None:
    sock.settimeout(DRIPS)
    sock.recv(1)


def _floods(_hostile: Hostile, sock: socket.socket, _request: Request) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    block = b"10000\r\n" + b"[" * 65536 + b"\r\n"
    while True:
        sock.sendall(block)


def _later(seconds: float) -> str:
    date = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return email.utils.format_datetime(date, usegmt=True)


_START = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BEHAVIOURS: dict[str, Behaviour] = {
    **{"redirect-%d" % status: _redirects(status, "recorder") for status in (301, 302, 303, 307, 308)},
    **{"redirect-%d-to-plain" % status: _redirects(status, "plain") for status in (302, 307, 308)},
    "redirect-307-in-circles": _redirects(307, "itself"),
    "redirect-303-to-itself": _redirects(303, "itself"),
    "redirect-307-to-nowhere": _says(message(307)),
    "redirect-308-to-nonsense": _redirects(308, "https://[::1"),
    "redirect-307-with-a-user": _redirects(307, "https://user:password@127.0.0.1:1/v1/x"),
    **{
        "html-%d" % status: _says(message(status, HTML, "text/html"))
        for status in (200, 400, 403, 404, 405, 500, 502, 503)
    },
    "html-as-json-200": _says(message(200, HTML)),
    "empty-200": _says(message(200)),
    "empty-201": _says(message(201)),
    "empty-404": _says(message(404)),
    "null-200": _says(message(200, b"null")),
    "null-404": _says(message(404, b"null")),
    "list-200": _says(message(200, b"[1, 2]")),
    "text-200": _says(message(200, b'"sealed: false"')),
    "number-200": _says(message(200, b"7")),
    "object-200": _says(message(200, b'{"status": "ok", "data": "none"}')),
    "object-404": _says(message(404, b'{"message": "no Route matched with those values"}')),
    "data-list-200": _says(_json(200, {**VAULT, "data": [1]})),
    "empty-204-to-reads": _says(
        lambda _hostile, request: message(204) if request.method in ("GET", "LIST") else message(200, HTML, "text/html")
    ),
    "300": _says(message(300, b"{}")),
    "304": _says(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"),
    "broken-json-200": _says(message(200, b'{"data": {"keys": [')),
    "broken-json-404": _says(message(404, b'{"errors": [')),
    "deep-json-200": _says(message(200, b"[" * 200_000)),
    "huge-number-200": _says(message(200, b'{"request_id": ' + b"9" * 10_000 + b"}")),
    "not-utf-8-200": _says(message(200, b'{"data": "\xff\xfe"}')),
    "gzip-200": _says(message(200, gzip.compress(json.dumps(VAULT).encode()), Content_Encoding="gzip")),
    "drip-body": _drips(_START + b"Content-Length: 100000\r\n\r\n", b" "),
    "drip-chunks": _drips(_START + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "drip-head": _drips(b"HTTP/1.1 200 OK\r\n", b"X-Drip: x\r\n"),
    "drip-status": _drips(b"HTTP/1.1 2", b"0"),
    "silent": _waits,
    "length-huge": _says(message(200, b"{}", Content_Length="3000000000")),
    "length-of-many-digits": _says(message(200, b"{}", Content_Length="9" * 5000)),
    "length-too-long": _says(message(200, b"{}", Content_Length="50")),
    "length-negative": _says(message(200, b"{}", Content_Length="-5")),
    "length-text": _says(message(200, b"{}", Content_Length="many")),
    "chunk-huge": _says(_START + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}"),
    "chunk-broken": _says(_START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "fields-without-end": _says(_START + b"X-A: b\r\n" * 200),
    "retry-after-date": _says(lambda *_: _json(429, {"errors": ["slow"]}, Retry_After=_later(-10))),
    "retry-after-negative": _says(_json(503, {"errors": ["slow"]}, Retry_After="-1")),
    "retry-after-text": _says(_json(503, {"errors": ["slow"]}, Retry_After="soon")),
    "errors-number": _says(_json(400, {"errors": 5})),
    "errors-text": _says(_json(400, {"errors": "x"})),
    "errors-null": _says(_json(400, {"errors": None})),
    "errors-objects": _says(_json(404, {"errors": [{"code": "NAME_UNKNOWN"}]})),
    "errors-nested-500": _says(_json(500, {"errors": [["a"], None]})),
    "namespace-not-found": _says(_json(404, {"errors": ["namespace not found"]})),
    "no-handler": _says(_json(404, {"errors": ['no handler for route "x". route entry not found.']})),
    "status-401": _says(
        _json(
            401, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized"}
        )
    ),
    "closes": lambda *_: None,
    "closes-in-the-head": _says(b"HTTP/1.1 200 OK\r\nContent-"),
    "not-http": _says(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "flood": _floods,
}
#: too much work to let every module meet it
HEAVY = frozenset(("flood",))
MATRIX = [name for name in BEHAVIOURS if name not in HEAVY]
#: those that end only when the client gives up
ENDLESS = frozenset(("drip-body", "drip-chunks", "drip-head", "drip-status", "silent"))


@contextmanager
def hostile_server(authority: Authority) -> Iterator[Hostile]:
    """Give a running server, and its two strangers."""
    server = Hostile(authority)
    try:
        yield server
    finally:
        server.close()
