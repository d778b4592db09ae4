# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The purge of vault_kv against a real server, in engines of both versions."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
VALUE = "value-of-a-secret-41d7"
PATHS = ["apps/shop/db", "apps/shop/old/a", "apps/shop/old/deep/b", "apps/shop/pushed/x/y", "apps/other", "top", "old"]


def write(openbao: VaultServer, mount: str, version: int, *paths: str) -> None:
    for path in paths:
        at, data = (
            (f"{mount}/data/{path}", {"data": {"k": VALUE}}) if version == 2 else (f"{mount}/{path}", {"k": VALUE})
        )
        openbao.client().write_data(at, data=data)


@pytest.fixture(params=[1, 2])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def mount(openbao: VaultServer, run_module: Run, vault_args: dict[str, Any], unique: str, version: int) -> str:
    path = unique + "-purge"
    made = run_module("vault_secrets_engine", {**vault_args, "path": path, "type": f"kv-v{version}"})
    assert made.changed, made.msg
    write(openbao, path, version, *PATHS)
    return path


@pytest.fixture
def kv(run_module: Run, vault_args: dict[str, Any], mount: str) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_kv", {**vault_args, "mount": mount, "purge": True, **options}, check=check, diff=True)

    return run


@pytest.fixture
def left(openbao: VaultServer, mount: str, version: int) -> Callable[[], list[str]]:
    """A function that returns the paths of all secrets that hold data."""
    client = openbao.client()

    def look(folder: str) -> list[str]:
        answer = client.list(f"{mount}/metadata/{folder}" if version == 2 else f"{mount}/{folder}")
        found: list[str] = []
        for name in answer["data"]["keys"] if answer else []:
            if name.endswith("/"):
                found += look(folder + name)
            elif client.read(f"{mount}/data/{folder}{name}" if version == 2 else f"{mount}/{folder}{name}"):
                found.append(folder + name)
        return found

    return lambda: sorted(look(""))


def deleted(result: Result) -> list[str]:
    return [one["info"]["path"] for one in result["results"] if one["action"] == "delete" and one["changed"]]


def test_only_what_is_named_again_below_a_folder(kv: Run, left: Callable[[], list[str]], mount: str) -> None:
    wanted: dict[str, Any] = {"secrets": [{"path": "apps/shop/db", "data": {"k": VALUE}}], "purge_below": "/apps/shop/"}
    for check in (True, False):
        refused = kv(check=check, **wanted, protected=["apps/shop/pushed"])
        assert refused.failed and not refused.changed
        assert (
            f'purge would delete the data of "apps/shop/old/a", "apps/shop/old/deep/b" in mount "{mount}"'
            in refused.msg
        )
        assert 'name them in "protected" to keep them or in "purge_data" to delete them' in refused.msg
    partly = kv(**wanted, protected=["apps/shop/pushed"], purge_data=["apps/shop/old/*"])
    assert 'the data of "apps/shop/old/deep/b" in' in partly.msg, "one star is one part"
    assert left() == sorted(PATHS)

    named = {"protected": ["apps/*/pushed"], "purge_data": ["apps/shop/old/**"]}
    planned = kv(check=True, **wanted, **named)
    assert deleted(planned) == ["apps/shop/old/a", "apps/shop/old/deep/b"]
    assert left() == sorted(PATHS)
    purged = kv(**wanted, **named)
    assert deleted(purged) == ["apps/shop/old/a", "apps/shop/old/deep/b"], purged.msg
    assert "k: (hidden)" in purged["diff"][0]["before"]
    assert left() == ["apps/other", "apps/shop/db", "apps/shop/pushed/x/y", "old", "top"]
    again = kv(**wanted, **named)
    assert not again.changed, "and what is gone is not missed"
    assert not kv(**wanted, protected=["apps/shop/pushed/**"]).changed, "nor has it to be named for ever"
    for result in (refused, planned, purged, again):
        result.hides(VALUE)


def test_a_whole_mount(kv: Run, left: Callable[[], list[str]], mount: str, run_module: Run, vault_args: Any) -> None:
    for pattern in ("*", "**", "*/shop/**", "ap*/**", ""):
        refused = kv(secrets=[], purge_data=[pattern])
        assert f'"{pattern}" could be about everything in the mount; begin with the name' in refused.msg
    assert left() == sorted(PATHS)
    alone = run_module("vault_kv", {**vault_args, "mount": mount, "path": "top", "data": {"k": VALUE}, "purge": True})
    assert "purge without a list would delete everything else" in alone.msg
    unclear = run_module("vault_kv", {**vault_args, "secrets": [], "purge": True})
    assert "a purge looks into one mount, and no secret is declared" in unclear.msg
    several = [{"mount": name, "path": "x", "data": {"k": VALUE}} for name in (mount, f"{mount}-2")]
    unclear = run_module("vault_kv", {**vault_args, "secrets": several, "purge": True})
    assert f'secrets of {mount}, {mount}-2 are declared; name the mount in "purge_mount"' in unclear.msg

    keep = {"secrets": [{"path": "top", "data": {"k": VALUE}}, {"path": "old", "state": "absent"}]}
    purged = kv(**keep, protected=["apps/shop"], purge_data=["apps/other"])
    assert deleted(purged) == ["old", "apps/other"], purged.msg
    assert left() == ["apps/shop/db", "apps/shop/old/a", "apps/shop/old/deep/b", "apps/shop/pushed/x/y", "top"]
    # the connection's token, the mount, one secret declared and one absent, and one LIST for each of the two folders
    counted = kv(**keep, protected=["apps/shop"], purge_data=["apps/other"])
    assert not counted.changed
    assert counted["requests"]["total"] <= 6, counted["requests"]
    everything = kv(secrets=[], purge_data=["apps/**", "top"])
    assert everything["summary"]["delete"] == 5
    assert left() == []
    assert not kv(secrets=[]).changed
    assert not run_module("vault_kv", {**vault_args, "mount": f"{mount}-no", "secrets": [], "purge": True}).changed


def test_how_it_deletes(kv: Run, openbao: VaultServer, left: Callable[[], list[str]], mount: str, version: int) -> None:
    client = openbao.client()
    options: dict[str, Any] = {"secrets": [], "purge_below": "apps/shop/old", "purge_data": ["apps/shop/old/**"]}
    if version == 1:
        assert "knows no" in kv(**options, purge_delete="destroy").msg
        assert kv(**options, purge_delete="all")["summary"]["delete"] == 2
        return
    assert kv(**options)["summary"]["delete"] == 2
    about = client.read(f"{mount}/metadata/apps/shop/old/a")["data"]["versions"]["1"]
    assert about["deletion_time"] and not about["destroyed"], "soft: it can be brought back"
    assert kv(**options, purge_delete="destroy")["summary"]["delete"] == 2
    assert client.read(f"{mount}/metadata/apps/shop/old/a")["data"]["versions"]["1"]["destroyed"]
    unnamed = kv(secrets=[], purge_below="apps/shop/old", purge_delete="all")
    assert "would delete the data of" in unnamed.msg, "what is known about them is data as well"
    assert kv(**options, purge_delete="all")["summary"]["delete"] == 2
    assert client.list(f"{mount}/metadata/apps/shop/old") is None


def test_a_folder_that_may_not_be_listed(
    kv: Run, openbao: VaultServer, left: Callable[[], list[str]], mount: str, version: int
) -> None:
    client = openbao.client()
    root = f"{mount}/metadata" if version == 2 else mount
    rules = f'path "{mount}/*" {{ capabilities = ["create", "read", "update", "delete", "list"] }}\n'
    # the products do not agree on which of these a LIST of the folder falls under
    for end in ("", "/", "/*"):
        rules += f'path "{root}/apps/shop/old/deep{end}" {{ capabilities = ["deny"] }}\n'
    client.sys.create_or_update_policy(mount, rules)
    token = client.auth.token.create(policies=[mount])["auth"]["client_token"]
    options: dict[str, Any] = {"secrets": [], "purge_below": "apps/shop", "token": token}
    refused = kv(**options, purge_data=["apps/shop/**"])
    assert f'the token\'s policies lack: path "{root}/apps/shop/old/deep/" {{ capabilities = ["list"] }}' in refused.msg
    assert left() == sorted(PATHS), "what is not known to be gone is not taken for gone"
    spared = kv(**options, purge_data=["apps/shop/**"], protected=["apps/shop/old/deep"])
    assert spared["summary"]["delete"] == 3, "a folder that is spared is not looked into"
    client.sys.delete_policy(mount)
