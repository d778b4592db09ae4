# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree in which everything refers to everything: from nothing, check mode misses nothing of what the tree declares.

The same tree without an object that others name must warn, or be refused: so each reference is one that is looked at.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.client import Client
from support.openbao import VaultServer

from .test_generated_partial import Api
from .test_known_fields import Report, run, said

#: kinds that no other names and that name none, or that the root namespace alone has
WITHOUT = {
    **dict.fromkeys(
        ("audit_devices", "audited_headers", "cors", "ui_headers", "quotas"), "the root namespace alone has them"
    ),
    "aws_configs": "OpenBao has no such engine",
    "aws_roles": "OpenBao has no such engine",
    "endpoints": "nobody knows what a path means",
}


def everything(folder: Path) -> dict[str, Any]:
    """Return the tree. Each object that can names another one, by each option that can."""
    headers = ["Last-Modified", "Location", "Replay-Nonce", "Link"]
    return {
        "namespaces": [{"name": "below"}],
        "auth_methods": [{"type": "userpass"}, {"type": "approle", "path": "machines/approle"}],
        "secrets_engines": [
            {"type": "kv-v2", "path": "kv"},
            {"type": "database", "path": "database"},
            {"type": "ssh", "path": "ssh"},
            {"type": "transit", "path": "transit"},
            {"type": "pki", "path": "pki", "tune": {"max_lease_ttl": "87600h", "allowed_response_headers": headers}},
            {"type": "pki", "path": "pki-int", "tune": {"max_lease_ttl": "43800h"}},
        ],
        "password_policies": [{"name": "long", "length": 24, "rules": [{"charset": "abcdefgh"}]}],
        "policies": [
            {"name": "Reader", "rules": [{"path": "kv/data/one", "capabilities": ["read"]}]},
            {
                "name": "own",
                "policy": 'path "kv/data/{{identity.entity.aliases[userpass].name}}" { capabilities = ["read"] }',
            },
        ],
        "auth_roles": [
            {"mount": "machines/approle", "name": "ci", "token_policies": ["reader"]},
            {
                "mount": "userpass",
                "name": "alice",
                "token_policies": ["own"],
                "secret_options": {"password": "x-1-y-2"},
            },
            {"mount": "token", "type": "token", "name": "short", "options": {"allowed_policies": ["reader"]}},
        ],
        "identity_entities": [
            {"name": "Alice", "policies": ["reader"], "aliases": [{"mount": "userpass", "name": "alice"}]}
        ],
        "identity_groups": [
            {"name": "team", "policies": ["reader"], "member_entities": ["alice"], "member_groups": ["part"]},
            {"name": "part", "member_entities": ["Alice"]},
            {"name": "outside", "type": "external", "alias": {"mount": "userpass", "name": "staff"}},
        ],
        "oidc": [
            {"type": "key", "name": "signing", "allowed_client_ids": ["*"]},
            {"type": "role", "name": "job", "key": "signing"},
            {"type": "scope", "name": "groups", "template": {"groups": "x"}},
            {"type": "assignment", "name": "all", "entity_ids": ["Alice"], "group_ids": ["team"]},
            {"type": "client", "name": "app", "key": "signing", "assignments": ["all"]},
            {"type": "provider", "name": "idp", "allowed_client_ids": ["app"], "scopes_supported": ["groups"]},
        ],
        "login_mfa_methods": [{"name": "phone", "type": "totp", "issuer": "here"}],
        "login_mfa_enforcements": [
            {
                "name": "people",
                "mfa_methods": ["phone"],
                "auth_methods": ["userpass"],
                "auth_method_types": ["userpass"],
                "identity_groups": ["team"],
                "identity_entities": ["Alice"],
            }
        ],
        "pki_cas": [
            {
                "mount": "pki",
                "common_name": "root",
                "issuer_name": "first",
                "ttl": "80000h",
                "cluster": {"path": "https://host.example/v1/pki"},
            },
            {
                "mount": "pki-int",
                "type": "intermediate",
                "common_name": "int",
                "issuer_name": "second",
                "ttl": "40000h",
                "issuer_mount": "pki",
                "issuer_ref": "first",
            },
        ],
        "pki_roles": [
            {"mount": "pki-int", "name": "web", "issuer_ref": "second", "allow_any_name": True, "ttl": "2000h"},
            {"name": "web", "issuer_ref": "first", "allow_any_name": True, "ttl": "2000h"},
        ],
        "pki_acme": [
            {
                "mount": "pki",
                "enabled": True,
                "allowed_roles": ["web"],
                "allowed_issuers": ["first"],
                "default_directory_policy": "role:web",
            }
        ],
        "pki_certificates": [
            {
                "mount": "pki-int",
                "role": "web",
                "common_name": "a.example",
                "ttl": "1000h",
                "cert_dest": str(folder / "cert.pem"),
                "key_dest": str(folder / "key.pem"),
            }
        ],
        "transit_keys": [{"name": "one"}],
        "ssh_cas": [{"mount": "ssh"}],
        "ssh_roles": [{"name": "login", "key_type": "ca", "allow_user_certificates": True, "allowed_users": ["x"]}],
        "database_connections": [
            {
                "name": "app",
                "plugin_name": "postgresql-database-plugin",
                "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:1/app",
                "root_username": "root",
                "root_password": "a-root-password",
                "verify_connection": False,
                "password_policy": "long",
                "allowed_roles": ["reader"],
            }
        ],
        "database_roles": [{"name": "reader", "db_name": "app", "creation_statements": ["select 1"]}],
        "secrets": [{"mount": "kv", "path": "one", "generate": {"password": {"format": "policy", "policy": "long"}}}],
        "approle_secret_ids": [{"mount": "machines/approle", "role": "ci", "dest": str(folder / "secret-id")}],
        "purge": {"secrets": {"purge_mount": ["kv"]}},
    }


#: what is left out, and kind and part of the name of an object that then must say so
REFERENCES = [
    ("policies", "Reader", "auth_roles", "machines/approle/ci"),
    ("policies", "Reader", "auth_roles", "token/short"),
    ("policies", "own", "auth_roles", "userpass/alice"),
    ("policies", "Reader", "identity_entities", "Alice"),
    ("policies", "Reader", "identity_groups", "team"),
    ("auth_methods", "userpass", "policies", "own"),
    ("auth_methods", "userpass", "identity_entities", "Alice"),
    ("auth_methods", "userpass", "identity_groups", "outside"),
    ("auth_methods", "userpass", "login_mfa_enforcements", "people"),
    ("identity_entities", "Alice", "identity_groups", "team"),
    ("identity_entities", "Alice", "oidc", "all"),
    ("identity_entities", "Alice", "login_mfa_enforcements", "people"),
    ("identity_groups", "team", "oidc", "all"),
    ("identity_groups", "team", "login_mfa_enforcements", "people"),
    ("identity_groups", "part", "identity_groups", "team"),
    ("login_mfa_methods", "phone", "login_mfa_enforcements", "people"),
    ("password_policies", "long", "secrets", "kv/one"),
    ("secrets_engines", "kv", "secrets", "kv"),
]


@pytest.fixture
def inside(openbao: VaultServer, unique: str) -> Iterator[Callable[[], Client]]:
    """A function that returns a client inside a fresh namespace."""
    made: list[Client] = []

    def make() -> Client:
        namespace = f"references-{unique}-{len(made)}"
        Api(openbao, "")("POST", f"sys/namespaces/{namespace}")
        made.append(Client([openbao.url], namespace=namespace, token=openbao.token, ca_cert=openbao.ca_cert))
        return made[-1]

    yield make
    for client in made:
        client.close()


def warned(report: Report) -> list[str]:
    return [f"{one.resource.label}: {text}" for one in report.changes for text in one.resource.warnings]


def test_nothing_that_the_tree_declares_is_missed(inside: Callable[[], Client], tmp_path: Path) -> None:
    client = inside()
    tree = everything(tmp_path)
    below = {name: copy.deepcopy(tree[name]) for name in tree if name != "namespaces"}
    for kind in ("pki_certificates", "approle_secret_ids"):
        for one in below[kind]:
            one.update({name: value + ".below" for name, value in one.items() if "dest" in name})
    tree["inside"] = {"below": below}
    assert set(KINDS) - set(tree) == set(WITHOUT)
    checked = run(client, copy.deepcopy(tree), check=True)
    assert isinstance(checked, Report) and not checked.failed, said(checked)
    assert warned(checked) == []
    done = run(client, copy.deepcopy(tree), check=False)
    assert isinstance(done, Report) and not done.failed, said(done)
    # the server itself misses what nobody declared, such as addresses in certificates
    assert [text for text in warned(done) if "the server warns" not in text] == []
    assert len(checked.changes) == len(done.changes) and checked.summary()["none"] == done.summary()["none"] == 0
    again = run(client, copy.deepcopy(tree), check=True)
    assert isinstance(again, Report) and not again.changed, [one.result() for one in again.changes if one.fields]
    assert warned(again) == []


def test_what_is_left_out_is_missed(inside: Callable[[], Client], tmp_path: Path) -> None:
    client = inside()
    findings = []
    for kind, name, named_by, label in REFERENCES:
        tree = everything(tmp_path)
        tree[kind] = [one for one in tree[kind] if name not in (one.get("name"), one.get("path") or one.get("type"))]
        # nothing else is to complain first
        keep = {kind, named_by, "purge", "auth_methods", "secrets_engines"}
        found = run(
            client,
            {part: tree[part] for part in tree if part in keep and (part != "purge" or named_by == "secrets")},
            check=True,
        )
        told = [said(found)] if isinstance(found, str) or found.failed else warned(found)
        if not any(label in text and name.lower() in text.lower() for text in told):
            findings.append(f"{kind} {name} is not missed by {named_by} {label}: {told}")
    assert not findings, "\n".join(findings)
