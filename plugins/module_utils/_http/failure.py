# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The cause of a request without an answer, from the types and attributes of exceptions. Pure: no I/O."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from .._engine.errors import NoAnswer

#: X509_V_ERR_* of OpenSSL that get a message of their own. Source: openssl/x509_vfy.h
NOT_YET_VALID, EXPIRED, REVOKED, OTHER_NAME, OTHER_ADDRESS = 9, 10, 23, 62, 64
#: no trusted CA issued it, or a certificate between them is missing
NO_ISSUER = frozenset((2, 18, 19, 20, 21))
#: reasons of OpenSSL for an answer without TLS
NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"))


#: causes: `code` of an error
TLS, NAME, REFUSED, TIMEOUT, CLOSED = "tls", "name_resolution", "connection_refused", "timeout", "connection_closed"
PROXY, TOO_LARGE, NOT_HTTP, UNKNOWN = "proxy", "answer_too_large", "not_http", "unreachable"


class ProxyFailure(OSError):
    """The proxy could not be reached, or did not let the request through. ``proxy``: its address without a user."""

    def __init__(self, proxy: str, reason: str) -> None:
        super().__init__(reason)
        self.proxy = proxy
        self.reason = reason


class SlowName(socket.timeout):
    """The resolver did not answer before the request's deadline."""


class TooLarge(OSError):
    """The answer is larger than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__("more than %d bytes" % limit)
        self.limit = limit


class Words(NamedTuple):
    """How messages name the server, and their remedies."""

    server: str
    check: str
    name: str
    authority: str
    client: str


class Failure(NamedTuple):
    """A diagnosed failure. ``code`` is one of the causes above; ``retryable``: the same request may succeed later."""

    code: str
    what: str
    remedy: str = ""
    retryable: bool = True


def _chain(error: BaseException) -> list[BaseException]:
    """Return an exception with its causes: libraries wrap them as cause, context, argument or reason."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 20:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [getattr(one, "reason", None), *one.args, one.__cause__, one.__context__]
    return found


def _certificate(error: ssl.SSLCertVerificationError, words: Words, authority: str) -> Failure:
    code = error.verify_code
    whose = "%s's certificate" % words.server
    if code in (OTHER_NAME, OTHER_ADDRESS):
        return Failure(TLS, "%s is for another name" % whose, words.name, False)
    if code == EXPIRED:
        return Failure(
            TLS, "%s, or one of its issuers, has expired" % whose, "renew it, or correct the clock here", False
        )
    if code == NOT_YET_VALID:
        return Failure(
            TLS, "%s, or one of its issuers, is not yet valid" % whose, "correct the clock, here or there", False
        )
    if code == REVOKED:
        return Failure(TLS, "%s is revoked" % whose, "give the server another one", False)
    if code in NO_ISSUER:
        return Failure(TLS, "%s is not signed by %s" % (whose, authority), words.authority, False)
    return Failure(TLS, "%s is refused (%s)" % (whose, error.verify_message), words.authority, False)


def _tls(error: ssl.SSLError, words: Words, authority: str) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error, words, authority)
    reason = str(error.reason or "")
    if reason in NO_TLS:
        return Failure(TLS, "the port does not speak TLS", 'use "http://", or correct the port', False)
    if isinstance(error, ssl.SSLEOFError) or reason == "UNEXPECTED_EOF_WHILE_READING":
        return Failure(CLOSED, "the connection was closed", words.check)
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
        return Failure(
            TLS,
            "TLS failed: %s refuses the client certificate, or misses one (%s)" % (words.server, reason),
            words.client,
            False,
        )
    detail = reason.replace("_", " ").lower() or str(error).splitlines()[0][:200]
    return Failure(TLS, "TLS failed: %s" % detail, words.client, False)


@contextmanager
def through(proxy: Any) -> Iterator[None]:
    """Have `explain` name a proxy, if there is one, as the way that a request took; as text it has no user in it."""
    try:
        yield
    except Exception as error:
        if proxy:
            # some exceptions take no attributes
            with suppress(AttributeError):
                error.through = str(proxy)  # type: ignore[attr-defined]
        raise


def explain(error: BaseException, timeout: float, words: Words, authority: str) -> Failure:
    """Return why a request failed. ``authority`` says which CAs are trusted."""
    chain = _chain(error)
    found = _explain(chain, timeout, words, authority)
    proxy = next((one.through for one in chain if hasattr(one, "through")), None)
    if proxy is None or found.code == PROXY:
        return found
    # between here and the server anything may be the proxy's doing
    remedy = ", or name the server in NO_PROXY" if found.remedy else "name the server in NO_PROXY"
    return found._replace(what="%s, through the proxy %s" % (found.what, proxy), remedy=found.remedy + remedy)


def _explain(chain: list[BaseException], timeout: float, words: Words, authority: str) -> Failure:
    for one in chain:
        if isinstance(one, ProxyFailure):
            return Failure(
                PROXY,
                "the proxy %s failed: %s" % (one.proxy, one.reason),
                'correct HTTPS_PROXY or the option "proxy", or name the server in NO_PROXY',
                False,
            )
        if isinstance(one, TooLarge):
            return Failure(
                TOO_LARGE,
                "the answer is larger than %s" % size(one.limit),
                "check that the address is %s's" % words.server,
                False,
            )
        if isinstance(one, ssl.SSLError) and not isinstance(one, socket.timeout):
            return _tls(one, words, authority)
        if isinstance(one, SlowName):
            return Failure(
                NAME,
                "the name was not resolved within %d seconds" % timeout,
                "check the name servers of this machine, or give an IP address",
            )
        if isinstance(one, socket.gaierror):
            return Failure(NAME, "the name does not resolve", words.check, False)
        if isinstance(one, ConnectionRefusedError):
            return Failure(REFUSED, "connection refused", words.check)
    for one in chain:
        # last: some libraries raise a timeout for a refused connection through a proxy
        if isinstance(one, socket.timeout) or type(one).__name__ in ("ReadTimeout", "ConnectTimeout"):
            return Failure(TIMEOUT, "no answer within %d seconds" % timeout, '%s, or raise "timeout"' % words.check)
    if any(isinstance(one, http.client.IncompleteRead) for one in chain):
        return Failure(CLOSED, "the connection was closed in the middle of the answer", words.check)
    if any(isinstance(one, ConnectionError) for one in chain):
        return Failure(CLOSED, "the connection was closed", words.check)
    if any(isinstance(one, (http.client.HTTPException, ValueError)) for one in chain):
        return Failure(NOT_HTTP, "the answer is not HTTP", words.check)
    return Failure(UNKNOWN, "the connection failed", words.check)


def fill(error: NoAnswer, found: Failure) -> NoAnswer:
    """Copy the diagnosis to an error; returns the error."""
    error.code, error.retryable, error.tls = found.code, found.retryable, found.code == TLS
    return error


def size(count: int) -> str:
    """Return a number of bytes for people, such as ``32 MB``."""
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count >= 1 << power and count % (1 << power) == 0:
            return "%d %s" % (count >> power, unit)
    return "%d bytes" % count
