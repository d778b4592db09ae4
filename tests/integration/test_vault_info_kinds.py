# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_info lists the objects of every kind: what the plain API made is found, with its fields and no secret."""

from __future__ import annotations

import json
import time
from typing import Any, Callable

import pytest
import requests

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS
from support import generated
from support.generated import Request, Row
from support.modules import Result
from support.openbao import VaultServer

Api = Callable[..., dict[str, Any]]
CANARY = "canary-Zq8Xw2Lm"
#: kinds without a row among the generated ones: how the plain API makes one, and where it reads the object
BY_HAND: dict[str, tuple[list[Request], dict[str, Any], str]] = {
    "password_policies": (
        [Request("POST", "sys/policies/password/p", {"policy": 'length = 20\nrule "charset" { charset = "abcdef" }'})],
        {"name": "p"},
        "sys/policies/password/p",
    ),
    "namespaces": (
        [
            Request("POST", "sys/namespaces/a", {"custom_metadata": {"team": "x"}}),
            Request("POST", "a/sys/namespaces/b"),
        ],
        {"name": "a"},
        "sys/namespaces/a",
    ),
    "pki_cas": (
        [
            Request("POST", "sys/mounts/pki", {"type": "pki"}),
            Request("POST", "pki/root/generate/internal", {"common_name": "Root", "issuer_name": "one"}),
        ],
        {"name": "one", "mount": "pki"},
        "pki/issuer/one",
    ),
    "ssh_cas": (
        [
            Request("POST", "sys/mounts/ssh", {"type": "ssh"}),
            Request("POST", "sys/mounts/unconfigured", {"type": "ssh"}),
            Request("POST", "ssh/config/ca", {"generate_signing_key": True}),
        ],
        {"name": "ssh", "mount": "ssh"},
        "ssh/config/ca",
    ),
    "database_connections": (
        [
            Request("POST", "sys/mounts/database", {"type": "database"}),
            Request(
                "POST",
                "database/config/db",
                {
                    "plugin_name": "postgresql-database-plugin",
                    "connection_url": f"postgresql://admin:{CANARY}@db.example.com/app",
                    "password": CANARY,
                    "verify_connection": False,
                },
            ),
        ],
        {"name": "db", "mount": "database"},
        "database/config/db",
    ),
}
#: those of the whole server; each is removed again
AT_ROOT: dict[str, tuple[Request, dict[str, Any], str]] = {
    "cors": (Request("POST", "sys/config/cors", {"allowed_origins": ["https://a.example"]}), {"name": "cors"}, ""),
    "ui_headers": (
        Request("POST", "sys/config/ui/headers/X-Listed", {"values": ["a", "b"]}),
        {"name": "X-Listed", "fields": {"values": ["a", "b"]}},
        "",
    ),
    "audited_headers": (
        Request("POST", "sys/config/auditing/request-headers/X-Listed", {"hmac": True}),
        {"name": "x-listed", "fields": {"hmac": True}},
        "",
    ),
}
#: read by a list of all of them, not one by one
TOLD_BY_LIST = {"auth_methods": "sys/auth", "secrets_engines": "sys/mounts"}
#: what the plain API alone tells: a secret
MASKED = ("client_secret",)


@pytest.fixture
def space(openbao: VaultServer, unique: str) -> str:
    name = f"listed-{unique}"
    api_of(openbao, "")("POST", f"sys/namespaces/{name}")
    return name


@pytest.fixture
def info(run_module: Callable[..., Result], vault_args: dict[str, Any]) -> Callable[..., Result]:
    def run(*kinds: str, namespace: str = "", **options: Any) -> Result:
        place = {"namespace": namespace} if namespace else {}
        return run_module("vault_info", {**vault_args, **place, "kinds": list(kinds), **options})

    return run


def api_of(server: VaultServer, namespace: str) -> Api:
    """Return the plain API inside a namespace: no code of the collection."""
    session = requests.Session()
    session.headers.update({"X-Vault-Token": server.token, "X-Vault-Namespace": namespace})
    session.trust_env = False
    session.verify = server.ca_cert

    def ask(method: str, path: str, body: Any = None) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while True:
            answer = session.request(method, f"{server.url}/v1/{path}", json=body, timeout=60)
            # a KV engine of version 2 is not there at once
            if "Upgrading from non-versioned" not in answer.text or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        data: dict[str, Any] = answer.json() if answer.content else {}
        return data

    return ask


def filled(value: Any, kept: dict[str, str]) -> Any:
    """Return a value with what was kept in place of ``{name}``."""
    text = json.dumps(value)
    for name, found in kept.items():
        text = text.replace("{%s}" % name, found)
    return json.loads(text)


def prepared(api: Api, wanted: Any) -> dict[str, str]:
    """Make what comes before an object, and return what is to be kept of the answers."""
    kept: dict[str, str] = {}
    for request in wanted:
        answer = api(request.method, filled(request.path, kept), filled(dict(request.body or {}), kept))
        for name, keys in request.keep.items():
            found: Any = answer
            for key in keys:
                found = found[key]
            kept[name] = str(found)
    return kept


ROWS = [row for row in generated.ROWS if not row.version and not row.at_root]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_the_api_made_is_listed(row: Row, openbao: VaultServer, space: str, info: Callable[..., Result]) -> None:
    api = api_of(openbao, space)
    kept = prepared(api, row.prepare)
    path = filled(row.path, kept)
    api(row.method, path, filled(dict(row.everything), kept))
    entry = filled(dict(row.entry), kept)
    name = str(entry.get("name") or entry.get("path") or entry.get("mount") or entry["type"])

    found = info(row.kind, namespace=space)
    assert not found.failed, found.msg
    assert list(found["objects"]) == [row.kind]
    mount = entry.get("mount")
    alike = [
        one
        for one in found["objects"][row.kind]
        if one["name"] == name
        and one.get("mount") == mount
        and one.get("subject") in (None, entry.get("subject", "group"))
    ]
    if row.kind == "oidc":
        alike = [one for one in alike if one["type"] == row.case]
    (one,) = alike
    if row.kind == "secrets":
        assert set(one) == {"name", "mount"}, "of secrets the names alone"
        return
    if row.kind in TOLD_BY_LIST:
        answer = api("GET", TOLD_BY_LIST[row.kind])["data"][f"{name}/"]
    elif row.kind == "login_mfa_methods":
        answer = {**api("GET", path)["data"], "name": one["fields"].get("name")}
        answer = {key: value for key, value in answer.items() if key in one["fields"]}
        one["fields"] = {key: value for key, value in one["fields"].items() if key in answer}
        assert len(answer) > 3
    else:
        answer = api("GET", filled(row.read or row.path, kept))["data"]
    assert {**one["fields"], **{key: answer[key] for key in MASKED if key in answer}} == answer
    for key in MASKED:
        assert key not in answer or answer[key] not in found.stdout

    short = info(row.kind, namespace=space, fields=False)
    names = [{key: value for key, value in one.items() if key != "fields"} for one in found["objects"][row.kind]]
    assert [
        {key: value for key, value in one.items() if key != "fields"} for one in short["objects"][row.kind]
    ] == names


def test_the_other_kinds_of_a_namespace(openbao: VaultServer, space: str, info: Callable[..., Result]) -> None:
    api = api_of(openbao, space)
    for made, _expected, _path in BY_HAND.values():
        prepared(api, made)
    api("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
    api("POST", "sys/mounts/old", {"type": "kv"})
    api("POST", "kv/data/a/b/c", {"data": {"password": CANARY}})
    api("POST", "kv/data/top", {"data": {"password": CANARY}})
    api("POST", "old/x/y", {"password": CANARY})

    found = info("all", namespace=space)
    assert not found.failed and not found.changed, found.msg
    assert CANARY not in found.stdout
    objects = found["objects"]
    for kind, (_made, expected, path) in BY_HAND.items():
        (one,) = [one for one in objects[kind] if expected.items() <= one.items()]
        answer = api("GET", path)["data"]
        assert set(one["fields"]) == set(answer), kind
        assert all(value == answer[key] for key, value in one["fields"].items() if "(hidden)" not in str(value)), kind
    assert [one["name"] for one in objects["namespaces"]] == ["a", "a/b"]
    assert [one["mount"] for one in objects["ssh_cas"]] == ["ssh"], "an engine without a key has none"
    secrets = [(one["mount"], one["name"]) for one in objects["secrets"]]
    assert secrets == [("kv", "a/b/c"), ("kv", "top"), ("old", "x/y")]
    assert not {"audit_devices", "cors", "ui_headers", "audited_headers"} & set(objects), "which the root alone has"
    refused = info("cors", namespace=space)
    assert refused.failed and "cors" in refused.msg and "root namespace" in refused.msg
    listed = {kind for kind in KINDS if KINDS[kind].listings}
    covered = {row.kind for row in ROWS} | set(BY_HAND) | set(AT_ROOT) | {"quotas", "audit_devices"}
    # an engine that OpenBao does not have
    assert listed - covered == {"aws_configs", "aws_roles"}


def test_the_kinds_of_the_whole_server(openbao: VaultServer, info: Callable[..., Result], unique: str) -> None:
    api = api_of(openbao, "")
    quota = f"sys/quotas/rate-limit/{unique}"
    try:
        for request, _expected, _path in AT_ROOT.values():
            api(request.method, request.path, request.body)
        api("POST", quota, {"rate": 1000000})
        found = info(*AT_ROOT, "quotas", "audit_devices")
        assert not found.failed, found.msg
        for kind, (_request, expected, _path) in AT_ROOT.items():
            assert any(expected.items() <= one.items() for one in found["objects"][kind]), (
                kind,
                found["objects"][kind],
            )
        (one,) = [one for one in found["objects"]["quotas"] if one["name"] == unique]
        assert one["type"] == "rate-limit" and one["fields"]["rate"] == 1000000
        assert {one["name"] + "/" for one in found["objects"]["audit_devices"]} == set(api("GET", "sys/audit")["data"])
    finally:
        for request, _expected, _path in AT_ROOT.values():
            api("DELETE", request.path)
        api("DELETE", quota)
    assert info("cors")["objects"] == {"cors": []}


def test_kinds_that_cannot_be_listed(info: Callable[..., Result], openbao: VaultServer) -> None:
    for name, kind in KINDS.items():
        assert bool(kind.listings) != bool(kind.unlisted), name
        if not kind.listings:
            refused = info("policies", name)
            assert refused.failed and f'"{name}" cannot be listed: {kind.unlisted}' in refused.msg
    unknown = info("polices")
    assert unknown.failed and 'there is no kind "polices"' in unknown.msg and "policies, auth_roles" in unknown.msg
    token = openbao.client().auth.token.create(policies=["default"], ttl="5m")["auth"]["client_token"]
    denied = info("policies", token=token)
    assert denied.failed and "policies" in denied.msg and "sys/policies/acl" in denied.msg
