# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templated policies that name an auth method by its path, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture
def mount(openbao: VaultServer, unique: str) -> Iterator[str]:
    """A userpass method and a KV engine."""
    path = f"tpl-{unique}/eu"
    openbao.client().sys.enable_auth_method("userpass", path=path)
    openbao.client().sys.enable_secrets_engine("kv", path=f"tpl-{unique}")
    yield path
    openbao.client().sys.disable_auth_method(path)
    openbao.client().sys.disable_secrets_engine(f"tpl-{unique}")


def test_a_login_reaches_its_own_secrets_only(
    run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, unique: str, mount: str
) -> None:
    name, engine = f"own-{unique}", f"tpl-{unique}"
    wanted = {
        **vault_args,
        "name": name,
        "rules": [{"path": f"{engine}/{{{{identity.entity.aliases[{mount}].name}}}}/*", "capabilities": ["read"]}],
    }
    assert run_module("vault_policy", wanted, check=True).changed
    created = run_module("vault_policy", wanted, diff=True, must_succeed=True)
    accessor = openbao.client().sys.list_auth_methods()["data"][f"{mount}/"]["accessor"]
    assert f"identity.entity.aliases.{accessor}.name" in created["diff"][0]["after"]
    assert not run_module("vault_policy", wanted).changed

    root = openbao.client()
    root.write(f"auth/{mount}/users/ada", password="pass-word-1", token_policies=[name])
    for user in ("ada", "grace"):
        root.write(f"{engine}/{user}/x", value=user)
    token = root.auth.userpass.login("ada", "pass-word-1", mount_point=mount)["auth"]["client_token"]
    ada = openbao.client(token)
    assert ada.read(f"{engine}/ada/x")["data"] == {"value": "ada"}
    with pytest.raises(Exception, match="permission denied"):
        ada.read(f"{engine}/grace/x")
    run_module("vault_policy", {**vault_args, "name": name, "state": "absent"}, must_succeed=True)


def test_an_auth_method_that_is_not_there(run_module: Run, vault_args: dict[str, Any], unique: str) -> None:
    text = 'path "secret/{{ identity.entity.aliases[nowhere].id }}" { capabilities = ["read"] }'
    wanted = {**vault_args, "name": f"tpl-{unique}", "policy": text}
    refused = run_module("vault_policy", wanted)
    assert refused.msg == (
        f'policy "tpl-{unique}": a template names the auth method "nowhere", and none is mounted there; '
        "mount it first, or correct the path"
    )
    planned = run_module("vault_policy", wanted, check=True)
    assert planned.changed
    assert "none is mounted there (yet)" in str(planned["warnings"])
