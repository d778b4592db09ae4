# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role rotation where an application has tasks of its own: another system takes what Vault holds, new or former."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.openbao import VaultServer, enable_kv
from support.playbooks import inventory_of, play
from support.system import Play

PLAY = """
- name: Rotate
  hosts: vault_clusters
  gather_facts: false
  module_defaults:
    group/secretops.vault_eso.vault: "{{ vault_connection }}"
  tasks:
    - name: Rotate
      ansible.builtin.include_role:
        name: secretops.vault_eso.rotation
        tasks_from: vault
"""
#: the other system is a file with the versions whose values it accepted
HOOK = """
- name: Refuse a version
  ansible.builtin.assert:
    that: rotation_version | int not in refused | default([])
    fail_msg: the other system refuses it

- name: Accept a version
  ansible.builtin.shell: "echo {{ rotation_version }} >> {{ playbook_dir }}/accepted"
"""


class Site:
    """An inventory of one Vault with two applications, one of which has tasks of its own."""

    def __init__(self, server: VaultServer, mount: str, folder: Path) -> None:
        self.mount, self.folder = mount, folder
        self.kv = server.client().secrets.kv.v2
        for name in ("hooked", "plain"):
            self.write(name, f"the-first-of-{name}")
        (folder / "play.yml").write_text(PLAY)
        (folder / "hook.yml").write_text(HOOK)
        one = {"mount": mount, "generate": {"password": {"length": 20}}}
        variables = {
            "vault_connection": {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token},
            "rotation_applications": [
                {**one, "name": "hooked", "path": "hooked", "hook": str(folder / "hook.yml")},
                {**one, "name": "plain", "path": "plain"},
            ],
        }
        self.inventory = inventory_of(folder, vault_clusters={"vault": variables})

    def play(self, *arguments: str) -> Play:
        """Run the role; a failed run is an outcome too."""
        return play(self.folder / "play.yml", self.inventory, *arguments)

    def write(self, name: str, password: str) -> None:
        self.kv.create_or_update_secret(name, {"password": password}, mount_point=self.mount)

    def about(self, name: str) -> dict[str, Any]:
        return dict(self.kv.read_secret_metadata(name, mount_point=self.mount)["data"])

    def password(self, name: str, version: int) -> str:
        found = self.kv.read_secret_version(name, version, mount_point=self.mount, raise_on_deleted_version=True)
        return str(found["data"]["data"]["password"])

    def accepted(self) -> list[int]:
        """Return the versions whose values the other system accepted, in order."""
        return [int(line) for line in (self.folder / "accepted").read_text().splitlines()]


@pytest.fixture
def site(openbao: VaultServer, unique: str, tmp_path: Path) -> Iterator[Site]:
    client = openbao.client()
    enable_kv(client, unique)
    yield Site(openbao, unique, tmp_path)
    client.sys.disable_secrets_engine(unique)


def test_another_system_accepts_what_vault_holds(site: Site) -> None:
    planned = site.play("--check")
    assert planned.rc == 0, planned.output
    assert site.about("hooked")["current_version"] == 1 and not (site.folder / "accepted").exists()

    done = site.play()
    assert done.rc == 0 and "rotated: plain (version 2), hooked (version 2)" in done.output, done.output
    assert site.accepted() == [2]

    # it refuses the next version: the values before are in Vault again, and accepted once more
    failed = site.play("-e", '{"refused": [3]}')
    assert failed.rc != 0 and "rotated: plain (version 3)." in failed.output, failed.output
    assert "the other system refuses it; " in failed.output
    assert "rolled back to the values of version 2, as version 4" in failed.output
    assert "an earlier run" not in failed.output
    assert site.accepted() == [2, 4] and site.password("hooked", 4) == site.password("hooked", 2)
    assert "rotation_in_progress" not in site.about("hooked")["custom_metadata"]


def test_the_other_system_fails_on_the_way_back(site: Site) -> None:
    """It holds the new values and Vault the former ones: the note stays, as after a kill at that moment."""
    site.kv.delete_metadata_and_all_versions("plain", mount_point=site.mount)
    failed = site.play("-e", '{"refused": [2, 3]}')
    last = failed.output.rpartition("TASK [secretops.vault_eso.rotation : Rotate every application]")[2]
    for application, reason in (("plain", "does not exist"), ("hooked", "the other system refuses it")):
        assert f'application "{application}"' in last and reason in last, failed.output
    assert site.password("hooked", 3) == "the-first-of-hooked" and not (site.folder / "accepted").exists()
    assert "rotation_in_progress" in site.about("hooked")["custom_metadata"]
    back = site.play("-e", "rotation_only=hooked")
    assert back.rc != 0 and "rolled back to the values of version 1, as version 3" in back.output, back.output
    assert site.accepted() == [3] and site.about("hooked")["current_version"] == 3
    assert "rotation_in_progress" not in (site.about("hooked")["custom_metadata"] or {})


def test_the_way_back_of_a_killed_run_ends_in_the_other_system(site: Site) -> None:
    site.write("hooked", "what-the-killed-run-wrote")
    note = {"rotation_in_progress": json.dumps({"run": "x", "version": 1, "step": "rolling_back"})}
    site.kv.update_metadata("hooked", mount_point=site.mount, custom_metadata=note)
    back = site.play()
    assert back.rc != 0 and "an earlier run ended while it rolled back" in back.output, back.output
    assert site.accepted() == [3] and site.password("hooked", 3) == "the-first-of-hooked"
    assert "rotation_in_progress" not in (site.about("hooked")["custom_metadata"] or {})

    done = site.play()
    assert done.rc == 0 and site.accepted() == [3, 4], done.output


def test_what_was_not_begun_leaves_the_other_system_alone(site: Site) -> None:
    site.kv.delete_metadata_and_all_versions("hooked", mount_point=site.mount)
    failed = site.play()
    assert failed.rc != 0 and "does not exist" in failed.output and "it was not begun" in failed.output, failed.output
    assert "rotated: plain (version 2)." in failed.output and not (site.folder / "accepted").exists()
