# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare this collection with what else configures a Vault, in one run against one server; see README.md here.

Times say little about another machine, ratios do. Requests are counted by the server itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import signal
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
sys.path.insert(0, str(ROOT / "tests"))

import report  # noqa: E402
from objects import KINDS, Kind, job, name  # noqa: E402

from support.openbao import VaultServer  # noqa: E402

CACHE = (Path("/var/cache") if os.geteuid() == 0 else Path.home() / ".cache") / "vault-eso-lab" / "benchmarks"
COUNTERS = re.compile(r"^vault_core_handle(?:_login)?_request_count (\d+)", re.MULTILINE)
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
            f"roles_path = {ROOT / 'roles'}\n"
            "callbacks_enabled = task_seconds\nlocalhost_warning = false\ninventory_unparsed_warning = false\n"
            "[connection]\npipelining = true\n"
        )

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
            "requests": requests,
            "processor": usage.ru_utime + usage.ru_stime + used,
            "server_processor": used,
            "memory": usage.ru_maxrss / 1024,
            "output": output,
        }

    # -- contenders ---------------------------------------------------------------------------------------------------

    def playbook(
        self, tasks: list[dict[str, Any]], variables: dict[str, Any], binary: str, what: str
    ) -> dict[str, Any]:
        """Run a playbook of these tasks; the answer has the seconds of each in ``tasks``."""
        play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
        (self.folder / "play.yml").write_text(json.dumps(play))
        (self.folder / "vars.json").write_text(json.dumps(variables))
        found = self.run([binary, "-e", f"@{self.folder / 'vars.json'}", str(self.folder / "play.yml")], what=what)
        found["tasks"] = [task["seconds"] for task in json.loads((self.folder / "tasks.json").read_text())]
        return found

    def options(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """Return the module options for many objects."""
        connection = {
            "url": [self.server.url],
            "ca_cert": self.server.ca_cert,
            "token_file": str(self.folder / "token"),
        }
        return {**kind.bulk(where, count), **connection, "workers": self.workers}

    def task(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """One task of this collection in a playbook, the objects in a variable."""
        options = self.options(kind, where, count)
        plural = next(key for key in ("policies", "secrets", "roles") if key in options)
        task = {f"secretops.vault_eso.{kind.module}": {**options, plural: "{{ objects }}"}}
        what = f"{kind.title}, this collection"
        found = self.playbook([task], {"objects": options[plural]}, "ansible-playbook", what)
        found["work"] = found["tasks"][0]
        return found

    def handover(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """Run a task that is handed the same objects and does nothing with them."""
        options = self.options(kind, where, count)
        plural = next(key for key in ("policies", "secrets", "roles") if key in options)
        task = {"ansible.builtin.ping": {"data": "{{ objects }}"}}
        return self.playbook([task], {"objects": options[plural]}, "ansible-playbook", "ansible.builtin.ping")

    def module(self, kind: Kind, where: str, count: int) -> dict[str, Any]:
        """The module's process alone, as Ansible starts it."""
        from support.modules import RUNNER

        arguments = {"ANSIBLE_MODULE_ARGS": {**self.options(kind, where, count), "_ansible_check_mode": False}}
        return self.run([sys.executable, "-c", RUNNER, kind.module], json.dumps(arguments), f"{kind.title}, module")

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
        found = self.playbook([task], {"names": names}, binary, f"{kind.title}, {peer}")
        found["work"] = found["tasks"][0]
        return found

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
        from support.modules import RUNNER

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


def compare(bench: Bench, kind: Kind, size: int, sample: int, peers: bool) -> list[dict[str, Any]]:
    """Return a row for each contender and run: seconds of the work per object, and requests per object."""
    rows: list[dict[str, Any]] = []
    contenders: list[tuple[str, int, Any]] = [
        ("pooled client", size, lambda where, count: bench.client("pooled", kind, where, count)),
        ("this collection, one task", size, lambda where, count: bench.task(kind, where, count)),
        ("this collection, module alone", size, lambda where, count: bench.module(kind, where, count)),
        ("hvac, one by one", size, lambda where, count: bench.client("hvac", kind, where, count)),
        ("bao in a shell loop", sample, lambda where, count: bench.cli(kind, where, count)),
    ]
    if peers:
        contenders += [
            ("community.hashi_vault loop", sample, lambda where, count: bench.peer("hashi_vault", kind, where, count)),
            ("hashivault loop", sample, lambda where, count: bench.peer("hashivault", kind, where, count)),
        ]
    for number, (contender, count, run) in enumerate(contenders):
        where = f"bench{number}"
        bench.mount(kind, where)
        fixed = fixed_processor = 0.0
        if contender.startswith("this"):
            run(where, 1)  # makes it, so that the fixed cost is that of a task that changes nothing
            small = [run(where, 1) for _again in range(2)]
            fixed = min(one.get("work", one["seconds"]) for one in small)
            fixed_processor = min(one["processor"] for one in small)
            if contender.endswith("one task"):
                # what Ansible itself takes to hand over many objects is no module's doing
                few, many = ([bench.handover(kind, where, n) for _again in range(2)] for n in (1, count))
                fixed += max(0.0, min(one["tasks"][0] for one in many) - min(one["tasks"][0] for one in few))
                fixed_processor += max(
                    0.0, min(one["processor"] for one in many) - min(one["processor"] for one in few)
                )
        for phase in ("first", "unchanged"):
            found = run(where, count)
            work = found.get("work", found["seconds"]) - fixed
            rows.append(
                {
                    "contender": contender,
                    "phase": phase,
                    "count": count,
                    "size": size,
                    "seconds": found["seconds"],
                    "fixed": fixed,
                    "work": work,
                    "each_ms": work / count * 1000,
                    "processor": found["processor"] - fixed_processor,
                    "requests_each": found["requests"] / count,
                    "memory_mb": found["memory"],
                }
            )
            print(f"{kind.title} {size} {contender} {phase}: {work:.2f} s for {count}", file=sys.stderr, flush=True)
        bench.unmount(kind, where, count)
    return rows


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
                    row["handover_mb"] = bench.handover(kind, where, count)["memory"]
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
    parser.add_argument("--large", type=int, default=10000, help="objects of the memory test, 0: none (%(default)s)")
    parser.add_argument("--workers", type=int, default=4, help="threads of a task (the modules' default, %(default)s)")
    parser.add_argument("--minutes", type=float, default=12, help="no memory test begins after them (%(default)s)")
    parser.add_argument("--no-peers", action="store_true", help="leave the Ansible peers out")
    parser.add_argument("--no-guide", action="store_true", help="leave the guides' configuration out")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "build" / "benchmarks", help="folder for JSON, table, plot"
    )
    parser.add_argument("--docs", action="store_true", help="write the table and the plot into docs/ as well")
    given = parser.parse_args()
    # so that the server ends with this, however it ends
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if not given.no_peers:
        peers_environment()
    start = time.monotonic()
    results: dict[str, Any] = {"machine": machine(), "kinds": {}, "large": [], "guide": []}
    with tempfile.TemporaryDirectory(prefix="vault-eso-bench-") as folder:
        (Path(folder) / "server").mkdir()
        server = Server(Path(folder) / "server")
        try:
            results["server"] = f"{server.product} {server.version}, TLS, raft, on the same machine"
            bench = Bench(Path(folder), server, given.workers)
            sizes = [int(size) for size in given.sizes.split(",")]
            for key in given.kinds.split(","):
                results["kinds"][key] = []
                for size in sizes:
                    # what is extrapolated is measured once, with the largest number
                    results["kinds"][key] += compare(
                        bench, KINDS[key], size, given.sample, not given.no_peers and size == max(sizes)
                    )
            if not given.no_guide:
                results["guide"] = guide(bench)
            if given.large:
                results["large"] = large(bench, given.large, start + given.minutes * 60)
        finally:
            server.stop()
    results["minutes"] = (time.monotonic() - start) / 60
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    for place in [given.output, *([ROOT / "docs"] if given.docs else [])]:
        (place / "benchmarks.md").write_text(report.page(results))
        (place / "benchmarks.svg").write_text(report.plot(results))
    print(report.page(results))
    print(f"written to {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
