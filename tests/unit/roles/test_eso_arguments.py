# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role eso: its argument specification and its defaults speak of the same things, and its files exist."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROLE = Path(__file__).parents[3] / "roles" / "eso"
OPTIONS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
DEFAULTS = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())


def test_each_variable_is_described_and_has_a_default():
    assert set(DEFAULTS) == set(OPTIONS)


def test_described_defaults_are_the_real_ones():
    described = {name: option["default"] for name, option in OPTIONS.items() if "default" in option}
    # what is computed is described in words
    assert {name for name, value in DEFAULTS.items() if "{{" in str(value)} == set(DEFAULTS) - set(described)
    assert described == {name: DEFAULTS[name] for name in described}


def test_the_entries_of_service_accounts_are_those_of_eso_resources_and_more():
    spec = yaml.safe_load((ROLE.parent / "eso_resources" / "meta" / "argument_specs.yml").read_text())
    theirs = spec["argument_specs"]["main"]["options"]["eso_resources_service_accounts"]["options"]
    assert set(theirs) <= set(OPTIONS["eso_service_accounts"]["options"])


def test_included_tasks_and_templates_exist():
    texts = [path.read_text() for folder in ("tasks", "templates", "vars") for path in (ROLE / folder).iterdir()]
    templates = {name for text in texts for name in re.findall(r"'([a-z_-]+(?:\.yml)?\.j2)'", text)}
    templates |= {name for text in texts for name in re.findall(r"template: ([a-z_-]+\.yml\.j2)", text)}
    assert templates == {path.name for path in (ROLE / "templates").iterdir()}
    tasks = {name for text in texts for name in re.findall(r"include_tasks: ([a-z_]+\.yml)", text)}
    tasks |= {"main.yml", "absent.yml"} | {f"present_{method}.yml" for method in OPTIONS["eso_method"]["choices"]}
    assert tasks == {path.name for path in (ROLE / "tasks").iterdir()}
