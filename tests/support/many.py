# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one module many times in one forked process, where a process for each run would take most of the time."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import modules
from support.modules import Result


@dataclass
class Run:
    """A result, and the seconds that it took."""

    result: Result
    seconds: float


def run_many(name: str, given: Sequence[Mapping[str, Any]], timeout: float = 300) -> list[Run]:
    """Run a module with each of some options, one after the other. Raises AssertionError when the process dies."""
    modules._prepare()
    with tempfile.TemporaryDirectory(prefix="many-") as folder:
        target = os.path.join(folder, "runs")
        process = modules._context.Process(target=_all, args=(name, [dict(one) for one in given], target))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
        path = Path(target)
        done: list[Run] = []
        if path.exists():
            for line in path.read_text().splitlines():
                code, out, err, seconds = json.loads(line)
                done.append(Run(Result(code, out, err), seconds))
                with contextlib.suppress(ValueError):
                    done[-1].result.data = json.loads(out)
        assert len(done) == len(given), f"{name}: the process ended ({process.exitcode}) in run {len(done)}"
        return done


def _all(name: str, given: Sequence[Mapping[str, Any]], target: str) -> None:
    from ansible.module_utils import basic
    from ansible.module_utils.common import warnings

    for variable in list(os.environ):
        if variable.startswith(("VAULT_", "BAO_", "ANSIBLE_", "K8S_AUTH_")) or variable == "KUBECONFIG":
            del os.environ[variable]
    basic._ANSIBLE_PROFILE = "legacy"
    sys.argv = [name]
    with open(target, "w") as file:
        for options in given:
            check = options.get("_check", False)
            marks = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_verbosity": 0}
            basic._ANSIBLE_ARGS = json.dumps(
                {"ANSIBLE_MODULE_ARGS": {**{key: value for key, value in options.items() if key != "_check"}, **marks}}
            ).encode()
            getattr(warnings, "_global_warnings", []).clear()
            out, err, code = io.StringIO(), io.StringIO(), 0
            start = time.monotonic()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    runpy.run_module(f"{modules.COLLECTION}.modules.{name}", run_name="__main__")
                except SystemExit as end:
                    code = int(end.code or 0)
            file.write(json.dumps([code, out.getvalue(), err.getvalue(), time.monotonic() - start]) + "\n")
            file.flush()
