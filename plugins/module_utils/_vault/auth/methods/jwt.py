# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""JWT: clients log in with a JSON web token of a known issuer. Source: /api-docs/auth/jwt.

OIDC uses the same plugin, see `oidc`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field
from ...base import valid
from ...base.normalisers import count, default, lower, on_by_default
from ...connection.client import Client
from ...connection.login import AUTH_ROLE, Login
from ...products import OPENBAO, VAULT
from ..method_type import FORMER, Config, Entries, MethodField, MethodType, Values, fields_of

#: options of all logins that take a JSON web token
JWT_OPTIONS = (
    Field("jwt", "JSON web token, for {methods}.", secret=True),
    Field(
        "jwt_file",
        "Path of a file that holds the JSON web token; for O(auth_method=kubernetes) by default the pod's own service "
        "account token.",
        "path",
    ),
)
_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")


class JwtLogin(Login):
    """Source: /api-docs/auth/jwt#jwt-login."""

    method = "jwt"
    secret_files = ("jwt_file",)
    options = (AUTH_ROLE, *JWT_OPTIONS)

    def validate(self) -> None:
        self.need("jwt")

    def ask(self, client: Client, mount: str) -> Any:
        role = self.params.get("auth_role") or None
        return client.api.auth.jwt.jwt_login(role, self.value("jwt"), use_token=False, path=mount)


def _provider(name: str, value: Any) -> None:
    if value and not (isinstance(value, Mapping) and value.get("provider")):
        raise InvalidInput('%s has no "provider"' % name, remedy="name one, such as azure or gsuite")


CONFIG = Config(
    fields=(
        *fields_of("oidc_discovery_url jwks_url bound_issuer", normalise.scalar),
        *fields_of("oidc_discovery_ca_pem jwks_ca_pem", normalise.pem),
        MethodField("oidc_client_id", normaliser=normalise.scalar),
        MethodField("oidc_client_secret", normaliser=normalise.scalar, secret=True, told_by="oidc_client_id"),
        MethodField("oidc_response_mode", normaliser=normalise.scalar, check=valid.one_of("", "query", "form_post")),
        MethodField("oidc_response_types", normaliser=normalise.string_set, check=valid.each_of("code", "id_token")),
        MethodField("jwks_pairs", normaliser=normalise.plain, only=VAULT),
        MethodField(
            "jwt_validation_pubkeys",
            normaliser=lambda value: sorted(normalise.pem_list(value)),
            check=valid.all_of(valid.not_empty, valid.pem("(?:PUBLIC KEY|CERTIFICATE)")),
        ),
        MethodField("jwt_supported_algs", normaliser=normalise.string_set, check=valid.each_of(*_ALGORITHMS)),
        # the server keeps names in lower case
        MethodField("default_role", normaliser=lower),
        MethodField("namespace_in_state", normaliser=on_by_default),
        MethodField("override_allowed_server_names", normaliser=normalise.string_set, only=OPENBAO),
        # decoded strictly: "true" is not a boolean there
        MethodField("provider_config", normaliser=normalise.typed, check=_provider),
        # applies to this write only
        MethodField("skip_jwks_validation", normaliser=normalise.boolean, write_only=True, only=OPENBAO),
        MethodField("unsupported_critical_cert_extensions", only=VAULT),
    ),
    answered_only=frozenset(("status",)),
    alternatives=frozenset(("jwt_validation_pubkeys", "jwks_url", "jwks_pairs", "oidc_discovery_url")),
)


def _each(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def claims(value: Any) -> dict[str, list[str]]:
    """Return bound claims with each value as a set: the server takes one value or a list; 42 and "42" differ."""
    return {str(name): sorted({normalise.typed(one) for one in _each(item)}) for name, item in (value or {}).items()}


def check_claims(role: Values) -> None:
    """Refuse values that no claim can equal. Raises InvalidInput. Source: OpenBao, builtin/credential/jwt/claims.go."""
    bound = role.get("bound_claims")
    if bound is None:
        return
    if not isinstance(bound, Mapping):
        raise InvalidInput('"bound_claims" is not a mapping', remedy="give each claim a value or a list of values")
    glob = role.get("bound_claims_type") == "glob"
    for name, item in bound.items():
        for one in _each(item):
            if glob and not isinstance(one, str):
                raise InvalidInput(
                    'the claim "%s" is not text, and bound_claims_type is glob' % name,
                    remedy='write it as text ("%s")' % one,
                )
            if one is None or isinstance(one, (Mapping, list)) or (isinstance(one, float) and one != int(one)):
                raise InvalidInput(
                    'no claim can equal the value of "%s"' % name,
                    remedy="give a text, a whole number or a boolean",
                )


def check_role(role: Values) -> None:
    """Refuse a role that the server would refuse. Raises InvalidInput."""
    if not role.get("user_claim"):
        raise InvalidInput("no user_claim is given", remedy="give the claim that names the user, such as sub")
    if (role.get("role_type") or "oidc") == "oidc":
        if not role.get("allowed_redirect_uris"):
            raise InvalidInput(
                "a role of role_type oidc, which is the default, has no allowed_redirect_uris",
                remedy="give them, or role_type: jwt",
            )
    elif not any(role.get(name) for name in ("bound_audiences", "bound_subject", "bound_claims", "token_bound_cidrs")):
        raise InvalidInput(
            "nothing restricts who may log in",
            remedy="give bound_audiences, bound_subject, bound_claims or token_bound_cidrs",
        )


ROLES = Entries(
    fields=(
        MethodField("role_type", normaliser=default("oidc"), check=valid.one_of("", "jwt", "oidc")),
        *fields_of("bound_audiences oidc_scopes allowed_redirect_uris", normalise.string_set),
        *fields_of("bound_subject user_claim groups_claim", normalise.scalar),
        MethodField("bound_claims", normaliser=claims),
        MethodField("bound_claims_type", normaliser=default("string"), check=valid.one_of("string", "glob")),
        *fields_of("user_claim_json_pointer verbose_oidc_logging", normalise.boolean),
        MethodField("claim_mappings", normaliser=normalise.string_map),
        # -1 means none, 0 the server's default
        *fields_of("clock_skew_leeway expiration_leeway not_before_leeway", normalise.signed_duration),
        MethodField("max_age", normaliser=normalise.duration),
        MethodField(
            "callback_mode",
            normaliser=normalise.scalar,
            check=valid.one_of("client", "direct", "device"),
            only=OPENBAO,
        ),
        # seconds, as a number
        MethodField("poll_interval", normaliser=count, check=valid.between(0), only=OPENBAO),
        MethodField(
            "oauth2_metadata",
            normaliser=normalise.string_set,
            check=valid.each_of("id_token", "refresh_token", "access_token"),
            only=OPENBAO,
        ),
        *fields_of("oidc_disable_confirmation token_policies_template_claims", normalise.boolean, only=OPENBAO),
    ),
    also=FORMER + " name",
    check=check_claims,
    whole=check_role,
)

METHOD = MethodType("jwt", login=JwtLogin, config=CONFIG, entries=(ROLES,))
