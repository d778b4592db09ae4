# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivery by Git: a real repository, a real API server with the real definitions, and Flux's part by a stand-in."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import kubernetes_api
from support.flux import Flux
from support.modules import Result
from support.playbooks import Inventory
from support.system import Play

Run = Callable[..., Result]
TREE = "clusters/kubernetes-a/external-secrets"
AUTH = {"kubernetes": {"role": "eso", "service_account": {"name": "eso", "audiences": ["vault"]}}}


class Site(Inventory):
    """One cluster, delivered from one repository."""

    def __init__(self, folder: Path, kubeconfig: str, space: str) -> None:
        self.folder = folder / "inventory"
        self.folder.mkdir()
        self.repository = folder / "fleet.git"
        self.space = space
        self.settings: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "kubernetes_connection": {"kubeconfig": kubeconfig},
            "eso_delivery": "gitops",
            "eso_gitops_repository": str(self.repository),
            "eso_gitops_checkout": str(folder / "checkout"),
            "eso_gitops_author_name": "Platform",
            "eso_gitops_author_email": "platform@example.com",
            "eso_gitops_flux_kustomization": "external-secrets",
            "eso_gitops_flux_timeout": 60,
            "eso_resources_wait": False,
            "eso_resources_namespaces": [{"name": space, "labels": {"team": "payments"}}],
            "eso_resources_service_accounts": [{"name": "eso", "namespace": space, "auth_delegator": True}],
            "eso_resources_stores": [
                {"name": "vault", "namespace": space, "server": "https://vault:8200", "path": "secret", "auth": AUTH}
            ],
            "eso_resources_generators": [{"kind": "UUID", "name": "id", "namespace": space}],
            "eso_resources_external_secrets": [self.secret("web"), self.secret("worker")],
            "eso_resources_push_secrets": [
                {
                    "name": "backup",
                    "namespace": space,
                    "store_refs": [{"name": "vault"}],
                    "selector": {"secret": {"name": "made-here"}},
                    "data": [{"match": {"secret_key": "k", "remote_ref": {"remote_key": "backups/k"}}}],
                }
            ],
        }
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.repository), where=folder)
        first = folder / "first"
        self.git("clone", "--quiet", str(self.repository), str(first), where=folder)
        self.git("commit", "--quiet", "--allow-empty", "--message=Begin", where=first)
        self.git("push", "--quiet", "origin", "HEAD:main", where=first)

    def secret(self, name: str, **more: Any) -> dict[str, Any]:
        data = [{"extract": {"key": f"applications/{name}"}}]
        store = {"name": "vault"}
        return {
            "name": name,
            "namespace": self.space,
            "store": store,
            "refresh_interval": "15m",
            "data_from": data,
            **more,
        }

    def git(self, *arguments: str, where: Path | None = None) -> str:
        author = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
        command = ["git", *author, *arguments]
        return subprocess.run(
            command, cwd=where or self.repository, capture_output=True, text=True, check=True
        ).stdout.strip()

    def log(self) -> list[str]:
        return self.git("log", "--format=%s", "main").splitlines()

    def run(self, *arguments: str, **changes: Any) -> Play:
        self.settings.update(changes)
        hosts = {"kubernetes_clusters": {"hosts": {"kubernetes-a": self.settings}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(json.loads(json.dumps(hosts))))
        return self.play("gitops", *arguments)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kubernetes_api.LocalKubeApi]:
    """An API server of its own: what Flux brings is not for a cluster in use."""
    try:
        api = kubernetes_api.LocalKubeApi(tmp_path_factory.mktemp("cluster"))
    except kubernetes_api.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        api.install_crds()
        yield api
    finally:
        api.stop()


@pytest.fixture(scope="module")
def site(cluster: kubernetes_api.LocalKubeApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("gitops"), cluster.kubeconfig, "gitops-production")
    flux = Flux(cluster, site.repository, TREE).start()
    site.flux = flux  # type: ignore[attr-defined]
    try:
        yield site
    finally:
        flux.stop()


def path(site: Site, plural: str, name: str) -> str:
    return f"/apis/external-secrets.io/v1/namespaces/{site.space}/{plural}/{name}"


def managers(current: dict[str, Any]) -> set[str]:
    return {one["manager"] for one in current["metadata"]["managedFields"] if one["operation"] == "Apply"}


def test_from_direct_to_git_and_back(site: Site, cluster: kubernetes_api.LocalKubeApi) -> None:
    flux: Flux = site.flux  # type: ignore[attr-defined]
    site.run(eso_delivery="direct", eso_gitops_repository="").succeeded()
    web = cluster.call("GET", path(site, "externalsecrets", "web"))
    assert managers(web) == {"secretops.vault_eso"}

    # check mode shows what would be committed, and commits nothing
    rehearsed = site.run("--check", "--diff", eso_delivery="gitops", eso_gitops_repository=str(site.repository))
    assert "refreshInterval: 15m" in rehearsed.succeeded().output
    assert site.log() == ["Begin"]

    delivered = site.run().succeeded()
    assert site.log() == ["kubernetes-a: add 8 of External Secrets", "Begin"]
    assert f"- add ExternalSecret {site.space}/web" in site.git("log", "-1", "--format=%b", "main")
    assert site.git("log", "-1", "--format=%an <%ae>", "main") == "Platform <platform@example.com>"
    assert "Have Flux apply the newest commit" in delivered.changed_tasks()
    taken = cluster.call("GET", path(site, "externalsecrets", "web"))
    assert managers(taken) == {"kustomize-controller"}, "the fields are Flux's alone"
    assert taken["metadata"]["uid"] == web["metadata"]["uid"], "it was never deleted"

    # the tree against the real definitions, strictly
    objects = flux.objects()
    assert sorted(one["kind"] for one in objects) == sorted(
        ["Namespace", "ServiceAccount", "ClusterRoleBinding", "SecretStore", "UUID", "ExternalSecret", "ExternalSecret",
         "PushSecret"]
    )  # fmt: skip
    for one in objects:
        query = "fieldManager=kustomize-controller&force=true&dryRun=All&fieldValidation=Strict"
        cluster.call("PATCH", f"{flux.rest_path(one)}?{query}", one, "application/apply-patch+yaml")
    kubectl = shutil.which("kubectl")
    if kubectl:
        folder = Path(site.settings["eso_gitops_checkout"]) / TREE
        built = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=True).stdout
        assert len(list(yaml.safe_load_all(built))) == len(objects)

    assert site.run().succeeded().changed == 0
    assert len(site.log()) == 2, "nothing changed, so there is no commit"

    # one field, one line
    site.run(
        eso_resources_external_secrets=[site.secret("web", refresh_interval="5m"), site.secret("worker")]
    ).succeeded()
    assert site.log()[0] == f"kubernetes-a: change ExternalSecret {site.space}/web (spec.refreshInterval)"
    assert site.git("show", "--shortstat", "--format=", "main") == "1 file changed, 1 insertion(+), 1 deletion(-)"
    assert cluster.call("GET", path(site, "externalsecrets", "web"))["spec"]["refreshInterval"] == "5m"

    # what is declared no longer leaves the tree, and Flux deletes it
    site.run(eso_resources_external_secrets=[site.secret("web", refresh_interval="5m")]).succeeded()
    assert site.log()[0] == f"kubernetes-a: remove ExternalSecret {site.space}/worker"
    assert flux.deleted == [path(site, "externalsecrets", "worker")]

    # and back: no object is ever deleted, no file stays
    site.run(eso_delivery="direct").succeeded()
    back = cluster.call("GET", path(site, "externalsecrets", "web"))
    assert managers(back) == {"secretops.vault_eso"}
    assert back["metadata"]["uid"] == web["metadata"]["uid"]
    assert not [name for name in back["metadata"].get("labels", {}) if "fluxcd" in name]
    assert "kustomize.toolkit.fluxcd.io/prune" not in back["metadata"].get("annotations", {})
    assert len(flux.deleted) == 1
    assert site.git("ls-tree", "-r", "--name-only", "main") == ""
    assert site.run().succeeded().changed == 0


def test_flux_that_fails_is_heard(site: Site) -> None:
    flux: Flux = site.flux  # type: ignore[attr-defined]
    flux.message = "kustomize build failed: no such file"
    try:
        failed = site.run(eso_delivery="gitops", eso_gitops_flux_timeout=4)
    finally:
        flux.message = ""
    assert failed.rc != 0
    assert (
        "it is not ready: ReconciliationFailed: kustomize build failed: no such file after 4 seconds" in failed.output
    )
    # the commit is pushed already: the next run asks Flux again
    again = site.run(eso_gitops_flux_timeout=60).succeeded()
    assert "Have Flux apply the newest commit" in again.changed_tasks()
    assert "Commit it" not in again.changed_tasks()


def test_credentials_in_the_url_are_refused_and_not_shown(site: Site) -> None:
    refused = site.run(eso_gitops_repository="https://robot:Git-Password-1@git.example.com/fleet.git")
    site.settings["eso_gitops_repository"] = str(site.repository)
    assert refused.rc != 0
    assert "Git-Password-1" not in refused.output


def test_what_git_would_run_or_follow_is_refused(tmp_path: Path) -> None:
    """An option instead of a repository, a magic pathspec, and a link in the repository that leads out of it."""
    site = Site(tmp_path, "/nonexistent", "production")
    site.settings.update(eso_gitops_handover=False, eso_gitops_flux_kustomization="")
    evidence = tmp_path / "evidence"
    refused = site.run(eso_gitops_repository=f"--upload-pack=touch {evidence}")
    assert refused.rc != 0 and "option or a command" in refused.output
    assert not evidence.exists()
    site.settings["eso_gitops_repository"] = str(site.repository)
    first, outside = tmp_path / "first", tmp_path / "outside"
    outside.mkdir()
    (first / "clusters").mkdir()
    (first / "clusters" / "eu").symlink_to(outside)
    (first / "clusters" / "odd [a]*").mkdir()
    site.git("add", "--all", where=first)
    site.git("commit", "--quiet", "--message=Link", where=first)
    site.git("push", "--quiet", "origin", "HEAD:main", where=first)
    refused = site.run(eso_gitops_path="clusters/eu/external-secrets")
    assert refused.rc != 0 and "is a symbolic link" in refused.output
    assert not list(outside.iterdir())
    site.run(eso_gitops_path="clusters/odd [a]*").succeeded()
    assert "clusters/odd [a]*/kustomization.yaml" in site.git("ls-tree", "-r", "--name-only", "-z", "main").split("\0")


def test_many_clusters_push_to_one_repository_at_the_same_time(tmp_path: Path) -> None:
    names = ["kubernetes-a", "kubernetes-b", "kubernetes-c"]
    # nothing is asked of a cluster here, so that there is none
    site = Site(tmp_path, "/nonexistent", "production")
    site.settings.update(
        eso_gitops_checkout=str(tmp_path / "checkouts") + "/{{ inventory_hostname }}",
        eso_gitops_handover=False,
        eso_gitops_flux_kustomization="",
    )
    groups = {"kubernetes_clusters": {"hosts": dict.fromkeys(names), "vars": site.settings}}
    (site.folder / "hosts.yml").write_text(yaml.safe_dump(json.loads(json.dumps(groups))))
    site.play("gitops").succeeded()
    assert sorted(site.log()) == ["Begin", *(f"{name}: add 8 of External Secrets" for name in names)]
    tree = site.git("ls-tree", "-r", "--name-only", "main").splitlines()
    assert len(tree) == 3 * 9
    assert site.play("gitops").succeeded().changed == 0


@pytest.fixture
def declared(tmp_path: Path) -> dict[str, Any]:
    secret = {"name": "web", "namespace": "a", "store": {"name": "v"}, "data_from": [{"extract": {"key": "k"}}]}
    return {"path": str(tmp_path / "tree"), "label": "eu-1", "external_secrets": [secret]}


def test_a_tree_is_the_same_for_the_same_data(declared: dict[str, Any], run_module: Run) -> None:
    root = Path(declared["path"])
    assert run_module("eso_manifests", declared, check=True, must_succeed=True).changed
    assert not root.exists()
    made = run_module("eso_manifests", declared, must_succeed=True)
    assert made["objects"] == [
        {"api_version": "external-secrets.io/v1", "kind": "ExternalSecret", "namespace": "a", "name": "web"}
    ]
    before = {one: one.read_bytes() for one in root.rglob("*.yaml")}
    (root / "notes.md").write_text("somebody's")
    again = run_module("eso_manifests", declared, must_succeed=True)
    assert (again.changed, again["message"]) == (False, "")
    assert {one: one.read_bytes() for one in root.rglob("*.yaml")} == before
    older = run_module("eso_manifests", {**declared, "api_version": "v1beta1"}, must_succeed=True)
    assert older["message"] == "eu-1: change ExternalSecret a/web (apiVersion)"
    gone = run_module("eso_manifests", {"path": declared["path"], "state": "absent"}, must_succeed=True)
    assert [one["name"] for one in gone["removed"]] == ["web"]
    assert [one.name for one in root.rglob("*")] == ["notes.md"]


def test_what_others_wrote_is_not_overwritten(declared: dict[str, Any], run_module: Run) -> None:
    root = Path(declared["path"])
    root.mkdir()
    (root / "kustomization.yaml").write_text("resources: []\n")
    refused = run_module("eso_manifests", declared)
    assert "was not written by this collection and would be overwritten" in refused.msg
    assert (root / "kustomization.yaml").read_text() == "resources: []\n"


def test_no_link_in_a_tree_is_followed(declared: dict[str, Any], run_module: Run, tmp_path: Path) -> None:
    root, outside = Path(declared["path"]), tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    (root / "a").symlink_to(outside)
    assert "is a symbolic link" in run_module("eso_manifests", declared).msg
    assert not list(outside.iterdir())
    (root / "a").unlink()
    (root / "kustomization.yaml").symlink_to(outside / "x")
    assert "is a symbolic link" in run_module("eso_manifests", declared).msg
    assert "is not in" in run_module("eso_manifests", {**declared, "within": str(outside)}).msg


GENERATOR = {"name": "g", "namespace": "a", "path": "x/creds/y", "provider": {"server": "https://v:1", "auth": AUTH}}
STORE = {"name": "s", "namespace": "a", "server": "https://v:1", "auth": AUTH}


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"objects": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}]}, "does not belong into Git"),
        (
            {"stores": [{**STORE, "headers": {"X-Vault-Token": "hvs.CAESIJ0123456789abcdefghij"}}]},
            "looks like a secret",
        ),
        ({"generators": [{**GENERATOR, "method": "POST", "parameters": {"password": "Pw-11"}}]}, "looks like a secret"),
        ({"external_secrets": [{"name": "x", "namespace": "a", "refresh": "1h"}]}, "refresh"),
        ({"external_secrets": [{"name": "x", "namespace": "a", "store": {"name": "v"}}]}, "neither data nor data_from"),
    ],
)
def test_what_cannot_be_right_is_refused(lists: dict[str, Any], said: str, tmp_path: Path, run_module: Run) -> None:
    refused = run_module("eso_manifests", {"path": str(tmp_path / "tree"), **lists})
    assert refused.failed
    assert said in refused.msg
    assert not (tmp_path / "tree").exists()
    assert "hvs.CAES" not in refused.msg
    assert "Pw-11" not in refused.msg
