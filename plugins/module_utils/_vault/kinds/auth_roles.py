# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Roles, users and groups of auth methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..._engine import normalise
from ..auth import role as auth_role
from ..auth.mounts import MethodMounts
from ..base import secret_fields
from ..base.kind import MOUNTS, PURGE, Given, Kind
from ..connection.client import Client

ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "type": {"type": "str", "choices": sorted(auth_role.TYPES)},
    "name": {"type": "str"},
    "subject": {"type": "str", "choices": ["group", "sts_account", "user"]},
    "token_policies": {"type": "list", "elements": "str", "no_log": False},
    "token_ttl": {"type": "str", "no_log": False},
    "token_max_ttl": {"type": "str", "no_log": False},
    "token_explicit_max_ttl": {"type": "str", "no_log": False},
    "token_period": {"type": "str", "no_log": False},
    "token_num_uses": {"type": "int", "no_log": False},
    "token_bound_cidrs": {"type": "list", "elements": "str", "no_log": False},
    "token_strictly_bind_ip": {"type": "bool", "no_log": False},
    "token_no_default_policy": {"type": "bool", "no_log": False},
    "token_type": {
        "type": "str",
        "no_log": False,
        "choices": ["default", "service", "batch", "default-service", "default-batch"],
    },
    "bound_service_account_names": {"type": "list", "elements": "str"},
    "bound_service_account_namespaces": {"type": "list", "elements": "str"},
    "bound_service_account_namespace_selector": {"type": "raw"},
    "audience": {"type": "str"},
    "alias_name_source": {"type": "str", "choices": ["serviceaccount_uid", "serviceaccount_name"]},
    "options": {"type": "dict"},
    "secret_options": {"type": "dict", "no_log": True},
}


class AuthRoles(Kind):
    """Roles, users and groups of auth methods."""

    about = "Roles, users and groups of auth methods"
    tag = "auth"
    module = "vault_auth_role"
    plural = "roles"
    item = ITEM
    options = {**PURGE, **MOUNTS}
    within = ("auth_methods", "")
    update_secrets = True
    listings = tuple(auth_role.listings())

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        return secret_fields.secret_values([item.get("options") for item in declared])

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        mounts = MethodMounts(client)
        policies = auth_role.Policies(client, given.coming("policies"))
        params = given.params
        common = {"mount": params.get("mount"), "type": params.get("type")}
        entries = [auth_role.entry(item, common) for item in items]
        # of a method that the same tree makes the type is known before it is there
        known = dict(given.mounts)
        for one in entries:
            one["type"] = one["type"] or known.get(normalise.path(one["mount"])) or None
        resources = [auth_role.AuthRole(client, mounts, policies, one) for one in entries]
        if given.purge:
            resources += auth_role.purge(client, mounts, policies, resources, given)
        return resources
