# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""How AWS mounts reach AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..engines import aws

ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "access_key": {"type": "str", "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "region": {"type": "str"},
    "iam_endpoint": {"type": "str"},
    "sts_endpoint": {"type": "str"},
    "sts_region": {"type": "str"},
    "max_retries": {"type": "int"},
    "username_template": {"type": "str"},
    "role_arn": {"type": "str"},
    "identity_token_audience": {"type": "str", "no_log": False},
    "identity_token_ttl": {"type": "str", "no_log": False},
    "lease": {"type": "str"},
    "lease_max": {"type": "str"},
}


class AwsConfigs(Kind):
    """How AWS mounts reach AWS."""

    module = "vault_aws_config"
    plural = "configs"
    item = ITEM
    required = ("mount",)
    update_secrets = True
    listings = (Listing("{mount}/config/root", "one", engine="aws"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        engine = aws.Engine(client)
        return [aws.Config(engine, item) for item in items]
