# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Userpass: people log in with a name and a password stored on the server. Source: /api-docs/auth/userpass."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field
from ...base.naming import check_name
from ...connection.client import Client
from ...connection.login import Login
from ..method_type import Entries, MethodField, MethodType, Values

#: bytes of a password that bcrypt uses
LONGEST_PASSWORD = 72
PASSWORDS = ("password", "password_hash")


class UserpassLogin(Login):
    """Source: /api-docs/auth/userpass#login."""

    method = "userpass"
    options = (
        Field("username", "User name, for {methods}."),
        Field("password", "Password, for {methods}.", secret=True),
    )

    def validate(self) -> None:
        self.need("username", "password")

    def user(self) -> str:
        """Return the user name. Raises InvalidInput for one that would address another path."""
        name = str(self.params["username"])
        try:
            check_name(name, "correct it", "user name", blanks=True)
        except InvalidInput as error:
            raise error.at('option "username"') from None
        return name

    def ask(self, client: Client, mount: str) -> Any:
        # hvac quotes names for LDAP, but not these
        name, password = quote(self.user(), safe=""), self.params["password"]
        return client.api.auth.userpass.login(name, password, use_token=False, mount_point=mount)


def check_user(user: Values) -> None:
    """Refuse passwords that the server refuses. Raises InvalidInput."""
    given = [name for name in PASSWORDS if name in user]
    if len(given) > 1:
        raise InvalidInput('"password" and "password_hash" contradict each other', remedy="give one of the two")
    for name in given:
        length = len(normalise.scalar(user[name]).encode())
        if not 0 < length <= LONGEST_PASSWORD:
            raise InvalidInput(
                '"%s" is empty or longer than %d bytes' % (name, LONGEST_PASSWORD), remedy="give another one"
            )


def check_new_user(user: Values) -> None:
    """Refuse a new user without a password. Raises InvalidInput."""
    if not any(name in user for name in PASSWORDS):
        raise InvalidInput("a new user needs a password", remedy='give "password" in "secret_options"')


USERS = Entries(
    folder="users",
    fields=tuple(MethodField(name, secret=True, write_only=True) for name in PASSWORDS),
    also="policies bound_cidrs max_ttl ttl username",
    certain=frozenset(PASSWORDS),
    check=check_user,
    new=check_new_user,
)

METHOD = MethodType("userpass", login=UserpassLogin, entries=(USERS,), locks_out=True)
