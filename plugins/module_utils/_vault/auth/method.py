# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Auth methods: the mount, its tuning and its configuration.

Source: /api-docs/system/auth, and the ``config`` endpoint of each method.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..._engine import jwt, normalise, wording
from ..._engine.errors import InvalidInput
from ..._engine.reconcile import Change, Resource
from ..base import legal
from ..base.naming import check_mount
from ..base.normalisers import count, default, lower, lower_set, networks, on_by_default, sent
from ..base.schema import Place, check_kept
from ..base.secret_fields import misplaced
from ..connection.client import Client
from ..connection.errors import BadRequest
from .mounts import MethodMounts

Table = Mapping[str, normalise.Normaliser]
#: seconds of life below which a reviewer's token is no reviewer's token
SOON = 30 * 24 * 3600


#: what roles say about the tokens, and for LDAP the method's configuration
TOKEN: Table = {
    "token_policies": lower_set,
    "token_ttl": normalise.duration,
    "token_max_ttl": normalise.duration,
    "token_explicit_max_ttl": normalise.duration,
    "token_period": normalise.duration,
    "token_num_uses": count,
    "token_bound_cidrs": networks,
    "token_strictly_bind_ip": normalise.boolean,
    "token_no_default_policy": normalise.boolean,
    "token_type": default("default"),
}
#: tunable fields of a mount, by their names in the module and in the API
TUNE: Table = {
    "description": normalise.scalar,
    "default_lease_ttl": normalise.duration,
    "max_lease_ttl": normalise.duration,
    # the server leaves "hidden" out when it is the default
    "listing_visibility": lambda value: "" if value in (None, "hidden") else str(value),
    "token_type": lambda value: value or "default-service",
    "passthrough_request_headers": normalise.string_set,
    "allowed_response_headers": normalise.string_set,
    "audit_non_hmac_request_keys": normalise.string_set,
    "audit_non_hmac_response_keys": normalise.string_set,
}
#: fields of the lockout, as the server answers them: their normalisers, and their names in a write
LOCKOUT: Mapping[str, tuple[normalise.Normaliser, str]] = {
    "lockout_threshold": (normalise.integer, "lockout_threshold"),
    "lockout_duration": (normalise.duration, "lockout_duration"),
    # what the documentation calls otherwise, and the server drops
    "lockout_counter_reset": (normalise.duration, "lockout_counter_reset_duration"),
    "lockout_disable": (normalise.boolean, "lockout_disable"),
}
#: the types that have one
LOCKABLE = ("userpass", "approle", "ldap")
DURATIONS = ("default_lease_ttl", "max_lease_ttl")
#: fields that stand when the mount is made
FIXED = ("type", "local", "seal_wrap")

_JWT: Table = {
    "oidc_discovery_url": normalise.scalar,
    "oidc_discovery_ca_pem": normalise.pem,
    "oidc_client_id": normalise.scalar,
    "oidc_client_secret": normalise.scalar,
    "oidc_response_mode": normalise.scalar,
    "oidc_response_types": normalise.string_set,
    "jwks_url": normalise.scalar,
    "jwks_ca_pem": normalise.pem,
    "jwks_pairs": normalise.plain,
    "jwt_validation_pubkeys": lambda value: sorted(normalise.pem_list(value)),
    "bound_issuer": normalise.scalar,
    "jwt_supported_algs": normalise.string_set,
    # the server keeps names in lower case
    "default_role": lower,
    "namespace_in_state": normalise.boolean,
    "override_allowed_server_names": normalise.string_set,
    # decoded strictly: "true" is no boolean there
    "provider_config": normalise.typed,
    "skip_jwks_validation": normalise.boolean,
}
#: how to compare the fields of each type's configuration. A type that is not here is compared by `normalise.guess`
CONFIG: dict[str, Table] = {
    "kubernetes": {
        "kubernetes_host": normalise.path,
        "kubernetes_ca_cert": normalise.pem,
        "pem_keys": lambda value: sorted(normalise.pem_list(value)),
        "token_reviewer_jwt": normalise.scalar,
        "issuer": normalise.scalar,
        "disable_iss_validation": on_by_default,
        "disable_local_ca_jwt": normalise.boolean,
        "use_annotations_as_alias_metadata": normalise.boolean,
    },
    "jwt": _JWT,
    "oidc": _JWT,
    "ldap": {
        # servers are tried in this order; the server keeps addresses and this attribute in lower case
        "url": lambda value: [one.lower() for one in normalise.strings(value)],
        "userattr": lambda value: normalise.scalar(value).lower() or "cn",
        **dict.fromkeys(("binddn", "bindpass", "userdn", "groupdn", "upndomain"), normalise.scalar),
        "groupattr": default("cn"),
        "dereference_aliases": default("never"),
        "tls_min_version": default("tls12"),
        "tls_max_version": default("tls12"),
        **dict.fromkeys(("certificate", "client_tls_cert", "client_tls_key"), normalise.pem),
        **dict.fromkeys(("request_timeout", "connection_timeout"), normalise.duration),
        "max_page_size": normalise.integer,
        "deny_null_bind": on_by_default,
        **dict.fromkeys(
            (
                *("discoverdn", "insecure_tls", "starttls", "anonymous_group_search", "case_sensitive_names"),
                *("use_token_groups", "use_pre111_group_cn_behavior", "username_as_alias"),
            ),
            normalise.boolean,
        ),
        **dict.fromkeys(("userfilter", "groupfilter"), normalise.text),
        **TOKEN,
    },
    "cert": {
        "disable_binding": normalise.boolean,
        "enable_identity_alias_metadata": normalise.boolean,
        "enable_metadata_on_failures": normalise.boolean,
        "ocsp_cache_size": normalise.integer,
        "role_cache_size": normalise.integer,
    },
}
_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")


def _provider(name: str, value: Any) -> None:
    if value and not (isinstance(value, Mapping) and value.get("provider")):
        raise InvalidInput('%s has no "provider"' % name, remedy="name one, such as azure or gsuite")


_JWT_LEGAL: Mapping[str, legal.Check] = {
    "oidc_response_mode": legal.one_of("", "query", "form_post"),
    "oidc_response_types": legal.each_of("code", "id_token"),
    "jwt_supported_algs": legal.each_of(*_ALGORITHMS),
    "jwt_validation_pubkeys": legal.both(legal.given, legal.pem("(?:PUBLIC KEY|CERTIFICATE)")),
    "provider_config": _provider,
}
#: what any role, and the configuration of LDAP, may say of its tokens
TOKEN_LEGAL: Mapping[str, legal.Check] = {
    "token_bound_cidrs": legal.blocks,
    "token_num_uses": legal.between(0),
    "token_type": legal.one_of("", "default", "service", "batch"),
}
#: what the fields of each type's configuration may hold
LEGAL: Mapping[str, Mapping[str, legal.Check]] = {
    "kubernetes": {
        "kubernetes_host": legal.given,
        "kubernetes_ca_cert": legal.pem("CERTIFICATE"),
        "pem_keys": legal.pem("(?:PUBLIC KEY|CERTIFICATE)"),
    },
    "jwt": _JWT_LEGAL,
    "oidc": _JWT_LEGAL,
    "cert": {"ocsp_cache_size": legal.between(2, 100_000)},
    "ldap": {
        **TOKEN_LEGAL,
        **dict.fromkeys(("tls_min_version", "tls_max_version"), legal.one_of("tls10", "tls11", "tls12", "tls13")),
        "certificate": legal.pem("CERTIFICATE"),
    },
}
_AWS_ALIASES = ("iam_alias", "iam_metadata", "ec2_alias", "ec2_metadata")
CONFIG["aws"] = {
    **dict.fromkeys(("access_key", "secret_key", "endpoint", "iam_endpoint", "sts_endpoint"), normalise.scalar),
    **dict.fromkeys(("sts_region", "iam_server_id_header_value", "role_arn"), normalise.scalar),
    **dict.fromkeys(("identity_token_audience", "rotation_schedule"), normalise.scalar),
    **dict.fromkeys(("identity_token_ttl", "rotation_period", "rotation_window"), normalise.duration),
    **dict.fromkeys(("use_sts_region_from_client", "disable_automated_rotation"), normalise.boolean),
    "allowed_sts_header_values": normalise.string_set,
    "max_retries": normalise.integer,
    **dict.fromkeys(("iam_alias", "ec2_alias"), default("role_id")),
    **dict.fromkeys(("iam_metadata", "ec2_metadata"), normalise.string_set),
}
#: types whose configuration is in several places: which fields each of them has; the first one has all others
PLACES: dict[str, dict[str, tuple[str, ...]]] = {"aws": {"config/client": (), "config/identity": _AWS_ALIASES}}
#: types without a ``config`` endpoint
WITHOUT_CONFIG = ("approle", "userpass", "token")
#: types whose ``config`` is replaced as a whole by a write: a secret in it that is not sent is lost
REPLACED = ("kubernetes", "jwt", "oidc")
#: types whose ``config`` keeps what a write does not say. Source: the endpoints of both products
PARTIAL = ("ldap", "aws")
#: of these a ``jwt`` or ``oidc`` configuration holds exactly one
KEY_SOURCES = frozenset(("jwt_validation_pubkeys", "jwks_url", "jwks_pairs", "oidc_discovery_url"))
#: what a read answers but a write does not take
ANSWERED_ONLY = frozenset(("token_reviewer_jwt_set", "status"))
#: never returned by the server, without being a secret
UNREADABLE: dict[str, frozenset[str]] = {
    "ldap": frozenset(("client_tls_cert",)),
    # says how to take this very write
    **dict.fromkeys(("jwt", "oidc"), frozenset(("skip_jwks_validation",))),
}
#: which fields name an account or a server, and the credentials that belong to it and go with a change of it
CREDENTIALS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ldap": (("url", "binddn"), ("bindpass", "client_tls_cert", "client_tls_key")),
    "aws": (("access_key",), ("secret_key",)),
}


class AuthMethod(Resource):
    """One auth method. Fields of its configuration are named ``config.<field>``."""

    kind = "auth method"
    holds_data = True
    rank = 10

    def __init__(self, client: Client, mounts: MethodMounts, item: Mapping[str, Any]) -> None:
        self.client = client
        self.mounts = mounts
        self.item = item
        path = normalise.path(item.get("path") or item.get("type"))
        self.type = str(item.get("type") or "")
        open_config = {str(key): value for key, value in (item.get("config") or {}).items() if value is not None}
        secret_config = {
            str(key): value for key, value in (item.get("secret_config") or {}).items() if value is not None
        }
        desired: dict[str, Any] | None = None
        if item.get("state") != "absent":
            desired = {name: item.get(name) for name in (*FIXED, *TUNE)}
            for name, value in (item.get("user_lockout_config") or {}).items():
                desired["lockout." + name] = value
            desired.update({"config." + key: value for key, value in {**open_config, **secret_config}.items()})
        table = CONFIG.get(self.type, {})
        lockout = {"lockout." + name: function for name, (function, _sent) in LOCKOUT.items()}
        self.fields = {**TUNE, **lockout, **{"config." + key: function for key, function in table.items()}}
        self.secret_fields = frozenset("config." + key for key in secret_config)
        self.write_only_fields = frozenset("config." + key for key in UNREADABLE.get(self.type, ()))
        self.configured = bool(open_config or secret_config)
        #: what is to be asked once the method is there
        self._doubts: list[str] = []
        super().__init__(path, desired)

    @property
    def _mount(self) -> str:
        return "sys/auth/%s" % self.name

    def _places(self) -> dict[str, set[str]]:
        """Return the API paths of the declared configuration, each with the names of its fields."""
        declared = {key[len("config.") :] for key in self.desired or {} if key.startswith("config.")}
        places = PLACES.get(self.type) or {"config": ()}
        others = {name for names in places.values() for name in names}
        found: dict[str, set[str]] = {}
        for place, names in places.items():
            mine = declared & set(names) if names else declared - others
            if mine:
                found["auth/%s/%s" % (self.name, place)] = mine
        return found

    def check(self) -> None:
        if not self.name:
            raise InvalidInput("neither path nor type is given", remedy='give "type"')
        check_mount(self.name, 'write it like "kubernetes" or "team/approle"', blanks=True)
        if self.name.startswith("auth/"):
            raise InvalidInput('the path begins with "auth/", which the server adds', remedy='leave "auth/" out')
        if self.name.split("/")[0] == "token" and self.desired is None:
            raise InvalidInput("the server's own method cannot be removed", remedy="leave it")
        if self.desired is None:
            if self.mounts.get(self.name) is not None and self.mounts.own() == self.name:
                raise InvalidInput(
                    "the module's own token comes from it and would end with it", remedy="log in by another method"
                )
            return
        if not self.type:
            raise InvalidInput("no type is given", remedy='give "type"')
        misplaced(self.item.get("config"), "config", "secret_config")
        twice = set(self.item.get("config") or {}) & set(self.item.get("secret_config") or {})
        if twice:
            raise InvalidInput(
                '"%s" stands in both "config" and "secret_config"' % sorted(twice)[0], remedy="keep one of the two"
            )
        default, longest = (normalise.seconds(self.desired.get(name)) for name in DURATIONS)
        if default and longest and default > longest:
            raise InvalidInput("default_lease_ttl is longer than max_lease_ttl", remedy="correct one of the two")
        if self.configured and self.type in WITHOUT_CONFIG:
            raise InvalidInput(
                'type "%s" has no configuration' % self.type, remedy='remove "config" and "secret_config"'
            )
        lockout = [name for name in self.desired if name.startswith("lockout.")]
        if lockout and self.type not in LOCKABLE:
            raise InvalidInput(
                "a method of type %s locks nobody out" % self.type, remedy='remove "user_lockout_config"'
            )
        if (self.desired.get("lockout.lockout_threshold") or 0) < 0:
            raise InvalidInput("lockout_threshold is negative", remedy="give 0 for the server's own")
        legal.check_all(self.desired, LEGAL.get(self.type, {}), "config.")
        self._check_reviewer()
        self._check_mount()
        self._check_known()

    def _config(self, name: str) -> Any:
        return (self.desired or {}).get("config." + name)

    def _check_known(self) -> None:
        """Refuse configuration that the server would drop. Raises InvalidInput."""
        for path, names in self._places().items():
            mount = "auth/%s" % self.name
            place = Place(mount, self.type, path[len(mount) + 1 :])
            doubt = self.mounts.fields.check_inside(place, names, "type %s" % self.type)
            if doubt:
                self._doubts.append(doubt)
                self.warnings.append(doubt)

    def _check_reviewer(self) -> None:
        """Refuse a reviewer's token that ends soon: nothing renews it, and every login fails from then on."""
        end = jwt.expiry(str((self.desired or {}).get("config.token_reviewer_jwt") or ""))
        if end is None:
            return
        text = "its token_reviewer_jwt ends at %s, and no login works from then on" % time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)
        )
        remedy = (
            'leave it out and set "disable_local_ca_jwt", so that each token reviews itself, or give one without an '
            "end, of a Secret of the type kubernetes.io/service-account-token"
        )
        if end - time.time() < SOON:
            raise InvalidInput(text, remedy=remedy)
        self.warnings.append("%s; %s" % (text, remedy))

    def _check_mount(self) -> None:
        """Compare what cannot be changed with what stands there, before anything changes."""
        mount = self.mounts.get(self.name)
        if mount is None:
            if self._config("oidc_client_id") and not self._config("oidc_client_secret"):
                raise InvalidInput(
                    "oidc_client_id is given without its secret", remedy='give "oidc_client_secret" in "secret_config"'
                )
            for path in self.mounts.all():
                if path.startswith(self.name + "/") or self.name.startswith(path + "/"):
                    raise InvalidInput('the auth method "%s" is in the way' % path, remedy="choose another path")
            self.mounts.check_type(self.type)
            return
        for name in FIXED:
            desired = (self.desired or {}).get(name)
            if desired is not None and mount.get(name) != desired:
                raise InvalidInput(
                    "an auth method with %s %s is mounted there, not %s" % (name, mount.get(name), desired),
                    remedy='choose another path, or remove it first with "state: absent", which loses its roles',
                )

    def read(self) -> Mapping[str, Any] | None:
        mount = self.mounts.get(self.name)
        if mount is None:
            return None
        self.info["accessor"] = mount.get("accessor")
        tune = mount.get("config") or {}
        current: dict[str, Any] = {name: mount.get(name) for name in (*FIXED, "description")}
        current.update({name: tune.get(name) for name in TUNE if name != "description"})
        lockout = tune.get("user_lockout_config") or {}
        for name, (_function, other) in LOCKOUT.items():
            current["lockout." + name] = lockout.get("user_" + other)
        for path, names in self._places().items() if self.desired is not None else ():
            config = self.client.read(path)
            if config is not None:
                current.update({"config." + key: value for key, value in config.items()})
                # a secret that the server does not return is write-only, once there is a configuration at all
                self.write_only_fields |= self.secret_fields & {"config." + key for key in names - set(config)}
        return current

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        names = set(super().compare(current, desired))
        # the one case where the server says whether a write-only field is set
        reviewer = "config.token_reviewer_jwt"
        if reviewer in desired and current.get("config.token_reviewer_jwt_set") is False:
            names.add(reviewer)
        accounts, credentials = CREDENTIALS.get(self.type, ((), ()))
        if names & {"config." + name for name in accounts}:
            names |= {"config." + name for name in credentials} & self.write_only_fields & set(desired)
        changes_config = any(name.startswith("config.") for name in names)
        if changes_config and self.type in REPLACED:
            lost = None
            if current.get("config.token_reviewer_jwt_set") and reviewer not in desired:
                lost = "token_reviewer_jwt"
            elif current.get("config.oidc_client_id") and "config.oidc_client_secret" not in desired:
                lost = "oidc_client_secret"
            if lost:
                raise InvalidInput(
                    'changing %s would lose the "%s" that is set'
                    % (", ".join(sorted(name for name in names if name.startswith("config."))), lost),
                    remedy='declare it in "secret_config" (empty to give it up)',
                )
        return sorted(names)

    def write(self, change: Change) -> None:
        desired = self.desired or {}
        tune = {name: desired[name] for name in TUNE if name in desired}
        if change.current is None:
            body: dict[str, Any] = {name: desired[name] for name in FIXED if name in desired}
            body["description"] = tune.pop("description", "")
            body["config"] = tune
            try:
                # not repeated: a second attempt would find the path in use
                self.client.write(self._mount, body, idempotent=False)
            except BadRequest as error:
                if wording.plugin_unknown(error.said):
                    raise self.mounts.unavailable(self.type) from None
                raise
            change.touched = True
            self.mounts.forget()
            self.info["accessor"] = (self.mounts.get(self.name) or {}).get("accessor")
        else:
            differing = {name: tune[name] for name in change.fields if name in tune}
            if differing:
                self.client.write(self._mount + "/tune", differing)
                change.touched = True
        if change.current is None:
            self._ask_the_new(change)
        self._write_lockout(change)
        self._write_config(change)

    def _ask_the_new(self, change: Change) -> None:
        """Ask a method that was made a moment ago for what it knows, and undo it where that is not what is declared."""
        self.mounts.fields.forget("auth/%s" % self.name)
        self.warnings = [text for text in self.warnings if text not in self._doubts]
        try:
            self._check_known()
        except InvalidInput:
            self.delete(change)
            change.touched = False
            self.mounts.forget()
            raise

    def _write_lockout(self, change: Change) -> None:
        desired = self.desired or {}
        body: dict[str, Any] = {}
        for name, (function, other) in LOCKOUT.items():
            field = "lockout." + name
            if field in change.fields and field in desired:
                # the server wants texts of numbers and durations
                value = desired[field]
                body[other] = normalise.boolean(value) if function is normalise.boolean else normalise.scalar(value)
        if body:
            self.client.write(self._mount + "/tune", {"user_lockout_config": body})
            change.touched = True

    def _write_config(self, change: Change) -> None:
        if not any(name.startswith("config.") for name in change.fields):
            return
        prefix = len("config.")
        desired = {name[prefix:]: value for name, value in (self.desired or {}).items() if name.startswith("config.")}
        current = {name[prefix:]: value for name, value in (change.current or {}).items() if name.startswith("config.")}
        if self.type not in PARTIAL:
            left = ANSWERED_ONLY | (KEY_SOURCES if KEY_SOURCES & set(desired) else frozenset())
            empty: tuple[Any, ...] = (None, "", [], {})
            kept = {name: value for name, value in current.items() if name not in left and value not in empty}
            body = {**kept, **desired}
        else:
            names = {name[prefix:] for name in change.fields}
            body = {name: value for name, value in desired.items() if not current or name in names}
        table = CONFIG.get(self.type, {})
        unknown = set(desired) - set(table) - self._write_only()
        for path, names in self._places().items():
            # what is kept of a configuration that is replaced as a whole goes along
            mine = body if self.type not in PARTIAL else {name: body[name] for name in names if name in body}
            if not mine:
                continue
            self.client.write(path, {name: sent(value, table.get(name)) for name, value in mine.items()})
            change.touched = True
            check_kept(self.client, path, unknown & names, self.type)

    def _write_only(self) -> set[str]:
        return {name[len("config.") :] for name in self.secret_fields | self.write_only_fields}

    def delete(self, change: Change) -> None:
        self.client.delete(self._mount)


def purge(
    client: Client,
    mounts: MethodMounts,
    declared: Iterable[Resource],
    protected: Iterable[str],
    purge_data: Iterable[str],
) -> list[AuthMethod]:
    """Return what removes the methods that are not declared. Raises InvalidInput for one that is not named again."""
    keep = {resource.name for resource in declared} | {normalise.path(name) for name in protected}
    # the server's own, and the one that the module is logged in by
    keep |= {"token", mounts.own()}
    named = {normalise.path(name) for name in purge_data}
    names = sorted(set(mounts.all()) - keep)
    # namespaces of some products list methods of their own
    names = [name for name in names if (mounts.get(name) or {}).get("type") not in ("token", "ns_token")]
    unnamed = [name for name in names if name not in named]
    if unnamed:
        raise InvalidInput(
            "purging %s would lose the roles and users in it" % ", ".join('"%s"' % name for name in unnamed),
            'option "purge"',
            'name it in "purge_data" to remove it, or in "protected" to keep it',
        )
    return [AuthMethod(client, mounts, {"path": name, "state": "absent"}) for name in names]
