# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with secrets: where they may lie, and what is left of a write that was cut off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import private_file
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.key_store import KeyStore

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")


def test_a_directory_below_one_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    open_one = tmp_path / "open"
    (open_one / "own").mkdir(parents=True)
    open_one.chmod(0o777)
    with pytest.raises(InvalidInput, match=f"everybody may write to the directory {open_one}"):
        private_file.prepare(str(open_one / "own" / "secret"), "dest")
    # where nobody can replace what is somebody else's
    open_one.chmod(0o1777)
    (open_one / "own").chmod(0o700)
    private_file.prepare(str(open_one / "own" / "secret"), "dest")


@needs_root
def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other" / "own").mkdir(parents=True)
    os.chown(tmp_path / "other", 12345, 12345)
    place = str(tmp_path / "other" / "own" / "secret")
    with pytest.raises(InvalidInput, match=r"other belongs to another user \(uid 12345\)"):
        private_file.prepare(place, "dest")
    private_file.prepare(place, "dest", own=False)
    monkeypatch.setenv("SUDO_UID", "12345")
    private_file.prepare(place, "dest")


def test_what_a_killed_write_left_is_removed_and_what_is_in_use_stays(tmp_path: Path) -> None:
    place = tmp_path / "token"
    in_use, path = private_file.temporary(str(place))
    left = tmp_path / ".token.new-left"
    left.write_text("a secret")
    private_file.write(str(place), "value")
    assert sorted(os.listdir(tmp_path)) == sorted([os.path.basename(path), "token"])
    os.close(in_use)
    private_file.write(str(place), "value")
    assert os.listdir(tmp_path) == ["token"]


def test_reservations_of_a_key_store_without_an_answer_are_removed(tmp_path: Path) -> None:
    store = KeyStore(str(tmp_path / "keys.json"))
    (tmp_path / ".keys.json.pending-blank.ready").write_bytes(b"\n" * 1000)
    answer = tmp_path / ".keys.json.pending-answer.ready"
    answer.write_text('{"shares": ["x"]}')
    store.check_writable()
    assert os.listdir(tmp_path) == [answer.name]
    assert store.pending() == str(answer)
