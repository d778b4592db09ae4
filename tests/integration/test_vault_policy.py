# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_policy against a real server: converge, repeat, check, diff, purge, thousands, bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.openbao import VaultServer

RULES = [{"path": "secret/data/apps/*", "capabilities": ["read"]}]


@pytest.fixture
def policy(run_module: Callable[..., Any], vault_args: dict[str, Any]) -> Callable[..., Any]:
    """Run vault_policy on the shared server."""

    def run(check: bool = False, diff: bool = False, **options: Any) -> Any:
        return run_module("vault_policy", {**vault_args, **options}, check=check, diff=diff)

    return run


def text(server: VaultServer, name: str) -> str | None:
    """The policy's text on the server, None when there is none."""
    policies = server.client().sys.list_acl_policies()["data"]["keys"]
    return server.client().sys.read_acl_policy(name)["data"]["policy"] if name in policies else None


def test_life_of_a_policy(openbao: VaultServer, policy: Callable[..., Any], unique: str) -> None:
    planned = policy(name=unique, rules=RULES, check=True, diff=True)
    assert planned.changed
    assert "secret/data/apps/*" in planned["diff"][0]["after"]
    assert text(openbao, unique) is None

    assert policy(name=unique, rules=RULES).changed
    assert 'path "secret/data/apps/*"' in str(text(openbao, unique))
    again = policy(name=unique.upper(), rules=RULES)
    assert not again.changed
    assert again["requests"]["total"] == 1

    wider = [{"path": "secret/data/apps/*", "capabilities": ["read", "list"]}]
    shown = policy(name=unique, rules=wider, check=True, diff=True)
    assert shown["results"][0]["fields"] == ["policy"]
    assert '["read"]' in shown["diff"][0]["before"] and '["read", "list"]' in shown["diff"][0]["after"]
    assert '"list"' not in str(text(openbao, unique))
    assert policy(name=unique, rules=wider).changed

    assert policy(name=unique, state="absent", check=True).changed
    assert text(openbao, unique) is not None
    assert policy(name=unique, state="absent").changed
    assert not policy(name=unique, state="absent").changed
    assert text(openbao, unique) is None


def test_hcl_with_other_white_space_is_the_same(policy: Callable[..., Any], unique: str) -> None:
    assert policy(name=unique, policy='path "a" {\n  capabilities = ["read"]\n}\n').changed
    assert not policy(name=unique, policy='path "a" {  \n  capabilities = ["read"]\r\n}\n\n').changed


def test_a_thousand_policies_are_one_login_and_at_most_one_read_each(
    openbao: VaultServer, run_module: Callable[..., Any], vault_args: dict[str, Any], unique: str
) -> None:
    client = openbao.client()
    client.sys.enable_auth_method("approle", path=f"approle-{unique}")
    client.sys.create_or_update_acl_policy(
        f"{unique}-admin", 'path "sys/policies/acl/*" { capabilities = ["create", "read", "update", "list"] }'
    )
    client.auth.approle.create_or_update_approle(
        "admin", token_policies=[f"{unique}-admin"], mount_point=f"approle-{unique}"
    )
    options = {key: value for key, value in vault_args.items() if key != "token"}
    options.update(
        auth_method="approle",
        auth_mount=f"approle-{unique}",
        role_id=client.auth.approle.read_role_id("admin", mount_point=f"approle-{unique}")["data"]["role_id"],
        secret_id=client.auth.approle.generate_secret_id("admin", mount_point=f"approle-{unique}")["data"]["secret_id"],
        policies=[{"name": f"{unique}-{number:04}", "rules": RULES} for number in range(1000)],
    )
    first = run_module("vault_policy", options, must_succeed=True)
    assert first["summary"]["create"] == 1000
    second = run_module("vault_policy", options, must_succeed=True)
    assert not second.changed
    assert second["summary"]["none"] == 1000
    # a login, a look at the list with (which is not permitted here) and without content, a read each, a revocation
    assert second["requests"]["total"] <= 1004
    second.hides(options["secret_id"])
    # who may list them with their content needs no read at all, where the server has that list
    lists = openbao.product == "openbao"
    options = {**vault_args, "policies": options["policies"]}
    third = run_module("vault_policy", options, must_succeed=True)
    assert not third.changed
    assert third["requests"]["total"] == 1 if lists else third["requests"]["total"] <= 1002
    fourth = run_module("vault_policy", {**options, "state": "absent"}, must_succeed=True)
    assert fourth["summary"]["delete"] == 1000
    assert fourth["requests"]["total"] == 1001 if lists else fourth["requests"]["total"] <= 2002


def test_one_bad_item_is_named_and_the_rest_is_done(
    openbao: VaultServer, policy: Callable[..., Any], unique: str
) -> None:
    # the server refuses what no parser on this side can see
    items = [
        {"name": f"{unique}-a", "rules": RULES},
        {"name": f"{unique}-b", "policy": 'paht "x" { capabilities = ["read"] }'},
        {"name": f"{unique}-c", "rules": RULES},
    ]
    result = policy(policies=items)
    assert result.failed
    assert f'policy "{unique}-b"' in result.msg
    assert result["summary"] == {"create": 2, "update": 0, "delete": 0, "none": 0, "failed": 1, "not_reached": 0}
    assert text(openbao, f"{unique}-c") is not None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"policy": 'path "x" { capabilities = ["reed"] }'}, 'unknown capability "reed"'),
        ({"policy": 'path "x" { capabilities = ["read"]'}, "is not closed"),
        ({"policy": 'path "x { capabilities = ["read"] }'}, "syntax error"),
        ({"rules": RULES, "policy": "x"}, "contradict each other"),
        ({}, "no content"),
    ],
)
def test_bad_input_is_refused_before_anything_changes(
    openbao: VaultServer, policy: Callable[..., Any], unique: str, options: dict[str, Any], words: str
) -> None:
    items = [{"name": f"{unique}-good", "rules": RULES}, {"name": f"{unique}-bad", **options}]
    result = policy(policies=items)
    assert result.failed
    assert words in result.msg and f'policy "{unique}-bad"' in result.msg
    assert text(openbao, f"{unique}-good") is None


def test_purge_removes_what_is_not_declared_and_keeps_what_is_protected(
    new_server: Callable[..., VaultServer], run_module: Callable[..., Any]
) -> None:
    server = new_server()
    for name in ("mine", "other", "kept"):
        server.client().sys.create_or_update_acl_policy(name, 'path "x" { capabilities = ["read"] }')
    options = {
        "url": [server.url],
        "ca_cert": server.ca_cert,
        "token": server.token,
        "policies": [{"name": "mine", "policy": 'path "x" { capabilities = ["read"] }'}],
        "purge": True,
        "protected": ["kept"],
    }
    planned = run_module("vault_policy", options, check=True, must_succeed=True)
    assert [one["name"] for one in planned["results"] if one["action"] == "delete"] == ["other"]
    assert text(server, "other") is not None
    run_module("vault_policy", options, must_succeed=True)
    assert set(server.client().sys.list_acl_policies()["data"]["keys"]) == {"default", "kept", "mine", "root"}
    assert not run_module("vault_policy", options, must_succeed=True).changed
