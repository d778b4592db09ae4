# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be printed. Pure: no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Callable

HIDDEN = "(hidden)"
HIDDEN_OLD = "(hidden, other value)"
HIDDEN_NEW = "(hidden, new value)"
#: Ansible's own words for it, by which people know that it works
NO_LOG = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
# Ansible's message about a list within a list, which holds all that was given
MISPLACED = re.compile(r"Value '.*' in the sub parameter field", re.DOTALL)


def pair(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    secret: Collection[str],
    differing: Collection[str] = (),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return copies of two states with the values of secret fields replaced.

    A secret field that differs stays visible as a difference: both sides get other placeholders. ``"*"`` in ``secret``
    makes every field secret.
    """

    def one(side: Mapping[str, Any] | None, changed: str) -> dict[str, Any]:
        return {
            name: (changed if name in differing else HIDDEN) if ("*" in secret or name in secret) else value
            for name, value in (side or {}).items()
        }

    return one(before, HIDDEN_OLD), one(after, HIDDEN_NEW)


def leaves(value: Any) -> set[str]:
    """Return the text of every scalar in nested data."""
    if isinstance(value, Mapping):
        return {text for item in value.values() for text in leaves(item)}
    if isinstance(value, (list, tuple)):
        return {text for item in value for text in leaves(item)}
    return set() if value is None else {str(value)}


def occurring(values: Iterable[str], texts: Iterable[str]) -> set[str]:
    """Return those values that are part of at least one of the texts.

    The time grows with the sum of both, where looking for each value in each text would grow with the product.
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
        # most values occur nowhere: which of their beginnings do is told by one look at the text
        for start in starts.keys() & {text[i : i + size] for i in range(len(text) - size + 1)}:
            position = text.find(start)
            while position >= 0:
                for length, candidates in starts[start].items():
                    candidate = text[position : position + length]
                    if candidate in candidates:
                        found.add(candidate)
                position = text.find(start, position + 1)
    return found


def names_only(value: Any) -> Any:
    """Return a value with the keys of its mappings alone, for a log that is written before anything was checked."""
    if isinstance(value, Mapping):
        return sorted(map(str, value))
    return [names_only(item) for item in value] if isinstance(value, (list, tuple)) else value


def echo(
    options: Mapping[str, Any], spec: Mapping[str, Any], free: Callable[[Any], Any] = lambda value: value
) -> tuple[dict[str, Any], set[str]]:
    """Return a module's options as they may be shown, and the texts that were hidden because of ``no_log``.

    Goes by the argument spec and not by value, as Ansible does: so a secret under a misspelt name is hidden, and one
    that looks different in the output because its quotes are escaped. What stands where the spec has no place for it
    is hidden whatever it is. Options that are not secret are shown as ``free`` returns them.
    """
    return _echo(options, _names(spec), free)


def _names(spec: Mapping[str, Any]) -> dict[str, tuple[Mapping[str, Any], Any]]:
    """Return the options of a spec by their names and aliases, each with the same of its suboptions."""
    known: dict[str, tuple[Mapping[str, Any], Any]] = {}
    for name, option in spec.items():
        inner = _names(option["options"]) if option.get("options") else None
        known.update(dict.fromkeys([*(option.get("aliases") or []), name], (option, inner)))
    return known


def _echo(
    options: Mapping[str, Any], known: Mapping[str, tuple[Mapping[str, Any], Any]], free: Callable[[Any], Any]
) -> tuple[dict[str, Any], set[str]]:
    shown: dict[str, Any] = {}
    secret: set[str] = set()
    for name, value in options.items():
        if value is None:
            shown[name] = None
            continue
        if name not in known:
            shown[name] = HIDDEN
            continue
        option, inner = known[name]
        if option.get("no_log"):
            shown[name] = NO_LOG
            secret |= {text for text in leaves(value) if len(text) >= 4}
        elif inner and option.get("type") == "list":
            parts = [one if isinstance(one, Mapping) else None for one in value] if isinstance(value, list) else [None]
            pairs = [(HIDDEN, set()) if one is None else _echo(one, inner, free) for one in parts]
            shown[name] = [one for one, _secret in pairs] if isinstance(value, list) else HIDDEN
            secret.update(*(hidden for _one, hidden in pairs))
        elif inner:
            shown[name], hidden = _echo(value, inner, free) if isinstance(value, Mapping) else (HIDDEN, set())
            secret |= hidden
        else:
            shown[name] = free(value)
    return shown, secret


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return text with every given secret of four characters or more replaced, the longest first."""
    for value in sorted({item for item in secrets if isinstance(item, str) and len(item) >= 4}, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def as_text(fields: Mapping[str, Any]) -> str:
    """Return a state as lines of text, for a diff that people read: sorted, text blocks kept as lines."""
    lines = []
    for name, value in sorted(fields.items()):
        if isinstance(value, str) and "\n" in value:
            lines += ["%s: |" % name] + ["  " + line for line in value.rstrip("\n").split("\n")]
        elif isinstance(value, str):
            lines.append("%s: %s" % (name, value))
        else:
            lines.append("%s: %s" % (name, json.dumps(value, sort_keys=True, default=str)))
    return "".join(line + "\n" for line in lines)
