# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_login against a real server."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Callable

import hvac.exceptions
import pytest

from support.modules import Result
from support.openbao import VaultServer

PASSWORD = "password-that-nobody-may-see"


@pytest.fixture
def connection(openbao: VaultServer) -> dict[str, Any]:
    return {"url": [openbao.url], "ca_cert": openbao.ca_cert}


@pytest.fixture
def login(run_module: Callable[..., Result], connection: dict[str, Any], tmp_path: Path) -> Callable[..., Result]:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module(
            "vault_login", {**connection, "dest": str(tmp_path / "session/token"), **options}, check=check
        )

    return run


@pytest.fixture
def user(openbao: VaultServer, unique: str) -> dict[str, Any]:
    """Options that log in a user."""
    mount = f"login-{unique}"
    openbao.client().sys.enable_auth_method("userpass", path=mount)
    openbao.client().auth.userpass.create_or_update_user("alice", PASSWORD, ["default"], mount)
    return {"auth_method": "userpass", "auth_mount": mount, "username": "alice", "password": PASSWORD}


def valid(openbao: VaultServer, token: str) -> bool:
    try:
        openbao.client(token).auth.token.lookup_self()
    except hvac.exceptions.Forbidden:
        return False
    return True


def test_login_and_logout(
    login: Callable[..., Result], user: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    file = tmp_path / "session/token"
    result = login(**user)
    assert not result.failed, result.msg
    assert not result.changed
    token = file.read_text().strip()
    result.hides(token, PASSWORD)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert os.listdir(file.parent) == ["token"]
    assert result["policies"] == ["default"]
    assert result["ttl"] > 0
    assert valid(openbao, token)

    ended = login(state="absent")
    assert ended["revoked"] is True
    assert not file.exists()
    assert not valid(openbao, token)
    again = login(state="absent")
    assert not again.failed
    assert again["revoked"] is False


def test_check_mode_logs_in_but_does_not_log_out(
    login: Callable[..., Result], user: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    assert not login(check=True, **user).failed
    token = (tmp_path / "session/token").read_text().strip()
    assert not login(check=True, state="absent").failed
    assert valid(openbao, token)


def test_other_modules_read_the_file(
    login: Callable[..., Result],
    run_module: Callable[..., Result],
    connection: dict[str, Any],
    openbao: VaultServer,
    tmp_path: Path,
    unique: str,
) -> None:
    login(token=openbao.token, child=True, ttl="5m")
    rules = [{"path": "x/*", "capabilities": ["read"]}]
    file = str(tmp_path / "session/token")
    result = run_module("vault_policy", {**connection, "token_file": file, "name": f"login-{unique}", "rules": rules})
    assert result.changed, result.msg
    # the play's token outlives the module
    assert valid(openbao, Path(file).read_text().strip())


def test_a_token_left_by_an_interrupted_run_is_revoked(
    login: Callable[..., Result], user: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    login(**user)
    left = (tmp_path / "session/token").read_text().strip()
    login(**user)
    new = (tmp_path / "session/token").read_text().strip()
    assert new != left
    assert not valid(openbao, left)
    assert valid(openbao, new)


def test_child_token(login: Callable[..., Result], openbao: VaultServer, tmp_path: Path) -> None:
    result = login(token=openbao.token, child=True, ttl="10m", policies=["default"], display_name="a play")
    assert (result["policies"], result["ttl"] <= 600) == (["default"], True)
    assert "play" in result["display_name"]
    token = (tmp_path / "session/token").read_text().strip()
    assert token != openbao.token
    assert login(state="absent")["revoked"] is True
    assert not valid(openbao, token)


def test_a_token_that_existed_is_not_revoked(
    login: Callable[..., Result], openbao: VaultServer, tmp_path: Path
) -> None:
    created = openbao.client().auth.token.create(policies=["default"], ttl="5m")
    own = created["auth"]["client_token"]
    result = login(token=own)
    assert not result.failed, result.msg
    assert (tmp_path / "session/token").read_text().strip() == own
    result.hides(own)
    assert login(state="absent")["revoked"] is False
    assert os.listdir(tmp_path / "session") == []
    assert valid(openbao, own)


def test_logout_with_an_expired_token(
    login: Callable[..., Result], user: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    login(**user)
    file = tmp_path / "session/token"
    openbao.client(file.read_text().strip()).auth.token.revoke_self()
    result = login(state="absent")
    assert not result.failed, result.msg
    assert result["revoked"] is False
    assert "warnings" not in result
    assert not file.exists()


def test_logout_without_a_server(login: Callable[..., Result], user: dict[str, Any], tmp_path: Path) -> None:
    login(**user)
    token = (tmp_path / "session/token").read_text().strip()
    result = login(state="absent", url=["https://127.0.0.1:9"], retries=0)
    assert not result.failed
    assert "lives on until it expires" in str(result["warnings"])
    result.hides(token)
    assert not (tmp_path / "session/token").exists()


def test_batch_tokens_end_by_themselves(
    login: Callable[..., Result], user: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    openbao.client().sys.tune_auth_method(user["auth_mount"], token_type="batch")
    result = login(**user)
    assert not result.failed, result.msg
    ended = login(state="absent")
    assert not ended.failed
    assert ended["revoked"] is False
    assert "warnings" not in ended
    assert not (tmp_path / "session/token").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"auth_method": "userpass", "username": "a", "password": PASSWORD, "child": True},
            "a child token is made from a token",
        ),
        ({"token": "x", "ttl": "1h"}, 'option "ttl": is for a child token; remove it, or set "child"'),
        ({"token": "x", "child": True, "ttl": "soon"}, '"soon" is not a duration'),
        ({"token": "x", "child": True, "ttl": "0"}, "a token needs a life of its own"),
        ({"auth_method": "approle"}, 'auth_method "approle" needs "role_id"'),
        ({"token": "s.wrong"}, "the token is invalid, expired or revoked"),
        (
            {"auth_method": "userpass", "auth_mount": "none", "username": "a", "password": PASSWORD},
            'that "none" is the method\'s mount',
        ),
    ],
)
def test_bad_input_leaves_no_file(
    login: Callable[..., Result], tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    result = login(**options)
    assert result.failed
    assert message in result.msg
    result.hides(PASSWORD)
    assert not (tmp_path / "session/token").exists()


def test_directory_that_others_can_read(login: Callable[..., Result], user: dict[str, Any], tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    result = login(**user, dest=str(shared / "token"))
    assert result.failed
    assert f'option "dest": the directory {shared} is not private; name one of your own with mode 0700' in result.msg
    assert os.listdir(shared) == []
