# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role vault_config offers every kind that the module takes: variable, tag, purge, and a line in its README."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import INSIDE, KINDS, PURGE

ROLE = Path(__file__).resolve().parents[3] / "roles" / "vault_config"


def load(path: str) -> Any:
    return yaml.safe_load((ROLE / path).read_text())


def test_every_kind_is_a_variable() -> None:
    names = {f"vault_config_{name}" for name in [*KINDS, PURGE, INSIDE]}
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    others = {"vault_config_kinds", "vault_config_update_secrets"}
    assert set(options) == names | others
    assert set(load("defaults/main.yml")) == names | others
    (task,) = (task for task in load("tasks/main.yml") if "secretops.vault_eso.vault_configuration" in task)
    given = task["secretops.vault_eso.vault_configuration"]["configuration"]
    assert given == {name: "{{ vault_config_%s }}" % name for name in [*KINDS, PURGE, INSIDE]}


def test_every_kind_has_a_tag_and_every_tag_is_the_tasks() -> None:
    tags = load("vars/main.yml")["__vault_config_tag_kinds"]
    assert sorted(kind for kinds in tags.values() for kind in kinds) == sorted(KINDS)
    # what is there for one kind alone has but its tag
    tasks = [task for task in load("tasks/main.yml") if task["tags"] != ["audit"]]
    assert len(tasks) == 3
    for task in tasks:
        assert set(re.findall(r"'(\w+)'", task["tags"][0])) == set(tags)


def test_the_playbook_offers_every_tag() -> None:
    """Static there, because --list-tags looks at no role that is included."""
    plays = yaml.safe_load((ROLE.parents[1] / "playbooks" / "configure.yml").read_text())
    (play,) = (one for one in plays if "configure_kinds" in one.get("vars", {}))
    assert (
        play["vars"]["configure_kinds"]
        == play["tasks"][0]["tags"]
        == list(load("vars/main.yml")["__vault_config_tag_kinds"])
    )


def test_what_can_be_purged_is_in_the_argument_spec() -> None:
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]["vault_config_purge"]["options"]
    able = {name: set(kind.options) - {"purge"} for name, kind in KINDS.items() if "purge" in kind.options}
    assert {name: set(entry["options"]) for name, entry in options.items()} == able


def test_the_readme_names_every_kind_and_its_module() -> None:
    rows = dict(re.findall(r"^\| `vault_config_(\w+)` \| `(\w+)` \|", (ROLE / "README.md").read_text(), re.MULTILINE))
    assert rows == {name: kind.module for name, kind in KINDS.items()}
