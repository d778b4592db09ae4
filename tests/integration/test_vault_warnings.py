# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server warns of is shown; what the same tree declares is not warned of."""

from __future__ import annotations

from typing import Any, Callable

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


def test_the_servers_own_warnings_are_shown(
    run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, unique: str
) -> None:
    mount = f"warn-{unique}"
    openbao.client().sys.enable_auth_method("jwt", path=mount)
    role = {
        "mount": mount,
        "name": "loud",
        "options": {"role_type": "jwt", "user_claim": "sub", "bound_subject": "x", "verbose_oidc_logging": True},
    }
    first = run_module("vault_auth_role", {**vault_args, **role}, must_succeed=True)
    said = [one for one in first.get("warnings", []) if "verbose_oidc_logging has been enabled" in str(one)]
    assert len(said) == 1 and "the server warns" in str(said[0]) and mount in str(said[0]), first.get("warnings")
    again = run_module("vault_auth_role", {**vault_args, **role}, must_succeed=True)
    assert not again.changed and "warnings" not in again, "nothing was written"
    openbao.client().sys.disable_auth_method(mount)


def test_policies_of_the_same_tree_are_not_missed(tree: Run) -> None:
    declared = {
        "auth_methods": [{"type": "approle"}],
        "policies": [{"name": "Reader", "rules": [{"path": "a", "capabilities": ["read"]}]}],
        "auth_roles": [{"mount": "approle", "name": "r", "token_policies": ["reader"]}],
        "identity_entities": [{"name": "e", "policies": ["reader", "nonesuch"]}],
    }
    rehearsed = tree(declared, check=True)
    assert not rehearsed.failed, rehearsed.msg
    said = str(rehearsed.get("warnings"))
    assert "nonesuch" in said and "eader" not in said


def test_a_mount_is_named_without_auth(run_module: Run, vault_args: dict[str, Any]) -> None:
    for module, options in (
        ("vault_auth", {"path": "auth/foo", "type": "approle"}),
        ("vault_auth_role", {"mount": "auth/approle", "name": "x", "type": "approle"}),
    ):
        refused = run_module(module, {**vault_args, **options}, check=True)
        assert refused.failed and 'leave "auth/" out' in refused.msg


def test_the_default_policy_stays_in_check_mode(run_module: Run, vault_args: dict[str, Any]) -> None:
    refused = run_module("vault_policy", {**vault_args, "name": "default", "state": "absent"}, check=True)
    assert refused.failed and "the default policy cannot be deleted" in refused.msg
