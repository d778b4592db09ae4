#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot, kill, stop or remove the hosts of a lab (systemd-nspawn)."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_host
short_description: Boot, kill, stop or remove the hosts of a lab
description:
  - A host is a booted systemd-nspawn container on an overlay of the base image, in its own network namespace.
  - What a host writes stays in its overlay until the host is removed, whatever happens to its processes.
options:
  name: {description: Name of the lab., type: str, required: true}
  directory: {description: State directory of the lab., type: path, required: true}
  hosts: {description: Names of the hosts., type: list, elements: str, default: []}
  addresses: {description: The address of every host of the lab., type: dict, default: {}}
  base: {description: The base image. A host that exists keeps its own., type: path}
  public_key: {description: File with the SSH public key that may log in as root., type: path}
  state:
    description: V(killed) ends everything in the host at once, V(stopped) shuts it down, V(absent) removes all hosts.
    type: str
    choices: [running, killed, stopped, absent]
    default: running
  timeout: {description: Seconds to wait for the end of the boot or of the shutdown., type: int, default: 180}
author: [Contributors to the secretops.vault_eso project]
"""

import os
import shutil
import signal
import traceback
import uuid
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vault_eso_lab import (
    Daemon,
    LabError,
    all_pids,
    ask,
    mounts_under,
    process_stat,
    run,
    send_signal,
    tail,
    wait_until,
    write_file,
)

CGROUP_PARENT = "vault-eso-lab"


def control_groups() -> list[tuple[str, Path]]:
    """(controllers, directory) of this process in each mounted hierarchy, from /proc/self/cgroup (cgroups(7))."""
    mounts: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, after = line.split(" - ", 1)
        kind, _source, options = after.split(" ", 2)
        if kind == "cgroup2":
            mounts.setdefault("", Path(before.split()[4]))
        elif kind == "cgroup":
            for option in options.split(","):
                mounts.setdefault(option, Path(before.split()[4]))
    found = []
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _number, controllers, path = line.split(":", 2)
        mount = mounts.get(controllers.split(",")[0])
        if mount is not None and (mount / path.lstrip("/")).is_dir():
            found.append((controllers, mount / path.lstrip("/")))
    return found


class Host:
    """One host of the lab."""

    def __init__(self, declared: dict[str, Any], name: str) -> None:
        self.declared, self.name, self.lab = declared, name, declared["name"]
        self.state = Path(declared["directory"])
        self.directory = self.state / "hosts" / name
        self.root = self.directory / "root"
        self.log = self.state / "logs" / f"{name}.log"
        self.daemon = Daemon(self.directory / "nspawn.json")
        self.process: Any = None

    # -- disk ------------------------------------------------------------------------------------------------------

    def mount(self) -> bool:
        """Mount the overlay, or where the file system cannot carry one, copy the base image."""
        copied = self.directory / "copied"
        if self.root in mounts_under(self.directory) or copied.exists():
            return False
        for part in ("root", "upper", "work"):
            (self.directory / part).mkdir(parents=True, exist_ok=True)
        upper, work = self.directory / "upper", self.directory / "work"
        base = self.base()
        options = f"lowerdir={base},upperdir={upper},workdir={work}"
        mounted = run("mount", "-t", "overlay", "-o", options, f"vault-eso-lab-{self.lab}", str(self.root), check=False)
        if mounted.returncode:
            if any(upper.iterdir()):
                raise LabError(
                    f"{self.name}: its disk {upper} cannot be mounted again; destroy the lab and create it anew"
                )
            run("cp", "-a", "--reflink=auto", f"{base}/.", str(self.root), timeout=600)
            copied.touch()
        return True

    def base(self) -> Path:
        """The base image that this host began with, whatever the lab's is by now."""
        record = self.directory / "base"
        if not record.exists():
            write_file(record, f"{self.declared['base']}\n")
        base = Path(record.read_text(encoding="utf-8").strip())
        if not base.is_dir():
            raise LabError(f"{self.name}: its base image {base} is gone; destroy the lab and create it anew")
        return base

    def identify(self) -> bool:
        """What makes the host itself: name, machine id, SSH host key, who may log in, and the names of its peers."""
        etc = self.root / "etc"
        changed = write_file(etc / "hostname", f"{self.name}\n")
        if not (self.directory / "machine-id").exists():
            write_file(self.directory / "machine-id", f"{uuid.uuid4().hex}\n", 0o444)
        machine_id = (self.directory / "machine-id").read_text(encoding="ascii")
        changed |= write_file(etc / "machine-id", machine_id, 0o444)
        key = etc / "ssh" / "ssh_host_ed25519_key"
        if not key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{self.name}", "-f", str(key))
            changed = True
        names = "".join(f"{address}\t{name}\n" for name, address in sorted(self.declared["addresses"].items()))
        changed |= write_file(etc / "hosts", f"127.0.0.1\tlocalhost\n::1\tlocalhost\n{names}")
        public_key = Path(self.declared["public_key"]).read_text(encoding="ascii")
        changed |= write_file(self.root / "root" / ".ssh" / "authorized_keys", public_key, 0o600)
        return changed

    def known_host(self) -> str:
        """The host's line for a known_hosts file."""
        key = (self.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="ascii").split()
        return f"{self.name},{self.declared['addresses'][self.name]} {key[0]} {key[1]}\n"

    # -- processes -------------------------------------------------------------------------------------------------

    def inner_init(self) -> int | None:
        """The host's own systemd, as the machine numbers it: a descendant of nspawn that is number 1 in its namespace."""
        leader = self.daemon.pid
        if leader is None:
            return None
        stats = {pid: process_stat(pid) for pid in all_pids()}
        family = {leader}
        for _generation in range(3):
            family |= {pid for pid, stat in stats.items() if stat and stat["parent"] in family}
        for pid in sorted(family - {leader}):
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
            except OSError:
                continue
            numbers = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
            if len(numbers) > 1 and numbers[-1] == "1":
                return pid
        return None

    def boot(self) -> bool:
        """Start the host without waiting for it."""
        if self.daemon.pid is not None:
            return False
        self.clear_traces()
        command = [
            "systemd-nspawn", f"--directory={self.root}", f"--machine={self.lab}-{self.name}", f"--hostname={self.name}",
            "--boot", "--register=no", "--keep-unit", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
            "--console=pipe", f"--network-namespace-path=/run/netns/vault-eso-lab.{self.lab}.{self.name}",
        ]  # fmt: skip
        if Path("/run/systemd/system").is_dir():  # the machine's systemd gives the host a delegated control group
            unit = f"vault-eso-lab-{self.lab}-{self.name}"
            scope = ["systemd-run", "--scope", "--quiet", "--collect", f"--unit={unit}", "-pDelegate=yes", "--"]
            command, enter = scope + command, None
        else:
            enter = self.enter_control_groups
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = self.daemon.start(command, {"SYSTEMD_COLORS": "0"}, self.log, self.directory, enter)
        return True

    def enter_control_groups(self) -> None:
        """Move this process into control groups of the host's own: two systemds in one group would undo each other's work."""
        for controllers, directory in control_groups():
            group = directory / CGROUP_PARENT / f"{self.lab}.{self.name}"
            group.mkdir(parents=True, exist_ok=True)
            if controllers == "cpuset":  # a new cpuset group is empty and accepts no process
                for level in (group.parent, group):
                    for setting in ("cpuset.cpus", "cpuset.mems"):
                        for file in level.glob(setting):
                            file.write_text((directory / setting).read_text(encoding="ascii"), encoding="ascii")
            (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def boot_state(self) -> str:
        """What the host's systemd says of itself: starting, running, degraded, …; empty while it cannot be asked."""
        if self.process is not None and self.process.poll() is not None:
            raise LabError(
                f"{self.name}: the host ended while it booted; its console {self.log} says: {tail(self.log)}"
            )
        pid = self.inner_init()
        if pid is None:
            return ""
        enter = ("nsenter", f"--target={pid}", "--mount", "--pid", "--ipc", "--uts", "--net")
        answer = ask(*enter, "systemctl", "is-system-running")
        return answer.stdout.strip() if answer else ""

    def wait_for_boot(self) -> str:
        """Wait until the host has booted; return its state."""
        states = [""]

        def booted() -> bool:
            states.append(self.boot_state())
            return states[-1] in ("running", "degraded")

        if not wait_until(booted, self.declared["timeout"], pause=0.1):
            raise LabError(
                f"{self.name}: not booted after {self.declared['timeout']} s ({states[-1] or 'no answer'}); see its console {self.log}"
            )
        return states[-1]

    def kill(self) -> bool:
        """End everything in the host at once, as a power cut does."""
        ran = self.daemon.pid is not None
        pid = self.inner_init()
        if pid is not None:
            send_signal(pid, signal.SIGKILL)  # with its first process the kernel ends the whole namespace
            wait_until(lambda: process_stat(pid) is None or self.inner_init() is None, 10)
        self.daemon.stop(grace=0)
        self.clear_traces()
        return ran

    def shut_down(self) -> bool:
        """Shut the host down in order."""
        if self.daemon.pid is None:
            return False
        pid = self.inner_init()
        if pid is not None:
            send_signal(pid, signal.SIGRTMIN + 4)  # systemd(1): power off
        if not wait_until(lambda: self.daemon.pid is None, self.declared["timeout"]):
            raise LabError(
                f"{self.name}: not shut down after {self.declared['timeout']} s; see its console {self.log}, or kill it"
            )
        self.daemon.stop(grace=0)
        self.clear_traces()
        return True

    # -- traces ----------------------------------------------------------------------------------------------------

    def clear_traces(self) -> None:
        """Remove what nspawn leaves on the machine when it is killed, and the host's control groups."""
        for folder in ("propagate", "unix-export"):
            path = Path("/run/systemd/nspawn") / folder / f"{self.lab}-{self.name}"
            for mount in mounts_under(path):
                run("umount", "--lazy", str(mount), check=False)
            shutil.rmtree(path, ignore_errors=True)
        if self.root.is_dir():
            stat = self.root.stat()
            Path(f"/run/systemd/nspawn/locks/inode-{stat.st_dev}:{stat.st_ino}").unlink(missing_ok=True)
        for _controllers, directory in control_groups():
            parent = directory / CGROUP_PARENT
            group = parent / f"{self.lab}.{self.name}"
            for folder, _folders, _files in os.walk(group, topdown=False):
                wait_until(lambda path=folder: remove_directory(path), 2)
            remove_directory(str(parent))

    def remove(self) -> bool:
        """Remove the host and its disk."""
        self.kill()
        for mount in mounts_under(self.directory):
            run("umount", str(mount))
        left = mounts_under(self.directory)
        if left:
            raise LabError(f"{self.name}: {left[0]} is still mounted; nothing under {self.directory} was removed")
        shutil.rmtree(self.directory)
        return True


def remove_directory(path: str) -> bool:
    """Remove an empty directory (or control group); return whether it is gone."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def running(declared: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Boot all hosts at once, then wait for each."""
    hosts = [Host(declared, name) for name in declared["hosts"]]
    if check_mode:
        return {"changed": any(host.daemon.pid is None for host in hosts)}
    changed = False
    (Path(declared["directory"]) / "hosts").mkdir(mode=0o700, parents=True, exist_ok=True)
    for host in hosts:
        changed |= host.mount()
        changed |= host.identify()
        changed |= host.boot()
    known_hosts = Path(declared["directory"]) / "known_hosts"
    lines = {}
    if known_hosts.exists():
        for line in known_hosts.read_text(encoding="ascii").splitlines(keepends=True):
            lines[line.split(",", 1)[0]] = line
    lines.update({host.name: host.known_host() for host in hosts})
    changed |= write_file(known_hosts, "".join(lines.values()))
    return {"changed": changed, "states": {host.name: host.wait_for_boot() for host in hosts}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "addresses": {"type": "dict", "default": {}},
            "base": {"type": "path"},
            "public_key": {"type": "path", "no_log": False},
            "state": {"type": "str", "choices": ["running", "killed", "stopped", "absent"], "default": "running"},
            "timeout": {"type": "int", "default": 180},
        },
        required_if=[("state", "running", ("hosts", "addresses", "public_key"))],
        supports_check_mode=True,
    )
    declared = module.params
    try:
        if declared["state"] == "running":
            result = running(declared, module.check_mode)
        else:
            names = declared["hosts"]
            if declared["state"] == "absent":
                names = sorted(path.name for path in (Path(declared["directory"]) / "hosts").glob("*/"))
            hosts = [Host(declared, name) for name in names]
            if module.check_mode:
                changed = [declared["state"] == "absent" or host.daemon.pid is not None for host in hosts]
            else:
                action = {"killed": Host.kill, "stopped": Host.shut_down, "absent": Host.remove}[declared["state"]]
                changed = [action(host) for host in hosts]
            result = {"changed": any(changed)}
        module.exit_json(**result)
    except (LabError, OSError) as error:
        module.fail_json(msg=str(error), exception=traceback.format_exc())


if __name__ == "__main__":
    main()
