# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Mask known secrets in texts, in any encoding. Pure: no I/O."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .hidden import HIDDEN


def leaves(value: Any) -> set[str]:
    """Return the text of every scalar in nested data."""
    if isinstance(value, Mapping):
        return {text for item in value.values() for text in leaves(item)}
    if isinstance(value, (list, tuple)):
        return {text for item in value for text in leaves(item)}
    return set() if value is None else {str(value)}


def occurring(values: Iterable[str], texts: Iterable[str]) -> set[str]:
    """Return the values that occur in at least one of the texts.

    The time grows with the sum of their sizes, not with the product.
    """
    # by their first characters, as many as all values of a group have, then by their length
    groups: dict[int, dict[str, dict[int, set[str]]]] = {}
    for value in values:
        size = 8 if len(value) >= 8 else min(len(value), 4)
        if size:
            by_length = groups.setdefault(size, {}).setdefault(value[:size], {})
            by_length.setdefault(len(value), set()).add(value)
    text = "\n".join(sorted(set(texts)))
    found: set[str] = set()
    for size, starts in groups.items():
        # most values occur nowhere: one pass over the text finds the beginnings that do
        for start in starts.keys() & {text[i : i + size] for i in range(len(text) - size + 1)}:
            position = text.find(start)
            while position >= 0:
                for length, candidates in starts[start].items():
                    candidate = text[position : position + length]
                    if candidate in candidates:
                        found.add(candidate)
                position = text.find(start, position + 1)
    return found


#: forms of a character other than letters and digits: itself, an escape of JSON, Go, a URL or HTML, or dropped
_ESCAPED = r"(?:[^A-Za-z0-9]|\\+u[0-9a-fA-F]{4}|\\+x[0-9a-fA-F]{2}|\\+[abfnrtv0]|%[0-9a-fA-F]{2}|&#?\w{2,6};)"
# numbers and booleans as Ansible or a server writes them; a longer number may be a PIN or a password
_WEAK = re.compile(r"true|false|yes|no|on|off|none|null|-?\d{1,4}(?:\.\d{1,2})?|.{0,3}", re.DOTALL | re.IGNORECASE)
#: common words of messages; too weak as a password to be masked
COMMON = frozenset(
    """
    absent access address admin after again allowed already another answer auth before body cannot certificate
    change changed check client cluster config configuration connection correct create credentials data
    database declare declared default delete directory does each else empty endpoint engine error exist exists
    expired file files filled find first from give given have here hidden holds host https into keep key keys
    kind kubernetes leave like list local lock login look method missing mode module more mount must name
    names namespace needs node nothing number object only operator option options other owner pass password
    path policies policy port private public read remove request requests role roles root same secret secrets
    server servers service shares sign state store string such system take test text than that their them then
    there this time token type unknown unseal update user username userpass uses value values vault version
    wait what where which with without would write written wrong your
    """.split()  # noqa: SIM905 - one a line would be a page
)
#: characters at the end of a truncated text that count as the beginning of a secret
_CUT = 8


def weak(value: str) -> bool:
    """Tell whether a secret is so short or common that texts hold it by chance: ``admin``, ``true``, ``module``."""
    return value.lower() in COMMON or bool(_WEAK.fullmatch(value))


def _encoded(value: str) -> Iterator[str]:
    """Yield a secret in base64 at every offset, and in hexadecimal digits."""
    raw = value.encode("utf-8", "surrogatepass")
    yield raw.hex()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode()
        # the outermost characters depend on the neighbouring bytes
        inner = encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]
        if len(inner) >= 8:
            yield from dict.fromkeys((inner, inner.replace("+", "-").replace("/", "_")))


def _pattern(value: str) -> tuple[str, re.Pattern[str]] | None:
    """Return the longest run of letters and digits of a secret, and a pattern for the whole in any escaping."""
    # runs of letters and digits, and characters between them that may be escaped
    parts = re.split(r"([A-Za-z0-9]+)", value)[1:-1]
    core = max(parts[::2], key=len, default="")
    if len(core) < 4:
        return None
    pattern = "".join(
        part if number % 2 == 0 else "%s{0,%d}?" % (_ESCAPED, 8 * len(part)) for number, part in enumerate(parts)
    )
    return core, re.compile(pattern)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Mask secrets that are not `weak` in a text of our own, the longest first."""
    for value in sorted({item for item in secrets if isinstance(item, str)}, key=len, reverse=True):
        if not weak(value):
            text = text.replace(value, HIDDEN)
    return text


def scrub_foreign(text: str, secrets: Iterable[str]) -> str:
    """Mask secrets, in any encoding, in a text that somebody else made.

    Call it before the text is reshaped. Finds secrets that are escaped or quoted for JSON, Go, a URL or HTML, have
    other white space, are in base64 or hexadecimal digits, or are cut off at the end. Short or common ones (`weak`) are
    masked as whole words only, and those of fewer than three characters only between quotes or after ``=``.
    """
    for value in sorted({item for item in secrets if isinstance(item, str) and item}, key=len, reverse=True):
        if weak(value):
            if len(value) > 2:
                text = re.sub(r"(?<![\w.-])%s(?![\w-])" % re.escape(value), HIDDEN, text)
            elif len(value) > 1:
                text = re.sub(r"(?<=[\"'`=])%s(?=[\"'`&;,\s]|$)" % re.escape(value), HIDDEN, text)
            continue
        text = text.replace(value, HIDDEN)
        found = _pattern(value)
        if found and found[0] in text:
            text = found[1].sub(HIDDEN, text)
        if len(value) >= 8:
            for form in _encoded(value):
                text = text.replace(form, HIDDEN)
            bare = text.rstrip(". \u2026\"'`")
            for size in range(min(len(value) - 1, len(bare)), _CUT - 1, -1):
                if bare.endswith(value[:size]):
                    text = bare[:-size] + HIDDEN
                    break
    return text


#: messages of template functions that do not quote the value
_HARMLESS = re.compile(
    r"illegal base64 data at input byte \d+|unexpected end of JSON input|(?:un)?expected EOF|invalid syntax"
    r"|wrong number of args[^;]*|wrong type for value; expected \w+; got \w+|value is nil"
)
_CALLING = re.compile(r"(error calling [\w.]+: )(.*)", re.DOTALL)
_ITERATE = re.compile(r"(can't iterate over )(.*)", re.DOTALL)
_INVALID = re.compile(r"(Invalid value: )(\"(?:[^\"\\]|\\.)*\"?|[^\s:,]+)")


def scrub_event(text: str) -> str:
    """Mask possible values in the message of an event or of a condition.

    The error of a template function quotes its argument (``mustToDate``, ``mustRegexMatch``, ``atoi``), and so do
    errors of the API server about fields that a template filled in. The name of the function and words without a value
    are kept. Source: Go, text/template, exec.go; External Secrets Operator, runtime/template.
    """

    def shown(found: re.Match[str]) -> str:
        return found[1] + (found[2] if _HARMLESS.fullmatch(found[2].strip()) else "(hidden, as it may hold a value)")

    if "template" in text or "error calling" in text:
        text = _ITERATE.sub(shown, _CALLING.sub(shown, text))
    return _INVALID.sub(lambda found: found[1] + HIDDEN, text)
