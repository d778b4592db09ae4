# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare this collection with what else configures a Vault, in one run against one server; see README.md here.

Times say little about another machine, ratios do. Requests are counted by the server itself.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from contextlib import suppress
from pathlib import Path
from ssl import create_default_context
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "playbooks" / "collections")]

import report  # noqa: E402
from objects import KINDS, Kind, job, name  # noqa: E402

from support import eso_operator, kubernetes_api  # noqa: E402
from support.modules import RUNNER, run_module  # noqa: E402
from support.openbao import VaultServer  # noqa: E402
from support.scene import Scene  # noqa: E402

CACHE = (Path("/var/cache") if os.geteuid() == 0 else Path.home() / ".cache") / "vault-eso-lab" / "benchmarks"
COUNTERS = re.compile(r"^vault_core_handle(?:_login)?_request_count (\d+)", re.MULTILINE)
#: of unchanged runs to one first run, with the largest number of objects: as processes, and as tasks of one playbook
ROUNDS = 5
TASK_ROUNDS = 16
#: of the lookups, the contenders in turns
LOOKUP_ROUNDS = 3
#: what a run measures; each part names the machine that it was measured on
PARTS = ("tasks", "lookups", "rotation", "kinds", "guide", "large")
#: the last run's figures, from which pages and plot can be made again
KEPT = HERE / "results.json"
#: options of the modules that hold the objects
PLURALS = ("policies", "secrets", "roles")
#: tasks of one playbook, and objects of one loop
TASKS, LOOP = 21, 50
PING = "ansible.builtin.ping"
PEER = "ansible-modules-hashivault==5.6.1"


class Server(VaultServer):
    """A server that counts its requests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, telemetry={"prometheus_retention_time": "24h", "disable_hostname": True})
        self.context = create_default_context(cafile=self.ca_cert)

    def call(self, method: str, path: str, body: Any = None) -> bytes:
        """Send a request and return the body of the answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/v1/{path}", data, {"X-Vault-Token": self.token}, method=method)  # noqa: S310
        with urllib.request.urlopen(request, context=self.context) as answer:  # noqa: S310
            return bytes(answer.read())

    def processor(self) -> float:
        """Return the processor seconds that the server used so far."""
        assert self.process is not None  # noqa: S101  # it was started by __init__
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def counted(self) -> int:
        """Return how many requests came so far, this one not among them."""
        text = self.call("GET", "sys/metrics?format=prometheus").decode()
        self.asked = getattr(self, "asked", 0) + 1
        return sum(int(number) for number in COUNTERS.findall(text)) - self.asked + 1


class Bench:
    """One run: a server, a folder for files, and how to start each contender."""

    def __init__(self, folder: Path, server: Server, workers: int) -> None:
        self.folder = folder
        self.server = server
        self.workers = workers
        (folder / "token").write_text(server.token)
        (folder / "token").chmod(0o600)
        # No proxy, CA bundle or Vault of the caller's may take part.
        drop = re.compile(r"^(VAULT_|BAO_|ANSIBLE_|.*_proxy$|.*_PROXY$|.*_CA_BUNDLE$|SSL_CERT_)")
        self.env = {key: value for key, value in os.environ.items() if not drop.match(key)}
        self.env.update(
            VAULT_ADDR=server.url,
            VAULT_CACERT=server.ca_cert,
            VAULT_TOKEN=server.token,
            ANSIBLE_CONFIG=str(folder / "ansible.cfg"),
            TASK_SECONDS=str(folder / "tasks.json"),
            PYTHONPATH=str(ROOT / "playbooks" / "collections"),
            PATH=f"{server.binary.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        )
        (folder / "ansible.cfg").write_text(
            "[defaults]\n"
            f"collections_path = {ROOT / 'playbooks' / 'collections'}\n"
            f"callback_plugins = {HERE / 'callbacks'}\n"
            f"library = {folder / 'library'}\n"
            f"roles_path = {ROOT / 'roles'}\n"
            "callbacks_enabled = task_seconds\nlocalhost_warning = false\ninventory_unparsed_warning = false\n"
            "[connection]\npipelining = true\n"
        )
        self.idle_modules()

    def run(self, command: list[str], stdin: str = "", what: str = "", **env: str) -> dict[str, Any]:
        """Run a command and return its seconds, output, requests, and the most memory of one process in MB.

        ``processor`` are seconds of all its processes and of the server: the measure that a busy machine changes least.
        Ends the benchmark when it fails.
        """
        (self.folder / "in").write_text(stdin)
        before, used = self.server.counted(), self.server.processor()
        start = time.perf_counter()
        with (
            (self.folder / "in").open() as source,
            (self.folder / "out").open("w") as out,
            (self.folder / "err").open("w") as err,
        ):
            process = subprocess.Popen(command, stdin=source, stdout=out, stderr=err, env={**self.env, **env})
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        used = self.server.processor() - used
        requests = self.server.counted() - before
        output = (self.folder / "out").read_text()
        if process.returncode:
            sys.exit(f"bench: {what} failed:\n{output[-3000:]}\n{(self.folder / 'err').read_text()[-2000:]}")
        return {
            "seconds": seconds,
            "work": seconds,
            "requests": requests,
            "processor": usage.ru_utime + usage.ru_stime + used,
            "server_processor": used,
            "memory": usage.ru_maxrss / 1024,
            "output": output,
        }

    # -- contenders ---------------------------------------------------------------------------------------------------

    def playbook(
        self, tasks: list[dict[str, Any]], variables: dict[str, Any], binary: str, what: str, **env: str
    ) -> dict[str, Any]:
        """Run a playbook; ``tasks`` are the seconds of each of its tasks, ``work`` those of all."""
        play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
        (self.folder / "play.yml").write_text(json.dumps(play))
        (self.folder / "vars.json").write_text(json.dumps(variables))
        command = [binary, "-e", f"@{self.folder / 'vars.json'}", str(self.folder / "play.yml")]
        found = self.run(command, what=what, **env)
        found["tasks"] = [task["seconds"] for task in json.loads((self.folder / "tasks.json").read_text())]
        found["work"] = sum(found["tasks"])
        return found

    def options(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """Return the module options for many objects."""
        connection = {
            "url": [self.server.url],
            "ca_cert": self.server.ca_cert,
            "token_file": str(self.folder / "token"),
        }
        return {**kind.bulk(where, count), **connection, "workers": self.workers, "report": "changes"}

    def objects(self, kind: Kind, where: str, count: int) -> list[Any]:
        """Return the objects themselves, as the modules take them."""
        return next(value for key, value in kind.bulk(where, count).items() if key in PLURALS)

    def task_of(self, module: str, kind: Kind, where: str, variable: str) -> dict[str, Any]:
        """Return a task of a module that takes this collection's options, with the objects of a variable."""
        if module == PING:
            return {module: {"data": f"{{{{ {variable} }}}}"}}
        options = self.options(kind, where, 1)
        return {module: {**options, **{key: f"{{{{ {variable} }}}}" for key in PLURALS if key in options}}}

    def with_objects(self, module: str, kind: Kind, where: str, count: int, what: str) -> dict[str, Any]:
        """Run a playbook of one such task."""
        variables = {"objects": self.objects(kind, where, count)}
        task = self.task_of(module, kind, where, "objects")
        env = {"VAULT_ESO_IN_WORKER": "false"}
        return self.playbook([task], variables, "ansible-playbook", f"{kind.title}, {what}", **env)

    def rounds(self, kind: Kind, where: str, count: int) -> dict[str, list[float]]:
        """Return seconds of tasks that change nothing, all in turns in one playbook, by what each was.

        So they differ in nothing but the module and the number of objects: the process of ansible-playbook, which takes
        other times from start to start, is the same. The first round is not counted: it packs the modules.
        """
        own, idle = f"secretops.vault_eso.{kind.module}", f"idle_{kind.module}"
        steps = {
            "one": (own, "one"),
            "unchanged": (own, "objects"),
            "idle one": (idle, "one"),
            "idle": (idle, "objects"),
        }
        tasks = [self.task_of(module, kind, where, variable) for module, variable in steps.values()]
        objects = self.objects(kind, where, count)
        variables = {"objects": objects, "one": objects[:1]}
        what = f"{kind.title}, {TASK_ROUNDS} rounds"
        tasks *= 1 + TASK_ROUNDS
        # the module that does nothing is none of the collection's, so it is a process
        env = {"TASK_SECONDS_GC": "off", "VAULT_ESO_IN_WORKER": "false"}
        found = self.playbook(tasks, variables, "ansible-playbook", what, **env)
        return {step: found["tasks"][len(steps) + i :: len(steps)] for i, step in enumerate(steps)}

    def whole(self, kind: Kind, where: str, count: int) -> dict[str, float]:
        """Return the seconds of whole tasks in Ansible's worker: the first, and the median of those that follow."""
        task = self.task_of(f"secretops.vault_eso.{kind.module}", kind, where, "objects")
        variables = {"objects": self.objects(kind, where, count)}
        found = self.playbook([task] * (1 + ROUNDS), variables, "ansible-playbook", f"{kind.title}, whole tasks")
        return {"first": found["tasks"][0], "unchanged": statistics.median(found["tasks"][1:])}

    def task(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """One task of this collection in a playbook."""
        return self.with_objects(f"secretops.vault_eso.{kind.module}", kind, where, count, "this collection")

    def handover(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """Run a task of a module that takes the same options and does nothing: what Ansible itself needs for it."""
        return self.with_objects(f"idle_{kind.module}", kind, where, count, "idle module")

    def ping(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """Give the objects to Ansible's own module that does nothing: the least memory that they need."""
        return self.with_objects(PING, kind, where, count, PING)

    def idle_modules(self) -> None:
        """Write a module for each kind that has the options of this collection's, and does nothing."""
        from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.module import bulk_spec
        from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS as DECLARED
        from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import (
            CONNECTION_SPEC,
            LOGIN_SPEC,
        )

        (self.folder / "library").mkdir()
        for kind in KINDS.values():
            declared = next(one for one in DECLARED.values() if one.module == kind.module)
            spec = {
                **CONNECTION_SPEC,
                **LOGIN_SPEC,
                **declared.options,
                **bulk_spec(declared.item, declared.plural, declared.required),
            }
            (self.folder / "library" / f"idle_{kind.module}.py").write_text(
                "#!/usr/bin/python\n"
                "from ansible.module_utils.basic import AnsibleModule\n"
                f"AnsibleModule(argument_spec={spec!r}).exit_json(changed=False, invocation={{}})\n"
            )

    def module(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """The module's process alone, as Ansible starts it."""
        return self.alone(kind.module, kind, where, count)

    def idle(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """The process alone of the module that does nothing."""
        return self.alone(str(self.folder / "library" / f"idle_{kind.module}.py"), kind, where, count)

    def alone(self, module: str, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """Run a module as a process of its own, its options on stdin."""
        arguments = {"ANSIBLE_MODULE_ARGS": {**self.options(kind, where, count), "_ansible_check_mode": False}}
        return self.run([sys.executable, "-c", RUNNER, module], json.dumps(arguments), f"{kind.title}, module")

    def client(self, client: str, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """A client of clients.py; its ``work`` is without the start of Python."""
        found = self.run([sys.executable, str(HERE / "clients.py"), client], job(kind, where, count), client)
        told = json.loads(found["output"])
        found.update(work=told["seconds"], processor=told["processor"] + found["server_processor"])
        return found

    def peer(self, peer: str, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """A loop of a peer's module over some objects; the start of ansible-playbook does not count."""
        binary = "ansible-playbook" if peer == "hashi_vault" else str(CACHE / "peers" / "bin" / "ansible-playbook")
        task = {**getattr(kind, peer)(where), "loop": "{{ names }}", "no_log": True}
        names = [name(where, i) for i in range(count)]
        return self.playbook([task], {"names": names}, binary, f"{kind.title}, {peer}")

    def cli(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """A shell loop over the command line."""
        names = " ".join(shlex.quote(name(where, i)) for i in range(count))
        return self.run(
            ["bash", "-euc", f"for name in {names}; do\n{kind.cli(where)}\ndone >/dev/null"], what=f"{kind.title}, bao"
        )

    # -- places -------------------------------------------------------------------------------------------------------

    def mount(self, kind: Kind, where: str) -> None:
        """Make a place of its own for one contender."""
        if kind.mount.startswith("auth/"):
            self.server.call("POST", f"sys/auth/{where}", {"type": kind.mount[5:]})
        elif kind.mount == "kv-v2":
            self.server.call("POST", f"sys/mounts/{where}", {"type": "kv", "options": {"version": "2"}})
            time.sleep(0.5)  # a new mount of version 2 is not ready at once
        elif kind.mount:
            self.server.call("POST", f"sys/mounts/{where}", {"type": kind.mount})

    def unmount(self, kind: Kind, where: str, count: int) -> None:
        """Leave nothing that would make another contender slower."""
        if kind.mount:
            area = "auth" if kind.mount.startswith("auth/") else "mounts"
            self.server.call("DELETE", f"sys/{area}/{where}")
            return
        absent = {**self.options(kind, where, count), "state": "absent"}
        self.run([sys.executable, "-c", RUNNER, kind.module], json.dumps({"ANSIBLE_MODULE_ARGS": absent}), "clean up")


def peers_environment() -> None:
    """Make the virtual environment of ansible-modules-hashivault, once; it cannot share one with newer libraries."""
    home = CACHE / "peers"
    if (home / "bin" / "ansible-playbook").exists() and any(
        home.glob("lib/*/site-packages/ansible/modules/hashivault")
    ):
        return
    print(f"making {home} with {PEER} ...", file=sys.stderr)
    from importlib.metadata import version

    venv.create(home, with_pip=True, clear=True)
    core, hvac = f"ansible-core=={version('ansible-core')}", f"hvac=={version('hvac')}"
    subprocess.run(
        [str(home / "bin" / "pip"), "--disable-pip-version-check", "-q", "install", core, hvac, PEER], check=True
    )


class Contender:
    """One that takes part: how it is run, and what its runs gave."""

    def __init__(
        self, bench: Bench, kind: Kind, title: str, count: int, run: Any, idle: Any = None, rounds: Any = None
    ) -> None:
        self.bench = bench
        self.kind = kind
        self.title = title
        self.count = count
        self.run = run
        #: the same with nothing done by the module, where that is a cost of its own
        self.idle = idle
        #: many runs in one process, where there is a way
        self.rounds = rounds
        self.runs: dict[str, list[dict[str, Any]]] = {}
        self.seconds: dict[str, list[float]] = {}

    def add(self, phase: str, run: Any, where: str, count: int) -> None:
        """Run once more, and keep what came of it."""
        self.runs.setdefault(phase, []).append(run(where, count))

    def turn(self, where: str, rounds: int) -> None:
        """Measure a first run and rounds of what changes nothing, in a place of its own that is gone afterwards."""
        self.bench.mount(self.kind, where)
        self.add("first", self.run, where, self.count)
        time.sleep(1)  # the server is not done with what was written when it has answered
        for _again in range(1 if self.rounds else rounds):
            self.add("unchanged", self.run, where, self.count)
            if self.idle:
                self.add("one", self.run, where, 1)
                self.add("idle one", self.idle, where, 1)
                self.add("idle", self.idle, where, self.count)
        if self.rounds and rounds > 1:
            for step, seconds in self.rounds(where, self.count).items():
                self.seconds.setdefault(step, []).extend(seconds)
        self.bench.unmount(self.kind, where, self.count)

    def least(self, phase: str, key: str) -> float:
        """Return the smallest of the runs' figures: whatever else a machine does only adds to them."""
        return float(min(found[key] for found in self.runs[phase])) if phase in self.runs else 0.0

    def above(self) -> tuple[float, float, float]:
        """Return what the rounds tell: seconds above the fixed cost with their standard error, and the handover.

        Each round gives one value, of four tasks that followed each other; of all the median.
        """
        steps = [self.seconds[step] for step in ("unchanged", "one", "idle", "idle one")]
        works = [unchanged - one - (idle - idle_one) for unchanged, one, idle, idle_one in zip(*steps)]
        middle = statistics.median(works)
        # of a median, by the median deviation, which a few disturbed rounds do not change. Source: the asymptotic
        # standard error of the median of a normal distribution
        deviation = 1.4826 * statistics.median(abs(work - middle) for work in works)
        handover = statistics.median(idle - idle_one for idle, idle_one in zip(*steps[2:]))
        return middle, 1.2533 * deviation / math.sqrt(len(works)), handover

    def row(self, phase: str, size: int) -> dict[str, Any]:
        """Return the least of the first runs or of the unchanged, what is fixed taken off; of rounds their median."""
        used = {step: self.least(step, "work") for step in ("one", "idle one", "idle", phase)}
        handover = max(0.0, used["idle"] - used["idle one"])
        fixed, error = used["one"] + handover, 0.0
        work = used[phase] - fixed
        if phase == "unchanged" and self.seconds:
            work, error, handover = self.above()
            fixed = statistics.median(self.seconds["one"]) + handover
        processor = self.least("one", "processor")
        processor += max(0.0, self.least("idle", "processor") - self.least("idle one", "processor"))
        return {
            "contender": self.title,
            "phase": phase,
            "count": self.count,
            "size": size,
            "seconds": self.least(phase, "seconds"),
            "fixed": fixed,
            "handover": handover,
            "work": work,
            "error": error,
            "each_ms": work / self.count * 1000,
            "processor": self.least(phase, "processor") - processor,
            "requests_each": self.least(phase, "requests") / self.count,
            "memory_mb": self.least(phase, "memory"),
        }


def compare(bench: Bench, kind: Kind, size: int, given: argparse.Namespace, largest: bool) -> list[dict[str, Any]]:
    """Return a row for each contender and run: seconds of the work per object, and requests per object."""
    sample = given.sample

    def of(function: Any, *args: Any) -> Any:
        return lambda where, count: function(*args, kind, where, count)

    measured = [
        Contender(bench, kind, "pooled client", size, of(bench.client, "pooled")),
        Contender(bench, kind, "this collection, one task", size, of(bench.task), of(bench.handover), of(bench.rounds)),
        Contender(bench, kind, "this collection, module alone", size, of(bench.module), of(bench.idle)),
        Contender(bench, kind, "hvac, one by one", size, of(bench.client, "hvac")),
    ]
    # so much slower that some objects and one run will do
    loops = [Contender(bench, kind, "bao in a shell loop", sample, of(bench.cli))]
    if largest and not given.no_peers:
        loops += [
            Contender(bench, kind, f"{title} loop", sample, of(bench.peer, peer))
            for title, peer in (("community.hashi_vault", "hashi_vault"), ("hashivault", "hashivault"))
        ]
    # in turns, so that a minute in which the machine is slow is one for all
    for turn in range(given.repeat):
        for number, contender in enumerate(measured):
            contender.turn(f"bench{number}x{turn}", ROUNDS if largest else 1)
    for number, contender in enumerate(loops, len(measured)):
        contender.turn(f"bench{number}x0", 1)
    rows = [contender.row(phase, size) for contender in [*measured, *loops] for phase in ("first", "unchanged")]
    for row in rows:
        told = f"{kind.title} {size} {row['contender']} {row['phase']}: {row['work']:.2f} s for {row['count']}"
        print(told, file=sys.stderr, flush=True)
    return rows


def whole(bench: Bench, kind: Kind, size: int, repeat: int) -> dict[str, Any]:
    """Return the seconds of whole tasks, the least of some playbooks: what a user waits for."""
    found = []
    for turn in range(repeat):
        where = f"whole{turn}"
        bench.mount(kind, where)
        found.append(bench.whole(kind, where, size))
        bench.unmount(kind, where, size)
    row = {"count": size, **{phase: min(one[phase] for one in found) for phase in ("first", "unchanged")}}
    print(f"{kind.title} {size} whole tasks: {row}", file=sys.stderr, flush=True)
    return row


def large(bench: Bench, size: int, deadline: float) -> list[dict[str, Any]]:
    """Return seconds and memory of one task, and of the module alone, for a tenth of the size and the size itself."""
    rows = []
    for key in ("policies", "secrets"):
        kind = KINDS[key]
        for count in (size // 10, size):
            if time.monotonic() > deadline:
                print(f"no time left for {count} {kind.title}", file=sys.stderr)
                continue
            where = f"large{count}"
            bench.mount(kind, where)
            for phase in ("first", "unchanged"):
                found = bench.module(kind, where, count)
                row = {"kind": key, "count": count, "phase": phase, "module_seconds": found["seconds"]}
                row["module_mb"] = found["memory"]
                if phase == "unchanged":
                    found = bench.task(kind, where, count)
                    row.update(task_seconds=found["seconds"], playbook_mb=found["memory"])
                    row["ping_mb"] = bench.ping(kind, where, count)["memory"]
                rows.append(row)
                print(f"{kind.title} {count} {phase}: {row}", file=sys.stderr, flush=True)
            bench.unmount(kind, where, count)
    return rows


def guide(bench: Bench) -> list[dict[str, Any]]:
    """Return seconds and requests of the guides' configuration: their own script, and this collection's role."""
    rows = []
    for contender, prefix, command in (
        ("the guide's shell script", "s", ["bash", str(HERE / "guide" / "configure.sh")]),
        (
            "this collection, role vault_config",
            "c",
            ["ansible-playbook", "-e", f"@{HERE / 'guide' / 'vars.yml'}", str(HERE / "guide" / "configure.yml")],
        ),
    ):
        # a namespace for each, so that both begin with nothing
        namespace = f"guide-{prefix}"
        bench.server.call("POST", f"sys/namespaces/{namespace}", {})
        env = {"VAULT_NAMESPACE": namespace, "VAULT_TOKEN_FILE": str(bench.folder / "token"), "VAULT_CLI": "bao"}
        if prefix == "c":
            env["BENCH_TOKEN_FILE"] = str(bench.folder / "token")
        for phase in ("first", "unchanged"):
            found = bench.run(command, what=contender, **env)
            rows.append(
                {
                    "contender": contender,
                    "phase": phase,
                    "seconds": found["seconds"],
                    "processor": found["processor"],
                    "requests": found["requests"],
                    "changed": sum(int(number) for number in re.findall(r"changed=(\d+)", found["output"])),
                }
            )
            print(f"guide, {contender}, {phase}: {found['seconds']:.2f} s", file=sys.stderr, flush=True)
    return rows


def lookups(bench: Bench, hosts: int) -> list[dict[str, Any]]:
    """Return seconds and requests of ten lookups on each of some hosts, by AppRole, of ten secrets in all."""
    call = bench.server.call
    call("POST", "sys/mounts/lookups", {"type": "kv", "options": {"version": "2"}})
    time.sleep(0.5)  # a new mount of version 2 is not ready at once
    for i in range(10):
        call("POST", f"lookups/data/app{i}", {"data": {"password": f"value{i}"}})
    call("POST", "sys/auth/approle", {"type": "approle"})
    call("PUT", "sys/policies/acl/lookups", {"policy": 'path "lookups/*" { capabilities = ["read"] }'})
    call("POST", "auth/approle/role/lookups", {"token_policies": ["lookups"]})
    role_id = json.loads(call("GET", "auth/approle/role/lookups/role-id"))["data"]["role_id"]
    secret_id = json.loads(call("POST", "auth/approle/role/lookups/secret-id", {}))["data"]["secret_id"]
    variables = {
        "ansible_hashi_vault_url": bench.server.url,
        "ansible_hashi_vault_ca_cert": bench.server.ca_cert,
        "ansible_hashi_vault_auth_method": "approle",
        "ansible_hashi_vault_role_id": role_id,
        "ansible_hashi_vault_secret_id": secret_id,
        "ansible_connection": "local",
    }
    inventory = bench.folder / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {f"host{i}": None for i in range(hosts)}, "vars": variables}}))
    ways = {
        "this collection": "lookup('secretops.vault_eso.vault_kv', 'app%d', mount='lookups', field='password')",
        "community.hashi_vault": "lookup('community.hashi_vault.vault_kv2_get', 'app%d', "
        "engine_mount_point='lookups').secret.password",
    }
    runs: dict[str, list[dict[str, Any]]] = {contender: [] for contender in ways}
    for _round in range(LOOKUP_ROUNDS):
        for contender, lookup in ways.items():
            conditions = [f"{lookup % i} == 'value{i}'" for i in range(10)]
            task = {"ansible.builtin.assert": {"that": conditions, "quiet": True}}
            book = bench.folder / "lookups.yml"
            book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
            command = ["ansible-playbook", "-i", str(inventory), "--forks", "10", str(book)]
            found = bench.run(command, what=f"lookups, {contender}")
            runs[contender].append(found)
            print(f"{hosts * 10} lookups, {contender}: {found['seconds']:.1f} s", file=sys.stderr, flush=True)
    return [
        {
            "contender": contender,
            "hosts": hosts,
            "lookups": hosts * 10,
            "rounds": len(found),
            **{key: min(one[key] for one in found) for key in ("seconds", "processor")},
            # the most, so that a run that asked more often does not go unseen
            "requests": max(one["requests"] for one in found),
        }
        for contender, found in runs.items()
    ]


def rotation(bench: Bench, count: int) -> list[dict[str, Any]]:
    """Return seconds of a rotation of applications that is proven in Kubernetes: one task, and a loop of single tasks.

    Each has an ExternalSecret and a Deployment without Pods. The operator is the emulated one, the same for both.
    """
    kube = kubernetes_api.start(bench.folder / "kubernetes")
    try:
        at = kube.namespace("rotation")
        with eso_operator.running(kube, bench.folder):
            scene = Scene(kube, bench.server, run_module, at, "rotation")
            scene.raise_up()
            scene.store(wait=True, wait_timeout=60)
            names = [f"app{number}" for number in range(count)]
            externals = []
            for one in names:
                scene.put(one, password="the-first-password", kept="what stays")
                pod = {"containers": [{"name": "app", "image": "example.com/app:1"}]}
                template = {"metadata": {"labels": {"app": one}}, "spec": pod}
                spec = {"selector": {"matchLabels": {"app": one}}, "template": template, "replicas": 0}
                body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": one}, "spec": spec}
                kube.call("POST", f"/apis/apps/v1/namespaces/{at}/deployments", body)
                remote = {"secret_key": "password", "remote_ref": {"key": one, "property": "password"}}
                externals.append({"name": one, "namespace": at, "store": {"name": "vault"}, "data": [remote]})
            made = {"kubeconfig": str(kube.kubeconfig), "external_secrets": externals, "wait": True}
            run_module("eso_externalsecret", {**made, "wait_timeout": 600}, must_succeed=True, timeout=700)
            return _rotations(bench, str(kube.kubeconfig), at, names)
    finally:
        kube.stop()


def _rotations(bench: Bench, kubeconfig: str, at: str, names: list[str]) -> list[dict[str, Any]]:
    connection = {"url": [bench.server.url], "ca_cert": bench.server.ca_cert, "token_file": str(bench.folder / "token")}
    mount, generate = "rotation-kv", {"password": {"length": 24}}
    applications = [
        {"name": one, "mount": mount, "path": one, "generate": generate}
        | {part: [{"namespace": at, "name": one}] for part in ("external_secrets", "workloads")}
        for one in names
    ]
    own = "secretops.vault_eso."
    clusters = [{"name": "one", "kubeconfig": kubeconfig}]
    one_task = [
        {
            f"{own}vault_rotation": {
                **connection,
                "applications": "{{ applications }}",
                "clusters": clusters,
                "rollout_wait": False,
                "batch": 50,
            }
        }
    ]
    place = {"name": "{{ item }}", "namespace": at, "kubeconfig": kubeconfig}
    rotate = {"password": {"length": 24, "rotate": True}}
    version = "{{ {item: written.results[loop_index].version} }}"
    loops = [
        {
            f"{own}vault_kv": {**connection, "mount": mount, "path": "{{ item }}", "generate": rotate},
            "register": "written",
        },
        {
            f"{own}eso_sync": {**place, "expect_versions": version, "vault": connection},
            "loop_control": {"index_var": "loop_index"},
        },
        {f"{own}k8s_rollout": {**place, "wait": False}},
    ]
    single = [{**task, "loop": "{{ names }}"} for task in loops]
    rows = []
    for contender, book in (("this collection, one task", one_task), ("loops of single tasks", single)):
        found = bench.playbook(book, {"applications": applications, "names": names}, "ansible-playbook", contender)
        rows.append({"contender": contender, "count": len(names), **{key: found[key] for key in ("work", "processor")}})
        print(f"{len(names)} rotations, {contender}: {found['work']:.1f} s", file=sys.stderr, flush=True)
    return rows


def tasks(bench: Bench, peers: bool) -> list[dict[str, Any]]:
    """Return what one task costs, and one object of a loop: in Ansible's worker, as a process, and by others.

    Measured as the difference of two playbooks, of one task and of many, or of a loop over one object and over many.
    """
    kind, where = KINDS["policies"], "tasks"
    bench.task(kind, where, LOOP)
    objects = bench.objects(kind, where, LOOP)
    own = f"secretops.vault_eso.{kind.module}"
    one = {own: {**bench.options(kind, where, 1), "policies": "{{ objects[:1] }}"}}
    each = {own: {**bench.options(kind, where, 1), "policies": "{{ [item] }}"}}
    process = {"VAULT_ESO_IN_WORKER": "false"}
    ways: list[tuple[str, Any, str, dict[str, str]]] = [
        (f"{PING}, a task", [{PING: {}}] * TASKS, "ansible-playbook", {}),
        ("this collection, a task in the worker", [one] * TASKS, "ansible-playbook", {}),
        ("this collection, a task as a process", [one] * TASKS, "ansible-playbook", process),
        (f"{PING}, an object of a loop", {PING: {}}, "ansible-playbook", {}),
        ("this collection, an object of a loop in the worker", each, "ansible-playbook", {}),
        ("this collection, an object of a loop as a process", each, "ansible-playbook", process),
    ]
    if peers:
        peer = str(CACHE / "peers" / "bin" / "ansible-playbook")
        ways.append(("community.hashi_vault, an object of a loop", kind.hashi_vault(where), "ansible-playbook", {}))
        ways.append(("hashivault, an object of a loop", kind.hashivault(where), peer, {}))
    rows = []
    for title, work, binary, env in ways:
        found = {}
        if isinstance(work, list):
            count = TASKS - 1
            books = {1: work[:1], TASKS: work}
        else:
            count = LOOP - 1
            own_loop = title.startswith("this")
            names = [name(where, i) for i in range(LOOP)]
            books = {
                size: [{**work, "loop": objects[:size] if own_loop else names[:size], "no_log": True}]
                for size in (1, LOOP)
            }
        for size, book in books.items():
            runs = [bench.playbook(book, {"objects": objects}, binary, title, **env) for _again in range(3)]
            found[size] = {key: min(run[key] for run in runs) for key in ("seconds", "processor")}
        few, many = found.values()
        row = {"title": title, **{key: (many[key] - few[key]) / count for key in few}}
        rows.append(row)
        print(f"{title}: {row['seconds']:.3f} s, processor {row['processor']:.3f} s", file=sys.stderr, flush=True)
    bench.unmount(kind, where, LOOP)
    return rows


def machine() -> dict[str, str]:
    """Describe where this runs."""
    model = ""
    with suppress(OSError):
        match = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        model = match[1] if match else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processors": f"{os.cpu_count()} x {model or platform.machine()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}, Python {platform.python_version()}",
        "load": " ".join(f"{number:.1f}" for number in os.getloadavg()),
    }


def main() -> int:
    """Run, print, write; return 0 also where a number is missed: the table says so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100,1000", help="numbers of objects, comma separated (%(default)s)")
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds of objects, comma separated (%(default)s)")
    parser.add_argument("--sample", type=int, default=8, help="objects in a loop that is extrapolated (%(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="runs of which the quickest counts (%(default)s)")
    parser.add_argument("--large", type=int, default=10000, help="objects of the memory test, 0: none (%(default)s)")
    parser.add_argument("--workers", type=int, default=4, help="threads of a task (the modules' default, %(default)s)")
    parser.add_argument(
        "--lookup-hosts", type=int, default=100, help="hosts of ten lookups each, 0: none (%(default)s)"
    )
    parser.add_argument("--rotations", type=int, default=100, help="applications to rotate, 0: none (%(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="no memory test begins after them (%(default)s)")
    parser.add_argument(
        "--parts", default=",".join(PARTS), help="what to measure, comma separated (%(default)s); the rest is kept"
    )
    parser.add_argument("--no-peers", action="store_true", help="leave the Ansible peers out")
    parser.add_argument("--no-guide", action="store_true", help="leave the guides' configuration out")
    parser.add_argument("--redraw", action="store_true", help="measure nothing, make the pages from what was kept")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "build" / "benchmarks", help="folder for JSON, table, plot"
    )
    parser.add_argument("--docs", action="store_true", help="keep the figures, for docs/ and README.md too")
    given = parser.parse_args()
    parts = set(given.parts.split(","))
    if parts - set(PARTS):
        parser.error(f"--parts takes {', '.join(PARTS)}")
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if given.redraw:
        if not kept:
            parser.error(f"{KEPT} is missing; run with --docs first")
        document(kept)
        return 0
    # so that the server ends with this, however it ends
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if not given.no_peers and {"kinds", "tasks"} & parts:
        peers_environment()
    start = time.monotonic()
    results: dict[str, Any] = {}
    here = machine()
    with tempfile.TemporaryDirectory(prefix="vault-eso-bench-") as folder:
        (Path(folder) / "server").mkdir()
        server = Server(Path(folder) / "server")
        try:
            here["server"] = f"{server.product} {server.version}, TLS, raft, on the same machine"
            bench = Bench(Path(folder), server, given.workers)
            sizes = [int(size) for size in given.sizes.split(",")]
            if "tasks" in parts:
                results["tasks"] = {"place": here, "rows": tasks(bench, not given.no_peers)}
            if given.lookup_hosts and "lookups" in parts:
                results["lookups"] = {"place": here, "rows": lookups(bench, given.lookup_hosts)}
            if given.rotations and "rotation" in parts:
                results["rotation"] = {"place": here, "rows": rotation(bench, given.rotations)}
            if "kinds" in parts:
                # what is extrapolated is measured once, with the largest number
                rows = {
                    key: [row for size in sizes for row in compare(bench, KINDS[key], size, given, size == max(sizes))]
                    for key in given.kinds.split(",")
                }
                tasks_of = {key: whole(bench, KINDS[key], max(sizes), given.repeat) for key in rows}
                results["kinds"] = {"place": here, "rows": rows, "whole": tasks_of}
            if not given.no_guide and "guide" in parts:
                results["guide"] = {"place": here, "rows": guide(bench)}
            if given.large and "large" in parts:
                results["large"] = {"place": here, "rows": large(bench, given.large, start + given.minutes * 60)}
        finally:
            server.stop()
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    write(given.output, results)
    if given.docs:
        # a part that was not measured now stays as it was
        kept.update(results)
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
        document(kept)
    print(report.page(results))
    print(f"written to {given.output} in {(time.monotonic() - start) / 60:.0f} minutes")
    return 0


def write(place: Path, results: dict[str, Any]) -> None:
    """Write the page, and the plot where there is something to draw."""
    (place / "benchmarks.md").write_text(report.page(results))
    if "kinds" in results:
        (place / "benchmarks.svg").write_text(report.plot(results))


def document(results: dict[str, Any]) -> None:
    """Bring the figures into README.md, and into docs/ where all that its page shows was measured."""
    readme = ROOT / "README.md"
    readme.write_text(report.into(readme.read_text(), results))
    missing = [part for part in PARTS if part not in results]
    if missing:
        print(f"docs/ is left as it is: {KEPT.name} has no figures of {', '.join(missing)}", file=sys.stderr)
    else:
        write(ROOT / "docs", results)


if __name__ == "__main__":
    sys.exit(main())
