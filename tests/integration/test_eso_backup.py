# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's configuration saved from one API server and brought back into another, empty one."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from support import kubernetes_api
from support.flux import definition
from support.kubernetes_api import LocalKubeApi
from support.modules import Result
from support.playbooks import Inventory

Run = Callable[..., Result]
V1 = "external-secrets.io/v1"
GENERATORS = "generators.external-secrets.io/v1alpha1"
APPLY = "application/apply-patch+yaml"
VAULT = {
    "server": "https://v:8200",
    "path": "secret",
    "auth": {"kubernetes": {"role": "eso", "mountPath": "kubernetes"}},
}
SECRET = {"secretStoreRef": {"name": "vault"}, "dataFrom": [{"extract": {"key": "a"}}], "refreshInterval": "1h"}
PUSH = {
    "secretStoreRefs": [{"name": "vault"}],
    "selector": {"secret": {"name": "made-here"}},
    "data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "b/k"}}}],
}
INLINE = "Inline-Secret-41c0"
#: kind, plural, API version, namespace, spec; kinds without a module of ours are among them
OBJECTS: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("PushSecret", "pushsecrets", "external-secrets.io/v1alpha1", "one", PUSH),
    ("ExternalSecret", "externalsecrets", V1, "one", SECRET),
    ("ExternalSecret", "externalsecrets", V1, "two", SECRET),
    ("SecretStore", "secretstores", V1, "one", {"provider": {"vault": VAULT}}),
    ("SecretStore", "secretstores", V1, "two", {"provider": {"fake": {"data": [{"key": "x", "value": INLINE}]}}}),
    ("ClusterSecretStore", "clustersecretstores", V1, "", {"provider": {"vault": VAULT}}),
    ("UUID", "uuids", GENERATORS, "two", {}),
    ("Fake", "fakes", GENERATORS, "two", {"data": {"a": "b"}}),
    ("ClusterGenerator", "clustergenerators", GENERATORS, "", {"kind": "UUID", "generator": {"uuidSpec": {}}}),
    (
        "ClusterExternalSecret",
        "clusterexternalsecrets",
        V1,
        "",
        {"externalSecretSpec": SECRET, "namespaceSelectors": [{"matchLabels": {"team": "x"}}]},
    ),
]


def path(plural: str, version: str, namespace: str, name: str = "") -> str:
    return f"/apis/{version}/{f'namespaces/{namespace}/' if namespace else ''}{plural}/{name}".rstrip("/")


def servers(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[LocalKubeApi]:
    try:
        api = LocalKubeApi(tmp_path_factory.mktemp(name))
    except kubernetes_api.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        api.install_crds()
        fake(api)
        yield api
    finally:
        api.stop()


def fake(api: LocalKubeApi) -> None:
    """Define a kind that no module of ours knows, where the operator's definitions do not bring it along."""
    one = definition("generators.external-secrets.io", "Fake", "fakes", "v1alpha1")
    try:
        api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", one)
    except ApiException as error:
        assert error.status == 409
    for _ in range(300):
        known = api.call("GET", f"/apis/{GENERATORS}")["resources"]
        if "fakes" in [entry["name"] for entry in known]:
            return
        time.sleep(0.1)
    raise AssertionError("the definition is not served")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKubeApi]:
    """A cluster with an object of each sort, as the operator and others leave them."""
    for api in servers(tmp_path_factory, "source"):
        for name in ("one", "two", "empty"):
            body = {"metadata": {"name": name, "labels": {"team": "x"} if name == "one" else {}}}
            api.call("POST", "/api/v1/namespaces", body)
        for kind, plural, version, namespace, spec in OBJECTS:
            metadata = {
                "name": "vault" if "Store" in kind else "thing",
                "labels": {"app": "x"},
                "annotations": {"force-sync": "1", "note": "kept"},
                "finalizers": ["example.com/cleanup"],
            }
            body = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
            api.call("POST", path(plural, version, namespace), body)
        # what the operator made itself
        owner = api.call("GET", path("clusterexternalsecrets", V1, "", "thing"))["metadata"]
        reference = {"apiVersion": V1, "kind": "ClusterExternalSecret", "name": "thing", "uid": owner["uid"]}
        made = {"name": "made", "ownerReferences": [{**reference, "controller": True}]}
        child = {"apiVersion": V1, "kind": "ExternalSecret", "metadata": made, "spec": SECRET}
        api.call("POST", path("externalsecrets", V1, "one"), child)
        status = {"status": {"refreshTime": "2026-01-01T00:00:00Z", "syncedResourceVersion": "1-a", "conditions": []}}
        where = path("externalsecrets", V1, "one", "thing") + "/status"
        api.call("PATCH", where, status, "application/merge-patch+json")
        # one that this collection applied
        ours = {"apiVersion": V1, "kind": "ExternalSecret", "metadata": {"name": "ours"}, "spec": SECRET}
        where = path("externalsecrets", V1, "two", "ours")
        api.call("PATCH", where + "?fieldManager=secretops.vault_eso", ours, APPLY)
        secret = {"metadata": {"name": "target"}, "stringData": {"password": "Secret-Value-9"}}
        api.call("POST", "/api/v1/namespaces/one/secrets", secret)
        yield api


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKubeApi]:
    yield from servers(tmp_path_factory, "target")


@pytest.fixture(scope="module")
def saved(source: LocalKubeApi, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from support.modules import run_module

    file = tmp_path_factory.mktemp("backup") / "eu.yaml"
    options = {"kubeconfig": source.kubeconfig, "path": str(file)}
    assert run_module("eso_backup", options, check=True, must_succeed=True).changed
    assert not file.exists()
    result = run_module("eso_backup", options, diff=True, must_succeed=True)
    result.hides(INLINE, "Secret-Value-9")
    assert result["count"]["ExternalSecret"] == 3
    return file


def test_a_backup_holds_what_was_declared_in_order(saved: Path, source: LocalKubeApi, run_module: Run) -> None:
    text = saved.read_text()
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    for left_out in (
        " uid:", "resourceVersion", "managedFields", "creationTimestamp", "status", "finalizers", "force-sync",
        "ownerReferences", "kubernetes.io/metadata.name", "Secret-Value-9",
    ):  # fmt: skip
        assert left_out not in text
    objects = list(yaml.safe_load_all(text))
    kinds = [one["kind"] for one in objects]
    assert "Secret" not in kinds
    assert kinds[:2] == ["Namespace", "Namespace"]
    assert [one["metadata"]["name"] for one in objects[:2]] == ["one", "two"], "an unused namespace is not saved"
    assert objects[0]["metadata"]["labels"] == {"team": "x"}
    assert kinds[2:5] == ["ClusterSecretStore", "SecretStore", "SecretStore"]
    assert sorted(kinds[5:8]) == ["ClusterGenerator", "Fake", "UUID"]
    assert kinds[8:] == ["ClusterExternalSecret", "ExternalSecret", "ExternalSecret", "ExternalSecret", "PushSecret"]
    assert "made" not in [one["metadata"]["name"] for one in objects]
    options = {"kubeconfig": source.kubeconfig, "path": str(saved)}
    assert not run_module("eso_backup", options, must_succeed=True).changed


def test_it_comes_back_in_an_empty_cluster(
    saved: Path, source: LocalKubeApi, target: LocalKubeApi, tmp_path: Path, run_module: Run
) -> None:
    options = {"kubeconfig": target.kubeconfig, "path": str(saved)}
    refused = run_module("eso_restore", options)
    assert 'the namespace "one" does not exist; create it first, or set "create_namespaces"' in refused.msg

    options["create_namespaces"] = True
    rehearsed = run_module("eso_restore", options, check=True, diff=True, must_succeed=True)
    rehearsed.hides(INLINE)
    assert target.call("GET", path("externalsecrets", V1, ""))["items"] == []
    first = run_module("eso_restore", options, diff=True, must_succeed=True)
    first.hides(INLINE)
    assert first["summary"]["failed"] == 0
    for _kind, plural, version, namespace, spec in OBJECTS:
        name = "vault" if "stores" in plural else "thing"
        before = source.call("GET", path(plural, version, namespace, name))
        after = target.call("GET", path(plural, version, namespace, name))
        assert after["spec"] == before["spec"], spec
        assert after["metadata"]["labels"] == {"app": "x"}
        assert after["metadata"]["annotations"] == {"note": "kept"}
    assert target.call("GET", "/api/v1/namespaces/one")["metadata"]["labels"]["team"] == "x"
    assert not run_module("eso_restore", options, must_succeed=True).changed

    # a purge knows afterwards what was applied from here, and what others had made
    entry = {"name": "other", "namespace": "two", "store": {"name": "vault"}, "data_from": [{"extract": {"key": "a"}}]}
    purge = {"kubeconfig": target.kubeconfig, "external_secrets": [entry], "purge": True}
    purged = run_module("eso_externalsecret", purge, check=True, must_succeed=True)
    assert [one["name"] for one in purged["results"] if one["action"] == "delete"] == ["two/ours"]

    # both clusters give the same backup
    again = tmp_path / "again.yaml"
    run_module("eso_backup", {"kubeconfig": target.kubeconfig, "path": str(again)}, must_succeed=True)
    assert again.read_text() == saved.read_text()


def test_what_exists_is_kept_unless_it_is_to_be_overwritten(saved: Path, target: LocalKubeApi, run_module: Run) -> None:
    options = {"kubeconfig": target.kubeconfig, "path": str(saved), "create_namespaces": True}
    run_module("eso_restore", options, must_succeed=True)
    where = path("externalsecrets", V1, "one", "thing")
    target.call("PATCH", where, {"spec": {"refreshInterval": "7m"}}, "application/merge-patch+json")
    kept = run_module("eso_restore", options, must_succeed=True)
    assert (kept.changed, kept["kept"]) == (False, ["ExternalSecret one/thing"])
    assert target.call("GET", where)["spec"]["refreshInterval"] == "7m"
    back = run_module("eso_restore", {**options, "overwrite": True}, must_succeed=True)
    assert [one["name"] for one in back["results"] if one["changed"]] == ["ExternalSecret one/thing"]
    assert target.call("GET", where)["spec"]["refreshInterval"] == "1h"


def test_a_directory_holds_a_file_for_each_object(
    source: LocalKubeApi, target: LocalKubeApi, tmp_path: Path, run_module: Run
) -> None:
    folder = tmp_path / "eu"
    options = {"kubeconfig": source.kubeconfig, "path": str(folder)}
    run_module("eso_backup", options, must_succeed=True)
    assert (folder / "one" / "externalsecret-thing.yaml").exists()
    assert (folder / "_cluster" / "clustersecretstore-vault.yaml").exists()
    only = run_module("eso_backup", {**options, "namespaces": ["one"]}, must_succeed=True)
    assert only["summary"]["delete"] == 6
    assert not (folder / "two" / "uuid-thing.yaml").exists()
    restored = {"kubeconfig": target.kubeconfig, "path": str(folder), "create_namespaces": True}
    result = run_module("eso_restore", {**restored, "exclude_kinds": ["PushSecret"]}, must_succeed=True)
    assert "PushSecret one/thing" not in [one["name"] for one in result["results"]]


def test_what_is_no_backup_is_refused(
    target: LocalKubeApi, source: LocalKubeApi, tmp_path: Path, run_module: Run
) -> None:
    file = tmp_path / "notes.yaml"
    file.write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n")
    assert "is not a kind of the operator" in run_module(
        "eso_restore", {"kubeconfig": target.kubeconfig, "path": str(file)}
    ).msg  # fmt: skip
    refused = run_module("eso_backup", {"kubeconfig": source.kubeconfig, "path": str(file)})
    assert "is not a backup and would be overwritten" in refused.msg
    missing = run_module("eso_restore", {"kubeconfig": target.kubeconfig, "path": str(tmp_path / "none.yaml")})
    assert "there is no backup" in missing.msg


class Site(Inventory):
    """Two clusters; the second takes what was saved of the first."""

    def __init__(self, folder: Path, source: LocalKubeApi, target: LocalKubeApi) -> None:
        self.folder = folder
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        hosts = {
            name: {**local, "kubernetes_connection": {"kubeconfig": api.kubeconfig}}
            for name, api in (("source", source), ("target", target))
        }
        variables = {"eso_backup_directory": str(folder / "backups")}
        groups = {"kubernetes_clusters": {"hosts": hosts, "vars": variables}}
        (folder / "hosts.yml").write_text(yaml.safe_dump(groups))


def test_the_playbooks(source: LocalKubeApi, target: LocalKubeApi, tmp_path: Path) -> None:
    site = Site(tmp_path, source, target)
    site.play("eso_backup", "--limit", "source", "--check").succeeded()
    assert not (tmp_path / "backups").exists()
    done = site.play("eso_backup", "--limit", "source", "--diff").succeeded()
    assert INLINE not in done.output
    file = tmp_path / "backups" / "source.yaml"
    assert file.exists()
    arguments = ["--limit", "target", "-e", f"eso_backup_restore_path={file}"]
    refused = site.play("eso_restore", *arguments)
    assert "confirm with -e restore_confirmed=target" in refused.output
    assert refused.rc != 0
    refused = site.play("eso_restore", *arguments, "-e", "restore_confirmed=true")
    assert "restore_confirmed=true names no cluster" in " ".join(refused.output.split())
    assert refused.rc != 0
    restored = site.play("eso_restore", *arguments, "-e", "restore_confirmed=target", "--diff").succeeded()
    assert INLINE not in restored.output
    assert target.call("GET", path("externalsecrets", V1, "one", "thing"))["spec"]["secretStoreRef"]["name"] == "vault"
