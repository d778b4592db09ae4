# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules in Ansible's own worker: what they return and print is what they return and print as processes.

Set ANSIBLE_PLAYBOOK to the command of another ansible-core to run these with that.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hvac
import pytest

from support.canaries import Canaries
from support.kubernetes_api import KubeApi
from support.openbao import VaultServer, enable_kv
from support.system import BIN, ROOT

PLAYBOOK = os.environ.get("ANSIBLE_PLAYBOOK") or str(BIN / "ansible-playbook")
#: secrets of a task that takes long
MANY = 5000
OWN = "secretops.vault_eso."
#: what differs from run to run by its nature: jobs of async, times, where a timeout struck, where a module was unpacked
VOLATILE = (
    (re.compile(r"\bj\d{6,}(\.\d+)?"), "JOB"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z?"), "TIME"),
    (re.compile(r"<frame at [^>]*>"), "FRAME"),
    (re.compile(r"ansible-tmp-[\d.-]+"), "FOLDER"),
)


def policy(name: str, *capabilities: str, **options: Any) -> dict[str, Any]:
    """Return the options of a policy."""
    return {"name": name, "rules": [{"path": "secret/*", "capabilities": list(capabilities)}], **options}


def task(name: str, module: str, options: Any, **keywords: Any) -> dict[str, Any]:
    """Return a task of a module of the collection."""
    return {"name": name, OWN + module: options, "ignore_errors": True, **keywords}


class Scene:
    """A server, an inventory with hosts that are reached in several ways, and a playbook for them."""

    def __init__(self, server: VaultServer, kube: KubeApi, namespace: str, folder: Path, silent: str) -> None:
        self.server = server
        self.kube = kube
        self.folder = folder
        self.canaries = Canaries()
        self.canaries.add("token", server.token)
        self.password = self.canaries.new("password", odd=False)
        self.read = self.canaries.new("read", odd=False)
        enable_kv(server.client(), "worker")
        server.client().secrets.kv.v2.create_or_update_secret("app", {"password": self.read}, mount_point="worker")
        other = folder / "other-python"
        other.write_text('#!/bin/sh\nexec "$REAL_PYTHON" "$@"\n')
        other.chmod(0o755)
        (folder / "connection_plugins").mkdir()
        (folder / "connection_plugins" / "elsewhere.py").write_text(
            'DOCUMENTATION = """\nname: elsewhere\nshort_description: Another way to this host\n'
            'description: [For tests.]\nextends_documentation_fragment: [connection_pipelining]\n"""\n'
            "from ansible.plugins.connection.local import Connection as Local\n\n\n"
            'class Connection(Local):\n    transport = "elsewhere"\n'
        )
        (folder / "hosts").write_text("here\nthere ansible_connection=elsewhere\n")
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "ansible_remote_tmp": str(folder / "remote"),
            "ansible_async_dir": str(folder / "async"),
            "token": server.token,
            "silent": silent,
            "folder": str(folder),
        }
        (folder / "group_vars").mkdir()
        (folder / "group_vars" / "all.json").write_text(json.dumps(variables))
        self.vault = {"url": [server.url], "ca_cert": server.ca_cert, "token": "{{ token }}"}
        self.store: dict[str, Any] = {
            "name": "vault",
            "namespace": namespace,
            "server": "https://vault.example.com",
            "path": "worker",
            "auth": {"token_secret_ref": {"name": "token", "key": "token"}},
        }
        self.book = [
            {
                "hosts": "here",
                "gather_facts": False,
                "module_defaults": {
                    f"group/{OWN}vault": self.vault,
                    f"group/{OWN}eso": {"kubeconfig": kube.kubeconfig},
                    f"{OWN}vault_policy": {"workers": 2},
                },
                "tasks": [*self.tasks(namespace), *self.ways(), *self.end(namespace)],
            }
        ]
        (folder / "play.yml").write_text(json.dumps(self.book))

    def tasks(self, namespace: str) -> list[dict[str, Any]]:
        """One module of each family, in success, check mode, failure."""
        wanted = policy("worker", "read")
        secret = {"mount": "worker", "path": "written", "data": {"password": self.password}}
        store = self.store
        return [
            task("create in check mode", "vault_policy", wanted, check_mode=True, diff=True),
            task("create", "vault_policy", wanted, diff=True, tags=["debug"]),
            task("unchanged", "vault_policy", wanted),
            task("update in check mode", "vault_policy", policy("worker", "list"), check_mode=True, diff=True),
            task("a wrong option", "vault_policy", {**wanted, "colour": "red"}),
            task("a wrong value", "vault_policy", policy("worker", "fly")),
            task("a wrong token", "vault_policy", {**wanted, "token": "s.wrong-{{ token | length }}"}),
            task("a value of the wrong type", "vault_policy", {**wanted, "workers": "many"}),
            task("write a secret", "vault_kv", secret, diff=True, tags=["debug"]),
            task("write it in secret", "vault_kv", {**secret, "path": "silent"}, no_log=True, diff=True),
            task(
                "read a secret", "vault_kv_read", {"mount": "worker", "path": "app"}, register="found", tags=["debug"]
            ),
            task("use it", "vault_policy", {**wanted, "name": "{{ found.secret.password | length }}"}, check_mode=True),
            task("look at a server", "vault_info", {"gather_subset": ["policies", "mounts"]}),
            task("log in", "vault_login", {"auth_method": "approle", "role_id": "nobody", "token": "{{ omit }}"}),
            task("initialise", "vault_init", {"key_store": f"{self.folder}/keys"}, check_mode=True),
            task("render", "eso_manifests", {"path": f"{self.folder}/manifests", "stores": [store]}, diff=True),
            task("apply a store", "eso_secretstore", store, diff=True),
            task("a store unchanged", "eso_secretstore", store),
            task("wait in vain", "eso_secretstore", {**store, "wait": True, "wait_timeout": 0}),
            task("sync nothing", "eso_sync", {"name": "missing", "namespace": namespace}),
            task("restart nothing", "k8s_rollout", {"name": "missing", "namespace": namespace, "kind": "Deployment"}),
        ]

    def ways(self) -> list[dict[str, Any]]:
        """The same module in all the ways in which a task can be run."""
        wanted = policy("worker", "read")
        return [
            task("loop", "vault_policy", policy("{{ item }}", "read"), loop=["one", "two", "one"], diff=True),
            task("loop with failures", "vault_policy", policy("worker", "{{ item }}"), loop=["read", "fly"]),
            task("until", "vault_policy", policy("worker", "fly"), until="false", retries=2, delay=0),
            task("delegated", "vault_policy", wanted, delegate_to="localhost"),
            task(
                "by environment",
                "vault_policy",
                {**wanted, "url": "{{ omit }}", "ca_cert": "{{ omit }}", "token": "{{ omit }}"},
                module_defaults={},
                environment={
                    "VAULT_ADDR": self.server.url,
                    "VAULT_CACERT": self.server.ca_cert,
                    "VAULT_TOKEN": "{{ token }}",
                },
            ),
            task("with a timeout", "vault_policy", {**wanted, "url": ["{{ silent }}"]}, timeout=2),
            task("with a condition", "vault_policy", wanted, changed_when=True, failed_when="false", register="again"),
            task("skipped", "vault_policy", wanted, when="again is not changed"),
            task("switched off", "vault_policy", wanted, tags=["process"], vars={"vault_eso_in_worker": False}),
            task("become", "vault_policy", wanted, tags=["process"], become=True, become_method="su"),
            task("async", "vault_policy", wanted, tags=["process"], **{"async": 60, "poll": 1}),
            task(
                "another interpreter",
                "vault_policy",
                wanted,
                tags=["process"],
                vars={"ansible_python_interpreter": f"{self.folder}/other-python"},
            ),
            task(
                "a variable of Python",
                "vault_policy",
                wanted,
                tags=["process"],
                environment={"PYTHONHASHSEED": "1"},
            ),
            task("on another host", "vault_policy", wanted, tags=["process"], delegate_to="there"),
        ]

    def end(self, namespace: str) -> list[dict[str, Any]]:
        """Leave everything as it was."""
        gone = [{"name": name, "state": "absent"} for name in ("worker", "one", "two", "12")]
        return [
            task("remove policies", "vault_policy", {"policies": gone}, diff=True),
            task("remove secrets", "vault_kv", {"mount": "worker", "secrets": [
                {"path": "written", "state": "absent", "delete": "all"},
                {"path": "silent", "state": "absent", "delete": "all"},
            ]}, diff=True),
            task("remove the store", "eso_secretstore", {"name": "vault", "namespace": namespace, "state": "absent"}),
            task("remove manifests", "eso_manifests", {"path": f"{self.folder}/manifests", "state": "absent"}),
        ]  # fmt: skip

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment without any Vault of the caller's."""
        drop = ("VAULT_", "BAO_", "ANSIBLE_", "AWX_", "RUNNER_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(drop) and name != "CI"}
        runtime = self.folder / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        return {
            **clean,
            # what runs of other tests left is told once, and would be a difference
            "XDG_RUNTIME_DIR": str(runtime),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "support" / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "told",
            "REAL_PYTHON": str(Path(PLAYBOOK).parent / "python"),
            "HOME": str(self.folder),
            **more,
        }

    def run(self, *arguments: str, **env: str) -> tuple[str, list[dict[str, Any]]]:
        """Run the playbook; return what it printed, and what callbacks were told."""
        told = self.folder / "told"
        told.unlink(missing_ok=True)
        done = subprocess.run(
            [PLAYBOOK, "-i", str(self.folder / "hosts"), str(self.folder / "play.yml"), *arguments],
            cwd=self.folder,
            env=self.environment(TOLD=str(told), **env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )
        text = done.stdout + done.stderr
        assert told.exists(), text
        return text, [json.loads(line) for line in told.read_text().splitlines()]


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, openbao: VaultServer, kube_api: KubeApi, silent: str
) -> Iterator[Scene]:
    namespace = kube_api.namespace("vault-eso-in-worker")
    try:
        yield Scene(openbao, kube_api, namespace, tmp_path_factory.mktemp("in-worker"), silent)
    finally:
        kube_api.forget_namespace(namespace)


def settled(value: Any) -> Any:
    """Return a value of a run without what differs from run to run by its nature."""
    text = json.dumps(value, sort_keys=True, indent=1) if not isinstance(value, str) else value
    for pattern, label in VOLATILE:
        text = pattern.sub(label, text)
    return text


def test_same_to_the_letter(scene: Scene) -> None:
    by_process, told_by_process = scene.run("-v", "--skip-tags", "process", VAULT_ESO_IN_WORKER="false")
    in_worker, told_in_worker = scene.run("-v", "--skip-tags", "process")
    names = [entry["task"] for entry in told_in_worker]
    assert names == [entry["task"] for entry in told_by_process]
    for mine, theirs in zip(told_in_worker, told_by_process):
        assert settled(mine) == settled(theirs), mine["task"]
    assert settled(in_worker) == settled(by_process)
    # the cases are what they are called
    failed = {entry["task"] for entry in told_in_worker if entry["event"] == "failed"}
    assert failed == {
        "a wrong option",
        "a wrong value",
        "a wrong token",
        "a value of the wrong type",
        "log in",
        "wait in vain",
        "sync nothing",
        "restart nothing",
        "loop with failures",
        "until",
        "with a timeout",
    }


def test_where_modules_run_and_that_no_secret_is_shown(scene: Scene) -> None:
    """The most verbose output, which tells where each module ran."""
    text, told = scene.run("-vvvv")
    reasons = sorted(re.findall(r"runs as a process: (.*)$", text, re.MULTILINE))
    assert reasons == [
        "another interpreter",
        "async",
        "become",
        "it is turned off",
        "the connection is not local",
        "the environment steers the start of a process",
    ]
    # a process has its options from a shell, on its standard input or in a file
    assert text.count(" in the worker\n") > 30
    assert "VAULT_ADDR=" not in text
    assert scene.canaries.found({"output": text.lower()}) == []
    # wherever it ran, it came to the same
    results = {entry["task"]: entry["result"] for entry in told}
    for one in scene.book[0]["tasks"]:
        if "process" in one.get("tags", ()):
            assert results[one["name"]]["results"] == results["delegated"]["results"], one["name"]


def test_debug_output_shows_no_secret(scene: Scene) -> None:
    """Ansible writes the options of every module that it packs into its debug output; here it packs none."""
    text, told = scene.run("--tags", "debug", ANSIBLE_DEBUG="true")
    assert [entry["event"] for entry in told] == ["ok"] * 3
    assert "in local.exec_command()" not in text
    assert scene.canaries.found({"output": text.lower()}) == []


# -- the end of a run -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_at_once_and_revokes_its_own_login_only(
    scene: Scene, unique: str, number: signal.Signals
) -> None:
    root = scene.server.client()
    enable_kv(root, unique)
    root.sys.enable_auth_method("approle", path=unique)
    root.sys.create_or_update_policy(unique, f'path "{unique}/*" {{ capabilities = ["create", "update", "read"] }}')
    root.auth.approle.create_or_update_approle("app", token_policies=[unique], mount_point=unique)
    ids = {
        "role_id": root.auth.approle.read_role_id("app", mount_point=unique)["data"]["role_id"],
        "secret_id": root.auth.approle.generate_secret_id("app", mount_point=unique)["data"]["secret_id"],
    }
    other = root.auth.approle.login(**ids, use_token=False, mount_point=unique)["auth"]["client_token"]
    login = {"auth_method": "approle", "auth_mount": unique, **ids}
    options = {
        "url": [scene.server.url],
        "ca_cert": scene.server.ca_cert,
        **login,
        "mount": unique,
        "secrets": [{"path": f"app{i}", "data": {"user": "app"}} for i in range(MANY)],
        "workers": 1,
    }
    tasks = [task("many", "vault_kv", options)]
    book = scene.folder / f"{unique}.yml"
    book.write_text(json.dumps([{"hosts": "here", "gather_facts": False, "tasks": tasks}]))
    run = subprocess.Popen(
        [PLAYBOOK, "-i", str(scene.folder / "hosts"), str(book)],
        cwd=scene.folder,
        env=scene.environment(TOLD=str(scene.folder / "told-of-signals")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )

    def written() -> int:
        return len((root.list(f"{unique}/metadata") or {"data": {"keys": []}})["data"]["keys"])

    def eventually(met: Callable[[], Any], what: str) -> None:
        end = time.monotonic() + 60
        while not met():
            assert time.monotonic() < end, what
            time.sleep(0.1)

    try:
        eventually(written, "nothing is written")
        begun = time.monotonic()
        # as a terminal does: to all in the foreground
        os.killpg(run.pid, number)
        output, _none = run.communicate(timeout=60)
        lasted = time.monotonic() - begun
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
    accessors = root.list("auth/token/accessors")["data"]["keys"]
    assert lasted < 30, output

    def left() -> set[str]:
        found = set()
        for accessor in root.list("auth/token/accessors")["data"]["keys"]:
            with suppress(hvac.exceptions.InvalidPath, hvac.exceptions.Forbidden, hvac.exceptions.InvalidRequest):
                data = root.auth.token.lookup_accessor(accessor)["data"]
                if data["path"] == f"auth/{unique}/login":
                    found.add(accessor)
        return found

    mine = root.auth.token.lookup(other)["data"]["accessor"]
    assert mine in accessors
    eventually(lambda: left() == {mine}, "the login of the module is not revoked")
    before = written()
    time.sleep(1)
    assert written() == before < MANY


def test_a_key_of_a_kubeconfig_is_on_no_disk(scene: Scene, unique: str) -> None:
    """Not even as long as a task lasts, so that one that is killed leaves none."""
    assert "client-key-data" in Path(scene.book[0]["module_defaults"][f"group/{OWN}eso"]["kubeconfig"]).read_text()
    options = {**scene.store, "name": unique, "wait": True, "wait_timeout": 60}
    book = scene.folder / f"{unique}.yml"
    book.write_text(json.dumps([{**scene.book[0], "tasks": [task("wait", "eso_secretstore", options)]}]))
    places = [scene.folder / f"{unique}-{name}" for name in ("tmp", "runtime")]
    for place in places:
        place.mkdir(mode=0o700)
    environment = scene.environment(TOLD=str(scene.folder / "told-of-keys"))
    environment.update(TMPDIR=str(places[0]), XDG_RUNTIME_DIR=str(places[1]))
    run = subprocess.Popen(
        [PLAYBOOK, "-i", str(scene.folder / "hosts"), str(book)],
        cwd=scene.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    path = f"/apis/external-secrets.io/v1/namespaces/{scene.store['namespace']}/secretstores"
    try:
        end = time.monotonic() + 60
        while unique not in [found["metadata"]["name"] for found in scene.kube.call("GET", path)["items"]]:
            assert time.monotonic() < end and run.poll() is None, run.communicate()[0]
            time.sleep(0.1)
        during = [path.name for place in places for path in place.iterdir()]
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        scene.kube.call("DELETE", f"{path}/{unique}")
    after = [path.name for place in places for path in place.iterdir()]
    assert (during, after) == ([], [])


# -- progress ---------------------------------------------------------------------------------------------------------


def watched(scene: Scene, unique: str, **env: str) -> str:
    """Return what a person sees of a task that waits for some seconds in vain."""
    options = {**scene.store, "name": unique, "wait": True, "wait_timeout": 5}
    play = {**scene.book[0], "tasks": [task("a long task", "eso_secretstore", options)]}
    book = scene.folder / f"{unique}.yml"
    book.write_text(json.dumps([play]))
    terminal, end = pty.openpty()
    try:
        subprocess.run(
            [PLAYBOOK, "-i", str(scene.folder / "hosts"), str(book)],
            cwd=scene.folder,
            env=scene.environment(TOLD=str(scene.folder / "told-of-progress"), **env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=end,
            check=False,
            timeout=120,
        )
        # a read of a terminal gives a part of what is there
        os.set_blocking(terminal, False)
        seen = b""
        with suppress(BlockingIOError):
            while part := os.read(terminal, 1 << 16):
                seen += part
        return seen.decode()
    finally:
        os.close(terminal)
        os.close(end)


def test_progress_is_told_to_a_person_who_watches_and_can_be_switched_off(scene: Scene, unique: str) -> None:
    told = [line for line in watched(scene, unique).splitlines() if "of 1 ready" in line]
    assert 1 <= len(told) <= 3
    assert told[0].strip() == "a long task: 0 of 1 ready"
    assert "of 1 ready" not in watched(scene, unique, VAULT_ESO_PROGRESS="no")
    assert "of 1 ready" not in watched(scene, unique, CI="true")
