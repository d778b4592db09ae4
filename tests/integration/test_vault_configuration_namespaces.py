# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of object inside a namespace inside a namespace, by one vault_configuration, and purged there."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS
from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
PASSWORD = "pass-w0rd-inside-4711"
#: what belongs to a server as a whole, and what the product has not
NOT_INSIDE = {"audit_devices", "quotas", "aws_configs", "aws_roles", "cors", "ui_headers", "audited_headers"}
#: kinds whose objects have nothing to change, and which field is changed of each of the others
FIXED = {"ssh_cas", "approle_secret_ids", "pki_certificates"}
CHANGED: dict[str, dict[str, Any]] = {
    "namespaces": {"custom_metadata": {"owner": "b"}},
    "auth_methods": {"description": "another"},
    "secrets_engines": {"description": "another"},
    "password_policies": {"length": 21},
    "policies": {"policy": 'path "other/*" {\n  capabilities = ["list"]\n}\n'},
    "auth_roles": {"token_ttl": "2h"},
    "identity_entities": {"metadata": {"team": "b"}},
    "identity_groups": {"policies": ["default"]},
    "login_mfa_methods": {"period": "60"},
    "login_mfa_enforcements": {"auth_method_types": ["userpass", "approle"]},
    "pki_cas": {"crl": {"expiry": "96h"}},
    "pki_roles": {"max_ttl": "2h"},
    "pki_acme": {"eab_policy": "not-required"},
    "oidc": {"description": "another"},
    "transit_keys": {"auto_rotate_period": "48h"},
    "ssh_roles": {"ttl": "20m"},
    "database_connections": {"max_open_connections": 5},
    "database_roles": {"max_ttl": "3h"},
    "secrets": {"data": {"password": PASSWORD, "user": "other"}},
    "endpoints": {"data": {"orphan": False}},
}


@pytest.fixture
def top(openbao: VaultServer, unique: str) -> str:
    if openbao.product != "openbao":
        pytest.skip("namespaces need OpenBao or HashiCorp Vault Enterprise")
    return f"every-{unique}"


@pytest.fixture
def tree(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(configuration: Any, check: bool = False, **options: Any) -> Result:
        given = {**vault_args, "configuration": configuration, **options}
        return run_module("vault_configuration", given, check=check, diff=True, timeout=300)

    return run


def everything(folder: Path) -> dict[str, Any]:
    """One object of each kind at least, the first of which is the one that is changed."""
    files = {"cert_dest": str(folder / "web.crt"), "key_dest": str(folder / "web.key")}
    return {
        "namespaces": [{"name": "inmost", "custom_metadata": {"owner": "a"}}],
        "auth_methods": [
            {"path": "approle", "type": "approle", "description": "one"},
            {"path": "people", "type": "userpass"},
        ],
        "secrets_engines": [
            {"path": "secret", "type": "kv-v2", "description": "one"},
            *({"path": name, "type": name} for name in ("database", "transit", "ssh")),
            {"path": "pki", "type": "pki", "tune": {"max_lease_ttl": "8760h"}},
        ],
        "password_policies": [{"name": "own", "length": 20, "rules": [{"charset": "abcdef"}]}],
        "policies": [{"name": "own", "policy": 'path "secret/*" {\n  capabilities = ["read"]\n}\n'}],
        "auth_roles": [
            {"mount": "approle", "name": "app", "token_policies": ["own"], "token_ttl": "1h"},
            {"mount": "people", "name": "ada", "type": "userpass", "secret_options": {"password": PASSWORD}},
        ],
        "identity_entities": [
            {"name": "ada", "metadata": {"team": "a"}, "aliases": [{"name": "ada", "mount": "people"}]}
        ],
        "identity_groups": [{"name": "staff", "member_entities": ["ada"], "policies": ["own"]}],
        "login_mfa_methods": [{"name": "phone", "type": "totp", "issuer": "own", "period": "30"}],
        "login_mfa_enforcements": [{"name": "all", "mfa_methods": ["phone"], "auth_method_types": ["userpass"]}],
        "pki_cas": [
            {
                "mount": "pki",
                "common_name": "Inside",
                "key_type": "ec",
                "ttl": "1000h",
                "cluster": {"path": "https://vault.example.com/v1/pki"},
            }
        ],
        "oidc": [{"type": "scope", "name": "groups", "template": '{"groups": []}', "description": "one"}],
        "pki_acme": [{"mount": "pki", "enabled": True, "eab_policy": "always-required"}],
        "pki_roles": [{"mount": "pki", "name": "web", "allow_any_name": True, "max_ttl": "1h"}],
        "transit_keys": [{"name": "orders", "auto_rotate_period": "24h"}],
        "ssh_cas": [{"mount": "ssh", "key_type": "ed25519"}],
        "ssh_roles": [{"name": "people", "key_type": "ca", "allow_user_certificates": True, "ttl": "10m"}],
        "database_connections": [
            {
                "name": "orders",
                "plugin_name": "postgresql-database-plugin",
                "connection_url": "postgresql://{username}:{password}@127.0.0.1:1/x",
                "root_username": "vault",
                "root_password": PASSWORD,
                "allowed_roles": ["*"],
                "verify_connection": False,
            }
        ],
        "database_roles": [{"name": "ro", "db_name": "orders", "creation_statements": ["SELECT 1"], "max_ttl": "2h"}],
        "secrets": [
            {"path": "app", "data": {"password": PASSWORD, "user": "app"}},
            {"path": "generated", "generate": {"password": {"policy": "own"}}},
        ],
        "endpoints": [{"path": "auth/token/roles/bare", "data": {"orphan": True}}],
        "pki_certificates": [
            {
                "mount": "pki",
                "role": "web",
                "common_name": "web.example.com",
                "ttl": "30m",
                "renew_before": "1m",
                **files,
            }
        ],
        "approle_secret_ids": [{"role": "app", "dest": str(folder / "secret-id")}],
        "inside": {"inmost": {"policies": [{"name": "deep", "policy": 'path "x" {\n  capabilities = ["read"]\n}\n'}]}},
    }


def within(top: str, tree: dict[str, Any]) -> dict[str, Any]:
    """A tree two namespaces down."""
    return {
        "namespaces": [{"name": top}],
        "inside": {top: {"namespaces": [{"name": "team"}], "inside": {"team": tree}}},
    }


def changes(result: Result) -> list[tuple[str, str, str, str]]:
    return [
        (one.get("namespace", ""), one["part"], one["name"], one["action"])
        for one in result["results"]
        if one["changed"]
    ]


def test_every_kind_is_declared(tmp_path: Path) -> None:
    assert set(everything(tmp_path)) - {"inside"} == set(KINDS) - NOT_INSIDE, "add the new kinds here"
    assert set(CHANGED) | FIXED == set(KINDS) - NOT_INSIDE


def test_life_of_every_kind(tree: Run, top: str, tmp_path: Path, openbao: VaultServer) -> None:
    wanted = everything(tmp_path)
    declared = within(top, wanted)
    before = set(openbao.client().sys.list_policies()["data"]["policies"])
    planned = tree(declared, check=True)
    assert not planned.failed, planned.msg
    made = tree(declared)
    assert not made.failed, made.msg
    place = f"{top}/team"
    assert {part for inside, part, _name, _action in changes(made) if inside == place} == set(wanted) - {"inside"}
    assert (f"{place}/inmost", "policies", "deep", "create") in changes(made)
    # a mount brings its settings of ACME with it
    assert {(part == "pki_acme", action) for _inside, part, _name, action in changes(made)} == {
        (False, "create"),
        (True, "update"),
    }
    assert set(openbao.client().sys.list_policies()["data"]["policies"]) == before, "it is not the namespace's own"
    client = openbao.client(namespace=place)
    assert client.read("secret/data/app")["data"]["data"] == {"password": PASSWORD, "user": "app"}
    generated = client.read("secret/data/generated")["data"]["data"]["password"]
    assert len(generated) == 20 and set(generated) <= set("abcdef"), "by the password policy of the same tree"
    assert (tmp_path / "web.crt").exists() and (tmp_path / "secret-id").exists()
    again = tree(declared)
    assert not again.failed and not again.changed, changes(again)

    for part, fields in CHANGED.items():
        wanted[part][0].update(copy.deepcopy(fields))
    expected = {(place, part) for part in CHANGED}
    for check in (True, False):
        changed = tree(declared, check=check)
        assert not changed.failed, changed.msg
        assert {change[:2] for change in changes(changed)} == expected
        assert len(changes(changed)) == len(expected) and len(changed["diff"]) == len(expected)
    assert not tree(declared).changed
    for result in (planned, made, again, changed):
        result.hides(PASSWORD, generated, (tmp_path / "secret-id").read_text().strip())

    gone: dict[str, Any] = {"name": place, "state": "absent"}
    held = tree({"namespaces": [{"name": f"{place}/inmost", "state": "absent"}, gone]}, check=True)
    assert held.failed and 'deleting it loses all that is in "database", "pki", "secret"' in held.msg
    for check in (True, False):
        absent = [{"name": f"{place}/inmost", "state": "absent"}, {**gone, "delete_data": True}]
        assert len(changes(tree({"namespaces": absent}, check=check))) == 2
        assert (openbao.client(namespace=top).list("sys/namespaces") is not None) is check


def test_purge_of_every_kind(tree: Run, top: str, tmp_path: Path, openbao: VaultServer) -> None:
    """What is not declared goes kind by kind; what is protected or the server's own, or holds data, stays."""
    wanted = everything(tmp_path)
    wanted["policies"].append({"name": "kept", "policy": 'path "x" {\n  capabilities = ["read"]\n}\n'})
    wanted["transit_keys"][0]["deletion_allowed"] = True
    made = tree(within(top, wanted))
    assert not made.failed, made.msg
    able = {part for part, kind in KINDS.items() if "purge" in kind.options} - NOT_INSIDE
    data = {part for part in able if "purge_data" in KINDS[part].options}
    for part in sorted(data):
        options = {"purge_mount": "secret"} if part == "secrets" else {}
        refused = tree(within(top, {"purge": {part: options}}))
        assert refused.failed and not refused.changed and '"purge_data"' in refused.msg, (part, refused.msg)

    named = {
        "namespaces": ["inmost"],
        "auth_methods": ["approle", "people"],
        "secrets_engines": [item["path"] for item in wanted["secrets_engines"]],
        "login_mfa_methods": ["phone"],
        "transit_keys": ["orders"],
        "database_connections": ["orders"],
        "secrets": ["app", "generated"],
    }
    assert set(named) == data
    purge: dict[str, Any] = {part: {"purge_data": named[part]} if part in named else {} for part in able}
    purge["policies"] = {"protected": ["kept"]}
    purge["secrets"]["purge_mount"] = "secret"
    # the tree declares no method any more
    purge["auth_roles"] = {"purge_mounts": ["approle", "people"]}
    client = openbao.client(namespace=f"{top}/team")
    for check in (True, False):
        done = tree(within(top, {"purge": purge}), check=check)
        assert not done.failed, done.msg
        deleted = {(part, name) for _where, part, name, action in changes(done) if action == "delete"}
        assert "kept" in client.sys.list_policies()["data"]["policies"]
        assert ("own" in client.sys.list_policies()["data"]["policies"]) is check
    assert {part for part, _name in deleted} == set(purge)
    assert set(client.sys.list_mounted_secrets_engines()["data"]) == {"cubbyhole/", "identity/", "sys/"}
    assert set(client.sys.list_auth_methods()["data"]) == {"token/"}
    assert client.sys.list_policies()["data"]["policies"] == ["default", "kept"]
    assert not tree(within(top, {"purge": purge})).changed


@pytest.mark.parametrize(
    ("part", "wrong", "said"),
    [
        ("secrets_engines", {"tune": {"max_lease_ttl": "a day"}}, '"a day" is not a duration'),
        ("auth_methods", {"default_lease_ttl": "soon"}, '"soon" is not a duration'),
        ("policies", {"policy": 'path "x" { capabilities = ["reed"] }'}, 'unknown capability "reed"'),
        ("auth_roles", {"token_ttl": "2h", "token_max_ttl": "1h"}, "token_ttl is longer than token_max_ttl"),
        ("pki_roles", {"ttl": "2h"}, "ttl is longer than max_ttl"),
        ("transit_keys", {"auto_rotate_period": "10m"}, '"auto_rotate_period" is below an hour'),
        ("ssh_roles", {"ttl": "soon"}, '"soon" is not a duration'),
        ("ssh_cas", {"public_key": "ssh-ed25519 AAAA"}, '"private_key" and "public_key" go together'),
        (
            "database_roles",
            {"type": "static", "creation_statements": None, "max_ttl": None},
            '"db_username" is missing',
        ),
        (
            "database_roles",
            {"type": "static", "creation_statements": None, "max_ttl": None, "db_username": "app"},
            'a static role needs a "rotation_period"',
        ),
        ("database_connections", {"max_connection_lifetime": "soon"}, '"soon" is not a duration'),
        ("secrets", {"metadata": {"delete_version_after": "soon"}}, '"soon" is not a duration'),
        ("login_mfa_methods", {"period": "soon"}, '"soon" is not a duration'),
        ("approle_secret_ids", {"ttl": "soon"}, '"soon" is not a duration'),
        ("secrets_engines", {"type": "no-such-engine", "path": "x"}, 'no secrets engine of type "no-such-engine"'),
        ("secrets_engines", {"tune": {"max_lease_ttl": "-1"}}, "max_lease_ttl is negative"),
        ("auth_methods", {"type": "no-such-method", "path": "x"}, 'no auth method of type "no-such-method"'),
        ("auth_methods", {"max_lease_ttl": "-1h"}, '"-1h" is negative'),
        # the type is that of the method in the same tree
        ("auth_roles", {"options": {"secret_id_ttl": "soon"}}, '"soon" is not a duration'),
        ("auth_roles", {"options": {"secret_id_tll": "1h"}}, 'did you mean "secret_id_ttl"?'),
        ("auth_roles", {"token_ttl": "-5"}, '"-5" is negative'),
        ("transit_keys", {"type": "hmac"}, 'a key of type hmac needs a "key_size"'),
        ("transit_keys", {"convergent_encryption": True}, '"convergent_encryption" is for derived keys'),
        (
            "transit_keys",
            {"min_decryption_version": 3, "min_encryption_version": 2},
            "min_encryption_version is below min_decryption_version",
        ),
        ("ssh_roles", {"key_type": "otp", "allow_user_certificates": None, "ttl": None}, '"default_user" is missing'),
        ("ssh_roles", {"allow_user_certificates": None}, "it allows neither certificates of users nor of hosts"),
        ("database_connections", {"plugin_name": None}, '"plugin_name" is missing'),
        ("database_connections", {"rotate_root": "once", "root_password": None}, '"rotate_root: once" without'),
        ("pki_cas", {"tidy": {"enabled": True}}, '"tidy" is enabled, and nothing is to be cleared up'),
        ("login_mfa_methods", {"issuer": None}, 'a new method needs "issuer"'),
        ("login_mfa_enforcements", {"mfa_methods": []}, "no method is given"),
        ("login_mfa_enforcements", {"auth_method_types": None}, "it applies to no login"),
    ],
)
def test_what_cannot_be_right_stops_the_whole_tree(
    tree: Run, top: str, tmp_path: Path, openbao: VaultServer, part: str, wrong: dict[str, Any], said: str
) -> None:
    """It stands deep inside, among much that is right and would come before it."""
    wanted = everything(tmp_path)
    wanted[part][0].update(wrong)
    refused = tree(within(top, wanted))
    assert refused.failed and not refused.changed and said in refused.msg, refused.msg
    refused.hides(PASSWORD)
    assert top + "/" not in ((openbao.client().list("sys/namespaces") or {}).get("data") or {}).get("keys", [])


def test_a_part_of_what_stands_is_enough(tree: Run, top: str, tmp_path: Path, openbao: VaultServer) -> None:
    """What a new object would need is not asked for again."""
    wanted = everything(tmp_path)
    wanted["transit_keys"].append({"name": "mac", "type": "hmac", "key_size": 32})
    made = tree(within(top, wanted))
    assert not made.failed, made.msg
    parts: dict[str, Any] = {
        "transit_keys": [{"name": "mac", "type": "hmac", "deletion_allowed": True}],
        "ssh_roles": [{"name": "people", "ttl": "20m"}],
        "database_connections": [{"name": "orders", "allowed_roles": ["ro"], "verify_connection": False}],
        "pki_cas": [{"mount": "pki", "common_name": "Inside"}],
        "login_mfa_methods": [{"name": "phone", "type": "totp", "issuer": "own"}],
        "login_mfa_enforcements": [{"name": "all", "auth_method_types": ["approle", "userpass"]}],
    }
    changed = tree(within(top, parts))
    assert not changed.failed, changed.msg
    assert {part for _where, part, _name, _action in changes(changed)} == set(parts) - {"pki_cas", "login_mfa_methods"}
    assert {action for *_where, action in changes(changed)} == {"update"}
    assert not tree(within(top, parts)).changed


def test_a_role_that_names_a_missing_policy_is_a_warning(tree: Run, top: str, tmp_path: Path) -> None:
    wanted = everything(tmp_path)
    wanted["auth_roles"][0]["token_policies"] = ["own", "nonesuch"]
    warned = tree(within(top, wanted))
    assert not warned.failed, warned.msg
    assert "no policy has the name" in str(warned["warnings"]) and "nonesuch" in str(warned["warnings"])
    assert '"own"' not in str(warned["warnings"]), "that one is declared in the same tree"
