# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module of the collection as a process of its own, as Ansible does, and keep all that it printed.

The process is forked from a server that has imported what modules need (`multiprocessing`'s forkserver): a run takes
some 30 ms, where a new Python takes half a second for its imports. Set MODULES_BY_PROCESS=1 to start a new Python for
each run instead; the two give the same (see test_support.py).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.secretops.vault_eso.plugins"
#: what the forkserver imports before it forks the first module
PRELOADED = ["support.preload"]
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
    by_process: bool = False,
) -> Result:
    """Run a module and return its result; a failed one is a result too, unless ``must_succeed``.

    ``env`` is added to an environment without VAULT_*, BAO_*, ANSIBLE_* and KUBECONFIG, so that nothing of the caller
    steers a test. ``by_process`` starts a new Python for it. Raises AssertionError when the output is not JSON, when a
    temporary file is left or ``must_succeed`` does not hold; subprocess.TimeoutExpired after ``timeout`` seconds.
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
    options = json.dumps({"ANSIBLE_MODULE_ARGS": given})
    # a file is no module of the collection; another Python path or Python setting needs a Python of its own
    alone = by_process or name.endswith(".py") or any(key.startswith("PYTHON") for key in env or {})
    run = _started if alone or os.environ.get("MODULES_BY_PROCESS") else _forked
    with tempfile.TemporaryDirectory(prefix="module-tmp-") as temporary:
        clean["TMPDIR"] = (env or {}).get("TMPDIR", temporary)
        result = run(name, options, clean, timeout)
        # a process that was forked ends without what was registered for the end of Python, as a killed one does
        left = sorted(str(path.relative_to(temporary)) for path in Path(temporary).rglob("*"))
    assert not left, f"{name} left files behind: {left}"
    try:
        result.data = json.loads(result.stdout)
    except ValueError:
        raise AssertionError(f"{name} printed no JSON:\n{result.stdout}\n{result.stderr}") from None
    if must_succeed:
        assert not result.failed, f"{name} failed: {result.msg}\n{result.stderr}"
    return result


def _started(name: str, options: str, env: Mapping[str, str], timeout: float) -> Result:
    """Run a module in a new Python."""
    process = subprocess.run(
        [sys.executable, "-c", RUNNER, name],
        input=options,
        capture_output=True,
        text=True,
        env=env,
        timeout=timeout,
        check=False,
    )
    return Result(process.returncode, process.stdout, process.stderr)


_context = multiprocessing.get_context("forkserver")
_starting = threading.Lock()
_ready = False


def _prepare() -> None:
    """Have the forkserver started with the imports of modules; its first fork starts it."""
    global _ready
    with _starting:
        if not _ready:
            path = os.environ.get("PYTHONPATH")
            os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "playbooks" / "collections"), str(ROOT / "tests")])
            try:
                _context.set_forkserver_preload(PRELOADED)
                first = _context.Process(target=int)
                first.start()
                first.join()
            finally:
                if path is None:
                    del os.environ["PYTHONPATH"]
                else:
                    os.environ["PYTHONPATH"] = path
            _ready = True


def _forked(name: str, options: str, env: Mapping[str, str], timeout: float) -> Result:
    """Run a module in a process that has its imports already."""
    _prepare()
    with tempfile.TemporaryDirectory(prefix="module-") as folder:
        process = _context.Process(target=_be_module, args=(name, options, dict(env), os.getcwd(), folder))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(name, timeout)
        stdout, stderr = (Path(folder, stream).read_text() for stream in ("stdout", "stderr"))
    return Result(process.exitcode, stdout, stderr)


def _be_module(name: str, options: str, env: Mapping[str, str], cwd: str, folder: str) -> None:
    """Become the module: its options, environment and folder, and its output into files; ends by SystemExit."""
    from ansible.module_utils import basic

    for number, stream in ((1, "stdout"), (2, "stderr")):
        file = os.open(os.path.join(folder, stream), os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    with suppress(FileNotFoundError):
        os.chdir(cwd)
    basic._ANSIBLE_ARGS = options.encode()
    basic._ANSIBLE_PROFILE = "legacy"
    sys.argv = [name]
    runpy.run_module(f"{COLLECTION}.modules.{name}", run_name="__main__")
