# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How teams are expanded, and what is refused because one team could stand in for another."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.filter.tenant import tenant_kubernetes, tenant_vault

PAYMENTS = {
    "name": "payments",
    "environments": ["staging", "production"],
    "quota": {"rate": 50},
    "paths": ["shared/registry"],
    "secrets": [{"name": "api", "keys": {"TOKEN": "token"}}, {"name": "db", "environments": ["production"]}],
}
CLUSTERS = {"eu": {"auth_mount": "eu"}, "us": {"auth_mount": "us", "audience": "vault-us"}}


def test_each_environment_reads_its_own_tree_and_nothing_else() -> None:
    found = tenant_vault([PAYMENTS], CLUSTERS)
    assert [one["name"] for one in found["policies"]] == ["tenant-payments-staging", "tenant-payments-production"]
    assert found["policies"][1]["rules"] == [
        {"path": "secret/data/teams/payments/production/*", "capabilities": ["read"]},
        {"path": "secret/data/shared/registry", "capabilities": ["read"]},
        {"path": "secret/data/shared/registry/*", "capabilities": ["read"]},
    ]
    assert found["quotas"] == [{"name": "tenant-payments", "path": "secret/data/teams/payments/*", "rate": 50}]
    role = next(one for one in found["auth_roles"] if (one["mount"], one["name"]) == ("us", "tenant-payments-staging"))
    assert role == {
        "mount": "us",
        "type": "kubernetes",
        "name": "tenant-payments-staging",
        "bound_service_account_names": ["payments-secrets"],
        "bound_service_account_namespaces": ["payments-staging"],
        "audience": "vault-us",
        "token_policies": ["tenant-payments-staging"],
        "token_ttl": "15m",
    }


def test_a_role_exists_only_where_the_team_is() -> None:
    found = tenant_vault([{"name": "web", "clusters": ["eu"]}], CLUSTERS)
    assert [(one["mount"], one.get("state")) for one in found["auth_roles"]] == [("eu", None), ("us", "absent")]
    assert tenant_kubernetes([{"name": "web", "clusters": ["eu"]}], "us", "https://v:8200")["stores"] == []


def test_clusters_that_share_a_mount_share_the_role() -> None:
    web = {"name": "web", "namespaces": [{"name": "a", "clusters": ["eu"]}, {"name": "b", "clusters": ["us"]}]}
    found = tenant_vault([web], {"eu": {}, "us": {}})["auth_roles"]
    assert [(one["mount"], one["bound_service_account_namespaces"]) for one in found] == [("kubernetes", ["a", "b"])]


def test_each_namespace_gets_its_store_and_its_secrets() -> None:
    found = tenant_kubernetes([PAYMENTS], "eu", "https://v:8200", auth_mount="eu", audiences=["vault", "api"])
    assert [one["name"] for one in found["namespaces"]] == ["payments-staging", "payments-production"]
    assert found["stores"][0]["auth"] == {
        "kubernetes": {
            "mount_path": "eu",
            "role": "tenant-payments-staging",
            "service_account": {"name": "payments-secrets", "audiences": ["vault", "api"]},
        }
    }
    where = [(one["namespace"], one["name"]) for one in found["external_secrets"]]
    assert where == [("payments-staging", "api"), ("payments-production", "api"), ("payments-production", "db")]
    assert found["external_secrets"][0]["data"] == [
        {"secret_key": "TOKEN", "remote_ref": {"key": "teams/payments/staging/api", "property": "token"}}
    ]
    assert found["external_secrets"][2]["data_from"] == [{"extract": {"key": "teams/payments/production/db"}}]


def test_a_team_that_is_gone_leaves_its_namespaces() -> None:
    gone = {**PAYMENTS, "state": "absent"}
    vault, cluster = tenant_vault([gone], CLUSTERS), tenant_kubernetes([gone], "eu", "https://v:8200")
    for one in [*vault["policies"], *vault["auth_roles"], *vault["quotas"], *cluster["stores"]]:
        assert one["state"] == "absent"
    assert cluster["namespaces"] == []
    assert cluster["external_secrets"][0] == {"name": "api", "namespace": "payments-staging", "state": "absent"}


@pytest.mark.parametrize(
    ("teams", "said"),
    [
        ([{"name": "a"}, {"name": "a"}], "is declared twice"),
        (
            [{"name": "a", "namespaces": ["x"]}, {"name": "b", "namespaces": ["x"]}],
            'its namespace "eu/x" is that of "a"',
        ),
        ([{"name": "a-b"}, {"name": "a", "environments": ["b"]}], 'its policy "tenant-a-b" is that of "a-b"'),
        ([{"name": "../b"}], 'the team "../b" is not a name'),
        ([{"name": "a*"}], "is not a name"),
        ([{"name": "a", "environments": ["+"]}], 'the environment "+" is not a name'),
        ([{"name": "a", "paths": ["teams/b"]}], "belongs to teams"),
        ([{"name": "a", "paths": ["teams"]}], "belongs to teams"),
        ([{"name": "a", "paths": ["+/b"]}], "is none"),
        ([{"name": "a", "paths": ["shared/../teams/b"]}], "is none"),
        ([{"name": "a", "secrets": [{"name": "x", "path": "../../b/x"}]}], "is none"),
        ([{"name": "a", "secrets": [{"name": "x", "data_from": []}]}], "has no option data_from"),
        ([{"name": "a", "secrets": [{"path": "x"}]}], "has no name"),
        ([{"name": "a", "environments": ["p", "q"], "namespaces": ["x"]}], "to which environment"),
        ([{"name": "a", "namespaces": [{"name": "x", "environment": "q"}]}], "which it does not have"),
        ([{"name": "a", "namespace": "x"}], "has no option namespace"),
        ({"name": "a"}, "is not a list"),
    ],
)
def test_what_would_let_one_team_stand_in_for_another_is_refused(teams: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        tenant_vault(teams, CLUSTERS)
        tenant_kubernetes(teams, "eu", "https://v:8200")
    assert said in str(refused.value)
