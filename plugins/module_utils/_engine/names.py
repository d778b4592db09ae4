# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Naming options: an empty name would address another object, and a secret is not a path."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from .errors import InvalidInput
from .secret_patterns import not_a_path

#: options that identify an object
NAMING = re.compile(r"(?:[a-z_]+_)?mounts?|mount_path|name|path|read_path|role|auth_role|username|purge_namespaces")
#: suboptions where an empty text has a meaning: every path of a store, no path in the certificates
MAY_BE_EMPTY = frozenset(("find.path", "cluster.path"))


def _empty(value: Any) -> bool:
    return isinstance(value, str) and not value.strip().strip("/")


class _Looked(NamedTuple):
    """An option that is looked at; ``naming``: it names something; ``inner``: those of its suboptions."""

    name: str
    naming: bool
    path: bool
    inner: list[_Looked]


def _looked(spec: Mapping[str, Any], holder: str, allowed: Collection[str]) -> list[_Looked]:
    """Return the naming options of a spec; cached, as a thousand entries share one spec."""
    found = []
    for name, option in spec.items():
        naming = NAMING.fullmatch(name) is not None and "%s.%s" % (holder, name) not in allowed
        path = "path" in (option.get("type"), option.get("elements"))
        inner = _looked(option.get("options") or {}, name, allowed)
        if naming or path or inner:
            found.append(_Looked(name, naming, path, inner))
    return found


def empty_names(
    params: Mapping[str, Any], spec: Mapping[str, Any], within: str = "", allowed: Collection[str] = MAY_BE_EMPTY
) -> Iterator[str]:
    """Yield the dotted names of naming options with an empty value; entries of lists are numbered."""
    holder = re.sub(r"\[\d+\]", "", within).rpartition(".")[2]
    return _empty_names(params, _looked(spec, holder, allowed), within + "." if within else "")


def _empty_names(params: Mapping[str, Any], looked: list[_Looked], within: str) -> Iterator[str]:
    for name, naming, _path, inner in looked:
        value = params.get(name)
        if value is None:
            continue
        place = within + name
        if naming and any(map(_empty, value if isinstance(value, (list, tuple)) else (value,))):
            yield place
        if inner and isinstance(value, Mapping):
            yield from _empty_names(value, inner, place + ".")
        elif inner and isinstance(value, (list, tuple)):
            for number, entry in enumerate(value):
                if isinstance(entry, Mapping):
                    yield from _empty_names(entry, inner, "%s[%d]." % (place, number))


def check_names(params: Mapping[str, Any], spec: Mapping[str, Any], allowed: Collection[str] = MAY_BE_EMPTY) -> None:
    """Refuse empty names. Raises InvalidInput."""
    found = list(empty_names(params, spec, allowed=allowed))
    if found:
        raise InvalidInput(
            "%s %s empty, and an empty name stands for nothing"
            % (" and ".join('"%s"' % name for name in found[:3]), "is" if len(found) == 1 else "are"),
            remedy="give a value, or leave it out",
        )


def check_paths(params: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Refuse a secret where a path is expected, without printing it. Raises InvalidInput."""
    _check_paths(params, _looked(spec, "", ()), "")


def _check_paths(params: Mapping[str, Any], looked: list[_Looked], within: str) -> None:
    for name, _naming, path, inner in looked:
        value = params.get(name)
        if value is None:
            continue
        parts = value if isinstance(value, (list, tuple)) else (value,)
        if path:
            for part in parts:
                if isinstance(part, str) and not_a_path(part) and not os.path.exists(part):
                    raise InvalidInput(
                        "this is not a path; its text is not shown, as it may be a secret",
                        'option "%s"' % (within + name),
                        "write it into a file of mode 0600, and give the path of that",
                    )
        elif inner:
            for part in parts:
                if isinstance(part, Mapping):
                    _check_paths(part, inner, within + name + ".")
