# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role vault_server shows of the files that it writes: no secret of the old ones or the new."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from support.canaries import Canaries
from support.openbao import find_binary
from support.system import BIN, ROOT

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: [values.json]
  tasks:
    - name: Write them
      ansible.builtin.include_role:
        name: secretops.vault_eso.vault_server
        tasks_from: configure
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the role becomes root on a host")
def test_no_diff_shows_a_secret_of_the_configuration(tmp_path: Path) -> None:
    canaries = Canaries()
    shown: dict[str, str] = {}
    written = ""
    for folder in ("etc", "etc/seal"):
        (tmp_path / folder).mkdir()
    (tmp_path / "play.yml").write_text(PLAY)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "BAO_", "ANSIBLE_"))}
    env = {**clean, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    # what stood there is as secret as what is to come
    for number, more in enumerate(([], ["--check"], [])):
        secret = {
            name: canaries.new(f"{name} {number}", odd=False)
            for name in ("token", "environment", "header", "address", "key")
        }
        (tmp_path / "key").write_bytes(base64.b64encode(secret["key"].encode()))
        device = {
            "uri": f"https://u:{secret['address']}@log.example.com",
            "headers": {"Authorization": secret["header"]},
        }
        values = {
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "vault_server_product": "openbao",
            "vault_server_version": "2.7.2",
            "vault_server_user": "root",
            "vault_server_group": "root",
            # brings its own unit
            "vault_server_install_method": "repository",
            "vault_server_repository": {
                name: f"https://repository.example.com/{name}" if "url" in name else "sha256:" + "0" * 64
                for name in ("url", "key_url", "key_checksum")
            },
            "vault_server_bin_dir": str(find_binary().parent),
            "__vault_server_host": {"binary": {"exists": True}},
            **{f"vault_server_{name}_dir": str(tmp_path / name) for name in ("data", "log")},
            "vault_server_config_dir": str(tmp_path / "etc"),
            "vault_server_seals": [
                {
                    "type": "transit",
                    "transit": {
                        "address": "https://other.example.com",
                        "token": secret["token"],
                        "key_name": "unseal",
                        "mount_path": "transit",
                    },
                },
                {
                    "type": "static",
                    "disabled": True,
                    "static": {"current_key_id": "1", "current_key_file": str(tmp_path / "key")},
                },
            ],
            "vault_server_environment": {"SOME_TOKEN": secret["environment"]},
            "vault_server_audit": [{"path": "http", "type": "http", "options": device}],
        }
        (tmp_path / "values.json").write_text(json.dumps(values))
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), "-vvvv", "--diff", *more, "-i", "localhost,", "play.yml"],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        # values of the play itself are its text
        shown[f"run {number}"] = done.stdout
        if done.returncode:
            print(done.stdout[-3000:])
        assert done.returncode == 0, f"run {number}"
        written += "".join(path.read_text() for path in (tmp_path / "etc").rglob("*") if path.is_file())
    canaries.absent(shown)
    real = [label for label in canaries.cores if " 1 " not in label]
    lost = [label for label in real if canaries.cores[label] not in written and "key" not in label]
    assert not lost, "nothing was tried with these"
