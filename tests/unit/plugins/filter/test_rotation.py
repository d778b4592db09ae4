# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is rotated where, what is held back, and what follows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.filter import rotation

VAULTS = ["north", "south"]
HOSTVARS: dict[str, dict[str, Any]] = {
    "north": {},
    "south": {},
    "first": {},
    "second": {"vault_cluster": "south"},
}


def application(name: str, **more: Any) -> dict[str, Any]:
    """Return an application with one key."""
    return {"name": name, "path": "applications/" + name, "generate": {"password": {"length": 32}}, **more}


def names(found: list[Any]) -> list[str]:
    """Return the names of applications."""
    return [one["name"] for one in found]


def test_an_application_is_rotated_where_it_says() -> None:
    every = [application("n", vault_cluster="north"), application("all"), application("empty", vault_cluster="")]
    assert names(rotation.rotation_mine(every, "north")) == ["all", "n", "empty"]
    assert names(rotation.rotation_mine(every, "south")) == ["all", "empty"]


@pytest.mark.parametrize(
    ("more", "unready", "host", "held"),
    [
        ({}, ["first"], "north", False),
        ({"workloads": [{"name": "x", "namespace": "x", "cluster": "first"}]}, ["first"], "north", True),
        ({"workloads": [{"name": "x", "namespace": "x", "cluster": "first"}]}, ["second"], "north", False),
        ({"external_secrets": [{"name": "x", "namespace": "x"}]}, ["first"], "north", True),
        ({"external_secrets": [{"name": "x", "namespace": "x"}]}, ["first"], "south", False),
        ({"external_secrets": [{"name": "x", "namespace": "x"}]}, ["second"], "south", True),
        ({"external_secrets": [{"name": "x", "namespace": "x"}]}, ["second"], "north", False),
        ({"external_secrets": [{"name": "x", "namespace": "x"}]}, ["unknown"], "north", True),
        ({"external_secrets": [{"name": "x", "namespace": "x"}]}, [], "north", False),
        ({"vault_cluster": "north", "workloads": [{"name": "x", "namespace": "x"}]}, ["second"], "north", True),
    ],
)
def test_an_application_is_held_back_where_its_cluster_cannot_take_new_values(
    more: dict[str, Any], unready: list[str], host: str, held: bool
) -> None:
    found = rotation.rotation_held([application("web", **more)], unready, host, HOSTVARS, VAULTS)
    assert found == (["web"] if held else [])


def test_an_application_is_named_once() -> None:
    places = [{"name": "x", "namespace": "x"}]
    web = application("web", external_secrets=places, workloads=places)
    assert rotation.rotation_held([web], ["first", "unknown"], "north", HOSTVARS, VAULTS) == ["web"]


def test_what_was_written_is_told_by_its_path() -> None:
    every = [application("a"), application("b", mount="apps/"), application("c")]
    changed = ["secret/applications/a", "apps/applications/b"]
    assert rotation.rotation_done(every, changed) == ["a", "b"]


def test_what_failed_is_not_brought() -> None:
    every = [application("a"), application("b"), application("s", vault_cluster="south")]
    left = {**HOSTVARS, "north": {"__rotation_left": ["b"]}, "south": {"__rotation_left": []}}
    assert names(rotation.rotation_brought(every, left, "north", VAULTS)) == ["a", "s"]
    assert names(rotation.rotation_brought(every, left, "", VAULTS)) == ["a", "s"]
    failed = {**HOSTVARS, "south": {"converge_failure": "no"}}
    assert names(rotation.rotation_brought(every, failed, "north", VAULTS)) == ["a", "b"]
    # a run that is limited to Kubernetes
    assert names(rotation.rotation_brought(every, {}, "", [])) == ["a", "b", "s"]


def test_what_is_written() -> None:
    web = application("web", timestamp_key="rotated_at")
    web["generate"] = {"password": {"length": 32}, "key": None}
    (found,) = rotation.rotation_secrets([web, application("held")], ["held"], "now")
    assert found == {
        "mount": "secret",
        "path": "applications/web",
        "mode": "merge",
        "generate": {"key": {"rotate": True}, "password": {"length": 32, "rotate": True}},
        "data": {"rotated_at": "now"},
    }
    assert rotation.rotation_secrets([application("x", mount="m")], [], "now")[0]["data"] == {}


def test_what_follows_in_a_cluster() -> None:
    places = [
        {"name": "all", "namespace": "n"},
        {"name": "one", "namespace": "n", "cluster": "first"},
        {"name": "other", "namespace": "n", "cluster": "second"},
    ]
    every = [application("web", external_secrets=places, workloads=[{**places[1], "kind": "StatefulSet"}, places[0]])]
    assert rotation.rotation_objects(every, "external_secrets", "first") == [
        {"namespace": "n", "name": "all"},
        {"namespace": "n", "name": "one"},
    ]
    assert rotation.rotation_objects(every, "workloads", "first") == [
        {"kind": "StatefulSet", "namespace": "n", "name": "one"},
        {"kind": "Deployment", "namespace": "n", "name": "all"},
    ]
    with pytest.raises(AnsibleFilterError, match="is none of external_secrets, workloads"):
        rotation.rotation_objects(every, "pods", "first")
    with pytest.raises(AnsibleFilterError, match="takes a list of applications"):
        rotation.FilterModule().filters()["rotation_mine"]("x", "first")
