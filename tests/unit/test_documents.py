# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What documents point at is there: files that are linked or named, targets of make, names in the recipes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from support.system import ROOT

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*/README.md"))]
DOCUMENTS += sorted((ROOT / "roles").glob("*/README.md"))
AREAS = "plugins|tests|roles|scripts|docs|molecule|playbooks|meta|changelogs|benchmarks|inventories"
#: made by the user or by a run
NOT_HERE = {"benchmarks/results.json"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_what_a_document_points_at_is_there(document: Path) -> None:
    # links in examples are none
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    links = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    missing = [target for target in links if target and not (document.parent / target).exists()]
    named = re.findall(rf"`((?:{AREAS})/[\w./-]+)`", text)
    missing += [path for path in named if path not in NOT_HERE and not (ROOT / path).exists()]
    assert missing == []


def test_targets_of_make_are_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    for text in (*(document.read_text() for document in DOCUMENTS), workflow):
        named = {
            target
            for line in re.findall(r"(?:`|\$ |# |run: )make ((?:[a-z0-9-]+ ?)+)", text)
            for target in line.split()
        }
        assert named <= targets, named - targets


def test_names_in_the_recipes_are_there() -> None:
    """A recipe names tables of the code; one that is renamed is renamed there too."""
    recipes = (ROOT / "CONTRIBUTING.md").read_text().split("## Recipes")[1].split("\n## ")[0]
    code = "\n".join(
        path.read_text() for area in ("plugins", "tests", "scripts") for path in (ROOT / area).rglob("*.py")
    )
    tables = set(re.findall(r"`([A-Z][A-Z_]+)`", recipes))
    assert len(tables) > 3
    assert {table for table in tables if not re.search(rf"^{table}\b.* = ", code, re.MULTILINE)} == set()


def test_the_workflow_tries_every_ansible_core_that_is_supported() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())["jobs"]
    tried = {one["core"] for one in jobs["unit"]["strategy"]["matrix"]["include"]}
    lowest = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["requires_ansible"]
    first, last = re.findall(r"ansible-core (2\.\d+) to (2\.\d+)", (ROOT / "README.md").read_text())[0]
    assert f">={first}.0" == lowest
    assert tried == {f"2.{minor}" for minor in range(int(first[2:]), int(last[2:]) + 1)}


def test_the_documentation_of_a_filter_has_its_name() -> None:
    found = {
        path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "plugins" / "filter").glob("*.yml"))
    }
    assert found and [name for name, about in found.items() if about["DOCUMENTATION"]["name"] != name] == []


@pytest.mark.parametrize("kind", ["filter", "lookup", "modules"])
def test_plugins_assign_one_name_at_a_time(kind: str) -> None:
    """ansible-doc looks at each assignment of a file for the documentation, and warns where there are several names."""
    several = [
        f"{path.name}:{node.lineno}"
        for path in sorted((ROOT / "plugins" / kind).glob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Tuple) for target in node.targets)
    ]
    assert several == []
