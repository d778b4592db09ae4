# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server that never answers: both clients give up at the request's own deadline.

The resolver of libc waits 5 seconds for each server, twice, whatever the timeout of a request is, and then calls the
name one that does not resolve: the sentence tells which of the two ended it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.modules import COLLECTION
from support.system import ROOT

SERVER = "127.0.0.77"
TIMEOUT = 1
NAME = "https://vault.example.com:8200"


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Give the words before a command that is to know the silent name server only."""
    folder = tmp_path_factory.mktemp("resolver")
    (folder / "resolv.conf").write_text("nameserver %s\n" % SERVER)
    words = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount --bind %s/resolv.conf /etc/resolv.conf && exec "$@"' % folder,
        "-",
    ]
    if subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to change a file for one process (unshare --mount)")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((SERVER, 53))
        yield words


CASES: dict[str, tuple[str, dict[str, Any], dict[str, str], str]] = {
    "vault": ("vault_policy", {"url": [NAME], "token": "s.x", "name": "x"}, {}, "the name was not resolved within 1 s"),
    "vault, the proxy": (
        "vault_policy",
        {"url": [NAME], "token": "s.x", "name": "x"},
        {"HTTPS_PROXY": "https://proxy.example.com:3128"},
        "the proxy https://proxy.example.com:3128 failed: its name was not resolved in time",
    ),
    "kubernetes": ("eso_info", {"host": NAME, "api_key": "x"}, {}, "the name was not resolved within 1 s"),
    "kubernetes, the proxy": (
        "eso_info",
        {"host": NAME, "api_key": "x", "proxy": "http://proxy.example.com:3128"},
        {},
        "the proxy http://proxy.example.com:3128 failed: its name was not resolved in time",
    ),
}


def test_the_deadline_holds_for_names_too(isolated: list[str], tmp_path: Path) -> None:
    script = (
        "import sys, runpy; from ansible.module_utils import basic; basic._ANSIBLE_PROFILE = 'legacy'; "
        "basic._ANSIBLE_ARGS = sys.argv[2].encode(); runpy.run_module(sys.argv[1], run_name='__main__')"
    )
    running = {}
    for case, (name, options, environment, _said) in CASES.items():
        given = {"ANSIBLE_MODULE_ARGS": {**options, "timeout": TIMEOUT, "retries": 0}}
        running[case] = subprocess.Popen(
            [*isolated, sys.executable, "-c", script, "%s.modules.%s" % (COLLECTION, name), json.dumps(given)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, "PYTHONPATH": str(ROOT / "playbooks" / "collections")},
            cwd=tmp_path,
        )
    for case, process in running.items():
        result = json.loads(process.communicate(timeout=60)[0])
        assert result["failed"] and CASES[case][3] in result["msg"], (case, result["msg"])
