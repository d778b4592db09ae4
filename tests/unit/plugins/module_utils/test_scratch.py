# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill starts reaches nothing, and ends with it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput, SecretopsError
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server import scratch
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.snapshot_drill import text_of


def isolated(work, seconds: float = 20, where: str = ""):  # type: ignore[no-untyped-def]
    """Run work cut off from the network, where this machine allows that."""
    try:
        return scratch.isolated(work, seconds, where)
    except SecretopsError as error:
        if "cannot be cut off" in error.what:
            pytest.skip(error.what)
        raise


def test_nothing_outside_is_reached_and_the_loopback_is_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]

        def work(_folder: str) -> list[str]:
            found = []
            for address in (("127.0.0.1", port), ("192.0.2.1", 443)):
                try:
                    socket.create_connection(address, 2).close()
                    found.append("reached")
                except OSError as error:
                    found.append(type(error).__name__)
            with socket.create_server(("127.0.0.1", port)) as own:
                socket.create_connection(own.getsockname(), 2).close()
            return found

        assert isolated(work) == ["ConnectionRefusedError", "OSError"]


def test_an_error_arrives_as_itself_and_what_was_started_ends() -> None:
    def refuse(_folder: str) -> None:
        raise SecretopsError("what", "where", "remedy")

    with pytest.raises(SecretopsError) as caught:
        isolated(refuse)
    assert (caught.value.what, caught.value.where, caught.value.remedy) == ("what", "where", "remedy")

    def leave(_folder: str) -> int:
        return subprocess.Popen(["sleep", "60"]).pid

    pid = isolated(leave)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and os.path.exists(f"/proc/{pid}") and _lives(pid):
        time.sleep(0.05)
    assert not _lives(pid)


def test_the_private_directory_ends_with_a_child_that_takes_too_long(tmp_path: Path) -> None:
    def linger(folder: str) -> None:
        (Path(folder) / "data").write_text("restored")
        (tmp_path / "mode").write_text(oct(os.stat(folder).st_mode & 0o777))
        time.sleep(60)

    with pytest.raises(SecretopsError, match="did not end within 1 seconds"):
        isolated(linger, 1, str(tmp_path))
    assert (tmp_path / "mode").read_text() == "0o700"
    assert os.listdir(tmp_path) == ["mode"]


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_program_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is no server"):
        scratch.describe("/bin/true")
    with pytest.raises(InvalidInput, match="not a program"):
        scratch.find_binary("/nonexistent/bao")


def test_durations_read_well() -> None:
    assert [text_of(one) for one in (0, 59, 3600, 90061)] == ["0 s", "59 s", "1 h", "1 d 1 h"]
