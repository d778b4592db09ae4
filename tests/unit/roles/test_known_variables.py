# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Misspelt variables are found in every role, and nothing that a role or an inventory rightly has is taken for one."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.plugin_utils._role_variables import known, options, roles, unknown

ROOT = Path(__file__).resolve().parents[3]
ROLES = ROOT / "roles"
NAMES = sorted(roles(ROLES))
#: what playbooks and other roles call, beside main
ENTRIES = {
    "vault_server": ["preflight"],
    "vault_certificates": ["main"],
    "vault_cluster": ["preflight"],
    "vault_rolling": ["preflight"],
    "vault_session": ["open"],
    "vault_config": ["main"],
    "vault_export": ["main"],
    "drift": ["servers", "vault", "kubernetes"],
    "rotation": ["vault"],
    "snapshot": ["save", "restore", "drill"],
    "vault_snapshot_timer": ["main", "identity"],
    "validation": ["main"],
    "eso": ["main"],
    "eso_resources": ["prepare", "resources"],
    "eso_gitops": ["preflight"],
    "eso_backup": ["main", "restore"],
    "tenant": ["vault", "kubernetes_prepare", "kubernetes"],
}


def test_every_role_begins_with_the_check() -> None:
    assert sorted(ENTRIES) == NAMES
    for role, files in ENTRIES.items():
        for name in files:
            first = yaml.safe_load((ROLES / role / "tasks" / f"{name}.yml").read_text())[0]
            assert "secretops.vault_eso.known_variables" in first, f"{role}/{name}"


@pytest.mark.parametrize("role", NAMES)
def test_each_option_is_known_and_named_when_it_is_misspelt(role: str) -> None:
    spec = yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    described = {name for entry in spec.values() for name in entry.get("options") or {}}
    assert options(ROLES / role) == described
    assert unknown(described, ROLES, [role]) == []
    for option in described:
        wrong = option[:-2] + option[-1]
        if any(wrong in known(ROLES / one) for one in NAMES) or not wrong.startswith(role + "_"):
            continue
        (said,) = unknown([wrong], ROLES, [role])
        found = re.fullmatch(rf"{wrong} is not a variable of the role \w+; did you mean (\w+)\?", said)
        assert found, said
        # of two that are as near the other one may be named
        assert found[1] == option or _alike(found[1], wrong) >= _alike(option, wrong), said


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, one).ratio()


def test_a_misspelling_that_has_the_prefix_of_another_role_is_found() -> None:
    (said,) = unknown(["eso_resource_stores"], ROLES, ["eso_resources"])
    assert said == "eso_resource_stores is not a variable of the role eso; did you mean eso_resources_stores?"


def test_variables_of_roles_that_are_not_checked_and_of_the_user_are_left_alone() -> None:
    assert unknown(["snapshot_bucket", "vault_servers_group", "vault_cluster"], ROLES, ["vault_config"]) == []
    assert unknown(["snapshot_bucket"], ROLES, ["snapshot"], own=["snapshot_bucket"]) == []
    assert len(unknown(["snapshot_bucket"], ROLES, ["snapshot"])) == 1
    with pytest.raises(KeyError):
        unknown([], ROLES, ["vault_configuration"])


def _named(content: Any) -> set[str]:
    """Return all keys at any depth that may be variables' names."""
    if isinstance(content, dict):
        return set(map(str, content)) | {name for value in content.values() for name in _named(value)}
    return {name for value in content for name in _named(value)} if isinstance(content, list) else set()


def test_the_inventories_and_the_roles_themselves_have_no_unknown_ones() -> None:
    class Loader(yaml.SafeLoader):
        """Takes Ansible's own tags as text."""

    Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
    for folder in ("inventories", "playbooks"):
        for path in (ROOT / folder).rglob("*.yml"):
            if "collections" in path.parts:
                continue
            names = _named(yaml.load(path.read_text(), Loader))  # noqa: S506 - the files are our own
            assert unknown(names, ROLES, NAMES) == [], path
    for role in NAMES:
        for path in (ROLES / role).rglob("*.yml"):
            if path.parent.name in ("defaults", "vars", "tasks", "checks"):
                names = set(re.findall(r"(?:register|loop_var): *(\w+)", path.read_text()))
                assert unknown(names, ROLES, NAMES) == [], path


def _includes(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the arguments of every include_role among tasks, those in blocks too."""
    found = []
    for task in tasks:
        if "ansible.builtin.include_role" in task:
            found.append(task["ansible.builtin.include_role"])
        for part in ("block", "rescue", "always"):
            found += _includes(task.get(part, []))
    return found


def test_a_role_that_ansible_does_not_validate_checks_its_arguments_itself() -> None:
    files = sorted((ROOT / "playbooks" / "tasks").glob("*.yml"))
    includes = [found for path in files for found in _includes(yaml.safe_load(path.read_text()))]
    unchecked = [found for found in includes if found.get("rolespec_validate") is False]
    assert unchecked
    for found in unchecked:
        role, entry = found["name"].rpartition(".")[2], found.get("tasks_from", "main")
        if (role, entry) == ("vault_session", "close"):
            # reads a fact of the role, and no variable of a user
            continue
        # where main.yml only imports it
        name = next(name for name in (entry, *ENTRIES[role]) if name in ENTRIES[role])
        first = yaml.safe_load((ROLES / role / "tasks" / f"{name}.yml").read_text())[0]
        assert first["secretops.vault_eso.known_variables"] == {"entry_point": entry}, role
