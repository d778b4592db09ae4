# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_approle_secret_id against a real server."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer


@pytest.fixture
def role(openbao: VaultServer, unique: str) -> Iterator[dict[str, Any]]:
    """Options that name a role."""
    mount = f"approle-{unique}"
    openbao.client().sys.enable_auth_method("approle", path=mount)
    openbao.client().write_data(f"auth/{mount}/role/ci", data={"token_policies": "default", "secret_id_ttl": "2h"})
    yield {"mount": mount, "role": "ci"}
    openbao.client().sys.disable_auth_method(mount)


@pytest.fixture
def keep(
    run_module: Callable[..., Result], vault_args: dict[str, Any], role: dict[str, Any], tmp_path: Path
) -> Callable[..., Result]:
    """Run the module and look into the files for what it must not print."""

    def run(check: bool = False, **options: Any) -> Result:
        given = {**vault_args, **role, "dest": str(tmp_path / "sid"), "role_id_dest": str(tmp_path / "rid"), **options}
        result = run_module("vault_approle_secret_id", given, check=check, diff=True)
        files = [tmp_path / "sid", tmp_path / "rid"]
        result.hides(*[file.read_text().strip() for file in files if file.exists() and file.read_text().strip()])
        return result

    return run


def accessors(openbao: VaultServer, role: dict[str, Any]) -> list[str]:
    answer = openbao.client().list(f"auth/{role['mount']}/role/ci/secret-id")
    return answer["data"]["keys"] if answer else []


def can_log_in(openbao: VaultServer, role: dict[str, Any], tmp_path: Path) -> bool:
    try:
        openbao.client("").auth.approle.login(
            (tmp_path / "rid").read_text().strip(), (tmp_path / "sid").read_text().strip(), mount_point=role["mount"]
        )
    except Exception:  # noqa: BLE001 - whatever hvac makes of the refusal
        return False
    return True


def test_issued_once(keep: Callable[..., Result], role: dict[str, Any], openbao: VaultServer, tmp_path: Path) -> None:
    options: dict[str, Any] = {"metadata": {"host": "ci1", "n": 5}, "ttl": "1h", "min_remaining": "10m"}
    assert keep(check=True, **options).changed
    assert not (tmp_path / "sid").exists()
    assert accessors(openbao, role) == []
    created = keep(**options)
    assert created.changed, created.msg
    assert created["expires"]
    assert stat.S_IMODE((tmp_path / "sid").stat().st_mode) == 0o600
    assert can_log_in(openbao, role, tmp_path)
    again = keep(**options)
    assert not again.changed, again["results"]
    assert len(accessors(openbao, role)) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"ttl": "30m"},
        {"min_remaining": "1h"},
        {"metadata": {"a": "b"}},
        {"cidr_list": ["127.0.0.1"]},
        {"token_bound_cidrs": ["127.0.0.1"]},
    ],
)
def test_issued_anew(
    keep: Callable[..., Result], role: dict[str, Any], openbao: VaultServer, tmp_path: Path, options: dict[str, Any]
) -> None:
    keep(ttl="1h")
    before = (tmp_path / "sid").read_text()
    declared = {"ttl": "90m" if "min_remaining" in options else "1h", **options}
    assert keep(check=True, **declared).changed
    assert (tmp_path / "sid").read_text() == before
    assert keep(**declared).changed
    assert (tmp_path / "sid").read_text() != before
    assert can_log_in(openbao, role, tmp_path)
    assert not keep(**declared).changed


def test_destroyed_by_somebody_else(
    keep: Callable[..., Result], role: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    keep()
    for accessor in accessors(openbao, role):
        openbao.client().auth.approle.destroy_secret_id_accessor("ci", accessor, role["mount"])
    result = keep()
    assert result["results"][0]["fields"] == ["valid"]
    assert can_log_in(openbao, role, tmp_path)


def test_role_made_anew_and_file_mode(
    keep: Callable[..., Result], role: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    keep()
    (tmp_path / "sid").chmod(0o644)
    assert keep()["results"][0]["fields"] == ["file_mode"]
    assert stat.S_IMODE((tmp_path / "sid").stat().st_mode) == 0o600
    openbao.client().delete(f"auth/{role['mount']}/role/ci")
    openbao.client().write_data(f"auth/{role['mount']}/role/ci", data={"token_policies": "default"})
    assert keep()["results"][0]["fields"] == ["role_id", "valid"]
    assert can_log_in(openbao, role, tmp_path)


def test_others_are_left_alone_unless_asked(
    keep: Callable[..., Result], role: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    for _number in range(3):
        openbao.client().auth.approle.generate_secret_id("ci", mount_point=role["mount"])
    keep()
    assert len(accessors(openbao, role)) == 4
    assert keep(check=True, destroy_others=True).changed
    assert len(accessors(openbao, role)) == 4
    assert keep(destroy_others=True)["results"][0]["fields"] == ["others"]
    assert len(accessors(openbao, role)) == 1
    assert can_log_in(openbao, role, tmp_path)
    assert not keep(destroy_others=True).changed


def test_wrapped(keep: Callable[..., Result], role: dict[str, Any], openbao: VaultServer, tmp_path: Path) -> None:
    assert keep(wrap_ttl="5m").changed
    assert not keep(wrap_ttl="5m").changed
    token = (tmp_path / "sid").read_text().strip()
    inner = openbao.client(token).sys.unwrap()["data"]["secret_id"]
    (tmp_path / "sid").write_text(inner)
    assert can_log_in(openbao, role, tmp_path)
    (tmp_path / "sid").write_text(token)
    assert keep(wrap_ttl="5m")["results"][0]["fields"] == ["valid"]
    assert keep(wrap_ttl="5m", state="absent").changed
    assert len(accessors(openbao, role)) == 1


def test_absent(keep: Callable[..., Result], role: dict[str, Any], openbao: VaultServer, tmp_path: Path) -> None:
    keep()
    assert keep(check=True, state="absent").changed
    assert len(accessors(openbao, role)) == 1
    assert keep(state="absent").changed
    assert accessors(openbao, role) == []
    assert not (tmp_path / "sid").exists()
    assert not (tmp_path / "rid").exists()
    assert not keep(state="absent").changed


def test_many(
    keep: Callable[..., Result],
    run_module: Callable[..., Result],
    vault_args: dict[str, Any],
    role: dict[str, Any],
    openbao: VaultServer,
    tmp_path: Path,
) -> None:
    entries = [{**role, "dest": str(tmp_path / f"sid{number}")} for number in range(3)]
    entries.append({**role, "role": "nonesuch", "dest": str(tmp_path / "none")})
    result = run_module("vault_approle_secret_id", {**vault_args, "secret_ids": entries})
    assert result.failed
    assert result["summary"]["create"] == 3, result.msg
    assert 'role "nonesuch" does not exist' in result.msg
    assert len(accessors(openbao, role)) == 3
    assert not (tmp_path / "none").exists()


def test_nothing_is_issued_for_a_file_that_cannot_be_written(
    keep: Callable[..., Result], role: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = keep(dest=str(tmp_path / "file/sid"))
    assert result.failed
    assert str(tmp_path / "file") in result.msg
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    result = keep(dest=str(shared / "sid"))
    assert f"others may write to the directory {shared}" in result.msg
    assert accessors(openbao, role) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ttl": "soon"}, '"soon" is not a duration'),
        ({"ttl": "1h", "min_remaining": "1h"}, "each run would issue another"),
        ({"wrap_ttl": "5m", "destroy_others": True}, '"wrap_ttl" and "destroy_others" contradict each other'),
        ({"cidr_list": ["nowhere"]}, '"nowhere" is not an address block'),
        ({"token_bound_cidrs": [""]}, '"" is not an address block'),
        ({"mount": "approle?x"}, 'the mount holds "?"'),
        ({"num_uses": -1}, 'option "num_uses": -1 is negative'),
        ({"role": "a/b"}, '"a/b" is not a role name'),
        ({"role": "nonesuch"}, "declare the role with vault_auth_role"),
        ({"ttl": "1000h"}, "the server refuses it"),
    ],
)
def test_bad_input_issues_nothing(
    keep: Callable[..., Result],
    role: dict[str, Any],
    openbao: VaultServer,
    tmp_path: Path,
    options: dict[str, Any],
    message: str,
) -> None:
    result = keep(**options)
    assert result.failed
    assert message in result.msg
    assert not (tmp_path / "sid").exists()
    assert accessors(openbao, role) == []
