# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks of the collection or of a test, run on an inventory of the test's servers, or a copy of production's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .local import write_private
from .system import BIN, ROOT, Play

PRODUCTION = ROOT / "inventories" / "production"


class Inventory:
    """A copy of ``inventories/production`` with one Vault cluster, one Kubernetes cluster, and what differs here.

    ``overrides`` are the host variables by host, as YAML text.
    """

    def __init__(self, folder: Path, vault: str, kubernetes: str, overrides: Mapping[str, str]) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        shutil.copytree(PRODUCTION / "group_vars", folder / "group_vars")
        (folder / "hosts.yml").write_text(
            f"vault_clusters: {{hosts: {{{vault}: }}}}\n"
            f"kubernetes_clusters: {{hosts: {{{kubernetes}: {{vault_cluster: {vault}}}}}}}\n"
        )
        (folder / "host_vars").mkdir()
        for host, text in overrides.items():
            (folder / "host_vars" / f"{host}.yml").write_text(text)

    def play(self, playbook: str, *arguments: str, timeout: float = 900) -> Play:
        """Run ``playbooks/NAME.yml`` and return what it printed; a failed run is an outcome too."""
        return play(playbook, self.folder, *arguments, timeout=timeout)


def inventory_of(folder: Path, **groups: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write an inventory of this machine as some hosts, by group, with their variables; return its path."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    found = {
        group: {"hosts": {host: {**local, **variables} for host, variables in hosts.items()}}
        for group, hosts in groups.items()
    }
    # variables may hold a token
    write_private(folder / "hosts.json", json.dumps(found).encode())
    return folder / "hosts.json"


def command_of(playbook: str | Path, inventory: Path, *arguments: str) -> list[str]:
    """Return the command that runs a playbook: ``playbooks/NAME.yml`` by its name, or a file of the test."""
    book = playbook if isinstance(playbook, Path) else ROOT / "playbooks" / f"{playbook}.yml"
    return [str(BIN / "ansible-playbook"), "-i", str(inventory), str(book), *arguments]


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment of a run: the caller's, without what may steer Ansible or name another server."""
    foreign = ("VAULT_", "BAO_", "ANSIBLE_", "K8S_AUTH_", "KUBECONFIG", "AWS_")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return {**clean, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **more}


def play(playbook: str | Path, inventory: Path, *arguments: str, timeout: float = 300, **environment: str) -> Play:
    """Run a playbook (see `command_of`) beside its inventory; a failed run is an outcome too."""
    result = subprocess.run(
        command_of(playbook, inventory, *arguments),
        cwd=inventory if inventory.is_dir() else inventory.parent,
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        # what kills the run with all that it started kills no test
        start_new_session="CUT_AT" in environment,
    )
    return Play(result.returncode, result.stdout + result.stderr)


def cut(tasks: Path, at: str, after: float = 0) -> dict[str, str]:
    """Return the environment in which `play` is killed at a task: its number from 1, or a part of its name.

    ``tasks``: a file to which the names of the tasks are added that began. ``after``: seconds from when it begins; a
    run that ends before is not killed. With an empty ``at`` the names are written, and nothing is killed.
    """
    return {
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "cut",
        "CUT_TASKS": str(tasks),
        "CUT_AT": at,
        "CUT_AFTER": str(after),
    }
