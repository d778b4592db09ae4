# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""AWS: instances and IAM principals log in. Source: /api-docs/auth/aws."""

from __future__ import annotations

from ...._engine import normalise
from ...base.normalisers import default, on_by_default
from ...products import VAULT
from ..method_type import Config, Entries, MethodField, MethodType, fields_of

CLIENT, IDENTITY = "config/client", "config/identity"
CONFIG = Config(
    fields=(
        MethodField("access_key", normaliser=normalise.scalar, place=CLIENT, account=True),
        MethodField(
            "secret_key",
            normaliser=normalise.scalar,
            place=CLIENT,
            secret=True,
            goes_with="access_key",
            credential=True,
        ),
        *fields_of(
            "endpoint iam_endpoint sts_endpoint sts_region iam_server_id_header_value role_arn "
            "identity_token_audience rotation_schedule",
            normalise.scalar,
            place=CLIENT,
        ),
        *fields_of("identity_token_ttl rotation_period rotation_window", normalise.duration, place=CLIENT),
        *fields_of("use_sts_region_from_client disable_automated_rotation", normalise.boolean, place=CLIENT),
        MethodField("allowed_sts_header_values", normaliser=normalise.string_set, place=CLIENT),
        MethodField("max_retries", normaliser=normalise.integer, place=CLIENT),
        *fields_of("iam_alias ec2_alias", default("role_id"), place=IDENTITY),
        *fields_of("iam_metadata ec2_metadata", normalise.string_set, place=IDENTITY),
    ),
    partial=True,
)
ROLES = Entries(
    fields=(
        MethodField("auth_type", normaliser=default("iam")),
        *fields_of(
            "bound_ami_id bound_account_id bound_region bound_vpc_id bound_subnet_id bound_iam_role_arn "
            "bound_iam_instance_profile_arn bound_ec2_instance_id bound_iam_principal_arn",
            normalise.string_set,
        ),
        *fields_of("role_tag inferred_entity_type inferred_aws_region", normalise.scalar),
        MethodField("resolve_aws_unique_ids", normaliser=on_by_default),
        *fields_of("allow_instance_migration disallow_reauthentication", normalise.boolean),
    ),
    fixed={"auth_type": "iam"},
    also="policies max_ttl period role ttl",
)
# roles in other AWS accounts; ``name`` is the account's id
STS_ACCOUNTS = Entries(
    folder="config/sts",
    subject="sts_account",
    title="a sts account",
    fields=fields_of("sts_role external_id", normalise.scalar),
    tokens=False,
    also="account_id",
)

METHOD = MethodType("aws", only=VAULT, config=CONFIG, entries=(ROLES, STS_ACCOUNTS))
