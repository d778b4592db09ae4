# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""LDAP: people log in with name and password of a directory. Source: /api-docs/auth/ldap."""

from __future__ import annotations

from typing import Any

from ...._engine import normalise
from ...base import valid
from ...base.normalisers import default, lower_set, on_by_default
from ...connection.client import Client
from ...products import VAULT
from ..method_type import TOKEN, Config, Entries, MethodField, MethodType, fields_of
from .userpass import UserpassLogin


class LdapLogin(UserpassLogin):
    """Source: /api-docs/auth/ldap#login-with-ldap-user."""

    method = "ldap"

    def ask(self, client: Client, mount: str) -> Any:
        return client.api.auth.ldap.login(self.user(), self.params["password"], use_token=False, mount_point=mount)


CONFIG = Config(
    fields=(
        # servers are tried in this order; the server keeps addresses and this attribute in lower case
        MethodField("url", normaliser=lambda value: [one.lower() for one in normalise.strings(value)], account=True),
        MethodField("userattr", normaliser=lambda value: normalise.scalar(value).lower() or "cn"),
        MethodField("binddn", normaliser=normalise.scalar, account=True),
        MethodField("bindpass", normaliser=normalise.scalar, secret=True, credential=True, goes_with="binddn"),
        *fields_of("userdn groupdn upndomain", normalise.scalar),
        MethodField("groupattr", normaliser=default("cn")),
        MethodField("dereference_aliases", normaliser=default("never")),
        *fields_of(
            "tls_min_version tls_max_version",
            default("tls12"),
            check=valid.one_of("tls10", "tls11", "tls12", "tls13"),
        ),
        MethodField("certificate", normaliser=normalise.pem, check=valid.pem("CERTIFICATE")),
        MethodField("client_tls_cert", normaliser=normalise.pem, write_only=True, credential=True),
        MethodField("client_tls_key", normaliser=normalise.pem, secret=True, credential=True),
        *fields_of("request_timeout connection_timeout", normalise.duration),
        MethodField("max_page_size", normaliser=normalise.integer),
        MethodField("deny_null_bind", normaliser=on_by_default),
        *fields_of(
            "discoverdn insecure_tls starttls anonymous_group_search case_sensitive_names use_token_groups "
            "use_pre111_group_cn_behavior username_as_alias",
            normalise.boolean,
        ),
        *fields_of("userfilter groupfilter", normalise.text),
        *fields_of(
            "disable_automated_rotation enable_samaccountname_login password_policy rotation_period "
            "rotation_schedule rotation_window",
            only=VAULT,
        ),
        *TOKEN,
    ),
    partial=True,
)
#: groups and users map to policies; everything else about tokens stands in the method's configuration.
#: The server keeps both, and groups' names, in lower case
_POLICIES = MethodField("policies", normaliser=lower_set)
_REMEDY = "set it in the method's configuration (vault_auth)"
GROUPS = Entries(
    folder="groups",
    subject="group",
    title="LDAP groups",
    fields=(_POLICIES,),
    tokens=False,
    remedy=_REMEDY,
    policies=("policies",),
    renamed={"token_policies": "policies"},
    also="name",
)
USERS = Entries(
    folder="users",
    subject="user",
    title="LDAP users",
    fields=(_POLICIES, MethodField("groups", normaliser=lower_set)),
    tokens=False,
    remedy=_REMEDY,
    policies=("policies",),
    renamed={"token_policies": "policies"},
    also="name",
)

METHOD = MethodType(
    "ldap",
    login=LdapLogin,
    config=CONFIG,
    entries=(GROUPS, USERS),
    locks_out=True,
    # a matter of its configuration
    case_sensitive=True,
    directory_names=True,
)
