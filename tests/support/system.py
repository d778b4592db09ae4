# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A converged lab (VAULT_ESO_LAB) and the ways in which a person works with it: playbooks, bao, kubectl."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
TASK = re.compile(r"^TASK \[(.*?)\]")
CHANGED = re.compile(r"^\s+- ('?)((?:create|update|delete) .*)\1$", re.MULTILINE)


@dataclass
class Play:
    """The outcome of an ansible-playbook run."""

    rc: int
    output: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Counts by host."""
        return {
            host: {"ok": int(ok), "changed": int(changed), "unreachable": int(lost), "failed": int(failed)}
            for host, ok, changed, lost, failed in RECAP.findall(self.output)
        }

    @property
    def changed(self) -> int:
        """How many tasks changed something, on all hosts."""
        return sum(counts["changed"] for counts in self.recap.values())

    def changed_tasks(self) -> list[str]:
        """Names of the tasks that changed something."""
        task, names = "", []
        for line in self.output.splitlines():
            found = TASK.match(line)
            if found:
                task = found.group(1)
            elif line.startswith("changed: "):
                names.append(task.split(" : ")[-1])
        return names

    def changed_objects(self) -> list[str]:
        """Objects inside Vault that the run names as changed."""
        return [name.replace("''", "'") if quote else name for quote, name in CHANGED.findall(self.output)]

    def succeeded(self) -> Play:
        """Assert success; returns self."""
        assert self.rc == 0, self.output[-6000:]
        assert self.recap, self.output[-2000:]
        return self


class Lab:
    """A lab and its tools.

    ``vault`` is the Vault cluster to work with, where the inventory has several: its servers are named after it, and
    its credentials stand in a directory of its name.
    """

    def __init__(
        self, name: str, inventory: str = "inventories/demo", vault: str = "", kubernetes: str = "kubernetes"
    ) -> None:
        self.name = name
        self.inventory = inventory
        self.kubernetes = kubernetes
        self.directory = Path("/var/lib/vault-eso-lab") / name
        self.facts: dict[str, Any] = json.loads((self.directory / "lab.json").read_text())
        self.credentials = Path(self.facts["credentials_dir"]) / vault
        addresses = {host: facts["address"] for host, facts in self.facts["hosts"].items() if host.startswith(vault)}
        self.urls = {host: f"https://{address}:8200" for host, address in addresses.items()}
        self.ca_cert = self.credentials / "ca" / "ca.crt"
        self.kubeconfig = self.facts["kubernetes"][kubernetes]["kubeconfig"]
        self.outputs: list[str] = []
        self._token = ""

    def environment(self, **more: str) -> dict[str, str]:
        """The caller's environment with the lab's name and without any other Vault or cluster."""
        # what runs the tests may colour or steer Ansible as well; output is compared as text here
        foreign = ("VAULT_", "BAO_", "ANSIBLE_", "MOLECULE_", "KUBECONFIG", "FORCE_COLOR", "PY_COLORS", "K8S_AUTH_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        clean.update(
            VAULT_ESO_LAB=self.name,
            ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
            ANSIBLE_NOCOLOR="1",
            PATH=f"{BIN}:{os.environ['PATH']}",
            **more,
        )
        return clean

    def play(self, book: str, *options: str, inventory: str | None = "") -> Play:
        """Run a playbook of the collection on the lab, with another inventory than the lab's or with none (None)."""
        where = self.inventory if inventory == "" else inventory
        command = ["ansible-playbook", *(["-i", where] if where else []), book, *options]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        result = Play(done.returncode, done.stdout + done.stderr)
        self.outputs.append(result.output)
        return result

    def cut(self, book: str, task: str, *options: str) -> Play:
        """Run a playbook and kill it, with all its processes, when the task of that name begins."""
        process = subprocess.Popen(
            ["ansible-playbook", "-i", self.inventory, book, *options],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            found = TASK.match(line)
            if found and found.group(1).split(" : ")[-1] == task:
                os.killpg(process.pid, signal.SIGKILL)
        result = Play(process.wait(), "".join(lines))
        self.outputs.append(result.output)
        assert result.rc == -signal.SIGKILL, f"{task} never began: {result.output[-6000:]}"
        return result

    def cut_when(self, moment: Callable[[], bool], book: str, *options: str, patience: float = 180.0) -> None:
        """Run a playbook, and kill it with all its processes at a moment that is seen from outside."""
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                ["ansible-playbook", "-i", self.inventory, book, *options],
                cwd=ROOT,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            deadline = time.monotonic() + patience
            try:
                while not moment():
                    assert process.poll() is None, f"{book} ended before its moment came"
                    assert time.monotonic() < deadline, f"{book} never came to its moment"
                    time.sleep(0.1)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                output.seek(0)
                self.outputs.append(output.read())

    def no_leader(self) -> None:
        """Wait until no node is active: a leader notices only after some seconds that it is alone."""
        deadline = time.monotonic() + 60
        while any((found := self.health(url)) and not found["standby"] for url in self.urls.values()):
            assert time.monotonic() < deadline, "a node is still active"
            time.sleep(0.5)

    def host(self, action: str, *hosts: str) -> None:
        """kill, start, cut or heal hosts of the lab."""
        self.play(
            "molecule/lab/host.yml", "-e", f"lab_host={','.join(hosts)}", "-e", f"lab_action={action}", inventory=None
        ).succeeded()

    def api_server(self, action: str) -> None:
        """kill or start the API server of the Kubernetes cluster."""
        options = ["-e", f"lab_cluster={self.kubernetes}", "-e", f"lab_action={action}"]
        self.play("molecule/lab/cluster.yml", *options, inventory=None).succeeded()

    def ssh(self, host: str, command: str) -> str:
        """Run a command on a host and return what it printed."""
        facts = self.facts
        options = ["-i", facts["ssh_key"], "-o", f"UserKnownHostsFile={facts['known_hosts']}", "-o", "BatchMode=yes"]
        done = subprocess.run(
            ["ssh", *options, f"{facts['ssh_user']}@{facts['hosts'][host]['address']}", command],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def admin_token(self) -> str:
        """A token of the administration role, in memory only."""
        if not self._token:
            import hvac

            client = hvac.Client(url=self.active(), verify=str(self.ca_cert))
            answer = client.auth.approle.login(
                (self.credentials / "admin-role-id").read_text().strip(),
                (self.credentials / "admin-secret-id").read_text().strip(),
            )
            self._token = answer["auth"]["client_token"]
        return self._token

    def bao(self, *arguments: str, url: str = "", token: bool = True) -> str:
        """Run the CLI as administrator and return what it printed."""
        more = {"VAULT_ADDR": url or self.active(), "VAULT_CACERT": str(self.ca_cert)}
        more.update(BAO_ADDR=more["VAULT_ADDR"], BAO_CACERT=more["VAULT_CACERT"])
        if token:
            more.update(VAULT_TOKEN=self.admin_token(), BAO_TOKEN=self.admin_token())
        done = subprocess.run(
            [self.facts["vault"]["binary"], *arguments],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def health(self, url: str) -> dict[str, Any] | None:
        """sys/health of a node, None when it does not answer."""
        import requests

        codes = {"standbycode": "200", "sealedcode": "200", "uninitcode": "200"}
        try:
            answer = requests.get(f"{url}/v1/sys/health", params=codes, verify=str(self.ca_cert), timeout=3)
            return dict(answer.json())
        except (requests.RequestException, ValueError):
            return None

    def active(self) -> str:
        """The address of the active node; waits for one for a minute."""
        for _attempt in range(120):
            for url in self.urls.values():
                state = self.health(url)
                if state and not state["sealed"] and not state["standby"]:
                    return url
            time.sleep(0.5)
        raise AssertionError("no node is active")

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl and return what it printed."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def secret(self, namespace: str, name: str) -> dict[str, str]:
        """The decoded data of a Kubernetes Secret."""
        data = json.loads(self.kubectl("get", "secret", "-n", namespace, name, "-o", "json"))["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def kv(self, path: str) -> dict[str, str]:
        """The current data of a secret in Vault."""
        return dict(json.loads(self.bao("kv", "get", "-format=json", "-mount=secret", path))["data"]["data"])
