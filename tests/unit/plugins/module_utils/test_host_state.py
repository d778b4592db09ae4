# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read on a host."""

from __future__ import annotations

import ast
import grp
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state, tls

#: what Python 3.9 has; the host has nothing else
STANDARD = sys.stdlib_module_names


def test_it_needs_nothing_but_python() -> None:
    for module in (state, tls):
        for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
            if isinstance(node, ast.Import):
                assert {name.name.partition(".")[0] for name in node.names} <= STANDARD
            elif isinstance(node, ast.ImportFrom) and node.level:
                assert [name.name for name in node.names] == ["tls"]
            elif isinstance(node, ast.ImportFrom):
                assert str(node.module).partition(".")[0] in STANDARD


def test_places(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    file.chmod(0o640)
    digest = hashlib.sha256(b"content").hexdigest()
    owner, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(file.stat().st_gid).gr_name
    assert state.place(str(file)) == {"type": "file", "owner": owner, "group": group, "mode": "0640"}
    assert state.place(str(file), digest)["same"] is True
    assert state.place(str(file), "0" * 64)["same"] is False
    assert state.place(str(tmp_path), digest)["type"] == "directory"
    assert state.place(str(tmp_path / "none"), digest) == {"type": "missing"}
    (tmp_path / "link").symlink_to(file)
    assert state.place(str(tmp_path / "link"), digest)["type"] == "link"
    (tmp_path / "folder").symlink_to(tmp_path)
    assert state.place(str(tmp_path / "folder"))["type"] == "directory"
    os.mkfifo(tmp_path / "pipe")
    assert state.place(str(tmp_path / "pipe"), digest)["type"] == "other"


def test_accounts() -> None:
    assert state.group("no-such-group") is False and state.group(grp.getgrgid(0).gr_name) is True
    assert state.user("no-such-user") == {}
    assert state.user("root")["home"] == pwd.getpwuid(0).pw_dir


def test_a_configuration_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    kept = tmp_path / "started.json"
    assert state.configuration(str(kept)) == {}
    for text in ("", "{", "[]"):
        kept.write_text(text)
        assert state.configuration(str(kept)) == {}
    kept.write_text('{"a": "hush"}')
    assert state.configuration(str(kept)) == {"a": "hush"}


@pytest.mark.parametrize(
    ("listener", "port"),
    [
        ([{"tcp": {"address": "0.0.0.0:8200"}}], 8200),
        ([{"unix": {"address": "/run/x"}}, {"tcp": {"address": "[::]:8300"}}, {"tcp": {"address": "[::]:9"}}], 8300),
        ([{"tcp": {"address": "{{ GetPrivateIP }}:port"}}, {"tcp": None}, "x"], 0),
        ({"tcp": {"address": "0.0.0.0:8200"}}, 0),
        (None, 0),
    ],
)
def test_the_port_of_a_configuration(listener: Any, port: int) -> None:
    assert state.port({"listener": listener} if listener else {}) == port


@pytest.mark.parametrize(
    ("url", "moved"),
    [
        ("https://192.0.2.1:8300", "https://192.0.2.1:8200"),
        ("https://[2001:db8::1]:8300/", "https://[2001:db8::1]:8200"),
        ("https://balancer.example.com", "https://balancer.example.com"),
        ("https://192.0.2.1:443", "https://192.0.2.1:443"),
        ("https://192.0.2.1:18300", "https://192.0.2.1:18300"),
    ],
)
def test_an_address_has_the_port_at_which_the_server_listens(url: str, moved: str) -> None:
    assert state.at_port(url, 8300, 8200) == moved
    assert state.at_port(url, 0, 8200) == state.at_port(url, 8300, 0) == url


def test_a_key_is_tried_on_its_certificate(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    assert openssl
    request = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=x"]
    for name, how in (("one", ["-nodes"]), ("two", ["-passout", "pass:hush"])):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
        subprocess.run([*request, *files, *how], cwd=tmp_path, check=True, capture_output=True)
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    pem = (tmp_path / "one.crt").read_text()
    assert tls.examine(one + ".crt", one + ".key") == {"pem": pem, "has_key": True, "key": "", "refused": []}
    assert tls.examine(one + ".crt", two + ".key")["has_key"] is False
    assert tls.examine(one + ".crt", str(tmp_path / "none"))["has_key"] is False
    assert tls.examine(str(tmp_path / "none"), one + ".key")["has_key"] is False
    assert tls.examine(two + ".crt", two + ".key")["has_key"] is False, "nobody is asked for a passphrase"
    assert tls.examine(two + ".crt", two + ".key", "hush")["has_key"] is True


def test_processes_and_binaries(tmp_path: Path) -> None:
    assert state.runs_another(os.getpid(), os.path.realpath(sys.executable)) is False
    assert state.runs_another(os.getpid(), "/bin/sh") is True
    assert state.runs_another(os.getpid(), str(tmp_path / "none")) is True
    assert state.binary(str(tmp_path / "none"), True) == {"exists": False, "version": "", "sha256": ""}
    binary = tmp_path / "bao"
    binary.write_text("#!/bin/sh\necho OpenBao v1 $1\n")
    binary.chmod(0o755)
    found = state.binary(str(binary), True)
    assert found["version"] == "OpenBao v1 version" and found["sha256"] == state.digest(str(binary))
    binary.write_text("nothing that can run")
    assert state.binary(str(binary), False) == {"exists": True, "version": "", "sha256": ""}
    assert state.times([str(binary), str(tmp_path / "none")]) == {str(binary): binary.stat().st_mtime}


def test_a_server_that_does_not_answer() -> None:
    assert state.health("https://127.0.0.1:1", "", 1) == {"health": -1}
    assert state.health("https://127.0.0.1:1", "/no/such/ca", 1) == {"health": -1}
    assert state.health("not a url", "", 1) == {"health": -1}


def test_the_file_system_of_a_directory_that_is_still_to_be_made(tmp_path: Path) -> None:
    about, here = os.stat(tmp_path), str(tmp_path)
    found = state.disks([here, here + "/not/yet", "/proc"])
    assert found[here] == found[here + "/not/yet"]
    assert found[here]["device"] == about.st_dev != found["/proc"]["device"]
    assert found[here]["free"] > 0
