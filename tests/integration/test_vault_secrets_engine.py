# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_secrets_engine against a real server."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.reconcile import reconcile
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base.mounts import EngineMounts
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.client import Client
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines import mount as secrets_engine
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

    planned = engine(check=True, diff=True, upgrade=True, **wanted)
    assert not planned.failed and planned.changed, planned.msg
    assert planned["results"][0]["fields"] == ["config.max_versions", "options.version"]
    assert planned["diff"][0]["after"] == "config.max_versions: 4\noptions.version: 2\n"
    assert (mounts(openbao)[unique + "/"]["options"] or {}).get("version", "1") == "1", "check mode upgraded it"
    unversioned = openbao.client().secrets.kv.v1.read_secret("app", mount_point=unique)
    assert unversioned["data"] == {"key": "kept"}

    upgraded = engine(diff=True, upgrade=True, **wanted)
    assert not upgraded.failed, upgraded.msg
    assert upgraded["results"][0]["fields"] == planned["results"][0]["fields"]
    assert upgraded["diff"] == planned["diff"]
    assert mounts(openbao)[unique + "/"]["options"]["version"] == "2"
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
        ({"path": "", "type": "kv"}, '"path" is empty'),
        ({"path": unique + "/../x", "type": "kv"}, "leads elsewhere"),
        ({"path": unique + "%2Fx", "type": "kv"}, 'holds "%"'),
        (
            {"path": unique + "-x", "type": "kv-v2", "config": {"max_versions": -1}},
            'option "config.max_versions": -1 is negative',
        ),
        ({"path": unique + "-x", "type": "pki", "tune": {"max_lease_ttl": "500ms"}}, "a fraction of a second"),
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


def test_a_path_does_not_lead_to_another_engine(engine: Run, openbao: VaultServer, unique: str) -> None:
    client = openbao.client()
    client.sys.enable_secrets_engine("transit", path=unique)
    client.adapter.post(f"/v1/sys/mounts/{unique}%3Fold", json={"type": "transit"})
    assert {f"{unique}/", f"{unique}?old/"} <= set(client.sys.list_mounted_secrets_engines()["data"])
    for check in (True, False):
        refused = engine(check=check, path=f"{unique}?old", state="absent")
        assert refused.failed and 'the path holds "?"' in refused.msg, refused.msg
    assert f"{unique}/" in client.sys.list_mounted_secrets_engines()["data"]
    client.adapter.delete(f"/v1/sys/mounts/{unique}%3Fold")


def test_lifetimes_as_people_write_them(engine: Run, openbao: VaultServer, unique: str) -> None:
    wanted = {
        "path": unique,
        "type": "kv-v2",
        "config": {"delete_version_after": "1w"},
        "tune": {"default_lease_ttl": "1d12h", "max_lease_ttl": "1w"},
    }
    made = engine(**wanted)
    assert made.changed and not engine(**wanted).changed, made.msg
    for check in (True, False):
        refused = engine(check=check, path=unique, type="kv", tune={"default_lease_ttl": "8d"})
        assert refused.failed and "default_lease_ttl is longer than max_lease_ttl, with what" in refused.msg
    changed = engine(path=unique, type="kv", tune={"max_lease_ttl": "2w"})
    assert changed["results"][0]["fields"] == ["tune.max_lease_ttl"] and not changed.failed, changed.msg
    tuned = openbao.client().read(f"sys/mounts/{unique}/tune")["data"]
    assert (tuned["default_lease_ttl"], tuned["max_lease_ttl"]) == (129600, 1209600)


def test_one_that_cannot_be_stops_the_whole_list(engine: Run, openbao: VaultServer, unique: str) -> None:
    other = f"{unique}-other"
    assert engine(path=other, type="transit").changed
    before = mounts(openbao)
    for wrong, said in (
        ({"path": f"{unique}-2", "type": "nonsense"}, 'no secrets engine of type "nonsense"'),
        ({"path": other, "type": "pki"}, 'type "transit" is mounted there, and "pki" is declared'),
        ({"path": f"{other}/deeper", "type": "pki"}, "is in the way"),
        ({"path": f"{unique}-2", "type": "kv", "config": {"max_versions": 1}}, "a KV engine is of version 1 unless"),
    ):
        refused = engine(engines=[{"path": unique, "type": "transit"}, wrong])
        assert refused.failed and not refused.changed and said in refused.msg, refused.msg
        assert mounts(openbao) == before, wrong


def test_a_catalogue_that_the_token_may_not_see_is_no_error(
    run_module: Run, openbao: VaultServer, vault_args: dict[str, Any], unique: str
) -> None:
    client = openbao.client()
    client.sys.create_or_update_policy(
        unique,
        'path "sys/mounts" { capabilities = ["read"] }'
        'path "sys/mounts/*" { capabilities = ["create", "update", "sudo"] }',
    )
    token = client.auth.token.create(policies=[unique], ttl="5m")["auth"]["client_token"]

    def engine(kind: str) -> Result:
        return run_module("vault_secrets_engine", {**vault_args, "token": token, "path": unique, "type": kind})

    refused = engine("nonsense")
    assert refused.failed and "plugin not found in the catalog" in refused.msg, "the server's own words"
    made = engine("transit")
    assert made.changed and not made.failed, made.msg
    client.sys.disable_secrets_engine(unique)
    client.sys.delete_policy(unique)


@pytest.mark.parametrize(
    ("name", "first", "repeated", "second"),
    [
        ("default_lease_ttl", "1h", "60m", "2h"),
        ("max_lease_ttl", "1h", 3600, "2h"),
        ("listing_visibility", "unauth", "unauth", "hidden"),
        *(
            (name, ["a", "b"], ["b", "a"], ["c"])
            for name in (
                *("audit_non_hmac_request_keys", "audit_non_hmac_response_keys"),
                *("passthrough_request_headers", "allowed_response_headers"),
            )
        ),
    ],
)
def test_what_is_tuned_is_kept(
    engine: Run, openbao: VaultServer, unique: str, name: str, first: Any, repeated: Any, second: Any
) -> None:
    def tuned(value: Any) -> Result:
        return engine(path=unique, type="transit", tune={name: value})

    made = tuned(first)
    assert made["results"][0]["action"] == "create", made.msg
    again = tuned(repeated)
    assert not again.failed and not again.changed, again["results"]
    changed = tuned(second)
    assert not changed.failed and changed["results"][0]["fields"] == [f"tune.{name}"], changed.msg
    again = tuned(second)
    assert not again.failed and not again.changed, again["results"]
    kept = mounts(openbao)[f"{unique}/"]["config"].get(name)
    assert kept == {"default_lease_ttl": 7200, "max_lease_ttl": 7200, "listing_visibility": "hidden"}.get(name, ["c"])
    openbao.client().sys.disable_secrets_engine(unique)


@pytest.mark.parametrize(
    ("name", "value", "empty"),
    [
        ("identity_token_key", "default", ""),
        ("delegated_auth_accessors", ["auth_userpass_1"], []),
        ("allowed_managed_keys", ["hsm"], []),
    ],
)
def test_what_the_product_would_not_keep_is_refused_or_kept(
    engine: Run, openbao: VaultServer, unique: str, name: str, value: Any, empty: Any
) -> None:
    def tuned(what: Any, check: bool = False) -> Result:
        return engine(path=unique, type="transit", tune={name: what}, check=check)

    client = openbao.client()
    client.sys.enable_secrets_engine("transit", f"{unique}-probe", config={name: value})
    has_it = mounts(openbao)[f"{unique}-probe/"]["config"].get(name) == value
    client.sys.disable_secrets_engine(f"{unique}-probe")
    if has_it:
        assert tuned(value).changed
        assert not tuned(value).changed
    else:
        for check in (True, False):
            refused = tuned(value, check)
            assert refused.failed and not refused.changed
            assert f'{"OpenBao" if openbao.product == "openbao" else "Vault"} does not know "{name}"' in refused.msg
        assert f"{unique}/" not in mounts(openbao)
        assert tuned(empty).changed, "nothing is what every product has"
        assert not tuned(empty).changed
    client.sys.disable_secrets_engine(unique)


def test_versions_that_live_for_ever_whatever_they_say(engine: Run, openbao: VaultServer, unique: str) -> None:
    def lives(value: Any) -> Result:
        return engine(path=unique, type="kv-v2", config={"delete_version_after": value})

    assert lives("-1s").changed
    config = openbao.client().read(f"{unique}/config")["data"]
    assert config["delete_version_after"] == "-1s"
    for same in ("-1s", -1, "-5"):
        again = lives(same)
        assert not again.failed and not again.changed, again.msg
    assert lives("1h").changed
    openbao.client().sys.disable_secrets_engine(unique)


def test_an_option_that_only_the_write_shows_to_be_dropped(
    openbao: VaultServer, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with an edition or a version of which nobody has written down what it lacks."""
    known = products.PRODUCTS[openbao.product]
    if "identity_token_key" not in known.unknown_tune:
        pytest.skip("this product has all options")
    monkeypatch.setitem(products.PRODUCTS, known.name, dataclasses.replace(known, unknown_tune=frozenset()))
    client = Client([openbao.url], token=openbao.token, ca_cert=openbao.ca_cert)
    item = {"path": unique, "type": "transit", "state": "present", "tune": {"identity_token_key": "default"}}
    for changed in (True, False):
        report = reconcile([secrets_engine.Engine(EngineMounts(client), item)])
        assert report.changed, "it was mounted, then tuned"
        assert 'OpenBao 2.7.2 takes "tune.identity_token_key" and does not keep it'.replace(
            "2.7.2", openbao.version
        ) in str(report.failed[0].error)
        assert (report.changes[0].action == "create") is changed
    openbao.client().sys.disable_secrets_engine(unique)


def test_the_version_of_a_plugin(engine: Run, openbao: VaultServer, unique: str) -> None:
    running = mounts(openbao)["sys/"]["running_plugin_version"]

    def pinned(version: str) -> Result:
        return engine(path=unique, type="transit", tune={"plugin_version": version})

    missing = pinned("v0.0.1")
    assert missing.failed and "v0.0.1" in missing.msg
    assert '"plugin_version" is empty' in pinned("").msg
    assert f"{unique}/" not in mounts(openbao)
    assert pinned(running).changed
    assert mounts(openbao)[f"{unique}/"]["running_plugin_version"] == running
    again = pinned(running)
    assert not again.failed and not again.changed, again["results"]
    # as it stands when it was tuned
    openbao.client().adapter.post(f"/v1/sys/mounts/{unique}/tune", json={"plugin_version": running})
    assert mounts(openbao)[f"{unique}/"]["plugin_version"] == running
    assert not pinned(running).changed
    other = pinned("v0.0.1")
    assert other.failed and not other.changed and "v0.0.1" in other.msg
    openbao.client().sys.disable_secrets_engine(unique)


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


def test_the_servers_own_mounts_can_be_tuned(engine: Run, openbao: VaultServer, area: str) -> None:
    for namespace in ("", area):
        for path in ("identity", "sys", "cubbyhole"):
            wanted = {"path": path, "tune": {"audit_non_hmac_request_keys": ["note", "name"]}, "namespace": namespace}
            assert engine(check=True, **wanted).changed
            tuned = engine(**wanted)
            assert tuned.changed, tuned.msg
            client = openbao.client(namespace=namespace or None)
            found = client.read(f"sys/mounts/{path}/tune")["data"]["audit_non_hmac_request_keys"]
            assert found == ["note", "name"]
            assert not engine(**wanted).changed
    assert not engine(path="identity", type="identity").changed
    for options, said in (
        ({"state": "absent"}, "the server's own mount cannot be removed"),
        ({"description": "x"}, '"description" of the server\'s own mount cannot be changed'),
        ({"tune": {"max_lease_ttl": "1h"}}, '"max_lease_ttl" of the server\'s own mount cannot be changed'),
        ({"type": "kv"}, "the server's own mount is there"),
        ({"path": "sys/x", "type": "kv"}, "the server's own mount cannot be managed"),
        ({"path": "auth/foo", "type": "kv"}, '"auth/" is where auth methods are'),
        ({"path": "token", "type": "kv"}, "the server's own mount cannot be managed"),
    ):
        refused = engine(check=True, **{"path": "identity", **options})
        assert refused.failed and said in refused.msg, refused.msg


def test_an_empty_lease_duration_is_the_servers_own(engine: Run, openbao: VaultServer, unique: str) -> None:
    wanted = {"path": unique, "type": "pki", "tune": {"default_lease_ttl": "1h", "max_lease_ttl": "2h"}}
    assert engine(**wanted).changed
    wanted["tune"] = {"default_lease_ttl": "", "max_lease_ttl": ""}
    assert engine(**wanted).changed
    config = mounts(openbao)[f"{unique}/"]["config"]
    assert (config["default_lease_ttl"], config["max_lease_ttl"]) == (0, 0)
    assert not engine(**wanted).changed
