# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role rotation where an application has tasks of its own: another system takes what Vault holds, new or former."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.openbao import VaultServer, enable_kv
from support.playbooks import cut, inventory_of, play
from support.rotation import open_shop
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
        self.hooked = {**one, "name": "hooked", "path": "hooked", "hook": str(folder / "hook.yml")}
        variables = {
            "vault_connection": {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token},
            "rotation_applications": [self.hooked, {**one, "name": "plain", "path": "plain"}],
        }
        self.inventory = inventory_of(folder, vault_clusters={"vault": variables})

    def play(self, *arguments: str, **environment: str) -> Play:
        """Run the role; a failed run is an outcome too."""
        return play(self.folder / "play.yml", self.inventory, *arguments, **environment)

    def play_hooked(self, *, environment: dict[str, str] | None = None, **change: Any) -> Play:
        """Run the role for the application with tasks alone, which is declared with a change."""
        declared = {"rotation_applications": [{**self.hooked, **change}]}
        return self.play("-e", json.dumps(declared), **(environment or {}))

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


def test_the_former_values_do_not_work_either(site: Site) -> None:
    """The application's probe fails from the first values on that the other system accepts."""
    with open_shop(lambda: 503 if (site.folder / "accepted").exists() else 200) as shop:
        failed = site.play_hooked(probe={"url": shop.url, "timeout": 2})
    output = " ".join(failed.output.split())
    wanted = 'as version 3, which is not proven everywhere: application "hooked": probe "http://127.0.0.1'
    assert failed.rc != 0 and wanted in output and "an earlier run" not in output, failed.output
    assert site.accepted() == [2, 3] and site.password("hooked", 3) == "the-first-of-hooked"
    assert "rotation_in_progress" in site.about("hooked")["custom_metadata"]


def test_what_vault_could_not_take_back_is_not_noted_as_back(site: Site) -> None:
    """The former version cannot be read for a while: the other system never hears of the way back."""
    tasks, deleted = site.folder / "tasks", site.folder / "deleted"
    hook = site.folder / "refusing.yml"
    hook.write_text(f"- ansible.builtin.wait_for: {{path: {deleted}, timeout: 60}}\n- ansible.builtin.fail: {{}}\n")

    def somebody() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and site.about("hooked")["current_version"] == 1:
            time.sleep(0.05)
        site.kv.delete_secret_versions("hooked", [1], mount_point=site.mount)
        deleted.touch()
        while time.monotonic() < deadline and "for the former values" not in tasks.read_text():
            time.sleep(0.05)
        site.kv.undelete_secret_versions("hooked", [1], mount_point=site.mount)

    thread = threading.Thread(target=somebody)
    thread.start()
    failed = site.play_hooked(hook=str(hook), environment=cut(tasks, ""))
    thread.join()
    assert failed.rc != 0 and "version 1, to which it would be rolled back, can no longer be read" in failed.output
    about = site.about("hooked")
    assert about["current_version"] == 2 and "rotation_in_progress" in about["custom_metadata"], failed.output
    done = site.play("-e", "rotation_only=hooked")
    assert done.rc == 0 and site.accepted() == [2], done.output
