# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The base of the logins of all auth methods.

The logins are in `auth.methods`, the choice of one in `auth.registry`. Source: the login endpoints of
the Vault API.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ..._engine.errors import InvalidInput
from ..._engine.field import Field
from ..._engine.secret_patterns import shown_path
from ..._engine.secrets import KNOWN
from ..._http import environment
from ..base.naming import check_mount
from .client import Client
from .errors import BadRequest, NotVault, PermissionDenied

#: an option of several methods
AUTH_ROLE = Field("auth_role", "Role to log in with, for {methods}.")


def read_secret_file(path: str, option: str) -> str:
    """Return the text of a file that holds a secret, without line ends. Raises InvalidInput."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as handle:
            text = handle.read().strip()
    except (OSError, ValueError) as error:
        raise InvalidInput(
            "cannot read %s (%s)" % (shown_path(path), getattr(error, "strerror", None) or "it is not text"),
            'option "%s"' % option,
            "give the path of a readable file on the machine where the module runs",
        ) from error
    if not text:
        raise InvalidInput("%s is empty" % path, 'option "%s"' % option)
    KNOWN.add(text)
    return text


class Login:
    """The login of one auth method. ``leased`` tells that the module has to revoke the token."""

    #: name of the method, and its default mount path
    method: ClassVar[str] = ""
    leased: ClassVar[bool] = True
    #: its options. ``{methods}`` in a description stands for the methods that share the option
    options: ClassVar[Sequence[Field]] = ()
    #: options that name a file with a secret
    secret_files: ClassVar[Sequence[str]] = ()

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    @classmethod
    def likely(cls, params: Mapping[str, Any]) -> int:
        """Return a score for this method when none is chosen: the highest wins, 0 means no hint."""
        return 0

    def need(self, *names: str) -> None:
        """Raise InvalidInput when an option is missing."""
        for name in names:
            if environment.vault(name):
                continue
            if not self.params.get(name) and not (name + "_file" in self.params and self.params.get(name + "_file")):
                raise InvalidInput(
                    'auth_method "%s" needs "%s"' % (self.method, name),
                    remedy='set "%s"%s' % (name, ' or "%s_file"' % name if name + "_file" in self.params else ""),
                )

    def value(self, name: str) -> str:
        """Return an option's value, or the text of the file that ``<name>_file`` names."""
        if self.params.get(name):
            return str(self.params[name])
        found = environment.vault(name) if not self.params.get(name + "_file") else None
        if found:
            KNOWN.add(found)
            return found
        return read_secret_file(self.params[name + "_file"], name + "_file")

    def validate(self) -> None:
        """Refuse missing options before anything is sent. Raises InvalidInput."""

    def at(self) -> str:
        """Return the mount. Raises InvalidInput for a path that would address another method or user."""
        mount = str(self.params.get("auth_mount") or self.method).strip("/")
        try:
            check_mount(mount, 'write it like "kubernetes" or "team/approle"', "mount", blanks=True)
        except InvalidInput as error:
            raise error.at('option "auth_mount"') from None
        return mount

    def ask(self, client: Client, mount: str) -> Any:
        """Send the login, by hvac's class of the method (`Client.api`), and return its answer."""
        raise NotImplementedError

    def token(self, client: Client) -> str:
        """Log in and return the token. Raises PermissionDenied, BadRequest, Unreachable, Sealed."""
        try:
            answer = self.ask(client, self.at())
        except (PermissionDenied, BadRequest) as error:
            # a denied login does not lack a policy: there is no token yet
            if isinstance(error, PermissionDenied) or not error.remedy:
                error.remedy = 'check the credentials, the role and that "%s" is the method\'s mount' % (
                    self.params.get("auth_mount") or self.method
                )
            error.what = "login by %s refused: %s" % (self.method, error.said or "status %d" % error.status)
            raise
        auth = (answer or {}).get("auth") or {}
        if not auth.get("client_token"):
            if not auth.get("mfa_requirement"):
                raise NotVault("the answer to the login holds no token", client.url, 'correct "url" and "auth_mount"')
            where = "auth/%s/login" % self.at()
            raise PermissionDenied(
                "the server requires a second factor", where, "log in without MFA, or by another method"
            )
        return str(auth["client_token"])
