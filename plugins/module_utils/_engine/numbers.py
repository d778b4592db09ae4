# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Options that are numbers: times, sizes, counts and versions are not negative."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .errors import InvalidInput

#: options in which a number below zero has a meaning, and that meaning
SIGNED = {
    "max_idle_connections": "no connection of a database stays idle",
    "max_open_connections": "connections of a database have no limit",
    "max_path_length": "a CA may be followed by any number of others",
    "max_retries": "what the AWS library does by itself",
    "page_size": "all certificates are listed at once",
}
#: holders of options of the same name in which it has none
UNSIGNED_HOLDERS = frozenset(("retry_settings",))


class _Looked(NamedTuple):
    """An option that is looked at: a number, or one with suboptions."""

    name: str
    inner: list[_Looked]


def _looked(spec: Mapping[str, Any], holder: str) -> list[_Looked]:
    """Return the options of a spec that are to be looked at: found once, as a thousand entries have one spec."""
    found = []
    for name, option in spec.items():
        number = {option.get("type"), option.get("elements")} & {"int", "float"}
        inner = _looked(option.get("options") or {}, name)
        if inner or (number and (name not in SIGNED or holder in UNSIGNED_HOLDERS)):
            found.append(_Looked(name, inner))
    return found


def negative(params: Mapping[str, Any], spec: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, float]]:
    """Yield the dotted name and the value of numbers that are negative and must not be; entries of lists are numbered.

    ``params`` are options as Ansible made them of the given ones, by ``spec``.
    """
    yield from _negative(params, _looked(spec, ""), within + "." if within else "")


def _negative(params: Mapping[str, Any], looked: list[_Looked], within: str) -> Iterator[tuple[str, float]]:
    for name, inner in looked:
        value = params.get(name)
        if value is None:
            continue
        many = isinstance(value, (list, tuple))
        for number, part in enumerate(value if many else (value,)):
            place = "%s%s[%d]" % (within, name, number) if many else within + name
            if isinstance(part, Mapping):
                yield from _negative(part, inner, place + ".")
            elif isinstance(part, (int, float)) and part < 0:
                yield place, part


def check_numbers(params: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Refuse negative numbers. Raises InvalidInput."""
    for place, number in negative(params, spec):
        raise InvalidInput("%g is negative" % number, 'option "%s"' % place, "give 0 or more")
