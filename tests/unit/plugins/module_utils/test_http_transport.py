# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of servers: their bodies are what http.client would read, and every step ends at the deadline."""

from __future__ import annotations

import http.client
import socket
import threading
import time

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._http import rules, transport
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.transport import Session

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
def test_the_content_is_what_http_client_reads(said: bytes) -> None:
    wanted = answer_of(http.client.HTTPResponse, said).read()
    assert answer_of(transport.Response, said).content(len(wanted)) == wanted  # type: ignore[attr-defined]
    assert b"".join(answer_of(transport.Response, said).pieces(len(wanted))) == wanted  # type: ignore[attr-defined]


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_the_error_of_http_client(said: bytes) -> None:
    with pytest.raises((http.client.HTTPException, OSError)) as wanted:
        answer_of(http.client.HTTPResponse, said).read()
    with pytest.raises((http.client.HTTPException, OSError)) as found:
        answer_of(transport.Response, said).content(rules.LIMIT)  # type: ignore[attr-defined]
    assert found.type is wanted.type


@pytest.mark.parametrize("number", (float("inf"), float("nan")))
def test_a_number_that_json_does_not_have_is_refused(number: float) -> None:
    with pytest.raises(InvalidInput, match="a number is infinite or NaN; write it as text"):
        Session().call("POST", "http://127.0.0.1:1/v1/x", {}, 1, {"deep": [number]})


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
        with pytest.raises(InvalidInput, match="the value of X-Bad holds") as failure:
            rules.check_headers({**good, "X-Bad": "hush" + character, "X-Last": "z"})
        assert "hush" not in str(failure.value)
