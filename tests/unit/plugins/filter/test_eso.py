# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role eso refuses, asks for and removes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.filter.eso import (
    eso_cluster_problems,
    eso_kinds,
    eso_problems,
    eso_undeclared,
)

DECLARED: dict[str, Any] = {
    "host": "eu-1",
    "state": "present",
    "method": "flux",
    "version": "2.9.0",
    "allow_downgrade": False,
    "namespace": "external-secrets",
    "release": "external-secrets",
    "has_class": False,
    "source": "helm",
    "crds": "release",
    "crds_release": "external-secrets-crds",
    "flux_namespace": "flux-system",
    "manifests_directory": "",
    "manifests_path": "",
    "service_accounts": [],
    "service_account_tokens": "any",
    "service_monitor": False,
    "network_policies": True,
    "network_vault": [{"cidrs": ["192.0.2.10/32"]}],
    "network_metrics_namespace": "monitoring",
    "api_server_cidrs": [],
    "confirmed": False,
    "remove_crds": False,
    "remove_namespace": False,
}
CRD = {
    "name": "externalsecrets.external-secrets.io",
    "versions": ["v1"],
    "stored": ["v1"],
    "release": "external-secrets-crds",
    "kept": True,
}
MANIFESTS = {"method": "manifests", "manifests_directory": "/x", "api_server_cidrs": ["198.51.100.1/32"]}


def running(version: str, namespace: str = "external-secrets") -> dict[str, Any]:
    return {"operators": [{"name": "external-secrets", "namespace": namespace, "version": version}]}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"method": "helm"},
        {"version": "0.16.0"},
        {"state": "absent", "network_vault": []},
        {"network_policies": False, "network_vault": []},
        {"network_policies": "no", "network_vault": []},
        MANIFESTS,
        {**MANIFESTS, "api_server_cidrs": [], "network_policies": False},
        {**MANIFESTS, "crds": "kustomization", "manifests_path": "./eso"},
        {"version": "2.5.0", "service_account_tokens": "declared"},
        {"version": "2.10.0", "service_account_tokens": "declared"},
    ],
)
def test_what_can_come_true_is_not_refused(changed: dict[str, Any]) -> None:
    assert eso_problems({**DECLARED, **changed}) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": "2.x"}, "eso_version is 2.x, but what runs must not change by itself"),
        ({"version": "2.x", "service_account_tokens": "declared"}, "must not change by itself"),
        ({"version": "0.15.9"}, "an older operator is brought up by 0.16.2"),
        ({"version": "2.4.9", "service_account_tokens": "declared"}, "needs version 2.5.0"),
        ({"method": "helm", "crds": "kustomization"}, "eso_crds: kustomization needs Flux"),
        ({**MANIFESTS, "crds": "kustomization"}, "needs eso_manifests_path"),
        ({**MANIFESTS, "manifests_directory": ""}, "needs eso_manifests_directory"),
        ({**MANIFESTS, "state": "absent"}, "remove them in your repository"),
        ({**MANIFESTS, "api_server_cidrs": []}, "eso_network_api_server_cidrs is empty"),
        ({"network_vault": []}, "does not say where Vault is"),
        ({"network_vault": [{"cidrs": ["192.0.2.1/32"]}, {"port": 8200}]}, "does not say where Vault is"),
    ],
)
def test_what_cannot_come_true_is_refused(changed: dict[str, Any], said: str) -> None:
    problems = eso_problems({**DECLARED, **changed})
    assert len(problems) == 1, problems
    assert said in problems[0]


@pytest.mark.parametrize(
    ("found", "changed"),
    [
        ({}, {}),
        (running("2.9.0"), {}),
        (running("2.8.0"), {}),
        (running("2.10.0"), {"allow_downgrade": True}),
        (running("main"), {}),
        (running("2.9.0", "elsewhere"), {"has_class": True}),
        (running("0.9.20"), {"version": "0.16.2"}),
        ({"crds": [CRD]}, {}),
        ({"crds": [{**CRD, "stored": ["v1beta1", "v1"]}]}, {"version": "0.16.2"}),
        ({"crds": [{**CRD, "release": "external-secrets"}]}, {"crds": "chart"}),
        ({"crds": [{**CRD, "release": "theirs"}]}, {}),
        ({"crds": [{**CRD, "release": "theirs"}]}, {"method": "helm", "crds": "none"}),
        ({"api_server": {"cidrs": ["192.0.2.1/32"], "ports": [443]}}, {}),
        ({"api_server": {"cidrs": [], "ports": []}}, {"api_server_cidrs": ["192.0.2.1/32"]}),
        ({"dependents": ["ExternalSecret a/b"]}, {"state": "absent", "confirmed": True}),
        # what is only of concern to an installation
        ({**running("2.10.0"), "crds": [{**CRD, "stored": ["v1beta1"]}]}, {"state": "absent"}),
    ],
)
def test_a_cluster_that_can_become_what_is_declared(found: dict[str, Any], changed: dict[str, Any]) -> None:
    assert eso_cluster_problems(found, {**DECLARED, **changed}) == []


@pytest.mark.parametrize(
    ("found", "changed", "said"),
    [
        (running("2.10.0"), {}, "2.10.0 runs in external-secrets, and eso_version is 2.9.0"),
        (running("2.9.0", "elsewhere"), {}, "already runs in the namespace elsewhere"),
        (running("0.15.0"), {}, "stores v1beta1, and 2.9.0 serves v1 only"),
        (
            {"crds": [{**CRD, "stored": ["v1beta1", "v1"]}]},
            {},
            "keeps objects as v1, v1beta1, and External Secrets Operator 2.9.0 knows v1; write each object once",
        ),
        (
            {"crds": [{**CRD, "versions": ["v1beta1"], "stored": ["v1beta1"]}]},
            {},
            "knows v1; install eso_version 0.16.2 first, then write each object once",
        ),
        ({"crds": [{**CRD, "stored": ["v1alpha1"]}]}, {"version": "0.16.2"}, "0.16.2 knows v1, v1beta1;"),
        ({"crds": [{**CRD, "release": "external-secrets", "kept": False}]}, {}, "run once with eso_crds: chart"),
        (
            {"crds": [{**CRD, "release": ""}]},
            {"method": "helm"},
            "does not belong to the release external-secrets-crds",
        ),
        ({"crds": [CRD]}, {"method": "helm", "crds": "chart"}, "does not belong to the release external-secrets,"),
        ({"api_server": {"cidrs": [], "ports": []}}, {}, "name them by eso_network_api_server_cidrs"),
        ({"missing_namespaces": ["flux-system"]}, {}, "The namespace flux-system does not exist"),
        (
            {"missing_kinds": ["monitoring.coreos.com/v1/ServiceMonitor"]},
            {"service_monitor": True},
            "does not serve ServiceMonitor",
        ),
        (
            {"missing_kinds": ["source.toolkit.fluxcd.io/v1/OCIRepository"]},
            {"source": "oci"},
            "not serve OCIRepository in source.toolkit.fluxcd.io/v1: install Flux 2.6 or newer with its source-",
        ),
        (
            {"dependents": ["A a/1", "A a/2", "A a/3", "B 4"]},
            {"state": "absent", "remove_crds": True},
            "4 objects of External Secrets Operator exist in eu-1, such as A a/1, A a/2, A a/3:",
        ),
    ],
)
def test_a_cluster_that_cannot_take_it_is_told_why(found: dict[str, Any], changed: dict[str, Any], said: str) -> None:
    problems = eso_cluster_problems(found, {**DECLARED, **changed})
    assert len(problems) == 1, problems
    assert said in problems[0]


def names(changed: dict[str, Any]) -> list[str]:
    return [
        "%s %s" % (one["kind"], "/".join(filter(None, (one["metadata"].get("namespace"), one["metadata"]["name"]))))
        for one in eso_undeclared({**DECLARED, **changed})
    ]


def test_every_choice_of_flux_leaves_nothing_of_the_others() -> None:
    crds = ["Kustomization flux-system/external-secrets-crds", "GitRepository flux-system/external-secrets-crds"]
    assert names({}) == [*crds, "OCIRepository flux-system/external-secrets"]
    assert names({"source": "oci", "crds": "kustomization"}) == [
        "HelmRelease flux-system/external-secrets-crds",
        "HelmRepository flux-system/external-secrets",
    ]
    assert names({"method": "helm"}) == []


def test_policies_that_are_not_wanted_go_and_the_one_that_forbids_goes_last() -> None:
    assert names({"method": "helm", "network_metrics_namespace": ""}) == [
        "NetworkPolicy external-secrets/external-secrets-metrics"
    ]
    policies = names({"method": "helm", "network_policies": False})
    assert len(policies) == 5
    assert policies[-1] == "NetworkPolicy external-secrets/external-secrets-default-deny"


def test_a_removal_takes_what_the_role_made_and_the_namespace_only_when_asked() -> None:
    removed = {"state": "absent", "service_accounts": [{"name": "a"}, {"name": "b", "namespace": "apps"}]}
    found = names(removed)
    for name in (
        "Role external-secrets/external-secrets-token-a",
        "RoleBinding apps/external-secrets-token-b",
        "HelmRelease flux-system/external-secrets-crds",
        "Kustomization flux-system/external-secrets-crds",
        "HelmRepository flux-system/external-secrets",
        "OCIRepository flux-system/external-secrets",
    ):
        assert name in found
    assert "Namespace external-secrets" not in found
    assert names({**removed, "remove_namespace": True}) == [*found, "Namespace external-secrets"]


def test_kinds_follow_from_method_and_source() -> None:
    assert [kind.rpartition("/")[2] for kind in eso_kinds(DECLARED)] == ["HelmRelease", "HelmRepository"]
    more = {**DECLARED, "source": "oci", "crds": "kustomization", "service_monitor": True}
    assert [kind.rpartition("/")[2] for kind in eso_kinds(more)] == [
        "HelmRelease",
        "OCIRepository",
        "Kustomization",
        "GitRepository",
        "ServiceMonitor",
    ]
    assert eso_kinds({**DECLARED, "method": "helm"}) == []
    assert eso_kinds({**DECLARED, "method": "helm", "service_monitor": True, "state": "absent"}) == []


def test_what_is_no_declaration_is_refused_with_the_name_of_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match="eso_undeclared: takes a mapping"):
        eso_undeclared([])  # type: ignore[arg-type]
    with pytest.raises(AnsibleFilterError, match="eso_cluster_problems: takes the result"):
        eso_cluster_problems([], DECLARED)  # type: ignore[arg-type]
