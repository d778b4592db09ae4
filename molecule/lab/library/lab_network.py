#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the lab's network: a bridge, and a network namespace for each host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_network
short_description: Make, cut, heal or remove the network of a lab
description:
  - The bridge stands in a network namespace of its own, so that the machine's packet filter (a container engine's, for
    example) does not drop what hosts say to each other. The machine has one interface into it, with the gateway's address.
  - The addresses are recorded in C(<directory>/network.json) and stay the lab's until it is removed.
options:
  name: {description: Name of the lab., type: str, required: true}
  directory: {description: State directory of the lab., type: path, required: true}
  prefix: {description: The first two numbers of the networks to choose from., type: str, default: "10.213"}
  hosts: {description: Names of the hosts., type: list, elements: str, default: []}
  state:
    description: V(cut) takes the links of O(hosts) down, V(healed) up.
    type: str
    choices: [present, cut, healed, absent]
    default: present
author: [Contributors to the secretops.vault_eso project]
"""

import fcntl
import ipaddress
import json
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vault_eso_lab import LabError, run, write_file

FIRST_HOST = 11  # the last number of the first host's address


class Network:
    """The network of one lab; every step first looks whether it is needed."""

    def __init__(self, name: str, directory: Path, prefix: str, check_mode: bool) -> None:
        self.directory, self.prefix, self.check_mode = directory, prefix, check_mode
        self.switch = f"vault-eso-lab.{name}"
        self.record = directory / "network.json"
        self.changed = False
        self.plan: dict[str, Any] = json.loads(self.record.read_text(encoding="utf-8")) if self.record.exists() else {}

    def do(self, *command: str) -> None:
        """Run a command that changes something, unless in check mode."""
        self.changed = True
        if not self.check_mode:
            run(*command)

    def namespaces(self) -> list[str]:
        """The lab's network namespaces that exist."""
        folder = Path("/run/netns")
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return sorted(name for name in names if name == self.switch or name.startswith(f"{self.switch}."))

    @staticmethod
    def links(namespace: str | None = None) -> dict[str, dict[str, Any]]:
        """The links of a namespace (default: the machine's) by name, with their addresses."""
        where = ("-n", namespace) if namespace else ()
        done = run("ip", *where, "-j", "address", "show", check=False)
        return {link["ifname"]: link for link in json.loads(done.stdout or "[]") if "ifname" in link}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep two labs from choosing the same network."""
        parent = self.directory.parent
        parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def choose(self, hosts: list[str]) -> None:
        """Choose the network and the hosts' addresses, and record them."""
        with self.locked():
            plan = dict(self.plan)
            if not plan:
                number = self.free_number()
                plan = {
                    "cidr": f"{self.prefix}.{number}.0/24",
                    "gateway": f"{self.prefix}.{number}.1",
                    "interface": f"vault-lab-{number}",
                    "loopback": f"127.{self.prefix.split('.')[1]}.{number}",
                    "namespace": self.switch,
                    "hosts": {},
                }
            base = plan["gateway"].rsplit(".", 1)[0]
            known = dict(plan["hosts"])
            for host in hosts:
                if host not in known:
                    taken = set(known.values())
                    free = (f"{base}.{number}" for number in range(FIRST_HOST, 255))
                    known[host] = next(address for address in free if address not in taken)
            plan["hosts"] = known
            if plan != self.plan:
                self.changed = True
                self.plan = plan
                if not self.check_mode:
                    write_file(self.record, json.dumps(plan, indent=1) + "\n")

    def free_number(self) -> int:
        """A number whose /24 no other lab has recorded and no route of this machine covers or touches."""
        taken = []
        for record in self.directory.parent.glob("*/network.json"):
            taken.append(ipaddress.ip_network(json.loads(record.read_text(encoding="utf-8"))["cidr"]))
        for route in json.loads(run("ip", "-4", "-j", "route", "show", "table", "all").stdout or "[]"):
            if route.get("dst") not in (None, "default"):
                taken.append(ipaddress.ip_network(route["dst"], strict=False))
        for number in range(1, 255):
            if not any(network.overlaps(ipaddress.ip_network(f"{self.prefix}.{number}.0/24")) for network in taken):
                return number
        raise LabError(f"no free network in {self.prefix}.0.0/16; set lab_network_prefix to another private range")

    def present(self, hosts: list[str]) -> None:
        """Bridge, gateway and one namespace with one link for each host."""
        self.choose(hosts)
        plan, existing = self.plan, self.namespaces()
        interface = plan["interface"]
        if self.switch not in existing:
            self.do("ip", "netns", "add", self.switch)
        inside = self.links(self.switch)
        if "bridge" not in inside:
            self.do("ip", "-n", self.switch, "link", "add", "bridge", "type", "bridge")
            self.do("ip", "-n", self.switch, "link", "set", "bridge", "up")
        outside = self.links()
        if "uplink" not in inside:
            if interface in outside:
                raise LabError(
                    f"the interface {interface} exists and is not this lab's; remove it or set lab_network_prefix"
                )
            self.do("ip", "link", "add", interface, "type", "veth", "peer", "name", "uplink", "netns", self.switch)
            self.do("ip", "-n", self.switch, "link", "set", "uplink", "master", "bridge", "up")
            outside[interface] = {"addr_info": [], "flags": []}
        if plan["gateway"] not in [entry.get("local") for entry in outside[interface]["addr_info"]]:
            self.do("ip", "address", "add", f"{plan['gateway']}/24", "dev", interface)
        if "UP" not in outside[interface]["flags"]:
            self.do("ip", "link", "set", interface, "up")
        for host in hosts:
            self.host(host, plan["hosts"][host], existing, inside)

    def host(self, name: str, address: str, existing: list[str], inside: dict[str, Any]) -> None:
        """One host's namespace, with the interface host0 in it and its other end in the bridge."""
        namespace, port = f"{self.switch}.{name}", self.port(address)
        inside_switch = ("ip", "-n", self.switch, "link")
        if namespace not in existing:
            self.do("ip", "netns", "add", namespace)
        if port not in inside:
            self.do(*inside_switch, "add", port, "type", "veth", "peer", "name", "host0", "netns", namespace)
            self.do(*inside_switch, "set", port, "master", "bridge", "up")
        link = self.links(namespace).get("host0", {"addr_info": [], "flags": []})
        if address not in [entry.get("local") for entry in link["addr_info"]]:
            self.do("ip", "-n", namespace, "link", "set", "lo", "up")
            self.do("ip", "-n", namespace, "link", "set", "host0", "up")
            self.do("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", "host0")
            self.do("ip", "-n", namespace, "route", "add", "default", "via", self.plan["gateway"])

    @staticmethod
    def port(address: str) -> str:
        """The name of a host's port on the bridge (at most 15 characters)."""
        return f"port{address.rsplit('.', 1)[1]}"

    def link_state(self, hosts: list[str], wanted: str) -> None:
        """Take the hosts' links up or down."""
        inside = self.links(self.switch)
        for host in hosts:
            port = self.port(self.plan.get("hosts", {}).get(host, ".0"))
            if port not in inside:
                raise LabError(
                    f"the lab has no link to {host}; its hosts are {', '.join(self.plan.get('hosts', {})) or 'none'}"
                )
            if ("UP" in inside[port]["flags"]) != (wanted == "up"):
                self.do("ip", "-n", self.switch, "link", "set", port, wanted)

    def absent(self) -> None:
        """Remove the namespaces, and with them bridge and links."""
        interface = self.plan.get("interface")
        if interface and interface in self.links():
            self.do("ip", "link", "delete", interface)
        for namespace in reversed(self.namespaces()):
            self.do("ip", "netns", "delete", namespace)
        if self.record.exists():
            self.changed = True
            if not self.check_mode:
                self.record.unlink()


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "prefix": {"type": "str", "default": "10.213"},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "cut", "healed", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    declared = module.params
    try:
        network = Network(declared["name"], Path(declared["directory"]), declared["prefix"], module.check_mode)
        if declared["state"] == "present":
            network.present(declared["hosts"])
        elif declared["state"] == "absent":
            network.absent()
        else:
            network.link_state(declared["hosts"], {"cut": "down", "healed": "up"}[declared["state"]])
        module.exit_json(changed=network.changed, network=network.plan)
    except (LabError, OSError) as error:
        module.fail_json(msg=str(error), exception=traceback.format_exc())


if __name__ == "__main__":
    main()
