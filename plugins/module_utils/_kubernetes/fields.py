# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Fields of objects as plain data: paths, spelling, comparison."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .._engine import normalise
from .._engine.errors import InvalidInput
from .kind import Object
from .schema import Schema, child, filled_in

#: options whose name differs from the manifest's field by more than the spelling
OPTION_NAMES: Mapping[str, Sequence[str]] = {
    "secretStoreRef": ("store",),
    "secretStoreRefs": ("store_refs",),
    "externalSecretSpec": ("external_secret",),
    "namespace": ("vault_namespace",),
    "checkAndSet": ("check_and_set",),
}
Path = tuple[str, ...]


def without_none(value: Any) -> Any:
    """Return data without None, the value of options that were not given. Empty values are declared and stay."""
    if isinstance(value, Mapping):
        return {str(key): without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [without_none(item) for item in value]
    return value


def compact(value: Any) -> Any:
    """Return data without None and without empty mappings and lists, for output and comparison."""
    if isinstance(value, Mapping):
        inner = {str(key): compact(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item is not None and item != {} and item != []}
    if isinstance(value, (list, tuple)):
        return [compact(item) for item in value]
    return value


def words(where: str, value: Any) -> Any:
    """Return a mapping of free texts with numbers and booleans as text. Raises InvalidInput.

    A number with a fraction is refused: YAML reads ``1.10`` as 1.1.
    """
    if not isinstance(value, Mapping):
        return value
    found = {}
    for key, item in value.items():
        if isinstance(item, (float, Mapping, list, tuple)):
            raise InvalidInput(
                '%s: the value of "%s" is %s, not text'
                % (
                    where,
                    key,
                    "a number" if isinstance(item, float) else "a mapping" if isinstance(item, Mapping) else "a list",
                ),
                remedy="write it in quotation marks",
            )
        found[str(key)] = None if item is None else normalise.scalar(item)
    return found


def leaves(value: Any, path: Path = (), whole: Collection[str] = ()) -> dict[Path, Any]:
    """Return the fields of nested mappings by path; a list is one field, as in server-side apply.

    ``whole``: dotted paths of mappings that are one field too.
    """
    if isinstance(value, Mapping) and value and dotted(path) not in whole:
        found: dict[Path, Any] = {}
        for key, item in value.items():
            found.update(leaves(item, (*path, str(key)), whole))
        return found
    return {path: value}


def look_up(value: Any, path: Path) -> Any:
    """Return the value at a path of nested mappings, None when there is none."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def nested(paths: Sequence[Path]) -> Object:
    """Return nested mappings with None at each path: a merge patch that removes the fields."""
    patch: Object = {}
    for path in paths:
        inner = patch
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = None
    return patch


def joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> Object:
    """Return two nested mappings merged; the second one's values win."""
    found = dict(first)
    for key, value in second.items():
        held = found.get(key)
        found[key] = joined(held, value) if isinstance(held, Mapping) and isinstance(value, Mapping) else value
    return found


def dotted(path: Sequence[str | int]) -> str:
    """Return a path as people write it: ``spec.data[0].key``, ``metadata.labels[app.kubernetes.io/name]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += "[%d]" % part
        else:
            text += part if not text else ("[%s]" % part if "." in part or "/" in part else "." + part)
    return text


def owned(fields: Mapping[str, Any], path: Path = ()) -> list[Path]:
    """Return the paths in a ``fieldsV1`` tree; keyed lists and sets count as one field each.

    Source: Kubernetes documentation, Server-Side Apply, field management.
    """
    inner = {key: item for key, item in fields.items() if key != "."}
    if not inner or any(not key.startswith("f:") for key in inner):
        return [path] if path else []
    return [found for key, item in inner.items() for found in owned(item or {}, (*path, key[2:]))]


def matches(
    current: Any,
    desired: Any,
    schema: Schema | None = None,
    normaliser: normalise.Normaliser | None = None,
    inside_list: bool = False,
) -> bool:
    """Tell whether a current value matches the desired one.

    In lists a mapping may hold more than the desired fields only where ``schema`` has a default for them; any other
    field there was declared by somebody and is drift.
    """
    if isinstance(desired, Mapping):
        if not isinstance(current, Mapping):
            return False
        extra = {key: item for key, item in current.items() if key not in desired} if inside_list else {}
        return all(
            matches(current.get(key), item, child(schema, key), None, inside_list) for key, item in desired.items()
        ) and filled_in(schema, desired, extra)
    if isinstance(desired, (list, tuple)):
        items = (schema or {}).get("items")
        return (
            isinstance(current, (list, tuple))
            and len(current) == len(desired)
            and all(matches(one, other, items, None, True) for one, other in zip(current, desired))
        )
    if normaliser is not None:
        return normaliser(current) == normaliser(desired)
    return type(current) is type(desired) and current == desired


def spelled(path: Sequence[str | int], item: Mapping[str, Any]) -> str:
    """Return a path in a manifest as the user wrote it in an entry: ``conditions[0].namespace_selector``.

    Fields of the manifest that no option stands for, such as ``spec.provider.vault``, are left out.
    """
    text, cursor = "", item
    for number, part in enumerate(path):
        if isinstance(part, int):
            text += "[%d]" % part
            cursor = cursor[part] if isinstance(cursor, (list, tuple)) and part < len(cursor) else {}
            continue
        names = [part, *OPTION_NAMES.get(part, ())]
        found = (
            next((key for key in cursor if key in names or camel(str(key)) in names), None)
            if isinstance(cursor, Mapping)
            else None
        )
        if found is not None and cursor[found] is not None:
            cursor = cursor[found]
        elif number < len(path) - 1 and not text:
            continue
        else:
            found = part if item.get("spec") else snake(part)
            cursor = {}
        text += ("." if text else "") + str(found)
    return text


def camel(name: str) -> str:
    """Return ``certSecretRef`` for ``cert_secret_ref``."""
    if name == "service_account":
        return "serviceAccountRef"
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def snake(name: str) -> str:
    """Return ``cert_secret_ref`` for ``certSecretRef``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match.group(1).lower(), name)
