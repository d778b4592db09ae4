# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the server and objects of OIDC and ACME against a real server; what stands is asked by the plain API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture
def module(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(module: str, /, check: bool = False, **options: Any) -> Result:
        return run_module(module, {**vault_args, **options}, check=check, diff=True)

    return run


@pytest.fixture
def converges(module: Run) -> Run:
    """A function that declares something: check mode foretells it, and a second run changes nothing."""

    def run(kind: str, /, **options: Any) -> Result:
        planned = module(kind, check=True, **options)
        assert planned.changed, planned.msg
        done = module(kind, **options)
        assert done.changed, done.msg
        assert [one["fields"] for one in planned["results"]] == [one["fields"] for one in done["results"]]
        for check in (True, False):
            again = module(kind, check=check, **options)
            assert not again.failed and not again.changed, again["results"]
        return done

    return run


def data(server: VaultServer, path: str, **params: str) -> Any:
    answer = requests.get(
        f"{server.url}/v1/{path}",
        headers={"X-Vault-Token": server.token},
        params=params,
        verify=server.ca_cert,
        timeout=30,
    )
    return answer.json().get("data") if answer.ok else None


def listed(server: VaultServer, path: str) -> list[str]:
    return list((data(server, path, list="true") or {}).get("keys") or [])


def test_cors(module: Run, converges: Run, openbao: VaultServer) -> None:
    wanted: dict[str, Any] = {"allowed_origins": ["https://a.example.com", "http://b.example.com:8080"]}
    try:
        converges("vault_cors", **wanted, allowed_headers=["X-Mine", "x-vault-token"])
        # a page's browser gets the answer
        answer = requests.options(
            f"{openbao.url}/v1/sys/health",
            headers={"Origin": "https://a.example.com", "Access-Control-Request-Method": "GET"},
            verify=openbao.ca_cert,
            timeout=30,
        )
        assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example.com"
        # the server's own write resets what it is not sent
        converges("vault_cors", allowed_origins=["https://c.example.com"])
        found = data(openbao, "sys/config/cors")
        assert found["allowed_origins"] == ["https://c.example.com"] and found["allowed_headers"].count("X-Mine") == 1
        for options, said in (
            ({"allowed_origins": ["*", "https://a"]}, 'the origin "*" goes neither with others'),
            ({"allowed_origins": ["https://a/b"]}, '"https://a/b" is not an origin'),
            ({"allowed_origins": []}, '"allowed_origins" is empty'),
            ({"configurations": [wanted, wanted]}, "is declared twice"),
        ):
            assert said in module("vault_cors", check=True, **options).msg
        assert converges("vault_cors", state="absent")["results"][0]["action"] == "delete"
        assert data(openbao, "sys/config/cors") == {"enabled": False}
        assert '"allowed_origins" is missing' in module("vault_cors", allowed_headers=["X-Mine"], check=True).msg
    finally:
        openbao.client().delete("sys/config/cors")


def test_headers_of_the_user_interface(module: Run, converges: Run, openbao: VaultServer, unique: str) -> None:
    name = f"X-Test-{unique}"
    policy = "default-src 'self'; img-src 'self', data:"
    headers = [{"name": name, "values": ["one", policy]}, {"name": f"{name}-2", "values": ["b"]}]
    converges("vault_ui_header", headers=headers)
    found = data(openbao, f"sys/config/ui/headers/{name}", multivalue="true")
    assert found == {"values": ["one", policy]}
    assert not module("vault_ui_header", name=name.upper(), values=["one", policy]).changed
    converges("vault_ui_header", name=name, values=[policy, "one"])
    page = requests.get(f"{openbao.url}/ui/", verify=openbao.ca_cert, timeout=30)
    assert policy in (page.headers.get(name) or policy)
    for options, said in (
        ({"name": "X-Vault-Mine", "values": ["a"]}, "keeps headers X-Vault-"),
        ({"name": "a b", "values": ["a"]}, "no header is called like this"),
        ({"name": name}, '"values" is missing or empty'),
        ({"headers": [headers[0], {**headers[0], "name": name.lower()}]}, "is declared twice"),
    ):
        assert said in module("vault_ui_header", check=True, **options).msg
    purged = converges("vault_ui_header", headers=[headers[1]], purge=True, protected=[])
    assert [one["name"].lower() for one in purged["results"] if one["action"] == "delete"] == [name.lower()]
    converges("vault_ui_header", name=f"{name}-2".lower(), state="absent")
    assert listed(openbao, "sys/config/ui/headers") == []


def test_audited_headers(module: Run, converges: Run, openbao: VaultServer, unique: str) -> None:
    folder = "sys/config/auditing/request-headers"
    name = f"X-Seen-{unique}"
    converges("vault_audited_header", headers=[{"name": name, "hmac": True}, {"name": f"{name}-2"}])
    assert data(openbao, folder)["headers"] == {name.lower(): {"hmac": True}, f"{name}-2".lower(): {"hmac": False}}
    # what is not declared stays
    assert not module("vault_audited_header", name=name).changed
    converges("vault_audited_header", name=name.upper(), hmac=False)
    purged = converges("vault_audited_header", headers=[{"name": name}], purge=True)
    assert [one["name"] for one in purged["results"] if one["action"] == "delete"] == [f"{name}-2".lower()]
    converges("vault_audited_header", name=name, state="absent")
    assert data(openbao, folder)["headers"] == {}


def test_settings_of_the_server_are_of_the_root_namespace(module: Run, area: str) -> None:
    for name, options in (
        ("vault_cors", {"allowed_origins": ["https://a"]}),
        ("vault_ui_header", {"name": "X-A", "values": ["a"]}),
        ("vault_audited_header", {"name": "X-A"}),
    ):
        refused = module(name, check=True, namespace=area, **options)
        assert f'are kept in the root namespace, and this is "{area}"' in refused.msg, refused.msg


def test_oidc(module: Run, converges: Run, openbao: VaultServer, area: str) -> None:
    client = openbao.client(namespace=area)
    client.write_data("identity/entity", data={"name": "robot"})
    group = client.write_data("identity/group", data={"name": "staff", "type": "internal"})["data"]["id"]
    claims = '{"groups": {{identity.entity.groups.names}}}'
    objects: list[dict[str, Any]] = [
        {"type": "provider", "name": "company", "issuer": "https://vault.example.com/", "scopes_supported": ["groups"]},
        {"type": "client", "name": "wiki", "key": "wiki", "redirect_uris": ["https://wiki.example.com/cb"]},
        {"type": "key", "name": "wiki", "algorithm": "ES256", "rotation_period": "1w", "allowed_client_ids": ["*"]},
        {"type": "assignment", "name": "staff", "entity_ids": ["robot"], "group_ids": ["staff"]},
        {"type": "scope", "name": "groups", "template": claims, "description": "who is where"},
        {"type": "role", "name": "robot", "key": "wiki", "template": {"a": "b"}, "ttl": "1d"},
    ]
    objects[0]["allowed_client_ids"] = ["wiki"]
    objects[1].update(assignments=["staff"], id_token_ttl="30m", client_type="public")
    at = {"namespace": area}
    assert 'there is no entity "nobody" (yet)' in str(
        module("vault_oidc", check=True, **at, type="assignment", name="x", entity_ids=["nobody"])["warnings"]
    )
    assert (
        'there is no entity "nobody"'
        in module("vault_oidc", **at, type="assignment", name="x", entity_ids=["nobody"]).msg
    )
    planned = module("vault_oidc", check=True, **at, objects=objects)
    assert planned["summary"]["create"] == 6, planned.msg
    made = module("vault_oidc", **at, objects=objects)
    assert made["summary"]["create"] == 6, made.msg
    for check in (True, False):
        again = module("vault_oidc", check=check, **at, objects=objects)
        assert not again.failed and not again.changed, again["results"]
    wiki = client.read("identity/oidc/client/wiki")["data"]
    made.hides(wiki.get("client_secret") or "no-secret-at-all")
    assert next(one["info"]["client_id"] for one in made["results"] if one["name"] == "wiki") is not None
    provider = client.read("identity/oidc/provider/company")["data"]
    assert provider["allowed_client_ids"] == [wiki["client_id"]]
    assert provider["issuer"].startswith("https://vault.example.com/v1/")
    assert client.read("identity/oidc/key/wiki")["data"]["rotation_period"] == 604800
    assert client.read("identity/oidc/assignment/staff")["data"]["group_ids"] == [group]
    assert client.read("identity/oidc/scope/groups")["data"]["template"] == claims

    # a change leaves the rest
    converges("vault_oidc", **at, type="client", name="wiki", access_token_ttl="10m")
    assert client.read("identity/oidc/client/wiki")["data"] == {**wiki, "access_token_ttl": 600}
    converges("vault_oidc", **at, type="provider", name="company", scopes_supported=[])
    assert client.read("identity/oidc/provider/company")["data"]["issuer"] == provider["issuer"]
    for options, said in (
        (
            {"type": "client", "name": "wiki", "client_type": "confidential"},
            "client_type is public and cannot be changed",
        ),
        ({"type": "key", "name": "k", "rotation_period": "30s"}, '"rotation_period" is below a minute'),
        ({"type": "key", "name": "k", "redirect_uris": ["x"]}, 'type "key" has no "redirect_uris"'),
        ({"type": "provider", "name": "p", "issuer": "https://a/b"}, "is not an address without a path"),
        ({"type": "provider", "name": "p", "issuer": ""}, "is not an address without a path"),
        ({"type": "role", "name": "r"}, '"key" is missing'),
        ({"type": "key", "name": "default", "state": "absent"}, "the server's built-in object cannot be deleted"),
        ({"type": "scope", "name": "a/b", "template": "{}"}, "holds characters that the server refuses"),
        ({"name": "x"}, "missing required arguments: type"),
    ):
        refused = module("vault_oidc", check=True, **at, **options)
        assert refused.failed and said in refused.msg, refused.msg
    # the server keeps a confidential client's secret; so does the module
    secret = converges("vault_oidc", **at, type="client", name="shop", key="wiki", redirect_uris=["https://shop/cb"])
    value = client.read("identity/oidc/client/shop")["data"]["client_secret"]
    secret.hides(value)
    gone = module("vault_oidc", check=True, **at, objects=[], purge=True, protected=["key/wiki", "robot"])
    gone.hides(value)
    assert gone["summary"]["delete"] == 5, gone["results"]
    assert module("vault_oidc", **at, objects=[], purge=True)["summary"]["delete"] == 7
    assert module("vault_oidc", **at, objects=[], purge=True).changed is False
    assert listed(openbao, "identity/oidc/key")


def test_acme(module: Run, converges: Run, openbao: VaultServer, unique: str) -> None:
    engine: dict[str, Any] = {"path": unique, "type": "pki"}
    role = {"mount": unique, "name": "web", "allow_any_name": True}
    authority: dict[str, Any] = {"mount": unique, "common_name": "Root", "key_type": "ec", "issuer_name": "one"}
    acme: dict[str, Any] = {"mount": unique, "enabled": True, "default_directory_policy": "role:web"}
    acme.update(allowed_roles=["web"], eab_policy="always-required", dns_resolver="127.0.0.1:53")
    assert module("vault_pki_acme", check=True, **acme).changed
    assert "mount a PKI engine first" in module("vault_pki_acme", **acme).msg
    assert module("vault_secrets_engine", **engine).changed
    assert module("vault_pki_ca", **authority).changed and module("vault_pki_role", **role).changed
    early = module("vault_pki_acme", **acme)
    assert 'give the mount its own address first (module vault_pki_ca, "path" of "cluster")' in early.msg
    assert 'tune the mount (module vault_secrets_engine) with "Last-Modified", "Location"' in str(early["warnings"])
    engine["tune"] = {"allowed_response_headers": ["Last-Modified", "Location", "Replay-Nonce", "Link"]}
    assert module("vault_secrets_engine", **engine).changed
    authority["cluster"] = {"path": f"{openbao.url}/v1/{unique}"}
    assert module("vault_pki_ca", **authority).changed
    made = converges("vault_pki_acme", **acme)
    assert not made.data.get("warnings"), made["warnings"]
    # a client finds its way
    directory = requests.get(f"{openbao.url}/v1/{unique}/acme/directory", verify=openbao.ca_cert, timeout=30).json()
    nonce = requests.head(directory["newNonce"], verify=openbao.ca_cert, timeout=30)
    assert directory["meta"]["externalAccountRequired"] is True and nonce.headers["Replay-Nonce"]
    before = data(openbao, f"{unique}/config/acme")
    converges("vault_pki_acme", mount=unique, eab_policy="not-required")
    assert data(openbao, f"{unique}/config/acme") == {**before, "eab_policy": "not-required"}
    for options, said in (
        ({"default_directory_policy": "nope"}, 'default_directory_policy: there is no "nope"'),
        ({"dns_resolver": "127.0.0.1"}, "has no port"),
        ({"state": "absent"}, 'set "enabled: false"'),
    ):
        assert said in module("vault_pki_acme", check=True, mount=unique, **options).msg
    converges("vault_pki_acme", mount=unique, enabled=False)


def test_all_of_them_in_one_tree(run_module: Run, new_server: Callable[..., VaultServer]) -> None:
    server = new_server()
    args = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}
    answers = ["Last-Modified", "Location", "Replay-Nonce", "Link"]
    configuration = {
        "cors": [{"allowed_origins": ["*"]}],
        "ui_headers": [{"name": "X-A", "values": ["a"]}],
        "audited_headers": [{"name": "X-B"}],
        "secrets_engines": [{"path": "pki", "type": "pki", "tune": {"allowed_response_headers": answers}}],
        "identity_groups": [{"name": "staff"}],
        "oidc": [
            {"type": "assignment", "name": "staff", "group_ids": ["staff"]},
            {"type": "key", "name": "main", "allowed_client_ids": ["*"]},
            {
                "type": "client",
                "name": "wiki",
                "key": "main",
                "assignments": ["staff"],
                "redirect_uris": ["https://a/b"],
            },
            {"type": "provider", "name": "company", "allowed_client_ids": ["wiki"]},
        ],
        "pki_cas": [
            {"common_name": "Root", "mount": "pki", "key_type": "ec", "cluster": {"path": f"{server.url}/v1/pki"}}
        ],
        "pki_roles": [{"name": "web", "mount": "pki", "allow_any_name": True}],
        "pki_acme": [{"mount": "pki", "enabled": True, "allowed_roles": ["web"]}],
        "purge": {"ui_headers": {}, "audited_headers": {}, "oidc": {}},
    }
    planned = run_module("vault_configuration", {**args, "configuration": configuration}, check=True)
    assert planned.changed, planned.msg
    done = run_module("vault_configuration", {**args, "configuration": configuration})
    # what comes earlier in the tree is not missed
    assert done.changed and "(yet)" not in str(done.data.get("warnings")), (done.msg, done.data.get("warnings"))
    again = run_module("vault_configuration", {**args, "configuration": configuration})
    assert not again.failed and not again.changed, [one for one in again["results"] if one["changed"]]
