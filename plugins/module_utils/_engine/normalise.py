# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Comparison of values that mean the same.

A server gives back ``3600`` for ``1h``, a list for a comma string, a default for a missing key. Each function brings a
value into the one form in which equality means equality. Pure: no I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Callable

from .errors import InvalidInput

Normaliser = Callable[[Any], Any]

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
#: duration that every endpoint takes
_USUAL = re.compile(r"-?(?=\d)(?:\d+|(?:\d+h)?(?:\d+m)?(?:\d+s)?)")
_DIGITS = re.compile(r"\d+")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")


def seconds(value: Any, signed: bool = False) -> int | float | None:
    """Return a duration in seconds: ``3600``, ``"3600"``, ``"1h"``, ``"1h0m0s"``, ``"7d"``; empty is 0, None is None.

    ``signed``: for the few fields in which a negative one such as ``-1`` or ``"-1s"`` has a meaning.
    Raises InvalidInput for anything else. Source: duration strings of the Vault API, and Go's time.ParseDuration.
    """
    if value is None:
        return None
    total: int | float
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        total = value
    else:
        total = _seconds_of(scalar(value).strip())
    if total < 0 and not signed:
        raise InvalidInput('"%s" is negative' % value, remedy='write seconds, or a string like "1h30m"')
    return total


@lru_cache(maxsize=1024)
def _seconds_of(text: str) -> int | float:
    """Return the seconds of a text. Cached, as thousands of objects have the same few durations."""
    if not text:
        return 0
    bare = text[1:] if text.startswith("-") else text
    total: int | float
    if _DIGITS.fullmatch(bare):
        total = int(bare)
    elif _WHOLE.fullmatch(bare):
        total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(bare))
        total = int(total) if total == int(total) else total
    else:
        raise InvalidInput('"%s" is not a duration' % text, remedy='write seconds, or a string like "1h30m"')
    return total if bare == text else -total


def whole_seconds(value: Any) -> int | None:
    """Return a duration in whole seconds. Raises InvalidInput for a fraction, which the server drops silently."""
    total = seconds(value)
    if total is not None and total != int(total):
        raise InvalidInput('"%s" holds a fraction of a second, which the server drops' % value, remedy="round it")
    return None if total is None else int(total)


def span(value: Any) -> Any:
    """Return a duration as servers take it: weeks, or days with hours, become seconds; anything else is unchanged."""
    text = scalar(value).strip()
    return "%ss" % seconds(text, signed=True) if re.search(r"[dw]", text) and _WHOLE.fullmatch(text) else value


def spans(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return values with the named durations as servers take them."""
    chosen = set(names)
    return {name: span(value) if name in chosen else value for name, value in values.items()}


def duration(value: Any) -> Any:
    """Return a duration in seconds. Missing means 0; anything that is not a duration is returned unchanged."""
    try:
        return seconds(value, signed=True) or 0
    except InvalidInput:
        return scalar(value)


def signed_duration(value: Any) -> Any:
    """Return what `duration` returns, for a field in which a negative value such as ``-1`` has a meaning."""
    return duration(value)


def as_seconds(value: Any, signed: bool = False) -> str | None:
    """Return a duration as every endpoint takes it, such as ``5400s``; no endpoint takes weeks, or days with hours.

    Raises InvalidInput for any other text, and for a fraction of a second, which the servers drop or refuse.
    """
    total = seconds(value, signed)
    if total is not None and total != int(total):
        raise InvalidInput('"%s" holds a fraction of a second, which the server drops' % value, remedy="round it")
    return None if total is None else "%ds" % total


def as_sent(value: Any, normaliser: Normaliser | None) -> Any:
    """Return a declared value as every endpoint takes it, by its field's normaliser.

    A duration becomes seconds, unless it is a text of hours, minutes and seconds. The values of a mapping of texts
    become texts: some endpoints store true as ``1``. Raises InvalidInput.
    """
    if normaliser is string_map and isinstance(value, Mapping):
        return string_map(value)
    if value is None or normaliser not in (duration, signed_duration):
        return value
    total = as_seconds(value, signed=normaliser is signed_duration)
    usual = isinstance(value, (int, str)) and _USUAL.fullmatch(str(value))
    return value if usual else total


def strings(value: Any) -> list[str]:
    """Return a list of strings from a list or a comma separated string; order kept, blanks dropped."""
    if value is None:
        return []
    items = value if isinstance(value, (list, tuple, set, frozenset)) else str(value).split(",")
    return [text for text in (scalar(item).strip() for item in items) if text]


def string_set(value: Any) -> list[str]:
    """Return the sorted distinct strings of a list or a comma separated string, for fields without order."""
    return sorted(set(strings(value)))


def boolean(value: Any) -> Any:
    """Return True or False for the usual spellings, anything else unchanged."""
    if isinstance(value, str) and value.strip().lower() in ("true", "yes", "1", "false", "no", "0", ""):
        return value.strip().lower() in ("true", "yes", "1")
    if isinstance(value, int):
        return bool(value)
    return False if value is None else value


def integer(value: Any) -> Any:
    """Return an int for an int or a string of digits, anything else unchanged."""
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d+\s*", value):
        return int(value)
    return value


def scalar(value: Any) -> str:
    """Return the text that a server stores: ``true`` rather than ``True``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def string_map(value: Any) -> dict[str, str]:
    """Return a mapping with every value as text, as Vault keeps metadata."""
    return {str(key): scalar(item) for key, item in (value or {}).items()}


def pem(value: Any) -> str:
    """Return PEM text with one form of line ends and no blank lines."""
    lines = scalar(value).replace("\r", "").split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())


def pem_list(value: Any) -> list[str]:
    """Return a list of PEM texts, from one or many."""
    return [pem(item) for item in (value if isinstance(value, (list, tuple)) else [value] if value else [])]


def file_mode(value: Any) -> str:
    """Return a file's mode as four octal digits, from text such as ``0640`` or the number that YAML makes of it.

    A number is accepted where it can only be a mode: whoever may write may read, and nobody may execute. So ``600``,
    which is no mode, is refused. Raises InvalidInput.
    """
    text = scalar(value).strip()
    if isinstance(value, int) and not isinstance(value, bool):
        digits = "%04o" % value
        if re.fullmatch("0[046][046][046]", digits):
            return digits
    elif re.fullmatch("0?[0-7]{3}", text):
        return text.rjust(4, "0")
    raise InvalidInput("mode %s is not a file's mode" % text, remedy='write it in quotes, such as mode: "0640"')


def path(value: Any) -> str:
    """Return a mount or secret path without slashes at its ends."""
    return scalar(value).strip().strip("/")


def text(value: Any) -> str:
    """Return text with one form of line ends and no trailing white space (HCL keeps everything else)."""
    return "\n".join(line.rstrip() for line in scalar(value).replace("\r", "").strip().split("\n"))


def as_json(value: Any) -> Any:
    """Return the value of a JSON document given as text or as data; text that is not JSON stays text."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return text(value)
    return value


def typed(value: Any) -> str:
    """Return data as JSON text, for servers that distinguish ``42`` from ``"42"`` and ``true`` from ``"true"``."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def document(value: Any) -> str | None:
    """Return a document as text: before ansible-core 2.19 a JSON template arrives as data."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, indent=2) if isinstance(value, (Mapping, list, tuple)) else scalar(value)


def document_form(value: Any) -> Any:
    """Return a document for a comparison: JSON as data, any other as text."""
    return as_json(value) if scalar(value).lstrip()[:1] in ("{", "[") else text(value)


def plain(value: Any) -> Any:
    """Return a value with numbers and booleans as text; lists keep their order."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def guess(value: Any, other: Any) -> tuple[Any, Any]:
    """Bring two values of a field without a normaliser into comparable forms.

    Numbers and booleans given as text equal the numbers; a list equals its comma string; two lists of scalars are
    compared without order; ``None`` equals any empty value (empty text, list or mapping, false, 0).
    """
    for this, that in ((value, other), (other, value)):
        if this is None and that in ("", [], {}, False, 0, None):
            return None, None
        if isinstance(this, bool):
            return boolean(value), boolean(other)
    if isinstance(value, (list, tuple)) or isinstance(other, (list, tuple)):
        nested = [item for side in (value, other) if isinstance(side, (list, tuple)) for item in side]
        if not any(isinstance(item, (Mapping, list)) for item in nested):
            return string_set(value), string_set(other)
        return plain(value), plain(other)
    if isinstance(value, Mapping) or isinstance(other, Mapping):
        return plain(as_json(value)), plain(as_json(other))
    if isinstance(value, (int, float)) != isinstance(other, (int, float)):
        try:
            return seconds(value, signed=True), seconds(other, signed=True)
        except InvalidInput:
            return scalar(value), scalar(other)
    if isinstance(value, str) and isinstance(other, str):
        if _WHOLE.fullmatch(value) and _WHOLE.fullmatch(other):
            return seconds(value), seconds(other)
        return text(value), text(other)
    return value, other


def _alike(value: Any, other: Any) -> bool:
    """Tell whether lists or mappings that are equal hold booleans in the same places: for Python 1 equals True."""
    if isinstance(value, (list, tuple)):
        pairs = zip(value, other)
    elif isinstance(value, Mapping):
        pairs = zip(value.values(), (other[key] for key in value))
    else:
        return True
    for one, another in pairs:
        if isinstance(one, str):
            continue
        if isinstance(one, bool) != isinstance(another, bool) or not _alike(one, another):
            return False
    return True


def same(value: Any, other: Any, normaliser: Normaliser | None = None) -> bool:
    """Tell whether two values mean the same, by the field's own normaliser or by `guess`."""
    alike = value.__class__ is other.__class__ and value == other
    if alike and (isinstance(value, str) or _alike(value, other)):
        return True
    left, right = guess(value, other) if normaliser is None else (normaliser(value), normaliser(other))
    return bool(left == right) and _alike(left, right)


def differing(
    current: Mapping[str, Any], desired: Mapping[str, Any], fields: Mapping[str, Normaliser] | None = None
) -> list[str]:
    """Return the sorted names of the desired fields that differ from the current ones (missing is None)."""
    table = fields or {}
    return sorted(name for name in desired if not same(current.get(name), desired[name], table.get(name)))
