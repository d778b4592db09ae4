# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Tokens: login with an existing token, and roles that limit new tokens. Source: /api-docs/auth/token."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.credential import in_header
from ...._engine.errors import InvalidInput
from ...._engine.field import Field
from ...._http import environment
from ...base import valid
from ...base.normalisers import default, lower_set, on_by_default
from ...connection.client import Client
from ...connection.login import Login, read_secret_file
from ..method_type import Entries, MethodField, MethodType, Values, fields_of


class TokenLogin(Login):
    """An existing token: ``token``, ``token_file``, environment, ``~/.vault-token``."""

    method = "token"
    secret_files = ("token_file",)
    leased = False
    options = (
        Field(
            "token",
            (
                "Token, for {methods}.",
                "Without it O(token_file), E(BAO_TOKEN), E(VAULT_TOKEN) and C(~/.vault-token) are tried, in this "
                "order.",
            ),
            secret=True,
        ),
        Field(
            "token_file",
            "Path of a file that holds the token, as P(secretops.vault_eso.vault_login#module) writes it.",
            "path",
        ),
    )

    @classmethod
    def likely(cls, params: Mapping[str, Any]) -> int:
        # the default without a hint of another method
        return 3 if params.get("token") or params.get("token_file") or environment.vault("token") else 1

    def token(self, client: Client) -> str:
        if self.params.get("token"):
            return in_header(str(self.params["token"]), "token")
        if self.params.get("token_file"):
            return read_secret_file(self.params["token_file"], "token_file")
        found = environment.vault("token")
        if found:
            return in_header(found, "token")
        for name in ("~/.vault-token", "~/.bao-token"):
            path = os.path.expanduser(name)
            if os.path.isfile(path):
                return read_secret_file(path, "token_file")
        raise InvalidInput(
            "no token was given",
            'auth_method "token"',
            'set "token", "token_file", VAULT_TOKEN or BAO_TOKEN, or choose another "auth_method"',
        )


def check_role(role: Values) -> None:
    """Refuse batch tokens that are not orphans: the server requires that. Raises InvalidInput."""
    if normalise.scalar(role.get("token_type")) == "batch":
        for name, wanted in (("orphan", True), ("renewable", False)):
            if (on_by_default if name == "renewable" else normalise.boolean)(role.get(name)) is not wanted:
                raise InvalidInput(
                    'token_type "batch" wants "%s" to be %s' % (name, normalise.scalar(wanted)),
                    remedy="declare it so, or use default-batch",
                )


# limits of the tokens of `auth/token/create/<name>`: the caller chooses policies and TTLs within them
ROLES = Entries(
    folder="roles",
    fields=(
        *fields_of("allowed_policies allowed_policies_glob allowed_entity_aliases", lower_set),
        *fields_of("disallowed_policies disallowed_policies_glob", lower_set),
        MethodField("orphan", normaliser=normalise.boolean),
        MethodField("renewable", normaliser=on_by_default),
        MethodField("path_suffix", normaliser=normalise.scalar, check=valid.matching(r"\w[\w.-]+\w", "ci-runs")),
        MethodField(
            "token_type",
            normaliser=default("default-service"),
            check=valid.one_of("service", "batch", "default-service", "default-batch"),
        ),
    ),
    without=frozenset(("token_policies", "token_ttl", "token_max_ttl", "token_strictly_bind_ip")),
    policies=("allowed_policies",),
    also="bound_cidrs explicit_max_ttl period role_name",
    whole=check_role,
)

METHOD = MethodType(
    "token",
    login=TokenLogin,
    entries=(ROLES,),
    # in a namespace it is called so
    aliases=("ns_token",),
    built_in=True,
    case_sensitive=True,
)
