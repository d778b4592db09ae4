# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of the role validation that follows the chain, by its playbook; the other checks run on the lab's hosts."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import eso_operator
from support.kubernetes_api import KubeApi
from support.local import write_private
from support.openbao import VaultServer
from support.playbooks import inventory_of, play
from support.scene import Run, Scene
from support.system import Play


@pytest.fixture
def scene(
    kube_api: KubeApi,
    openbao: VaultServer,
    run_module: Run,
    namespace: str,
    unique: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    made = Scene(kube_api, openbao, run_module, namespace, unique)
    made.raise_up()
    with eso_operator.running(kube_api, tmp_path_factory.mktemp("operator")):
        made.store(wait=True, wait_timeout=30)
        made.external(wait=True, wait_timeout=30)
        yield made
    made.tear_down()


def run(scene: Scene, folder: Path, playbook: str, *arguments: str) -> Play:
    """Run a playbook on the scene; a failed run is an outcome too."""
    token = folder / "token"
    write_private(token, scene.vault.token.encode())
    vault: dict[str, Any] = {
        "vault_connection": {"url": [scene.vault.url], "ca_cert": scene.vault.ca_cert},
        "vault_session_login": {"auth_method": "token", "token_file": str(token), "child": True},
    }
    kubernetes = {
        "kubernetes_connection": {"kubeconfig": scene.kube.kubeconfig},
        "vault_cluster": "vault",
        "validation_checks": ["chain"],
        "validation_chain_namespaces": [scene.at],
        "validation_kv_mount": f"{scene.name}-kv",
        "validation_namespace": scene.at,
        "validation_report": str(folder / "validation.xml"),
    }
    inventory = inventory_of(folder, vault_clusters={"vault": vault}, kubernetes_clusters={"kubernetes": kubernetes})
    return play(playbook, inventory, *arguments)


def test_the_first_broken_link_is_in_the_report_and_named_by_the_playbook(scene: Scene, tmp_path: Path) -> None:
    object_name = f'ExternalSecret "{scene.at}/app"'
    before = scene.tokens()
    for playbook, arguments in (("validate", ()), ("verify", ()), ("site", ("--tags", "verify"))):
        assert run(scene, tmp_path, playbook, *arguments).succeeded().changed == 0

    scene.client.write(scene.role_path, **{**scene.role, "bound_service_account_namespaces": ["elsewhere"]})
    wanted = (
        f'{object_name}: auth/{scene.name}: role "eso" binds namespace "elsewhere", but the service account is in '
        f'"{scene.at}"; add it to bound_service_account_namespaces'
    )
    done = run(scene, tmp_path, "validate")
    assert done.rc != 0
    assert "chain failed; see" in done.output
    failure = ET.parse(tmp_path / "validation.xml").getroot().find(".//failure")  # noqa: S314 (our own file)
    assert failure is not None
    assert wanted in str(failure.get("message"))

    for playbook, arguments in (("verify", ()), ("site", ("--tags", "verify"))):
        done = run(scene, tmp_path, playbook, *arguments)
        assert done.rc != 0
        assert wanted in done.output.replace('\\"', '"'), done.output[-3000:]
        assert scene.vault.token not in done.output
    assert scene.tokens() <= before
