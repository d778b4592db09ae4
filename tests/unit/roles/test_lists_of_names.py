# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each variable that is a list of names also takes a text, as surveys and the command line give it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.filter.listed import listed

ROLES = Path(__file__).resolve().parents[3] / "roles"
#: where a text would be taken for its letters: as an operand, in a loop, in a filter that is for lists
LETTERS = (
    r"(?:\bin|\+|loop: \"\{\{|(?:union|difference|intersect)\() ?%s\b(?! \| secretops\.vault_eso\.listed)"
    r"|\b%s (?:\+|\| (?!secretops\.vault_eso\.listed|default\(|length > 0))"
)


@pytest.mark.parametrize(
    "given, wanted",
    [
        ("web-app", ["web-app"]),
        ("web-app, batch,", ["web-app", "batch"]),
        ("web-app\nbatch\n", ["web-app", "batch"]),
        ('["web-app", "batch"]', ["web-app", "batch"]),
        (["web-app"], ["web-app"]),
        ("", []),
        (None, []),
        (7, ["7"]),
    ],
)
def test_what_becomes_of_a_value(given: object, wanted: list[str]) -> None:
    assert listed(given) == wanted


@pytest.mark.parametrize("given", [{"a": 1}, "[web-app]"])
def test_what_is_no_list_is_refused(given: object) -> None:
    with pytest.raises(AnsibleFilterError, match="listed: "):
        listed(given)


def test_no_role_takes_a_text_for_a_list_of_letters() -> None:
    wrong = []
    for spec in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        options = {
            name: option
            for entry in yaml.safe_load(spec.read_text())["argument_specs"].values()
            for name, option in (entry.get("options") or {}).items()
        }
        lists = [name for name, one in options.items() if one.get("type") == "list" and one.get("elements") == "str"]
        role = spec.parents[1]
        files = [path for part in ("tasks", "vars", "templates", "defaults") for path in (role / part).rglob("*.*")]
        for path in files:
            for line in path.read_text().splitlines():
                for name in lists:
                    if re.search(LETTERS % (name, name), line):
                        wrong.append(f"{path.relative_to(ROLES)}: {line.strip()}")
    assert wrong == []
