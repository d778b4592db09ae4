# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many Kubernetes clusters, on a lab that inventories/fleet/central.yml converged: two API servers that one Vault
serves, one of them down, and then a Vault of its own for one of them. Molecule's scenario fleet verifies by it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable

import pytest

from support.system import Lab, Play

SITE, CONFIGURE, ROTATE = "playbooks/site.yml", "playbooks/configure.yml", "playbooks/rotate.yml"
CENTRAL, REGIONAL = "inventories/fleet/central.yml", "inventories/fleet/regional.yml"
LAB = os.environ.get("VAULT_ESO_LAB") or "fleet"
OPERATOR = "/api/v1/namespaces/external-secrets/serviceaccounts/external-secrets/token"


@pytest.fixture(scope="session")
def eu() -> Lab:
    """The cluster kubernetes-eu and the Vault that serves it."""
    return Lab(LAB, CENTRAL, "vault-eu", "kubernetes-eu")


@pytest.fixture(scope="session")
def us() -> Lab:
    """The cluster kubernetes-us and the Vault that serves it at first, which is that of kubernetes-eu."""
    return Lab(LAB, CENTRAL, "vault-eu", "kubernetes-us")


@pytest.fixture(scope="module")
def us_down(us: Lab) -> Callable[[], None]:
    """The API server of kubernetes-us is down, until the function that this gives is called."""
    us.api_server("kill")
    return lambda: us.api_server("start")


def last_words(play: Play) -> str:
    """What a run says in the play that ends it, in one line."""
    assert "PLAY [Say how it ended]" in play.output, play.output[-4000:]
    return " ".join(play.output.rpartition("PLAY [Say how it ended]")[2].split())


def failed(play: Play) -> list[str]:
    """The hosts that failed, by the recap."""
    return sorted(host for host, counts in play.recap.items() if counts["failed"] or counts["unreachable"])


def service_account_token(lab: Lab, *audiences: str) -> str:
    """A token of the operator's service account."""
    wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": list(audiences)}}
    done = subprocess.run(
        ["kubectl", "--kubeconfig", lab.kubeconfig, "create", "--raw", OPERATOR, "-f", "-"],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout)["status"]["token"])


def login(lab: Lab, mount: str, token: str) -> int:
    """Log in to a mount as the operator does; return the status."""
    import requests

    answer = requests.post(
        f"{lab.active()}/v1/auth/{mount}/login",
        json={"role": "external-secrets", "jwt": token},
        verify=str(lab.ca_cert),
        timeout=10,
    )
    return answer.status_code


def sync(lab: Lab, name: str) -> None:
    """Have the operator read a secret again now."""
    lab.kubectl("annotate", "externalsecret", "-n", "production", name, f"force-sync={time.time_ns()}", "--overwrite")


def test_both_clusters_have_their_secrets_and_a_second_run_changes_nothing(eu: Lab, us: Lab) -> None:
    for lab in (eu, us):
        items = json.loads(lab.kubectl("get", "externalsecrets", "-A", "-o", "json"))["items"]
        assert {item["metadata"]["name"]: item["status"]["conditions"][0]["status"] for item in items} == {
            "web-app": "True",
            "registry": "True",
        }
        own = lab.kv(f"clusters/{lab.kubernetes}/registry")
        assert lab.secret("production", "registry") == own
    assert eu.secret("production", "registry") != us.secret("production", "registry")
    again = eu.play(SITE).succeeded()
    assert again.changed == 0, again.changed_tasks()
    assert set(again.recap) == {"vault-eu-1", "vault-eu", "kubernetes-eu", "kubernetes-us"}


def test_each_cluster_logs_in_by_its_own_mount_and_by_no_other(eu: Lab, us: Lab) -> None:
    methods = json.loads(eu.bao("auth", "list", "-format=json"))
    assert methods["kubernetes-eu/"]["type"] == "kubernetes"
    assert methods["kubernetes-us/"]["type"] == "jwt"
    tokens = {
        lab.kubernetes: service_account_token(lab, "vault", lab.facts["kubernetes"][lab.kubernetes]["issuer"])
        for lab in (eu, us)
    }
    outcome = {(token, mount): login(eu, mount, tokens[token]) for token in tokens for mount in tokens}
    assert outcome[("kubernetes-eu", "kubernetes-eu")] == outcome[("kubernetes-us", "kubernetes-us")] == 200
    assert outcome[("kubernetes-eu", "kubernetes-us")] in (400, 403)
    assert outcome[("kubernetes-us", "kubernetes-eu")] in (400, 403)


def test_a_changed_secret_arrives_in_both(eu: Lab, us: Lab, eventually: Callable[..., None]) -> None:
    value = f"both-{time.time_ns()}"
    eu.bao("kv", "patch", "-mount=secret", "applications/web-app", f"api_key={value}")
    for lab in (eu, us):
        eventually(lambda lab=lab: lab.secret("production", "web-app")["api_key"] == value, 45, lab.kubernetes)


@pytest.mark.usefixtures("us_down")
def test_one_api_server_down_stops_nothing_of_the_other_and_is_named_at_the_end(eu: Lab) -> None:
    eu.bao("policy", "delete", "cluster-kubernetes-eu")
    eu.kubectl("delete", "externalsecret", "-n", "production", "registry")
    run = eu.play(CONFIGURE)
    assert run.rc != 0
    assert failed(run) == ["kubernetes-us"]
    words = last_words(run)
    server = eu.facts["kubernetes"]["kubernetes-us"]["server"]
    assert f"kubernetes-us did not converge. Ask whether the API server answers: {server}: connection refused" in words
    assert "Not concerned, and converged: kubernetes-eu, vault-eu." in words
    assert "cluster-kubernetes-eu" in eu.bao("policy", "list")
    assert eu.secret("production", "registry") == eu.kv("clusters/kubernetes-eu/registry")
    # what is the other's stays in Vault as it was
    assert "kubernetes-us/" in json.loads(eu.bao("auth", "list", "-format=json"))
    assert "cluster-kubernetes-us" in eu.bao("policy", "list")


@pytest.mark.usefixtures("us_down")
def test_a_rotation_reaches_the_other_and_names_the_one_that_is_down(eu: Lab) -> None:
    before = eu.secret("production", "web-app")
    held = eu.play(ROTATE)
    assert failed(held) == ["vault-eu"]
    words = last_words(held)
    assert "Kubernetes cluster kubernetes-us" in words and "connection refused" in words and "1 held back" in words
    assert eu.secret("production", "web-app") == before, "what the one that is down uses as well stays in Vault"
    eu.play(ROTATE, "-e", "rotation_skip_clusters=kubernetes-us").succeeded()
    after = eu.secret("production", "web-app")
    assert after != before
    assert after == {key: value for key, value in eu.kv("applications/web-app").items() if key in after}


@pytest.mark.usefixtures("us_down")
def test_an_issuer_that_vault_cannot_ask_keeps_no_other_cluster_from_converging(eu: Lab) -> None:
    eu.bao("auth", "disable", "kubernetes-us")
    eu.bao("delete", "auth/kubernetes-eu/role/external-secrets")
    run = eu.play(CONFIGURE)
    assert run.rc != 0
    assert failed(run) == ["kubernetes-us", "vault-eu"]
    words = last_words(run)
    assert 'vault-eu did not converge. Converge what is declared: auth method "kubernetes-us":' in words
    assert "kubernetes-us did not converge." in words
    assert "--limit kubernetes-us,vault-eu" in words
    assert "external-secrets" in eu.bao("list", "auth/kubernetes-eu/role")
    assert run.recap["kubernetes-eu"]["failed"] == 0


def test_the_repeated_run_brings_the_cluster_back(eu: Lab, us: Lab, us_down: Callable[[], None]) -> None:
    us_down()
    back = eu.play(CONFIGURE, "--limit", "vault-eu,kubernetes-us").succeeded()
    assert "did not converge." not in last_words(back)
    assert login(us, "kubernetes-us", service_account_token(us, "vault")) == 200


def test_a_region_gets_a_vault_of_its_own(eu: Lab, us: Lab, eventually: Callable[..., None]) -> None:
    eu.play(SITE, inventory=REGIONAL).succeeded()
    there = Lab(LAB, REGIONAL, "vault-us", "kubernetes-us")
    assert there.active() != eu.active()
    assert "kubernetes-eu/" not in json.loads(there.bao("auth", "list", "-format=json"))
    values = {}
    for lab in (eu, there):
        values[lab] = f"{lab.kubernetes}-{time.time_ns()}"
        lab.bao("kv", "patch", "-mount=secret", "applications/web-app", f"api_key={values[lab]}")
        sync(lab, "web-app")
    for lab, value in values.items():
        eventually(
            lambda lab=lab, value=value: lab.secret("production", "web-app")["api_key"] == value, 30, "the value"
        )
    assert eu.secret("production", "web-app")["served_by"] == "vault-eu"
    assert us.secret("production", "web-app")["served_by"] == "vault-us"
    again = eu.play(CONFIGURE, inventory=REGIONAL).succeeded()
    assert again.changed == 0, again.changed_tasks()


def test_a_cluster_that_names_no_vault_of_the_inventory_is_told_so(eu: Lab) -> None:
    run = eu.play(CONFIGURE, "-e", "vault_cluster=vault-asia", "--limit", "kubernetes-us", "--tags", "kubernetes")
    assert run.rc != 0
    assert "vault_cluster is vault-asia, which is no host of the group vault_clusters (vault-eu)" in last_words(run)
