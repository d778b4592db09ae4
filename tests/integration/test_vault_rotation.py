# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_rotation with a real Vault, a real API server with an operator, and a real PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

from support.rotation import DatabaseEngine, Work, entry, open_shop


def test_it_arrives_and_only_then_restarts(work: Work) -> None:
    work.deploy("app")
    work.note("app", team="shop")
    one = work.application(timestamp_key="at", workloads=[{"namespace": work.scene.at, "name": "app"}])
    before = work.held("app")
    planned = work.rotate(one, check=True, diff=True)
    assert not planned.failed, planned.msg
    assert planned.changed and entry(planned)["outcome"] == "planned"
    assert "would be rotated" in planned["plan"][0] and "syncs 1, restarts 1 in one" in planned["plan"][0]
    assert work.held("app") == before and work.custom("app") == {"team": "shop"} and work.restarted("app") is None

    done = work.rotate(one)
    assert not done.failed, done.msg
    assert entry(done)["outcome"] == "done" and entry(done)["info"]["proven"]
    after = work.held("app")
    assert after["user"] == before["user"] and after["password"] != before["password"] and len(after["password"]) == 24
    assert set(after) == {"user", "password", "at"}
    assert work.secret("app")["password"] == after["password"]
    assert work.restarted("app")
    assert work.version("app") == 2
    custom = work.custom("app")
    assert custom["team"] == "shop" and custom["rotation_run"] == done["run"] and "rotation_in_progress" not in custom

    # what it noted there is no drift of a declared secret, and stays when something else changes
    connection = {"url": [work.scene.vault.url], "ca_cert": work.scene.vault.ca_cert, "token": work.scene.vault.token}
    secret = {**connection, "mount": work.mount, "path": "app"}
    for team, changed in (("shop", False), ("web", True)):
        declared = work.scene.run_module("vault_kv", {**secret, "metadata": {"custom_metadata": {"team": team}}})
        assert declared.changed is changed and not declared.failed, declared.msg
        assert work.custom("app") == {**custom, "team": team}

    young = work.rotate({**one, "max_age": "1d"})
    assert not young.changed and entry(young)["outcome"] == "not_due" and work.version("app") == 2
    assert work.rotate({**one, "max_age": "1d"}, now=True).changed
    assert work.rotate({**one, "keep_versions": 2}).changed
    versions = work.about("app")["versions"]
    assert [number for number, one in versions.items() if one["destroyed"]] == ["1", "2"]


def test_what_is_declared_wrongly_changes_nothing(work: Work) -> None:
    """A mistyped path or key makes no new secret; each is refused by itself, and the right one goes on."""
    at = work.scene.at
    work.deploy("app")
    missing = {"namespace": at, "name": "missing"}
    none: list[dict[str, Any]] = []
    wrong = {
        "path": ({"path": "ap"}, "does not exist; correct the path"),
        "key": (
            {"path": "keyless", "generate": {"passwort": {}}, "external_secrets": none},
            "has no key passwort, only",
        ),
        "mount": ({"mount": "nowhere"}, "nothing is mounted there"),
        "other": ({"path": "cache", "generate": {"url": {}}, "external_secrets": [missing]}, "does not exist"),
        "unread": (
            {"path": "unread", "external_secrets": [{"namespace": at, "name": "app"}]},
            "does not read the secret",
        ),
        "workload": ({"path": "unused", "external_secrets": none, "workloads": [missing]}, "does not exist"),
    }
    work.scene.put("unread", password="a-value-nobody-reads")
    work.scene.put("keyless", password="a-value-of-another-key")
    work.scene.put("unused", password="a-value-nobody-uses")
    cases = [work.application(name, **{"path": name, **more}) for name, (more, _message) in wrong.items()]
    right = work.application(workloads=[{"namespace": at, "name": "app"}])
    done = work.rotate(*cases, right, failure_budget=0)
    assert done.failed
    for name, (_more, message) in wrong.items():
        assert message in entry(done, name)["error"], name
        assert not entry(done, name)["changed"]
    assert entry(done)["outcome"] == "done" and work.version("app") == 2
    assert [work.version(name) for name in ("cache", "keyless", "unread", "unused")] == [1, 1, 1, 1]
    assert work.client.secrets.kv.v2.list_secrets("", mount_point=work.mount)["data"]["keys"] == [
        *("app", "cache", "keyless", "unread", "unused")
    ]

    for options, message in (
        ({"generate": {}}, "nothing of it is rotated"),
        ({"database": {"key": "password"}}, "names a static role and a connection, or none"),
        ({"probe": {"url": "app/health"}}, 'option "probe": option "url": "app/health" is not a URL'),
        ({"probe": {"url": work.scene.vault.url, "status": [2000]}}, "2000 is no HTTP status"),
        ({"probe": {"url": work.scene.vault.url, "timeout": 0}}, "0 seconds are not a possible time"),
        ({"max_age": "a month"}, "is not a duration"),
        ({"external_secrets": [{"namespace": at, "name": "app", "cluster": "two"}]}, 'the cluster "two" is none'),
    ):
        refused = work.rotate(work.application(**options), right, check=True)
        assert refused.failed and message in refused.msg and refused["error_code"] == "invalid_input"
    assert "is no application of this run" in work.rotate(right, only=["ap"]).msg
    assert "rotates the same secret" in work.rotate(right, {**right, "name": "twice"}).msg
    assert work.version("app") == 2


def test_a_cluster_that_is_down_holds_its_applications_until_it_is_left_out(work: Work) -> None:
    down = {"name": "down", "host": "https://127.0.0.1:1", "api_key": "nobody", "retries": 0}
    clusters = [{"name": "one", "kubeconfig": work.scene.kube.kubeconfig}, down]
    places = [{"namespace": work.scene.at, "name": "app", "cluster": one["name"]} for one in clusters]
    one = work.application(external_secrets=places)
    held = work.rotate(one, clusters=clusters)
    assert held.failed and entry(held)["outcome"] == "held" and not held.changed
    assert "Kubernetes cluster down" in held.msg and "connection refused" in held.msg
    assert work.version("app") == 1 and "rotation_in_progress" not in work.custom("app")

    done = work.rotate(one, clusters=clusters, skip_clusters=["down"])
    assert not done.failed, done.msg
    assert entry(done)["info"]["skipped_clusters"] == ["down"] and work.custom("app")["rotation_skipped"] == "down"
    assert work.secret("app")["password"] == work.held("app")["password"]
    again = work.rotate({**one, "max_age": "1d"}, clusters=clusters, skip_clusters=["down"])
    assert not again.failed and not again.changed and entry(again)["outcome"] == "not_due"

    # it is back: what it missed is brought to it, and nothing is rotated
    back = [clusters[0], {**clusters[0], "name": "down"}]
    brought = work.rotate({**one, "max_age": "1d"}, clusters=back)
    assert not brought.failed and entry(brought)["outcome"] == "done", brought.msg
    assert entry(brought)["info"]["clusters"] == ["down"]
    assert work.version("app") == 2 and "rotation_skipped" not in work.custom("app")


def test_what_does_not_arrive_is_put_back(work: Work) -> None:
    """The bytes are compared: an operator that is content with another value, and a Secret that nobody can change."""
    at, kube = work.scene.at, work.scene.kube
    work.deploy("app")
    one = work.application(workloads=[{"namespace": at, "name": "app"}])
    before = work.held("app")
    work.freeze()
    failed = work.rotate(one, sync_timeout=4)
    assert failed.failed and entry(failed)["outcome"] == "rolled_back", failed.msg
    assert "rolled back to the values of version 1, as version 3" in failed.msg
    assert work.held("app") == before and work.version("app") == 3
    assert work.restarted("app") is None
    assert "rotation_in_progress" not in work.custom("app") and "rotated_at" not in work.custom("app")
    kube.call("DELETE", f"/api/v1/namespaces/{at}/secrets/app")
    done = work.rotate(one)
    assert not done.failed and work.version("app") == 4 and work.restarted("app"), done.msg


def test_what_is_not_proven_restarts_nothing(work: Work) -> None:
    work.deploy("app")
    template = {"data": {"password": "{{ .password | upper }}"}}
    work.scene.external(target={"template": template})
    one = work.application(workloads=[{"namespace": work.scene.at, "name": "app"}])
    failed = work.rotate(one)
    assert failed.failed and entry(failed)["outcome"] == "not_proven" and failed["error_code"] == "not_proven"
    assert work.version("app") == 2 and work.restarted("app") is None
    assert work.rotate(one).failed and work.version("app") == 2, "it is not rotated once more"
    done = work.rotate({**one, "unproven": "accept"})
    assert not done.failed, done.msg
    assert work.version("app") == 2 and work.restarted("app")
    assert entry(done)["info"]["proven"] is False


def test_a_rollout_that_does_not_get_ready_is_put_back(work: Work) -> None:
    work.deploy("app")
    one = work.application(workloads=[{"namespace": work.scene.at, "name": "app"}])
    before = work.held("app")
    failed = work.rotate(one, rollout_wait=True, rollout_timeout=2)
    assert failed.failed and entry(failed)["outcome"] == "rolled_back", failed.msg
    assert "the rollout is not finished" in failed.msg and "of version 1, as version 3" in failed.msg
    assert work.held("app") == before and work.secret("app")["password"] == before["password"]


def test_what_fails_its_probe_is_put_back(work: Work) -> None:
    work.deploy("app")
    first = work.held("app")
    work.secret_is("app", first["password"])
    with open_shop() as shop:
        probe = {"url": shop.url, "timeout": 3}
        one = work.application(workloads=[{"namespace": work.scene.at, "name": "app"}], probe=probe)

        # it does not work before: then nobody could tell what broke it
        shop.status = lambda: 503
        for check in (True, False):
            down = work.rotate(one, check=check)
            assert down.failed and not down.changed and "rotation_in_progress" not in work.custom("app")
            assert "it answers with status 503, not 200, before anything was rotated" in down.msg
        assert work.version("app") == 1

        shop.status, shop.asked = lambda: 200, []
        planned = work.rotate(one, check=True)
        assert planned["plan"][0].endswith(f"; probes {shop.url}") and shop.asked == [200]
        done = work.rotate(one)
        assert not done.failed and shop.asked == [200] * 3, done.msg

        # the new password breaks it
        second = work.held("app")
        shop.status = lambda: 200 if work.secret("app")["password"] == second["password"] else 503
        shop.asked = []
        failed = work.rotate(one)
    assert failed.failed and entry(failed)["outcome"] == "rolled_back" and failed["error_code"] == "probe_failed"
    assert f'probe "{shop.url}": it answers with status 503, not 200; look at' in failed.msg
    assert "rolled back to the values of version 2, as version 4" in failed.msg
    assert shop.asked[0] == 200 and shop.asked[-1] == 200 and 503 in shop.asked
    assert work.held("app") == second and work.secret("app")["password"] == second["password"]
    assert "rotation_in_progress" not in work.custom("app")


def test_a_probe_trusts_the_ca_that_is_named(work: Work) -> None:
    """The server of Vault stands for an application with a certificate of its own CA."""
    health = {"url": f"{work.scene.vault.url}/v1/sys/health"}
    one = work.application(external_secrets=[])
    unknown = work.rotate({**one, "probe": health})
    assert unknown.failed and "certificate is not signed by a CA that this machine trusts" in unknown.msg
    missing = work.rotate({**one, "probe": {**health, "ca_cert": "/no/such/file"}}, check=True)
    assert (
        missing.failed and 'no such file: "/no/such/file"' in missing.msg and missing["error_code"] == "invalid_input"
    )
    assert work.version("app") == 1
    done = work.rotate({**one, "probe": {**health, "ca_cert": work.scene.vault.ca_cert}})
    assert not done.failed and work.version("app") == 2, done.msg


def test_a_folder_and_a_failure_budget(work: Work) -> None:
    names = [f"shop-{number}" for number in range(6)]
    for name in names:
        work.scene.put(f"shops/{name}", password=f"a-secret-of-{name}", kept=name * 3)
    work.scene.put("shops/inner/deep", password="a-deeper-secret")
    folder = work.application("shops", path="shops/*", external_secrets=[])
    done = work.rotate(folder, only=[*names[:3]])
    assert not done.failed and len(done["results"]) == 3
    assert [work.version(f"shops/{name}") for name in names] == [2, 2, 2, 1, 1, 1]
    assert work.held("shops/shop-0")["kept"] == "shop-0" * 3
    assert work.held("shops/inner/deep") == {"password": "a-deeper-secret"}
    none = work.rotate(work.application("none", path="nowhere/*"))
    assert none.failed and "there is no secret below" in none.msg

    # what is put back is a failure: after more than one of them no batch is begun
    work.client.secrets.kv.v2.configure(mount_point=work.mount)
    wrong = [
        {**work.application(name, path=f"shops/{name}", external_secrets=[]), "generate": {"kept": {"policy": "no"}}}
        for name in names
    ]
    few = work.rotate(*wrong, batch=2, failure_budget=1)
    assert few.failed and few["summary"] == {
        "create": 0,
        "update": 0,
        "delete": 0,
        "none": 0,
        "failed": 2,
        "not_reached": 4,
    }
    assert "4 not begun after so many failures" in few.msg
    assert [one["outcome"] for one in few["results"]] == ["failed"] * 2 + ["not_reached"] * 4
    assert not few.changed and work.custom("shops/shop-0").keys() == {"rotated_at", "rotation_run"}


def test_two_users_take_turns(work: Work, database: DatabaseEngine) -> None:
    first, second, _third = database.users
    work.scene.put("app", username=first, password=database.password(first), other="a-value-that-stays")
    one = work.application(
        generate={},
        database={
            "mount": database.mount,
            "static_roles": [first, second],
            "key": "password",
            "username_key": "username",
        },
    )
    old = work.held("app")
    for user, other in ((second, first), (first, second)):
        before = work.held("app")
        done = work.rotate(one)
        assert not done.failed, done.msg
        after = work.held("app")
        assert after["username"] == user and after["other"] == "a-value-that-stays"
        assert database.let_in(user, after["password"])
        assert database.let_in(other, before["password"]), "what an application still uses stays valid"
        assert work.secret("app")["password"] == after["password"]
    assert not database.let_in(first, old["password"])
    assert database.leftovers() == []


def test_a_single_static_role_is_not_rotated_twice(work: Work, database: DatabaseEngine) -> None:
    user = database.users[0]
    work.scene.put("app", password=database.password(user))
    declared = {"mount": database.mount, "static_roles": [user], "key": "password"}
    one = work.application(generate={}, database=declared)
    # a run that was killed after it had rotated the role, before it wrote the secret
    rotated = work.client.read(f"{database.mount}/static-creds/{user}")["data"]["last_vault_rotation"]
    work.client.write_data(f"{database.mount}/rotate-role/{user}", data={})
    kept = database.password(user)
    work.note(
        "app",
        rotation_in_progress=json.dumps({"run": "x", "version": work.version("app"), "step": "begun", "role": rotated}),
    )
    done = work.rotate(one)
    assert not done.failed, done.msg
    assert work.held("app")["password"] == kept == database.password(user)
    again = work.rotate(one)
    assert not again.failed and work.held("app")["password"] == database.password(user) != kept

    # the secret gets what is valid when the rest fails, as the server's own password cannot be put back
    number = work.version("app")
    work.scene.kube.call("DELETE", f"/apis/external-secrets.io/v1/namespaces/{work.scene.at}/secretstores/vault")
    held = work.rotate(one)
    assert entry(held)["outcome"] == "held" and work.version("app") == number


def test_the_user_of_a_connection(work: Work, database: DatabaseEngine) -> None:
    """A new password is tried before it is written; what fails is put back in the database as well."""
    user = database.users[2]
    first = f"the-first-of-{user}"
    work.scene.put("app", password=first, other="a-value-that-stays")
    work.deploy("app")
    declared = {"mount": database.mount, "connection": "main", "username": user, "key": "password"}
    one = work.application(database=declared, workloads=[{"namespace": work.scene.at, "name": "app"}])
    done = work.rotate(one)
    assert not done.failed, done.msg
    second = work.held("app")["password"]
    assert database.let_in(user, second) and not database.let_in(user, first)
    assert database.leftovers() == []

    failed = work.rotate(one, rollout_wait=True, rollout_timeout=2)
    assert entry(failed)["outcome"] == "rolled_back", failed.msg
    assert work.held("app") == {"password": second, "other": "a-value-that-stays"}
    assert database.let_in(user, second)

    # the Pods do not get ready with the former values either, so the next run looks at that once more
    number = work.version("app")
    completed = work.rotate(one)
    assert entry(completed)["outcome"] == "rolled_back" and "an earlier run ended while" in completed.msg
    assert work.version("app") == number and "rotation_in_progress" not in work.custom("app")

    # the database refuses
    database.postgresql.query(f"ALTER ROLE {database.root} NOSUPERUSER")
    refused = work.rotate(one)
    database.postgresql.query(f"ALTER ROLE {database.root} SUPERUSER")
    assert refused.failed and "the database does not take the password" in refused.msg
    assert work.version("app") == number and database.let_in(user, second)
    assert "rotation_in_progress" not in work.custom("app")
    statement = "ALTER ROLE \"{username}\" WITH PASSWORD '{password}x'"
    other = work.rotate({**one, "database": {**declared, "statement": statement}})
    assert other.failed and "does not let it in with the password" in other.msg
    assert work.version("app") == number
    assert database.let_in(user, second + "x"), "what the statement of the user does is not known here"
    database.postgresql.query(f"ALTER ROLE {user} PASSWORD '{second}'")

    database.connect(allowed_roles=database.users)
    foreseen = work.rotate(one, check=True)
    assert foreseen.failed and 'add "rotation-*" to its allowed_roles' in foreseen.msg
    assert database.leftovers() == []


def test_what_a_killed_run_set_in_the_database_is_put_back(work: Work, database: DatabaseEngine) -> None:
    """The next run fails before it sets a password itself; the database has one that the secret does not hold."""
    user = database.users[2]
    first = f"the-first-of-{user}"
    work.scene.put("app", password=first)
    database.postgresql.query(f"ALTER ROLE {user} PASSWORD 'what-a-killed-run-set'")
    number = work.version("app")
    work.note("app", rotation_in_progress=json.dumps({"run": "x", "version": number, "step": "begun"}))
    failed = work.rotate(
        work.application(
            generate={"password": {"length": 20, "charset": "';"}},
            database={"mount": database.mount, "connection": "main", "username": user, "key": "password"},
            external_secrets=[],
        )
    )
    assert failed.failed and "holds a character that a statement cannot hold" in failed.msg
    assert database.let_in(user, first) and work.version("app") == number
    assert "rotation_in_progress" not in work.custom("app") and database.leftovers() == []


def test_what_cannot_be_removed_from_the_database_engine_is_named(work: Work, database: DatabaseEngine) -> None:
    """It holds a password."""
    user, name = database.users[2], f"{work.scene.name}-rotation"
    work.scene.put("app", password=f"the-first-of-{user}")
    rules = '{ capabilities = ["create", "read", "update"] }'
    work.client.sys.create_or_update_policy(name, f'path "{database.mount}/*" {rules} path "{work.mount}/*" {rules}')
    token = work.client.auth.token.create(policies=[name], ttl="10m")["auth"]["client_token"]
    declared = {"mount": database.mount, "connection": "main", "username": user, "key": "password"}
    done = work.rotate(work.application(database=declared, external_secrets=[]), token=token)
    assert not done.failed, done.msg
    assert database.let_in(user, work.held("app")["password"])
    left = database.leftovers()
    assert len(left) == 2
    for part in ("roles", "config"):
        assert any(f"{database.mount}/{part}/{left[0]} could not be removed" in str(one) for one in done["warnings"])
