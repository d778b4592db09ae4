# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Long lists of options: entries that need no conversion, or a usual one, accepted without Ansible's validator.

Ansible goes through the whole spec some ten times for each entry, whatever the entry gives. Here, entries are checked
by what they give, and everything that depends on the spec alone is found once: a tenth of the time (5 ms instead of 50
for a thousand PKI roles). With one entry that is not plainly right, the whole list is left to Ansible, which converts
it or says what is wrong. Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

#: Python types that Ansible returns unchanged for the types of a spec; a path only without "~" and "$"
_EXACT: dict[Any, type] = {
    None: str,
    "str": str,
    "path": str,
    "bool": bool,
    "int": int,
    "float": float,
    "list": list,
    "dict": dict,
}
_BOOLEANS = {"true": True, "True": True, "yes": True, "false": False, "False": False, "no": False}
#: what an option of an entry may say; Ansible acts on anything else in ways that are not repeated here
_UNDERSTOOD = frozenset(
    ("type", "elements", "options", "choices", "default", "required", "no_log", "aliases", "description")
)


class _NotPlain(Exception):
    """An entry or a spec is for Ansible to judge."""


class _Option(NamedTuple):
    """What an option takes."""

    exact: type | None
    path: bool
    choices: Any
    #: for the elements of a list
    element: _Option | None
    #: for a mapping with options of its own
    inner: _Entry | None
    #: whether None may stand for a missing value
    nullable: bool
    secret: bool
    #: whether a value of the exact type needs no further look
    simple: bool


class _Shape(NamedTuple):
    """What entries with the same names have in common."""

    options: list[tuple[str, _Option]]
    #: what Ansible adds, in its order
    missing: dict[str, Any]
    #: names in `missing` whose value every entry needs a copy of
    copied: list[str]


class _Entry:
    """One entry of a list, by the spec of its options. Raises _NotPlain for a spec that is for Ansible to judge."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.options = {name: _option(option) for name, option in spec.items()}
        self.shapes: dict[tuple[str, ...], _Shape] = {}
        for name, option in spec.items():
            default = option.get("default")
            if default is not None:
                if option.get("required") or option.get("no_log") or option.get("options"):
                    raise _NotPlain
                if _take(self.options[name], default, []) is not default:
                    raise _NotPlain

    def shape(self, names: tuple[str, ...]) -> _Shape:
        """Return what entries with these names have in common. Raises _NotPlain."""
        known = set(names)
        if not known <= self.options.keys():
            raise _NotPlain
        if any(option.get("required") and name not in known for name, option in self.spec.items()):
            raise _NotPlain
        absent = {name: option.get("default") for name, option in self.spec.items() if name not in known}
        # first the defaults, then the rest
        missing = {name: value for name, value in absent.items() if value is not None}
        missing.update(absent)
        copied = [name for name, value in missing.items() if isinstance(value, list)]
        found = _Shape([(name, self.options[name]) for name in names], missing, copied)
        self.shapes[names] = found
        return found

    def accept(self, entry: Any, secrets: list[Any]) -> dict[str, Any]:
        """Return an entry as Ansible's validator would. ``secrets`` gets the values of ``no_log`` options."""
        if entry.__class__ is not dict:
            raise _NotPlain
        names = tuple(entry)
        shape = self.shapes.get(names) or self.shape(names)
        taken = {**entry, **shape.missing}
        for name, option in shape.options:
            value = entry[name]
            if value is None:
                if not option.nullable:
                    raise _NotPlain
                continue
            if value.__class__ is not option.exact or not option.simple:
                taken[name] = _take(option, value, secrets)
            if option.secret and value:
                secrets.append(value)
        for name in shape.copied:
            taken[name] = list(taken[name])
        return taken


def _option(option: Mapping[str, Any]) -> _Option:
    if not option.keys() <= _UNDERSTOOD:
        raise _NotPlain
    kind, elements, inner = option.get("type"), option.get("elements"), option.get("options")
    if kind not in _EXACT and kind != "raw":
        raise _NotPlain
    choices = option.get("choices")
    element = below = None
    if kind == "list" and elements is not None:
        element = _option({"type": elements, **({"options": inner} if inner is not None else {})})
    elif inner is not None:
        if kind != "dict":
            raise _NotPlain
        below = _Entry(inner)
    return _Option(
        exact=_EXACT.get(kind),
        path=kind == "path",
        choices=choices,
        element=element,
        inner=below,
        nullable=not option.get("required") and option.get("default") is None and choices is None,
        secret=bool(option.get("no_log")),
        simple=kind not in ("path", "raw") and choices is None and element is None and below is None,
    )


def _take(option: _Option, value: Any, secrets: list[Any]) -> Any:
    """Return the value of an option as Ansible would. Raises _NotPlain."""
    if option.exact is not None and value.__class__ is not option.exact:
        value = _converted(option.exact, value)
    if option.path and ("~" in value or "$" in value):
        raise _NotPlain
    if option.element is not None:
        element = option.element
        if not element.simple or any(one.__class__ is not element.exact for one in value):
            value = [_take(element, one, secrets) for one in value]
    elif option.inner is not None:
        value = option.inner.accept(value, secrets)
    if option.choices is not None and any(
        one not in option.choices for one in (value if isinstance(value, list) else (value,))
    ):
        raise _NotPlain
    return value


def _converted(exact: type, value: Any) -> Any:
    """Return a value as Ansible converts it, in the cases that users have most. Raises _NotPlain for the others."""
    found = type(value)
    if exact is str and found in (int, bool, float):
        return str(value)
    if exact is int and found is str and len(value) < 19 and value.isascii() and value.isdecimal():
        return int(value)
    if exact is bool and found is str and value in _BOOLEANS:
        return _BOOLEANS[value]
    raise _NotPlain


def accept(entries: Sequence[Any], option: Mapping[str, Any]) -> tuple[list[dict[str, Any]], set[str]] | None:
    """Return the entries of a list as Ansible's validator returns them, and the texts of their ``no_log`` options.

    ``option`` is the spec of the list. None when Ansible has to look at it: an entry is wrong, or is to be converted.
    """
    understood = option.keys() <= _UNDERSTOOD and not option.get("no_log") and option.get("choices") is None
    if not understood or not option.get("options") or (option.get("type"), option.get("elements")) != ("list", "dict"):
        return None
    secrets: list[Any] = []
    try:
        entry = _Entry(option["options"])
        return [entry.accept(one, secrets) for one in entries], set(_texts(secrets))
    except _NotPlain:
        return None


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of a secret by which Ansible finds it in a result."""
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
