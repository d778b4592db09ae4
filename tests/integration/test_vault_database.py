# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_database_connection and vault_database_role against a real server and a real PostgreSQL."""

from __future__ import annotations

import json
from typing import Any, Callable

import hvac
import pytest

from support.modules import Result
from support.openbao import VaultServer
from support.postgresql import PASSWORD, PostgreSql

Run = Callable[..., Result]
CREATE = """CREATE ROLE "{name}" WITH LOGIN PASSWORD '{password}' VALID UNTIL '{expiration}'"""
DROP = 'DROP ROLE IF EXISTS "{name}"'


@pytest.fixture
def root(postgresql: PostgreSql, unique: str) -> dict[str, Any]:
    """Options of a connection by a superuser of its own."""
    user = f"root_{unique}"
    postgresql.query(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
    return {
        "plugin_name": "postgresql-database-plugin",
        "connection_url": postgresql.url.replace("{{", "{").replace("}}", "}"),
        "root_username": user,
        "root_password": PASSWORD,
    }


@pytest.fixture
def mount(run_module: Run, vault_args: dict[str, Any], unique: str) -> str:
    assert run_module("vault_secrets_engine", {**vault_args, "path": unique, "type": "database"}).changed
    return unique


@pytest.fixture
def connection(run_module: Run, vault_args: dict[str, Any], mount: str) -> Run:
    def run(check: bool = False, diff: bool = False, **options: Any) -> Result:
        arguments = {**vault_args, "mount": mount, **options}
        return run_module("vault_database_connection", arguments, check=check, diff=diff)

    return run


@pytest.fixture
def role(run_module: Run, vault_args: dict[str, Any], mount: str) -> Run:
    def run(check: bool = False, diff: bool = False, **options: Any) -> Result:
        return run_module("vault_database_role", {**vault_args, "mount": mount, **options}, check=check, diff=diff)

    return run


def warned(result: Result) -> str:
    return str(result.get("warnings", ""))


def test_connection(connection: Run, openbao: VaultServer, mount: str, root: dict[str, Any]) -> None:
    wanted = {
        **root,
        "name": "main",
        "allowed_roles": ["a", "b"],
        "max_open_connections": 3,
        "max_connection_lifetime": "5m",
        "username_template": "v-{{.RoleName}}-{{random 8}}",
        "root_rotation_statements": """ALTER ROLE "{name}" WITH PASSWORD '{password}'""",
    }
    client = openbao.client()
    planned = connection(**wanted, check=True, diff=True)
    assert planned.changed and PASSWORD not in planned.stdout
    assert "root_password: (hidden, new value)" in planned["diff"][0]["after"]
    assert client.list(f"{mount}/config") is None
    made = connection(**wanted, diff=True)
    assert made.changed and PASSWORD not in made.stdout
    kept = client.read(f"{mount}/config/main")["data"]
    assert kept["root_credentials_rotate_statements"] == ["""ALTER ROLE "{{name}}" WITH PASSWORD '{{password}}'"""]
    assert "{{username}}:{{password}}@" in kept["connection_details"]["connection_url"]

    same = {**wanted, "allowed_roles": ["b", "a"], "max_connection_lifetime": "300"}
    again = connection(**same)
    assert not again.failed and not again.changed, again.get("results")
    changed = connection(**{**same, "max_connection_lifetime": "10m", "allowed_roles": ["a"]}, diff=True)
    assert changed["results"][0]["fields"] == ["allowed_roles", "max_connection_lifetime"]
    assert "a" in changed["diff"][0]["after"]
    # what is not declared stays, and the password is still known to the server
    kept = client.read(f"{mount}/config/main")["data"]
    assert kept["allowed_roles"] == ["a"] and kept["connection_details"]["max_open_connections"] == 3
    assert connection(name="main", max_open_connections=4).changed
    assert connection(name="main", **root, update_secrets="always")["results"][0]["fields"] == ["root_password"]

    assert connection(name="main", state="absent", check=True).changed
    assert client.list(f"{mount}/config")["data"]["keys"] == ["main"]
    assert connection(name="main", state="absent").changed
    assert not connection(name="main", state="absent").changed
    assert client.list(f"{mount}/config") is None


def test_root_is_rotated_once(
    connection: Run, openbao: VaultServer, mount: str, root: dict[str, Any], postgresql: PostgreSql
) -> None:
    user, client = root["root_username"], openbao.client()
    wanted = {**root, "name": "own", "allowed_roles": ["*"], "rotate_root": "once"}
    assert connection(**wanted, check=True).changed
    assert postgresql.login(user, PASSWORD)
    made = connection(**wanted)
    assert made.changed and made["root_rotated"], made.msg
    assert not postgresql.login(user, PASSWORD)
    for _ in range(2):
        again = connection(**wanted, update_secrets="always")
        assert not again.failed and not again.changed
        assert again["root_rotated"] == made["root_rotated"]
    # another setting is changed without the password of the past
    assert connection(**wanted, max_open_connections=7, update_secrets="always").changed
    assert client.read(f"{mount}/config/own")["data"]["connection_details"]["max_open_connections"] == 7
    # a run that was cut off between the rotation and its note rotates again
    client.write_data(f"{mount}/config/own", data={"vault_eso_root_rotated": ""})
    healed = connection(**wanted)
    assert healed["results"][0]["fields"] == ["root_rotated"]
    assert not connection(**wanted).changed
    # the password is set anew by hand
    postgresql.query(f"ALTER ROLE {user} PASSWORD 'by-hand-0815-by-hand'")
    by_hand = {**wanted, "root_password": "by-hand-0815-by-hand"}
    assert connection(**{**by_hand, "rotate_root": "never"}, update_secrets="always").changed
    assert postgresql.login(user, "by-hand-0815-by-hand")
    assert connection(**by_hand).changed
    assert not postgresql.login(user, "by-hand-0815-by-hand")
    assert not connection(**by_hand).changed
    # another user comes with another password, which is rotated in its turn
    postgresql.query(f"CREATE ROLE {user}_2 SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
    other = connection(**{**wanted, "root_username": f"{user}_2"})
    assert other["results"][0]["fields"] == ["root_password", "root_rotated", "root_username"], other.msg
    assert not postgresql.login(f"{user}_2", PASSWORD)
    assert not connection(**{**wanted, "root_username": f"{user}_2"}).changed


def test_dynamic_role_hands_out_users(
    connection: Run, role: Run, openbao: VaultServer, mount: str, root: dict[str, Any], postgresql: PostgreSql
) -> None:
    client = openbao.client()
    wanted: dict[str, Any] = {
        "name": "reader",
        "db_name": "main",
        "creation_statements": [CREATE, 'GRANT pg_read_all_data, pg_monitor TO "{name}"'],
        "revocation_statements": DROP,
        "default_ttl": "1h",
        "max_ttl": "24h",
    }
    early = role(**wanted, check=True)
    assert early.changed and 'there is no connection "main"' in warned(early)
    assert connection(**root, name="main", allowed_roles=["other-*"]).changed
    assert "does not allow this role" in warned(role(**wanted, check=True))
    assert connection(name="main", allowed_roles=["read*"]).changed
    made = role(**wanted, diff=True)
    assert made.changed and not warned(made), warned(made)
    kept = client.read(f"{mount}/roles/reader")["data"]
    assert kept["creation_statements"][1] == 'GRANT pg_read_all_data, pg_monitor TO "{{name}}"'
    assert kept["default_ttl"] == 3600

    lease = client.read(f"{mount}/creds/reader")
    user, password = lease["data"]["username"], lease["data"]["password"]
    assert postgresql.login(user, password)
    client.sys.revoke_lease(lease["lease_id"])
    assert not postgresql.login(user, password)
    assert user not in postgresql.query("SELECT rolname FROM pg_roles")

    same = {**wanted, "default_ttl": "60m", "max_ttl": 86400, "credential_type": "password"}
    same["revocation_statements"] = [DROP.replace("{name}", "{{name}}")]
    again = role(**same)
    assert not again.failed and not again.changed, again.get("results")
    planned = role(**{**same, "max_ttl": "48h"}, check=True, diff=True)
    assert planned["results"][0]["fields"] == ["max_ttl"] and "86400" in planned["diff"][0]["before"]
    assert client.read(f"{mount}/roles/reader")["data"]["max_ttl"] == 86400
    assert role(**{**same, "max_ttl": "48h"}).changed
    kept = client.read(f"{mount}/roles/reader")["data"]
    assert kept["max_ttl"] == 172800 and kept["revocation_statements"] == [DROP.replace("{name}", "{{name}}")]
    assert role(name="reader", state="absent").changed
    assert not role(name="reader", state="absent").changed


def test_static_role_rotates(
    connection: Run, role: Run, openbao: VaultServer, mount: str, root: dict[str, Any], postgresql: PostgreSql
) -> None:
    client, user = openbao.client(), f"app_{mount}"
    postgresql.query(f"CREATE ROLE {user} LOGIN PASSWORD 'known-to-many-0815'")
    wanted = {"name": "app", "type": "static", "db_name": "main", "db_username": user, "rotation_period": "1d"}
    refused = role(**wanted)
    assert refused.failed and 'there is no connection "main"' in refused.msg
    assert connection(**root, name="main", allowed_roles=["app"]).changed
    refused = role(**{**wanted, "name": "other"})
    assert refused.failed and "does not allow this role" in refused.msg
    assert role(**wanted, check=True).changed and client.list(f"{mount}/static-roles") is None
    assert role(**wanted).changed
    first = client.read(f"{mount}/static-creds/app")["data"]["password"]
    assert postgresql.login(user, first) and not postgresql.login(user, "known-to-many-0815")
    again = role(**{**wanted, "rotation_period": "24h"})
    assert not again.failed and not again.changed and again["last_rotation"]
    client.write_data(f"{mount}/rotate-role/app", data={})
    second = client.read(f"{mount}/static-creds/app")["data"]["password"]
    assert second != first and postgresql.login(user, second) and not postgresql.login(user, first)

    changed = role(**{**wanted, "rotation_period": "12h"}, diff=True)
    assert changed["results"][0]["fields"] == ["rotation_period"] and second not in changed.stdout
    assert client.read(f"{mount}/static-roles/app")["data"]["rotation_period"] == 43200
    # a changed period is no reason to rotate
    assert client.read(f"{mount}/static-creds/app")["data"]["password"] == second
    for check in (True, False):
        refused = role(**{**wanted, "db_username": "somebody"}, check=check)
        assert refused.failed and f'it is for the user "{user}"' in refused.msg
    if openbao.product == "openbao":
        for check, name in ((True, "app"), (False, "app"), (True, "new"), (False, "new")):
            scheduled = {**wanted, "name": name, "rotation_period": None, "rotation_schedule": "0 0 * * *"}
            refused = role(**scheduled, check=check)
            assert refused.failed and not refused.changed and 'does not know "rotation_schedule"' in refused.msg
    assert role(name="app", type="static", state="absent").changed
    assert client.list(f"{mount}/static-roles") is None


def test_lists_and_purge(connection: Run, role: Run, openbao: VaultServer, mount: str, root: dict[str, Any]) -> None:
    client = openbao.client()
    many = [{**root, "name": name, "allowed_roles": ["*"]} for name in ("one", "two", "three")]
    assert connection(connections=many)["summary"]["create"] == 3
    assert connection(connections=many)["summary"]["none"] == 3
    refused = connection(connections=many[:1], purge=True)
    assert refused.failed and f'"{mount}/three", "{mount}/two"' in refused.msg
    assert len(client.list(f"{mount}/config")["data"]["keys"]) == 3
    done = connection(connections=many[:1], purge=True, purge_data=["two"], protected=[f"{mount}/three"])
    assert done["summary"]["delete"] == 1
    assert client.list(f"{mount}/config")["data"]["keys"] == ["one", "three"]

    roles = [{"name": name, "db_name": "one", "creation_statements": CREATE} for name in ("a", "b", "c")]
    assert role(roles=roles)["summary"]["create"] == 3
    done = role(roles=roles[:1], purge=True, protected=["c"])
    assert done["summary"]["delete"] == 1
    assert client.list(f"{mount}/roles")["data"]["keys"] == ["a", "c"]
    # one bad item of many is named, and the others are done
    some = role(
        roles=[
            {**roles[0], "default_ttl": "2h"},
            {"name": "s", "type": "static", "db_name": "nowhere", "db_username": "x", "rotation_period": "1h"},
        ]
    )
    assert some.failed and some["summary"]["update"] == 1 and some["summary"]["failed"] == 1
    assert 'static database role "%s/s"' % mount in some.msg


def test_bad_connections(connection: Run, openbao: VaultServer, mount: str, root: dict[str, Any]) -> None:
    url = "postgresql://me:in-clear-text-0815@127.0.0.1/x"
    for options, message in (
        ({**root, "plugin_name": "nonesuch-plugin"}, 'this server has no database plugin "nonesuch-plugin"'),
        ({**root, "plugin_name": None}, '"plugin_name" is missing'),
        ({**root, "connection_url": url}, "the connection_url holds a password"),
        ({**root, "root_password": None, "rotate_root": "once"}, 'without a "root_password"'),
        ({**root, "options": {"password": "x-secret-0815"}}, "has an option of its own"),
        ({**root, "options": {"private_key": "x-secret-0815"}}, "is a secret"),
        ({**root, "options": {"disable_escapping": True}}, 'did you mean "disable_escaping"?'),
        ({**root, "max_connection_lifetime": "soon"}, "is not a duration"),
        ({**root, "mount": f"{mount}-missing"}, "nothing is mounted there"),
        ({**root, "mount": f"{mount}/data"}, f'no secrets engine is mounted there, but one is at "{mount}"'),
        ({**root, "mount": f"{mount}?x"}, 'the mount holds "?"'),
    ):
        refused = connection(name="bad", **options)
        assert refused.failed and message in refused.msg, (message, refused.msg)
        for secret in ("in-clear-text-0815", "x-secret-0815", PASSWORD):
            assert secret not in refused.stdout
    assert client_keys(openbao, mount) == []
    # the server tries the connection, and nothing stays when it fails
    refused = connection(name="bad", **{**root, "root_password": "another-password-0815"})
    assert refused.failed and "password authentication failed" in refused.msg
    assert "another-password-0815" not in refused.stdout
    assert client_keys(openbao, mount) == []


def client_keys(openbao: VaultServer, mount: str) -> list[str]:
    answer = openbao.client().list(f"{mount}/config")
    return answer["data"]["keys"] if answer else []


def test_bad_roles(role: Run, run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, mount: str) -> None:
    static = {"type": "static", "db_name": "x", "db_username": "me"}
    for options, message in (
        ({}, '"db_name" is missing'),
        ({"db_name": "x", "default_ttl": "2h", "max_ttl": "1h"}, "default_ttl is longer than max_ttl"),
        ({"db_name": "x", "default_ttl": "2 hours"}, "is not a duration"),
        ({"db_name": "x", "rotation_period": "1h"}, 'a dynamic database role has no "rotation_period"'),
        (static, 'a static role needs a "rotation_period"'),
        ({**static, "rotation_period": "2s"}, "below 5 seconds"),
        ({**static, "rotation_period": "1h", "default_ttl": "1h"}, 'a static database role has no "default_ttl"'),
        ({"type": "static", "db_name": "x", "rotation_period": "1h"}, '"db_username" is missing'),
        ({"name": "ä", "db_name": "x"}, "characters that the server refuses"),
        ({"db_name": "x", "max_ttl": "500ms"}, "holds a fraction of a second"),
        ({**static, "rotation_period": "3600.5s"}, "holds a fraction of a second"),
    ):
        refused = role(**{"name": "bad", **options})
        assert refused.failed and message in refused.msg, (message, refused.msg)
    assert openbao.client().list(f"{mount}/roles") is None
    other = f"{mount}-kv"
    assert run_module("vault_secrets_engine", {**vault_args, "path": other, "type": "kv-v2"}).changed
    refused = role(name="bad", db_name="x", mount=other)
    assert refused.failed and 'of type "kv" is mounted there, not "database"' in refused.msg
    assert role(name="fine", db_name="x", mount=f"{mount}-later", check=True).changed


def test_statements_that_are_documents(role: Run, openbao: VaultServer, mount: str) -> None:
    document = {"db": "admin", "roles": [{"role": "readWrite"}]}
    for given in (document, [document]):
        wanted = {"name": "mongo", "db_name": "x", "creation_statements": given}
        role(**wanted)
        assert not role(**wanted).changed
    (kept,) = openbao.client().read(f"{mount}/roles/mongo")["data"]["creation_statements"]
    assert json.loads(kept) == document


def test_how_credentials_are_made(role: Run, openbao: VaultServer, mount: str) -> None:
    wanted = {"name": "app", "db_name": "x", "creation_statements": CREATE}
    assert role(**wanted, credential_config={"password_policy": ""}).changed
    assert not role(**wanted, credential_config={"password_policy": ""}).changed
    for check in (True, False):
        odd = role(check=check, **wanted, credential_config={"pasword_policy": "long"})
        assert odd.failed and 'credential_config: there is no "pasword_policy"; use one of' in odd.msg, odd.msg
    assert role(**wanted, credential_config={"password_policy": "long"}).changed
    kept = openbao.client().read(f"{mount}/roles/app")["data"]["credential_config"]
    assert kept == {"password_policy": "long"}
    assert not role(**wanted, credential_config={"password_policy": "long"}).changed


def test_how_credentials_are_made_stays_when_something_else_changes(
    role: Run, openbao: VaultServer, mount: str
) -> None:
    client = openbao.client()
    config = {"key_bits": 4096, "format": "pkcs8"}
    before = {
        "db_name": "main",
        "default_ttl": 3600,
        "creation_statements": ["one"],
        "credential_type": "rsa_private_key",
        "credential_config": config,
    }
    client.write_data(f"{mount}/roles/keys", data=before)
    assert role(name="keys", db_name="main", default_ttl="2h").changed
    found = client.read(f"{mount}/roles/keys")["data"]
    assert {name: found[name] for name in before} == {**before, "default_ttl": 7200}
    assert role(name="keys", db_name="main", credential_config={"key_bits": 3072}).changed
    assert client.read(f"{mount}/roles/keys")["data"]["credential_config"] == {"key_bits": 3072, "format": "pkcs8"}
    assert role(name="keys", db_name="main", credential_type="password").changed
    assert client.read(f"{mount}/roles/keys")["data"]["credential_type"] == "password"


def test_an_address_that_is_no_url(connection: Run, openbao: VaultServer, mount: str, root: dict[str, Any]) -> None:
    port = root["connection_url"].rsplit(":", 1)[1].split("/")[0]
    settings = f"host=127.0.0.1 port={port} user={{username}} password={{password}} dbname=postgres sslmode=disable"
    wanted = {**root, "name": "settings", "connection_url": settings}
    made = connection(**wanted)
    assert made.changed, made.msg
    for check in (True, False):
        again = connection(check=check, **wanted)
        assert not again.changed, again["results"]
    assert connection(**{**wanted, "connection_url": settings + " connect_timeout=5"}).changed
    found = openbao.client().read(f"{mount}/config/settings")["data"]["connection_details"]["connection_url"]
    assert "connect_timeout=5" in found


def test_a_detail_that_a_template_turned_into_data(connection: Run, openbao: VaultServer, mount: str) -> None:
    concern = {"wmode": "majority", "wtimeout": 5000}
    wanted = {
        "name": "documents",
        "plugin_name": "mongodb-database-plugin",
        "connection_url": "mongodb://{username}:{password}@127.0.0.1:1/admin",
        "root_username": "u",
        "root_password": PASSWORD,
        "verify_connection": False,
        "options": {"write_concern": concern},
    }
    made = connection(**wanted)
    if made.failed:
        assert "this server has no database plugin" in made.msg, made.msg
        return
    assert openbao.client().read(f"{mount}/config/documents")["data"]["connection_details"][
        "write_concern"
    ] == json.dumps(concern, indent=2)
    assert not connection(**{**wanted, "options": {"write_concern": json.dumps(concern)}}).changed


def test_credentials_and_actions_on_demand(
    run_module: Run,
    vault_args: dict[str, Any],
    connection: Run,
    role: Run,
    mount: str,
    root: dict[str, Any],
    postgresql: PostgreSql,
    openbao: VaultServer,
    unique: str,
) -> None:
    user = f"static_{unique}"
    postgresql.query(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
    connection(**root, name="main", allowed_roles=["*"])
    role(name="dynamic", db_name="main", creation_statements=[CREATE], default_ttl="5m")
    role(name="reports", type="static", db_name="main", db_username=user, rotation_period="24h")

    def get(check: bool = False, **options: Any) -> Result:
        return run_module("vault_database_credentials", {**vault_args, "mount": mount, **options}, check=check)

    def act(action: str, name: str, check: bool = False) -> Result:
        options = {**vault_args, "mount": mount, "action": action, "name": name}
        return run_module("vault_database_action", options, check=check)

    def leases() -> list[str]:
        try:
            return list(openbao.client().sys.list_leases(f"{mount}/creds/dynamic")["data"]["keys"])
        except hvac.exceptions.InvalidPath:
            return []

    assert get(check=True, role="dynamic").changed
    assert leases() == []
    made = get(role="dynamic")
    assert made.changed
    assert made["lease_duration"] == 300
    assert len(leases()) == 1
    assert postgresql.query("SELECT current_user", made["username"], made["password"]).strip() == made["username"]
    assert "does not exist" in get(role="nothing").msg
    assert "does not exist" in get(check=True, role="nothing").msg

    before = get(static_role="reports")
    assert not before.changed
    assert postgresql.query("SELECT current_user", user, before["password"]).strip() == user
    assert act("rotate_static_role", "reports", check=True).changed
    assert get(static_role="reports")["password"] == before["password"]
    assert act("rotate_static_role", "reports")["last_vault_rotation"] > before["last_vault_rotation"]
    after = get(static_role="reports", check=True)
    assert after["password"] != before["password"]
    assert postgresql.query("SELECT current_user", user, after["password"]).strip() == user
    assert "does not exist" in act("rotate_static_role", "nothing").msg

    assert act("reset_connection", "main", check=True).changed
    assert act("reset_connection", "main").changed
    assert postgresql.query("SELECT current_user", user, get(static_role="reports")["password"]).strip() == user
    assert "does not exist" in act("reset_connection", "nothing", check=True).msg
