# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""AppRole: machines log in with a role ID and a secret ID. Source: /api-docs/auth/approle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field
from ...._http import environment
from ...base import valid
from ...base.naming import masked
from ...base.normalisers import count, fills_in, networks, on_by_default
from ...connection.client import Client
from ...connection.login import Login
from ..method_type import Entries, MethodField, MethodType, Values


class AppRoleLogin(Login):
    """Source: /api-docs/auth/approle#login-with-approle."""

    method = "approle"
    secret_files = ("secret_id_file",)
    options = (
        Field("role_id", "Role ID, for {methods}. E(BAO_APPROLE_ROLE_ID), E(VAULT_APPROLE_ROLE_ID).", secret=True),
        Field("role_id_file", "Path of a file that holds the role ID.", "path"),
        Field(
            "secret_id",
            "Secret ID, for {methods}. E(BAO_APPROLE_SECRET_ID), E(VAULT_APPROLE_SECRET_ID).",
            secret=True,
        ),
        Field("secret_id_file", "Path of a file that holds the secret ID.", "path"),
    )

    @classmethod
    def likely(cls, params: Mapping[str, Any]) -> int:
        return 2 if all(map(environment.vault, ("role_id", "secret_id"))) else 0

    def validate(self) -> None:
        self.need("role_id")

    def ask(self, client: Client, mount: str) -> Any:
        given = self.params.get("secret_id") or self.params.get("secret_id_file")
        secret_id = self.value("secret_id") if given or environment.vault("secret_id") else None
        return client.api.auth.approle.login(self.value("role_id"), secret_id, use_token=False, mount_point=mount)


def check_role(role: Values) -> None:
    """Refuse a role by which everybody could log in. Raises InvalidInput."""
    bound = role.get("secret_id_bound_cidrs") or role.get("token_bound_cidrs")
    if not on_by_default(role.get("bind_secret_id")) and not bound:
        raise InvalidInput(
            'without "bind_secret_id" everybody who knows the role ID could log in',
            remedy='give "token_bound_cidrs" or "secret_id_bound_cidrs"',
        )


def as_stored(role: Values, name: str) -> Values:
    """Return a declaration with address blocks in the server's form."""
    blocks = role.get("secret_id_bound_cidrs")
    return {**role, "secret_id_bound_cidrs": masked(blocks)} if blocks else role


@fills_in
def token_type(value: Any) -> str:
    """Return a token type: the server stores "default-service" as "service" here."""
    return (normalise.scalar(value) or "default").replace("default-", "")


ROLES = Entries(
    fields=(
        MethodField("bind_secret_id", normaliser=on_by_default),
        MethodField("secret_id_bound_cidrs", normaliser=networks, check=valid.address_blocks),
        MethodField("secret_id_num_uses", normaliser=count, check=valid.between(0)),
        MethodField("secret_id_ttl", normaliser=normalise.duration),
        MethodField("local_secret_ids", normaliser=normalise.boolean),
        MethodField("role_id"),
        MethodField(
            "token_type",
            normaliser=token_type,
            check=valid.one_of("", "default", "service", "batch", "default-service", "default-batch"),
        ),
    ),
    fixed={"local_secret_ids": "false"},
    own_paths={"role_id": "role-id"},
    also="bound_cidr_list period policies role_name",
    certain=frozenset(("role_id",)),
    whole=check_role,
    as_stored=as_stored,
)

METHOD = MethodType("approle", login=AppRoleLogin, entries=(ROLES,), locks_out=True)
