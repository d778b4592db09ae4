# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The fields of roles that are options of vault_auth_role. Further fields of a type are in `methods`. Pure: no I/O."""

from __future__ import annotations

from typing import Any

from ..._engine import normalise
from ..._engine.field import Field
from . import registry
from .method_type import TOKEN

FIELDS: tuple[Field, ...] = (
    Field(
        "mount",
        (
            "Path of the auth method, without C(auth/); by default the O(type).",
            "Next to O(roles), the mount of entries without one of their own.",
        ),
        sent=False,
    ),
    Field(
        "type",
        "Type of the auth method; by default that of O(mount). Next to O(roles), that of entries without "
        "one of their own.",
        choices=sorted(registry.METHODS),
        sent=False,
    ),
    Field("name", "Name of the role, user, group or certificate, or ID of the AWS account.", sent=False),
    Field(
        "subject",
        (
            "For ldap, whether O(name) is that of a group or a user; a group by default.",
            "For aws, V(sts_account) declares with which role (C(sts_role), C(external_id) in O(options)) "
            "the account with this ID is accessed.",
        ),
        choices=registry.subjects(),
        sent=False,
    ),
    *TOKEN,
    *registry.option_fields(),
    Field(
        "options",
        (
            "All other fields by their names in the API, such as C(secret_id_ttl) (approle), C(bound_claims) "
            "(jwt), C(certificate) (cert), C(bound_iam_principal_arn) (aws) or C(allowed_policies) (token).",
            "Secrets are refused here, see O(secret_options).",
        ),
        "dict",
        sent=False,
    ),
    Field(
        "secret_options",
        "Secret fields, such as C(password) (userpass) or C(role_id) (approle). They follow O(update_secrets) when the "
        "server never returns them.",
        "dict",
        secret=True,
        sent=False,
    ),
)
#: options of the module that are fields of the API as well
TYPED = tuple(field.name for field in FIELDS if field.sent)
#: options that may be given as text or as data
DOCUMENTS = frozenset(field.name for field in FIELDS if field.type == "raw")
#: deprecated fields that servers still return; they are not written
REPLACED = frozenset(
    (
        *("policies", "ttl", "max_ttl", "period", "explicit_max_ttl", "num_uses", "bound_cidrs", "bound_cidr_list"),
        *("lease", "name"),
    )
)


def as_sent(name: str, value: Any) -> Any:
    """Return an option as the server takes it: a document as text."""
    return normalise.document(value) if name in DOCUMENTS else value
