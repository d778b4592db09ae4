# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill tells what a restore would come to, and names the fault of a snapshot that none would be made of."""

from __future__ import annotations

import base64
import html
import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from support.local import write_private
from support.modules import Result
from support.openbao import VaultServer
from support.playbooks import inventory_of, play
from support.storage import S3Server

Run = Callable[..., Result]


@pytest.fixture
def saved(new_server: Callable[..., VaultServer], run_module: Run, s3: S3Server, tmp_path: Path) -> dict[str, Any]:
    """A snapshot with manifest and canary, a copy in a bucket, its cluster's key store of later, and the program."""
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
    bucket = f"good-{os.getpid()}-{tmp_path.name[-1]}"
    s3.client().create_bucket(Bucket=bucket)
    options.update(labels={"canary": "c1", "counts": counts}, copies=[s3.options(bucket)], cluster="good")
    done = run_module("vault_snapshot", options, must_succeed=True)
    # there was a rekey since
    former = {"shares": server.keys, "threshold": 2, "generation": 1, "encrypted": False}
    present = [base64.b64encode(os.urandom(32) + bytes([number])).decode() for number in (1, 2, 3)]
    store = {"shares": present, "threshold": 2, "generation": 2, "encrypted": False, "share_type": "unseal"}
    store |= {"former": [former], "cluster_id": client.seal_status["cluster_id"]}
    write_private(tmp_path / "keys.json", json.dumps(store).encode())
    server.discard()
    return {
        "path": Path(done["path"]),
        "store": tmp_path / "keys.json",
        "secrets": [server.token, *server.keys, s3.SECRET],
        "counts": counts,
        "bucket": bucket,
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


def bucket_of(cluster: str, saved: dict[str, Any], s3: S3Server, damage: str, **told: Any) -> dict[str, Any]:
    """Make a bucket with the good copy for a cluster, with other values in its manifest, damaged; return the place."""
    client = s3.client()
    bucket = f"{cluster}-{saved['bucket']}"
    client.create_bucket(Bucket=bucket)
    for one in client.list_objects_v2(Bucket=saved["bucket"])["Contents"]:
        content = client.get_object(Bucket=saved["bucket"], Key=one["Key"])["Body"].read()
        if one["Key"].endswith(".json"):
            content = json.dumps({**json.loads(content), "cluster": cluster, **told}).encode()
        elif damage == "flipped":
            content = content[:3000] + bytes([content[3000] ^ 1]) + content[3001:]
        elif damage == "truncated":
            content = content[: len(content) // 2]
        client.put_object(Bucket=bucket, Key=one["Key"], Body=content)
    return s3.options(bucket)


def test_the_playbook_writes_reports_and_names_the_fault_of_each_copy(
    saved: dict[str, Any], s3: S3Server, tmp_path: Path
) -> None:
    """Each cluster has a bucket or a directory of its own, and one run tries them all."""
    write_private(tmp_path / "another.json", saved["store"].read_bytes())
    changed(tmp_path / "another.json", cluster_id="another")
    another = {"snapshot_drill_key_stores": [str(tmp_path / "another.json")]}
    good = s3.options(saved["bucket"])
    clusters: dict[str, tuple[dict[str, Any], str]] = {
        "good": ({"snapshot_drill_copy": good}, ""),
        "here": ({"snapshot_source": str(saved["path"].parent)}, ""),
        "flipped": (
            {"snapshot_drill_copy": bucket_of("flipped", saved, s3, "flipped")},
            "checksum differs from its manifest's",
        ),
        "truncated": (
            {"snapshot_drill_copy": bucket_of("truncated", saved, s3, "truncated")},
            "checksum differs from its manifest's",
        ),
        "old": (
            {"snapshot_drill_copy": bucket_of("old", saved, s3, "", time="2020-01-01T00:00:00Z")},
            "old, and may be 1 d",
        ),
        "foreign": ({"snapshot_drill_copy": good}, 'holds no snapshot of "foreign", but of good'),
        # the cluster was built anew under the same name
        "rebuilt": (
            {"snapshot_drill_copy": bucket_of("rebuilt", saved, s3, ""), **another},
            "none of the key shares in",
        ),
        "away": (
            {"snapshot_drill_copy": {**good, "s3_endpoint": "http://127.0.0.1:1"}},
            "check s3_endpoint",
        ),
    }
    declared = {
        "snapshot_drill_key_stores": [str(saved["store"])],
        "snapshot_drill_binary": saved["drill"]["binary"],
        "snapshot_drill_directory": str(tmp_path / "reports"),
        "snapshot_drill_max_age": 86400,
    }
    hosts = {name: {**declared, **variables} for name, (variables, _fault) in clusters.items()}
    done = play("restore_drill", inventory_of(tmp_path, vault_clusters=hosts))
    output = " ".join(done.output.split())
    assert done.rc != 0 and not any(secret in output for secret in saved["secrets"])

    reports = {name: json.loads((tmp_path / "reports" / f"{name}.json").read_text()) for name in clusters}
    assert [name for name, report in reports.items() if report["ok"]] == ["good", "here"], output
    for name, (_variables, fault) in clusters.items():
        page = " ".join((tmp_path / "reports" / f"{name}.html").read_text().split())
        assert fault in reports[name].get("fault", ""), (name, reports[name])
        assert (fault or "A restore of the newest snapshot works.") in html.unescape(page)
    for name in ("good", "here"):
        report = reports[name]
        assert (report["canary"], report["counts"], report["counts_compared"]) == ("read", saved["counts"], True)
        assert report["rto_seconds"] > 0 and report["rpo_seconds"] >= 0
    assert reports["here"]["snapshot"] == str(saved["path"])
    report = reports["good"]
    assert report["snapshot"].startswith(f"s3://{saved['bucket']}/good-")
    assert sorted(report["phases_seconds"]) == ["fetch", "read", "restore", "start", "unseal", "verify"]
    assert f"a restore of {report['snapshot']} was tried, and works" in output
    assert reports["old"]["snapshot"].startswith(f"s3://old-{saved['bucket']}/")
