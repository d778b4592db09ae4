# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Secret IDs in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..auth import approle_secret_id as approle
from ..base.kind import Given, Kind
from ..connection.client import Client

ITEM: dict[str, Any] = {
    "role": {"type": "str"},
    "dest": {"type": "path"},
    "mount": {"type": "str", "default": "approle"},
    "role_id_dest": {"type": "path"},
    "min_remaining": {"type": "str", "default": "0"},
    "metadata": {"type": "dict"},
    "cidr_list": {"type": "list", "elements": "str"},
    "token_bound_cidrs": {"type": "list", "elements": "str", "no_log": False},
    "ttl": {"type": "str"},
    "num_uses": {"type": "int"},
    "wrap_ttl": {"type": "str"},
    "destroy_others": {"type": "bool", "default": False},
}


class ApproleSecretIds(Kind):
    """Secret IDs in files."""

    about = "AppRole secret IDs that are kept in private files of the controller"
    tag = "auth"
    module = "vault_approle_secret_id"
    plural = "secret_ids"
    item = ITEM
    required = ("role", "dest")
    unlisted = "they are files of the machine that keeps them, and the server knows accessors alone"

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return [approle.SecretId(client, item) for item in items]
