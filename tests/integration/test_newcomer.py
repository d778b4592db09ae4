# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody meets who installs the collection and has a Vault already: an empty folder and one inventory file."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from support.installed import Installed
from support.openbao import VaultServer
from support.system import ROOT, Play


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

    def play(self, playbook: str, *arguments: str, **environment: str) -> Play:
        environment = {"VAULT_TOKEN": self.server.token, **environment}
        return self.installed.play(playbook, self.folder, "-i", "hosts.yml", *arguments, **environment)

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
    rotated = newcomer.play("rotate", *declared, "-e", "rotation_only=web-app", ANSIBLE_SHOW_CUSTOM_STATS="true")
    assert "vault: rotated: applications/web-app (version 2)." in rotated.succeeded().output
    # what a workflow of job templates gets
    stats = " ".join(rotated.output.partition("CUSTOM STATS")[2].split())
    assert '"vault": { "applications": [ "web-app" ], "versions": { "applications/web-app": 2 } }' in stats
    assert len(newcomer.password("web-app")) == 40
    assert newcomer.vault.list("applications/metadata")["data"]["keys"] == ["web-app"]


#: what each documented tag of the contents of Vault looks at
KINDS = yaml.safe_load((ROOT / "roles" / "vault_config" / "vars" / "main.yml").read_text())["vault_config_tag_kinds"]
STEPS = {
    "servers": ["install", "tls", "configure", "harden", "service"],
    "clusters": ["init", "unseal", "administer"],
}


def looked_at(play: Play) -> list[str]:
    """Return the kinds that the run looked at, as the module's own options say."""
    found = re.search(r'"kinds": \[([^\]]*)\]', play.output)
    return re.findall(r'"(\w+)"', found[1]) if found else []


def test_documented_tags_are_listed(newcomer: Newcomer) -> None:
    listed = newcomer.play("site", "--list-tags")
    assert listed.rc == 0, listed.output
    tags = {tag for line in re.findall(r"TASK TAGS: \[(.*)\]", listed.output) for tag in line.split(", ")}
    documented = {*KINDS, *STEPS, *STEPS["servers"], *STEPS["clusters"], "vault", "kubernetes"}
    assert tags - {"always", "verify", "never"} == documented
    for role, names in {
        "vault_config": list(KINDS),
        "vault_server": STEPS["servers"],
        "vault_cluster": STEPS["clusters"],
    }.items():
        said = (ROOT / "roles" / role / "README.md").read_text().partition("Tags: ")[2]
        assert re.findall(r"`(\w+)`", said)[: len(names)] == names, role


def test_each_tag_looks_at_its_kinds_and_at_nothing_else(newcomer: Newcomer) -> None:
    with ThreadPoolExecutor(2) as pool:
        plays = pool.map(lambda tag: newcomer.play("configure", "--check", "-vvv", "--tags", tag), KINDS)
        found = {tag: looked_at(play.succeeded()) for tag, play in zip(KINDS, plays)}
    assert {tag: sorted(kinds) for tag, kinds in found.items()} == {tag: sorted(kinds) for tag, kinds in KINDS.items()}


def test_tags_choose_from_site_and_skip_one_another(newcomer: Newcomer) -> None:
    assert "Converge what is declared" not in newcomer.play("site", "--tags", "clusters,servers").succeeded().output
    skipped = newcomer.play("configure", "--check", "-vvv", "--skip-tags", "policies,audit").succeeded()
    everything = [kind for tag, kinds in KINDS.items() if tag not in ("policies", "audit") for kind in kinds]
    assert sorted(looked_at(skipped)) == sorted(everything)

    chosen = newcomer.play("site", "--tags", "policies").succeeded()
    assert "set up elsewhere" not in chosen.output
    assert "web-app" in newcomer.vault.sys.list_policies()["data"]["policies"]
    assert "applications/" not in newcomer.vault.sys.list_mounted_secrets_engines()["data"]


def test_a_failure_under_a_tag_is_named(newcomer: Newcomer) -> None:
    newcomer.inventory.write_text(newcomer.inventory.read_text().replace("[read]", "[reed]"))
    failed = newcomer.play("site", "--tags", "policies")
    assert failed.rc != 0
    assert "vault did not converge." in " ".join(failed.output.split())


@pytest.mark.parametrize("playbook, missing", [("snapshot", "snapshot_directory"), ("restore", "snapshot_source")])
def test_what_is_missing_is_named_before_anything_changes(newcomer: Newcomer, playbook: str, missing: str) -> None:
    before = newcomer.vault.sys.list_policies()["data"]["policies"]
    refused = newcomer.play(playbook, "-e", "restore_confirmed=true")
    assert refused.rc != 0
    assert re.search(rf"vault: (there is no|no snapshot is named; )?.*set {missing}", " ".join(refused.output.split()))
    assert refused.changed == 0
    assert newcomer.vault.sys.list_policies()["data"]["policies"] == before
