# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Roles of SSH mounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import MOUNTS, PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..engines import ssh
from ..engines.mount import Mounted

STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}
ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "name": {"type": "str"},
    "key_type": {"type": "str", "choices": ["ca", "otp"], "no_log": False},
    "default_user": {"type": "str"},
    "default_user_template": {"type": "bool"},
    "allowed_users": STRINGS,
    "allowed_users_template": {"type": "bool"},
    "allowed_domains": STRINGS,
    "allowed_domains_template": {"type": "bool"},
    "allow_bare_domains": {"type": "bool"},
    "allow_subdomains": {"type": "bool"},
    "allow_user_certificates": {"type": "bool"},
    "allow_host_certificates": {"type": "bool"},
    "allow_user_key_ids": {"type": "bool", "no_log": False},
    "allow_empty_principals": {"type": "bool"},
    "allowed_critical_options": STRINGS,
    "default_critical_options": {"type": "dict"},
    "allowed_extensions": STRINGS,
    "default_extensions": {"type": "dict"},
    "default_extensions_template": {"type": "bool"},
    "allowed_user_key_lengths": {"type": "dict", "no_log": False},
    "algorithm_signer": {"type": "str", "choices": ["default", "ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"]},
    "issuer_ref": {"type": "str"},
    "key_id_format": {"type": "str", "no_log": False},
    "ttl": {"type": "str"},
    "max_ttl": {"type": "str"},
    "not_before_duration": {"type": "str"},
    "cidr_list": STRINGS,
    "exclude_cidr_list": STRINGS,
    "port": {"type": "int"},
}


class SshRoles(Kind):
    """Roles of SSH mounts."""

    module = "vault_ssh_role"
    plural = "roles"
    item = ITEM
    options = {**PURGE, **MOUNTS}
    within = ("secrets_engines", "ssh")
    listings = (Listing("{mount}/roles", engine="ssh"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return ssh.roles(Mounted(client), items, given)
