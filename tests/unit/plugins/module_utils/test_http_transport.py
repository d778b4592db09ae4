# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of an answer, read without email.parser: it means what http.client would make of it."""

from __future__ import annotations

import http.client
import socket
import threading
import time

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils.http import rules, transport
from ansible_collections.secretops.vault_eso.plugins.module_utils.vault.transport import Session

CONTINUE = b"HTTP/1.1 100 Continue\r\nX-Step: 1\r\n\r\n"
#: what follows on the same connection, and is no part of the answer
NEXT = b"HTTP/1.1 200 OK\r\n"

ANSWERS = {
    "with a length": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\n{ \n\r\n1;x=y\r\n}\r\n0\r\nA: b\r\n\r\n"
    + NEXT,
    "in chunks, with a length that does not count": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + NEXT,
    "without content": b"HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\n\r\n" + NEXT,
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n" + NEXT,
    "until the end": b"HTTP/1.1 200 OK\r\n\r\nall that comes",
    "closed by the server": b"HTTP/1.1 500 Oh\r\nconnection: Close\r\nContent-Length: 4\r\n\r\nfour",
    "of an old server": b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfour",
    "of an old server that goes on": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nfour"
    + NEXT,
    "after others that are none yet": CONTINUE * 2
    + b"HTTP/1.1 429 Slow  down \r\nRetry-After:  7 \r\nContent-Length:0\r\n\r\n",
    "with a field twice": b"HTTP/1.1 200 OK\r\nX-A: one\r\nx-a: two\r\nContent-Length: 0\r\n\r\n",
    "without a reason": b"HTTP/1.1 472\r\nContent-Length: 0\r\n\r\n",
    "with bare line ends": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "with a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nall that comes",
    "with a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nall that comes",
}
BROKEN = {
    "nothing": b"",
    "no HTTP": b"220 mail.test ESMTP\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "a line without end": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70000 + b"\r\n\r\n",
    "too many fields": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 101 + b"\r\n",
    "less than its length": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nfour",
}


def answer_of(kind: type[http.client.HTTPResponse], said: bytes) -> http.client.HTTPResponse:
    """Return the answer that a response class makes of what a server says, up to its body."""
    server, ours = socket.socketpair()
    server.sendall(said)
    server.close()
    response = kind(ours, method="GET")
    ours.close()
    response.begin()
    return response


@pytest.mark.parametrize("said", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_means_what_http_client_makes_of_it(said: bytes) -> None:
    wanted, found = (answer_of(kind, said) for kind in (http.client.HTTPResponse, transport.Response))
    assert (found.status, found.code, found.reason) == (wanted.status, wanted.code, wanted.reason)
    assert (found.version, found.chunked, found.length) == (wanted.version, wanted.chunked, wanted.length)
    assert bool(found.will_close) == bool(wanted.will_close)
    for name in ("Retry-After", "Content-Type", "x-a", "X-Step", "Content-Length"):
        # http.client leaves blanks at the end, which are no part of a value (RFC 9112, 5.1)
        value = wanted.headers.get(name)
        assert found.headers.get(name) == (value and value.rstrip()), name
    assert found.read() == wanted.read()


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_the_error_of_http_client(said: bytes) -> None:
    errors = []
    for kind in (http.client.HTTPResponse, transport.Response):
        with pytest.raises((http.client.HTTPException, OSError)) as failure:
            answer_of(kind, said).read()
        errors.append(failure.type)
    assert errors[0] is errors[1]


@pytest.mark.parametrize("number", (float("inf"), float("nan")))
def test_a_number_that_json_does_not_have_is_refused(number: float) -> None:
    with pytest.raises(InvalidInput, match="a number is infinite or none; write it as text"):
        Session().call("POST", "http://127.0.0.1:1/v1/x", headers={}, timeout=1, json={"deep": [number]})


def test_the_connections_to_a_server_answer_with_it() -> None:
    server = transport.Server(rules.Origin("http", "127.0.0.1", 1), None)
    ours, theirs = socket.socketpair()
    assert isinstance(transport.Connection(server).response_class(ours), transport.Response)
    ours.close()
    theirs.close()


def test_every_step_ends_at_the_deadline() -> None:
    """No single read times out, as bytes keep coming, and the socket has the timeout of another request."""
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.005):
            theirs.sendall(b"x")

    with ours, theirs:
        ours.settimeout(60)
        thread = threading.Thread(target=drip)
        thread.start()
        before = time.monotonic()
        try:
            reader = transport._Source(ours, before + 0.2).makefile("rb")
            with reader, pytest.raises(socket.timeout):
                reader.read()
            assert 0.2 <= time.monotonic() - before < 0.2 + transport.SLACK + 1
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize("before", (None, 0.1, 5.0, 60.0))
def test_a_timeout_of_another_request_is_replaced(before: float | None) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(before)
        deadline = time.monotonic() + 10
        transport.bound(ours, deadline)
        held = ours.gettimeout()
        assert held is not None
        assert abs(held - (deadline - time.monotonic())) < transport.SLACK + 1
        with pytest.raises(socket.timeout):
            transport.bound(ours, time.monotonic())


def test_a_timeout_that_is_about_right_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(1000.015625)
        transport.bound(ours, time.monotonic() + 1000.02)
        assert ours.gettimeout() == 1000.015625


def test_what_no_header_takes_is_found_among_others() -> None:
    good = {"X-Vault-Token": "s.aaa", "X-Note": "a\tb", "Accept": ""}
    rules.check_headers(good)
    for character in ("\n", "\r", "\x00", "\x7f", "\u20ac"):
        with pytest.raises(InvalidInput, match="for X-Bad") as failure:
            rules.check_headers({**good, "X-Bad": "hush" + character, "X-Last": "z"})
        assert "hush" not in str(failure.value)
