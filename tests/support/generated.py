# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the generated tests know of each kind: how the plain API makes an object, and which declaration changes it.

`ROWS` serves tests/integration/test_generated_partial.py: each row is one object, made by the plain API with every
field that its endpoint takes at a value that is not the default, of which the module then changes a few. A new kind,
or a new type of one, is a row more; a kind without one says why in `WITHOUT`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """A request of the plain API. ``keep``: names for parts of its answer, each by the keys that lead to it."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    keep: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One object inside a namespace of its own. ``{name}`` in texts stands for what a `Request` kept by that name."""

    #: the kind's name in a tree (`vault.tree.KINDS`)
    kind: str
    #: which type of the kind, for the test's name
    case: str
    #: where the plain API writes it
    path: str
    #: every field that the endpoint takes, at a value that is not the default
    everything: Mapping[str, Any]
    #: the declaration that names the object, in the module's options
    entry: Mapping[str, Any]
    #: what is declared in turn: options of the module, and the fields that the plain API then answers otherwise
    changes: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    #: fields that the endpoint takes and that are not in `everything`, each with the reason
    left_out: Mapping[str, str] = field(default_factory=dict)
    #: requests before it, such as the mount
    prepare: Sequence[Request] = ()
    #: where the plain API reads it, when that is elsewhere
    read: str = ""
    #: answered fields that change by themselves, such as a version
    restless: Sequence[str] = ()
    #: POST unless the endpoint wants another
    method: str = "POST"
    #: a server of that version instead of the shared one
    version: str = ""

    @property
    def name(self) -> str:
        """The row as a test's name."""
        return f"{self.kind}-{self.case}" if self.case else self.kind


def mounted(kind: str) -> Request:
    """Return the request that mounts an auth method at the path of its type."""
    return Request("POST", f"sys/auth/{kind}", {"type": kind})


#: what roles of every auth method say about tokens
TOKEN: dict[str, Any] = {
    "token_policies": ["reader", "writer"],
    "token_ttl": 600,
    "token_max_ttl": 1200,
    "token_explicit_max_ttl": 2400,
    "token_period": 300,
    "token_num_uses": 7,
    "token_bound_cidrs": ["10.0.0.0/8", "192.168.1.1"],
    "token_strictly_bind_ip": False,
    "token_no_default_policy": True,
    "token_type": "service",
}
OLD = dict.fromkeys(
    ("policies", "ttl", "max_ttl", "period", "explicit_max_ttl", "num_uses", "bound_cidrs", "lease"),
    "the former name of a field",
) | {"bound_cidr_list": "the former name of a field"}
TTL = ({"token_ttl": "15m"}, {"token_ttl": 900})
ROLE = {"name": "full"}

ROWS: list[Row] = [
    Row(
        "auth_roles",
        "jwt",
        "auth/jwt/role/full",
        {
            **TOKEN,
            "role_type": "jwt",
            "allowed_redirect_uris": ["https://host.example/callback"],
            "bound_audiences": ["vault", "other"],
            "bound_claims": {"group": ["dev-*", "ops-*"]},
            "bound_claims_type": "glob",
            "bound_subject": "system:serviceaccount:a:b",
            "callback_mode": "direct",
            "claim_mappings": {"sub": "subject"},
            "clock_skew_leeway": 30,
            "expiration_leeway": 20,
            "not_before_leeway": 10,
            "groups_claim": "groups",
            "max_age": 3600,
            "oauth2_metadata": ["access_token"],
            "oidc_disable_confirmation": True,
            "oidc_scopes": ["profile"],
            "poll_interval": 9,
            "token_policies_template_claims": True,
            "user_claim": "/user/name",
            "user_claim_json_pointer": True,
            "verbose_oidc_logging": True,
        },
        {"mount": "jwt", **ROLE},
        [TTL, ({"options": {"bound_subject": "other"}}, {"bound_subject": "other"})],
        left_out=OLD,
        prepare=[mounted("jwt")],
    ),
    Row(
        "auth_roles",
        "kubernetes",
        "auth/kubernetes/role/full",
        {
            **TOKEN,
            "alias_name_source": "serviceaccount_name",
            "audience": "vault",
            "bound_service_account_names": ["eso"],
            "bound_service_account_namespaces": ["external-secrets"],
            "bound_service_account_namespace_selector": '{"matchLabels": {"team": "a"}}',
        },
        {"mount": "kubernetes", **ROLE},
        [TTL, ({"bound_service_account_names": ["eso", "b"]}, {"bound_service_account_names": ["eso", "b"]})],
        left_out=OLD,
        prepare=[mounted("kubernetes")],
    ),
    Row(
        "auth_roles",
        "approle",
        "auth/approle/role/full",
        {
            **TOKEN,
            "bind_secret_id": False,
            "local_secret_ids": True,
            "role_id": "a-role-id-of-its-own",
            "secret_id_bound_cidrs": ["10.0.0.0/8"],
            "secret_id_num_uses": 3,
            "secret_id_ttl": 7200,
        },
        {"mount": "approle", **ROLE},
        [TTL, ({"options": {"secret_id_ttl": "1d12h"}}, {"secret_id_ttl": 129600})],
        left_out=OLD,
        prepare=[mounted("approle")],
    ),
    Row(
        "auth_roles",
        "userpass",
        "auth/userpass/users/full",
        {**TOKEN, "password": "a-password-of-a-test"},
        {"mount": "userpass", **ROLE},
        [TTL],
        left_out={**OLD, "password_hash": "the same as the password"},
        prepare=[mounted("userpass")],
    ),
    Row(
        "auth_roles",
        "token",
        "auth/token/roles/full",
        {
            **{name: TOKEN[name] for name in TOKEN if name in ("token_explicit_max_ttl", "token_period")},
            **{name: TOKEN[name] for name in TOKEN if name in ("token_num_uses", "token_bound_cidrs", "token_type")},
            "token_no_default_policy": True,
            "allowed_entity_aliases": ["robot"],
            "allowed_policies": ["a"],
            "allowed_policies_glob": ["a-*"],
            "disallowed_policies": ["b"],
            "disallowed_policies_glob": ["b-*"],
            "orphan": True,
            "path_suffix": "ci-run",
            "renewable": False,
        },
        {"mount": "token", "type": "token", **ROLE},
        [({"token_period": "10m"}, {"token_period": 600}), ({"options": {"orphan": False}}, {"orphan": False})],
        left_out=OLD,
    ),
    Row(
        "policies",
        "",
        "sys/policies/acl/full",
        {
            "policy": 'path "secret/*" {\n  capabilities = ["read"]\n}\n',
            "allow_slashes_in_identity_templates": True,
            "allow_wildcards_in_identity_templates": True,
            "cas_required": True,
            "cas": -1,
            "expiration": "2099-01-01T00:00:00Z",
        },
        {"name": "full"},
        [
            (
                {"rules": [{"path": "kv/*", "capabilities": ["list"]}]},
                {"policy": 'path "kv/*" {\n  capabilities = ["list"]\n}\n'},
            )
        ],
        left_out={"ttl": "another way to say the expiration"},
        restless=["version", "modified"],
    ),
]

#: kinds without a row, each with the reason
WITHOUT: dict[str, str] = {
    **dict.fromkeys(
        (
            *("audit_devices", "secrets_engines", "pki_cas", "pki_roles", "transit_keys", "ssh_cas", "ssh_roles"),
            *("database_connections", "database_roles", "aws_configs", "aws_roles", "secrets"),
            *("auth_methods", "identity_entities", "identity_groups", "login_mfa_methods", "quotas"),
            "login_mfa_enforcements",
        ),
        "its row is to come",
    ),
    "password_policies": "has one field, the policy",
    "namespaces": "has one field, its metadata",
    "approle_secret_ids": "is issued anew, never changed",
    "pki_certificates": "is issued anew, never changed",
    "endpoints": "what is declared is what is sent, by the method that is declared",
}
