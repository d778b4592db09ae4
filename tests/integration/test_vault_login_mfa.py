# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_login_mfa and vault_login_mfa_enforcement against a real server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture
def method(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_login_mfa", {**vault_args, **options}, check=check, diff=True)

    return run


@pytest.fixture
def enforcement(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_login_mfa_enforcement", {**vault_args, **options}, check=check, diff=True)

    return run


@pytest.fixture
def people(openbao: VaultServer, unique: str) -> Iterator[str]:
    """A userpass method with the user ada, who is an entity, and a group with her in it; all by this name."""
    name, client = f"mfa-{unique}", openbao.client()
    client.sys.enable_auth_method("userpass", path=name)
    client.write_data(f"auth/{name}/users/ada", data={"password": "lovelace"})
    entity = client.write_data(f"auth/{name}/login/ada", data={"password": "lovelace"})["auth"]["entity_id"]
    client.write_data(f"identity/entity/id/{entity}", data={"name": f"Ada-{name}"})
    client.write_data(f"identity/group/name/{name}", data={"member_entity_ids": [entity]})
    yield name
    client.delete(f"identity/group/name/{name}")
    client.delete(f"identity/entity/id/{entity}")
    client.sys.disable_auth_method(name)


def methods(openbao: VaultServer) -> dict[str, dict[str, Any]]:
    answer = openbao.client().list("identity/mfa/method")
    return {one["name"]: one for one in (answer["data"]["key_info"] if answer else {}).values()}


def stored(openbao: VaultServer, name: str) -> dict[str, Any] | None:
    answer = openbao.client().read(f"identity/mfa/login-enforcement/{name}")
    return answer and answer["data"]


def code(url: str) -> str:
    """Return the code of this moment for an enrolment's ``otpauth`` address (RFC 6238)."""
    query = urllib.parse.parse_qs(urllib.parse.urlparse(url).query)
    secret = query["secret"][0]
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    counter = struct.pack(">Q", int(time.time()) // int(query["period"][0]))
    digest = hmac.new(key, counter, getattr(hashlib, query["algorithm"][0].lower())).digest()
    start = digest[-1] & 15
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return str(number)[-int(query["digits"][0]) :].zfill(int(query["digits"][0]))


def test_life_of_a_totp_method(method: Run, openbao: VaultServer, unique: str) -> None:
    name = f"Totp-{unique}"
    wanted = {"name": name, "type": "totp", "issuer": "Example", "period": "1m", "max_validation_attempts": 3}
    assert method(check=True, **wanted).changed
    assert name not in methods(openbao)
    created = method(**wanted)
    assert created.changed, created.msg
    found = methods(openbao)[name]
    assert (found["issuer"], found["period"], found["max_validation_attempts"]) == ("Example", 60, 3)
    assert created["method_id"] == found["id"]
    again = method(**{**wanted, "period": "60", "algorithm": "SHA1"})
    assert not again.changed, again["results"]
    assert again["requests"]["total"] == 2, "the look at the token, and one LIST that tells all methods"

    changed = method(name=name, type="totp", digits=8)
    assert changed["results"][0]["fields"] == ["digits"]
    assert "digits: 6" in changed["diff"][0]["before"]
    assert "digits: 8" in changed["diff"][0]["after"]
    found = methods(openbao)[name]
    assert found["id"] == created["method_id"], "what people have enrolled stays"
    assert (found["digits"], found["period"], found["max_validation_attempts"]) == (8, 60, 3), "the rest stays"
    assert method(check=True, name=name, state="absent").changed
    assert name in methods(openbao)
    assert method(name=name, state="absent").changed
    assert name not in methods(openbao)
    assert not method(name=name, state="absent").changed


def test_keys_that_the_server_never_returns(method: Run, openbao: VaultServer, unique: str) -> None:
    name = f"duo-{unique}"
    keys = {"integration_key": "integration-key-one", "secret_key": "secret-key-one"}
    wanted = {"name": name, "type": "duo", "api_hostname": "api-1.example.com", "push_info": "from=test"}
    created = method(**wanted, **keys)
    assert created.changed, created.msg
    created.hides(*keys.values())
    assert methods(openbao)[name]["pushinfo"] == "from=test"
    assert not method(**wanted, **keys).changed, "on_create: keys alone are no change"
    assert not method(**wanted).changed
    again = method(
        **wanted, integration_key="integration-key-two", secret_key="secret-key-two", update_secrets="always"
    )
    assert again["results"][0]["fields"] == ["integration_key", "secret_key"]
    again.hides("integration-key-two", "secret-key-two")
    assert "hidden" in again["diff"][0]["after"]

    refused = method(**{**wanted, "api_hostname": "api-2.example.com"})
    assert 'changing api_hostname needs "secret_key", which the server requires in every write' in refused.msg
    moved = method(**{**wanted, "api_hostname": "api-2.example.com"}, **keys)
    assert moved["results"][0]["fields"] == ["api_hostname"]
    moved.hides(*keys.values())
    assert methods(openbao)[name]["pushinfo"] == "from=test"
    assert method(name=name, state="absent").changed


def test_okta_and_pingid(method: Run, openbao: VaultServer, unique: str, people: str) -> None:
    okta = {"name": f"okta-{unique}", "type": "okta", "org_name": "example", "api_token": "okta-api-token"}
    okta["username_format"] = "{{identity.entity.aliases[%s].name}}" % people
    created = method(**okta)
    assert created.changed, created.msg
    created.hides("okta-api-token")
    accessor = openbao.client().sys.list_auth_methods()["data"][f"{people}/"]["accessor"]
    assert methods(openbao)[okta["name"]]["username_format"] == "{{identity.entity.aliases.%s.name}}" % accessor
    assert not method(**okta).changed
    assert method(**okta, base_url="oktapreview.com")["results"][0]["fields"] == ["base_url"]
    nowhere = method(**{**okta, "username_format": "{{identity.entity.aliases[no/such].name}}"})
    assert 'no auth method is mounted at "no/such"' in nowhere.msg

    def settings(alias: str) -> str:
        lines = ["use_base64_key=cGluZy1zZWNyZXQ=", "use_signature=true", "token=ping-token", f"org_alias={alias}"]
        lines += ["idp_url=https://idp.example.com/pingid", "admin_url=https://admin.example.com/pingid"]
        lines += ["authenticator_url=https://auth.example.com/pingid/ppm"]
        return base64.b64encode("\n".join(lines).encode()).decode()

    ping = {"name": f"ping-{unique}", "type": "pingid", "settings_file_base64": settings("one")}
    created = method(**ping)
    assert created.changed, created.msg
    created.hides(ping["settings_file_base64"], "ping-token", "cGluZy1zZWNyZXQ=")
    assert not method(**ping).changed
    other = method(**{**ping, "settings_file_base64": settings("two")})
    assert other["results"][0]["fields"] == ["settings_file_base64"], "another organisation in the file is seen"
    other.hides(settings("two"), "ping-token")
    assert methods(openbao)[ping["name"]]["org_alias"] == "two"
    broken = method(**{**ping, "settings_file_base64": "bm90aGluZw=="})
    assert "is not a settings file of PingID" in broken.msg
    broken.hides("bm90aGluZw==")
    assert method(methods=[{"name": okta["name"]}, {"name": ping["name"]}], state="absent")["summary"]["delete"] == 2


def test_bad_methods(method: Run, openbao: VaultServer, unique: str) -> None:
    name = f"bad-{unique}"
    assert '"type" is missing' in method(name=name).msg
    assert 'a new method needs "issuer"' in method(name=name, type="totp").msg
    assert (
        'a method of type totp has no field "secret_key"'
        in method(name=name, type="totp", issuer="x", secret_key="key-of-duo").msg
    )
    assert '"soon" is not a duration' in method(name=name, type="totp", issuer="x", period="soon").msg
    assert '"period" is below a second' in method(name=name, type="totp", issuer="x", period="0").msg
    assert name not in methods(openbao)
    assert method(name=name, type="totp", issuer="x").changed
    refused = method(name=name, type="okta", org_name="example", api_token="token-of-okta")
    assert "a method of that name has the type totp, not okta" in refused.msg
    refused.hides("token-of-okta")
    assert methods(openbao)[name]["type"] == "totp", "the server itself would have turned it into okta"
    one_bad = method(
        methods=[{"name": name, "type": "totp", "issuer": "y"}, {"name": f"{name}-2", "type": "totp"}],
    )
    assert one_bad.failed
    assert f'"{name}-2"' in one_bad.msg
    assert methods(openbao)[name]["issuer"] == "x", "nothing is done when one cannot be right"
    method(name=name, state="absent")


def test_purge_of_methods(method: Run, new_server: Callable[..., VaultServer], run_module: Run) -> None:
    server = new_server()
    args = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}

    def run(**options: Any) -> Result:
        return run_module("vault_login_mfa", {**args, **options})

    names = ["keep", "spare", "go"]
    run(methods=[{"name": name, "type": "totp", "issuer": name} for name in names])
    unnamed = server.client().write_data("identity/mfa/method/totp", data={"issuer": "x"})["data"]["method_id"]
    declared = [{"name": "keep", "type": "totp", "issuer": "keep"}]
    refused = run(methods=declared, purge=True, protected=["spare"])
    assert "with the devices that people have enrolled" in refused.msg
    assert '"go"' in refused.msg
    assert len(methods(server)) == 4
    purged = run(methods=declared, purge=True, protected=["spare"], purge_data=["go", unnamed])
    assert purged["summary"]["delete"] == 2, purged.msg
    assert sorted(methods(server)) == ["keep", "spare"]


def test_a_login_that_asks(
    method: Run, enforcement: Run, openbao: VaultServer, unique: str, people: str, run_module: Run, vault_args: Any
) -> None:
    name, client = f"e-{unique}", openbao.client()
    made = method(name=name, type="totp", issuer="Example", qr_size=0)
    wanted = {"name": name, "mfa_methods": [name], "auth_methods": [f"auth/{people}/"], "identity_groups": [people]}
    assert enforcement(check=True, **wanted).changed
    assert stored(openbao, name) is None
    created = enforcement(**wanted)
    assert created.changed, created.msg
    accessor = client.sys.list_auth_methods()["data"][f"{people}/"]["accessor"]
    found = stored(openbao, name) or {}
    assert found["mfa_method_ids"] == [made["method_id"]]
    assert found["auth_method_accessors"] == [accessor]
    assert len(found["identity_group_ids"]) == 1
    again = enforcement(**{**wanted, "auth_methods": [people], "identity_groups": [people.upper()]})
    assert not again.changed, again["results"]

    asked = client.write_data(f"auth/{people}/login/ada", data={"password": "lovelace"})["auth"]
    assert not asked["client_token"]
    entity = asked["entity_id"] or client.read(f"identity/entity/name/Ada-{people}")["data"]["id"]
    enrolled = client.write_data(
        "identity/mfa/method/totp/admin-generate", data={"method_id": made["method_id"], "entity_id": entity}
    )["data"]
    request = asked["mfa_requirement"]["mfa_request_id"]
    answer = client.write_data(
        "sys/mfa/validate",
        data={"mfa_request_id": request, "mfa_payload": {made["method_id"]: [code(enrolled["url"])]}},
    )
    assert answer["auth"]["client_token"], "the second factor that was declared opens the door"

    changed = enforcement(
        name=name, identity_groups=[], identity_entities=[f"ada-{people}"], auth_method_types=["userpass"]
    )
    assert changed["results"][0]["fields"] == ["auth_method_types", "identity_entities", "identity_groups"]
    assert people in changed["diff"][0]["before"]
    assert f"ada-{people}" in changed["diff"][0]["after"].lower()
    found = stored(openbao, name) or {}
    assert found["auth_method_accessors"] == [accessor], "what is not declared stays"
    assert found["identity_entity_ids"] == [entity]
    assert found["identity_group_ids"] == []

    in_use = method(name=name, state="absent")
    assert f"a login enforcement uses it: {name}; remove or change that first" in in_use.msg
    rehearsal = method(check=True, name=name, state="absent")
    assert "as long as a login enforcement uses it" in str(rehearsal["warnings"])
    login = {"auth_method": "userpass", "auth_mount": people, "username": "ada", "password": "lovelace"}
    options = {key: value for key, value in vault_args.items() if key != "token"}
    locked_out = run_module("vault_policy", {**options, **login, "name": name, "state": "absent"}, check=True)
    assert "the server requires a second factor" in locked_out.msg
    locked_out.hides("lovelace")

    assert enforcement(check=True, name=name, state="absent").changed
    assert stored(openbao, name) is not None
    assert enforcement(name=name, state="absent").changed
    assert stored(openbao, name) is None
    assert not enforcement(name=name, state="absent").changed
    assert method(name=name, state="absent").changed


def test_bad_enforcements(method: Run, enforcement: Run, openbao: VaultServer, unique: str, people: str) -> None:
    name = f"be-{unique}"
    wanted: dict[str, Any] = {"name": name, "mfa_methods": [name], "auth_methods": [people]}
    assert f'there is no login MFA method "{name}"' in enforcement(**wanted).msg
    rehearsal = enforcement(check=True, **wanted)
    assert rehearsal.changed, "a task before may be about to create it"
    assert "(yet)" in str(rehearsal["warnings"])
    method(name=name, type="totp", issuer="x")
    assert "no method is given" in enforcement(name=name, auth_methods=[people]).msg
    assert "it applies to no login" in enforcement(name=name, mfa_methods=[name]).msg
    for option, value, text in (
        ("auth_methods", "no/such", 'no auth method is mounted at "no/such"'),
        ("auth_method_types", "radish", "no auth method of type radish is mounted"),
        ("identity_groups", "nobody", 'there is no identity group "nobody"'),
        ("identity_entities", "nobody", 'there is no identity entity "nobody"'),
    ):
        assert text in enforcement(**{**wanted, option: [value]}).msg
    assert stored(openbao, name) is None
    assert enforcement(**wanted).changed
    assert "it applies to no login" in enforcement(name=name, auth_methods=[]).msg
    enforcement(name=name, state="absent")
    method(name=name, state="absent")


def test_own_way_in_and_purge(
    method: Run, enforcement: Run, openbao: VaultServer, unique: str, people: str, run_module: Run, vault_args: Any
) -> None:
    name, client = f"own-{unique}", openbao.client()
    method(name=name, type="totp", issuer="x")
    client.sys.create_or_update_policy(
        name, 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'
    )
    client.write_data(f"auth/{people}/users/robot", data={"password": "metropolis", "token_policies": [name]})
    login = {"auth_method": "userpass", "auth_mount": people, "username": "robot", "password": "metropolis"}
    options = {key: value for key, value in vault_args.items() if key != "token"}
    wanted = {"name": name, "mfa_methods": [name], "auth_methods": [people]}
    warned = run_module("vault_login_mfa_enforcement", {**options, **login, **wanted})
    assert warned.changed, warned.msg
    assert "needs a second factor" in str(warned["warnings"])

    other = {"name": f"{name}-2", "mfa_methods": [name], "auth_methods": [people]}
    enforcement(**other)
    theirs = [one for one in client.list("identity/mfa/login-enforcement")["data"]["keys"] if not one.startswith(name)]
    purged = enforcement(enforcements=[wanted], purge=True, protected=theirs)
    assert purged["summary"]["delete"] == 1
    assert stored(openbao, f"{name}-2") is None
    enforcement(name=name, state="absent")
    method(name=name, state="absent")
    client.sys.delete_policy(name)


def test_in_a_namespace(run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, unique: str) -> None:
    name = f"mfans-{unique}"
    if openbao.product != "openbao":
        pytest.skip("namespaces of HashiCorp Vault need its Enterprise edition")
    run_module("vault_namespace", {**vault_args, "name": name}, must_succeed=True)
    inside = {**vault_args, "namespace": name}
    wanted = {"name": name, "type": "totp", "issuer": "parent"}
    run_module("vault_login_mfa", {**vault_args, **wanted}, must_succeed=True)
    created = run_module("vault_login_mfa", {**inside, **wanted, "issuer": "child"})
    assert created["results"][0]["action"] == "create", "the parent's method of the same name is another"
    assert not run_module("vault_login_mfa", {**vault_args, **wanted}).changed
    run_module("vault_login_mfa", {**vault_args, "name": name, "state": "absent"}, must_succeed=True)
    assert not run_module("vault_login_mfa", {**inside, **wanted, "issuer": "child"}).changed
    run_module(
        "vault_namespace", {**vault_args, "name": name, "state": "absent", "delete_data": True}, must_succeed=True
    )
