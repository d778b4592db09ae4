# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is rotated by which Vault, and in which Kubernetes clusters."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.filter import rotation

VAULTS, CLUSTERS = ["north", "south"], ["first", "second"]
HOSTVARS: dict[str, dict[str, Any]] = {
    "north": {},
    "south": {},
    "first": {"kubernetes_connection": {"kubeconfig": "/first"}},
    "second": {"vault_cluster": "south"},
}


def application(name: str, **more: Any) -> dict[str, Any]:
    """Return an application with one key."""
    return {"name": name, "path": "applications/" + name, "generate": {"password": {"length": 32}}, **more}


def chosen(host: str, *applications: dict[str, Any], only: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return rotation.rotation_applications(applications, host, HOSTVARS, VAULTS, CLUSTERS, only)


def test_an_application_is_rotated_where_it_says() -> None:
    every = [application("n", vault_cluster="north"), application("all"), application("empty", vault_cluster="")]
    assert [one["name"] for one in chosen("north", *every)] == ["n", "all", "empty"]
    assert [one["name"] for one in chosen("south", *every)] == ["all", "empty"]
    assert all("vault_cluster" not in one for one in chosen("north", *every))


@pytest.mark.parametrize(
    ("cluster", "host", "found"),
    [
        (None, "north", ["first"]),
        ("", "south", ["second"]),
        ("first", "north", ["first"]),
        ("second", "north", ["second"]),
        ("nowhere", "north", ["nowhere"]),
    ],
)
def test_what_names_no_cluster_is_in_those_that_the_vault_serves(
    cluster: str | None, host: str, found: list[str]
) -> None:
    place = {"name": "x", "namespace": "y", **({} if cluster is None else {"cluster": cluster})}
    (one,) = chosen(host, application("web", external_secrets=[place], workloads=[{**place, "kind": "StatefulSet"}]))
    assert [entry["cluster"] for entry in one["external_secrets"]] == found
    assert one["workloads"] == [{"name": "x", "namespace": "y", "kind": "StatefulSet", "cluster": found[0]}]


def test_without_clusters_the_module_says_what_is_missing() -> None:
    place = {"name": "x", "namespace": "y"}
    (one,) = rotation.rotation_applications([application("web", external_secrets=[place])], "north", HOSTVARS, VAULTS)
    assert one["external_secrets"] == [place]


def test_the_connections_of_what_is_named() -> None:
    place = {"name": "x", "namespace": "y", "cluster": "first"}
    found = chosen("north", application("web", external_secrets=[place]))
    assert rotation.rotation_clusters(found, HOSTVARS, CLUSTERS) == [{"name": "first", "kubeconfig": "/first"}]
    assert rotation.rotation_clusters(chosen("north", application("web")), HOSTVARS, CLUSTERS) == []


def test_what_is_chosen_by_name() -> None:
    every = [application("a"), application("b")]
    assert [one["name"] for one in chosen("north", *every, only=("b",))] == ["b"]
    assert rotation.rotation_unknown(every, ["b", "c"]) == ["c"]
    assert rotation.rotation_only_option(every, ["b"]) == []
    folder = {**application("shops"), "path": "shops/*"}
    assert [one["name"] for one in chosen("north", *every, folder, only=("b",))] == ["b", "shops"]
    assert rotation.rotation_unknown([*every, folder], ["c"]) == []
    assert rotation.rotation_only_option([folder], ["c"]) == ["c"]


def test_what_is_told() -> None:
    results = [
        {"name": "a", "outcome": "done", "info": {"version": 3, "proven": True}},
        {"name": "b", "outcome": "done", "info": {"version": 2, "proven": False}},
        {"name": "c", "outcome": "not_due", "info": {}},
        {"name": "d", "outcome": "held", "error": "no", "info": {}},
        {"name": "e", "outcome": "not_reached", "info": {}},
    ]
    assert rotation.rotation_summary(results) == ["a (version 3)", "b (version 2, not proven)"]
    assert rotation.rotation_failed(results) == ["d", "e"]
    with pytest.raises(AnsibleFilterError, match="takes a list"):
        rotation.FilterModule().filters()["rotation_summary"]("x")
