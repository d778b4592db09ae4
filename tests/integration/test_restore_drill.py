# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill tells what a restore would come to, and names the fault of a snapshot that none would be made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from support.local import write_private
from support.modules import Result
from support.openbao import VaultServer
from support.playbooks import play

Run = Callable[..., Result]


@pytest.fixture
def saved(new_server: Callable[..., VaultServer], run_module: Run, tmp_path: Path) -> dict[str, Any]:
    """A snapshot with manifest and canary, the key store of its cluster, and the program that made it."""
    server = new_server(shares=3, threshold=2)
    client = server.client()
    client.sys.enable_secrets_engine("kv", path="secret", options={"version": "1"})
    client.secrets.kv.v1.create_or_update_secret("snapshot-canary", {"canary": "c1"}, mount_point="secret")
    counts = {
        "mounts": len(client.sys.list_mounted_secrets_engines()["data"]),
        "auth_methods": len(client.sys.list_auth_methods()["data"]),
        "policies": len(client.sys.list_policies()["data"]["policies"]),
    }
    dest = tmp_path / "snapshots"
    options = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token, "dest": str(dest)}
    done = run_module("vault_snapshot", {**options, "labels": {"canary": "c1", "counts": counts}}, must_succeed=True)
    store = {"shares": server.keys, "threshold": 2, "generation": 1, "encrypted": False, "share_type": "unseal"}
    store["cluster_id"] = client.seal_status["cluster_id"]
    write_private(tmp_path / "keys.json", json.dumps(store).encode())
    server.discard()
    return {
        "path": Path(done["path"]),
        "store": tmp_path / "keys.json",
        "secrets": [server.token, *server.keys],
        "counts": counts,
        "drill": {
            "state": "drilled",
            "src": str(dest),
            "key_stores": [str(tmp_path / "keys.json")],
            "binary": str(server.binary),
            "dest": str(tmp_path),
        },
    }


def changed(path: Path, **values: Any) -> None:
    """Change what a JSON file says."""
    data = {**json.loads(path.read_text()), **values}
    path.unlink()
    write_private(path, json.dumps(data).encode())


def test_a_drill_passes_and_names_each_fault(saved: dict[str, Any], run_module: Run, tmp_path: Path) -> None:
    drill, path, record = saved["drill"], saved["path"], Path(f"{saved['path']}.json")
    assert run_module("vault_snapshot", drill, check=True, must_succeed=True).changed
    done = run_module("vault_snapshot", drill, must_succeed=True)
    assert (done["canary"], done["counts"], done["counts_compared"]) == ("read", saved["counts"], True)
    assert 0 < done["rto"] < 120 and 0 <= done["rpo"] < 600
    assert sorted(done["phases"]) == ["read", "restore", "start", "unseal", "verify"]
    done.hides(*saved["secrets"])
    assert list(tmp_path.glob("vault-drill-*")) == []

    whole, told = path.read_bytes(), record.read_text()

    def fault(**options: Any) -> str:
        found = run_module("vault_snapshot", {**drill, **options})
        assert found.failed
        return found.msg

    path.write_bytes(whole[:3000] + bytes(64) + whole[3064:])
    assert "is not a complete gzip tar" in fault()
    path.write_bytes(whole[: len(whole) // 2])
    assert "is not a complete gzip tar" in fault()
    path.write_bytes(whole)
    changed(record, time="2020-01-01T00:00:00Z")
    assert "d " in fault(max_age=86400) and "may be 1 d" in fault(max_age=86400)
    record.write_text(told)
    changed(saved["store"], cluster_id="another")
    assert "none of the key shares" in fault()
    assert "no key shares are named" in fault(key_stores=[])
    changed(saved["store"], cluster_id="")
    changed(record, labels={"canary": "c2"})
    assert "its canary is another than was recorded" in fault()
    assert list(tmp_path.glob("vault-drill-*")) == []


def test_the_playbook_takes_the_newest_and_writes_reports(saved: dict[str, Any], tmp_path: Path) -> None:
    """Of one that is too old the report names the fault."""
    folder = saved["path"].parent
    variables = {
        "snapshot_source": str(folder),
        "snapshot_drill_key_stores": [str(saved["store"])],
        "snapshot_drill_binary": saved["drill"]["binary"],
        "snapshot_drill_directory": str(tmp_path / "reports"),
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    (tmp_path / "hosts.json").write_text(json.dumps({"vault_clusters": {"hosts": {"vault": variables}}}))

    def drill(*arguments: str) -> tuple[int, str, dict[str, Any]]:
        done = play("restore_drill", tmp_path / "hosts.json", *arguments)
        report = tmp_path / "reports" / "vault.json"
        return done.rc, " ".join(done.output.split()), json.loads(report.read_text())

    rc, output, report = drill()
    assert rc == 0, output
    assert (report["ok"], report["canary"], report["counts"]) == (True, "read", saved["counts"])
    assert report["rto_seconds"] > 0 and report["rpo_seconds"] >= 0
    assert "was tried, and works" in output
    assert not any(secret in output for secret in saved["secrets"])
    page = (tmp_path / "reports" / "vault.html").read_text()
    assert "A restore of the newest snapshot works." in page

    changed(Path(f"{saved['path']}.json"), time="2020-01-01T00:00:00Z")
    rc, output, report = drill("-e", "snapshot_drill_max_age=86400")
    assert rc != 0 and report["ok"] is False and "may be 1 d" in report["fault"]
    assert "may be 1 d" in (tmp_path / "reports" / "vault.html").read_text()
