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
from kubernetes import client

from support.installed import Installed
from support.kubernetes_api import KubeApi
from support.openbao import VaultServer, enable_kv
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


def verdict(play: Play) -> str:
    """Return the line that ends a run; it is said once."""
    said = play.output.partition("PLAY [Say how it ended]")[2].partition("PLAY RECAP")[0]
    (line,) = re.findall(r'^    "msg": "(.*)"$', said.partition("fatal: ")[0], re.MULTILINE)
    return str(json.loads('"%s"' % line))


@pytest.fixture
def newcomer(installed: Installed, openbao: VaultServer, area: str, tmp_path: Path) -> Newcomer:
    return Newcomer(installed, openbao, area, tmp_path)


def test_an_existing_vault_needs_thirty_lines_and_no_repair(newcomer: Newcomer) -> None:
    rehearsed = newcomer.play("site", "--check").succeeded()
    assert verdict(rehearsed) == "Check mode, nothing was changed. vault: 3 objects in Vault would change."
    assert "set up elsewhere" in rehearsed.output
    assert "applications/" not in newcomer.vault.sys.list_mounted_secrets_engines()["data"]

    first = newcomer.play("site").succeeded()
    assert verdict(first) == "vault: 3 objects in Vault changed."
    assert "set up elsewhere" in first.output
    assert first.recap["vault"]["changed"] == 1
    assert first.recap["vault"]["failed"] == 0
    assert len(newcomer.password("web-app")) == 32
    assert "web-app" in newcomer.vault.sys.list_policies()["data"]["policies"]

    again = newcomer.play("configure").succeeded()
    assert again.changed == 0
    assert verdict(again) == "vault: 3 objects in Vault as declared."
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
        said = "vault_config_polices is not a variable of the role vault_config; did you mean vault_config_policies?"
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
    assert "vault: rotated: web-app (version 2)." in rotated.succeeded().output
    # what a workflow of job templates gets
    stats = " ".join(rotated.output.partition("CUSTOM STATS")[2].split())
    assert '"vault": { "applications": [ "web-app" ], "versions": { "applications/web-app": 2 } }' in stats
    assert len(newcomer.password("web-app")) == 40
    assert verdict(rotated) == "vault: 1 application rotated."
    assert newcomer.vault.list("applications/metadata")["data"]["keys"] == ["web-app"]


#: what each documented tag of the contents of Vault looks at
KINDS = yaml.safe_load((ROOT / "roles" / "vault_config" / "vars" / "main.yml").read_text())["__vault_config_tag_kinds"]
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
    # the table that is written from the kinds: variable, module, tag
    table = (ROOT / "roles" / "vault_config" / "README.md").read_text()
    assert list(dict.fromkeys(re.findall(r"^\| `vault_config_\w+` \| [^|]+ \| `(\w+)` \|", table, re.M))) == list(KINDS)
    for role, names in {"vault_server": STEPS["servers"], "vault_cluster": STEPS["clusters"]}.items():
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
    refused = newcomer.play(playbook, "-e", "restore_confirmed=vault")
    assert refused.rc != 0
    assert re.search(rf"vault: (there is no|no snapshot is named; )?.*set {missing}", " ".join(refused.output.split()))
    assert refused.changed == 0
    assert newcomer.vault.sys.list_policies()["data"]["policies"] == before
    rehearsed = newcomer.play(playbook, "--check")
    if playbook == "restore":
        said = verdict(rehearsed.succeeded())
        assert "missing for a restore: a snapshot (none is named; set snapshot_source" in said
        assert "and the confirmation (-e restore_confirmed=vault)" in said
        assert "would put the cluster back to a snapshot; all that was written since" in " ".join(
            rehearsed.output.split()
        )


DEPLOYMENT = {
    "metadata": {"name": "web-app"},
    "spec": {
        "selector": {"matchLabels": {"app": "web-app"}},
        "template": {
            "metadata": {"labels": {"app": "web-app"}},
            "spec": {"containers": [{"name": "web-app", "image": "example.com/web-app"}]},
        },
    },
}


def test_nothing_is_rotated_that_a_cluster_would_not_take(
    newcomer: Newcomer, kube_api: KubeApi, namespace: str
) -> None:
    """Neither where a cluster is down nor where it refuses, and what was not rotated is not restarted."""
    enable_kv(newcomer.vault, "applications")
    for name in ("fine", "down", "denied"):
        newcomer.vault.secrets.kv.v2.create_or_update_secret(
            name, {"database_password": f"the-first-of-{name}"}, mount_point="applications"
        )
    apps = client.AppsV1Api(kube_api.api)
    apps.create_namespaced_deployment(namespace, DEPLOYMENT)
    client.CoreV1Api(kube_api.api).create_namespaced_service_account(namespace, {"metadata": {"name": "nobody"}})

    def restarted() -> str | None:
        found = apps.read_namespaced_deployment("web-app", namespace)
        return (found.spec.template.metadata.annotations or {}).get("kubectl.kubernetes.io/restartedAt")

    ca_cert = str(kube_api.ca_cert)
    clusters = {
        "fine": {"kubeconfig": str(kube_api.kubeconfig)},
        "down": {"host": "https://127.0.0.1:1", "api_key": "x", "ca_cert": ca_cert, "retries": 0},
        "denied": {"host": kube_api.url, "api_key": kube_api.token(namespace, "nobody"), "ca_cert": ca_cert},
    }
    hosts = {name: {"kubernetes_connection": connection} for name, connection in clusters.items()}
    inventory = yaml.safe_load(newcomer.inventory.read_text())
    newcomer.inventory.write_text(yaml.safe_dump({**inventory, "kubernetes_clusters": {"hosts": hosts}}))

    def rotate(**mounts: str) -> Play:
        applications = [
            {
                "name": cluster,
                "path": cluster,
                "mount": mounts.get(cluster, "applications"),
                "generate": {"database_password": {"length": 40}},
                "workloads": [{"namespace": namespace, "name": "web-app", "cluster": cluster}],
            }
            for cluster in clusters
        ]
        declared = {"rotation_applications": applications, "rotation_rollout_wait": False}
        return newcomer.play("rotate", "-e", json.dumps(declared))

    def versions() -> dict[str, int]:
        read = newcomer.vault.secrets.kv.v2.read_secret_metadata
        return {name: read(name, mount_point="applications")["data"]["current_version"] for name in clusters}

    run = rotate()
    said = " ".join(run.output.split())
    assert run.rc != 0
    assert versions() == {"fine": 2, "down": 1, "denied": 1}
    assert "vault did not converge. Rotate every application:" in said
    told = said.partition("vault did not converge.")[2]
    assert "Kubernetes cluster down: " in told and "https://127.0.0.1:1: connection refused" in told, told
    assert "Kubernetes cluster denied: " in told and "(2 held back; 1 rotated)" in told, told
    assert verdict(run) == (
        "vault: 1 application rotated. Pending: vault: not rotated: down, denied. Failed: vault (see the error below)."
    )
    before = restarted()
    assert before

    broken = rotate(fine="missing")
    assert "nothing is mounted there" in " ".join(broken.output.split())
    assert verdict(broken).endswith(
        "Pending: vault: not rotated: fine, down, denied. Failed: vault (see the error below)."
    )
    assert restarted() == before

    limited = newcomer.play("rotate", "--limit", "fine")
    assert limited.rc != 0
    assert "the run is limited to fine, so nothing is rotated" in " ".join(limited.output.split())


HOOK = """
- name: Read what is to be accepted
  secretops.vault_eso.vault_kv_read: {mount: applications, path: web-app, version: "{{ rotation_version }}"}
  register: held

- name: Refuse the third version
  ansible.builtin.fail: {msg: the other system refuses it}
  when: rotation_version | int == 3

- name: Accept it
  secretops.vault_eso.vault_kv:
    mount: applications
    path: other-system
    data: {password: "{{ held.secret.database_password }}"}
"""


def test_tasks_of_an_application_change_another_system(newcomer: Newcomer, tmp_path: Path) -> None:
    newcomer.play("configure").succeeded()
    (tmp_path / "hook.yml").write_text(HOOK)
    application = {"mount": "applications", "generate": {"database_password": {"length": 40}}}
    plain = {"name": "plain", "path": "plain", **application}
    hooked = {"name": "web-app", "path": "web-app", **application, "hook": str(tmp_path / "hook.yml")}
    declared = ("-e", json.dumps({"rotation_applications": [hooked, plain]}))
    kv = newcomer.vault.secrets.kv.v2
    kv.create_or_update_secret("plain", {"database_password": "the-first-of-it"}, mount_point="applications")

    def accepted() -> str:
        found = kv.read_secret_version("other-system", mount_point="applications", raise_on_deleted_version=True)
        return str(found["data"]["data"]["password"])

    planned = newcomer.play("rotate", *declared, "--check").succeeded()
    assert "web-app would be rotated" in planned.output and "plain would be rotated" in planned.output
    rotated = newcomer.play("rotate", *declared).succeeded()
    assert "vault: rotated: plain (version 2), web-app (version 2)." in rotated.output
    second = newcomer.password("web-app")
    assert accepted() == second and len(second) == 40 and second not in rotated.output

    failed = newcomer.play("rotate", *declared)
    assert failed.rc != 0
    said = " ".join(failed.output.split())
    assert "the other system refuses it" in said and "rolled back to the values of version 2, as version 4" in said
    assert newcomer.password("web-app") == second == accepted()
    about = kv.read_secret_metadata("web-app", mount_point="applications")["data"]
    assert about["current_version"] == 4 and "rotation_in_progress" not in about["custom_metadata"]
    assert verdict(failed) == (
        "vault: 1 application rotated. Pending: vault: not rotated: web-app. Failed: vault (see the error below)."
    )
