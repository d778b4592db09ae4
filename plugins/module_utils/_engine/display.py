# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Options, states and texts with secrets masked, for output. Pure: no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Callable

from .hidden import HIDDEN, HIDDEN_NEW, HIDDEN_OLD, NO_LOG
from .scrub import leaves
from .secret_patterns import ADDRESSES, masked, shown_path, shown_url

# Ansible's message about a list within a list quotes the whole value
MISPLACED = re.compile(r"Value '.*' in the sub parameter field", re.DOTALL)


def shown_pair(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    secret: Collection[str],
    differing: Collection[str] = (),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return copies of two states with the values of secret fields masked.

    A secret field that differs stays visible as a difference: the two sides get different placeholders. ``"*"`` in
    ``secret`` makes every field secret. Values of other fields that look like secrets are masked too; see `masked`.
    """
    sides = (before or {}), (after or {})
    plain = [{name: masked(value, HIDDEN, name) for name, value in side.items()} for side in sides]

    def one(number: int, changed: str) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name, value in plain[number].items():
            label = changed if name in differing else HIDDEN
            if "*" in secret or name in secret:
                shown[name] = label
            elif value != sides[number][name] and plain[1 - number].get(name) == value:
                # only hidden values differ
                shown[name] = masked(sides[number][name], label, name)
            else:
                shown[name] = value
        return shown

    return one(0, HIDDEN_OLD), one(1, HIDDEN_NEW)


def names_only(value: Any) -> Any:
    """Return a value with the keys of its mappings only, for a log that is written before anything is checked."""
    if isinstance(value, Mapping):
        return sorted(map(str, value))
    return [names_only(item) for item in value] if isinstance(value, (list, tuple)) else value


def echo(
    options: Mapping[str, Any], spec: Mapping[str, Any], free: Callable[[Any], Any] = lambda value: value
) -> tuple[dict[str, Any], set[str]]:
    """Return a module's options with secrets masked, and the texts that were masked because of ``no_log``.

    Masks by the argument spec, not by value as Ansible does. So a secret under a misspelt name is masked, and one whose
    quotes are escaped in the output. Values that the spec does not know are masked. Other options are shown as ``free``
    returns them, with values that look like secrets (see `masked`) and secrets in path options masked.
    """
    return _echo(options, _names(spec), free)


def hidden_texts(options: Mapping[str, Any], spec: Mapping[str, Any]) -> set[str]:
    """Return the texts that `echo` hides because of ``no_log``; quick, as most options hold no secret."""
    return set(_hidden_texts(options, _secret_names(spec)))


def _secret_names(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options by name and alias that are secret (None), or have suboptions that are (the same of these)."""
    known: dict[str, Any] = {}
    for name, option in spec.items():
        inner = None if option.get("no_log") else _secret_names(option.get("options") or {})
        if inner is None or inner:
            known.update(dict.fromkeys([*(option.get("aliases") or []), name], inner))
    return known


def _hidden_texts(options: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    for name in known.keys() & options.keys():
        value, inner = options[name], known[name]
        if inner is None:
            yield from (text for text in leaves(value) if len(text) >= 4)
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, Mapping):
                yield from _hidden_texts(part, inner)


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
            shown[name] = free(_open(name, option, value))
    return shown, secret


def _open(name: str, option: Mapping[str, Any], value: Any) -> Any:
    """Return the value of an option that is not secret, with misplaced secrets masked."""
    shown = None
    if "path" in (option.get("type"), option.get("elements")):
        shown = shown_path
    elif name in ADDRESSES:
        shown = shown_url
    if shown is None:
        return masked(value, HIDDEN, name)
    if isinstance(value, list):
        return [shown(part) if isinstance(part, str) else part for part in value]
    return shown(value) if isinstance(value, str) else value


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def visible(text: str) -> str:
    """Return a text with control characters escaped, so that none reaches a terminal; line ends stay.

    Those that change the direction of text are among them.
    """

    def shown(found: re.Match[str]) -> str:
        code = ord(found[0])
        return "" if code == 13 else "\\x%02x" % code if code < 256 else "\\u%04x" % code

    return _CONTROL.sub(shown, text)


def as_text(fields: Mapping[str, Any]) -> str:
    """Return a state as lines of text, for a diff that people read: sorted, text blocks kept as lines."""
    lines = []
    for name, value in sorted(fields.items()):
        if isinstance(value, str) and "\n" in value:
            lines += ["%s: |" % name] + ["  " + line for line in value.rstrip("\n").split("\n")]
        elif isinstance(value, str):
            lines.append("%s: %s" % (name, value.replace("\r", "\\r")))
        else:
            lines.append("%s: %s" % (name, json.dumps(value, sort_keys=True, default=str)))
    return visible("".join(line + "\n" for line in lines))
