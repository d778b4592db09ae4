# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Ways to log in, one class per auth method.

Each says which options it needs and turns them into a token. Source: the login endpoints of the Vault API.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from ..._engine.credential import in_header
from ..._engine.errors import InvalidInput
from ..._engine.looks import shown_path
from ..._engine.secrets import KNOWN
from ..._http import environment
from ..base.naming import check_mount, check_name
from .client import Client
from .errors import BadRequest, NotVault, PermissionDenied

KUBERNETES_TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"

#: options that come from ``BAO_x`` or ``VAULT_x`` when they are not given: AWX's own type of credential sets the second
FROM_ENVIRONMENT = {"role_id": "APPROLE_ROLE_ID", "secret_id": "APPROLE_SECRET_ID"}


def read_secret_file(path: str, option: str) -> str:
    """Return the text of a file that holds a secret, without line ends. Raises InvalidInput."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as handle:
            text = handle.read().strip()
    except (OSError, ValueError) as error:
        raise InvalidInput(
            "cannot read %s (%s)" % (shown_path(path), getattr(error, "strerror", None) or "it is no text"),
            'option "%s"' % option,
            "give the path of a readable file on the machine where the module runs",
        ) from error
    if not text:
        raise InvalidInput("%s is empty" % path, 'option "%s"' % option)
    KNOWN.add(text)
    return text


class Login:
    """One auth method. ``mount`` is its default mount path; ``leased`` says that the token is ours to revoke."""

    method: ClassVar[str] = ""
    mount: ClassVar[str] = ""
    leased: ClassVar[bool] = True

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def need(self, *names: str) -> None:
        """Raise InvalidInput when an option is missing."""
        for name in names:
            if name in FROM_ENVIRONMENT and environment.vault(FROM_ENVIRONMENT[name]):
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
        found = environment.vault(FROM_ENVIRONMENT.get(name, "")) if not self.params.get(name + "_file") else None
        if found:
            KNOWN.add(found)
            return found
        return read_secret_file(self.params[name + "_file"], name + "_file")

    def validate(self) -> None:
        """Refuse missing options before anything is sent. Raises InvalidInput."""

    def path(self) -> str:
        """Return the login path. Raises InvalidInput for a mount that would lead to another method, or another user."""
        mount = str(self.params.get("auth_mount") or self.mount).strip("/")
        try:
            check_mount(mount, 'write it like "kubernetes" or "team/approle"', "mount", blanks=True)
        except InvalidInput as error:
            raise error.at('option "auth_mount"') from None
        return "auth/%s/login" % mount

    def payload(self) -> dict[str, Any]:
        """Return the body of the login request."""
        raise NotImplementedError

    def token(self, client: Client) -> str:
        """Log in and return the token. Raises PermissionDenied, BadRequest, Unreachable, Sealed."""
        try:
            answer = client.request("POST", self.path(), self.payload(), idempotent=False, authenticated=False)
        except (PermissionDenied, BadRequest) as error:
            # what a denied request lacks is no policy here: there is no token yet
            if isinstance(error, PermissionDenied) or not error.remedy:
                error.remedy = 'check the credentials, the role and that "%s" is the method\'s mount' % (
                    self.params.get("auth_mount") or self.mount
                )
            error.what = "login by %s refused: %s" % (self.method, error.said or "status %d" % error.status)
            raise
        auth = (answer or {}).get("auth") or {}
        if not auth.get("client_token"):
            if not auth.get("mfa_requirement"):
                raise NotVault("what answers the login gives no token", client.url, 'correct "url" and "auth_mount"')
            raise PermissionDenied(
                "the server wants a second factor", self.path(), "log in without MFA, or by another method"
            )
        return str(auth["client_token"])


class TokenLogin(Login):
    """A token that exists: ``token``, ``token_file``, environment, ``~/.vault-token``."""

    method = "token"
    leased = False

    def token(self, client: Client) -> str:
        if self.params.get("token"):
            return in_header(str(self.params["token"]), "token")
        if self.params.get("token_file"):
            return read_secret_file(self.params["token_file"], "token_file")
        found = environment.vault("TOKEN")
        if found:
            return in_header(found, "token")
        for name in ("~/.vault-token", "~/.bao-token"):
            path = os.path.expanduser(name)
            if os.path.isfile(path):
                return read_secret_file(path, "token_file")
        raise InvalidInput(
            "no token is known",
            'auth_method "token"',
            'set "token", "token_file", VAULT_TOKEN or BAO_TOKEN, or choose another "auth_method"',
        )


class AppRoleLogin(Login):
    """Source: /api-docs/auth/approle#login-with-approle."""

    method, mount = "approle", "approle"

    def validate(self) -> None:
        self.need("role_id")

    def payload(self) -> dict[str, Any]:
        body = {"role_id": self.value("role_id")}
        given = self.params.get("secret_id") or self.params.get("secret_id_file")
        if given or environment.vault(FROM_ENVIRONMENT["secret_id"]):
            body["secret_id"] = self.value("secret_id")
        return body


class JwtLogin(Login):
    """Source: /api-docs/auth/jwt#jwt-login."""

    method, mount = "jwt", "jwt"

    def validate(self) -> None:
        self.need("jwt")

    def payload(self) -> dict[str, Any]:
        body = {"jwt": self.value("jwt")}
        if self.params.get("auth_role"):
            body["role"] = self.params["auth_role"]
        return body


class KubernetesLogin(Login):
    """Source: /api-docs/auth/kubernetes#login. Inside a pod the service account's own token is the default."""

    method, mount = "kubernetes", "kubernetes"

    def validate(self) -> None:
        self.need("auth_role")
        if not self.params.get("jwt") and not self.params.get("jwt_file") and not os.path.exists(KUBERNETES_TOKEN_FILE):
            self.need("jwt")

    def payload(self) -> dict[str, Any]:
        given = self.params.get("jwt") or self.params.get("jwt_file")
        jwt = self.value("jwt") if given else read_secret_file(KUBERNETES_TOKEN_FILE, "jwt_file")
        return {"role": self.params["auth_role"], "jwt": jwt}


class UserpassLogin(Login):
    """Source: /api-docs/auth/userpass#login."""

    method, mount = "userpass", "userpass"

    def validate(self) -> None:
        self.need("username", "password")

    def path(self) -> str:
        name = str(self.params["username"])
        try:
            check_name(name, "correct it", "user name", blanks=True)
        except InvalidInput as error:
            raise error.at('option "username"') from None
        return "%s/%s" % (super().path(), quote(name, safe=""))

    def payload(self) -> dict[str, Any]:
        return {"password": self.params["password"]}


class LdapLogin(UserpassLogin):
    """Source: /api-docs/auth/ldap#login-with-ldap-user."""

    method, mount = "ldap", "ldap"


class CertLogin(Login):
    """Source: /api-docs/auth/cert#login-with-tls-certificate-method."""

    method, mount = "cert", "cert"

    def validate(self) -> None:
        self.need("client_cert", "client_key")

    def payload(self) -> dict[str, Any]:
        return {"name": self.params["auth_role"]} if self.params.get("auth_role") else {}


METHODS: dict[str, type[Login]] = {
    cls.method: cls
    for cls in (TokenLogin, AppRoleLogin, JwtLogin, KubernetesLogin, UserpassLogin, LdapLogin, CertLogin)
}


def method_of(params: Mapping[str, Any]) -> str:
    """Return the auth method: the chosen one, else AppRole where the environment has one and no token is given."""
    if params.get("auth_method"):
        return str(params["auth_method"])
    token = params.get("token") or params.get("token_file") or environment.vault("TOKEN")
    return "approle" if not token and all(map(environment.vault, FROM_ENVIRONMENT.values())) else "token"


def login_for(params: Mapping[str, Any]) -> Login:
    """Return the validated login that the options choose. Raises InvalidInput."""
    login = METHODS[method_of(params)](params)
    login.validate()
    return login
