# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_secrets_engine against a real server."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture
def engine(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, diff: bool = False, **options: Any) -> Result:
        return run_module("vault_secrets_engine", {**vault_args, **options}, check=check, diff=diff)

    return run


def mounts(openbao: VaultServer) -> dict[str, Any]:
    return dict(openbao.client().sys.list_mounted_secrets_engines()["data"])


def test_life_of_an_engine(engine: Run, openbao: VaultServer, unique: str) -> None:
    declared = {
        "path": unique + "/",
        "type": "kv-v2",
        "description": "for tests",
        "tune": {"max_lease_ttl": "2h", "passthrough_request_headers": ["X-B", "X-A"]},
        "config": {"max_versions": 5, "delete_version_after": "72h"},
    }
    planned = engine(check=True, diff=True, **declared)
    assert planned.changed, planned.msg
    assert "config.max_versions: 5" in planned["diff"][0]["after"]
    assert unique + "/" not in mounts(openbao)

    assert engine(**declared).changed
    entry = mounts(openbao)[unique + "/"]
    assert (entry["type"], entry["options"]["version"], entry["config"]["max_lease_ttl"]) == ("kv", "2", 7200)

    # the same in other words
    declared["tune"] = {"max_lease_ttl": "120m", "passthrough_request_headers": ["X-A", "X-B"]}
    declared["config"] = {"max_versions": 5, "delete_version_after": "3d"}
    again = engine(**declared)
    assert not again.failed and not again.changed
    assert again["accessor"] == entry["accessor"]

    declared["tune"] = {"max_lease_ttl": "3h", "passthrough_request_headers": []}
    declared["config"] = {"cas_required": True}
    planned = engine(check=True, diff=True, **declared)
    assert planned["results"][0]["fields"] == [
        "config.cas_required",
        "tune.max_lease_ttl",
        "tune.passthrough_request_headers",
    ]
    assert mounts(openbao)[unique + "/"]["config"]["max_lease_ttl"] == 7200
    assert engine(**declared).changed
    assert not engine(**declared).changed
    config = openbao.client().secrets.kv.v2.read_configuration(unique)["data"]
    assert (config["max_versions"], config["cas_required"]) == (5, True)

    assert engine(path=unique, state="absent", check=True).changed
    assert unique + "/" in mounts(openbao)
    assert engine(path=unique, state="absent").changed
    assert unique + "/" not in mounts(openbao)
    assert not engine(path=unique, state="absent").changed


def test_kv_is_upgraded_only_when_that_is_said(engine: Run, openbao: VaultServer, unique: str) -> None:
    assert engine(path=unique, type="kv").changed
    openbao.client().secrets.kv.v1.create_or_update_secret("app", {"key": "kept"}, mount_point=unique)
    wanted = {"path": unique, "type": "kv", "options": {"version": 2}, "config": {"max_versions": 4}}
    refused = engine(check=True, **wanted)
    assert refused.failed and '"upgrade: true"' in refused.msg and unique in refused.msg

    upgraded = engine(upgrade=True, **wanted)
    assert not upgraded.failed, upgraded.msg
    assert upgraded["results"][0]["fields"] == ["config.max_versions", "options.version"]
    found = openbao.client().secrets.kv.v2.read_secret_version("app", mount_point=unique, raise_on_deleted_version=True)
    assert found["data"]["data"] == {"key": "kept"}
    assert not engine(upgrade=True, **wanted).changed
    assert "cannot go back" in engine(path=unique, type="kv-v1", upgrade=True).msg


def test_what_is_in_the_way_is_told_before_anything_changes(engine: Run, openbao: VaultServer, unique: str) -> None:
    assert engine(path=unique, type="transit").changed
    before = mounts(openbao)
    for options, said in [
        ({"path": unique, "type": "pki"}, 'type "transit" is mounted there, and "pki" is declared'),
        ({"path": unique, "type": "transit", "local": True}, '"local" is false and cannot be changed'),
        ({"path": unique + "/deeper", "type": "kv"}, 'of type "transit" at "%s" is in the way' % unique),
        ({"path": unique + "-x", "type": "nonsense"}, 'no secrets engine of type "nonsense"'),
        ({"path": "sys", "type": "kv"}, "server's own mount"),
        ({"path": "", "type": "kv"}, "path is empty"),
        ({"path": unique + "-x"}, '"type" is missing'),
        ({"path": unique + "-x", "type": "kv", "options": {"version": "3"}}, 'KV has no version "3"'),
        ({"path": unique + "-x", "type": "pki", "config": {"max_versions": 1}}, "KV version 2 only"),
        ({"path": unique + "-x", "type": "kv", "config": {"max_versions": 1}}, "KV version 2"),
        ({"path": unique + "-x", "type": "pki", "tune": {"max_lease_ttl": "soon"}}, '"soon" is not a duration'),
        (
            {"path": unique + "-x", "type": "pki", "tune": {"max_lease_ttl": "1h", "default_lease_ttl": "2h"}},
            "default_lease_ttl is longer",
        ),
    ]:
        result = engine(check="pki" in options.values(), **options)
        assert result.failed and said in result.msg, (options, result.msg)
    assert mounts(openbao) == before


def test_purge_deletes_no_data_that_is_not_named_twice(run_module: Run, new_server: Callable[..., VaultServer]) -> None:
    server = new_server()
    connection = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}

    def engines(*declared: dict[str, Any], **options: Any) -> Result:
        return run_module("vault_secrets_engine", {**connection, "engines": list(declared), **options})

    made = engines(*({"path": path, "type": "transit"} for path in ("a", "b", "c")))
    assert made["summary"]["create"] == 3
    refused = engines({"path": "a", "type": "transit"}, {"path": "new", "type": "kv"}, purge=True, purge_data=["b"])
    assert refused.failed and 'the data of "c"' in refused.msg
    assert {"a/", "b/", "c/"} <= set(mounts(server)) and "new/" not in mounts(server)

    purged = engines({"path": "a", "type": "transit"}, purge=True, purge_data=["b"], protected=["c/"])
    assert not purged.failed, purged.msg
    assert set(mounts(server)) == {"a/", "c/", "cubbyhole/", "identity/", "sys/"}
    assert not engines({"path": "a", "type": "transit"}, purge=True, protected=["c"]).changed


def test_a_missing_permission_is_no_absence(
    run_module: Run, openbao: VaultServer, vault_args: dict[str, Any], unique: str
) -> None:
    token = openbao.client().auth.token.create(policies=["default"], ttl="5m")["auth"]["client_token"]
    result = run_module("vault_secrets_engine", {**vault_args, "token": token, "path": unique, "type": "kv"})
    assert result.failed and 'path "sys/mounts"' in result.msg
    assert unique + "/" not in mounts(openbao)
    result.hides(token)
