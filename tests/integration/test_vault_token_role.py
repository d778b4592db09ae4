# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token roles by vault_auth_role, against a real server."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture
def role(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_auth_role", {**vault_args, **options}, check=check, diff=True)

    return run


def stored(openbao: VaultServer, name: str) -> dict[str, Any] | None:
    answer = openbao.client().read(f"auth/token/roles/{name}")
    return answer and answer["data"]


def test_life(role: Run, openbao: VaultServer, unique: str) -> None:
    name, client = f"Pipeline-{unique}", openbao.client()
    client.sys.create_or_update_policy(name.lower(), 'path "secret/*" { capabilities = ["read"] }')
    bounds = {"allowed_policies": [name], "allowed_entity_aliases": "Robot", "orphan": True, "renewable": False}
    wanted: dict[str, Any] = {"type": "token", "name": name, "token_explicit_max_ttl": "1h", "options": bounds}
    wanted["token_bound_cidrs"] = ["127.0.0.1/32"]
    assert role(check=True, **wanted).changed
    assert stored(openbao, name) is None
    created = role(**wanted)
    assert created.changed, created.msg
    assert "warnings" not in created, "the policy exists, whatever its case"
    found = stored(openbao, name) or {}
    assert (found["token_explicit_max_ttl"], found["orphan"], found["renewable"]) == (3600, True, False)
    again = role(**{**wanted, "token_explicit_max_ttl": "60m", "token_type": "default-service"}, mount="token")
    assert not again.changed, again["results"]

    auth = client.write_data(f"auth/token/create/{name}", data={"policies": [name], "no_default_policy": True})["auth"]
    assert auth["lease_duration"] == 3600
    assert (auth["policies"], auth["orphan"], auth["renewable"]) == ([name.lower()], True, False)

    changed = role(type="token", name=name, options={"renewable": True})
    assert changed["results"][0]["fields"] == ["renewable"]
    assert "renewable: false" in changed["diff"][0]["before"]
    found = stored(openbao, name) or {}
    assert (found["token_explicit_max_ttl"], found["orphan"]) == (3600, True), "the rest stays"
    assert role(check=True, type="token", name=name, state="absent").changed
    assert stored(openbao, name) is not None
    assert role(type="token", name=name, state="absent").changed
    assert stored(openbao, name) is None
    client.sys.delete_policy(name.lower())


def test_what_the_server_would_drop(role: Run, openbao: VaultServer, unique: str) -> None:
    name = f"tr-{unique}"
    wrong = role(type="token", name=name, token_policies=["cicd"])
    assert 'a role of type token has no "token_policies"; use allowed_policies in "options"' in wrong.msg
    assert "use token_explicit_max_ttl or token_period" in role(type="token", name=name, token_ttl="1h").msg
    slip = role(type="token", name=name, options={"disallowed_policy": ["root"]})
    assert 'did you mean "disallowed_policies"?' in slip.msg
    assert "holds what the server refuses" in role(type="token", name=name, options={"path_suffix": "a/b"}).msg
    assert stored(openbao, name) is None
    warned = role(type="token", name=name, options={"allowed_policies": ["nonesuch"]})
    assert "no policy has the name" in str(warned["warnings"])
    assert role(type="token", name=name, state="absent").changed


def test_purge(role: Run, openbao: VaultServer, unique: str) -> None:
    names = [f"{kind}-{unique}" for kind in ("keep", "spare", "go")]
    role(type="token", roles=[{"name": name, "options": {"orphan": True}} for name in names])
    listed = openbao.client().list("auth/token/roles")["data"]["keys"]
    others = [name for name in listed if name not in names]
    declared = [{"name": names[0], "type": "token", "options": {"orphan": True}}]
    result = role(mount="token", roles=declared, purge=True, protected=[names[1], *others])
    assert [one["name"] for one in result["results"] if one["changed"]] == [f"token/{names[2]}"]
    assert stored(openbao, names[1]) is not None
    role(type="token", roles=[{"name": name} for name in names], state="absent")


def test_in_a_namespace(
    role: Run, run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, unique: str
) -> None:
    if openbao.product != "openbao":
        pytest.skip("namespaces of HashiCorp Vault need its Enterprise edition")
    run_module("vault_namespace", {**vault_args, "name": f"tr-{unique}"}, must_succeed=True)
    wanted = {"namespace": f"tr-{unique}", "type": "token", "name": "inner", "options": {"orphan": True}}
    assert role(**wanted).changed
    assert not role(**wanted).changed
    assert role(**{**wanted, "state": "absent"}).changed
    run_module(
        "vault_namespace",
        {**vault_args, "name": f"tr-{unique}", "state": "absent", "delete_data": True},
        must_succeed=True,
    )
