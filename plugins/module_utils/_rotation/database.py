# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A password that lives in a database: changed there by the database engine, tried there, and put back there.

Source: /api-docs/secret/databases (static roles, rotate static role credentials, generate credentials, configuration).
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Mapping
from typing import Any, Callable

from .._engine.errors import InvalidInput, SecretopsError
from .._engine.secrets import KNOWN
from .._vault.base.mounts import EngineMounts
from .._vault.connection.client import Client
from .._vault.connection.errors import VaultError
from .declared import STATEMENTS, Database
from .kv import Retry

#: begins the names of what is made in a database mount for a moment
PREFIX = "rotation-"
#: what ends or leaves a quoted text of SQL, or is the server's own: no password may hold it
UNSAFE = frozenset("'\"\\;`{}\n\r\0")


class Refused(SecretopsError):
    """The database does not take the credential."""

    code = "refused"


class Credential:
    """The credential of one application in a database. All of it raises SecretopsError."""

    def __init__(
        self, client: Client, mounts: EngineMounts, declared: Database, application: str, retry: Retry
    ) -> None:
        self.client = client
        self.mounts = mounts
        self.declared = declared
        self.retry = retry
        self.connection: Mapping[str, Any] = {}
        digest = hashlib.sha256(application.encode()).hexdigest()[:16]
        self.temporary = PREFIX + digest
        #: the static role that gets a new password
        self.role = ""
        #: what was made for a moment and could not be removed, each with the reason
        self.left_behind: dict[str, str] = {}

    @property
    def mount(self) -> str:
        """The mount of the database engine."""
        return self.declared.mount

    def check(self, data: Mapping[str, Any]) -> None:
        """Refuse what cannot be done before anything is. ``data``: what the secret holds."""
        if self.mounts.require(self.mount, "database") is None:
            raise InvalidInput("nothing is mounted there", 'mount "%s"' % self.mount, "mount a database engine first")
        if self.declared.static_roles:
            self._check_roles(data)
        else:
            self._check_connection()

    def _check_roles(self, data: Mapping[str, Any]) -> None:
        users: dict[str, str] = {}
        for name in self.declared.static_roles:
            found = self._read("static-roles/%s" % name, 'static role "%s/%s"' % (self.mount, name))
            users[name] = str(found.get("username") or "")
            self.connection = self._connection(str(found.get("db_name") or ""))
        key = self.declared.username_key
        used = [name for name, user in users.items() if not key or user == data.get(key)]
        if len(users) == 2:
            # whichever the application does not use is changed, so that what it uses stays valid
            free = [name for name in users if name not in used]
            self.role = free[0] if len(free) == 1 else self.declared.static_roles[0]
        else:
            self.role = self.declared.static_roles[0]

    def _check_connection(self) -> None:
        self.connection = self._connection(self.declared.connection)
        where = 'database connection "%s/%s"' % (self.mount, self.declared.connection)
        if not self._statement():
            raise InvalidInput(
                "how a password is set by %s is not known here" % self.connection.get("plugin_name"),
                where,
                'set "statement", with {username} and {password} in it',
            )
        allowed = [str(one) for one in self.connection.get("allowed_roles") or []]
        if not any(fnmatch.fnmatchcase(self.temporary, one) for one in allowed):
            raise InvalidInput(
                "it does not let a rotation set a password", where, 'add "%s*" to its allowed_roles' % PREFIX
            )

    def _connection(self, name: str) -> dict[str, Any]:
        return self._read("config/%s" % name, 'database connection "%s/%s"' % (self.mount, name))

    def _read(self, path: str, where: str) -> dict[str, Any]:
        found = self.retry(lambda: self.client.read("%s/%s" % (self.mount, path)))
        if found is None:
            raise InvalidInput("does not exist", where, "declare it first, or correct the name")
        return found

    def _statement(self) -> str:
        return self.declared.statement or STATEMENTS.get(str(self.connection.get("plugin_name")), "")

    # -- static roles -------------------------------------------------------------------------------------------------

    def last_rotation(self) -> str:
        """Return when the static role was rotated last, as the server writes it; "" for a user of a connection."""
        return str(self._role_credentials().get("last_vault_rotation") or "") if self.role else ""

    def _role_credentials(self) -> dict[str, Any]:
        where = 'static role "%s/%s"' % (self.mount, self.role)
        found = self._read("static-creds/%s" % self.role, where)
        KNOWN.add(str(found.get("password") or ""))
        return found

    def rotate(self, before: str) -> dict[str, Any]:
        """Give the static role a new password, unless that was done since ``before``; return what the secret gets."""

        def once() -> dict[str, Any]:
            found = self._role_credentials()
            if found.get("last_vault_rotation") == before:
                # each attempt makes another password: so it is looked for before it is repeated
                path = "%s/rotate-role/%s" % (self.mount, self.role)
                self._ask_database(
                    lambda: self.client.write(path, idempotent=False), 'static role "%s/%s"' % (self.mount, self.role)
                )
                found = self._role_credentials()
            return found

        return self._values(self.retry(once))

    def _values(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the secret gets of a static role's credential."""
        values = {self.declared.key: found.get("password")}
        if self.declared.username_key:
            values[self.declared.username_key] = found.get("username")
        return values

    # -- the user of a connection -------------------------------------------------------------------------------------

    def set_password(self, password: Any) -> None:
        """Give the user of a connection a password: by a role that exists for a moment."""
        if not isinstance(password, str) or not password or UNSAFE & set(password):
            raise InvalidInput(
                "the password is empty or holds a character that a statement cannot hold",
                'key "%s"' % self.declared.key,
                'generate it with the charset "alnum"',
            )
        statement = self._statement().replace("{username}", self.declared.username).replace("{password}", password)
        role = "%s/roles/%s" % (self.mount, self.temporary)
        body = {
            "db_name": self.declared.connection,
            "creation_statements": [statement],
            # the user that the engine thinks it made does not exist
            "revocation_statements": ["SELECT 1"],
            "default_ttl": "1m",
            "max_ttl": "1m",
        }

        def act() -> None:
            self.client.write(role, body)
            self._ask_database(
                lambda: self.client.request("GET", "%s/creds/%s" % (self.mount, self.temporary), idempotent=False),
                'user "%s"' % self.declared.username,
            )

        try:
            self.retry(act)
        finally:
            self._remove(role)

    def _ask_database(self, act: Callable[[], Any], where: str) -> None:
        """Do what the database has a word in; its refusal is Refused, anything else what it was."""
        try:
            act()
        except VaultError as error:
            if error.status != 400 and (error.status != 500 or not self._has_leader()):
                raise
            raise Refused(
                "the database does not take the password (%s)" % (error.said or error.what),
                where,
                "look at its log, and whether the connection's user may change it",
            ) from error

    def _has_leader(self) -> bool:
        """Tell whether the cluster works, so that an error is not its own."""
        try:
            return bool((self.client.read("sys/leader", authenticated=False) or {}).get("leader_address"))
        except VaultError:
            return False

    # -- proofs -------------------------------------------------------------------------------------------------------

    def prove(self, values: Mapping[str, Any]) -> None:
        """Raise Refused unless the database lets the user in with the password of these values.

        A connection is configured for a moment that the server verifies by logging in.
        """
        details = dict(self.connection.get("connection_details") or {})
        username = str(values.get(self.declared.username_key) or "") if self.declared.username_key else ""
        if self.role and not username:
            username = str(self._role_credentials().get("username") or "")
        username = self.declared.username or username
        path = "%s/config/%s" % (self.mount, self.temporary)
        body = {
            **{name: value for name, value in details.items() if name not in ("username", "password")},
            "plugin_name": self.connection.get("plugin_name"),
            "username": username,
            "password": values[self.declared.key],
            "allowed_roles": [],
            "verify_connection": True,
        }
        where = 'user "%s"' % username
        try:
            self.retry(lambda: self._ask_database(lambda: self.client.write(path, body), where))
        except Refused as error:
            raise Refused("the database does not let it in with the password", where, "look at its log") from error
        finally:
            self._remove(path)

    def _remove(self, path: str) -> None:
        try:
            self.retry(lambda: self.client.delete(path))
        except VaultError as error:
            # the rotation is as good with it, and the next one that needs it removes it
            self.left_behind[path] = error.what

    def restore(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Put the former password back in the database; return what the secret is to hold of the credential.

        ``before`` is what the secret held. The password of a single static role is the server's: it cannot be put back,
        so the secret gets the one that is valid.
        """
        keys = [key for key in (self.declared.key, self.declared.username_key) if key]
        if not self.role:
            try:
                self.prove(before)
            except Refused:
                self.set_password(before.get(self.declared.key))
        if len(self.declared.static_roles) == 1:
            return self._values(self._role_credentials())
        return {key: before.get(key) for key in keys}
