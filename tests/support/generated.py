# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the generated tests know of each kind: how the plain API makes an object, and which declaration changes it.

`ROWS` serves tests/integration/test_generated_partial.py: each row is one object, made by the plain API with every
field that its endpoint takes at a value that is not the default, of which the module then changes a few. A new kind,
or a new type of one, is a row more; a kind without one says why in `WITHOUT`.
"""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import normalise
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth import registry
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.login_mfa import method as login_mfa
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.method_fields import TUNE
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.method_type import table_of
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.role_fields import TYPED
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base import normalisers
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base.kind import Kind


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

    #: the kind's name in a tree (`_vault.configuration.KINDS`)
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
    #: for what cannot be in a namespace: it is at the root, and `cleanup` removes what was made
    at_root: bool = False
    cleanup: Sequence[Request] = ()
    #: a server of that version instead of the shared one
    version: str = ""

    @property
    def name(self) -> str:
        """The row as a test's name."""
        return f"{self.kind}-{self.case}" if self.case else self.kind


def mounted(kind: str) -> Request:
    """Return the request that mounts an auth method at the path of its type."""
    return Request("POST", f"sys/auth/{kind}", {"type": kind})


def certificate() -> tuple[str, str]:
    """Return a certificate and its public key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "generated")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return made.public_bytes(serialization.Encoding.PEM).decode(), public.decode()


CERTIFICATE, PUBLIC_KEY = certificate()
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
        "auth_roles",
        "cert",
        "auth/cert/certs/full",
        {
            **TOKEN,
            "certificate": CERTIFICATE,
            "allowed_common_names": ["a.example"],
            "allowed_dns_sans": ["b.example"],
            "allowed_email_sans": ["c@example.org"],
            "allowed_metadata_extensions": ["2.1.1.1"],
            "allowed_names": ["d.example"],
            "allowed_organizational_units": ["unit"],
            "allowed_uri_sans": ["spiffe://host"],
            "display_name": "shown",
            "ocsp_ca_certificates": CERTIFICATE,
            "ocsp_enabled": True,
            "ocsp_fail_open": True,
            "ocsp_query_all_servers": True,
            "ocsp_servers_override": ["http://ocsp.example"],
            "required_extensions": ["2.1.1.1:x"],
        },
        {"mount": "cert", **ROLE},
        [TTL, ({"options": {"allowed_names": ["e.example"]}}, {"allowed_names": ["e.example"]})],
        left_out=OLD,
        prepare=[mounted("cert")],
    ),
    Row(
        "auth_roles",
        "ldap-group",
        "auth/ldap/groups/full",
        {"policies": ["a", "b"]},
        {"mount": "ldap", **ROLE},
        [({"token_policies": ["a", "c"]}, {"policies": ["a", "c"]})],
        prepare=[mounted("ldap")],
        version="2.6.2",
    ),
    Row(
        "auth_roles",
        "ldap-user",
        "auth/ldap/users/full",
        {"policies": ["a", "b"], "groups": "x,y"},
        {"mount": "ldap", "subject": "user", **ROLE},
        [({"token_policies": ["a", "c"]}, {"policies": ["a", "c"]})],
        prepare=[mounted("ldap")],
        version="2.6.2",
    ),
    Row(
        "auth_methods",
        "tune",
        "sys/auth/userpass/tune",
        {
            "allowed_response_headers": ["X-One"],
            "audit_non_hmac_request_keys": ["one"],
            "audit_non_hmac_response_keys": ["two"],
            "default_lease_ttl": "1h",
            "max_lease_ttl": "2h",
            "description": "people",
            "listing_visibility": "unauth",
            "options": {"some": "thing"},
            "passthrough_request_headers": ["X-Two"],
            "token_type": "default-batch",
            "user_lockout_config": {
                "lockout_threshold": "7",
                "lockout_duration": "10m",
                "lockout_counter_reset_duration": "5m",
                "lockout_disable": True,
            },
        },
        {"type": "userpass"},
        [
            ({"default_lease_ttl": "30m"}, {"default_lease_ttl": 1800}),
            ({"description": "others"}, {"description": "others"}),
            (
                {"user_lockout_config": {"lockout_counter_reset": "1d12h"}},
                {"user_lockout_counter_reset_duration": 129600},
            ),
        ],
        left_out={"plugin_version": "there is one version of the method"},
        prepare=[mounted("userpass")],
    ),
    Row(
        "auth_methods",
        "jwt",
        "auth/jwt/config",
        {
            "bound_issuer": "https://issuer.example",
            "default_role": "ci",
            "jwt_supported_algs": ["RS256"],
            "jwt_validation_pubkeys": [PUBLIC_KEY],
            "namespace_in_state": False,
            "provider_config": {},
        },
        {"type": "jwt"},
        [({"config": {"bound_issuer": "other"}}, {"bound_issuer": "other"})],
        left_out={
            **dict.fromkeys(
                (
                    *("jwks_ca_pem", "jwks_url", "oidc_client_id", "oidc_client_secret", "oidc_discovery_ca_pem"),
                    *("oidc_discovery_url", "oidc_response_mode", "oidc_response_types", "jwks_pairs"),
                    "override_allowed_server_names",
                ),
                "needs another source of keys",
            ),
            "skip_jwks_validation": "says how to take this very write",
        },
        prepare=[mounted("jwt")],
    ),
    Row(
        "auth_methods",
        "kubernetes",
        "auth/kubernetes/config",
        {
            "disable_iss_validation": False,
            "disable_local_ca_jwt": True,
            "issuer": "https://issuer.example",
            "kubernetes_ca_cert": CERTIFICATE,
            "kubernetes_host": "https://cluster.example:6443",
            "pem_keys": [PUBLIC_KEY],
        },
        {"type": "kubernetes"},
        [({"config": {"kubernetes_host": "https://other.example"}}, {"kubernetes_host": "https://other.example"})],
        left_out={"token_reviewer_jwt": "a change without it is refused"},
        prepare=[mounted("kubernetes")],
    ),
    Row(
        "auth_methods",
        "cert",
        "auth/cert/config",
        {"disable_binding": True, "enable_identity_alias_metadata": True, "ocsp_cache_size": 33},
        {"type": "cert"},
        [({"config": {"ocsp_cache_size": 44}}, {"ocsp_cache_size": 44})],
        prepare=[mounted("cert")],
    ),
    Row(
        "auth_methods",
        "ldap",
        "auth/ldap/config",
        {
            **TOKEN,
            "url": "ldaps://directory.example",
            "binddn": "cn=reader",
            "bindpass": "a-password-of-a-test",
            "userdn": "ou=people",
            "groupdn": "ou=groups",
            "upndomain": "directory.example",
            "userattr": "uid",
            "groupattr": "memberof",
            "userfilter": "({{.UserAttr}}={{.Username}})",
            "groupfilter": "(member={{.UserDN}})",
            "dereference_aliases": "always",
            "tls_min_version": "tls13",
            "tls_max_version": "tls13",
            "certificate": CERTIFICATE,
            "request_timeout": 77,
            "connection_timeout": 7,
            "max_page_size": 5,
            "deny_null_bind": False,
            "discoverdn": True,
            "insecure_tls": True,
            "starttls": True,
            "anonymous_group_search": True,
            "case_sensitive_names": True,
            "use_token_groups": True,
            "use_pre111_group_cn_behavior": True,
            "username_as_alias": True,
        },
        {"type": "ldap"},
        [({"config": {"userdn": "ou=staff"}}, {"userdn": "ou=staff"})],
        left_out={
            **OLD,
            "client_tls_cert": "needs the key of a pair",
            "client_tls_key": "needs the certificate of a pair",
        },
        prepare=[mounted("ldap")],
        version="2.6.2",
    ),
    Row(
        "identity_entities",
        "",
        "identity/entity/name/full",
        {"policies": ["a"], "metadata": {"team": "x"}, "disabled": True},
        {"name": "full"},
        [
            ({"policies": ["b"]}, {"policies": ["b"]}),
            ({"metadata": {"team": "y"}}, {"metadata": {"team": "y"}}),
            ({"disabled": False}, {"disabled": False}),
        ],
        left_out={"id": "another way to name it"},
        restless=["last_update_time"],
    ),
    Row(
        "identity_groups",
        "",
        "identity/group/name/full",
        {
            "type": "internal",
            "policies": ["a"],
            "metadata": {"team": "x"},
            "member_entity_ids": ["{entity}"],
            "member_group_ids": ["{group}"],
        },
        {"name": "full"},
        [
            ({"policies": ["b"]}, {"policies": ["b"]}),
            ({"metadata": {"team": "y"}}, {"metadata": {"team": "y"}}),
            ({"member_entities": []}, {"member_entity_ids": []}),
        ],
        left_out={"id": "another way to name it"},
        restless=["last_update_time", "modify_index"],
        prepare=[
            Request("POST", "identity/entity", {"name": "person"}, {"entity": ("data", "id")}),
            Request("POST", "identity/group", {"name": "inner"}, {"group": ("data", "id")}),
        ],
    ),
    Row(
        "login_mfa_methods",
        "totp",
        "identity/mfa/method/totp/{method}",
        {
            "method_name": "full",
            "issuer": "issuer",
            "period": 60,
            "algorithm": "SHA256",
            "digits": 8,
            "skew": 0,
            "key_size": 30,
            "qr_size": 300,
            "max_validation_attempts": 9,
        },
        {"name": "full", "type": "totp"},
        [({"issuer": "other"}, {"issuer": "other"}), ({"period": "1m30s"}, {"period": 90})],
        left_out={"method_id": "its name in the path"},
        prepare=[
            Request("POST", "identity/mfa/method/totp", {"issuer": "x"}, {"method": ("data", "method_id")}),
        ],
    ),
    Row(
        "login_mfa_enforcements",
        "",
        "identity/mfa/login-enforcement/full",
        {
            "mfa_method_ids": ["{method}"],
            "auth_method_accessors": ["{accessor}"],
            "auth_method_types": ["userpass"],
            "identity_entity_ids": ["{entity}"],
            "identity_group_ids": ["{group}"],
        },
        {"name": "full"},
        [({"auth_method_types": ["approle"]}, {"auth_method_types": ["approle"]})],
        prepare=[
            mounted("userpass"),
            mounted("approle"),
            Request("GET", "sys/auth", None, {"accessor": ("data", "userpass/", "accessor")}),
            Request("POST", "identity/entity", {"name": "person"}, {"entity": ("data", "id")}),
            Request("POST", "identity/group", {"name": "inner"}, {"group": ("data", "id")}),
            Request("POST", "identity/mfa/method/totp", {"issuer": "x"}, {"method": ("data", "method_id")}),
        ],
    ),
    Row(
        "quotas",
        "rate-limit",
        "sys/quotas/rate-limit/generated",
        {
            "path": "auth/generated",
            "role": "ci",
            "rate": 100.5,
            "interval": 10,
            "block_interval": 20,
            "inheritable": False,
        },
        {"name": "generated", "rate": 100.5},
        [({"interval": "1m30s"}, {"interval": 90}), ({"rate": 5}, {"rate": 5})],
        left_out={"type": "what it is"},
        prepare=[Request("POST", "sys/auth/generated", {"type": "approle"})],
        cleanup=[Request("DELETE", "sys/quotas/rate-limit/generated"), Request("DELETE", "sys/auth/generated")],
        at_root=True,
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


# -- odd values -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Base:
    """A valid declaration of a kind, into which odd values are put one by one. ``{n}`` in texts is the value's number.

    Everything is inside a namespace of its own; ``{name}`` in texts stands for what a `Request` kept by that name.
    """

    #: the kind's name in a tree (`_vault.configuration.KINDS`)
    kind: str
    case: str
    item: Mapping[str, Any]
    prepare: Sequence[Request] = ()
    #: options that are mappings of fields: their fields, each with how it is compared
    nested: Mapping[str, Mapping[str, normalise.Normaliser | None]] = field(default_factory=dict)
    #: fields that get no odd values, each with the reason; of nested ones ``options.field``
    skipped: Mapping[str, str] = field(default_factory=dict)
    #: fields of which the server alone knows what is right: it may refuse a value that check mode takes
    judged_by_server: Mapping[str, str] = field(default_factory=dict)
    #: what goes with a field, or it would be refused for another reason
    along: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    at_root: bool = False
    cleanup: Sequence[Request] = ()
    version: str = ""

    @property
    def title(self) -> str:
        """The base as a test's name."""
        return f"{self.kind}-{self.case}" if self.case else self.kind


TEXTS = ("", "0", "Upper Case", "ünï→code", "trail/", " blank ", "a,b")
TIMES = ("", "0", 0, "1w", "1d12h", "90m", "5400", 3600, "1.5s", "-1s", "5000ms")
LISTS: tuple[Any, ...] = ([], ["b", "a", "a"], ["Upper"], [""], ["ünï"], ["a,b"], "b,a", ["trail/"])
NUMBERS = (0, 1, 7, "8", -1)
SWITCHES: tuple[Any, ...] = (True, False, "yes", "no")
MAPPINGS: tuple[Any, ...] = ({}, {"a": ""}, {"Upper": "b"}, {"n": 1}, {"t": True}, {"ü": "ï"}, {"a": "b,c", "b": "x"})
NAMES = ("Upper-{n}", "with.dot-{n}", "ünï-{n}", "trail-{n}/", "a b-{n}", "a_b@c-{n}", "in/ner-{n}")
#: names of texts that are durations
_TIME = re.compile(r"(ttl|period|interval|duration|leeway|timeout|max_age|window|skew)$")


def odd(name: str, spec: Mapping[str, Any]) -> Iterator[Any]:
    """Yield odd but legal values of an option."""
    if spec.get("choices"):
        yield from spec["choices"]
    elif spec.get("type") == "str":
        yield from TIMES if _TIME.search(name) else TEXTS
    elif spec.get("type") == "int":
        yield from NUMBERS
    elif spec.get("type") == "bool":
        yield from SWITCHES
    elif spec.get("type") == "list" and not spec.get("options"):
        yield from LISTS
    elif spec.get("type") == "dict" and not spec.get("options"):
        yield from MAPPINGS


def odd_by(normaliser: normalise.Normaliser | None, name: str) -> Iterator[Any]:
    """Yield odd values of a field of a mapping, by how it is compared."""
    if normaliser in (normalise.duration, normalise.signed_duration) or _TIME.search(name):
        yield from TIMES
    elif normaliser in (normalise.boolean, normalisers.on_by_default):
        yield from SWITCHES
    elif normaliser is normalise.integer:
        yield from NUMBERS
    elif normaliser in (normalise.string_set, normalise.strings, normalisers.lower_set, normalisers.networks):
        yield from LISTS
    elif normaliser in (normalise.string_map, normalise.typed):
        yield from MAPPINGS
    else:
        yield from TEXTS


def cases(base: Base, kind: Kind) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield the field, the odd value and the declaration that holds it."""
    for name, spec in kind.item.items():
        if name in base.skipped or name in base.nested:
            continue
        for value in NAMES if name == "name" else odd(name, spec):
            yield name, value, {**base.item, **base.along.get(name, {}), name: value}
        if spec.get("type") == "dict" and spec.get("options"):
            for inner, one in spec["options"].items():
                for value in odd(inner, one):
                    yield f"{name}.{inner}", value, {**base.item, name: {**(base.item.get(name) or {}), inner: value}}
    for option, table in base.nested.items():
        for name, normaliser in table.items():
            title = f"{option}.{name}"
            if title in base.skipped:
                continue
            for value in odd_by(normaliser, name):
                along = {**(base.item.get(option) or {}), **base.along.get(title, {})}
                yield title, value, {**base.item, option: {**along, name: value}}


def config_of(kind: str) -> Mapping[str, normalise.Normaliser]:
    """Return the fields of an auth method's configuration, each with how it is compared."""
    config = registry.METHODS[kind].config
    assert config is not None
    return config.table


def role(kind: str, **own: Any) -> Base:
    """Return the base of a role of an auth method of a type; ``item`` is added to it."""
    item = {"mount": kind, "name": "r{n}", **own.pop("item", {})}
    typed = registry.METHODS[kind].entries[0].fields
    fields = {name: how for name, how in table_of(typed).items() if name not in TYPED}
    secret = {"subject": "is of LDAP and AWS", "type": "is the mount's", "mount": "leads to the mount"}
    skipped = {**secret, "secret_options": "is never compared", **own.pop("skipped", {})}
    return Base(
        "auth_roles",
        kind,
        item,
        prepare=own.pop("prepare", [mounted(kind)]),
        nested={"options": fields},
        skipped=skipped,
        **own,
    )


#: of some password: to make one costs the server a tenth of a second
HASH = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

#: a settings file as PingID makes it
PINGID = base64.b64encode(
    b"use_base64_key=YS1rZXktb2YtcGluZ2lk\nuse_signature=true\ntoken=a-token-of-pingid\nidp_url=https://idp.example/pingid\n"
    b"org_alias=11111111-2222-3333-4444-555555555555\nadmin_url=https://idp.example/admin\n"
    b"authenticator_url=https://auth.example/ppm\n"
).decode()

BASES: list[Base] = [
    role("jwt", item={"options": {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"]}}),
    role(
        "kubernetes",
        item={"bound_service_account_names": ["eso"], "bound_service_account_namespaces": ["a"], "audience": "vault"},
    ),
    role("approle"),
    role("userpass", item={"secret_options": {"password_hash": HASH}}),
    role("cert", item={"options": {"certificate": CERTIFICATE}}),
    role("token", prepare=[], item={"type": "token"}),
    Base("policies", "", {"name": "p{n}", "policy": 'path "a" { capabilities = ["read"] }'}),
    Base("password_policies", "", {"name": "p{n}", "length": 20, "rules": [{"charset": "abc"}]}),
    Base("identity_entities", "", {"name": "e{n}"}),
    Base(
        "identity_groups",
        "",
        {"name": "g{n}"},
        skipped=dict.fromkeys(("member_entities", "member_groups"), "name other objects"),
    ),
    Base("namespaces", "", {"name": "n{n}"}, judged_by_server={"name": "the namespace that it is in may be missing"}),
    Base("login_mfa_methods", "totp", {"name": "m{n}", "type": "totp", "issuer": "x"}),
    Base(
        "quotas",
        "",
        {"name": "values{n}", "rate": 10, "path": "auth/values"},
        prepare=[Request("POST", "sys/auth/values", {"type": "approle"})],
        judged_by_server={"path": "what it names may be mounted later"},
        cleanup=[Request("DELETE", "sys/auth/values")],
        at_root=True,
    ),
    *(
        Base(
            "auth_methods",
            kind,
            {"path": "m{n}", "type": kind, "config": config},
            nested={"config": config_of(kind)},
            judged_by_server={"config.kubernetes_ca_cert": "without one it takes that of its own pod"},
            skipped={
                "type": "is another method",
                "secret_config": "is never compared",
                **dict.fromkeys(
                    (f"config.{name}" for name in ("oidc_discovery_url", "jwks_url", "jwks_pairs")),
                    "the server goes to the address",
                ),
            },
        )
        for kind, config in (
            ("kubernetes", {"kubernetes_host": "https://cluster.example", "kubernetes_ca_cert": CERTIFICATE}),
            ("jwt", {"jwt_validation_pubkeys": [PUBLIC_KEY]}),
            ("cert", {}),
        )
    ),
    Base("auth_methods", "userpass", {"path": "m{n}", "type": "userpass"}),
    Base(
        "auth_methods",
        "ldap",
        {"path": "people", "type": "ldap", "config": {"url": "ldap://directory.example"}},
        nested={"config": config_of("ldap")},
        # the others are those of every method
        skipped={
            **dict.fromkeys((*TUNE, "path", "local", "seal_wrap", "user_lockout_config"), "tried above"),
            "type": "is another method",
            "secret_config": "is never compared",
            "config.bindpass": "is a secret",
            "config.client_tls_key": "is a secret",
            "config.client_tls_cert": "needs the key of a pair",
        },
        version="2.6.2",
    ),
    role("ldap", version="2.6.2"),
    *(
        Base(
            "login_mfa_methods",
            kind,
            {"name": "m{n}", "type": kind, **item},
            skipped={
                "type": "is another type",
                **dict.fromkeys(("secret_key", "integration_key", "api_token", "settings_file_base64"), "is a secret"),
                **dict.fromkeys(
                    (name for name in login_mfa.LoginMfaMethods.item if name not in (*login_mfa.BY_TYPE[kind], "name")),
                    "is of another type",
                ),
            },
        )
        for kind, item in (
            ("duo", {"api_hostname": "duo.example", "integration_key": "an-integration-key", "secret_key": "a-key"}),
            ("okta", {"org_name": "example", "api_token": "a-token-of-okta"}),
            ("pingid", {"settings_file_base64": PINGID}),
        )
    ),
]

#: engines, and what is declared inside them
FULL = {"name": "full"}


def engine(kind: str, **more: Any) -> Request:
    """Return the request that mounts a secrets engine at the path of its type."""
    return Request("POST", f"sys/mounts/{kind}", {"type": kind, **more})


MOUNT = {"mount": "leads to another mount"}
OTHER = {"type": "is another type"}
REFERS = {
    **dict.fromkeys(
        ("key", "assignments", "scopes_supported", "entity_ids", "group_ids"), "names what may come earlier"
    ),
    **dict.fromkeys(("ttl", "id_token_ttl", "rotation_period"), "is held against the key's own times"),
}
BASES += [
    Base(
        "secrets_engines",
        "",
        {"path": "m{n}", "type": "pki"},
        skipped={"type": "is another engine", "config": "is of KV"},
        judged_by_server={"tune.plugin_version": "the catalogue is its own"},
    ),
    Base(
        "secrets_engines",
        "kv",
        {"path": "k{n}", "type": "kv-v2"},
        skipped=dict.fromkeys(("type", "path", "local", "seal_wrap", "external_entropy_access", "tune"), "tried above"),
    ),
    Base(
        "secrets",
        "",
        {"mount": "kv", "path": "s{n}", "data": {"a": "b"}},
        prepare=[engine("kv", options={"version": "2"})],
        skipped=MOUNT,
    ),
    Base("pki_roles", "", {"mount": "pki", "name": "r{n}"}, prepare=[engine("pki")], skipped=MOUNT),
    Base("transit_keys", "", {"mount": "transit", "name": "k{n}"}, prepare=[engine("transit")], skipped=MOUNT),
    Base(
        "ssh_roles",
        "ca",
        {"mount": "ssh", "name": "r{n}", "key_type": "ca", "allow_user_certificates": True},
        prepare=[engine("ssh")],
        skipped=MOUNT,
    ),
    Base(
        "ssh_roles",
        "otp",
        {"mount": "ssh", "name": "r{n}", "key_type": "otp", "default_user": "u"},
        prepare=[engine("ssh")],
        skipped=MOUNT,
    ),
    Base(
        "database_roles",
        "dynamic",
        {"mount": "database", "name": "r{n}", "db_name": "main"},
        prepare=[engine("database")],
        skipped=MOUNT,
        judged_by_server={"credential_type": "wants more of its configuration"},
    ),
    Base(
        "database_connections",
        "",
        {
            "mount": "database",
            "name": "c{n}",
            "plugin_name": "postgresql-database-plugin",
            "connection_url": "postgresql://{{{{username}}}}:{{{{password}}}}@h/d",
            "root_username": "u",
            "verify_connection": False,
        },
        prepare=[engine("database")],
        skipped={
            "mount": "leads to another mount",
            "plugin_name": "is another plugin",
            "rotate_root": "goes to the database",
            "root_password": "is never compared",
        },
    ),
    Base("oidc", "key", {"type": "key", "name": "k{n}"}, skipped=OTHER, judged_by_server=REFERS),
    Base("oidc", "client", {"type": "client", "name": "c{n}"}, skipped=OTHER, judged_by_server=REFERS),
    Base("oidc", "scope", {"type": "scope", "name": "s{n}"}, skipped=OTHER, judged_by_server=REFERS),
    Base("oidc", "role", {"type": "role", "name": "r{n}", "key": "default"}, skipped=OTHER, judged_by_server=REFERS),
    Base("oidc", "assignment", {"type": "assignment", "name": "a{n}"}, skipped=OTHER, judged_by_server=REFERS),
    Base("oidc", "provider", {"type": "provider", "name": "p{n}"}, skipped=OTHER, judged_by_server=REFERS),
]

#: kinds without a base, each with the reason
WITHOUT_VALUES: dict[str, str] = {
    **dict.fromkeys(
        ("audit_devices", "cors", "ui_headers", "audited_headers", "pki_acme"),
        "is of the whole server or a whole mount; its own test tries its values",
    ),
    **dict.fromkeys(("pki_cas", "ssh_cas"), "is made once; its own test tries its values"),
    **dict.fromkeys(("aws_configs", "aws_roles"), "OpenBao has no such engine"),
    "approle_secret_ids": "keeps files; its own test tries its values",
    "pki_certificates": "keeps files; its own test tries its values",
    "endpoints": "compares as it is told to",
    "login_mfa_enforcements": "holds names of other objects only",
}

ROWS += [
    Row(
        "ssh_roles",
        "ca",
        "ssh/roles/full",
        {
            "key_type": "ca",
            "default_user": "ubuntu",
            "default_user_template": True,
            "allowed_users": "ubuntu,debian",
            "allowed_users_template": True,
            "allowed_domains": "example.com",
            "allowed_domains_template": True,
            "allow_bare_domains": True,
            "allow_subdomains": True,
            "allow_user_certificates": True,
            "allow_host_certificates": True,
            "allow_user_key_ids": True,
            "allow_empty_principals": True,
            "allowed_critical_options": "force-command",
            "default_critical_options": {"force-command": "/bin/true"},
            "allowed_extensions": "permit-pty",
            "default_extensions": {"permit-pty": ""},
            "default_extensions_template": True,
            "allowed_user_key_lengths": {"rsa": [2048]},
            "algorithm_signer": "rsa-sha2-512",
            "key_id_format": "custom-{{token_display_name}}",
            "ttl": "10m",
            "max_ttl": "20m",
            "not_before_duration": "45s",
            "allow_commas_in_identity_templates": True,
            "allow_wildcards_in_identity_templates": True,
        },
        {"mount": "ssh", **FULL},
        [({"ttl": "15m"}, {"ttl": 900})],
        left_out={
            **dict.fromkeys(("cidr_list", "exclude_cidr_list", "port"), "is of the other type"),
            "issuer_ref": "names an issuer that must exist",
            "role": "its name",
        },
        prepare=[engine("ssh")],
    ),
    Row(
        "transit_keys",
        "",
        "transit/keys/full/config",
        {
            "min_decryption_version": 1,
            "min_encryption_version": 1,
            "deletion_allowed": True,
            "exportable": True,
            "allow_plaintext_backup": True,
            "auto_rotate_period": "2h",
        },
        {"mount": "transit", **FULL},
        [({"auto_rotate_period": "3h"}, {"auto_rotate_period": 10800})],
        prepare=[engine("transit"), Request("POST", "transit/keys/full", {})],
        read="transit/keys/full",
    ),
    Row(
        "database_roles",
        "dynamic",
        "database/roles/full",
        {
            "db_name": "main",
            "default_ttl": 3600,
            "max_ttl": 7200,
            "creation_statements": ["a"],
            "revocation_statements": ["b"],
            "rollback_statements": ["c"],
            "renew_statements": ["d"],
            "credential_type": "rsa_private_key",
            "credential_config": {"key_bits": 4096, "format": "pkcs8"},
        },
        {"mount": "database", "db_name": "main", **FULL},
        [
            ({"default_ttl": "2h"}, {"default_ttl": 7200}),
            ({"credential_config": {"key_bits": 3072}}, {"credential_config": {"key_bits": 3072, "format": "pkcs8"}}),
        ],
        prepare=[engine("database")],
    ),
    Row(
        "secrets_engines",
        "kv",
        "kv/config",
        {"max_versions": 5, "cas_required": True, "delete_version_after": "1h", "metadata_cas_required": True},
        {"path": "kv", "type": "kv-v2"},
        [({"config": {"max_versions": 6}}, {"max_versions": 6})],
        prepare=[engine("kv", options={"version": "2"}), Request("GET", "sys/mounts")],
    ),
    Row(
        "secrets",
        "metadata",
        "kv/metadata/full",
        {
            "max_versions": 5,
            "cas_required": True,
            "delete_version_after": "1h",
            "custom_metadata": {"a": "b"},
            "metadata_cas_required": True,
        },
        {"mount": "kv", "path": "full"},
        [({"metadata": {"max_versions": 6}}, {"max_versions": 6})],
        left_out={"metadata_cas": "the number that a write is based on"},
        prepare=[engine("kv", options={"version": "2"})],
        restless=["current_metadata_version", "updated_time"],
    ),
    Row(
        "pki_roles",
        "",
        "pki/roles/full",
        {
            "ttl": "1h",
            "max_ttl": "2h",
            "allow_localhost": False,
            "allowed_domains": ["example.com"],
            "allowed_domains_template": True,
            "allow_bare_domains": True,
            "allow_subdomains": True,
            "allow_glob_domains": True,
            "allow_globs_in_identity_templates": True,
            "allow_wildcard_certificates": False,
            "allow_any_name": True,
            "allow_token_displayname": True,
            "allow_ip_sans": False,
            "allowed_ip_sans_cidr": ["10.0.0.0/8"],
            "allowed_uri_sans": ["spiffe://a/*"],
            "allowed_uri_sans_template": True,
            "allowed_other_sans": ["1.3.6.1.4.1.311.20.2.3;UTF8:*"],
            "allowed_serial_numbers": ["a*"],
            "allowed_user_ids": ["u"],
            "enforce_hostnames": False,
            "require_cn": False,
            "server_flag": False,
            "client_flag": False,
            "code_signing_flag": True,
            "email_protection_flag": True,
            "key_type": "ec",
            "key_bits": 384,
            "signature_bits": 384,
            "use_pss": True,
            "key_usage": ["DigitalSignature"],
            "ext_key_usage": ["ServerAuth"],
            "ext_key_usage_oids": ["1.3.6.1.5.5.7.3.17"],
            "cn_validations": ["email"],
            "use_csr_common_name": False,
            "use_csr_sans": False,
            "organization": ["o"],
            "ou": ["u"],
            "country": ["DE"],
            "locality": ["l"],
            "province": ["p"],
            "street_address": ["s"],
            "postal_code": ["1"],
            "no_store": True,
            "policy_identifiers": ["1.2.3.4"],
            "basic_constraints_valid_for_non_ca": True,
            "not_before_duration": "45s",
            "not_after_bound": "permit",
            "not_before_bound": "permit",
        },
        {"mount": "pki", **FULL},
        [({"max_ttl": "3h"}, {"max_ttl": 10800}), ({"ou": ["v"]}, {"ou": ["v"]})],
        left_out={
            "generate_lease": "contradicts no_store",
            "issuer_ref": "names an issuer that must exist",
            "not_after": "instead of ttl",
            "not_before": "instead of its duration",
            "backend": "the mount's own",
        },
        prepare=[engine("pki", config={"max_lease_ttl": "100h"})],
    ),
    Row(
        "pki_acme",
        "",
        "pki/config/acme",
        {
            "enabled": True,
            "allowed_roles": ["web"],
            "allowed_issuers": ["one"],
            "allow_role_ext_key_usage": True,
            "default_directory_policy": "role:web",
            "dns_resolver": "127.0.0.1:53",
            "eab_policy": "always-required",
        },
        {"mount": "pki"},
        [({"eab_policy": "not-required"}, {"eab_policy": "not-required"})],
        prepare=[
            engine("pki"),
            Request("POST", "pki/root/generate/internal", {"common_name": "a", "key_type": "ec", "issuer_name": "one"}),
            Request("POST", "pki/roles/web", {"allow_any_name": True, "issuer_ref": "one"}),
            Request("POST", "pki/config/cluster", {"path": "https://vault.example.com/v1/pki"}),
        ],
    ),
    Row(
        "oidc",
        "key",
        "identity/oidc/key/full",
        {"rotation_period": "12h", "verification_ttl": "13h", "allowed_client_ids": ["a"], "algorithm": "ES256"},
        {"type": "key", **FULL},
        [({"rotation_period": "11h"}, {"rotation_period": 39600})],
    ),
    Row(
        "oidc",
        "role",
        "identity/oidc/role/full",
        {"key": "default", "template": '{"a":"b"}', "client_id": "own", "ttl": "1h"},
        {"type": "role", **FULL},
        [({"ttl": "2h"}, {"ttl": 7200})],
    ),
    Row(
        "oidc",
        "scope",
        "identity/oidc/scope/full",
        {"template": '{"a":"b"}', "description": "d"},
        {"type": "scope", **FULL},
        [({"description": "e"}, {"description": "e"})],
    ),
    Row(
        "oidc",
        "assignment",
        "identity/oidc/assignment/full",
        {"entity_ids": ["*"], "group_ids": ["*"]},
        {"type": "assignment", **FULL},
        [({"entity_ids": []}, {"entity_ids": []})],
    ),
    Row(
        "oidc",
        "client",
        "identity/oidc/client/full",
        {
            "key": "default",
            "redirect_uris": ["https://a/b"],
            "assignments": ["allow_all"],
            "client_type": "confidential",
            "id_token_ttl": "30m",
            "access_token_ttl": "10m",
            "authorization_code": True,
            "client_credentials": True,
        },
        {"type": "client", **FULL},
        [({"id_token_ttl": "20m"}, {"id_token_ttl": 1200})],
    ),
    Row(
        "oidc",
        "provider",
        "identity/oidc/provider/full",
        {"issuer": "https://vault.example.com", "allowed_client_ids": ["a"], "scopes_supported": ["s"]},
        {"type": "provider", **FULL},
        [({"allowed_client_ids": ["*"]}, {"allowed_client_ids": ["*"]})],
        prepare=[Request("POST", "identity/oidc/scope/s", {"template": "{}"})],
    ),
]

#: kinds without a row, each with the reason
WITHOUT: dict[str, str] = {
    **dict.fromkeys(
        ("audit_devices", "cors", "ui_headers", "audited_headers"),
        "is of the whole server; its own test changes one field and looks at the others",
    ),
    "pki_cas": "its settings are of many paths; its own test changes each",
    "ssh_cas": "is made once, never changed",
    "database_connections": "its fields are the plugin's own; its own test changes one and compares the whole",
    **dict.fromkeys(("aws_configs", "aws_roles"), "OpenBao has no such engine"),
    "password_policies": "has one field, the policy",
    "namespaces": "has one field, its metadata",
    "approle_secret_ids": "is issued anew, never changed",
    "pki_certificates": "is issued anew, never changed",
    "endpoints": "what is declared is what is sent, by the method that is declared",
}
