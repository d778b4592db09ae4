# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Which logins ask for a second factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..auth import login_mfa
from ..auth.identity.directory import Directory
from ..base.kind import PURGE, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client

ITEM: dict[str, Any] = {
    "name": {"type": "str"},
    "mfa_methods": {"type": "list", "elements": "str"},
    "auth_methods": {"type": "list", "elements": "str"},
    "auth_method_types": {"type": "list", "elements": "str"},
    "identity_groups": {"type": "list", "elements": "str"},
    "identity_entities": {"type": "list", "elements": "str"},
}


class LoginMfaEnforcements(Kind):
    """Which logins ask for a second factor."""

    about = "Which logins ask for login MFA"
    tag = "auth"
    module = "vault_login_mfa_enforcement"
    plural = "enforcements"
    item = ITEM
    options = PURGE
    listings = (Listing("identity/mfa/login-enforcement"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        methods = login_mfa.Methods(Directory(client, given))
        resources = [login_mfa.Enforcement(methods, item) for item in items]
        if given.purge:
            declared = [resource.name for resource in resources]
            resources += login_mfa.surplus_enforcements(methods, declared, given.protected)
        return resources
