# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Which applications are rotated, and how, as it is declared. No I/O."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .._engine import normalise
from .._engine.errors import InvalidInput
from .._vault.base.naming import check_mount, check_plain
from .._vault.engines.kv.generate import check_generate
from . import probe

#: ends the path of an entry that stands for every secret below a folder, and stands for its name elsewhere
WILDCARD = "*"
DATABASE = ("mount", "static_roles", "connection", "username", "statement", "key", "username_key")
#: how a user's password is set, by the plugin of the connection
STATEMENTS: Mapping[str, str] = {
    "postgresql-database-plugin": "ALTER ROLE \"{username}\" WITH PASSWORD '{password}'",
    "mysql-database-plugin": "ALTER USER '{username}'@'%' IDENTIFIED BY '{password}'",
    "mysql-aurora-database-plugin": "ALTER USER '{username}'@'%' IDENTIFIED BY '{password}'",
    "mysql-rds-database-plugin": "ALTER USER '{username}'@'%' IDENTIFIED BY '{password}'",
}


class Place(NamedTuple):
    """An ExternalSecret or a workload in one Kubernetes cluster; ``kind`` is empty for an ExternalSecret."""

    cluster: str
    namespace: str
    name: str
    kind: str = ""

    @property
    def label(self) -> str:
        """The object as messages name it."""
        return '%s: %s "%s/%s"' % (self.cluster, self.kind or "ExternalSecret", self.namespace, self.name)


class Database(NamedTuple):
    """Where a database password lives: static roles of the database engine, or a user that a connection may change."""

    mount: str
    static_roles: tuple[str, ...]
    connection: str
    username: str
    statement: str
    key: str
    username_key: str


class Application:
    """One application: its secret, the keys that get new values, and where these are brought to."""

    def __init__(self, item: Mapping[str, Any], clusters: Sequence[str]) -> None:
        """Take an entry as the module has it. Raises InvalidInput."""
        self.name = str(item["name"])
        self.where = 'application "%s"' % self.name
        self.mount = normalise.path(item.get("mount") or "secret")
        self.path = normalise.path(item["path"])
        try:
            check_mount(self.mount, 'write it like "secret"', "mount", blanks=True)
            if any(part in ("", ".", "..") or part != part.strip() for part in self.path.split("/")):
                raise InvalidInput("the path is empty or has an empty part", remedy='write it like "apps/shop"')
            self.generate = {
                key: check_generate(key, spec or {}) for key, spec in sorted((item.get("generate") or {}).items())
            }
            self.max_age = _seconds(item.get("max_age"), "max_age")
            self.database = _database(item.get("database"), self.generate)
            self.keep_versions = int(item.get("keep_versions") or 0)
            if self.keep_versions and self.keep_versions < 2:
                raise InvalidInput(
                    "one version leaves nothing to go back to", 'option "keep_versions"', "keep 2 or more"
                )
            self.timestamp_key = str(item.get("timestamp_key") or "")
            if self.timestamp_key in self.keys:
                raise InvalidInput(
                    'key "%s" is declared in two ways' % self.timestamp_key, remedy="keep one of the two"
                )
            if not self.keys:
                raise InvalidInput("nothing of it is rotated", remedy='name keys in "generate", or a "database"')
            self.unproven = str(item.get("unproven") or "stop")
            self.external_secrets = _places(item.get("external_secrets"), clusters, "external_secrets")
            self.workloads = _places(item.get("workloads"), clusters, "workloads")
            self.probe = probe.declared(item.get("probe"))
        except InvalidInput as error:
            raise error.at(self.where) from None

    @property
    def keys(self) -> list[str]:
        """The keys that get new values, sorted."""
        own = [self.database.key, self.database.username_key] if self.database else []
        return sorted({*self.generate, *filter(None, own)})

    @property
    def values(self) -> list[str]:
        """The keys of which a new value always differs from the old one: not the name of a user."""
        return sorted({*self.generate, *([self.database.key] if self.database else [])})

    @property
    def secret(self) -> str:
        """The secret as messages name it."""
        return "%s/%s" % (self.mount, self.path)

    @property
    def clusters(self) -> list[str]:
        """The Kubernetes clusters that it is brought to."""
        return sorted({place.cluster for place in (*self.external_secrets, *self.workloads)})

    def within(self, clusters: Collection[str]) -> Application:
        """Return the same application with only what is in some Kubernetes clusters."""
        other = copy.copy(self)
        other.external_secrets = tuple(place for place in self.external_secrets if place.cluster in clusters)
        other.workloads = tuple(place for place in self.workloads if place.cluster in clusters)
        return other


def _seconds(value: Any, option: str) -> int | None:
    try:
        found = normalise.seconds(value) if value not in (None, "") else None
    except InvalidInput as error:
        raise error.at('option "%s"' % option) from None
    return None if found is None else int(found)


def _database(item: Mapping[str, Any] | None, generate: Mapping[str, Any]) -> Database | None:
    if not item:
        return None
    roles = tuple(str(one) for one in item.get("static_roles") or [])
    connection, username = str(item.get("connection") or ""), str(item.get("username") or "")
    key, username_key = str(item.get("key") or ""), str(item.get("username_key") or "")
    where = 'option "database"'
    if bool(roles) == bool(connection):
        raise InvalidInput("it names a static role and a connection, or none", where, "give one of the two")
    if not key:
        raise InvalidInput("it does not say which key holds the password", where, 'set "key"')
    if roles and key in generate:
        raise InvalidInput(
            'the server makes the password of a static role, so "%s" cannot be generated here' % key,
            where,
            'take the key out of "generate"',
        )
    if connection and (key not in generate or not username):
        raise InvalidInput(
            "the user of a connection needs a username and a generated password",
            where,
            'set "username", and name the key "%s" in "generate"' % key,
        )
    if len(roles) > 2 or len(set(roles)) != len(roles):
        raise InvalidInput("it takes one static role, or two that take turns", where, "name one or two")
    if len(roles) == 2 and not username_key:
        raise InvalidInput("two static roles that take turns have two users", where, 'set "username_key"')
    for name in (*roles, *([connection] if connection else [])):
        check_plain(name)
    mount = normalise.path(item.get("mount") or "database")
    check_mount(mount, 'write it like "database"', "mount")
    return Database(mount, roles, connection, username, str(item.get("statement") or ""), key, username_key)


def _places(entries: Any, clusters: Sequence[str], option: str) -> tuple[Place, ...]:
    found: dict[Place, None] = {}
    for entry in entries or []:
        named = str(entry.get("cluster") or "")
        if named and named not in clusters:
            raise InvalidInput(
                'the cluster "%s" is none of this run' % named,
                'option "%s"' % option,
                "name one of %s" % (", ".join(clusters) or "the hosts of kubernetes_clusters"),
            )
        if not named and not clusters:
            raise InvalidInput(
                "there is no Kubernetes cluster", 'option "%s"' % option, "name clusters, or leave it out"
            )
        kind = str(entry.get("kind") or "Deployment") if option == "workloads" else ""
        for cluster in [named] if named else clusters:
            found[Place(cluster, str(entry["namespace"]), str(entry["name"]), kind)] = None
    return tuple(found)


def is_folder(item: Mapping[str, Any]) -> bool:
    """Tell whether an entry stands for every secret in a folder: its path ends with ``/*``."""
    return str(item["path"]).endswith("/" + WILDCARD)


def folder(item: Mapping[str, Any]) -> str:
    """Return the folder of an entry whose path ends with ``/*``."""
    return normalise.path(str(item["path"])[: -len(WILDCARD)])


def expand_folder(item: Mapping[str, Any], names: Iterable[str]) -> list[dict[str, Any]]:
    """Return an entry for each secret of a folder: ``*`` in the path and in the places stands for its name.

    ``names`` are those of a listing; folders in it are left out.
    """
    found = []
    for name in names:
        if name.endswith("/"):
            continue
        places = {
            part: [
                {**entry, **{field: str(entry[field]).replace(WILDCARD, name) for field in ("namespace", "name")}}
                for entry in item.get(part) or []
            ]
            for part in ("external_secrets", "workloads")
        }
        database = item.get("database")
        if database:
            database = {
                **database,
                "static_roles": [str(one).replace(WILDCARD, name) for one in database.get("static_roles") or []],
                "username": str(database.get("username") or "").replace(WILDCARD, name),
            }
        asked = item.get("probe")
        if asked:
            asked = {**asked, "url": str(asked["url"]).replace(WILDCARD, name)}
        named = {"name": name, "path": "%s/%s" % (folder(item), name)}
        found.append({**item, **places, **named, "database": database, "probe": asked})
    return found


def check_folder(item: Mapping[str, Any], clusters: Sequence[str]) -> None:
    """Refuse an entry for a folder that is wrong for a secret of any name. Raises InvalidInput."""
    for one in expand_folder(item, ["name"]):
        Application({**one, "name": item["name"]}, clusters)


def check_distinct(applications: Sequence[Application]) -> None:
    """Refuse two applications of one name or one secret. Raises InvalidInput."""
    names: dict[str, Application] = {}
    secrets: dict[str, Application] = {}
    for one in applications:
        if one.name in names:
            raise InvalidInput("is declared twice", one.where, "give one of the two another name")
        names[one.name] = one
        other = secrets.setdefault(one.secret, one)
        if other is not one:
            raise InvalidInput(
                'rotates the same secret as "%s": %s' % (other.name, one.secret), one.where, "make one of the two"
            )
