# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of snapshots: what is left of a run, which copies go, and what is measured of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import private_file
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._snapshot import copies, metrics
from ansible_collections.secretops.vault_eso.plugins.module_utils._snapshot.archive import UNFINISHED, inspect
from ansible_collections.secretops.vault_eso.plugins.module_utils._snapshot.encryption import Encryption
from ansible_collections.secretops.vault_eso.plugins.module_utils._snapshot.places.directory import Directory
from ansible_collections.secretops.vault_eso.plugins.module_utils._snapshot.saving import Saving
from support.packages import Unavailable, provide

TIME = "2026-08-01T0%d:00:00Z"


def copy_of(cluster: str, hour: int, cluster_id: str = "one", suffix: str = "") -> dict[str, Any]:
    """The manifest of a copy, as a place's listing has it."""
    name = f"{cluster}-20260801T0{hour}0000Z-{hour}.snap"
    return {
        "manifest": f"{name}.json",
        "stored": {"name": name + suffix},
        "cluster_id": cluster_id,
        "time": TIME % hour,
        "index": hour,
    }


def names_of(*found: dict[str, Any]) -> list[str]:
    """The names of the files of copies."""
    return [name for one in found for name in (one["stored"]["name"], one["manifest"])]


def test_the_oldest_copies_of_a_cluster_go_and_what_a_killed_run_left_with_them() -> None:
    mine = [copy_of("prod", hour, suffix=".age") for hour in (5, 4, 3)]
    others = [copy_of("prod-eu", 1, "two"), copy_of("prod", 1, "rebuilt")]
    left = "prod-20260801T020000Z-2.snap.age"
    kept = ["prod-20260801T060000Z-6.snap.age", "prod-eu-20260801T010000Z-1.snap.age", "notes.txt"]
    names = [*names_of(*mine, *others), left, *kept]
    gone = copies.superfluous(names, [*mine, *others], "one", 2)
    assert sorted(gone) == sorted([*names_of(mine[2]), left])
    assert copies.superfluous(names, [*mine, *others], "one", 4) == []


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """An archive as a server sends one."""
    content = {"meta.json": b'{"Index": 7, "Term": 2}', "state.bin": b"state"}
    sums = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in content.items())
    made = tmp_path / "local" / "prod-20260801T030000Z-7.snap"
    made.parent.mkdir(mode=0o755)
    with gzip.open(made, "wb") as whole, tarfile.open(fileobj=whole, mode="w|") as archive:
        for name, text in {**content, "SHA256SUMS": sums.encode(), "SHA256SUMS.sealed": b"x"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return made


@pytest.fixture
def identity(tmp_path: Path) -> tuple[str, str]:
    """A key of age: its file, and its recipient."""
    try:
        provide("age-keygen", "age")
    except Unavailable as reason:
        pytest.skip(str(reason))
    path = tmp_path / "identity"
    made = subprocess.run(["age-keygen", "-o", str(path)], capture_output=True, text=True, check=True)
    return str(path), made.stderr.split()[-1]


def record_of(snapshot: Path) -> dict[str, Any]:
    """What is recorded beside it."""
    return {**inspect(str(snapshot)), "cluster": "prod", "cluster_id": "one", "time": TIME % 3}


def test_another_run_in_the_directory_removes_what_was_left_and_nothing_in_use(
    snapshot: Path, identity: tuple[str, str], tmp_path: Path
) -> None:
    folder, away = snapshot.parent, tmp_path / "away"
    away.mkdir(mode=0o700)
    left = folder / f"{UNFINISHED}left"
    left.write_text("of a run that was killed")
    how = Encryption([identity[1]], [], 60)
    with copies.outgoing(str(snapshot), snapshot.name, record_of(snapshot), how) as sent:
        with private_file.unfinished(str(folder / "x"), UNFINISHED):
            assert not left.exists()
        done = sent.put(Directory({"url": str(away)}), None)
    assert done["read_back"] and sorted(os.listdir(away)) == [f"{snapshot.name}.age", f"{snapshot.name}.json"]
    assert os.listdir(folder) == [snapshot.name]


def test_a_copy_is_private_while_it_is_decrypted(
    snapshot: Path, identity: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, back, seen = tmp_path / "away", tmp_path / "back", tmp_path / "seen"
    away.mkdir(mode=0o700)
    back.mkdir(mode=0o755)
    place = Directory({"url": str(away)})
    with copies.outgoing(str(snapshot), snapshot.name, record_of(snapshot), Encryption([identity[1]], [], 60)) as sent:
        sent.put(place, None)
    # the program itself, and then a look at what is there before it has ended
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "age"
    program.write_text(f'#!/bin/sh\n{shutil.which("age")} "$@" && stat -c %a {back}/.[!.]* >{seen}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    before = os.umask(0o022)
    try:
        copies.fetch(place, copies.choose(place, "prod", None)[0], str(back / snapshot.name), identity[0], None, 60)
    finally:
        os.umask(before)
    assert seen.read_text().split() == ["600", "600"]
    assert (back / snapshot.name).read_bytes() == snapshot.read_bytes()
    assert sorted(os.listdir(back)) == [snapshot.name, f"{snapshot.name}.json"]
    assert "stored" not in json.loads((back / f"{snapshot.name}.json").read_text())


def test_a_failed_run_that_does_not_know_the_clusters_name_keeps_the_last_success() -> None:
    saved = metrics.render("", "vault-cluster-1a", 100, {"size": 5, "index": 7}, {"/a": True})
    failed = metrics.parse(metrics.render(saved, "", 200, None, {"/a": False}))
    ours = 'cluster="vault-cluster-1a"'
    assert failed["vault_snapshot_last_success_timestamp_seconds", ours] == "100"
    assert failed["vault_snapshot_last_run_success", ours] == "0"
    assert failed["vault_snapshot_copy_success", f'{ours},place="/a"'] == "0"
    assert {labels.partition(",")[0] for _name, labels in failed} == {ours}


def test_metrics_that_cannot_be_written_do_not_hide_what_failed(tmp_path: Path) -> None:
    params = {"dest": str(tmp_path), "copies": [], "transfer_timeout": 60, "cluster": "prod"}
    saving = Saving({**params, "metrics_file": str(tmp_path / "missing" / "vault.prom")})
    with pytest.raises(InvalidInput, match="the failure"), saving.measured():
        raise InvalidInput("the failure")
