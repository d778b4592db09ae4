# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters through which roles use the product data and the server configuration of the module utilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.declaration import plain
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.problems import problems
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.render import (
    build,
    environment,
    static_keys,
    written_directories,
)
from ansible_collections.secretops.vault_eso.plugins.plugin_utils._server_declared import (
    peer_url,
    vault_server_problems,
)


def vault_product(name: str, version: str = "") -> dict[str, Any]:
    """Return what the product is and can do in this version."""
    try:
        return products.product(str(name)).describe(str(version or ""))
    except ValueError as error:
        raise AnsibleFilterError("vault_product: %s" % error) from None


def vault_detect(output: str) -> dict[str, str]:
    """Return product and version from the output of the binary's C(version) command."""
    try:
        product, version = products.detect(str(output))
    except ValueError as error:
        raise AnsibleFilterError("vault_detect: %s" % error) from None
    return {"product": product, "version": version}


def vault_server_config(declaration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the server's configuration, or fail with the declaration's problems."""
    # each look at a value of the declaration renders its template anew
    declaration = plain(declaration)
    found = problems(declaration)
    if found:
        raise AnsibleFilterError("; ".join(found))
    return build(declaration)


def vault_server_environment(declaration: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of the service, secrets included."""
    return environment(declaration)


def vault_server_static_keys(declaration: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return which static seal key files belong where."""
    return static_keys(declaration)


def vault_server_written_directories(declaration: Mapping[str, Any]) -> list[str]:
    """Return the directories of log and audit files."""
    return written_directories(declaration)


def vault_server_cluster_hosts(hostvars: Mapping[str, Any], names: Iterable[str], cluster: str) -> list[str]:
    """Return which of the hosts are servers of a cluster, in their order."""
    return [str(name) for name in names if hostvars[name].get("vault_cluster_name") == cluster]


def vault_server_peers(hostvars: Mapping[str, Any], names: Iterable[str], host: str, port: int) -> list[dict[str, Any]]:
    """Return how the other servers of a node's cluster are reached, from what the inventory says of them."""
    found = []
    for name in names:
        if name == host:
            continue
        peer = hostvars[name]
        address = peer.get("vault_server_address", peer.get("ansible_host", name))
        found.append(
            {
                "name": str(name),
                "address": address,
                "port": peer.get("vault_server_api_port", port),
                "tls_server_name": peer.get("vault_server_tls_server_name", address),
            }
        )
    return found


def vault_server_peers_now(
    peers: Iterable[Mapping[str, Any]], hostvars: Mapping[str, Any], port: int
) -> list[dict[str, str]]:
    """Return name and address of each peer as it serves now; ``port`` is for those that name none.

    A peer that waits for a restart to listen on another port is where its fact ``vault_server_state`` says.
    """
    found = []
    for peer in peers:
        name = str(peer.get("name") or peer["address"])
        now = (hostvars[name].get("vault_server_state") if name in hostvars else None) or {}
        url = state.at_port(peer_url(peer, port), int(now.get("new_port") or 0), int(now.get("port") or 0))
        found.append({"name": name, "url": url})
    return found


def vault_server_retry_join(peers: Iterable[Mapping[str, Any]], port: int, ca: str = "") -> list[dict[str, Any]]:
    """Return the C(retry_join) stanzas of a node's peers; C(port) and C(ca), a file on the node, are for those that name none."""
    found = []
    for peer in peers:
        found.append(
            {
                "leader_api_addr": peer_url(peer, port),
                "leader_ca_cert_file": peer.get("ca_cert_file", ca),
                "leader_tls_servername": peer.get("tls_server_name", peer["address"]),
                "leader_client_cert_file": peer.get("client_cert_file", ""),
                "leader_client_key_file": peer.get("client_key_file", ""),
            }
        )
    return found


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "vault_detect": vault_detect,
            "vault_product": vault_product,
            "vault_server_cluster_hosts": vault_server_cluster_hosts,
            "vault_server_config": vault_server_config,
            "vault_server_environment": vault_server_environment,
            "vault_server_peers": vault_server_peers,
            "vault_server_peers_now": vault_server_peers_now,
            "vault_server_problems": vault_server_problems,
            "vault_server_retry_join": vault_server_retry_join,
            "vault_server_static_keys": vault_server_static_keys,
            "vault_server_written_directories": vault_server_written_directories,
        }
