# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo's scripts know of the demo: its inventory, its servers, the operator's login."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hvac
import hvac.exceptions
import requests
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

ROOT = Path(__file__).resolve().parent.parent
LAB = os.environ.get("VAULT_ESO_LAB") or "demo"
STATE = Path("/var/lib/vault-eso-lab") / LAB


class NoDemo(Exception):
    """The demo is not there, or not whole; the message says what to do."""


@dataclass
class Demo:
    """The first Vault cluster and the Kubernetes clusters of the inventory, as its variables describe them."""

    name: str
    vault: dict[str, Any]
    servers: dict[str, str] = field(default_factory=dict)
    kubernetes: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def urls(self) -> list[str]:
        """The API addresses of the nodes."""
        url = self.vault.get("url") or []
        return [url] if isinstance(url, str) else list(url)

    @property
    def ca_cert(self) -> str:
        """The PEM file of the CA that signed the servers' certificates."""
        return str(self.vault.get("ca_cert") or "")

    def node(self, url: str) -> str:
        """Return the inventory name of the host behind an API address."""
        host = urlsplit(url).hostname
        return next((name for name, address in self.servers.items() if host in (address, name)), str(host))


def read_demo() -> Demo:
    """Read the inventory. Raises NoDemo when the lab does not exist."""
    if not (STATE / "lab.json").exists():
        raise NoDemo(f"There is no lab {LAB!r} on this machine; `make demo` makes it.")
    init_plugin_loader()
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(ROOT / "inventories" / "demo")])
    manager = VariableManager(loader=loader, inventory=inventory)

    def variable(host: Any, name: str, default: Any) -> Any:
        variables = manager.get_vars(host=host)
        return Templar(loader=loader, variables=variables).template(variables.get(name, default))

    clusters = inventory.get_hosts("vault_clusters")
    if not clusters:
        raise NoDemo("inventories/demo names no host in vault_clusters.")
    demo = Demo(clusters[0].name, dict(variable(clusters[0], "vault_connection", {})))
    for host in inventory.get_hosts("vault_servers"):
        demo.servers[host.name] = str(variable(host, "ansible_host", host.name))
    for host in inventory.get_hosts("kubernetes_clusters"):
        demo.kubernetes[host.name] = dict(variable(host, "kubernetes_connection", {}))
    if not demo.urls:
        raise NoDemo(f"inventories/demo gives {demo.name} no vault_connection.url.")
    return demo


def health(demo: Demo, url: str) -> dict[str, Any]:
    """Return sys/health of one node; empty when it does not answer."""
    try:
        answer = requests.get(f"{url}/v1/sys/health", verify=demo.ca_cert or True, timeout=5)
        return dict(answer.json())
    except (requests.RequestException, ValueError):
        return {}


def best_url(demo: Demo) -> str:
    """Return the address of the active node, else of one that is unsealed. Raises NoDemo when there is none."""
    states = {url: health(demo, url) for url in demo.urls}
    usable = [url for url, state in states.items() if state.get("initialized") and not state.get("sealed")]
    if not usable:
        raise NoDemo(
            f"No node of {demo.name} is up and unsealed; "
            "`ansible-playbook -i inventories/demo playbooks/site.yml` heals it."
        )
    return next((url for url in usable if not states[url].get("standby")), usable[0])


def operator_login(demo: Demo) -> hvac.Client:
    """Log in as the demo's operator by AppRole and return the client. Raises NoDemo."""
    folder = STATE / "credentials"
    try:
        role_id = (folder / "operator-role-id").read_text().strip()
        secret_id = (folder / "operator-secret-id").read_text().strip()
    except OSError as error:
        raise NoDemo(f"The operator's credentials cannot be read ({error}); `make demo` makes them, as root.") from None
    client = hvac.Client(url=best_url(demo), verify=demo.ca_cert or True)
    try:
        client.auth.approle.login(role_id=role_id, secret_id=secret_id)
    except (hvac.exceptions.VaultError, requests.RequestException) as error:
        raise NoDemo(f"The operator cannot log in at {client.url}: {error}; `make demo` puts the role right.") from None
    return client


@contextmanager
def ending_clearly() -> Iterator[None]:
    """Turn NoDemo into one sentence on stderr and exit status 1."""
    try:
        yield
    except NoDemo as reason:
        sys.exit(str(reason))
