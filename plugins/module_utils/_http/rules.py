# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Rules of both clients for addresses, redirects, times and headers. Pure: no I/O."""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from .._engine.addresses import has_credentials
from .._engine.errors import InvalidInput
from .._engine.secret_patterns import shown_url

#: statuses of redirects, and those that keep method and body. Source: RFC 9110, 15.4
REDIRECTS = frozenset((301, 302, 303, 307, 308))
KEEP_METHOD = frozenset((307, 308))
#: redirects that one request follows at most
MOST_HOPS = 3
#: bytes of an API answer at most
LIMIT = 64 << 20
#: upper limits of the options timeout (seconds) and retries
LONGEST_TIMEOUT = 24 * 3600
MOST_RETRIES = 100
#: seconds between two attempts, at most
LONGEST_PAUSE = 5.0
PORTS = {"https": 443, "http": 80}
#: characters of a header's value. Source: RFC 9110, 5.5
_VALUE = re.compile(r"[\x20-\x7e\x80-\xff\t]*")
#: characters of an address that a message may hold
_HOST = re.compile(r"[A-Za-z0-9._:\[\]%-]+")


class Origin(NamedTuple):
    """Scheme, host and port: a credential is sent to a known origin only."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = "[%s]" % self.host if ":" in self.host else self.host
        return "%s://%s:%d" % (self.scheme, host if _HOST.fullmatch(host) else "(an unreadable name)", self.port)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and (parts.port is None or parts.port > 0) else None
    except ValueError:
        return None


def origin(url: str) -> Origin | None:
    """Return the origin of an HTTP address, None for any other text."""
    parts = _split(url)
    if parts is None or parts.scheme not in PORTS:
        return None
    return Origin(parts.scheme, str(parts.hostname).lower().rstrip("."), parts.port or PORTS[parts.scheme])


def shown(url: str) -> str:
    """Return an address for messages: without user, password, query and control characters."""
    found = "".join(char if char.isprintable() else "?" for char in url)[:100]
    return shown_url(re.sub(r"[?#].*", "", re.sub(r"//.*@", "//", found)))


def check_url(url: str, option: str, example: str) -> str:
    """Return an address without slashes at its end. Raises InvalidInput for any other text."""
    where, remedy = 'option "%s"' % option, "write %s" % example
    if has_credentials(url):
        # the text before an "@" may be a part of a password, so the message shows nothing of it
        raise InvalidInput("the URL holds a user, a password or a token", where, "take them out: they would be logged")
    parts = _split(url)
    if parts is None or parts.scheme not in PORTS or re.search(r"[\x00-\x20\x7f]", url):
        raise InvalidInput('"%s" is not a URL' % shown(url), where, remedy)
    try:
        str(parts.hostname).encode("idna")
    except UnicodeError:
        raise InvalidInput('"%s" holds a name that no server has' % shown(url), where, remedy) from None
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise InvalidInput('"%s" holds a query or a fragment' % shown(url), where, remedy)
    return url.rstrip("/")


def check_times(timeout: int, retries: int) -> None:
    """Refuse timeouts and retries out of range. Raises InvalidInput."""
    if not 1 <= timeout <= LONGEST_TIMEOUT:
        raise InvalidInput(
            "%d seconds are not a possible time for one request" % timeout,
            'option "timeout"',
            "give a number from 1 to %d" % LONGEST_TIMEOUT,
        )
    if not 0 <= retries <= MOST_RETRIES:
        raise InvalidInput(
            "a request cannot be repeated %d times" % retries,
            'option "retries"',
            "give a number up to %d" % MOST_RETRIES,
        )


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse values that no header can hold. Raises InvalidInput without the value."""
    # one match for all of them, as this runs for each request
    if _VALUE.fullmatch("".join(headers.values())):
        return
    for name, value in headers.items():
        if not _VALUE.fullmatch(value):
            raise InvalidInput(
                "the value of %s holds a line end or another character that no header can hold" % name,
                remedy="give the value alone",
            )


def retry_after(header: str, now: datetime.datetime | None = None) -> float:
    """Return the seconds that a ``Retry-After`` header asks for, as seconds or as a date; 0 for anything else.

    Source: RFC 9110, 10.2.3.
    """
    text = header.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.timezone.utc)
    return max((date - (now or datetime.datetime.now(datetime.timezone.utc))).total_seconds(), 0.0)


def pause(attempt: int, header: str = "", now: datetime.datetime | None = None) -> float:
    """Return the seconds to wait after an attempt (0 is the first); ``header``: the server's ``Retry-After``."""
    return min(retry_after(header, now) or 0.2 * 2 ** min(attempt, 10), LONGEST_PAUSE)


class Redirect(NamedTuple):
    """The target of a redirect, or the reason why it is not followed."""

    url: str
    target: Origin | None
    refused: str = ""


def redirect(status: int, url: str, location: str, named: Collection[Origin]) -> Redirect:
    """Decide whether the redirect of a request to ``url`` is followed.

    It must keep method and body, lead to a named origin, and not from TLS to plain text.
    """
    try:
        aim = urljoin(url, location.strip()) if location.strip() else ""
    except ValueError:
        aim = ""
    target, source = origin(aim), origin(url)
    if target is None or source is None or "@" in urlsplit(aim).netloc:
        return Redirect("", None, "it does not say where to")
    if status not in KEEP_METHOD:
        return Redirect(aim, target, "it would turn a write into a read")
    if source.scheme == "https" and target.scheme != "https":
        return Redirect(aim, target, "it would send the request in clear")
    if target not in named:
        return Redirect(aim, target, "that is not an address that was named")
    return Redirect(aim, target)
