# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mistake in one of many entries is told with the place of the entry, for every list of every module."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.places import brief, located
from support.specs import argument_specs

SPEC: dict[str, Any] = {
    "policies": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "state": {"choices": ["present", "absent"]},
            "token": {"type": "int", "no_log": True},
            "rules": {"type": "list", "elements": "dict", "options": {"path": {"type": "str", "required": True}}},
        },
    }
}


@pytest.mark.parametrize(
    "entry, said",
    [
        ({"nme": "x", "name": "web"}, 'policies[1] ("web"): there is no option "nme"; did you mean "name"?'),
        ({"state": "absent"}, "policies[1]: missing: name"),
        (
            {"name": "web", "rules": [{"path": "a"}, {"pat": "b", "path": "c"}]},
            'policies[1] ("web").rules[1] ("c"): there is',
        ),
        ({"name": "web", "rules": [{}]}, 'policies[1] ("web").rules[0]: missing: path'),
        ({"name": "web", "state": "gone"}, 'policies[1] ("web"): value of state must be one of: present, absent'),
        ({"name": "web", "token": "s3cr3t-token"}, 'policies[1] ("web"): "token" has the wrong type'),
        (7, "policies[1]: expected a mapping of options, not a number"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(entry: Any, said: str) -> None:
    found = list(located({"policies": [{"name": "fine"}, entry]}, SPEC))
    assert len(found) == 1, found
    assert found[0].startswith(said)
    assert "s3cr3t" not in found[0]


def test_of_many_mistakes_the_first_are_told_and_the_rest_counted() -> None:
    said = brief(located({"policies": [{"state": "absent"}] * 9}, SPEC))
    assert said.count("missing: name") == 5
    assert said.endswith("; and 4 more")
    assert brief([]) == ""


def test_every_list_of_every_module_names_the_entry() -> None:
    lists = 0
    for module, spec in argument_specs().items():
        for name, option in spec.items():
            if option.get("options") and option.get("type") == "list":
                lists += 1
                inner = option["options"]
                longest = max(inner, key=len)
                wrong = longest[:-2] + longest[-1]
                found = list(located({name: [{}, {wrong: "x"}]}, {name: option}))
                (said,) = (one for one in found if "there is no option" in one)
                assert said.startswith(f'{name}[1]: there is no option "{wrong}"; did you mean'), (module, said)
    assert lists > 25
