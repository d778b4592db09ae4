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
    assert "a purge looks into the mounts of the declared secrets, and no secret is declared" in unclear.msg
    assert 'name the mounts in "purge_mount"' in unclear.msg

    keep = {"secrets": [{"path": "top", "data": {"k": VALUE}}, {"path": "old", "state": "absent"}]}
    purged = kv(**keep, protected=["apps/shop"], purge_data=["apps/other"])
    assert deleted(purged) == ["old", "apps/other"], purged.msg
    assert left() == ["apps/shop/db", "apps/shop/old/a", "apps/shop/old/deep/b", "apps/shop/pushed/x/y", "top"]
    # the connection's token, the mount, one secret declared and one absent, and one LIST for each of the two folders
    counted = kv(**keep, protected=["apps/shop"], purge_data=["apps/other"])
    assert not counted.changed
    assert counted["requests"]["total"] <= 7, counted["requests"]
    everything = kv(secrets=[], purge_data=["apps/**", "top"])
    assert everything["summary"]["delete"] == 5
    assert left() == []
    assert not kv(secrets=[]).changed


def test_several_mounts(
    run_module: Run,
    vault_args: dict[str, Any],
    openbao: VaultServer,
    mount: str,
    version: int,
    left: Callable[[], list[str]],
) -> None:
    other = f"{mount}-2"
    run_module("vault_secrets_engine", {**vault_args, "path": other, "type": "kv-v1"}, must_succeed=True)
    write(openbao, other, 1, "old", "more/old", "stays")
    secrets = [{"mount": name, "path": "top", "data": {"k": VALUE}} for name in (mount, other)]

    def kv(check: bool = False, **options: Any) -> Result:
        given = {**vault_args, "secrets": secrets, "purge": True, "protected": ["apps", "stays"], **options}
        return run_module("vault_kv", given, check=check, diff=True)

    for check in (True, False):
        refused = kv(check=check, purge_data=["more/old"])
        assert refused.failed and not refused.changed
        expected = f'purge would delete the data of "old" in mount "{mount}"; "old" in mount "{other}"; declare them'
        assert expected in refused.msg
    for named in ([mount], mount):
        alone = kv(check=True, purge_mount=named, purge_data=["old"])
        assert [one["name"] for one in alone["results"] if one["action"] == "delete"] == [f"{mount}/old"]
    both = {"purge_data": ["old", "more/*"]}
    expected_names = [f"{mount}/old", f"{other}/more/old", f"{other}/old"]
    for options in (both, {**both, "purge_mount": [other, mount]}):
        planned = kv(check=True, **options)
        assert [one["name"] for one in planned["results"] if one["action"] == "delete"] == expected_names, planned.msg
    assert "old" in left() and openbao.client().read(f"{other}/old") is not None
    purged = kv(**both)
    assert [one["name"] for one in purged["results"] if one["action"] == "delete"] == expected_names, purged.msg
    assert purged["summary"]["delete"] == 3 and "old" not in left() and "apps/shop/db" in left()
    assert openbao.client().list(other)["data"]["keys"] == ["stays", "top"]
    assert not kv(**both).changed and not kv().changed
    for result in (refused, planned, purged):
        result.hides(VALUE)


def test_a_named_mount_must_be_there(
    run_module: Run, vault_args: dict[str, Any], mount: str, left: Callable[[], list[str]]
) -> None:
    nowhere = f"{mount}-no"
    secrets = [{"mount": mount, "path": "new", "data": {"k": VALUE}}]

    def kv(check: bool = False, **options: Any) -> Result:
        given = {**vault_args, "secrets": secrets, "purge": True, "purge_data": ["old"], **options}
        return run_module("vault_kv", given, check=check)

    missing = f'mount "{nowhere}": nothing is mounted there, and a purge is to look into it; correct "purge_mount"'
    for options in ({"purge_mount": [mount, nowhere]}, {"purge_mount": nowhere}, {"mount": nowhere}):
        refused = kv(**options)
        assert refused.failed and not refused.changed and missing in refused.msg, refused.msg
    warned = kv(check=True, purge_mount=[mount, nowhere], protected=["apps", "top"])
    assert not warned.failed, warned.msg
    assert f'KV engine "{nowhere}": nothing is mounted there (yet)' in str(warned["warnings"])
    assert warned["summary"]["create"] == 1 and warned["summary"]["delete"] == 1
    for check in (True, False):
        other = kv(check=check, purge_mount=["sys"])
        assert 'a secrets engine of type "system" is mounted there, not "kv"' in other.msg
    assert left() == sorted(PATHS)


def test_a_named_mount_of_the_same_tree(run_module: Run, vault_args: dict[str, Any], unique: str) -> None:
    """What the tree is about to mount is not missed; what it is not is, before anything is changed."""

    def tree(check: bool = False, **parts: Any) -> Result:
        return run_module("vault_configuration", {**vault_args, "configuration": parts}, check=check)

    engines = [{"path": f"{unique}-a", "type": "kv-v2"}, {"path": f"{unique}-b", "type": "kv"}]
    purge = {"secrets": {"purge_mount": [f"{unique}-a", f"{unique}-b"], "purge_data": ["old"]}}
    secrets = [{"mount": f"{unique}-a", "path": "app", "data": {"k": VALUE}}]
    refused = tree(secrets_engines=engines[:1], secrets=secrets, purge=purge)
    assert refused.failed and f'mount "{unique}-b": nothing is mounted there' in refused.msg
    planned = tree(check=True, secrets_engines=engines, secrets=secrets, purge=purge)
    assert not planned.failed and "warnings" not in planned, planned.msg
    assert planned["summary"]["create"] == 3, "the refused run made nothing"
    made = tree(secrets_engines=engines, secrets=secrets, purge=purge)
    assert not made.failed and made["summary"]["create"] == 3, made.msg
    again = tree(secrets_engines=engines, secrets=secrets, purge=purge)
    assert not again.failed and not again.changed, again.msg
    extra = tree(secrets=[{"mount": f"{unique}-b", "path": "old", "data": {"k": VALUE}}])
    assert extra["summary"]["create"] == 1
    purged = tree(secrets_engines=engines, secrets=secrets, purge=purge)
    assert [one["name"] for one in purged["results"] if one["changed"]] == [f"{unique}-b/old"]


def test_how_it_deletes(kv: Run, openbao: VaultServer, left: Callable[[], list[str]], mount: str, version: int) -> None:
    client = openbao.client()
    options: dict[str, Any] = {"secrets": [], "purge_below": "apps/shop/old", "purge_data": ["apps/shop/old/**"]}
    if version == 1:
        assert "does not know" in kv(**options, purge_delete="destroy").msg
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
