# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_snapshot: what is saved is whole, and what is restored is back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """A server whose data may be put back."""
    one = VaultServer(tmp_path_factory.mktemp("snapshots"))
    try:
        one.client().sys.enable_secrets_engine("kv", path="secret", options={"version": "1"})
        yield one
    finally:
        one.discard()


@pytest.fixture
def args(server: VaultServer) -> dict[str, Any]:
    """Connection and root token."""
    return {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}


def reader(server: VaultServer) -> str:
    """A token that may take snapshots and nothing else."""
    client = server.client()
    client.sys.create_or_update_policy("snapshot", 'path "sys/storage/raft/snapshot" { capabilities = ["read"] }')
    return str(client.auth.token.create(policies=["snapshot"], no_default_policy=True)["auth"]["client_token"])


def test_saves_with_a_token_that_may_do_nothing_else_and_prunes(
    server: VaultServer, args: dict[str, Any], run_module: Run, tmp_path: Path
) -> None:
    dest = tmp_path / "backup"
    token = reader(server)
    save = {**args, "token": token, "dest": str(dest), "keep": 2, "labels": {"canary": "c1"}}
    assert run_module("vault_snapshot", save, check=True, must_succeed=True).changed
    assert list(dest.glob("*")) == []

    first = run_module("vault_snapshot", save, diff=True, must_succeed=True)
    path = Path(first["path"])
    assert first.changed and path.stat().st_mode & 0o777 == 0o600 and dest.stat().st_mode & 0o777 == 0o700
    first.hides(token)
    record = json.loads(Path(f"{path}.json").read_text())
    assert record["sha256"] == first["sha256"] and record["index"] == first["index"] > 0
    assert (record["cluster_id"], record["seal_type"], record["labels"]) == (
        server.client().seal_status["cluster_id"],
        "shamir",
        {"canary": "c1"},
    )

    stranger = dest / "other.snap"
    stranger.write_bytes(b"not ours")
    for number in range(3):
        server.client().secrets.kv.v1.create_or_update_secret(f"n{number}", {"a": "b"}, mount_point="secret")
        last = run_module("vault_snapshot", save, must_succeed=True)
    assert last["pruned"] and not path.exists()
    kept = sorted(file.name for file in dest.iterdir())
    assert len([name for name in kept if name.endswith(".snap")]) == 3 and stranger.exists()
    newest = run_module("vault_snapshot", {"state": "verified", "src": str(dest)}, must_succeed=True)
    assert (newest.changed, newest["path"]) == (False, last["path"])


def test_damage_is_found(server: VaultServer, args: dict[str, Any], run_module: Run, tmp_path: Path) -> None:
    good = tmp_path / "good.snap"
    run_module("vault_snapshot", {**args, "dest": str(good)}, must_succeed=True)
    content = good.read_bytes()
    refused = run_module("vault_snapshot", {**args, "dest": str(good)})
    assert refused.failed and "exists already" in refused.msg and good.read_bytes() == content

    def verdict(data: bytes, **options: Any) -> str:
        file = tmp_path / "bad.snap"
        file.write_bytes(data)
        result = run_module("vault_snapshot", {"state": "verified", "src": str(file), **options})
        assert result.failed
        # the server is not asked to take it
        restored = run_module("vault_snapshot", {**args, "state": "restored", "src": str(file), **options})
        assert restored.failed and restored.msg == result.msg and not restored.changed
        return result.msg

    assert "not a complete gzip tar" in verdict(b"")
    assert "not a complete gzip tar" in verdict(content[: len(content) // 2])
    assert "not a complete gzip tar" in verdict(content[:3000] + bytes(64) + content[3064:])
    assert "not a complete gzip tar" in verdict(content[:-4])
    assert "less than" in verdict(content, min_size=10**9)
    record = Path(f"{good}.json")
    record.write_text(record.read_text().replace('"sha256": "', '"sha256": "0'))
    changed = run_module("vault_snapshot", {"state": "verified", "src": str(good)})
    assert changed.failed and "another than the record" in changed.msg
    missing = run_module("vault_snapshot", {"state": "verified", "src": str(tmp_path / "none.snap")})
    assert missing.failed and "does not exist" in missing.msg


def test_a_lower_index_is_refused_and_nothing_is_left(
    server: VaultServer, args: dict[str, Any], run_module: Run, tmp_path: Path
) -> None:
    dest = tmp_path / "backup"
    first = run_module("vault_snapshot", {**args, "dest": str(dest)}, must_succeed=True)
    record = Path(f"{first['path']}.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "index": 10**9}))
    refused = run_module("vault_snapshot", {**args, "dest": str(dest)})
    assert refused.failed and "is lower than 1000000000" in refused.msg
    assert len(list(dest.iterdir())) == 2
    run_module("vault_snapshot", {**args, "dest": str(dest), "allow_lower_index": True}, must_succeed=True)


def test_missing_permission_names_the_capability(
    server: VaultServer, args: dict[str, Any], run_module: Run, tmp_path: Path
) -> None:
    token = server.client().auth.token.create(policies=["default"])["auth"]["client_token"]
    refused = run_module("vault_snapshot", {**args, "token": token, "dest": str(tmp_path / "x")})
    assert refused.failed and 'path "sys/storage/raft/snapshot"' in refused.msg
    assert list((tmp_path / "x").glob("*")) == []


def test_a_deleted_secret_is_back_after_a_restore(
    server: VaultServer, args: dict[str, Any], run_module: Run, tmp_path: Path
) -> None:
    kv = server.client().secrets.kv.v1
    kv.create_or_update_secret("precious", {"value": "there"}, mount_point="secret")
    saved = run_module("vault_snapshot", {**args, "dest": str(tmp_path / "s")}, must_succeed=True)
    kv.delete_secret("precious", mount_point="secret")
    younger = server.client().auth.token.create(policies=["root"])["auth"]["client_token"]
    restore = {**args, "state": "restored", "src": saved["path"], "token": younger}

    assert run_module("vault_snapshot", restore, check=True, must_succeed=True).changed
    assert kv.list_secrets("", mount_point="secret")["data"]["keys"].count("precious") == 0

    done = run_module("vault_snapshot", restore, must_succeed=True)
    assert (done.changed, done["sealed"], done["token_valid"]) == (True, False, False)
    assert kv.read_secret("precious", mount_point="secret")["data"] == {"value": "there"}


def test_another_clusters_snapshot_needs_force_and_its_own_shares(
    server: VaultServer, new_server: Callable[..., VaultServer], args: dict[str, Any], run_module: Run, tmp_path: Path
) -> None:
    server.client().secrets.kv.v1.create_or_update_secret("canary", {"value": "sings"}, mount_point="secret")
    saved = run_module("vault_snapshot", {**args, "dest": str(tmp_path / "s")}, must_succeed=True)
    scratch = new_server()
    restore = {"url": [scratch.url], "ca_cert": scratch.ca_cert, "token": scratch.token}
    restore.update(state="restored", src=saved["path"])
    refused = run_module("vault_snapshot", restore)
    assert refused.failed and "is of another cluster" in refused.msg
    assert scratch.health() == 200

    # of a file without a record only the server can tell
    bare = tmp_path / "bare.snap"
    bare.write_bytes(Path(saved["path"]).read_bytes())
    refused = run_module("vault_snapshot", {**restore, "src": str(bare)})
    assert refused.failed and "another set of key shares" in refused.msg

    forced = run_module("vault_snapshot", {**restore, "force": True}, must_succeed=True)
    assert forced.changed and forced["sealed"] is True
    keys = {"url": [scratch.url], "ca_cert": scratch.ca_cert, "shares": server.keys}
    run_module("vault_unseal", keys, must_succeed=True)
    scratch.wait_active()
    found = scratch.client(server.token).secrets.kv.v1.read_secret("canary", mount_point="secret")
    assert found["data"] == {"value": "sings"}
