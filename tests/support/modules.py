# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module of the collection as a process of its own, as Ansible does, and keep all that it printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Options come on stdin, so that a test's secrets are in no argument list, like in the real thing. A module that is none
# of the collection is named by its file.
RUNNER = """
import runpy, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"
if sys.argv[1].endswith(".py"):
    runpy.run_path(sys.argv[1], run_name="__main__")
else:
    runpy.run_module("ansible_collections.secretops.vault_eso.plugins.modules." + sys.argv[1], run_name="__main__")
"""


@dataclass
class Result:
    """What a module run gave; ``result["changed"]`` looks into the parsed ``data``."""

    rc: int
    stdout: str
    stderr: str
    data: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def __contains__(self, name: object) -> bool:
        return name in self.data

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field of the result, or the default."""
        return self.data.get(name, default)

    @property
    def changed(self) -> bool:
        """Whether the module says that it changed, or would change, something."""
        return bool(self.data.get("changed"))

    @property
    def failed(self) -> bool:
        """Whether the module failed."""
        return bool(self.data.get("failed")) or self.rc != 0

    @property
    def msg(self) -> str:
        """The message; empty when there is none."""
        return str(self.data.get("msg", ""))

    def hides(self, *secrets: str) -> None:
        """Assert that no secret was printed, the echo of the options (``invocation``) and stderr included."""
        printed = self.stdout + self.stderr
        for number, secret in enumerate(secrets):
            assert secret, f"secret {number} is empty, so the check would mean nothing"
            assert secret not in printed, f"secret {number} was printed by the module"


def run_module(
    name: str,
    args: Mapping[str, Any] | None = None,
    check: bool = False,
    diff: bool = False,
    env: Mapping[str, str] | None = None,
    must_succeed: bool = False,
    timeout: float = 120,
) -> Result:
    """Run a module and return its result; a failed one is a result too, unless ``must_succeed``.

    ``env`` is added to an environment without VAULT_*, BAO_*, ANSIBLE_* and KUBECONFIG, so that nothing of the caller
    steers a test. Raises AssertionError when the module's output is no JSON or ``must_succeed`` does not hold.
    """
    given = dict(args or {})
    given.update(_ansible_check_mode=check, _ansible_diff=diff, _ansible_verbosity=0, _ansible_no_log=False)
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("VAULT_", "BAO_", "ANSIBLE_", "K8S_AUTH_")) and key != "KUBECONFIG"
    }
    clean["PYTHONPATH"] = str(ROOT / "playbooks" / "collections")
    clean.update(env or {})
    process = subprocess.run(
        [sys.executable, "-c", RUNNER, name],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": given}),
        capture_output=True,
        text=True,
        env=clean,
        timeout=timeout,
        check=False,
    )
    result = Result(process.returncode, process.stdout, process.stderr)
    try:
        result.data = json.loads(process.stdout)
    except ValueError:
        raise AssertionError(f"{name} printed no JSON:\n{process.stdout}\n{process.stderr}") from None
    if must_succeed:
        assert not result.failed, f"{name} failed: {result.msg}\n{result.stderr}"
    return result
