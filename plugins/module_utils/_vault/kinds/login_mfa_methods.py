# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Methods of login MFA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..auth import login_mfa
from ..auth.identity.directory import Directory
from ..base.kind import PURGE_DATA, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client

ITEM: dict[str, Any] = {
    "name": {"type": "str"},
    "type": {"type": "str", "choices": sorted(login_mfa.FIELDS)},
    "issuer": {"type": "str"},
    "period": {"type": "str"},
    "algorithm": {"type": "str", "choices": ["SHA1", "SHA256", "SHA512"]},
    "digits": {"type": "int", "choices": [6, 8]},
    "skew": {"type": "int", "choices": [0, 1]},
    "key_size": {"type": "int", "no_log": False},
    "qr_size": {"type": "int"},
    "max_validation_attempts": {"type": "int"},
    "username_format": {"type": "str"},
    "api_hostname": {"type": "str"},
    "push_info": {"type": "str"},
    "use_passcode": {"type": "bool", "no_log": False},
    "integration_key": {"type": "str", "no_log": True},
    "secret_key": {"type": "str", "no_log": True},
    "org_name": {"type": "str"},
    "base_url": {"type": "str"},
    "primary_email": {"type": "bool"},
    "api_token": {"type": "str", "no_log": True},
    "settings_file_base64": {"type": "str", "no_log": True},
}


class LoginMfaMethods(Kind):
    """Methods of login MFA."""

    about = "Methods of login MFA"
    tag = "auth"
    module = "vault_login_mfa"
    plural = "methods"
    item = ITEM
    options = PURGE_DATA
    update_secrets = True
    listings = (Listing("identity/mfa/method", "info", item=""),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        methods = login_mfa.Methods(Directory(client, given))
        resources = [login_mfa.Method(methods, item) for item in items]
        if given.purge:
            declared = [resource.name for resource in resources]
            resources += login_mfa.surplus(methods, declared, given.protected, given.purge_data)
        return resources
