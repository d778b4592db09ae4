# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a kubeconfig is written to files, and for how long."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.options import connect


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that short-lived secrets are put into."""
    folder = tmp_path / "memory"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


NOTHING = base64.b64encode(b"no certificate").decode()


def kubeconfig(folder: Path, user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, str]:
    """Return the options for a kubeconfig; by default its user's key and certificate are given inline, and are none."""
    user = user or {"client-certificate-data": NOTHING, "client-key-data": NOTHING}
    settings = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        "clusters": [{"name": "one", "cluster": {"server": "https://192.0.2.1", **cluster}}],
        "users": [{"name": "one", "user": user}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(settings))
    return {"kubeconfig": str(path)}


def test_files_of_a_kubeconfig_that_cannot_be_used_are_removed(tmp_path: Path, memory: Path) -> None:
    with pytest.raises(InvalidInput, match="certificates cannot be used"):
        connect(kubeconfig(tmp_path))
    assert list(memory.iterdir()) == []


def test_files_last_as_long_as_a_proxy_needs_them(tmp_path: Path, memory: Path) -> None:
    """The pool for such a proxy reads them at each connection."""
    client = connect(kubeconfig(tmp_path, **{"proxy-url": "https://proxy.example.com"}))
    (folder,) = memory.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    # the same text is written once
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [client.configuration.cert_file, client.configuration.key_file] == [str(file)] * 2
    client.close()
    assert list(memory.iterdir()) == []


def test_files_of_one_client_outlast_another(tmp_path: Path, memory: Path) -> None:
    """A task may have clients for many clusters, some with the same certificates."""
    options = kubeconfig(tmp_path, **{"proxy-url": "https://proxy.example.com"})
    first, second = connect(options), connect(options)
    for client in (second, first):
        assert Path(client.configuration.key_file).read_bytes() == b"no certificate"
        client.close()
    assert list(memory.iterdir()) == []


def test_files_outlast_a_renewed_login(tmp_path: Path, memory: Path) -> None:
    login, version = tmp_path / "login", "client.authentication.k8s.io/v1"
    status = {"token": "a-token", "expirationTimestamp": "2020-01-01T00:00:00Z"}
    answer = {"kind": "ExecCredential", "apiVersion": version, "status": status}
    login.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    login.chmod(0o700)
    user = {"exec": {"apiVersion": version, "command": str(login), "interactiveMode": "Never"}}
    authority = {"certificate-authority-data": NOTHING, "proxy-url": "https://proxy.example.com"}
    client = connect(kubeconfig(tmp_path, user, **authority))
    for _renewal in range(2):
        assert client.configuration.get_api_key_with_prefix("BearerToken") == "Bearer a-token"
        assert Path(client.configuration.ssl_ca_cert).read_bytes() == b"no certificate"
    client.close()
    assert list(memory.iterdir()) == []


def test_files_of_other_users_of_the_official_client_stay(tmp_path: Path, memory: Path) -> None:
    options = kubeconfig(tmp_path, **{"proxy-url": "https://proxy.example.com"})
    other = kubernetes_client.Configuration()
    kubernetes_config.load_kube_config(options["kubeconfig"], client_configuration=other)
    client = connect(options)
    assert Path(client.configuration.key_file).parent.parent == memory
    client.close()
    assert Path(other.key_file).read_bytes() == b"no certificate"
