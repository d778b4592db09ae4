# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to a server as a whole, quotas and audit devices, by vault_configuration in the root namespace."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
Changes = list[tuple[str, str, str]]


@pytest.fixture
def server(new_server: Callable[..., VaultServer]) -> VaultServer:
    """A server of its own for each test, as both lists and their purge are about all of it."""
    return new_server(unsafe_allow_api_audit_creation=True)


@pytest.fixture
def tree(run_module: Run, server: VaultServer) -> Run:
    connection = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}

    def run(configuration: dict[str, Any], check: bool = False) -> Result:
        given = {**connection, "configuration": configuration}
        return run_module("vault_configuration", given, check=check, diff=True)

    return run


@pytest.fixture
def declared(tmp_path: Path) -> dict[str, Any]:
    return {
        "audit_devices": [
            {"path": "main", "type": "file", "options": {"file_path": str(tmp_path / "main.log")}},
            {"path": "team/second", "type": "file", "options": {"file_path": str(tmp_path / "second.log")}},
        ],
        "secrets_engines": [{"path": "limited", "type": "kv-v2"}],
        "quotas": [
            {"name": "all", "rate": 9000},
            {"name": "limited", "path": "limited", "rate": 700.5, "interval": "1m", "block_interval": "90s"},
        ],
    }


def changes(result: Result) -> Changes:
    assert not result.failed, result.msg
    return [(one["part"], one["name"], one["action"]) for one in result["results"] if one["changed"]]


def devices(server: VaultServer) -> dict[str, Any]:
    return {path.rstrip("/"): entry for path, entry in server.client().sys.list_enabled_audit_devices()["data"].items()}


def quotas(server: VaultServer) -> dict[str, dict[str, Any]]:
    client = server.client()
    names = ((client.list("sys/quotas/rate-limit") or {}).get("data") or {}).get("keys") or []
    return {name: client.read(f"sys/quotas/rate-limit/{name}")["data"] for name in names}


def rehearsed(tree: Run, server: VaultServer, configuration: dict[str, Any], expected: Changes) -> Result:
    """Run in check mode, which changes nothing, then for good: both tell the same."""
    before = (devices(server), quotas(server))
    planned = tree(configuration, check=True)
    assert changes(planned) == expected
    assert (devices(server), quotas(server)) == before
    done = tree(configuration)
    assert changes(done) == expected
    assert done["diff"] == planned["diff"] and len(done["diff"]) == len(expected)
    again = tree(configuration)
    assert changes(again) == [] and again["diff"] == []
    return done


def test_life(tree: Run, server: VaultServer, declared: dict[str, Any], tmp_path: Path) -> None:
    everything: Changes = [
        ("audit_devices", "main", "create"),
        ("audit_devices", "team/second", "create"),
        ("secrets_engines", "limited", "create"),
        ("quotas", "all", "create"),
        ("quotas", "limited", "create"),
    ]
    made = rehearsed(tree, server, declared, everything)
    assert made["diff"][4]["after"] == "block_interval: 90s\ninterval: 1m\npath: limited\nrate: 700.5\n"
    assert set(devices(server)) == {"main", "team/second"} and (tmp_path / "second.log").stat().st_size > 0
    found = quotas(server)["limited"]
    assert (found["rate"], found["interval"], found["block_interval"], found["path"]) == (700.5, 60, 90, "limited/")

    changed = copy.deepcopy(declared)
    changed["quotas"][1]["rate"] = 800
    changed["audit_devices"][0].update(description="the first", replace=True)
    updated = rehearsed(tree, server, changed, [("audit_devices", "main", "update"), ("quotas", "limited", "update")])
    assert [(one["before"], one["after"]) for one in updated["diff"]] == [
        ("description: \n", "description: the first\n"),
        ("rate: 700.5\n", "rate: 800.0\n"),
    ]
    assert devices(server)["main"]["description"] == "the first"
    found = quotas(server)["limited"]
    assert (found["rate"], found["interval"], found["block_interval"]) == (800, 60, 90)
    assert quotas(server)["all"]["rate"] == 9000

    changed["quotas"][0] = {"name": "all", "state": "absent"}
    changed["audit_devices"][1] = {"path": "team/second", "state": "absent"}
    gone = rehearsed(tree, server, changed, [("audit_devices", "team/second", "delete"), ("quotas", "all", "delete")])
    assert [one["after"] for one in gone["diff"]] == ["", ""] and "rate: 9000" in gone["diff"][1]["before"]
    assert set(devices(server)) == {"main"} and set(quotas(server)) == {"limited"}

    last = {"quotas": [], "audit_devices": [], "purge": {"quotas": {}, "audit_devices": {}}}
    refused = tree(last)
    assert refused.failed and "it leaves requests unaudited, as there is no other device" in refused.msg
    assert set(devices(server)) == {"main"}
    last["purge"] = {"quotas": {}, "audit_devices": {"remove_last": True}}
    rehearsed(tree, server, last, [("audit_devices", "main", "delete"), ("quotas", "limited", "delete")])
    assert devices(server) == {} and quotas(server) == {}


def test_purge_keeps_what_is_declared_or_protected(tree: Run, server: VaultServer, declared: dict[str, Any]) -> None:
    declared["quotas"].append({"name": "emergency", "path": "sys", "rate": 50})
    assert len(changes(tree(declared))) == 6
    kept = copy.deepcopy(declared)
    kept["quotas"] = declared["quotas"][:1]
    kept["audit_devices"] = declared["audit_devices"][:1]
    spared = {
        "purge": {"quotas": {"protected": ["emergency", "limited"]}, "audit_devices": {"protected": ["team/second"]}}
    }
    assert changes(tree({**kept, **spared})) == []
    named = {"purge": {"quotas": {"protected": ["emergency"]}, "audit_devices": {}}}
    rehearsed(
        tree, server, {**kept, **named}, [("audit_devices", "team/second", "delete"), ("quotas", "limited", "delete")]
    )
    assert set(devices(server)) == {"main"} and set(quotas(server)) == {"all", "emergency"}


def test_a_quota_of_a_mount_inside_a_namespace_of_the_same_tree(tree: Run, server: VaultServer) -> None:
    if server.product != "openbao":
        pytest.skip("namespaces need OpenBao or HashiCorp Vault Enterprise")
    inside = {"team": {"secrets_engines": [{"path": "secret", "type": "kv"}]}}
    wanted = {
        "namespaces": [{"name": "team"}],
        "quotas": [{"name": "team", "path": "team", "rate": 90}, {"name": "secret", "path": "team/secret", "rate": 10}],
        "inside": inside,
    }
    made: Changes = [
        ("namespaces", "team", "create"),
        ("secrets_engines", "secret", "create"),
        ("quotas", "team", "create"),
        ("quotas", "secret", "create"),
    ]
    rehearsed(tree, server, wanted, made)
    assert quotas(server)["secret"]["path"] == "team/secret/" and quotas(server)["team"]["path"] == "team/"
    inside["team"]["secrets_engines"][0]["state"] = "absent"
    wanted["quotas"] = [{"name": "secret", "state": "absent"}]
    gone = tree(wanted)
    assert changes(gone) == [("secrets_engines", "secret", "delete"), ("quotas", "secret", "delete")]
    assert set(quotas(server)) == {"team"}


def test_inside_a_namespace_they_are_refused_before_it_is_made(tree: Run, server: VaultServer, tmp_path: Path) -> None:
    if server.product != "openbao":
        pytest.skip("namespaces need OpenBao or HashiCorp Vault Enterprise")
    options = {"file_path": str(tmp_path / "inside.log")}
    for inside, said in (
        ({"quotas": [{"name": "q", "rate": 10}]}, "quotas are kept in the root namespace"),
        ({"purge": {"quotas": {}}}, "quotas are kept in the root namespace"),
        ({"audit_devices": [{"type": "file", "options": options}]}, "audit devices are kept in the root namespace"),
    ):
        for check in (True, False):
            refused = tree({"namespaces": [{"name": "team"}], "inside": {"team": inside}}, check=check)
            assert refused.failed and not refused.changed
            assert said in refused.msg and 'this is "team"; leave "namespace" (in a tree "inside") out' in refused.msg
    assert server.client().list("sys/namespaces") is None, "the namespace was made before the refusal"
