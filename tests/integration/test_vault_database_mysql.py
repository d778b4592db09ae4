# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_database_connection and vault_database_role against a real server and a real MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from support.mariadb import MariaDb
from support.modules import Result
from support.openbao import VaultServer
from support.packages import Unavailable

Run = Callable[..., Result]
PASSWORD = "first-password-of-root-4712"
CREATE = "CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'"


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    try:
        server = MariaDb(PASSWORD)
    except Unavailable as reason:
        pytest.skip(str(reason))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def root(mariadb: MariaDb, unique: str) -> dict[str, Any]:
    """Options of a connection by an administrator of its own."""
    user = f"root_{unique}"[:30]
    mariadb.query(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'")
    mariadb.query(f"GRANT ALL PRIVILEGES ON *.* TO '{user}'@'%' WITH GRANT OPTION")
    return {
        "plugin_name": "mysql-database-plugin",
        "connection_url": mariadb.url.replace("{{", "{").replace("}}", "}"),
        "root_username": user,
        "root_password": PASSWORD,
    }


@pytest.fixture
def mount(run_module: Run, vault_args: dict[str, Any], unique: str) -> str:
    assert run_module("vault_secrets_engine", {**vault_args, "path": unique, "type": "database"}).changed
    return unique


@pytest.fixture
def module(run_module: Run, vault_args: dict[str, Any], mount: str) -> Run:
    def run(name: str, /, check: bool = False, **options: Any) -> Result:
        arguments = {**vault_args, "mount": mount, **options}
        result = run_module(f"vault_database_{name}", arguments, check=check, diff=True)
        result.hides(PASSWORD)
        return result

    return run


def users(mariadb: MariaDb) -> list[str]:
    return mariadb.query("SELECT User FROM mysql.user").splitlines()


def hashes(mariadb: MariaDb) -> dict[str, str]:
    lines = mariadb.query("SELECT User, authentication_string FROM mysql.user").splitlines()
    return dict(line.split("\t") for line in lines)


def test_life_of_a_connection(module: Run, openbao: VaultServer, mount: str, root: dict[str, Any]) -> None:
    client = openbao.client()
    wanted = {**root, "name": "main", "allowed_roles": ["a", "b"], "max_open_connections": 3}
    wanted["max_connection_lifetime"] = "5m"
    assert module("connection", check=True, **wanted).changed
    assert client.list(f"{mount}/config") is None
    made = module("connection", **wanted)
    assert made.changed, made.msg
    details = client.read(f"{mount}/config/main")["data"]["connection_details"]
    assert details["connection_url"].startswith("{{username}}:{{password}}@tcp(127.0.0.1:")
    again = module("connection", **{**wanted, "allowed_roles": ["b", "a"], "max_connection_lifetime": "300s"})
    assert not again.failed and not again.changed, again.get("results")

    planned = module("connection", check=True, name="main", max_open_connections=4)
    assert planned["results"][0]["fields"] == ["max_open_connections"]
    assert planned["diff"][0]["after"] == "max_open_connections: 4\n"
    assert client.read(f"{mount}/config/main")["data"]["connection_details"]["max_open_connections"] == 3
    assert module("connection", name="main", max_open_connections=4).changed
    kept = client.read(f"{mount}/config/main")["data"]
    assert kept["allowed_roles"] == ["a", "b"] and kept["connection_details"]["max_open_connections"] == 4

    assert module("connection", check=True, name="main", state="absent").changed
    assert module("connection", name="main", state="absent").changed
    assert not module("connection", name="main", state="absent").changed
    assert client.list(f"{mount}/config") is None


def test_what_the_database_refuses_leaves_nothing(
    module: Run, openbao: VaultServer, mount: str, root: dict[str, Any]
) -> None:
    wrong = "another-password-0816"
    refused = module("connection", name="bad", **{**root, "root_password": wrong})
    assert refused.failed and "Access denied for user" in refused.msg, refused.msg
    refused.hides(wrong)
    url = root["connection_url"].replace("{password}", wrong)
    refused = module("connection", name="bad", **{**root, "connection_url": url})
    assert refused.failed and "the connection_url holds a password" in refused.msg, refused.msg
    refused.hides(wrong)
    assert openbao.client().list(f"{mount}/config") is None


def test_root_is_rotated_once(
    module: Run, openbao: VaultServer, mount: str, root: dict[str, Any], mariadb: MariaDb
) -> None:
    user = root["root_username"]
    wanted = {**root, "name": "own", "allowed_roles": ["*"], "rotate_root": "once"}
    assert module("connection", check=True, **wanted).changed
    assert mariadb.login(user, PASSWORD)
    made = module("connection", **wanted)
    assert made.changed and made["root_rotated"], made.msg
    assert not mariadb.login(user, PASSWORD)
    secret = hashes(mariadb)[user]
    for _ in range(2):
        again = module("connection", **wanted, update_secrets="always")
        assert not again.failed and not again.changed, again.get("results")
        assert again["root_rotated"] == made["root_rotated"]
    # another setting is changed without the password of the past
    assert module("connection", **wanted, max_open_connections=7, update_secrets="always").changed
    assert hashes(mariadb)[user] == secret
    # and the server itself still gets in
    assert module("role", name="r", db_name="own", creation_statements=[CREATE]).changed
    assert mariadb.login(*credentials(openbao, f"{mount}/creds/r")[:2])


def credentials(openbao: VaultServer, path: str) -> tuple[str, str, str]:
    answer = openbao.client().read(path)
    return answer["data"]["username"], answer["data"]["password"], answer["lease_id"]


def test_dynamic_role_hands_out_users(
    module: Run, openbao: VaultServer, mount: str, root: dict[str, Any], mariadb: MariaDb
) -> None:
    client = openbao.client()
    assert module("connection", **root, name="main", allowed_roles=["read*"]).changed
    wanted: dict[str, Any] = {
        "name": "reader",
        "db_name": "main",
        "creation_statements": [CREATE, "GRANT SELECT ON *.* TO '{name}'@'%'"],
        "default_ttl": "1h",
        "max_ttl": "24h",
    }
    assert module("role", check=True, **wanted).changed and client.list(f"{mount}/roles") is None
    made = module("role", **wanted)
    assert made.changed and not made.get("warnings"), made.get("warnings")
    user, password, lease = credentials(openbao, f"{mount}/creds/reader")
    assert mariadb.login(user, password)
    assert "GRANT SELECT ON" in mariadb.query("SHOW GRANTS", user, password)
    with pytest.raises(RuntimeError, match="Access denied"):
        mariadb.query("CREATE DATABASE not_for_readers", user, password)
    client.sys.revoke_lease(lease)
    assert not mariadb.login(user, password) and user not in users(mariadb)

    again = module("role", **{**wanted, "default_ttl": "60m", "max_ttl": 86400})
    assert not again.failed and not again.changed, again.get("results")
    # own statements for the end of a lease replace the plugin's
    ends = ["REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{name}'@'%'", "DROP USER '{name}'@'%'"]
    changed = module("role", **{**wanted, "revocation_statements": ends})
    assert changed["results"][0]["fields"] == ["revocation_statements"]
    user, password, lease = credentials(openbao, f"{mount}/creds/reader")
    assert mariadb.login(user, password)
    client.sys.revoke_lease(lease)
    assert user not in users(mariadb)
    assert module("role", check=True, name="reader", state="absent").changed
    assert module("role", name="reader", state="absent").changed
    assert not module("role", name="reader", state="absent").changed
    assert client.list(f"{mount}/roles") is None


def test_static_role_rotates(
    module: Run, openbao: VaultServer, mount: str, root: dict[str, Any], mariadb: MariaDb
) -> None:
    client, user = openbao.client(), f"app_{mount}"[:30]
    mariadb.query(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'known-to-many-0816'")
    assert module("connection", **root, name="main", allowed_roles=["app"]).changed
    wanted = {"name": "app", "type": "static", "db_name": "main", "db_username": user, "rotation_period": "1d"}
    assert module("role", check=True, **wanted).changed and mariadb.login(user, "known-to-many-0816")
    made = module("role", **wanted)
    assert made.changed, made.msg
    first = client.read(f"{mount}/static-creds/app")["data"]["password"]
    assert mariadb.login(user, first) and not mariadb.login(user, "known-to-many-0816")
    again = module("role", **{**wanted, "rotation_period": "24h"})
    assert not again.failed and not again.changed and again["last_rotation"]
    client.write_data(f"{mount}/rotate-role/app", data={})
    second = client.read(f"{mount}/static-creds/app")["data"]["password"]
    assert second != first and mariadb.login(user, second) and not mariadb.login(user, first)
    changed = module("role", **{**wanted, "rotation_period": "12h"})
    assert changed["results"][0]["fields"] == ["rotation_period"]
    changed.hides(second)
    assert client.read(f"{mount}/static-creds/app")["data"]["password"] == second
    assert module("role", name="app", type="static", state="absent").changed
    # the user is the database's own, and stays
    assert mariadb.login(user, second)
