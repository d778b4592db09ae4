# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A field of a declared object, said once. Pure: no I/O.

From a kind's fields come the argument spec of its module, what is compared and how, what is never printed, and the
documentation of the module's options (`make generate`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import normalise
from .normalise import Normaliser

#: default normaliser of each type
BY_TYPE: dict[str, Normaliser] = {
    "str": normalise.scalar,
    "bool": normalise.boolean,
    "int": normalise.integer,
    "list": normalise.string_set,
    "dict": normalise.plain,
    "raw": normalise.plain,
    "path": normalise.scalar,
}


@dataclass(frozen=True)
class Field:
    """One field of an object, and the option that declares it.

    ``type``, ``elements``, ``choices``, ``default``, ``required``, ``aliases`` are those of an argument spec;
    ``description`` is a sentence, or a sequence of them, in the markup of module documentation.
    """

    name: str
    description: str | Sequence[str]
    type: str = "str"
    elements: str = ""
    choices: Sequence[Any] = ()
    default: Any = None
    required: bool = False
    aliases: Sequence[str] = ()
    #: suboptions of a mapping, or of the mappings in a list
    fields: Sequence[Field] = ()
    #: normaliser for comparisons; None: that of the type
    normaliser: Normaliser | None = None
    #: whether it is a field of the API; other options locate the object or control the write
    sent: bool = True
    #: never printed
    secret: bool = False
    #: write-only: never returned by the server, written by the rule of ``update_secrets``
    write_only: bool = False
    #: fixed after creation
    fixed: bool = False

    @property
    def is_duration(self) -> bool:
        """Whether it is a duration such as ``1h``."""
        return self.normaliser in (normalise.seconds, normalise.duration, normalise.signed_duration)

    def spec(self) -> dict[str, Any]:
        """Return the field's argument spec."""
        found: dict[str, Any] = {"type": self.type}
        if self.elements:
            found["elements"] = self.elements
        if self.choices:
            found["choices"] = list(self.choices)
        if self.default is not None:
            found["default"] = self.default
        if self.required:
            found["required"] = True
        if self.aliases:
            found["aliases"] = list(self.aliases)
        if self.fields:
            found["options"] = argument_spec(self.fields)
        # without it Ansible guesses by names such as "key_bits"
        found["no_log"] = self.secret
        return found


def argument_spec(fields: Iterable[Field]) -> dict[str, Any]:
    """Return the argument spec of one object."""
    return {field.name: field.spec() for field in fields}


def normalisers(fields: Iterable[Field]) -> dict[str, Normaliser]:
    """Return the normaliser of each field of the API, by its name."""
    return {field.name: field.normaliser or BY_TYPE[field.type] for field in fields if field.sent}


def secret_names(fields: Iterable[Field]) -> frozenset[str]:
    """Return the names of the fields that are never printed."""
    return frozenset(field.name for field in fields if field.secret)


def write_only_names(fields: Iterable[Field]) -> frozenset[str]:
    """Return the names of the fields that the server never returns."""
    return frozenset(field.name for field in fields if field.write_only)


def fixed_names(fields: Iterable[Field]) -> frozenset[str]:
    """Return the names of the fields that are fixed after creation."""
    return frozenset(field.name for field in fields if field.fixed)


def sent_names(fields: Iterable[Field]) -> tuple[str, ...]:
    """Return the names of the fields of the API, in the order of the declaration."""
    return tuple(field.name for field in fields if field.sent)


def duration_names(fields: Iterable[Field]) -> frozenset[str]:
    """Return the names of the fields that are durations."""
    return frozenset(field.name for field in fields if field.is_duration)


def described(fields: Iterable[Field], descriptions: Mapping[str, str | Sequence[str]]) -> tuple[Field, ...]:
    """Return the fields with other descriptions, by field name; a suboption is ``name.name``."""
    found = []
    for field in fields:
        inner = {
            name.partition(".")[2]: text for name, text in descriptions.items() if name.startswith(field.name + ".")
        }
        text = descriptions.get(field.name, field.description)
        found.append(replace(field, description=text, fields=described(field.fields, inner)))
    return tuple(found)


def documentation(fields: Iterable[Field]) -> dict[str, dict[str, Any]]:
    """Return the options of a module's documentation, by their names."""
    found: dict[str, dict[str, Any]] = {}
    for field in fields:
        sentences = [field.description] if isinstance(field.description, str) else list(field.description)
        entry: dict[str, Any] = {"description": sentences[0] if len(sentences) == 1 else sentences, "type": field.type}
        if field.elements:
            entry["elements"] = field.elements
        if field.choices:
            entry["choices"] = list(field.choices)
        if field.default is not None:
            entry["default"] = field.default
        if field.required:
            entry["required"] = True
        if field.aliases:
            entry["aliases"] = list(field.aliases)
        if field.fields:
            entry["suboptions"] = documentation(field.fields)
        found[field.name] = entry
    return found
