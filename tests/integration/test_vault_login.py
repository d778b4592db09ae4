# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_login against a real server."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import hvac.exceptions
import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import process
from support.local import free_ports, write_private
from support.modules import ROOT, RUNNER, Result
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
    assert sorted(os.listdir(file.parent)) == ["token", "token.session"]
    assert token not in (file.parent / "token.session").read_text()
    assert result["policies"] == ["default"]
    assert result["ttl"] > 0
    assert valid(openbao, token)

    ended = login(state="absent")
    assert ended["revoked"] is True
    assert os.listdir(file.parent) == []
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


def test_logout_without_a_server(
    login: Callable[..., Result], new_server: Callable[..., VaultServer], tmp_path: Path
) -> None:
    server = new_server()
    assert not login(url=[server.url], ca_cert=server.ca_cert, token=server.token, child=True).failed
    token = (tmp_path / "session/token").read_text().strip()
    server.stop()
    result = login(state="absent", retries=0)
    assert not result.failed
    assert "stays valid until it expires" in str(result["warnings"])
    result.hides(token)
    assert os.listdir(tmp_path / "session") == []


def test_a_token_goes_back_to_its_own_server_only(
    login: Callable[..., Result],
    user: dict[str, Any],
    openbao: VaultServer,
    new_server: Callable[..., VaultServer],
    tmp_path: Path,
) -> None:
    other = new_server()
    elsewhere = {"url": [other.url], "ca_cert": other.ca_cert}
    login(**user)
    token = (tmp_path / "session/token").read_text().strip()
    assert login(state="absent", **elsewhere)["revoked"] is True
    assert not valid(openbao, token)

    login(**user)
    token = (tmp_path / "session/token").read_text().strip()
    assert not login(token=other.token, child=True, **elsewhere).failed
    assert not valid(openbao, token)


def test_a_file_that_is_no_login_stays(login: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("years of work")
    result = login(state="absent", dest=str(file))
    assert f'option "dest": {file} is not the file of a login: precious.session is missing' in result.msg
    assert file.read_text() == "years of work"


def test_a_login_has_the_ttl_that_is_asked_for(
    login: Callable[..., Result], user: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    assert 290 <= login(**user, ttl="5m")["ttl"] <= 300
    token = (tmp_path / "session/token").read_text().strip()
    assert openbao.client(token).auth.token.lookup_self()["data"]["ttl"] <= 300


def test_a_session_is_renewed_when_half_of_its_ttl_is_over(
    login: Callable[..., Result],
    run_module: Callable[..., Result],
    connection: dict[str, Any],
    user: dict[str, Any],
    openbao: VaultServer,
    tmp_path: Path,
) -> None:
    login(**user, ttl="8s")
    file = tmp_path / "session/token"
    client = openbao.client(file.read_text().strip())
    time.sleep(5)
    left = client.auth.token.lookup_self()["data"]["ttl"]
    read = {**connection, "token_file": str(file), "path": "auth/token/lookup-self", "data": {}}
    run_module("vault_endpoint", read, check=True)
    assert client.auth.token.lookup_self()["data"]["ttl"] > left


RUN = """
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/secretops.vault_eso.vault: "{{ vault_connection | combine(vault_session_token | default({})) }}"
  tasks:
    - block:
        - ansible.builtin.include_role:
            name: secretops.vault_eso.vault_session
            tasks_from: open
        - ansible.builtin.debug:
            msg: "{{ vault_session_token.token_file }}"
        - ansible.builtin.shell: "echo > begun; sleep {{ seconds }}"
      always:
        - ansible.builtin.include_role:
            name: secretops.vault_eso.vault_session
            tasks_from: close
"""


@pytest.mark.parametrize("killed_by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_next_run_revokes_what_a_killed_one_left(
    user: dict[str, Any], connection: dict[str, Any], openbao: VaultServer, tmp_path: Path, killed_by: signal.Signals
) -> None:
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    (tmp_path / "play.yml").write_text(RUN)

    output = (tmp_path / "output").open("wb")

    def start(seconds: int) -> subprocess.Popen[bytes]:
        given = {
            "vault_connection": connection,
            "vault_session_login": user,
            "vault_session_directory": str(sessions),
            "seconds": seconds,
            "ansible_python_interpreter": sys.executable,
        }
        (tmp_path / "given.json").write_text(json.dumps(given))
        return subprocess.Popen(
            ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"@{tmp_path}/given.json", "play.yml"],
            cwd=tmp_path,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def tokens() -> list[str]:
        return [file.read_text().strip() for file in sessions.glob("*/session-*/token")]

    first = start(60)
    try:
        deadline = time.monotonic() + 60
        # the token's file alone would be too early: a login that is interrupted at its end revokes its token, rightly
        while not (tmp_path / "begun").exists() and first.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (tmp_path / "begun").exists(), (tmp_path / "output").read_text()
        (token,) = tokens()
        if killed_by == signal.SIGKILL:
            # another run at the same time leaves it alone
            assert start(0).wait(60) == 0
        assert valid(openbao, token)
    finally:
        os.killpg(first.pid, killed_by) if killed_by == signal.SIGINT else first.send_signal(killed_by)
        first.wait(30)
    assert valid(openbao, token), "the run revoked its token by itself: nothing was tried"
    assert start(0).wait(60) == 0
    assert not valid(openbao, token)
    assert list(sessions.glob("*/*")) == []


def test_what_a_killed_run_had_half_written_is_revoked(
    run_module: Callable[..., Result],
    connection: dict[str, Any],
    user: dict[str, Any],
    openbao: VaultServer,
    tmp_path: Path,
) -> None:
    """The token is in a temporary file alone; another belongs to a server that does not answer for the moment."""
    sessions = tmp_path / f"secretops.vault_eso-{os.geteuid()}"
    ended = {"pid": 4194303, "start": "1", "space": process._space()}
    tokens = [openbao.client().auth.token.create(ttl="10m")["auth"]["client_token"] for _ in range(2)]
    silent = {**connection, "url": [f"https://127.0.0.1:{free_ports(1)[0]}"]}
    for name, token, where in (("token", tokens[1], silent), (".token.new-abc", tokens[0], connection)):
        folder = sessions / f"session-{len(name)}"
        folder.mkdir(parents=True, mode=0o700)
        write_private(folder / name, token.encode())
        found = {"connection": where, "owner": ended, "borrowed": False, "renewable": False}
        numbers = {"made": int(time.time()), "ttl": 0, "expires": 0}
        write_private(folder / "token.session", json.dumps({**found, **numbers}).encode())
    sessions.chmod(0o700)
    left = {path.name for path in sessions.iterdir()}

    result = run_module("vault_login", {**connection, **user, "directory": str(tmp_path)})
    assert not result.failed, result.msg
    assert not valid(openbao, tokens[0])
    assert valid(openbao, tokens[1])
    kept = {path.name for path in sessions.iterdir()} - {Path(result["dest"]).parent.name}
    assert kept == {"session-5"} < left, "what could not be revoked is kept for the next run"
    assert "could not be revoked" in str(result["warnings"])
    result.hides(*tokens)

    # the server is back: it is tried again, though not at once
    record = sessions / "session-5" / "token.session"
    told = json.loads(record.read_text())
    record.write_text(json.dumps({**told, "connection": connection, "tried": told["tried"] - 61}))
    run_module("vault_login", {**connection, **user, "directory": str(tmp_path)})
    assert not valid(openbao, tokens[1])
    assert not record.exists()


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
            "a child token is created from a token",
        ),
        ({"token": "s.any", "ttl": "1h"}, 'option "ttl": an existing token keeps its TTL; remove it, set "child"'),
        ({"token": "x", "child": True, "ttl": "soon"}, '"soon" is not a duration'),
        ({"token": "x", "child": True, "ttl": "0"}, "a token needs a TTL above 0"),
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


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_module_that_is_ended_revokes_its_own_login(
    user: dict[str, Any],
    connection: dict[str, Any],
    openbao: VaultServer,
    unique: str,
    tmp_path: Path,
    ended_by: signal.Signals,
) -> None:
    root = openbao.client()
    mount = user["auth_mount"]
    root.sys.create_or_update_policy(
        f"all-{unique}", 'path "sys/policies/acl/*" { capabilities = ["create", "read", "update"] }'
    )
    root.auth.userpass.create_or_update_user("alice", PASSWORD, [f"all-{unique}"], mount)
    policies = [{"name": f"{unique}-{number}", "policy": f'path "x/{number}" {{ }}'} for number in range(4_000)]
    options = {**connection, **user, "policies": policies, "workers": 2}
    (tmp_path / "options").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))

    def holders() -> list[str]:
        found = []
        for accessor in root.list("auth/token/accessors")["data"]["keys"]:
            try:
                data = root.auth.token.lookup_accessor(accessor)["data"]
            except hvac.exceptions.Forbidden:
                continue
            if data["path"] == f"auth/{mount}/login/alice":
                found.append(accessor)
        return found

    def made() -> int:
        return sum(name.startswith(f"{unique}-") for name in root.sys.list_policies()["data"]["policies"])

    with (tmp_path / "options").open("rb") as given, (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, "vault_policy"],
            stdin=given,
            stdout=output,
            env={**os.environ, "PYTHONPATH": str(ROOT / "playbooks" / "collections")},
        )
    try:
        deadline = time.monotonic() + 60
        while not made() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(holders()) == 1, (tmp_path / "output").read_text()[:2000]
        process.send_signal(ended_by)
        assert process.wait(30) != 0
    finally:
        process.kill()
    assert holders() == []
    assert 0 < made() < len(policies)


def test_an_insecure_connection_is_warned_about(
    login: Callable[..., Result], user: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    token = tmp_path / "open-token"
    token.write_text(openbao.token)
    token.chmod(0o644)
    said = str(login(token_file=str(token), child=True, validate_certs=False)["warnings"])
    assert f"others can use {token}" in said
    assert "certificates are not checked" in said
    token.chmod(0o600)
    assert "warnings" not in login(token_file=str(token), child=True).data
