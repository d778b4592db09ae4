# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble with connection, server or login: one sentence with what, where and what to do, for any module."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from support.local import Authority, free_ports
from support.modules import Result
from support.openbao import VaultServer

RULES = [{"path": "secret/*", "capabilities": ["read"]}]


@pytest.fixture
def policy(run_module: Callable[..., Result], vault_args: dict[str, Any], unique: str) -> Callable[..., Result]:
    """Run vault_policy as an example of any module; an option that is None is left out."""

    def run(env: dict[str, str] | None = None, check: bool = False, **options: Any) -> Result:
        given = {**vault_args, "name": f"errors-{unique}", "rules": RULES, "retries": 0, **options}
        return run_module(
            "vault_policy", {name: value for name, value in given.items() if value is not None}, check=check, env=env
        )

    return run


def test_wrong_ca(policy: Callable[..., Result], openbao: VaultServer, tmp_path: Path) -> None:
    other = str(Authority(tmp_path, "another authority").ca)
    result = policy(ca_cert=other)
    assert result.failed
    assert f'{openbao.url}: the server\'s certificate is not signed by the CA in {other}; set "ca_cert"' in result.msg


def test_no_ca(policy: Callable[..., Result], openbao: VaultServer) -> None:
    result = policy(ca_cert=None)
    assert f"{openbao.url}: the server's certificate is not signed by a CA that this machine trusts" in result.msg


def test_ca_that_is_no_certificate(policy: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    result = policy(ca_cert=str(tmp_path / "ca.pem"))
    assert f'option "ca_cert": {tmp_path}/ca.pem holds no PEM certificate' in result.msg
    result = policy(ca_cert=str(tmp_path / "none.pem"))
    assert f'option "ca_cert": no such file: "{tmp_path}/none.pem"' in result.msg


def test_wrong_server_name(policy: Callable[..., Result], openbao: VaultServer) -> None:
    result = policy(tls_server_name="vault.example.com")
    assert f'{openbao.url}: the server\'s certificate is for another name; set "tls_server_name"' in result.msg


def test_a_namespace_that_no_header_takes(policy: Callable[..., Result]) -> None:
    result = policy(namespace="team-a\n")
    assert 'option "namespace": the namespace holds blanks, line ends or other characters' in result.msg
    assert "report this" not in result.msg


def test_wrong_port(policy: Callable[..., Result]) -> None:
    url = f"https://127.0.0.1:{free_ports(1)[0]}"
    assert f"{url}: connection refused; check that the server runs and the address is right" in policy(url=[url]).msg


def test_name_that_does_not_resolve(policy: Callable[..., Result]) -> None:
    result = policy(url=["https://nowhere.invalid:8200"])
    assert "https://nowhere.invalid:8200: " in result.msg
    assert "the address is right" in result.msg


def test_plain_http_to_a_tls_port(policy: Callable[..., Result], openbao: VaultServer) -> None:
    url = openbao.url.replace("https://", "http://")
    result = policy(url=[url])
    assert result.msg.endswith(f'{url}: the port speaks TLS; use "https://"')


def test_what_is_no_url(policy: Callable[..., Result]) -> None:
    assert (
        'option "url": "vault.example.com" is not a URL; write https://host:8200'
        in policy(url=["vault.example.com"]).msg
    )


def test_no_address_at_all(policy: Callable[..., Result]) -> None:
    assert (
        "no address of a Vault server is known; set it, or the environment variable VAULT_ADDR" in policy(url=None).msg
    )


@pytest.mark.parametrize("prefix", ["VAULT", "BAO"])
def test_environment(policy: Callable[..., Result], openbao: VaultServer, prefix: str) -> None:
    env = {f"{prefix}_ADDR": openbao.url, f"{prefix}_CACERT": openbao.ca_cert, f"{prefix}_TOKEN": openbao.token}
    result = policy(env=env, check=True, url=None, ca_cert=None, token=None)
    assert not result.failed, result.msg
    result.hides(openbao.token)


def test_bao_comes_before_vault(policy: Callable[..., Result], openbao: VaultServer) -> None:
    env = {"VAULT_ADDR": "https://127.0.0.1:9", "BAO_ADDR": openbao.url}
    assert not policy(env=env, check=True, url=None).failed
    env = {"VAULT_TOKEN": openbao.token, "BAO_TOKEN": "s.wrong"}
    assert "the token is invalid, expired or revoked" in policy(env=env, check=True, token=None).msg


def test_one_of_several_addresses_is_dead(policy: Callable[..., Result], openbao: VaultServer) -> None:
    dead = f"https://127.0.0.1:{free_ports(1)[0]}"
    assert not policy(url=[dead, openbao.url], check=True).failed
    result = policy(url=[dead, "https://127.0.0.1:9"])
    assert f"{dead}, https://127.0.0.1:9: none of the addresses answers" in result.msg


def test_a_sealed_one_among_several_is_passed_over(
    policy: Callable[..., Result], openbao: VaultServer, new_server: Callable[..., VaultServer], tmp_path: Path
) -> None:
    sealed = new_server()
    sealed.restart()
    both = tmp_path / "both.pem"
    both.write_text(Path(sealed.ca_cert).read_text() + Path(openbao.ca_cert).read_text())
    assert not policy(url=[sealed.url, openbao.url], ca_cert=str(both), check=True).failed
    result = policy(url=[sealed.url], ca_cert=str(both), retries=4)
    assert result.msg.startswith(f"{sealed.url}: the server is sealed; unseal it") or (
        f"{sealed.url}: the server is sealed; unseal it" in result.msg
    )


def test_not_initialised(policy: Callable[..., Result], new_server: Callable[..., VaultServer]) -> None:
    server = new_server(initialise=False)
    result = policy(url=[server.url], ca_cert=server.ca_cert, token="s.any", retries=4)
    assert (
        f"{server.url}: the server is not initialised; run the role vault_cluster or the module vault_init"
        in result.msg
    )


def test_no_token(policy: Callable[..., Result], tmp_path: Path) -> None:
    result = policy(token=None, env={"HOME": str(tmp_path)})
    assert 'no token was given; set "token", "token_file", VAULT_TOKEN or BAO_TOKEN' in result.msg
    result = policy(token=None, token_file=str(tmp_path / "none"))
    assert f'option "token_file": cannot read {tmp_path}/none (No such file or directory)' in result.msg


def test_wrong_and_expired_token(policy: Callable[..., Result], openbao: VaultServer) -> None:
    result = policy(token="s.wrongwrongwrong")
    assert f"{openbao.url}: the token is invalid, expired or revoked; log in again" in result.msg
    result.hides("s.wrongwrongwrong")
    short = openbao.client().auth.token.create(ttl="1s")["auth"]["client_token"]
    time.sleep(2)
    assert "the token is invalid, expired or revoked; log in again" in policy(token=short).msg


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("vault_kv", {"mount": "secret", "path": "x", "data": {"a": "b"}}),
        ("vault_pki_role", {"mount": "pki", "name": "x"}),
        ("vault_database_role", {"mount": "database", "name": "x", "state": "absent"}),
    ],
)
def test_a_wrong_token_is_not_taken_for_a_missing_mount(
    run_module: Callable[..., Result], vault_args: dict[str, Any], module: str, options: dict[str, Any]
) -> None:
    result = run_module(module, {**vault_args, "token": "s.wrongwrongwrong", **options})
    assert "the token is invalid, expired or revoked; log in again" in result.msg


def test_missing_permission_names_the_line_to_add(
    policy: Callable[..., Result],
    run_module: Callable[..., Result],
    vault_args: dict[str, Any],
    openbao: VaultServer,
    unique: str,
) -> None:
    token = openbao.client().auth.token.create(policies=["default"], ttl="5m")["auth"]["client_token"]
    name = f"errors-{unique}"
    result = policy(token=token)
    assert result.failed
    assert (
        f'policy "{name}": sys/policies/acl/{name}: permission denied; '
        f'the token\'s policies lack: path "sys/policies/acl/{name}" {{ capabilities = ["read"] }}'
    ) in result.msg
    result.hides(token)
    result = run_module("vault_auth", {**vault_args, "token": token, "type": "approle"})
    assert 'the token\'s policies lack: path "sys/auth" { capabilities = ["read"] }' in result.msg


def test_the_named_lines_are_enough(
    run_module: Callable[..., Result], vault_args: dict[str, Any], openbao: VaultServer, unique: str
) -> None:
    """Add what each message asks for, nothing else, until the module succeeds."""
    policy = f"learn-{unique}"
    openbao.client().sys.create_or_update_policy(policy, 'path "sys/nothing" { capabilities = ["read"] }')
    token = openbao.client().auth.token.create(policies=["default", policy], ttl="5m")["auth"]["client_token"]
    lines: list[str] = []
    args = {**vault_args, "token": token, "type": "userpass", "path": f"learn-{unique}", "default_lease_ttl": "1h"}
    for _attempt in range(6):
        result = run_module("vault_auth", args)
        if not result.failed:
            break
        assert "policies lack: " in result.msg
        line = result.msg.split("policies lack: ")[1].split(" }")[0] + " }"
        assert line not in lines, line
        lines.append(line)
        openbao.client().sys.create_or_update_policy(policy, "\n".join(lines))
    assert not result.failed, result.msg
    openbao.client().sys.disable_auth_method(f"learn-{unique}")


def test_refused_login(policy: Callable[..., Result], openbao: VaultServer) -> None:
    result = policy(auth_method="approle", role_id="nobody", secret_id="a-secret-id-that-is-wrong", token=None)
    assert result.failed
    assert "login" in result.msg
    assert 'check the credentials, the role and that "approle" is the method\'s mount' in result.msg
    result.hides("a-secret-id-that-is-wrong")
    assert 'auth_method "jwt" needs "jwt"; set "jwt" or "jwt_file"' in policy(auth_method="jwt").msg


def test_unknown_option(policy: Callable[..., Result]) -> None:
    assert "Unsupported parameters" in policy(nonsense=True).msg


def test_audit_devices_on_a_full_disk(
    new_server: Callable[..., VaultServer], run_module: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "audit.log"
    device = {"description": "a file", "options": {"file_path": str(file)}}
    server = new_server(audit=[{"file": {"file": device}}])
    if server.product != "openbao":
        pytest.skip("audit devices by configuration are OpenBao's")
    file.unlink()
    file.symlink_to("/dev/full")
    assert server.process is not None
    # it opens its files anew
    server.process.send_signal(signal.SIGHUP)
    options = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token, "name": "p", "rules": RULES}
    result = Result(0, "", "")
    deadline = time.monotonic() + 20
    while not result.failed and time.monotonic() < deadline:
        result = run_module("vault_policy", {**options, "retries": 0})
    assert result.failed and "internal error" in result.msg
    assert f"its log on {server.url} tells why" in result.msg and "a full disk" in result.msg
