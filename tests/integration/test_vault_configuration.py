# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_configuration against a real server: a whole tree in one task, inside a namespace of its own."""

from __future__ import annotations

import copy
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
PASSWORD = "pass-w0rd-of-a-tree"


@pytest.fixture
def declared() -> dict[str, Any]:
    """Kinds that need each other: a policy names an auth method by its path, a role a policy, a secret a mount."""
    return {
        "namespaces": [{"name": "team"}],
        "auth_methods": [{"path": "approle", "type": "approle"}],
        "secrets_engines": [{"path": "secret", "type": "kv-v2"}, {"path": "pki", "type": "pki"}],
        "policies": [
            {
                "name": "own",
                "rules": [
                    {
                        "path": "secret/data/{{identity.entity.aliases[approle].metadata.role_name}}/*",
                        "capabilities": ["read"],
                    }
                ],
            }
        ],
        "auth_roles": [{"mount": "approle", "name": "shop", "token_policies": ["own"], "token_ttl": "1h"}],
        "pki_cas": [{"mount": "pki", "common_name": "Tree CA", "key_type": "ec", "ttl": "24h"}],
        "pki_roles": [{"mount": "pki", "name": "web", "allowed_domains": ["example.com"], "max_ttl": "1h"}],
        "secrets": [{"path": "shop/database", "data": {"user": "shop", "password": PASSWORD}}],
        "inside": {
            "team": {
                "secrets_engines": [{"path": "secret", "type": "kv-v2"}],
                "secrets": [{"path": "app", "data": {"key": PASSWORD}}],
            }
        },
    }


def objects(result: Result) -> list[str]:
    """What changed, with where it stands."""
    return [
        f"{one.get('namespace', '')}:{one['part']}:{one['name']}:{one['action']}"
        for one in result["results"]
        if one["changed"]
    ]


def test_life(tree: Run, declared: dict[str, Any], openbao: VaultServer, area: str) -> None:
    wanted = tree(declared, check=True)
    assert not wanted.failed, wanted.msg
    assert len(objects(wanted)) == 11
    client = openbao.client(namespace=area)
    assert "secret/" not in client.sys.list_mounted_secrets_engines()["data"], "check mode changed something"

    first = tree(declared)
    assert not first.failed, first.msg
    assert objects(first) == objects(wanted)
    assert first["summary"]["create"] == 11
    read = client.secrets.kv.v2.read_secret_version("shop/database", raise_on_deleted_version=True)
    assert read["data"]["data"] == {"user": "shop", "password": PASSWORD}
    inner = openbao.client(namespace=f"{area}/team")
    assert inner.secrets.kv.v2.read_secret_version("app", raise_on_deleted_version=True)["data"]["data"] == {
        "key": PASSWORD
    }

    again = tree(declared)
    assert not again.changed, objects(again)
    assert again["diff"] == []
    assert again["requests"]["total"] < 30

    client.sys.delete_policy("own")
    client.write("auth/approle/role/shop", token_ttl=60)
    inner.secrets.kv.v2.create_or_update_secret("app", {"key": "changed by hand"})
    differing = [":policies:own:create", ":auth_roles:approle/shop:update", "team:secrets:secret/app:update"]
    assert objects(tree(declared, check=True)) == differing
    repaired = tree(declared)
    assert objects(repaired) == differing
    headers = [one["before_header"] for one in repaired["diff"]]
    assert 'secret "secret/app" in namespace "team" (update)' in headers
    assert not tree(declared).changed
    for result in (wanted, first, again, repaired):
        assert PASSWORD not in result.stdout


def test_purge_keeps_what_is_declared_and_what_holds_data(tree: Run, declared: dict[str, Any]) -> None:
    assert not tree(declared).failed
    extra = {
        "policies": [{"name": "stray", "policy": 'path "x" { capabilities = ["read"] }'}],
        "secrets_engines": [{"path": "forgotten", "type": "kv-v2"}],
    }
    assert tree(extra).changed
    purging = {**declared, "purge": {"policies": None, "secrets_engines": {}}}
    refused = tree(purging)
    assert refused.failed
    assert "forgotten" in refused.msg
    assert "purge_data" in refused.msg
    named = {**declared, "purge": {"policies": None, "secrets_engines": {"purge_data": ["forgotten"]}}}
    expected = [":secrets_engines:forgotten:delete", ":policies:stray:delete"]
    assert objects(tree(named, check=True)) == expected
    assert objects(tree(named)) == expected
    assert not tree(named).changed
    assert not tree({**declared, "purge": {"policies": {"protected": ["x"]}}}).changed


def test_only_some_kinds(tree: Run, declared: dict[str, Any]) -> None:
    assert objects(tree(declared, kinds=["secrets_engines", "namespaces"])) == [
        ":namespaces:team:create",
        ":secrets_engines:secret:create",
        ":secrets_engines:pki:create",
        "team:secrets_engines:secret:create",
    ]
    refused = tree(declared, kinds=["policy"])
    assert 'there is no kind "policy"' in refused.msg


def test_nothing_is_changed_when_something_cannot_be_right(
    tree: Run, declared: dict[str, Any], openbao: VaultServer, area: str
) -> None:
    for path, value, said in (
        (("policies", 0, "rules", 0, "capabilities"), ["reed"], "reed"),
        (("auth_roles", 0, "token_ttl"), "1 hour", "1 hour"),
        (("pki_roles", 0, "max_tll"), "1h", '"): there is no option "max_tll"; did you mean "max_ttl"?'),
        (("policies", 1), {"rules": []}, "configuration.policies[1]: missing: name"),
        (("secrets", 0, "data"), "text", "configuration.secrets"),
        (("secrets",), {"path": "x"}, "configuration.secrets is not a list of mappings"),
        (("policy",), [], 'there is no kind "policy"'),
        (("purge",), {"pki_cas": {}}, '"pki_cas" cannot be purged'),
        (("purge",), {"policies": {"protect": []}}, "protect"),
        (("inside", "team", "secretz"), [], 'configuration.inside.team: there is no kind "secretz"'),
        (("policies", 1), {"name": "own", "policy": "x"}, "declared twice"),
        (("secrets_engines", 0, "type"), "no-such-engine", 'no secrets engine of type "no-such-engine"'),
        (("inside", "team", "secrets_engines", 0, "type"), "no-such-engine", 'of type "no-such-engine"'),
        (("auth_methods", 0, "type"), "no-such-method", 'no auth method of type "no-such-method"'),
        (("inside", "team", "auth_methods"), [{"type": "no-such-method"}], 'of type "no-such-method"'),
    ):
        broken = copy.deepcopy(declared)
        place: Any = broken
        for step in path[:-1]:
            place = place[step]
        if path[-1] == 1:
            place.append(value)
        else:
            place[path[-1]] = value
        result = tree(broken)
        assert result.failed, path
        assert said in result.msg, (path, result.msg)
        assert "Traceback" not in result.stdout
        assert PASSWORD not in result.stdout
    client = openbao.client(namespace=area)
    assert "secret/" not in client.sys.list_mounted_secrets_engines()["data"]
    assert "own" not in client.sys.list_policies()["data"]["policies"]


def test_an_engine_that_the_product_lacks_stops_the_whole_tree(tree: Run, openbao: VaultServer, area: str) -> None:
    if "aws" in openbao.client().list("sys/plugins/catalog/secret")["data"]["keys"]:
        pytest.skip("this server has the aws engine")
    before = set(openbao.client(namespace=area).sys.list_mounted_secrets_engines()["data"])
    others = {
        "auth_methods": [{"type": "approle"}],
        "secrets_engines": [{"path": "transit", "type": "transit"}],
        "policies": [{"name": "own", "policy": 'path "x" { capabilities = ["read"] }'}],
    }
    role = {"mount": "aws", "name": "deploy", "credential_type": "assumed_role", "role_arns": ["arn:aws:iam::1:role/x"]}
    missing = 'the engine "aws" is not in the plugin catalogue of OpenBao'
    for wrong, said in (
        ({"secrets_engines": [*others["secrets_engines"], {"path": "aws", "type": "aws"}]}, 'of type "aws"'),
        ({"aws_roles": [role]}, missing),
        ({"aws_configs": [{"mount": "aws", "region": "eu-west-1"}]}, missing),
    ):
        refused = tree({**others, **wrong})
        assert refused.failed and not refused.changed and said in refused.msg, refused.msg
    client = openbao.client(namespace=area)
    assert set(client.sys.list_mounted_secrets_engines()["data"]) == before
    assert "own" not in client.sys.list_policies()["data"]["policies"]
    assert "approle/" not in client.sys.list_auth_methods()["data"]


def test_one_failure_does_not_stop_the_others_but_the_purge(
    tree: Run, declared: dict[str, Any], openbao: VaultServer, area: str
) -> None:
    assert not tree(declared).failed
    openbao.client(namespace=area).sys.create_or_update_policy("stray", 'path "x" { capabilities = ["read"] }')
    broken = {
        **declared,
        "secrets_engines": [
            # only the server knows that it has no such version
            {"path": "broken", "type": "transit", "tune": {"plugin_version": "v9.9.9"}},
            *declared["secrets_engines"],
        ],
        "secrets": [{"path": "new", "data": {"key": "a-new-value"}}],
        "purge": {"policies": {}},
    }
    result = tree(broken)
    assert result.failed
    assert "v9.9.9" in result.msg
    assert objects(result) == [":secrets:secret/new:create"]
    assert "stray" in openbao.client(namespace=area).sys.list_policies()["data"]["policies"]


RULES = [{"path": "x", "capabilities": ["read"]}]


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        (
            {"inside": {"a": {"policies": []}, "a/": {"purge": {"policies": {}}}}},
            "are one namespace a: put them together",
        ),
        ({"inside": {"a/b": {}, "a": {"inside": {"b": {}}}}}, "are one namespace a/b: put them together"),
        ({"inside": {"/": {"purge": {"policies": {}}}}}, "are one namespace: put them together"),
        (
            {"namespaces": [{"name": "a", "state": "absent"}], "inside": {"a/b": {"policies": [{"name": "p"}]}}},
            "configuration.inside.a/b: the namespace is to be absent",
        ),
        (
            {"auth_methods": [{"path": "m", "state": "absent"}], "auth_roles": [{"mount": "m/", "name": "r"}]},
            'configuration.auth_roles: the mount "m" that it is in is to be absent',
        ),
        (
            {
                "secrets_engines": [{"path": "kv", "state": "absent"}],
                "secrets": [{"mount": "kv", "path": "s", "data": {"a": "b"}}],
            },
            'configuration.secrets: the mount "kv" that it is in is to be absent',
        ),
        ({"purge": {"policies": "yes"}}, "configuration.purge.policies is not a mapping of options"),
        ({"purge": {"policies": ["kept"]}}, "configuration.purge.policies is not a mapping of options"),
    ],
)
def test_what_contradicts_itself_is_refused(tree: Run, configuration: dict[str, Any], said: str) -> None:
    for check in (True, False):
        result = tree(configuration, check=check)
        assert result.failed and not result.changed
        assert said in result.msg, result.msg


def test_a_purge_may_be_a_plain_true(tree: Run) -> None:
    assert tree({"policies": [{"name": name, "rules": RULES} for name in ("mine", "stray")]}).changed
    mine = {"policies": [{"name": "mine", "rules": RULES}]}
    assert not tree({**mine, "purge": {"policies": False}}).changed
    assert objects(tree({**mine, "purge": {"policies": True}})) == [":policies:stray:delete"]
