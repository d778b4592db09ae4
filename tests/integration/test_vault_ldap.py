# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The LDAP auth method against a real directory, on a server that has it built in (OpenBao up to 2.6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base import listing
from support import openbao as servers
from support import packages
from support.ldap import Directory
from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
ADMIN = "directory-admin-password-0815"
ALICE, BOB = "alice-password-4711", "bob-password-4711"


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    try:
        server = Directory(ADMIN, {"alice": ALICE, "bob": BOB}, {"Operators": ["alice"], "readers": ["bob"]})
    except packages.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """The tests' own server when it has the method, else an older one that does."""
    binary = servers.find_binary()
    product, version = servers.product_of(binary)
    try:
        if product == "openbao" and tuple(int(part) for part in version.split(".")[:2]) > (2, 6):
            binary = servers.release("2.6.2")
    except servers.Unavailable as reason:
        pytest.skip(str(reason))
    started = VaultServer(tmp_path_factory.mktemp("ldap"), binary=binary)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def args(server: VaultServer) -> dict[str, Any]:
    return {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}


@pytest.fixture
def declared(directory: Directory) -> dict[str, Any]:
    """Options of the method; its directory shows nothing to those who do not log in."""
    return {
        "type": "ldap",
        "config": {
            "url": directory.url,
            "binddn": directory.binddn,
            "userdn": directory.userdn,
            "groupdn": directory.groupdn,
            "userattr": "UID",
            "groupattr": "cn",
            "groupfilter": "(&(objectClass=groupOfNames)(member={{.UserDN}}))",
            "token_policies": ["Everybody"],
            "token_ttl": "30m",
            "token_bound_cidrs": ["127.0.0.1/32"],
            "request_timeout": "1m",
            "deny_null_bind": "yes",
            "starttls": "no",
        },
        "secret_config": {"bindpass": ADMIN},
    }


def login(run_module: Run, server: VaultServer, mount: str, user: str, password: str, file: Path) -> Result:
    options = {"url": [server.url], "ca_cert": server.ca_cert, "auth_method": "ldap", "auth_mount": mount}
    return run_module("vault_login", {**options, "username": user, "password": password, "dest": str(file)})


def rehearsed(
    run_module: Run, server: VaultServer, mount: str, module: str, options: dict[str, Any], shown: tuple[str, str]
) -> Result:
    """Run a module in check mode and for real: the first changes nothing and shows the same as the second.

    ``shown`` is what the difference has before and after.
    """

    def state() -> list[Any]:
        client = server.client()
        found = [client.read("sys/auth")["data"].get(f"{mount}/"), client.read(f"auth/{mount}/config")]
        for folder in ("groups", "users"):
            names = (client.list(f"auth/{mount}/{folder}") or {"data": {"keys": []}})["data"]["keys"]
            found += [(name, client.read(f"auth/{mount}/{folder}/{name}")["data"]) for name in names]
        for answer in found:
            if isinstance(answer, dict):
                answer.pop("request_id", None)
        return found

    before = state()
    planned = run_module(module, options, check=True, diff=True, must_succeed=True)
    assert planned.changed and state() == before, "the rehearsal did it"
    done = run_module(module, options, diff=True, must_succeed=True)
    assert done.changed and state() != before
    assert done["diff"] == planned["diff"] and done["summary"] == planned["summary"]
    for side, words in zip(("before", "after"), shown):
        text, other = (
            "".join(one[which] for one in planned["diff"]) for which in (side, *({"before", "after"} - {side}))
        )
        assert words in text and words not in other if words else not text, planned["diff"]
    for result in (planned, done):
        result.hides(ADMIN)
    return done


def test_people_log_in(
    run_module: Run, args: dict[str, Any], server: VaultServer, declared: dict[str, Any], unique: str, tmp_path: Path
) -> None:
    client = server.client()
    method = {**args, **declared, "path": unique}
    role = {**args, "mount": unique}
    planned = run_module("vault_auth", method, check=True, diff=True)
    assert planned.changed and f"{unique}/" not in client.read("sys/auth")["data"]
    made = run_module("vault_auth", method, diff=True)
    assert made.changed, made.msg
    planned.hides(ADMIN)
    made.hides(ADMIN)
    again = run_module("vault_auth", method)
    assert not again.failed and not again.changed, again.get("results")

    groups = [{"name": "operators", "token_policies": ["ops"]}, {"name": "readers", "token_policies": ["Read", "list"]}]
    users = [{"name": "bob", "subject": "user", "token_policies": ["night"], "options": {"groups": ["Extra", "more"]}}]
    both = {**role, "roles": [*groups, *users]}
    made = rehearsed(run_module, server, unique, "vault_auth_role", both, ("", '"night"'))
    assert made["summary"]["create"] == 3
    groups[1]["token_policies"] = ["list", "read"]
    users[0]["options"] = {"groups": "more,extra"}
    again = run_module("vault_auth_role", {**role, "roles": [*groups, *users]})
    assert again["summary"]["none"] == 3, again.get("results")

    for user, password, policies in (
        ("alice", ALICE, {"default", "everybody", "ops"}),
        ("bob", BOB, {"default", "everybody", "list", "night", "read"}),
    ):
        token = tmp_path / f"{user}.token"
        entered = login(run_module, server, unique, user, password, token)
        assert not entered.failed, entered.msg
        entered.hides(password)
        seen = server.client(token.read_text().strip()).auth.token.lookup_self()["data"]
        assert set(seen["policies"]) == policies and seen["creation_ttl"] == 1800
    refused = login(run_module, server, unique, "alice", BOB, tmp_path / "refused.token")
    assert refused.failed and "login by ldap refused" in refused.msg and not (tmp_path / "refused.token").exists()
    refused.hides(BOB)

    # one field of a user changes, and the server does not forget the other
    day = {**role, "name": "bob", "subject": "user", "token_policies": ["day"]}
    changed = rehearsed(run_module, server, unique, "vault_auth_role", day, ('"night"', '"day"'))
    assert changed["results"][0]["fields"] == ["policies"]
    kept = client.read(f"auth/{unique}/users/bob")["data"]
    assert kept == {"policies": ["day"], "groups": "extra,more"}
    group = {**role, "name": "operators", "token_policies": ["on-call"]}
    rehearsed(run_module, server, unique, "vault_auth_role", group, ('"ops"', '"on-call"'))
    assert client.read(f"auth/{unique}/groups/operators")["data"]["policies"] == ["on-call"]
    only = {**role, "roles": [{"name": "operators"}], "purge": True}
    gone = rehearsed(run_module, server, unique, "vault_auth_role", only, ('"list"', ""))
    assert gone["summary"]["delete"] == 1
    assert client.list(f"auth/{unique}/groups")["data"]["keys"] == ["operators"]
    absent = {**role, "name": "bob", "subject": "user", "state": "absent"}
    rehearsed(run_module, server, unique, "vault_auth_role", absent, ('"day"', ""))
    assert client.list(f"auth/{unique}/users") is None

    # one setting changes, and the credential that is not sent again still serves
    method["config"] = {**method["config"], "token_ttl": "20m"}
    changed = rehearsed(run_module, server, unique, "vault_auth", method, ("token_ttl: 1800", "token_ttl: 20m"))
    assert changed["results"][0]["fields"] == ["config.token_ttl"]
    assert not login(run_module, server, unique, "alice", ALICE, tmp_path / "again.token").failed
    gone = {**args, "type": "ldap", "path": unique, "state": "absent"}
    rehearsed(run_module, server, unique, "vault_auth", gone, ("type: ldap", ""))
    assert f"{unique}/" not in client.read("sys/auth")["data"]


def test_names_with_a_slash_are_known_among_many(
    run_module: Run, args: dict[str, Any], server: VaultServer, unique: str
) -> None:
    client = server.client()
    client.sys.enable_auth_method("ldap", path=unique)
    names = [*(f"team-{number}" for number in range(listing.MANY)), "Emea/readers", "emea/writers/night"]
    groups = [{"name": name, "token_policies": ["default"]} for name in names]
    options = {**args, "mount": unique, "roles": groups}
    assert run_module("vault_auth_role", options, must_succeed=True)["summary"]["create"] == len(names)
    assert client.read(f"auth/{unique}/groups/emea/writers/night")["data"]["policies"] == ["default"]
    again = run_module("vault_auth_role", {**options, "report": "changes"}, must_succeed=True)
    assert not again.changed, again["results"]
    again = run_module("vault_auth_role", {**options, "purge": True, "report": "changes"}, must_succeed=True)
    assert not again.changed, again["results"]
    fewer = {**options, "roles": groups[:-1], "purge": True, "report": "changes"}
    gone = rehearsed(run_module, server, unique, "vault_auth_role", fewer, ("default", ""))
    assert [one["name"] for one in gone["results"]] == [f"{unique}/emea/writers/night"]
    assert client.read(f"auth/{unique}/groups/emea/writers/night") is None
    assert client.read(f"auth/{unique}/groups/emea/readers")


def test_a_credential_goes_with_its_account(
    run_module: Run, args: dict[str, Any], server: VaultServer, declared: dict[str, Any], unique: str, tmp_path: Path
) -> None:
    # mounted by a run that came no further: the server has defaults, and no password
    server.client().sys.enable_auth_method("ldap", path=unique)
    done = run_module("vault_auth", {**args, **declared, "path": unique})
    assert {"config.binddn", "config.bindpass"} <= set(done["results"][0]["fields"])
    assert not login(run_module, server, unique, "alice", ALICE, tmp_path / "token").failed
    assert not run_module("vault_auth", {**args, **declared, "path": unique}).changed


def test_bad_input(
    run_module: Run, args: dict[str, Any], server: VaultServer, declared: dict[str, Any], unique: str
) -> None:
    for change, message in (
        ({"bindpass": ADMIN}, '"bindpass" is a secret'),
        ({"token_ttl": "soon"}, "is not a duration"),
        ({"tls_min_version": "tls9"}, 'the server does not know "tls9"; use tls10'),
    ):
        method = {**args, **declared, "path": unique, "config": {**declared["config"], **change}}
        if "bindpass" in change:
            method.pop("secret_config")
        refused = run_module("vault_auth", method)
        assert refused.failed and message in refused.msg, refused.msg
        refused.hides(ADMIN)
    assert run_module("vault_auth", {**args, **declared, "path": unique}).get("failed") is not True
    unknown = {**args, **declared, "path": unique, "config": {**declared["config"], "usrdn": "x"}}
    refused = run_module("vault_auth", unknown)
    assert refused.failed and 'did you mean "userdn"?' in refused.msg
    for options, message in (
        ({"options": {"groups": ["a"]}}, '"groups" is a field of LDAP users'),
        ({"token_ttl": "1h"}, '"token_ttl" is not a field of LDAP groups'),
    ):
        refused = run_module("vault_auth_role", {**args, "mount": unique, "name": "x", **options})
        assert refused.failed and message in refused.msg, refused.msg
    assert server.client().list(f"auth/{unique}/groups") is None


def test_a_server_without_the_method(
    run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, declared: dict[str, Any], unique: str
) -> None:
    if "ldap" in openbao.client().read("sys/plugins/catalog")["data"]["auth"]:
        pytest.skip("this server has the method")
    for check in (True, False):
        refused = run_module("vault_auth", {**vault_args, **declared, "path": unique}, check=check)
        assert refused.failed and 'has no auth method of type "ldap"' in refused.msg
    assert f"{unique}/" not in openbao.client().read("sys/auth")["data"]
