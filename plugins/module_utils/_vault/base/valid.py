# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Checks of single fields, for values that the server would refuse only at the write.

A checker takes the field's name and its declared value, and raises InvalidInput.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from .naming import check_blocks

Check = Callable[[str, Any], None]


def one_of(*words: str) -> Check:
    """Return a checker for one of some words."""

    def check(name: str, value: Any) -> None:
        if normalise.scalar(value) not in words:
            raise InvalidInput(
                '%s: the server does not know "%s"' % (name, value),
                remedy="use %s" % ", ".join(word for word in words if word),
            )

    return check


def each_of(*words: str) -> Check:
    """Return a checker for a list of such words, or a comma string of them."""

    def check(name: str, value: Any) -> None:
        for one in members(value):
            one_of(*words)(name, one)

    return check


def members(value: Any) -> list[Any]:
    """Return the members of a list, including empty ones, or of a comma string."""
    return list(value) if isinstance(value, (list, tuple)) else list(normalise.strings(value))


def between(least: int, most: int | None = None) -> Check:
    """Return a checker for a whole number."""

    def check(name: str, value: Any) -> None:
        number = normalise.integer(value)
        if isinstance(number, bool) or not isinstance(number, int):
            raise InvalidInput('%s: "%s" is not a whole number' % (name, value), remedy="give one")
        if number < least or (most is not None and number > most):
            bounds = "at least %d" % least if most is None else "%d to %d" % (least, most)
            raise InvalidInput("%s is %d" % (name, number), remedy="use %s" % bounds)

    return check


def matching(pattern: str, example: str) -> Check:
    """Return a checker for a text that matches a pattern; an empty text passes."""

    def check(name: str, value: Any) -> None:
        text = normalise.scalar(value)
        if text and not re.fullmatch(pattern, text, re.ASCII):
            raise InvalidInput(
                '%s: "%s" holds what the server refuses' % (name, text), remedy="write it like %s" % example
            )

    return check


def address_blocks(name: str, value: Any) -> None:
    """Refuse what is not a list of address blocks, an empty member included."""
    check_blocks(name, [normalise.scalar(one).strip() for one in members(value)])


def pem(what: str) -> Check:
    """Return a checker for a PEM text of a kind, or a list of such; an empty text passes."""

    def check(name: str, value: Any) -> None:
        for one in value if isinstance(value, (list, tuple)) else [value]:
            text = normalise.scalar(one)
            if (text or isinstance(value, (list, tuple))) and not re.search(r"-----BEGIN [A-Z ]*%s-----" % what, text):
                raise InvalidInput(
                    "%s holds no PEM text of a %s" % (name, what.lower()), remedy="give one that begins with -----BEGIN"
                )

    return check


def not_empty(name: str, value: Any) -> None:
    """Refuse an empty value."""
    if value in ("", [], {}):
        raise InvalidInput("%s is empty" % name, remedy="give one")


def all_of(*checks: Check) -> Check:
    """Return a checker that combines several."""

    def check(name: str, value: Any) -> None:
        for one in checks:
            one(name, value)

    return check


def check_all(values: Mapping[str, Any], checks: Mapping[str, Check], prefix: str = "") -> None:
    """Run the checks of all declared fields. Raises InvalidInput."""
    for name, check in checks.items():
        if values.get(prefix + name) is not None:
            check(name, values[prefix + name])
