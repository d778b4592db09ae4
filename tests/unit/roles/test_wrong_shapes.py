# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable of the wrong shape is named with a sentence, before Ansible meets it and says something of its own.

Generated from the argument specifications: each option of each role that is a list or a mapping, wrong in each way, in
three runs of the play that every playbook begins with.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _role_values as role_values
from support.system import BIN, ROOT

ROLES = sorted(path.parent.parent.name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
PLAYBOOKS = ROOT / "playbooks"
#: what the sentences of Ansible and Jinja have, and ours have not
RAW = (
    "concatenate",
    "has no attribute",
    "object of type",
    "unhashable",
    "not iterable",
    "dictionary update",
    "Traceback",
)
#: these say by their own first task what is wrong: a report has to name every host, and nodes are taken one by one
THEMSELVES = {"drift", "rolling", "upgrade", "check", "site"}


def described() -> dict[str, Any]:
    found = dict(role_values.SHARED)
    for role in ROLES:
        found.update(role_values.options(ROOT / "roles" / role))
    return found


def shape(option: dict[str, Any]) -> str:
    """Return "mapping", "mappings" (a list of them), "list" or "" for a scalar."""
    nested = "options" in option
    if option.get("type") == "list":
        return "mappings" if nested or option.get("elements") == "dict" else "list"
    return "mapping" if option.get("type") == "dict" or (option.get("type") == "raw" and nested) else ""


#: the ways to be wrong, and what each makes of an option of each shape
FORMS: dict[str, dict[str, Any]] = {
    "the other": {"mapping": [{"a": "b"}], "mappings": {"a": "b"}, "list": {"a": "b"}},
    "text": {"mapping": "sesame", "mappings": "sesame"},
    "inside": {"mappings": ["sesame"]},
    "sum": {
        "mapping": "{{ own_list + own_mapping }}",
        "mappings": "{{ own_list + own_mapping }}",
        "list": "{{ own_list + own_mapping }}",
    },
}


def said(variables: dict[str, Any], folder: Path) -> str:
    """Return what the play says of a host with these variables, in one line."""
    own = {"own_list": [{"a": "sesame"}], "own_mapping": {"a": "sesame"}, "vault_eso_own_variables": []}
    inventory = {"vault_clusters": {"hosts": {"one": {**own, **variables}}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), "-i", "hosts.yml", str(PLAYBOOKS / "check.yml")]
        + ["--check", "-e", json.dumps({"check_roles": ROLES})],
        cwd=folder,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0, done.stdout
    return " ".join(done.stdout.partition("fatal: [one]")[2].split())


@pytest.mark.parametrize("form", FORMS)
def test_each_variable_of_the_wrong_shape_is_named(form: str, tmp_path: Path) -> None:
    wrong = {name: FORMS[form].get(shape(option)) for name, option in described().items()}
    wrong = {name: value for name, value in wrong.items() if value is not None and name != "vault_eso_own_variables"}
    assert wrong
    text = said(wrong, tmp_path)
    sentence = "is put together from values of different shapes: own_list is a list, own_mapping is a mapping"
    for name in wrong:
        if form == "sum":
            assert f"{name} {sentence}" in text, name
        else:
            assert f"{name} is " in text or f"{name}[0] is " in text, name
    assert "sesame" not in text, "a value is not shown"
    assert [words for words in RAW if words in text] == []


@pytest.mark.parametrize("path", sorted(PLAYBOOKS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_playbook_checks_the_roles_that_it_runs_first(path: Path) -> None:
    if path.stem in THEMSELVES:
        return
    first = yaml.safe_load(path.read_text())[0]
    assert first["ansible.builtin.import_playbook"] == "check.yml"
    #: vault_cluster is asked whether it is there; verify and validate share a role
    used = set()
    for file in (path, *(PLAYBOOKS / "tasks").glob("*.yml")):
        text = file.read_text()
        if file == path or f"tasks/{file.name}" in path.read_text():
            used |= {line.rpartition(".")[2] for line in text.splitlines() if "name: secretops.vault_eso." in line}
    if path.stem not in ("unseal", "vault"):
        used.discard("vault_cluster")
    assert used <= set(first["vars"]["check_roles"])
