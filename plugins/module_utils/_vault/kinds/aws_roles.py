# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Roles of AWS mounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import MOUNTS, PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..engines import aws

STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}
ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "name": {"type": "str"},
    "credential_type": {"type": "str", "choices": sorted(aws.TYPES)},
    "policy_arns": STRINGS,
    "policy_document": {"type": "raw"},
    "iam_groups": STRINGS,
    "iam_tags": {"type": "dict"},
    "role_arns": STRINGS,
    "session_tags": {"type": "dict"},
    "external_id": {"type": "str"},
    "default_sts_ttl": {"type": "str"},
    "max_sts_ttl": {"type": "str"},
    "user_path": {"type": "str"},
    "permissions_boundary_arn": {"type": "str"},
    "mfa_serial_number": {"type": "str"},
}


class AwsRoles(Kind):
    """Roles of AWS mounts."""

    module = "vault_aws_role"
    plural = "roles"
    item = ITEM
    options = {**PURGE, **MOUNTS}
    within = ("secrets_engines", "aws")
    listings = (Listing("{mount}/roles", engine="aws"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return list(aws.roles(client, items, given))
