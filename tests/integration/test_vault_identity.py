# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_identity_entity and vault_identity_group against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture
def entity(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_identity_entity", {**vault_args, **options}, check=check, diff=True)

    return run


@pytest.fixture
def group(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_identity_group", {**vault_args, **options}, check=check, diff=True)

    return run


@pytest.fixture
def mounts(openbao: VaultServer, unique: str) -> Iterator[tuple[str, str]]:
    """Two auth methods."""
    paths = (f"id-{unique}/one", f"id-{unique}/two")
    for path in paths:
        openbao.client().sys.enable_auth_method("approle", path=path)
    yield paths
    for path in paths:
        openbao.client().sys.disable_auth_method(path)


def stored(openbao: VaultServer, what: str, name: str) -> dict[str, Any] | None:
    answer = openbao.client().read(f"identity/{what}/name/{name}")
    return answer and answer["data"]


def aliases(openbao: VaultServer, name: str) -> dict[str, Any]:
    found = stored(openbao, "entity", name)
    assert found is not None
    return {alias["mount_path"]: (alias["name"], alias["custom_metadata"] or {}) for alias in found["aliases"]}


def test_entity_life(entity: Run, openbao: VaultServer, unique: str, mounts: tuple[str, str]) -> None:
    one, two = mounts
    wanted: dict[str, Any] = {
        "name": f"ada-{unique}",
        "policies": ["default"],
        "metadata": {"team": "platform", "level": 3},
        "aliases": [
            {"name": "role-1", "mount": one},
            {"name": "role-2", "mount": f"auth/{two}/", "custom_metadata": {"cluster": "eu"}},
        ],
    }
    planned = entity(check=True, **wanted)
    assert planned.changed
    assert stored(openbao, "entity", wanted["name"]) is None

    created = entity(**wanted)
    assert created["results"][0]["action"] == "create", created.msg
    found = stored(openbao, "entity", wanted["name"])
    assert found is not None
    assert created["id"] == found["id"]
    assert found["metadata"] == {"team": "platform", "level": "3"}
    assert aliases(openbao, wanted["name"]) == {
        f"auth/{one}/": ("role-1", {}),
        f"auth/{two}/": ("role-2", {"cluster": "eu"}),
    }
    again = entity(**wanted)
    assert not again.changed, again["results"]
    assert again["diff"] == []

    changed = entity(name=wanted["name"], metadata={"team": "other"})
    assert changed["results"][0]["fields"] == ["metadata"]
    found = stored(openbao, "entity", wanted["name"])
    assert found is not None
    assert (found["metadata"], found["policies"], len(found["aliases"])) == ({"team": "other"}, ["default"], 2)

    assert entity(name=wanted["name"], state="absent")["results"][0]["action"] == "delete"
    assert stored(openbao, "entity", wanted["name"]) is None
    assert not entity(name=wanted["name"], state="absent").changed


def test_aliases_are_exact_and_renamed_in_place(
    entity: Run, openbao: VaultServer, unique: str, mounts: tuple[str, str]
) -> None:
    one, two = mounts
    name = f"grace-{unique}"
    entity(
        name=name,
        aliases=[{"name": "a", "mount": one, "custom_metadata": {"k": "v"}}, {"name": "b", "mount": two}],
    )
    moved = entity(name=name, aliases=[{"name": "a2", "mount": one}])
    assert moved["results"][0]["fields"] == ["aliases"]
    assert aliases(openbao, name) == {f"auth/{one}/": ("a2", {"k": "v"})}, "metadata that is not declared stays"
    assert not entity(name=name, aliases=[{"name": "a2", "mount": one}]).changed
    emptied = entity(name=name, aliases=[{"name": "a2", "mount": one, "custom_metadata": {}}])
    assert emptied.changed
    assert aliases(openbao, name) == {f"auth/{one}/": ("a2", {})}
    entity(name=name, state="absent")


def test_an_alias_moves_with_a_warning(entity: Run, openbao: VaultServer, unique: str, mounts: tuple[str, str]) -> None:
    old, new = f"old-{unique}", f"new-{unique}"
    entity(name=old, aliases=[{"name": "x", "mount": mounts[0]}])
    result = entity(name=new, aliases=[{"name": "x", "mount": mounts[0]}])
    assert f'moves here from entity "{old}"' in str(result["warnings"])
    assert aliases(openbao, old) == {}
    entity(entities=[{"name": old}, {"name": new}], state="absent")


def test_bad_entities(entity: Run, unique: str, mounts: tuple[str, str]) -> None:
    missing = {"name": f"bad-{unique}", "aliases": [{"name": "x", "mount": "nowhere"}]}
    refused = entity(**missing)
    assert 'no auth method is mounted at "nowhere"; mount it first' in refused.msg
    planned = entity(check=True, **missing)
    assert planned.changed
    assert "nowhere" in str(planned["warnings"])
    double = [{"name": "x", "mount": mounts[0]}, {"name": "y", "mount": mounts[0]}]
    assert "two aliases of one auth method" in entity(name=f"bad-{unique}", aliases=double).msg
    odd = entity(name=f"a b?/{unique}", policies=[f"no-such-{unique}"])
    assert odd.changed, odd.msg
    assert f'no policy has the name "no-such-{unique}"' in str(odd["warnings"])
    assert not entity(name=f"A b?/{unique}", policies=[f"no-such-{unique}"]).changed
    assert entity(name=f"a b?/{unique}", state="absent").changed


def test_purge_of_entities_spares_those_of_logins(
    entity: Run, new_server: Callable[..., VaultServer], run_module: Run
) -> None:
    server = new_server()
    args = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}
    client = server.client()
    client.sys.enable_auth_method("userpass")
    client.write("auth/userpass/users/ada", password="pass-word-1")
    # a login changes the token of its client
    server.client("").auth.userpass.login("ada", "pass-word-1")
    for name in ("keep", "spare", "go"):
        client.write(f"identity/entity/name/{name}", policies=[])
    purge = {**args, "entities": [{"name": "KEEP"}], "purge": True, "protected": ["spare"]}
    result = run_module("vault_identity_entity", purge)
    assert [one["name"] for one in result["results"] if one["changed"]] == ["go"]
    assert run_module("vault_identity_entity", {**purge, "purge_automatic": True})["summary"]["delete"] == 1
    assert sorted(client.list("identity/entity/name")["data"]["keys"]) == ["keep", "spare"]


def test_group_life(group: Run, entity: Run, openbao: VaultServer, unique: str, mounts: tuple[str, str]) -> None:
    ada, grace = f"gada-{unique}", f"ggrace-{unique}"
    top, low, outer = f"top-{unique}", f"low-{unique}", f"outer-{unique}"
    entity(entities=[{"name": ada}, {"name": grace}])
    wanted: list[dict[str, Any]] = [
        {"name": top, "member_groups": [low.upper()], "policies": ["default"]},
        {"name": low, "member_entities": [grace, ada], "metadata": {"a": 1}},
        {"name": outer, "type": "external", "alias": {"name": "admins", "mount": mounts[0]}},
    ]
    assert group(check=True, groups=wanted)["summary"]["create"] == 3
    assert stored(openbao, "group", top) is None
    created = group(groups=wanted)
    assert created["summary"]["create"] == 3, created.msg
    found = {name: stored(openbao, "group", name) or {} for name in (top, low, outer)}
    assert found[top]["member_group_ids"] == [found[low]["id"]]
    assert len(found[low]["member_entity_ids"]) == 2
    assert found[outer]["alias"]["mount_path"] == f"auth/{mounts[0]}/"
    again = group(groups=wanted)
    assert not again.changed, again["results"]

    changed = group(name=low, member_entities=[ada])
    assert changed["results"][0]["fields"] == ["member_entities"]
    assert changed["diff"][0]["after"] == f'member_entities: ["{ada}"]\n'
    after = stored(openbao, "group", low) or {}
    assert (len(after["member_entity_ids"]), after["metadata"]) == (1, {"a": "1"})
    moved = group(name=outer, type="external", alias={"name": "owners", "mount": mounts[1]})
    assert moved["results"][0]["fields"] == ["alias"]
    assert (stored(openbao, "group", outer) or {})["alias"]["name"] == "owners"

    names = [{"name": name} for name in (top, low, outer)]
    assert group(groups=names, state="absent")["summary"]["delete"] == 3
    entity(entities=[{"name": ada}, {"name": grace}], state="absent")


def test_bad_groups(group: Run, unique: str, mounts: tuple[str, str]) -> None:
    name = f"bg-{unique}"
    assert 'there is no entity "nobody"' in group(name=name, member_entities=["nobody"]).msg
    assert "nobody" in str(group(check=True, name=name, member_entities=["nobody"])["warnings"])
    assert "takes its members from logins" in group(name=name, type="external", member_entities=["nobody"]).msg
    assert "only an external group" in group(name=name, alias={"name": "x", "mount": mounts[0]}).msg
    circle = [{"name": "a" + name, "member_groups": ["b" + name]}, {"name": "b" + name, "member_groups": ["a" + name]}]
    assert "are members of each other" in group(groups=circle).msg
    assert group(name=name).changed
    assert "the group is internal, and external is declared" in group(name=name, type="external").msg
    assert group(name=name, state="absent").changed


def test_purge_of_groups(group: Run, openbao: VaultServer, unique: str) -> None:
    names = [f"{kind}-{unique}" for kind in ("keep", "spare", "go")]
    group(groups=[{"name": name} for name in names])
    others = [key for key in openbao.client().list("identity/group/name")["data"]["keys"] if key not in names]
    result = group(groups=[{"name": names[0]}], purge=True, protected=[names[1], *others])
    assert [one["name"] for one in result["results"] if one["changed"]] == [names[2]]
    group(groups=[{"name": name} for name in names], state="absent")


def test_an_alias_moves_to_an_entity_that_has_another(
    entity: Run, openbao: VaultServer, unique: str, mounts: tuple[str, str]
) -> None:
    names, path = (f"a-{unique}", f"b-{unique}"), f"auth/{mounts[0]}/"

    def wanted(*alias: str) -> list[dict[str, Any]]:
        return [{"name": name, "aliases": [{"name": one, "mount": path}]} for name, one in zip(names, alias)]

    def found() -> list[Any]:
        return [aliases(openbao, name).get(path, ("",))[0] for name in names]

    assert entity(entities=wanted("one", "two")).changed
    swapped = wanted("two", "one")
    planned, done = entity(check=True, entities=swapped), entity(entities=swapped)
    assert not done.failed, done.msg
    assert [one["action"] for one in planned["results"]] == [one["action"] for one in done["results"]]
    assert found() == ["two", "one"]
    assert not entity(entities=swapped).changed
    # the other one has none any more
    assert entity(entities=wanted("one")).changed
    assert found() == ["one", ""]
    entity(entities=[{"name": name} for name in names], state="absent")


def test_what_would_be_one_object_is_declared_once(
    entity: Run, group: Run, openbao: VaultServer, unique: str, mounts: tuple[str, str]
) -> None:
    one, two, alias = f"one-{unique}", f"two-{unique}", {"name": "same", "mount": mounts[0]}
    other = {"name": "SAME", "mount": mounts[0]}
    external: dict[str, Any] = {"type": "external", "alias": alias}
    for check in (True, False):
        shared = entity(check=check, entities=[{"name": one, "aliases": [alias]}, {"name": two, "aliases": [other]}])
        assert f'is declared for "{one}" as well' in shared.msg
        assert "is declared twice" in entity(check=check, entities=[{"name": one}, {"name": one.upper()}]).msg
        both = group(check=check, groups=[{"name": one, **external}, {"name": two, **external, "alias": other}])
        assert f'is declared for "{one}" as well' in both.msg
        gone = group(check=check, groups=[{"name": one, "member_groups": [two]}, {"name": two, "state": "absent"}])
        assert f'its member group "{two}" is declared absent' in gone.msg
    assert stored(openbao, "entity", one) is stored(openbao, "group", one) is None
    assert group(name=one, **external).changed
    for check in (True, False):
        taken = group(check=check, name=two, **external)
        assert f'is of group "{one}"' in taken.msg and not taken.changed
    assert stored(openbao, "group", two) is None
    group(name=one, state="absent")


def test_metadata_that_the_server_does_not_take(entity: Run, unique: str, mounts: tuple[str, str]) -> None:
    for check in (True, False):
        assert "is too long" in entity(check=check, name=unique, metadata={"key": "v" * 513}).msg
        assert "is too long" in entity(check=check, name=unique, metadata={"k" * 129: "v"}).msg
        assert '"metadata" has 65 keys' in entity(name=unique, metadata={str(key): "" for key in range(65)}).msg
        nameless = entity(check=check, name=unique, aliases=[{"name": "", "mount": mounts[0]}])
        assert '"aliases[0].name" is empty' in nameless.msg
