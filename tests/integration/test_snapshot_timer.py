# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the role vault_snapshot_timer: what a host does by itself, with the files that the role brings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from support.local import write_private
from support.modules import Result
from support.openbao import VaultServer
from support.system import ROOT

Run = Callable[..., Result]
Host = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def server(new_server: Callable[..., VaultServer], tmp_path: Path) -> VaultServer:
    """A server with the AppRole of the role."""
    one = new_server()
    client = one.client()
    client.sys.create_or_update_policy("s", 'path "sys/storage/raft/snapshot" { capabilities = ["read"] }')
    client.sys.enable_auth_method("approle")
    client.auth.approle.create_or_update_approle("s", token_policies=["s"])
    role_id = client.auth.approle.read_role_id("s")["data"]["role_id"]
    write_private(tmp_path / "role-id", role_id.encode())
    secret_id = client.auth.approle.generate_secret_id("s")["data"]["secret_id"]
    write_private(tmp_path / "secret-id", secret_id.encode())
    return one


@pytest.fixture
def host(server: VaultServer, tmp_path: Path) -> Host:
    """A function that runs the program as systemd does, with settings beside those of every test."""
    library = tmp_path / "library" / "vault_snapshot"
    brought = yaml.safe_load((ROOT / "roles" / "vault_snapshot_timer" / "vars" / "main.yml").read_text())
    for name in brought["__vault_snapshot_timer_files"]:
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "plugins" / "module_utils" / name, library / name)

    def run(**settings: Any) -> subprocess.CompletedProcess[str]:
        common = {
            "url": server.url,
            "ca_cert": server.ca_cert,
            "product": server.product,
            "cluster": "prod",
            "role_id_file": str(tmp_path / "role-id"),
            "secret_id_file": str(tmp_path / "secret-id"),
            "dest": str(tmp_path / "snapshots"),
            "keep": 2,
        }
        write_private(tmp_path / "settings.json", json.dumps({**common, **settings}).encode())
        # the host's own Python, without any library of this environment
        command = [
            "/usr/bin/python3",
            "-B",
            "-S",
            "-m",
            "vault_snapshot._snapshot.host",
            str(tmp_path / "settings.json"),
        ]
        return subprocess.run(
            command,
            cwd=library.parent,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def tokens(server: VaultServer) -> list[str]:
    """The accessors of the tokens that exist."""
    return list(server.client().list("auth/token/accessors")["data"]["keys"])


def test_the_leaders_host_saves_with_a_token_that_ends(
    server: VaultServer, host: Host, run_module: Run, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    metrics = tmp_path / "vault.prom"
    before = tokens(server)
    refused = host(copies=[{"url": str(away)}], metrics_file=str(metrics))
    assert refused.returncode == 1 and "there is no such directory; mount it" in refused.stderr
    assert 'vault_snapshot_last_run_success{cluster="prod"} 0' in metrics.read_text()
    assert not list((tmp_path / "snapshots").glob("*")), "nothing was saved"

    away.mkdir(mode=0o700)
    for number in range(3):
        server.client().sys.create_or_update_policy(f"p{number}", 'path "x" { capabilities = ["read"] }')
        saved = host(copies=[{"url": str(away), "keep": 2}], metrics_file=str(metrics))
        assert saved.returncode == 0, saved.stderr
    assert saved.stdout.startswith(f"saved {tmp_path}/snapshots/prod-") and saved.stderr == ""
    assert 'vault_snapshot_last_run_success{cluster="prod"} 1' in metrics.read_text()
    assert tokens(server) == before, "each token was revoked"
    # what the module says of it
    for folder in (tmp_path / "snapshots", away):
        assert len(list(folder.glob("*.snap"))) == len(list(folder.glob("*.json"))) == 2
        run_module("vault_snapshot", {"state": "verified", "src": str(folder)}, must_succeed=True)
    got = run_module(
        "vault_snapshot",
        {"state": "fetched", "from_copy": {"url": str(away)}, "cluster": "prod", "dest": str(tmp_path / "back")},
        must_succeed=True,
    )
    assert (got["product"], got["version"]) == (server.product, server.client().seal_status["version"])

    server.client().delete("auth/approle/role/s")
    failed = host()
    assert failed.returncode == 1 and "auth/approle/login is refused with status" in failed.stderr
    secret = (tmp_path / "secret-id").read_text()
    assert all(secret not in one.stdout + one.stderr for one in (refused, saved, failed))
    server.client().sys.seal()
    sealed = host()
    assert sealed.returncode == 1 and "the server is sealed" in sealed.stderr
    server.stop()
    silent = host()
    assert silent.returncode == 1 and "does not answer" in silent.stderr and "Traceback" not in silent.stderr
