# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action groups of meta/runtime.yml name every module, each in the right group."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# What decides: the documentation fragment that gives a module its connection.
LOCAL = {"eso_manifests", "known_variables", "vault_host_state", "vault_raft_data"}  # talk to nobody
FRAGMENTS = {"vault": "secretops.vault_eso.vault", "eso": "secretops.vault_eso.kubernetes"}


def documentation(module: Path) -> dict[str, object]:
    """Return the module's DOCUMENTATION without running the module."""
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return dict(yaml.safe_load(ast.literal_eval(node.value)))
    raise AssertionError(f"{module} has no DOCUMENTATION")


MODULES = {path.stem: documentation(path) for path in sorted((ROOT / "plugins" / "modules").glob("[a-z]*.py"))}
GROUPS = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_group_names_only_modules_that_exist(group: str) -> None:
    assert sorted(set(GROUPS[group]) - set(MODULES)) == []


@pytest.mark.parametrize("name", sorted(MODULES))
def test_module_is_in_the_groups_of_its_connections(name: str) -> None:
    fragments = MODULES[name].get("extends_documentation_fragment", [])
    wanted = {group for group, fragment in FRAGMENTS.items() if fragment in fragments}
    named = {group for group, members in GROUPS.items() if name in members}
    assert bool(wanted) is (name not in LOCAL), f"{name} takes its connection from none of {sorted(FRAGMENTS.values())}"
    assert named == wanted


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_group_is_sorted(group: str) -> None:
    assert GROUPS[group] == sorted(set(GROUPS[group]))


@pytest.mark.parametrize("name", GROUPS["vault"])
def test_module_takes_the_login_options_that_the_group_may_give(name: str) -> None:
    """`module_defaults` of the group hold a login: a module that needs none takes it nevertheless."""
    assert FRAGMENTS["vault"] + ".login" in MODULES[name]["extends_documentation_fragment"]  # type: ignore[operator]
