# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role eso by its playbook, against a real API server with the real CRDs of Flux.

Flux's controllers do not run here: that the server takes the objects is seen, what Flux makes of them is not. Where a
test needs their answer it writes the status that they would write.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import shutil
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from support.kubernetes_api import CRDS as CRD_FILES
from support.kubernetes_api import KubeApi, LocalKubeApi, load_crds
from support.playbooks import inventory_of, play
from support.system import Play

MERGE = "application/merge-patch+json"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
STORED = "externalsecrets.external-secrets.io"
FATAL = re.compile(r"^fatal: \[([^\]]+)\].*=>\s*\n((?:[ ]+.*\n)+)", re.MULTILINE)


class Cluster:
    """One API server, a namespace for the operator and one for Flux, and runs of the playbook."""

    def __init__(self, api: KubeApi, folder: Path, namespace: str) -> None:
        self.api = api
        self.folder = folder
        self.namespace = namespace
        self.flux = f"{namespace}-flux"
        self.variables: dict[str, Any] = {
            "kubernetes_connection": {"kubeconfig": api.kubeconfig},
            "eso_namespace": self.namespace,
            "eso_flux_namespace": self.flux,
            "eso_wait": False,
            "eso_network_vault": [{"cidrs": ["192.0.2.10/32"]}],
            "eso_network_api_server_cidrs": ["198.51.100.1/32"],
        }

    def run(self, *arguments: str, **variables: Any) -> Play:
        """Run playbooks/operator.yml with more host variables."""
        return self.run_hosts({"cluster-1": variables}, *arguments)

    def run_hosts(self, hosts: dict[str, dict[str, Any]], *arguments: str) -> Play:
        """Run playbooks/operator.yml on several hosts, which are all this cluster, each with variables of its own."""
        declared = {host: {**self.variables, **more} for host, more in hosts.items()}
        return play("operator", inventory_of(self.folder, kubernetes_clusters=declared), *arguments, timeout=600)

    def refused(self, **variables: Any) -> str:
        """Run the playbook, assert that it failed and changed nothing, and return the message."""
        return self.refusals({"cluster-1": variables})["cluster-1"]

    def refusals(self, hosts: dict[str, dict[str, Any]]) -> dict[str, str]:
        """The same for several hosts at once; returns the messages by host."""
        play = self.run_hosts(hosts)
        assert play.changed == 0, play.output[-3000:]
        found = messages(play)
        assert set(found) == set(hosts), play.output[-3000:]
        return found

    def get(self, path: str) -> Any:
        """Return one object, or None."""
        try:
            return self.api.call("GET", path)
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def release(self, name: str = "external-secrets") -> str:
        """Path of a HelmRelease."""
        return f"/apis/helm.toolkit.fluxcd.io/v2/namespaces/{self.flux}/helmreleases/{name}"

    def policies(self) -> dict[str, Any]:
        """The specs of the NetworkPolicies by name, without the release's."""
        found = self.api.call("GET", f"/apis/networking.k8s.io/v1/namespaces/{self.namespace}/networkpolicies")
        return {one["metadata"]["name"].removeprefix("external-secrets-"): one["spec"] for one in found["items"]}


def messages(play: Play) -> dict[str, str]:
    """What a run said to each host that failed: one line each."""
    found: dict[str, str] = {}
    for host, text in FATAL.findall(play.output):
        found[host] = " ".join(str(yaml.safe_load(textwrap.dedent(text))["msg"]).split())
    return found


def served(api: KubeApi, group: str, version: str = "") -> bool:
    """Whether the API server serves a group, in a version if one is named."""
    versions = [
        one["version"]
        for found in api.call("GET", "/apis")["groups"]
        if found["name"] == group
        for one in found["versions"]
    ]
    return bool(versions) and (not version or version in versions)


@pytest.fixture
def cluster(kube_api: KubeApi, tmp_path: Path, namespace: str) -> Iterator[Cluster]:
    """A cluster with the namespaces, without Flux unless `flux` is asked for too."""
    one = Cluster(kube_api, tmp_path, namespace)
    kube_api.namespace(one.flux)
    try:
        yield one
    finally:
        kube_api.forget_namespace(one.flux)


@pytest.fixture(scope="module")
def flux(kube_api: KubeApi) -> Iterator[None]:
    """The CRDs of Flux and of the Prometheus operator, removed at the end if they were not there before."""
    folder = Path(os.environ.get("LAB_CRDS_DIR") or CRD_FILES / "others")
    files = sorted(path for pattern in ("flux-*.yaml", "prometheus-*.yaml") for path in folder.glob(pattern))
    if not files:
        pytest.skip(f"LAB_CRDS_DIR={folder} holds no flux-*.yaml and prometheus-*.yaml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    made = []
    for path in files:
        for definition in yaml.load_all(path.read_text(), Loader=loader):
            if not definition:
                continue
            name = definition["metadata"]["name"]
            try:
                kube_api.call("POST", CRDS, definition)
                made.append(name)
            except ApiException as error:
                if error.status != 409:
                    raise
    # on two busy cores an API server takes its time for so many
    deadline = time.monotonic() + 300
    for name in made:
        while not any(
            one["type"] == "Established" and one["status"] == "True"
            # the list is null until the first condition is known
            for one in (kube_api.call("GET", f"{CRDS}/{name}").get("status") or {}).get("conditions") or []
        ):
            assert time.monotonic() < deadline, f"{name} is not served"
            time.sleep(0.2)
    yield
    for name in made:
        kube_api.call("DELETE", f"{CRDS}/{name}")


@pytest.fixture
def stored(kube_api: KubeApi) -> Iterator[Callable[[list[str]], None]]:
    """A function that sets the stored versions of the ExternalSecrets' CRD; put back afterwards."""
    if not isinstance(kube_api, LocalKubeApi):
        pytest.skip("changes the status of a definition: only on an API server of the tests' own")
    before = kube_api.call("GET", f"{CRDS}/{STORED}")["status"]["storedVersions"]

    def write(versions: list[str]) -> None:
        kube_api.call("PATCH", f"{CRDS}/{STORED}/status", {"status": {"storedVersions": versions}}, MERGE)

    try:
        yield write
    finally:
        write(before)


@contextlib.contextmanager
def deployment(cluster: Cluster, version: str, ready: bool = True) -> Iterator[str]:
    """The Deployment that the chart of a version would make, with the status that a cluster would give it; its path."""
    labels = {"app.kubernetes.io/name": "external-secrets", "app.kubernetes.io/instance": "external-secrets"}
    path = f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments"
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "external-secrets",
            "labels": {
                **labels,
                "app.kubernetes.io/version": f"v{version}",
                "helm.sh/chart": f"external-secrets-{version}",
            },
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    }
    made = cluster.api.call("POST", path, body)
    status = {"observedGeneration": made["metadata"]["generation"], "replicas": 2, "updatedReplicas": 2}
    status |= {"availableReplicas": 2, "readyReplicas": 2} if ready else {}
    cluster.api.call("PATCH", f"{path}/external-secrets/status", {"status": status}, MERGE)
    try:
        yield f"{path}/external-secrets"
    finally:
        cluster.api.call("DELETE", f"{path}/external-secrets")


# The first test on purpose: no CRD of Flux is there yet.
def test_a_cluster_without_flux_is_told_what_to_install(cluster: Cluster) -> None:
    if served(cluster.api, "helm.toolkit.fluxcd.io"):
        pytest.skip("this cluster has Flux")
    output = cluster.refused()
    assert (
        "does not serve HelmRelease, HelmRepository in helm.toolkit.fluxcd.io/v2, source.toolkit.fluxcd.io/v1" in output
    )
    assert "install Flux 2.3 or newer with its helm-controller and source-controller" in output
    assert cluster.policies() == {}


def test_apply_twice_then_change_one_value(cluster: Cluster, flux: None) -> None:
    variables: dict[str, Any] = {
        "eso_service_monitor": True,
        "eso_values": {"log": {"level": "debug"}},
        "eso_service_account_tokens": "declared",
        "eso_service_accounts": [{"name": "vault", "auth_delegator": True, "reviewer_token": True}],
    }
    rehearsed = cluster.run("--check", "--diff", **variables).succeeded()
    assert cluster.get(cluster.release()) is None
    assert "14 parts of the operator would change" in " ".join(rehearsed.output.split()), rehearsed.output[-3000:]
    cluster.run(**variables).succeeded()

    release = cluster.get(cluster.release())["spec"]
    assert release["chart"]["spec"]["version"] == "2.9.0"
    assert release["chart"]["spec"]["sourceRef"] == {"kind": "HelmRepository", "name": "external-secrets"}
    assert release["dependsOn"] == [{"name": "external-secrets-crds"}]
    assert release["targetNamespace"] == release["storageNamespace"] == cluster.namespace
    values = release["values"]
    assert (values["replicaCount"], values["leaderElect"], values["concurrent"]) == (2, True, 5)
    assert values["installCRDs"] is False
    assert values["log"] == {"level": "debug"}
    assert values["rbac"] == {"serviceAccountTokenCreate": False}
    assert values["serviceMonitor"]["renderMode"] == "failIfMissing"
    for part in (values, values["webhook"], values["certController"]):
        assert part["podDisruptionBudget"] == {"enabled": True, "minAvailable": 1}
        assert len(part["topologySpreadConstraints"]) == 2
    definitions = cluster.get(cluster.release("external-secrets-crds"))["spec"]["values"]
    assert definitions["installCRDs"] is True
    assert definitions["createOperator"] is False
    assert definitions["crds"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    labels = cluster.get(f"/api/v1/namespaces/{cluster.namespace}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    binding = cluster.get(
        f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{cluster.namespace}-vault-auth-delegator"
    )
    assert binding["roleRef"]["name"] == "system:auth-delegator"
    token = cluster.get(f"/api/v1/namespaces/{cluster.namespace}/secrets/vault-token")
    assert token["type"] == "kubernetes.io/service-account-token"
    role = cluster.get(
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{cluster.namespace}/roles/external-secrets-token-vault"
    )
    assert role["rules"][0]["resourceNames"] == ["vault"]

    again = cluster.run(**variables).succeeded()
    assert again.changed == 0, again.changed_tasks()
    # each of these is a process of kubernetes.core
    assert "Declare what the release needs" not in again.output
    assert "Declare the operator's release" not in again.output
    assert "Remove what is declared no longer" not in again.output
    assert "parts of the operator as declared" in " ".join(again.output.split())

    # A value that is declared no longer goes, and the difference says so.
    variables["eso_values"] = {}
    changed = cluster.run("--diff", **variables).succeeded()
    assert changed.changed_tasks() == ["Declare the operator's release"]
    assert "level: debug" in changed.output
    assert "log" not in cluster.get(cluster.release())["spec"]["values"]


def test_registry_and_kustomization_and_back_leave_no_orphans(cluster: Cluster, flux: None) -> None:
    sources = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{cluster.flux}"
    kustomization = (
        f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{cluster.flux}/kustomizations/external-secrets-crds"
    )
    # What an earlier source may have left. The HelmRelease itself does not change its kind of source here: the old API
    # server of the tests leaves a null where a server-side apply takes a whole object away.
    repository = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmRepository",
        "metadata": {"name": "external-secrets"},
        "spec": {"url": "https://charts.example.com"},
    }
    cluster.api.call("POST", f"{sources}/helmrepositories", repository)
    cluster.run(eso_source="oci", eso_crds="kustomization").succeeded()
    release = cluster.get(cluster.release())["spec"]
    assert release["chartRef"] == {"kind": "OCIRepository", "name": "external-secrets"}
    assert "dependsOn" not in release
    assert cluster.get(f"{sources}/ocirepositories/external-secrets")["spec"]["ref"] == {"tag": "2.9.0"}
    assert cluster.get(f"{sources}/gitrepositories/external-secrets-crds")["spec"]["ref"] == {"tag": "v2.9.0"}
    definitions = cluster.get(kustomization)["spec"]
    assert (definitions["prune"], definitions["wait"]) == (False, True)

    assert cluster.get(f"{sources}/helmrepositories/external-secrets") is None
    assert cluster.policies()

    cluster.run(eso_source="oci", eso_network_policies=False).succeeded()
    assert cluster.get(cluster.release("external-secrets-crds"))["spec"]["chartRef"]["kind"] == "OCIRepository"
    assert cluster.get(cluster.release())["spec"]["dependsOn"] == [{"name": "external-secrets-crds"}]
    assert cluster.get(kustomization) is None
    assert cluster.get(f"{sources}/gitrepositories/external-secrets-crds") is None
    assert cluster.policies() == {}


def test_policies_let_through_what_the_operator_needs_and_nothing_else(cluster: Cluster, flux: None) -> None:
    endpoints = "/api/v1/namespaces/default/endpoints"
    there = cluster.get(f"{endpoints}/kubernetes")
    if not there:
        body = {"metadata": {"name": "kubernetes"}}
        body |= {"subsets": [{"addresses": [{"ip": "198.51.100.7"}], "ports": [{"name": "https", "port": 6443}]}]}
        there = cluster.api.call("POST", endpoints, body)
        made = True
    else:
        made = False
    try:
        cluster.run(
            eso_network_api_server_cidrs=[],
            eso_network_dns_cidrs=["169.254.20.10/32"],
            eso_network_vault=[
                {"cidrs": ["192.0.2.10/32"], "port": 8443},
                {"namespace": "vault", "pod_labels": {"app": "vault"}},
            ],
        ).succeeded()
    finally:
        if made:
            cluster.api.call("DELETE", f"{endpoints}/kubernetes")
    policies = cluster.policies()
    assert set(policies) == {"default-deny", "dns-and-api-server", "vault", "webhook", "metrics"}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    dns, api = policies["dns-and-api-server"]["egress"]
    assert {(one["protocol"], one["port"]) for one in dns["ports"]} == {("UDP", 53), ("TCP", 53)}
    assert dns["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        },
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ]
    service = cluster.get("/api/v1/namespaces/default/services/kubernetes")["spec"]["clusterIP"]
    wanted = {f"{one['ip']}/32" for subset in there["subsets"] for one in subset["addresses"]} | {f"{service}/32"}
    assert {one["ipBlock"]["cidr"] for one in api["to"]} == wanted
    assert 443 in {one["port"] for one in api["ports"]}
    assert {port["port"] for subset in there["subsets"] for port in subset["ports"]} <= {
        one["port"] for one in api["ports"]
    }

    outside, inside = policies["vault"]["egress"]
    assert outside == {"to": [{"ipBlock": {"cidr": "192.0.2.10/32"}}], "ports": [{"protocol": "TCP", "port": 8443}]}
    assert inside["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "vault"}},
            "podSelector": {"matchLabels": {"app": "vault"}},
        }
    ]
    assert inside["ports"] == [{"protocol": "TCP", "port": 8200}]
    assert policies["vault"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "external-secrets"
    assert policies["webhook"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "external-secrets-webhook"
    assert policies["webhook"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": 10250}]}]
    metrics = policies["metrics"]["ingress"][0]
    assert metrics["ports"] == [{"protocol": "TCP", "port": 8080}]
    assert metrics["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def test_what_cannot_work_is_refused_before_anything_changes(cluster: Cluster, flux: None) -> None:
    """Each host is refused for a reason of its own; none stops another."""
    found = cluster.refusals(
        {
            "no-vault": {"eso_network_vault": []},
            "moving": {"eso_version": "2.x"},
            "ancient": {"eso_version": "0.9.20"},
            "no-namespace": {"eso_flux_namespace": "no-such-namespace"},
            "no-helm": {"eso_method": "helm", "eso_helm_binary": "/nowhere/helm"},
            "helm-kustomization": {"eso_method": "helm", "eso_crds": "kustomization"},
            "no-tokens": {"eso_version": "2.4.0", "eso_service_account_tokens": "declared"},
            "no-directory": {"eso_method": "manifests"},
        }
    )
    assert "eso_network_vault does not say where Vault is" in found["no-vault"]
    assert "must not change by itself: name one version, such as 2.9.0" in found["moving"]
    assert "an older operator is brought up by 0.16.2" in found["ancient"]
    assert "The namespace no-such-namespace does not exist: set eso_flux_namespace" in found["no-namespace"]
    assert "needs Helm 3.8 or newer on the controller, and /nowhere/helm does not run there" in found["no-helm"]
    assert "eso_crds: kustomization needs Flux" in found["helm-kustomization"]
    assert "declared needs version 2.5.0" in found["no-tokens"]
    assert "needs eso_manifests_directory" in found["no-directory"]


def test_a_cluster_that_is_down_stops_no_other_and_is_named(cluster: Cluster, flux: None) -> None:
    dead = cluster.folder / "dead.kubeconfig"
    dead.write_text(Path(cluster.api.kubeconfig).read_text().replace(cluster.api.url, "https://127.0.0.1:1"))
    play = cluster.run_hosts({"alive": {}, "dead": {"kubernetes_connection": {"kubeconfig": str(dead)}}})
    assert play.rc != 0
    assert cluster.get(cluster.release()) is not None
    last = play.output.rpartition("PLAY [")[2]
    assert re.search(r"^fatal: \[dead\]", last, re.MULTILINE)
    assert "dead did not converge" in last
    assert "Not concerned, and converged: alive." in " ".join(last.split())


def test_an_api_server_that_cannot_be_found_is_asked_for(cluster: Cluster, flux: None) -> None:
    if cluster.get("/api/v1/namespaces/default/endpoints/kubernetes"):
        pytest.skip("this API server publishes its endpoints")
    message = cluster.refused(eso_network_api_server_cidrs=[])
    assert "the API server's addresses are not known: name them by eso_network_api_server_cidrs" in message


def test_stored_versions_that_the_version_cannot_read_are_refused(
    cluster: Cluster, flux: None, stored: Callable[[list[str]], None]
) -> None:
    stored(["v1beta1", "v1"])
    output = cluster.refused()
    assert (
        f"{STORED}: the API server keeps objects as v1, v1beta1, and External Secrets Operator 2.9.0 knows v1;"
        in output
    )
    assert "knows v1; write each object once and set status.storedVersions of the CRD" in output
    cluster.run(eso_version="0.16.2").succeeded()
    values = cluster.get(cluster.release())["spec"]["values"]
    assert "vault" not in values


def test_a_jump_past_the_release_that_knows_both_versions_is_refused(cluster: Cluster, flux: None) -> None:
    with deployment(cluster, "0.9.20"):
        output = cluster.refused()
    assert (
        "External Secrets Operator 0.9.20 stores v1beta1, and 2.9.0 serves v1 only: install eso_version 0.16.2 first"
        in output
    )


def test_a_step_back_and_a_second_operator_are_refused(cluster: Cluster, flux: None) -> None:
    hosts = {"back": {"eso_version": "2.8.0"}, "second": {"eso_namespace": f"{cluster.namespace}-other"}}
    with deployment(cluster, "2.9.0"):
        found = cluster.refusals(hosts)
    assert f"External Secrets Operator 2.9.0 runs in {cluster.namespace}, and eso_version is 2.8.0" in found["back"]
    assert f"already runs in the namespace {cluster.namespace}" in found["second"]


def test_definitions_of_the_release_are_not_let_go_unless_they_are_kept(
    cluster: Cluster, flux: None, stored: object
) -> None:
    owner = {"meta.helm.sh/release-name": "external-secrets"}
    cluster.api.call("PATCH", f"{CRDS}/{STORED}", {"metadata": {"annotations": owner}}, MERGE)
    try:
        output = cluster.refused()
        assert f"{STORED} belongs to the release external-secrets without the annotation" in output
        assert "run once with eso_crds: chart" in output
        cluster.api.call(
            "PATCH", f"{CRDS}/{STORED}", {"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}}, MERGE
        )
        cluster.run("--check").succeeded()
    finally:
        gone = {"meta.helm.sh/release-name": None, "helm.sh/resource-policy": None}
        cluster.api.call("PATCH", f"{CRDS}/{STORED}", {"metadata": {"annotations": gone}}, MERGE)


def test_another_tools_release_is_not_taken_over(cluster: Cluster, flux: None) -> None:
    """A GitOps controller that applies the same HelmRelease is named, not fought."""
    release = {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "external-secrets", "namespace": cluster.flux},
        "spec": {"interval": "1h", "chartRef": {"kind": "OCIRepository", "name": "theirs"}},
    }
    path = f"{cluster.release()}?fieldManager=kustomize-controller"
    cluster.api.call("PATCH", path, release, "application/apply-patch+yaml")
    play = cluster.run()
    assert play.rc != 0
    assert "kustomize-controller" in play.output
    assert cluster.get(cluster.release())["spec"]["interval"] == "1h"


def test_waiting_ends_with_what_flux_says(cluster: Cluster, flux: None) -> None:
    waiting = {"eso_wait": True, "eso_wait_timeout": 5}
    silent = cluster.run(**waiting)
    assert silent.rc != 0
    assert "no controller of Flux has looked at it in 5 s" in messages(silent)["cluster-1"]

    def status(ready: str, reason: str, message: str, stalled: bool = False) -> None:
        generation = cluster.get(cluster.release())["metadata"]["generation"]
        conditions = [{"type": "Ready", "status": ready, "reason": reason, "message": message}]
        conditions += [{"type": "Stalled", "status": "True", "reason": reason, "message": message}] if stalled else []
        for one in conditions:
            one["lastTransitionTime"] = "2026-08-01T12:00:00Z"
        body = {"status": {"observedGeneration": generation, "conditions": conditions}}
        cluster.api.call("PATCH", f"{cluster.release()}/status", body, MERGE)

    status("False", "InstallFailed", "context deadline exceeded", stalled=True)
    failed = messages(cluster.run(**waiting))["cluster-1"]
    assert (
        f"HelmRelease {cluster.flux}/external-secrets is not ready: InstallFailed, context deadline exceeded" in failed
    )
    status("True", "InstallSucceeded", "installed")
    with deployment(cluster, "2.9.0", ready=False) as path:
        unready = messages(cluster.run(**waiting))["cluster-1"]
        assert "external-secrets has 0 of 2 pods" in unready
        available = {"status": {"availableReplicas": 2, "readyReplicas": 2}}
        cluster.api.call("PATCH", f"{path}/status", available, MERGE)
        assert cluster.run(**waiting).succeeded().changed == 0


def test_removal_is_refused_while_something_depends_on_it(cluster: Cluster, flux: None) -> None:
    cluster.run().succeeded()
    external_secrets = f"/apis/external-secrets.io/v1/namespaces/{cluster.namespace}/externalsecrets"
    spec = {"secretStoreRef": {"name": "vault"}, "dataFrom": [{"extract": {"key": "app"}}]}
    body = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "app"}, "spec": spec}
    cluster.api.call("POST", external_secrets, body)
    try:
        output = cluster.refused(eso_state="absent", eso_remove_crds=True)
        assert "exist in cluster-1, such as" in output
        assert "deleting its CRDs deletes them and every Secret that they own" in output
        assert "add cluster-1 to eso_confirm_removal" in output
        assert cluster.get(cluster.release()) is not None

        removed = {"eso_state": "absent", "eso_confirm_removal": ["cluster-1"]}
        rehearsed = cluster.run("--check", **removed).succeeded()
        assert rehearsed.changed > 0
        assert cluster.get(cluster.release()) is not None
        cluster.run(**removed).succeeded()
        assert cluster.get(cluster.release()) is None
        assert cluster.get(cluster.release("external-secrets-crds")) is None
        assert cluster.policies() == {}
        # The CRDs and what was made by them are kept.
        assert cluster.get(f"{external_secrets}/app") is not None
        assert cluster.run(**removed).succeeded().changed == 0
    finally:
        cluster.api.call("DELETE", f"{external_secrets}/app")


def test_manifests_are_written_without_a_cluster(cluster: Cluster) -> None:
    directory = cluster.folder / "manifests"
    variables: dict[str, Any] = {
        "eso_method": "manifests",
        "eso_manifests_directory": str(directory),
        "kubernetes_connection": {"kubeconfig": "/nowhere"},
    }
    assert cluster.run("--check", **variables).succeeded().changed > 0
    assert not directory.exists()
    cluster.run(**variables).succeeded()
    assert cluster.run(**variables).succeeded().changed == 0
    listed = yaml.safe_load((directory / "kustomization.yaml").read_text())["resources"]
    assert listed == ["namespace.yaml", "network-policies.yaml", "source.yaml", "crds.yaml", "operator.yaml"]
    release = yaml.safe_load((directory / "operator.yaml").read_text())
    assert release["spec"]["dependsOn"] == [{"name": "external-secrets-crds"}]
    assert yaml.safe_load((directory / "values.yaml").read_text()) == release["spec"]["values"]

    # A HelmRelease that has to wait for a Kustomization is inside one.
    assert "needs eso_manifests_path" in cluster.refused(eso_crds="kustomization", **variables)
    cluster.run(eso_crds="kustomization", eso_manifests_path="./infrastructure/eso", **variables).succeeded()
    wrapper = yaml.safe_load((directory / "operator.yaml").read_text())
    assert wrapper["spec"]["dependsOn"] == [{"name": "external-secrets-crds"}]
    assert wrapper["spec"]["path"] == "./infrastructure/eso/operator"
    assert yaml.safe_load((directory / "operator" / "release.yaml").read_text())["kind"] == "HelmRelease"
    cluster.run(**variables).succeeded()
    assert not (directory / "operator" / "release.yaml").exists()


@pytest.fixture
def chart_repository() -> Iterator[str]:
    """The URL of a Helm repository with the charts of the folder LAB_ESO_CHARTS, served on the loopback interface."""
    folder = os.environ.get("LAB_ESO_CHARTS", "")
    if not shutil.which("helm"):
        pytest.skip("no helm on PATH")
    if not list(Path(folder or "/nowhere").glob("external-secrets-*.tgz")):
        pytest.skip(
            "LAB_ESO_CHARTS names no folder with a Helm repository (external-secrets-2.8.0.tgz, -2.9.0.tgz, index.yaml)"
        )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_helm_installs_upgrades_and_removes(cluster: Cluster, chart_repository: str) -> None:
    """By the real Helm with the real chart. Its pods run nowhere here, so that nothing is waited for.

    An API server older than 1.31 refuses the published CRDs for their `selectableFields`, and one older
    than 1.25 for their CEL rules: the charts are then to be without these.
    """
    if not isinstance(cluster.api, LocalKubeApi):
        pytest.skip("replaces the CRDs: only on an API server of the tests' own")
    budget = {"podDisruptionBudget": {"enabled": served(cluster.api, "policy", "v1")}}
    variables: dict[str, Any] = {
        "eso_method": "helm",
        "eso_chart_url": chart_repository,
        "eso_values": {**budget, "webhook": budget, "certController": budget},
    }
    refusal = cluster.refused(**variables)
    assert "does not belong to the release external-secrets-crds, and Helm refuses to take it over" in refusal
    names = [one["metadata"]["name"] for one in load_crds()]
    for name in names:
        cluster.api.call("DELETE", f"{CRDS}/{name}")
    path = f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments/external-secrets"
    try:
        eventually(lambda: not served(cluster.api, "external-secrets.io"))
        cluster.run(eso_version="2.8.0", **variables).succeeded()
        assert cluster.get(path)["metadata"]["labels"]["helm.sh/chart"] == "external-secrets-2.8.0"
        assert cluster.get(path)["spec"]["replicas"] == 2
        kept = cluster.get(f"{CRDS}/{STORED}")["metadata"]["annotations"]
        assert kept["helm.sh/resource-policy"] == "keep"
        assert kept["meta.helm.sh/release-name"] == "external-secrets-crds"

        cluster.run(**variables).succeeded()
        assert cluster.get(path)["metadata"]["labels"]["helm.sh/chart"] == "external-secrets-2.9.0"
        again = cluster.run(**variables).succeeded()
        assert again.changed == 0, again.changed_tasks()

        cluster.run(eso_state="absent", **variables).succeeded()
        assert cluster.get(path) is None
        # Both releases are gone, the CRDs are not.
        assert cluster.get(f"{CRDS}/{STORED}") is not None
    finally:
        for name in names:
            if cluster.get(f"{CRDS}/{name}"):
                cluster.api.call("DELETE", f"{CRDS}/{name}")
        eventually(lambda: not served(cluster.api, "external-secrets.io"))
        cluster.api.install_crds()


def eventually(check: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.2)
