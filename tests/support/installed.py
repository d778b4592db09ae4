# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as its users have it: built, installed elsewhere, and run from an empty folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .system import BIN, ROOT, Play


class Installed:
    """The installed collection, and nothing else: no clone, no ansible.cfg, no other collection."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "collections"
        self.home.mkdir()
        settings = folder / "empty.cfg"
        settings.touch()
        foreign = ("VAULT_", "BAO_", "ANSIBLE_", "K8S_AUTH_")
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        self.env.pop("KUBECONFIG", None)
        self.env.update(
            ANSIBLE_CONFIG=str(settings),
            ANSIBLE_HOME=str(folder / "home"),
            ANSIBLE_COLLECTIONS_PATH=str(self.home),
            ANSIBLE_COLLECTIONS_SCAN_SYS_PATH="false",
            ANSIBLE_NOCOLOR="1",
            PATH=f"{BIN}:{os.environ['PATH']}",
        )
        galaxy = [str(BIN / "ansible-galaxy"), "collection"]
        self._do([*galaxy, "build", "--output-path", str(folder)], ROOT)
        archive = next(folder.glob("secretops-vault_eso-*.tar.gz"))
        self._do([*galaxy, "install", "--no-deps", "-p", str(self.home), str(archive)], folder)
        self.root = self.home / "ansible_collections" / "secretops" / "vault_eso"

    def _do(self, command: list[str], where: Path) -> None:
        done = subprocess.run(command, cwd=where, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def play(self, playbook: str, where: Path, *arguments: str, **environment: str) -> Play:
        """Run a playbook by its name in the collection; a failed run is an outcome too."""
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), f"secretops.vault_eso.{playbook}", *arguments],
            cwd=where,
            env={**self.env, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return Play(done.returncode, done.stdout + done.stderr)
