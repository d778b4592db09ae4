# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_rotation that is killed, loses the leader, or meets somebody else's writes: completed, never doubled.

ROTATION_APPLICATIONS and ROTATION_KILLS search further.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hvac
import pytest

from support import eso_operator, kubernetes_api
from support.cluster import Cluster
from support.modules import ROOT, RUNNER, run_module
from support.openbao import enable_kv
from support.rotation import DatabaseEngine, Work, entry
from support.scene import Scene

MANY = int(os.environ.get("ROTATION_APPLICATIONS", "8"))
KILLS = int(os.environ.get("ROTATION_KILLS", "5"))
#: from so many applications on, the second Kubernetes cluster is one of its own
SEARCH = 100


@pytest.fixture
def second(work: Work, tmp_path: Path) -> Iterator[Scene]:
    """The Kubernetes cluster "two" with a store of the same Vault; for a few applications the first by another name."""
    first = work.scene
    if MANY < SEARCH:
        yield first
        return
    api = kubernetes_api.start_local(tmp_path / "two")
    try:
        with eso_operator.running(api, tmp_path):
            scene = Scene(api, first.vault, first.run_module, api.namespace(first.at), f"{first.name}-two")
            scene.raise_up()
            scene.allow(f'path "{work.mount}/data/*" {{ capabilities = ["read"] }}')
            scene.store(path=work.mount, wait=True, wait_timeout=30)
            yield scene
            scene.tear_down()
    finally:
        api.stop()


def options_of(work: Work, second: Scene, applications: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the options of a run over two Kubernetes clusters."""
    return {
        "url": [work.scene.vault.url],
        "ca_cert": work.scene.vault.ca_cert,
        "token": work.scene.vault.token,
        "applications": applications,
        "clusters": [
            {"name": "one", "kubeconfig": str(work.scene.kube.kubeconfig)},
            {"name": "two", "kubeconfig": str(second.kube.kubeconfig)},
        ],
        "sync_timeout": 300,
        "rollout_wait": False,
        "batch": min(max(MANY // 4, 2), 20),
    }


def killed(options: dict[str, Any], seconds: float) -> bool:
    """Run the module and kill it after some seconds; tell whether it was still running."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, "vault_rotation"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "playbooks" / "collections")},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode())
    process.stdin.close()
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True


def test_killed_anywhere_it_is_completed_and_never_doubled(work: Work, second: Scene, database: DatabaseEngine) -> None:
    """A third has a user of a connection, a third two static roles, a third generated values only."""
    names = [f"app{number}" for number in range(MANY)]
    applications, firsts = [], {}
    externals: dict[str, list[dict[str, Any]]] = {"one": [], "two": []}
    scenes = {"one": work.scene, "two": second}
    for number, name in enumerate(names):
        user = f"{work.scene.name}_{name}".replace("-", "_")
        declared: dict[str, Any] = {"database": None}
        if number % 3 == 0:
            firsts[name] = (user, f"the-first-of-{user}")
            database.postgresql.query(f"CREATE ROLE {user} LOGIN PASSWORD '{firsts[name][1]}'")
            declared = {"mount": database.mount, "connection": "main", "username": user, "key": "password"}
        elif number % 3 == 1:
            for letter in "ab":
                database.postgresql.query(f"CREATE ROLE {user}{letter} LOGIN PASSWORD 'nothing'")
                database.connect(allowed_roles=["*"])
                work.client.write_data(
                    f"{database.mount}/static-roles/{user}{letter}",
                    data={"db_name": "main", "username": user + letter, "rotation_period": "8760h"},
                )
            firsts[name] = (user + "a", database.password(user + "a"))
            roles = [user + "a", user + "b"]
            declared = {"mount": database.mount, "static_roles": roles, "key": "password", "username_key": "user"}
        first = firsts.get(name, ("somebody", f"the-first-of-{name}"))
        work.scene.put(name, user=first[0], password=first[1], kept=f"what-{name}-keeps")
        places = []
        for cluster, scene in scenes.items():
            places.append({"cluster": cluster, "namespace": scene.at, "name": f"{name}-{cluster}"})
            externals[cluster].append(
                {
                    "name": f"{name}-{cluster}",
                    "namespace": scene.at,
                    "store": {"name": "vault"},
                    "refresh_interval": "1h",
                    "data_from": [{"extract": {"key": name}}],
                }
            )
        generate = {} if declared.get("static_roles") else {"password": {"length": 20}}
        one = work.application(name, external_secrets=places, max_age="1d", generate=generate)
        applications.append({**one, **({} if "key" not in declared else {"database": declared})})
    for cluster, scene in scenes.items():
        kube = {"kubeconfig": str(scene.kube.kubeconfig)}
        made = {**kube, "external_secrets": externals[cluster], "wait": True, "wait_timeout": 600}
        run_module("eso_externalsecret", made, must_succeed=True, timeout=700)
    work.client.secrets.kv.v2.configure(mount_point=work.mount)
    options = options_of(work, second, applications)
    # written a moment ago: older than a day by what their metadata says
    for name in names:
        work.note(name, rotated_at="2020-01-01T00:00:00Z", team="shop")

    began = time.monotonic()
    checked = run_module("vault_rotation", options, check=True, timeout=600, by_process=True, must_succeed=True)
    start = time.monotonic() - began
    assert len(checked["plan"]) == MANY
    chance, cut = random.Random(4711), 0  # noqa: S311 - moments to kill at
    for _number in range(KILLS):
        cut += killed(options, start * chance.uniform(0.7, 1.7 if MANY < SEARCH else 6))
    print(f"{cut} of {KILLS} runs were killed; a look took {start:.1f} s")
    began = time.monotonic()
    last = run_module("vault_rotation", options, timeout=1800)
    print(f"the last run took {time.monotonic() - began:.1f} s and rotated {last['summary']['update']} of {MANY}")
    assert not last.failed, last.msg
    for name in names:
        held = work.held(name)
        assert work.version(name) == 2, f"{name} was rotated twice"
        assert held["kept"] == f"what-{name}-keeps"
        assert held["password"] != work.held(name, 1)["password"]
        custom = work.custom(name)
        assert custom["team"] == "shop" and custom["rotated_at"] > "2021" and "rotation_in_progress" not in custom
        for cluster, scene in scenes.items():
            assert work.secret(f"{name}-{cluster}", scene) == held
        if name in firsts:
            assert database.let_in(held["user"], held["password"])
            if held["user"] == firsts[name][0]:
                assert not database.let_in(*firsts[name])
    assert database.leftovers() == []
    again = run_module("vault_rotation", options, timeout=600, must_succeed=True)
    assert not again.changed


def test_a_way_back_that_was_killed_restarts_as_well(work: Work) -> None:
    """The killed run may have restarted with the new values what is to have the former ones."""
    work.deploy("app")
    before = work.held("app")
    work.scene.put("app", **{**before, "password": "a-new-password-that-failed"})
    work.note("app", rotation_in_progress=json.dumps({"run": "x", "version": 1, "step": "rolling_back"}))
    back = work.rotate(work.application(workloads=[{"namespace": work.scene.at, "name": "app"}]))
    assert entry(back)["outcome"] == "rolled_back", back.msg
    assert "an earlier run ended while it rolled back; rolled back to the values of version 1" in back.msg
    assert work.held("app") == before and work.secret("app")["password"] == before["password"]
    assert work.restarted("app")


def test_the_operator_is_stopped(work: Work, operator: subprocess.Popen[bytes]) -> None:
    """Nothing restarts; Vault has the former values, and the next run proves that they are everywhere."""
    if operator.poll() is not None:
        pytest.skip("the operator runs in the cluster")
    work.deploy("app")
    first = work.held("app")
    work.secret_is("app", first["password"])
    one = work.application(workloads=[{"namespace": work.scene.at, "name": "app"}])
    operator.send_signal(signal.SIGSTOP)
    try:
        failed = work.rotate(one, sync_timeout=3)
    finally:
        operator.send_signal(signal.SIGCONT)
    assert failed.failed and entry(failed)["outcome"] == "rolled_back", failed.msg
    assert "was not synced" in failed.msg and "which is not proven everywhere" in failed.msg
    assert work.held("app") == first and work.version("app") == 3 and work.restarted("app") is None
    assert "rotation_in_progress" in work.custom("app")

    back = work.rotate(one)
    assert entry(back)["outcome"] == "rolled_back" and "not proven" not in back.msg, back.msg
    assert work.secret("app")["password"] == first["password"] and "rotation_in_progress" not in work.custom("app")
    done = work.rotate(one)
    assert not done.failed and work.version("app") == 4 and work.restarted("app"), done.msg


class Meanwhile(threading.Thread):
    """Writes other values of a secret as soon as a rotation is at some point."""

    def __init__(self, work: Work, name: str, version: int, **values: str) -> None:
        super().__init__()
        self.work, self.path, self.version, self.values = work, name, version, values
        self.written = 0

    def run(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if "rotation_in_progress" in self.work.custom(self.path) and self.work.version(self.path) >= self.version:
                # refused where the rotation wrote between its read and its write
                with suppress(hvac.exceptions.InvalidRequest):
                    kv = self.work.client.secrets.kv.v2
                    answer = kv.patch(self.path, self.values, mount_point=self.work.mount)
                    self.written = answer["data"]["version"]
                    return


def test_what_somebody_else_writes_meanwhile_is_kept(work: Work) -> None:
    somebody = Meanwhile(work, "app", 1, user="another-user-name")
    somebody.start()
    done = work.rotate(work.application())
    somebody.join()
    assert somebody.written
    assert not done.failed, done.msg
    held = work.held("app")
    assert held["user"] == "another-user-name" and len(held["password"]) == 24
    # whichever came first, nothing is lost, and nothing is rotated twice
    assert len({work.held("app", number)["password"] for number in range(1, work.version("app") + 1)}) == 2

    # the same, when the rotation has to be put back
    work.freeze()
    somebody = Meanwhile(work, "app", work.version("app") + 1, user="a-third-user-name")
    somebody.start()
    failed = work.rotate(work.application(), sync_timeout=4)
    somebody.join()
    assert entry(failed)["outcome"] == "rolled_back", failed.msg
    assert work.held("app") == {"user": "a-third-user-name", "password": held["password"]}


def test_the_same_key_of_somebody_else_is_left_as_it_is(work: Work) -> None:
    work.freeze()
    somebody = Meanwhile(work, "app", 2, password="what-somebody-else-wants")
    somebody.start()
    failed = work.rotate(work.application(), sync_timeout=4)
    somebody.join()
    assert failed.failed and "somebody else wrote version 3 meanwhile; it was left as it is" in failed.msg
    assert work.held("app")["password"] == "what-somebody-else-wants" and work.version("app") == 3
    assert "rotation_in_progress" not in work.custom("app")


def test_the_leader_is_lost_in_the_middle(tmp_path: Any) -> None:
    """Steps are repeated at the new leader; each application is rotated once."""
    servers = Cluster(tmp_path)
    try:
        keys = tmp_path / "keys.json"
        store = {**servers.args, "key_store": str(keys)}
        run_module("vault_init", {**store, "shares": 1, "threshold": 1}, must_succeed=True)
        run_module("vault_unseal", {**store, "wait_timeout": 60}, must_succeed=True, timeout=120)
        token = json.loads(keys.read_text())["root_token"]
        servers.wait(lambda: sorted(servers.states()) == [200, 429, 429], "no three nodes")
        client = servers.client(token)
        voters = "sys/storage/raft/autopilot/state"
        servers.wait(lambda: len(client.read(voters)["data"]["voters"]) == 3, "no three voters")
        enable_kv(client, "apps")
        names = [f"app{number}" for number in range(60)]
        for name in names:
            client.secrets.kv.v2.create_or_update_secret(name, {"password": name, "kept": name}, mount_point="apps")
        applications = [
            {"name": name, "mount": "apps", "path": name, "generate": {"password": {"length": 20}}} for name in names
        ]
        leader = servers.active()

        def kill() -> None:
            deadline = time.monotonic() + 60
            read = client.secrets.kv.v2.read_secret_metadata
            while time.monotonic() < deadline:
                if read("app10", mount_point="apps")["data"]["current_version"] > 1:
                    leader.process.kill()
                    return

        thief = threading.Thread(target=kill)
        thief.start()
        options = {**servers.args, "token": token, "applications": applications, "batch": 10, "workers": 4}
        done = run_module("vault_rotation", options, timeout=300)
        thief.join()
        assert leader.process.poll() is not None, "the leader was killed"
        assert not done.failed, done.msg
        client = servers.client(token)
        for name in names:
            about = client.secrets.kv.v2.read_secret_metadata(name, mount_point="apps")["data"]
            assert about["current_version"] == 2 and "rotation_in_progress" not in about["custom_metadata"], name
            held = client.secrets.kv.v2.read_secret_version(name, mount_point="apps", raise_on_deleted_version=True)[
                "data"
            ]["data"]
            assert held["kept"] == name and len(held["password"]) == 20
    finally:
        servers.stop()
