# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run of Ansible a process belongs to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import process

ASK = "import json; from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import process; "
ASK += "print(json.dumps(process.run()))"


def test_the_nearest_command_of_ansible_is_the_run(tmp_path: Path) -> None:
    # a command with a worker of its own, which starts the module by a shell
    command = tmp_path / "ansible-playbook"
    command.write_text(
        f"import os, subprocess, sys\n"
        f"print(os.getpid(), flush=True)\n"
        f"if os.fork() == 0:\n"
        f"    subprocess.run(['/bin/sh', '-c', sys.executable + ' -c \"$0\" ; true', {ASK!r}])\n"
        f"    os._exit(0)\n"
        f"os.wait()\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, str(command)], env=env, capture_output=True, text=True, check=True)
    pid, run = done.stdout.split("\n", 1)
    found = json.loads(run)
    assert found["pid"] == int(pid)
    assert process.lives(found) is False


def test_a_process_id_that_was_given_again_is_another_run() -> None:
    own = {"pid": os.getpid(), "start": process._stat(os.getpid())[19], "space": process._space()}
    assert process.lives(own) is True
    assert process.lives({**own, "start": "1"}) is False
    assert process.lives({**own, "space": "another machine"}) is None
    assert process.lives({}) is None
