# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a purge of a tree finds inside mounts, and what a failure keeps it from, against a real server."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
#: by kind: the mount (its kind and type), a role in it, and where the server lists these
INSIDE: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "auth_roles": ("auth_methods", "approle", {"token_ttl": "1h"}, "auth/{mount}/role"),
    "pki_roles": ("secrets_engines", "pki", {"allow_any_name": True}, "{mount}/roles"),
    "transit_keys": ("secrets_engines", "transit", {"deletion_allowed": True}, "{mount}/keys"),
    "ssh_roles": (
        "secrets_engines",
        "ssh",
        {"key_type": "ca", "allow_user_certificates": True},
        "{mount}/roles",
    ),
    "database_connections": (
        "secrets_engines",
        "database",
        {
            "plugin_name": "postgresql-database-plugin",
            "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:1/x",
            "root_username": "vault",
            "root_password": "pass-w0rd-purged-4711",
            "verify_connection": False,
        },
        "{mount}/config",
    ),
    "database_roles": (
        "secrets_engines",
        "database",
        {"db_name": "orders", "creation_statements": ["SELECT 1"]},
        "{mount}/roles",
    ),
}


@pytest.fixture
def listed(openbao: VaultServer, area: str) -> Callable[[str], list[str]]:
    """The names that the server lists at a path."""
    return lambda path: list(((openbao.client(namespace=area).list(path) or {}).get("data") or {}).get("keys", []))


def deleted(result: Result) -> list[str]:
    return sorted(one["name"] for one in result["results"] if one["action"] == "delete" and one["changed"])


@pytest.mark.parametrize("part", sorted(INSIDE))
def test_the_last_object_of_a_mount_goes_too(tree: Run, listed: Callable[[str], list[str]], part: str) -> None:
    """Nothing is declared in one of two mounts any more: it is looked into because it is declared itself."""
    title, kind, fields, folder = INSIDE[part]
    mounts = {title: [{"path": path, "type": kind} for path in ("first", "second")]}
    items = [{"mount": path, "name": "one", **fields} for path in ("first", "second")]
    made = tree({**mounts, part: items})
    assert not made.failed, made.msg
    again = {"purge_data": ["one"]} if part in ("transit_keys", "database_connections") else {}

    # without the mounts in the tree it looks only where something is declared
    assert deleted(tree({part: items[:1], "purge": {part: again}}, check=True)) == []
    named = {part: items[:1], "purge": {part: {**again, "purge_mounts": ["second/"]}}}
    assert deleted(tree(named, check=True)) == ["second/one"]

    left = {**mounts, part: items[:1], "purge": {part: again}}
    for check in (True, False):
        gone = tree(left, check=check)
        assert not gone.failed, gone.msg
        assert deleted(gone) == ["second/one"] and gone.changed
        assert len(gone["diff"]) == 1 and gone["diff"][0]["after"] == ""
        assert (listed(folder.format(mount="second")) == []) is not check
    assert listed(folder.format(mount="first")) == ["one"]
    assert not tree(left).changed

    # and of all that are declared, when nothing is left
    kept = {**mounts, "purge": {part: {**again, "protected": ["first/one"]}}}
    assert not tree(kept, check=True).changed
    none = {**mounts, "purge": {part: again}}
    assert deleted(tree(none)) == ["first/one"]
    assert not tree(none).changed


def test_roles_of_methods_that_hold_none_are_no_error(tree: Run) -> None:
    """A purge looks into every declared method: also into one that is not there yet, or of another type."""
    declared = {
        "auth_methods": [{"path": path, "type": path} for path in ("approle", "userpass", "kubernetes", "jwt", "cert")],
        "purge": {"auth_roles": {}},
    }
    for check in (True, False, True):
        result = tree(declared, check=check)
        assert not result.failed, result.msg
    assert not result.changed


@pytest.mark.parametrize("how", ["purged", "declared absent"])
def test_what_could_not_be_written_keeps_what_it_still_needs(
    tree: Run, openbao: VaultServer, area: str, how: str
) -> None:
    """A role is to move from one policy to another, and cannot: the old policy stays, or nobody could log in."""
    rule = 'path "secret/*" {\n  capabilities = ["read"]\n}\n'
    role = {"mount": "approle", "name": "shop", "token_policies": ["old"], "options": {"secret_id_num_uses": 1}}
    before = {
        "auth_methods": [{"path": "approle", "type": "approle"}],
        "policies": [{"name": "old", "policy": rule}],
        "auth_roles": [role],
    }
    assert not tree(before).failed
    # a batch token with a number of uses is known by the server alone to be wrong
    moved = {**role, "token_policies": ["new"], "token_type": "batch", "token_num_uses": 3}
    after: dict[str, Any] = {**before, "policies": [{"name": "new", "policy": rule}], "auth_roles": [moved]}
    if how == "purged":
        after["purge"] = {"policies": {}}
    else:
        after["policies"].append({"name": "old", "state": "absent"})
    failed = tree(after)
    assert failed.failed and "approle/shop" in failed.msg, failed.msg
    assert failed["summary"]["not_reached"] == 1
    client = openbao.client(namespace=area)
    assert {"old", "new"} <= set(client.sys.list_policies()["data"]["policies"])
    assert client.read("auth/approle/role/shop")["data"]["token_policies"] == ["old"]
    assert deleted(failed) == [] and len(failed["diff"]) == 1

    after["auth_roles"] = [{**role, "token_policies": ["new"]}]
    mended = tree(after)
    assert not mended.failed and deleted(mended) == ["old"], mended.msg


def test_only_what_needs_the_failed_one_is_not_reached(
    run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, area: str
) -> None:
    """Of groups: one that is broken stops the group that holds it, and no other."""
    client = openbao.client(namespace=area)
    denied = 'path "identity/group/name/leaf-bad" { capabilities = ["read"] }'
    client.sys.create_or_update_policy(
        "all-but-one", 'path "*" { capabilities = ["sudo", "create", "read", "update", "delete", "list"] }\n' + denied
    )
    token = client.auth.token.create(policies=["all-but-one"], ttl="5m")["auth"]["client_token"]
    groups = [
        {"name": "top-of-bad", "member_groups": ["leaf-bad"]},
        {"name": "top-of-top", "member_groups": ["top-of-bad"]},
        {"name": "top-of-good", "member_groups": ["leaf-good"]},
        {"name": "leaf-bad"},
        {"name": "leaf-good"},
    ]
    done = run_module("vault_identity_group", {**vault_args, "token": token, "namespace": area, "groups": groups})
    assert done.failed and 'group "leaf-bad"' in done.msg, done.msg
    reached = {one["name"]: one["changed"] for one in done["results"]}
    assert reached == {
        "top-of-bad": False,
        "top-of-top": False,
        "top-of-good": True,
        "leaf-bad": False,
        "leaf-good": True,
    }
    assert done["summary"]["failed"] == 1 and done["summary"]["not_reached"] == 2
    names = client.list("identity/group/name")["data"]["keys"]
    assert sorted(names) == ["leaf-good", "top-of-good"]
