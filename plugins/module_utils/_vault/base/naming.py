# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Validation of names, addresses and metadata: a name is part of an API path and must not lead elsewhere."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ..._engine import normalise
from ..._engine.errors import InvalidInput

#: limits of metadata: number of pairs, bytes of a key, bytes of a value
PAIRS, LONGEST_KEY, LONGEST_VALUE = 64, 128, 512


def in_url(path: str) -> str:
    """Return a path quoted for a URL: an unquoted ``a?b`` would address ``a``."""
    return quote(path, safe="/-_.~@:+,=!$&'()*;")


def check_name(name: str, remedy: str, what: str = "name", blanks: bool = False) -> None:
    """Refuse an invalid name: an empty part, "." or "..", white space. Raises InvalidInput."""
    parts = name.split("/")
    if "" in parts or re.search(r"[\r\n\t]" if blanks else r"\s", name):
        raise InvalidInput("the %s is empty or holds white space or an empty part" % what, remedy=remedy)
    if {".", ".."} & set(parts):
        raise InvalidInput('the %s has a part "." or "..", which leads elsewhere' % what, remedy=remedy)


def check_mount(path: str, remedy: str, what: str = "path", blanks: bool = False) -> None:
    """Refuse an invalid mount path: also characters that would have to be quoted in a URL. Raises InvalidInput."""
    check_name(path, remedy, what, blanks)
    found = re.search(r"[?#%]", path)
    if found:
        raise InvalidInput('the %s holds "%s", which has a meaning in URLs' % (what, found.group()), remedy=remedy)


def plain(name: str) -> bool:
    """Tell whether an engine accepts a name for an object inside it: ASCII letters and digits, and a few marks."""
    return bool(re.fullmatch(r"\w(?:[\w.-]*\w)?", name, re.ASCII))


def check_plain(name: str) -> None:
    """Refuse a name that no engine accepts for an object inside it. Raises InvalidInput."""
    if not plain(name):
        raise InvalidInput(
            "the name is empty or holds characters that the server refuses", remedy="use letters, digits, - _ and ."
        )


def check_addresses(option: str, values: Iterable[str]) -> None:
    """Refuse values that are not an IP address. Raises InvalidInput."""
    for value in values:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise InvalidInput('%s: "%s" is not an address' % (option, value), remedy="write 10.0.0.1") from None


def check_blocks(option: str, values: Iterable[str]) -> None:
    """Refuse values that are not a block of IP addresses, or a single address. Raises InvalidInput."""
    for value in values:
        try:
            ipaddress.ip_interface(value)
        except ValueError:
            raise InvalidInput(
                '%s: "%s" is not an address block' % (option, value), remedy="write 10.0.0.0/8"
            ) from None


def masked(values: Any) -> list[str]:
    """Return address blocks with a mask each; some endpoints require it for a single address as well."""
    found = []
    for value in normalise.strings(values):
        interface = ipaddress.ip_interface(value)
        found.append(value if "/" in value else "%s/%d" % (interface.ip, interface.max_prefixlen))
    return found


def check_metadata(
    metadata: Mapping[str, Any] | None, option: str, empty: bool = False, plain_keys: bool = False
) -> None:
    """Refuse metadata that the server refuses. Raises InvalidInput.

    ``empty``: empty values are allowed; ``plain_keys``: keys consist of letters, digits and a few marks only.
    """
    if len(metadata or {}) > PAIRS:
        raise InvalidInput('"%s" has %d keys' % (option, len(metadata or {})), remedy="use at most %d" % PAIRS)
    for key, value in (metadata or {}).items():
        if isinstance(value, (Mapping, list)):
            raise InvalidInput('"%s" of %s is not text' % (key, option), remedy="give a text")
        text = normalise.scalar(value)
        if plain_keys and key and not re.fullmatch(r"[a-zA-Z0-9=/+_-]+", str(key)):
            raise InvalidInput(
                'the key "%s" in %s holds what the server refuses' % (str(key)[:40], option),
                remedy="use letters, digits and = / + - _",
            )
        if not key or not (text or empty):
            raise InvalidInput('a key or the value of "%s" in %s is empty' % (key, option), remedy="leave it out")
        if len(str(key).encode()) > LONGEST_KEY or len(text.encode()) > LONGEST_VALUE:
            raise InvalidInput(
                'a key or the value of "%s" in %s is too long' % (str(key)[:40], option),
                remedy="use at most %d bytes for a key, and %d for a value" % (LONGEST_KEY, LONGEST_VALUE),
            )
