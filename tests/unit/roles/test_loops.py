# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible prints each item that a task loops over, and from -v on the whole of it, whatever its label says.

So a task loops over what holds no secret, and says below why, or has ``no_log``. A label is for items of several parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _role_values as role_values

ROOT = Path(__file__).resolve().parents[3]

#: what is looped over, and why nobody learns a secret from an item
REVIEWED = {
    # names, addresses, numbers
    r"ansible_play_hosts(_all)?\b": "hosts",
    r"range\(": "numbers",
    r"query\('ansible\.builtin\.varnames'": "names of variables",
    r"(validation_vault_servers|validation_checks) \|": "hosts and names of checks",
    r"snapshot_restore_checks \|": "names of checks",
    r"__snapshot_opening\b": "paths of key stores",
    r"__vault_snapshot_timer_(paths|directories|files)\b": "names of files",
    r"vault_server_peers\b": "names, addresses and paths of other nodes",
    r"\[eso_release_name\]": "names",
    r"__eso_found\.crd_names\b": "names",
    r"__eso_gitops_handed_over\.left_over\b": "kinds and names of objects",
    r"__vault_rolling_plan \|": "names, addresses and versions of nodes",
    r"__vault_rolling_mounts_upgraded\.results\b": "paths and types of mounts",
    r"__vault_rolling_todo\b": "names of nodes and why they are to restart",
    r"__vault_certificates_(resolved\.pairs|due\.(renew|reload)) ": "names of key pairs",
    r"__vault_certificates_due\.(attributes|left)\b": "paths, owners and modes of files",
    r"__vault_certificates_(pair\.paths|directories)\b": "paths",
    # paths: what is none is refused as the value of a variable
    r"__vault_server_written\b": "directories",
    r"\[vault_cluster_admin_role_id_file,": "paths",
    r"__vault_server_tls_files\.results\b": "what stat says of paths",
    r"__vault_config_servers .* product\(__vault_config_audit_directories\)": "hosts and directories",
    r"__vault_server_host\.missing_commands\b": "paths of commands",
    r"__rotation_here \|": "names, paths and rules of applications; the values are generated later",
    r"__eso_manifest_files\b": "paths and names of templates",
    # sources, CRDs, access, NetworkPolicies
    r"__eso_differing_objects\b": "manifests of our own templates, whose credentials are references",
}
#: items of these are mappings, or lists: without a label all of it is shown
MAPPINGS = re.compile(r"\.results\b|_objects\b|_peers\b|_files\b|dict2items|_kinds\b|left_over|_todo\b|static_keys")


def tasks(found: Any) -> Iterator[dict[str, Any]]:
    """Yield all tasks in a file of tasks, or of plays."""
    for entry in found if isinstance(found, list) else []:
        if not isinstance(entry, dict):
            continue
        yield entry
        for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
            yield from tasks(entry.get(part))


def looping() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield where a task is, what it loops over, and the task."""
    for path in sorted([*ROOT.glob("roles/*/tasks/**/*.yml"), *ROOT.glob("playbooks/**/*.yml")]):
        if "collections" in path.relative_to(ROOT).parts:
            continue
        for task in tasks(yaml.safe_load(path.read_text())):
            for word, over in task.items():
                if word == "loop" or word.startswith("with_"):
                    yield f"{path.relative_to(ROOT)}: {task.get('name')}", over, task


def concealed(task: dict[str, Any]) -> bool:
    """Tell whether a task prints nothing."""
    return task.get("no_log") is True


def test_no_task_loops_over_a_secret_and_prints_it() -> None:
    found = list(looping())
    assert len(found) > 20
    unknown = [
        f"{place} loops over {over}"
        for place, over, task in found
        if not concealed(task)
        and not (
            # written out: names and paths
            all(isinstance(one, str) and re.fullmatch(r"\w+|\{\{ \w+_(file|dir) \}\}", one) for one in over)
            if isinstance(over, list)
            else any(re.match(r"\s*\{\{ " + known, over) for known in REVIEWED)
        )
    ]
    assert not unknown, "set no_log, or say in REVIEWED why no item holds a secret:\n" + "\n".join(unknown)


def test_items_of_several_parts_have_a_label() -> None:
    bare = [
        f"{place} loops over {over}"
        for place, over, task in looping()
        if MAPPINGS.search(str(over))
        and "map(attribute=" not in str(over)
        and not task.get("loop_control", {}).get("label")
        and not concealed(task)
    ]
    assert not bare, "set loop_control.label:\n" + "\n".join(bare)


def test_what_copies_a_secret_says_nothing_of_it() -> None:
    """Not in a loop, but the same kind: a file of a secret is written without its text in a diff or an invocation."""
    secret = re.compile(
        r"key_(file|src)|_key\b|seal|license|environment_file|config_file|token|password|secret_id", re.I
    )
    shown = []
    for path in sorted(ROOT.glob("roles/*/tasks/**/*.yml")):
        for task in tasks(yaml.safe_load(path.read_text())):
            for module in ("ansible.builtin.copy", "ansible.builtin.template"):
                given = task.get(module)
                if (
                    given
                    and secret.search(str(given.get("dest")) + str(given.get("src")))
                    and task.get("diff") is not False
                ):
                    shown.append(f"{path.relative_to(ROOT)}: {task.get('name')}")
    assert not shown, "set diff: false:\n" + "\n".join(shown)


@pytest.mark.parametrize(
    "secret", ["-----BEGIN PRIVATE KEY-----\nMC4CAQ\n", "s.CAESIJ2kd93kXdq0dkqSxUYPTmq7d3kR", "k" * 2000]
)
@pytest.mark.parametrize("role", ["vault_server", "vault_cluster"])
def test_a_secret_in_the_place_of_a_path_is_refused_unseen(role: str, secret: str, tmp_path: Path) -> None:
    """Paths are printed: what is missing is named by its path."""
    spec = role_values.options(ROOT / "roles" / role)
    names = [
        name
        for name in spec
        if name.endswith(("_src", "_license_file", "_key_store", "_id_file", "_token_file", "_shares_file"))
    ]
    assert len(names) > 3
    said = role_values.problems(spec, dict.fromkeys(names, secret))
    assert [text.split()[0] for text in said] == names
    assert not any(secret[:20] in text for text in said)
    assert role_values.problems(spec, dict.fromkeys(names, f"{tmp_path}/it")) == []
    assert role_values.problems(spec, dict.fromkeys(names, "")) == []


def test_a_key_of_the_seal_in_the_place_of_its_path_is_refused_unseen() -> None:
    spec = role_values.options(ROOT / "roles" / "vault_server")
    seal = {"type": "static", "current_key_id": "1", "current_key_file": "bCr8vRh2xkq0Zq1sWn5dTg3yPoiUuLkJhGfDsAqWeRt="}
    (said,) = role_values.problems(spec, {"vault_server_seals": [{"static": seal}]})[-1:]
    assert "current_key_file is not a path" in said and "bCr8" not in said
