# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Whether the values of a role's variables have the shape that its argument specification describes.

Ansible validates the same before a role runs, and prints a value of the wrong shape, with the secrets in it. So the
specifications hide from Ansible the shape of what has suboptions: a mapping is ``type: raw`` with ``options``, a list
of mappings is ``elements: raw`` with ``options``. Here both are what they stand for, and no message holds a value.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.secret_patterns import not_a_path

#: what an inventory says for all roles and playbooks
SHARED: dict[str, Any] = {
    "vault_connection": {"type": "dict"},
    "kubernetes_connection": {"type": "dict"},
    "vault_eso_durable_directories": {"type": "list", "elements": "str"},
    "vault_eso_own_variables": {"type": "list", "elements": "str"},
}
_TRUTH = frozenset(("y", "yes", "on", "1", "true", "t", "n", "no", "off", "0", "false", "f", "1.0", "0.0"))
_WORDS = {"str": "a text", "path": "a text", "int": "a number", "float": "a number", "bool": "true or false"}


@functools.cache
def _entry_points(role: Path) -> dict[str, Any]:
    text = (role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml_load(text)["argument_specs"]
    return found


def entry_point(role: Path, name: str) -> dict[str, Any]:
    """Return the options of one entry point of a role, by name; raises KeyError where there is no such entry point."""
    found: dict[str, Any] = _entry_points(role)[name].get("options") or {}
    return found


@functools.cache
def options(role: Path) -> dict[str, Any]:
    """Return the options of all entry points of a role, by name; those of several are alike."""
    found: dict[str, Any] = {}
    for entry in _entry_points(role).values():
        for name, option in (entry.get("options") or {}).items():
            # the description with suboptions says the most
            if "options" in option or name not in found:
                found[name] = option
    return found


def mixed(error: BaseException | None) -> bool:
    """Tell whether an expression could not be evaluated because its values have shapes that do not fit together."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        if isinstance(error, TypeError):
            return True
        seen.append(error)
        error = getattr(error, "orig_exc", None) or error.__cause__ or error.__context__
    return False


def parts(raw: Any, variables: Mapping[str, Any]) -> list[str]:
    """Return the variables that the expressions of a value name, in their order."""
    names = re.findall(r"(?<![\w.'\"])[a-z]\w+", " ".join(re.findall(r"\{\{.*?\}\}|\{%.*?%\}", str(raw), re.DOTALL)))
    return [name for name in dict.fromkeys(names) if name in variables]


def mixture(name: str, shapes: Mapping[str, str]) -> str:
    """Return a sentence for a variable that is put together from others, whose shapes are given."""
    found = ", ".join("%s is %s" % pair for pair in shapes.items())
    return "%s is put together from values of different shapes%s" % (name, ": " + found if found else "")


def problems(spec: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each value that does not fit; it holds no value, and no key that is not nearly right."""
    return [said for name, option in spec.items() if name in values for said in _judge(name, option, values[name])]


def _judge(place: str, option: Mapping[str, Any], value: Any) -> Iterator[str]:
    kind = option.get("type", "str")
    suboptions = option.get("options")
    if value is None and not option.get("required") and option.get("default") is None:
        return
    if kind == "list":
        yield from _list(place, option, value)
    elif kind == "dict" or (kind == "raw" and suboptions is not None):
        value = _parsed(value)
        if not isinstance(value, Mapping):
            yield _wrong(place, value, "a mapping of names to values")
        elif suboptions is not None:
            yield from _mapping(place, suboptions, value)
    elif kind != "raw":
        yield from _scalar(place, option, value)


def _list(place: str, option: Mapping[str, Any], value: Any) -> Iterator[str]:
    element = option.get("elements", "raw")
    nested = element == "dict" or "options" in option
    value = _parsed(value)
    if not isinstance(value, (list, tuple)):
        # a list of names may be a text that separates them by commas, as surveys give it
        if isinstance(value, Mapping) or nested or value is None:
            yield _wrong(place, value, "a list of mappings" if nested else "a list")
        return
    for number, entry in enumerate(value):
        inner = {"type": "dict" if nested else element, "required": True}
        for name in ("options", "choices"):
            if name in option:
                inner[name] = option[name]
        yield from _judge("%s[%d]" % (place, number), inner, entry)


def _mapping(place: str, spec: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[str]:
    for name in value:
        if name not in spec:
            near = difflib.get_close_matches(str(name), list(spec), 1, 0.6)
            shown = '"%s"' % name if near else "a name that it does not know"
            hint = 'did you mean "%s"?' % near[0] if near else "it knows %s" % ", ".join(sorted(spec))
            yield "%s has %s; %s" % (place, shown, hint)
    for name, option in spec.items():
        if name in value:
            yield from _judge("%s.%s" % (place, name), option, value[name])
        elif option.get("required"):
            yield "%s.%s is missing" % (place, name)


def _scalar(place: str, option: Mapping[str, Any], value: Any) -> Iterator[str]:
    kind, choices = option.get("type", "str"), option.get("choices")
    if isinstance(value, (Mapping, list, tuple)) or value is None:
        yield _wrong(place, value, _WORDS.get(kind, "a text"))
    elif kind == "path":
        if not_a_path(str(value)) and not os.path.exists(os.path.expanduser(str(value))):
            yield (
                "%s is not a path; its text is not shown, as it may be a secret: "
                "write it into a file of mode 0600, and give the path of that" % place
            )
    elif choices is not None:
        # YAML makes true of "yes" and "on"
        if value not in choices and str(value) not in map(str, choices) and not isinstance(value, bool):
            yield "%s is none of %s" % (place, ", ".join(map(str, choices)))
    elif kind == "bool":
        if not isinstance(value, bool) and str(value).strip().lower() not in _TRUTH:
            yield _wrong(place, value, _WORDS[kind])
    elif kind in ("int", "float"):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = None
        if number is None or (kind == "int" and number != int(number)):
            yield _wrong(place, value, _WORDS[kind])


def _parsed(value: Any) -> Any:
    """Return what a text in JSON stands for: ``-e`` with ``name=value`` gives nothing but texts."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _wrong(place: str, value: Any, wanted: str) -> str:
    if value is None:
        return "%s is empty and must be %s" % (place, wanted)
    return "%s is %s and must be %s" % (place, shape(value), wanted)


def shape(value: Any) -> str:
    """Return what kind of value it is, in the words of the messages."""
    if isinstance(value, (bool, int, float)):
        return "true or false" if isinstance(value, bool) else "a number"
    if value is None:
        return "empty"
    return "a mapping" if isinstance(value, Mapping) else "a list" if isinstance(value, (list, tuple)) else "a text"
