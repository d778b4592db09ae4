# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of long lists that Ansible's validator does not see are what it would have made of them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.display import echo, hidden_texts
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.entries import accept
from support.specs import argument_specs

#: every list of objects of every module, by module and option
LISTS = {
    (module, name): option
    for module, spec in argument_specs().items()
    for name, option in spec.items()
    if option.get("type") == "list" and option.get("options")
}
#: lists that are left to Ansible, as options of their entries have suboptions and a default
LEFT_TO_ANSIBLE = {("vault_rotation", "applications")}
#: what users write, right and wrong
VALUES: dict[Any, list[Any]] = {
    "str": ["text", "", "1h", 3600, 0, -1, True, 1.5, None, ["a"], {"a": "b"}, "~/x", "a,b"],
    "path": ["/etc/x", "x", "~/x", "$HOME/x", None, 1],
    "bool": [True, False, "true", "yes", "no", "False", "on", "maybe", 0, 1, 2, None, "TRUE", 1.0],
    "int": [0, 5, -1, "7", "07", "1.0", " 5", "x", True, 2.0, 2.5, None, "9" * 30, "\u0663"],
    "float": [0.5, 1, "1.5", "x", None],
    "list": [[], ["a"], ["a", 1, True], "a,b", "", None, [None], [["a"]], 5, {"a": 1}, [{"a": 1}]],
    "dict": [{}, {"a": "b", "c": [1, None, 2.5, {"d": True}]}, '{"a": 1}', "a=b", None, "x", [], 5],
    "raw": ["a", 1, None, [], {"a": "b"}],
}


def value_of(option: Mapping[str, Any], chance: random.Random, right: float) -> Any:
    """Return a value for an option; with a probability of ``right`` one that needs no look at all."""
    kind = option.get("type") or "str"
    plain = chance.random() < right
    if option.get("choices") and (plain or chance.random() < 0.5):
        return chance.choice(list(option["choices"]))
    inner = option.get("options")
    if inner and kind == "dict" and (plain or chance.random() < 0.8):
        return entry_of(inner, chance, right)
    if inner and kind == "list" and (plain or chance.random() < 0.8):
        return [entry_of(inner, chance, right) for _entry in range(chance.randrange(3))]
    if plain and kind == "list":
        return [chance.choice(VALUES[option.get("elements") or "str"][:1]) for _element in range(chance.randrange(3))]
    known = VALUES.get(kind, VALUES["raw"])
    return copy.deepcopy(known[0] if plain else chance.choice(known))


def entry_of(spec: Mapping[str, Any], chance: random.Random, right: float) -> Any:
    """Return an entry of a list."""
    if chance.random() > right + 0.95:
        return chance.choice(["text", None, 5, []])
    names = [name for name, option in spec.items() if chance.random() < (0.95 if option.get("required") else 0.3)]
    chance.shuffle(names)
    entry = {name: value_of(spec[name], chance, right) for name in names}
    aliases = [alias for option in spec.values() for alias in option.get("aliases") or ()]
    if aliases and chance.random() > right:
        entry[chance.choice(aliases)] = "text"
    if chance.random() > right + 0.05:
        entry["no_such_option"] = "text"
    return entry


@pytest.mark.parametrize(("module", "name"), sorted(LISTS))
def test_accepted_entries_are_what_ansible_makes_of_them(module: str, name: str) -> None:
    option = LISTS[module, name]
    chance = random.Random(f"{module} {name}")  # noqa: S311
    taken = 0
    for number in range(150):
        entries = [entry_of(option["options"], chance, (1.0, 0.98, 0.9)[number % 3]) for _entry in range(2)]
        # as a module gets it
        entries = json.loads(json.dumps(entries))
        found = accept(copy.deepcopy(entries), option)
        if found is None:
            continue
        taken += 1
        result = ArgumentSpecValidator({name: option}).validate({name: copy.deepcopy(entries)})
        assert result.error_messages == []
        # to the letter: types, and the order of the names
        assert json.dumps(found[0]) == json.dumps(result.validated_parameters[name])
        assert found[1] == {str(text) for text in result._no_log_values}
        params = {name: found[0]}
        assert hidden_texts(params, {name: option}) == echo(params, {name: option})[1]
    if (module, name) in LEFT_TO_ANSIBLE:
        assert not taken, "remove it from LEFT_TO_ANSIBLE"
    else:
        assert taken > 20, "hardly any entry is accepted"


OPTION: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "ttl": {"type": "str"},
        "size": {"type": "int", "default": 2},
        "state": {"type": "str", "choices": ["present", "absent"]},
        "password": {"type": "str", "no_log": True},
        "tags": {"type": "list", "elements": "str", "default": []},
    },
}


def test_entries_are_converted_and_completed() -> None:
    found = accept([{"ttl": 3600, "name": "a", "password": 1234}, {"name": "b", "size": "5"}], OPTION)
    assert found is not None
    first, second = found[0]
    assert first == {"ttl": "3600", "name": "a", "password": "1234", "size": 2, "tags": [], "state": None}
    assert second["size"] == 5 and second["tags"] is not first["tags"]
    assert found[1] == {"1234"}


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"name": None},
        {"name": "a", "nmae": "b"},
        {"name": "a", "size": "many"},
        {"name": "a", "size": None},
        {"name": "a", "state": "gone"},
        {"name": "a", "state": None},
        {"name": "a", "tags": "a,b"},
        {"name": ["a"]},
        "a",
        None,
    ],
)
def test_ansible_looks_at_what_is_wrong_or_rare(entry: Any) -> None:
    assert accept([{"name": "right"}, entry], OPTION) is None


@pytest.mark.parametrize(
    "more",
    [
        {"fallback": (str, ["X"])},
        {"removed_in_version": "9.0.0"},
        {"deprecated_aliases": [{"name": "old"}]},
        {"type": "bytes"},
        {"type": "json"},
        {"apply_defaults": True},
        {"required": True, "default": "x"},
        {"no_log": True, "default": "x"},
        {"default": 5},
    ],
)
def test_ansible_looks_at_what_a_spec_says_beyond_that(more: Mapping[str, Any]) -> None:
    assert accept([{"name": "a"}], {**OPTION, "options": {**OPTION["options"], "other": dict(more)}}) is None
    assert accept([{"name": "a"}], {**OPTION, "mutually_exclusive": [["ttl", "size"]]}) is None
