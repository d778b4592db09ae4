# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Comparison of a secret's values, and limits of numbers. Pure: no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

#: floating point represents all whole numbers up to this one
EXACT = 2**53


def canonical(value: Any) -> str:
    """Return canonical JSON; ``1.0`` equals ``1``, as on the server; ``"1"`` does not."""

    def plain(item: Any) -> Any:
        if isinstance(item, float) and item.is_integer():
            return int(item)
        if isinstance(item, Mapping):
            return {str(key): plain(part) for key, part in item.items()}
        return [plain(part) for part in item] if isinstance(item, (list, tuple)) else item

    return json.dumps(plain(value), sort_keys=True, ensure_ascii=False)


def numbers(value: Any) -> Iterable[int | float]:
    """Yield all numbers of a value, at any depth."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def rounded(number: int | float) -> bool:
    """Tell whether KV version 2, which stores numbers as floating point, may change a whole number."""
    return isinstance(number, int) and abs(number) > EXACT


def equal(one: Any, other: Any) -> bool:
    """Tell whether two values are the same for the server; most are text, which needs no canonical form."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return canonical(one) == canonical(other)


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the sorted names of the keys that are added, removed or changed."""
    return sorted(
        key
        for key in {*before, *after}
        if (key in before) != (key in after) or not equal(before.get(key), after.get(key))
    )
