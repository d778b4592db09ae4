# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_policy against a real server: converge, repeat, check, diff, purge, thousands, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import hvac.exceptions
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


def test_a_policy_is_made_once(openbao: VaultServer, policy: Callable[..., Any], unique: str) -> None:
    planned = policy(name=unique, rules=RULES, check=True, diff=True)
    assert planned.changed
    assert "secret/data/apps/*" in planned["diff"][0]["after"]
    assert text(openbao, unique) is None

    assert policy(name=unique, rules=RULES).changed
    assert 'path "secret/data/apps/*"' in str(text(openbao, unique))
    again = policy(name=unique.upper(), rules=RULES)
    assert not again.changed
    assert again["requests"]["total"] == 2, "the token is looked up before anything is planned"


def test_a_policy_is_changed_and_removed(openbao: VaultServer, policy: Callable[..., Any], unique: str) -> None:
    assert policy(name=unique, rules=RULES).changed
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


def rules_of(mount: str, **changes: Any) -> list[dict[str, Any]]:
    """Rules with every setting that a path can have: the writes are of userpass, which takes any parameter."""
    users = {
        "description": "users of\nthe team",
        "path": f"auth/{mount}/users/*",
        "capabilities": ["create", "update"],
        "allowed_parameters": {
            "password": [],
            "token_policies": ["team-*", "\U0001f511"],
            "token_num_uses": ["3", "4"],
        },
        "denied_parameters": {"token_type": ["batch"], "token_no_default_policy": True},
        "required_parameters": ["password"],
    }
    wrapped = {
        "path": "auth/token/lookup-self",
        "capabilities": ["read"],
        "min_wrapping_ttl": "1m",
        "max_wrapping_ttl": "1h",
    }
    return [{**users, **changes}, wrapped]


def test_a_policy_with_parameters_is_made_once(openbao: VaultServer, policy: Callable[..., Any], unique: str) -> None:
    rules = rules_of("people")
    planned = policy(name=unique, rules=rules, check=True, diff=True)
    assert planned.changed and text(openbao, unique) is None
    shown = planned["diff"][0]["after"]
    made = policy(name=unique, rules=rules, diff=True)
    assert made.changed and made["diff"][0]["after"] == shown
    stored = str(text(openbao, unique))
    for lines in (
        "# users of\n# the team\npath ",
        '    "token_policies" = ["team-*", "\U0001f511"]\n',
        '    "token_num_uses" = ["3", "4"]\n',
        '    "password" = []\n',
        '    "token_no_default_policy" = [true]\n',
        '  required_parameters = ["password"]\n',
        '  min_wrapping_ttl = "1m"\n  max_wrapping_ttl = "1h"\n',
    ):
        assert lines in stored and all(line.strip() in shown for line in lines.splitlines())
    # names in another order are the same
    again = [{**rules[0], "allowed_parameters": dict(reversed(list(rules[0]["allowed_parameters"].items())))}, rules[1]]
    assert not policy(name=unique, rules=again).changed


def test_each_parameter_is_changed_alone(openbao: VaultServer, policy: Callable[..., Any], unique: str) -> None:
    rules = rules_of("people")
    assert policy(name=unique, rules=rules).changed
    for changes, before, after in (
        ({"allowed_parameters": {**rules[0]["allowed_parameters"], "token_num_uses": ["3"]}}, '["3", "4"]', '["3"]'),
        ({"denied_parameters": {"token_type": ["batch"]}}, '"token_no_default_policy"', '"token_type" = ["batch"]'),
        ({"required_parameters": ["password", "token_ttl"]}, '= ["password"]', '= ["password", "token_ttl"]'),
    ):
        stands, other = text(openbao, unique), rules_of("people", **changes)
        shown = policy(name=unique, rules=other, check=True, diff=True)
        assert shown.changed and shown["results"][0]["fields"] == ["policy"]
        assert before in shown["diff"][0]["before"] and after in shown["diff"][0]["after"]
        assert before not in shown["diff"][0]["after"] and text(openbao, unique) == stands
        assert policy(name=unique, rules=other).changed and after in str(text(openbao, unique))
        assert not policy(name=unique, rules=other).changed
        assert policy(name=unique, rules=rules).changed


def test_wrapping_times_are_changed_and_all_is_shown_at_the_end(
    openbao: VaultServer, policy: Callable[..., Any], unique: str
) -> None:
    rules = rules_of("people")
    assert policy(name=unique, rules=rules).changed
    longer = [rules[0], {**rules[1], "max_wrapping_ttl": "2h"}]
    shown = policy(name=unique, rules=longer, check=True, diff=True)
    assert '"1h"' in shown["diff"][0]["before"] and '"2h"' in shown["diff"][0]["after"]
    assert '"1h"' in str(text(openbao, unique))
    assert policy(name=unique, rules=longer).changed and not policy(name=unique, rules=longer).changed

    gone = policy(name=unique, state="absent", check=True, diff=True)
    assert gone.changed and '"token_policies"' in gone["diff"][0]["before"] and not gone["diff"][0]["after"]
    assert text(openbao, unique) is not None
    assert policy(name=unique, state="absent").changed and text(openbao, unique) is None


def test_parameters_are_enforced(openbao: VaultServer, policy: Callable[..., Any], unique: str) -> None:
    root = openbao.client()
    root.sys.enable_auth_method("userpass", path=unique)
    assert policy(name=unique, rules=rules_of(unique)).changed
    client = openbao.client(root.auth.token.create(policies=[unique], ttl="5m")["auth"]["client_token"])

    def may(**data: Any) -> bool:
        try:
            client.write_data(f"auth/{unique}/users/ada", data=data)
        except hvac.exceptions.Forbidden:
            return False
        return True

    assert may(password="of-ada-0815")
    assert may(password="of-ada-0815", token_policies="team-a", token_num_uses="3")
    assert may(password="of-ada-0815", token_policies="\U0001f511") and may(
        password="of-ada-0815", token_policies="team-a"
    )
    # not allowed: another value of an allowed parameter, and another parameter
    assert not may(password="of-ada-0815", token_policies="admin")
    assert not may(password="of-ada-0815", token_num_uses="5")
    assert not may(password="of-ada-0815", token_ttl="1h")
    # required
    assert not may(token_policies="team-a")
    assert root.read(f"auth/{unique}/users/ada")["data"]["token_policies"] == ["team-a"]

    # where all else is allowed, what is denied is refused
    assert policy(name=unique, rules=rules_of(unique, allowed_parameters={"*": []})).changed
    assert may(password="of-ada-0815", token_ttl="1h", token_type="service")
    assert not may(password="of-ada-0815", token_type="batch")
    assert not may(password="of-ada-0815", token_no_default_policy=True)
    assert may(password="of-ada-0815", token_no_default_policy=False)

    # a wrapped answer, of a life within the bounds
    def wrapped(seconds: int) -> bool:
        try:
            answer = client.adapter.get("/v1/auth/token/lookup-self", wrap_ttl=f"{seconds}s")
        except hvac.exceptions.Forbidden:
            return False
        answer = answer if isinstance(answer, dict) else answer.json()
        return bool(answer["wrap_info"]["ttl"] == seconds)

    assert wrapped(60) and wrapped(3600)
    assert not wrapped(59) and not wrapped(3601)
    with pytest.raises(hvac.exceptions.Forbidden):
        client.auth.token.lookup_self()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"allowed_parameters": {"ttl": [3]}}, '"ttl" of allowed_parameters: the server never finds the number 3'),
        ({"denied_parameters": {"ttl": 2.5}}, '"ttl" of denied_parameters: the server never finds the number 2.5'),
        ({"denied_parameters": {"ttl": None}}, '"ttl" of denied_parameters: nothing is not a value of a parameter'),
        ({"allowed_parameters": {"ttl": [{"a": "b"}]}}, "a mapping is not a value of a parameter"),
        ({"min_wrapping_ttl": "soon"}, '"soon" is not a duration'),
        ({"min_wrapping_ttl": "2h", "max_wrapping_ttl": "1h"}, "min_wrapping_ttl is longer than max_wrapping_ttl"),
    ],
)
def test_bad_parameters_are_refused_before_anything_changes(
    openbao: VaultServer, policy: Callable[..., Any], unique: str, rule: dict[str, Any], words: str
) -> None:
    items = [
        {"name": f"{unique}-good", "rules": RULES},
        {"name": f"{unique}-bad", "rules": [{**RULES[0], **rule}]},
    ]
    result = policy(policies=items)
    assert result.failed and words in result.msg and f'policy "{unique}-bad"' in result.msg
    assert text(openbao, f"{unique}-good") is None


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
    assert third["requests"]["total"] == 2 if lists else third["requests"]["total"] <= 1003
    fourth = run_module("vault_policy", {**options, "state": "absent"}, must_succeed=True)
    assert fourth["summary"]["delete"] == 1000
    assert fourth["requests"]["total"] == 1002 if lists else fourth["requests"]["total"] <= 2003


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


def test_a_name_that_means_something_in_urls_leads_to_no_other_policy(
    openbao: VaultServer, policy: Callable[..., Any], unique: str
) -> None:
    other = [{"path": "other/*", "capabilities": ["read"]}]
    policy(name=unique, rules=other)
    before = text(openbao, unique)
    for name in (f"{unique}?x", f"{unique}#x", f"{unique}%20x"):
        assert policy(name=name, rules=RULES)["results"][0]["action"] == "create"
        assert not policy(name=name, rules=RULES).changed
        assert name in openbao.client().sys.list_acl_policies()["data"]["keys"]
        assert policy(name=name, state="absent").changed
        assert text(openbao, unique) == before
    for name in (f"x/../{unique}", f"./{unique}", ".."):
        assert 'has a part "." or ".."' in policy(name=name, rules=RULES).msg
    assert text(openbao, unique) == before


def test_a_document_that_a_template_turned_into_data(
    run_module: Callable[..., Any], vault_args: dict[str, Any], openbao: VaultServer, unique: str
) -> None:
    """From ansible-core before 2.19 JSON that a look-up gives arrives as a mapping, from later ones as text."""
    client = openbao.client()
    rules = {"path": {"secret/data/a": {"capabilities": ["read"]}}}
    password = {"length": 20, "rule": {"charset": [{"charset": "abc"}]}}
    for kind, path, data in (
        ("vault_policy", f"sys/policies/acl/{unique}", rules),
        ("vault_password_policy", f"sys/policies/password/{unique}", password),
    ):
        text = json.dumps(data)
        for number, written in enumerate((data, text, json.dumps(data, indent=4))):
            result = run_module(kind, {**vault_args, "name": unique, "policy": written})
            assert result.changed is (number == 0), result.msg
        assert json.loads(client.read(path)["data"]["policy"]) == data
        many = run_module(kind, {**vault_args, "policies": [{"name": unique, "policy": data}]})
        assert not many.failed and not many.changed
    kubernetes = f"k-{unique}"
    client.sys.enable_auth_method("kubernetes", path=kubernetes)
    selector = {"matchLabels": {"vault": "yes"}}
    role = {"mount": kubernetes, "name": "app", "type": "kubernetes", "bound_service_account_names": ["a"]}
    for number, written in enumerate((selector, json.dumps(selector))):
        role["bound_service_account_namespace_selector"] = written
        result = run_module("vault_auth_role", {**vault_args, **role, "audience": "vault"})
        assert result.changed is (number == 0), result.msg


def test_an_entry_that_is_wrong_is_named_among_the_others(run_module: Any, vault_args: dict[str, Any]) -> None:
    for entries, said in (
        (
            [{"name": "one", "rules": []}, {"name": "two", "polcy": ""}],
            'policies[1] ("two"): there is no option "polcy"; did you',
        ),
        (
            [{"name": "one", "rules": [{"path": "x", "capabilites": ["read"]}]}],
            'policies[0] ("one").rules[0] ("x"): there is no',
        ),
    ):
        refused = run_module("vault_policy", {**vault_args, "policies": entries})
        assert refused.failed
        assert refused.msg.startswith(said), refused.msg
