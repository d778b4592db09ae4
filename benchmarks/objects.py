# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that are compared: the same ones, as each contender wants to be told of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable

Data = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of object. ``where`` is the mount, or for policies the prefix of their names; ``i`` counts objects."""

    title: str
    #: engine or auth method to mount; empty for policies
    mount: str
    #: module of this collection, and its options for many objects
    module: str
    bulk: Callable[[str, int], Data]
    #: what the API is sent: path to read, method, path to write, body, and the fields to compare
    api: Callable[[str, int], Data]
    #: path that lists the names; with ``detailed`` the content too, as ``key_info``
    listing: Callable[[str], str]
    detailed: bool
    #: a task of a peer that loops over names
    hashi_vault: Callable[[str], Data]
    hashivault: Callable[[str], Data]
    #: a line of shell for one object, named by $name
    cli: Callable[[str], str]


def name(where: str, i: int) -> str:
    """Return the name of an object."""
    return f"{where}-{i:05}"


def hcl(of: str) -> str:
    """Return a policy of two rules, as `vault_policy` writes it."""
    return (
        f'path "secret/data/{of}/*" {{\n  capabilities = ["create", "read", "update"]\n}}\n\n'
        f'path "secret/metadata/{of}/*" {{\n  capabilities = ["read", "list"]\n}}\n'
    )


def rules(of: str) -> list[Data]:
    """Return the same policy as data."""
    return [
        {"path": f"secret/data/{of}/*", "capabilities": ["create", "read", "update"]},
        {"path": f"secret/metadata/{of}/*", "capabilities": ["read", "list"]},
    ]


def secret(of: str) -> Data:
    """Return the keys of a secret."""
    return {"username": f"user-of-{of}", "password": f"password-of-{of}", "port": "5432"}


def kubernetes(of: str) -> Data:
    """Return a role of the Kubernetes auth method, as the API takes and gives it."""
    return {
        "bound_service_account_names": [of],
        "bound_service_account_namespaces": [f"ns-{of}"],
        "audience": "vault",
        "token_policies": ["default"],
        "token_ttl": 3600,
    }


def pki(of: str) -> Data:
    """Return a PKI role, as the API takes and gives it."""
    return {
        "allowed_domains": [f"{of}.example.com"],
        "allow_subdomains": True,
        "max_ttl": 2592000,
        "key_type": "ec",
        "key_bits": 256,
    }


def _plain(path: str, body: Data, method: str = "POST") -> Data:
    return {"read": path, "method": method, "write": path, "body": body, "compare": body}


def _kv(where: str, i: int) -> Data:
    path, data = f"{where}/data/apps/{name(where, i)}", secret(name(where, i))
    return {"read": path, "method": "POST", "write": path, "body": {"data": data}, "compare": data}


# The peers' loops get only the name, and make the rest of it by a template, as their users do.
KINDS: dict[str, Kind] = {
    "policies": Kind(
        title="ACL policies",
        mount="",
        module="vault_policy",
        bulk=lambda where, count: {
            "policies": [{"name": name(where, i), "rules": rules(name(where, i))} for i in range(count)]
        },
        api=lambda where, i: _plain(
            f"sys/policies/acl/{name(where, i)}", {"policy": hcl(name(where, i))}, method="PUT"
        ),
        listing=lambda where: "sys/policies/detailed/acl",
        detailed=True,
        hashi_vault=lambda where: {
            "community.hashi_vault.vault_write": {
                "path": "sys/policies/acl/{{ item }}",
                "data": {"policy": hcl("{{ item }}")},
            }
        },
        hashivault=lambda where: {"hashivault_policy": {"name": "{{ item }}", "rules": hcl("{{ item }}")}},
        cli=lambda where: f'bao policy write "$name" - <<EOF\n{hcl("$name")}EOF',
    ),
    "secrets": Kind(
        title="KV v2 secrets",
        mount="kv-v2",
        module="vault_kv",
        bulk=lambda where, count: {
            "mount": where,
            "secrets": [
                {"path": f"apps/{name(where, i)}", "data": secret(name(where, i)), "mode": "exact"}
                for i in range(count)
            ],
        },
        api=_kv,
        listing=lambda where: f"{where}/metadata/apps",
        detailed=False,
        hashi_vault=lambda where: {
            "community.hashi_vault.vault_kv2_write": {
                "engine_mount_point": where,
                "path": "apps/{{ item }}",
                "data": secret("{{ item }}"),
                "read_before_write": True,
            }
        },
        hashivault=lambda where: {
            "hashivault_secret": {
                "mount_point": where,
                "version": 2,
                "secret": "apps/{{ item }}",
                "data": secret("{{ item }}"),
            }
        },
        cli=lambda where: (
            f'bao kv put -mount={where} "apps/$name" username="user-of-$name" password="password-of-$name" port=5432'
        ),
    ),
    "kubernetes-roles": Kind(
        title="Kubernetes auth roles",
        mount="auth/kubernetes",
        module="vault_auth_role",
        bulk=lambda where, count: {
            "mount": where,
            "roles": [{"name": name(where, i), **kubernetes(name(where, i))} for i in range(count)],
        },
        api=lambda where, i: _plain(f"auth/{where}/role/{name(where, i)}", kubernetes(name(where, i))),
        listing=lambda where: f"auth/{where}/role",
        detailed=False,
        hashi_vault=lambda where: {
            "community.hashi_vault.vault_write": {
                "path": f"auth/{where}/role/{{{{ item }}}}",
                "data": kubernetes("{{ item }}"),
            }
        },
        # its module knows no audience, so that is left out
        hashivault=lambda where: {
            "hashivault_k8s_auth_role": {
                "mount_point": where,
                "name": "{{ item }}",
                "bound_service_account_names": ["{{ item }}"],
                "bound_service_account_namespaces": ["ns-{{ item }}"],
                "policies": ["default"],
                "ttl": 3600,
            }
        },
        cli=lambda where: (
            f'bao write "auth/{where}/role/$name" bound_service_account_names="$name" '
            'bound_service_account_namespaces="ns-$name" audience=vault token_policies=default token_ttl=3600'
        ),
    ),
    "pki-roles": Kind(
        title="PKI roles",
        mount="pki",
        module="vault_pki_role",
        bulk=lambda where, count: {
            "mount": where,
            "roles": [{"name": name(where, i), **pki(name(where, i))} for i in range(count)],
        },
        api=lambda where, i: _plain(f"{where}/roles/{name(where, i)}", pki(name(where, i))),
        listing=lambda where: f"{where}/roles",
        detailed=False,
        hashi_vault=lambda where: {
            "community.hashi_vault.vault_write": {"path": f"{where}/roles/{{{{ item }}}}", "data": pki("{{ item }}")}
        },
        hashivault=lambda where: {
            "hashivault_pki_role": {"mount_point": where, "name": "{{ item }}", "config": pki("{{ item }}")}
        },
        cli=lambda where: (
            f'bao write "{where}/roles/$name" allowed_domains="$name.example.com" allow_subdomains=true '
            "max_ttl=2592000 key_type=ec key_bits=256"
        ),
    ),
}


def job(kind: Kind, where: str, count: int) -> str:
    """Return what the clients written for this comparison are told, as JSON."""
    objects = [{"name": name(where, i), **kind.api(where, i)} for i in range(count)]
    return json.dumps({"listing": kind.listing(where), "detailed": kind.detailed, "objects": objects})
