# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody meets who installs the collection and has a Vault already: an empty folder and one inventory file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.installed import Installed
from support.openbao import VaultServer
from support.system import Play


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The collection, installed once for all tests of this file."""
    return Installed(tmp_path_factory.mktemp("installed"))


class Newcomer:
    """An empty folder with the inventory of the example, whose address is that of a real server."""

    def __init__(self, installed: Installed, server: VaultServer, area: str, folder: Path) -> None:
        self.installed, self.server, self.folder = installed, server, folder
        text = (installed.root / "inventories" / "existing" / "hosts.yml").read_text()
        for was, now in {
            "https://vault.example.com:8200": server.url,
            "# ca_cert: /path/to/ca.crt    # where the controller does not trust the CA already": (
                f"ca_cert: {server.ca_cert}\n      namespace: {area}"
            ),
        }.items():
            assert was in text
            text = text.replace(was, now)
        assert len(text.splitlines()) <= 30
        self.inventory = folder / "hosts.yml"
        self.inventory.write_text(text)
        self.vault = server.client()
        self.vault.adapter.namespace = area

    def play(self, playbook: str, *arguments: str) -> Play:
        return self.installed.play(playbook, self.folder, "-i", "hosts.yml", *arguments, VAULT_TOKEN=self.server.token)

    def password(self, application: str) -> str:
        """What the server holds."""
        found = self.vault.read(f"applications/data/{application}")
        return str(found["data"]["data"]["database_password"])


@pytest.fixture
def newcomer(installed: Installed, openbao: VaultServer, area: str, tmp_path: Path) -> Newcomer:
    return Newcomer(installed, openbao, area, tmp_path)


def test_an_existing_vault_needs_thirty_lines_and_no_repair(newcomer: Newcomer) -> None:
    rehearsed = newcomer.play("site", "--check").succeeded()
    assert "set up elsewhere" in rehearsed.output
    assert "applications/" not in newcomer.vault.sys.list_mounted_secrets_engines()["data"]

    first = newcomer.play("site").succeeded()
    assert "set up elsewhere" in first.output
    assert first.recap["vault"]["changed"] == 1
    assert first.recap["vault"]["failed"] == 0
    assert len(newcomer.password("web-app")) == 32
    assert "web-app" in newcomer.vault.sys.list_policies()["data"]["policies"]

    assert newcomer.play("configure").succeeded().changed == 0
    assert newcomer.play("site").succeeded().changed == 0
    # nothing was left behind in the folder
    assert [path.name for path in newcomer.folder.iterdir()] == ["hosts.yml"]


def test_a_misspelt_variable_is_refused_before_anything_changes(newcomer: Newcomer) -> None:
    newcomer.inventory.write_text(
        newcomer.inventory.read_text().replace("vault_config_policies:", "vault_config_polices:")
    )
    for playbook in ("site", "configure"):
        refused = newcomer.play(playbook)
        assert refused.rc != 0
        said = "vault_config_polices is no variable of the role vault_config; did you mean vault_config_policies?"
        assert said in " ".join(refused.output.split())
        assert refused.changed == 0
    assert "applications/" not in newcomer.vault.sys.list_mounted_secrets_engines()["data"]
    # a name that the user says is theirs is none
    newcomer.play("configure", "--check", "-e", "vault_eso_own_variables=vault_config_polices").succeeded()


def test_a_survey_gives_a_text_for_a_list_of_names(newcomer: Newcomer) -> None:
    newcomer.play("configure").succeeded()
    applications = [
        {"name": name, "mount": "applications", "path": name, "generate": {"database_password": {"length": 40}}}
        for name in ("web-app", "batch")
    ]
    declared = ("-e", json.dumps({"rotation_applications": applications}))
    refused = newcomer.play("rotate", *declared, "-e", "rotation_only=web-app,web-ap")
    assert refused.rc != 0
    assert "rotation_only names web-ap, which" in " ".join(refused.output.split())
    newcomer.play("rotate", *declared, "-e", "rotation_only=web-app").succeeded()
    assert len(newcomer.password("web-app")) == 40
    assert newcomer.vault.list("applications/metadata")["data"]["keys"] == ["web-app"]
