# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the role vault_cluster: where its nodes are, and what it refuses. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def vault_cluster_custody(asked: Mapping[str, Any]) -> list[str]:
    """Return why the keys of a cluster that is still to be built must not be held as declared, one sentence each."""
    return list(_custody(_checked("vault_cluster_custody", asked)))


def vault_cluster_problems(asked: Mapping[str, Any]) -> list[str]:
    """Return why a cluster cannot be brought up as declared, one sentence each; C(vault_cluster_custody) is a part of it."""
    found = _checked("vault_cluster_problems", asked)
    return [*_places(found), *_custody(found)]


def vault_cluster_addresses(hostvars: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return the API addresses of servers: those that the inventory declares, else the port of the API on each host."""
    servers = {str(name): hostvars[name] for name in names}
    declared = [server["vault_server_api_addr"] for server in servers.values() if "vault_server_api_addr" in server]
    if declared:
        return [str(address) for address in declared]
    found = []
    for name, server in servers.items():
        host = str(server.get("vault_server_address", server.get("ansible_host", name)))
        port = server.get("vault_server_api_port", 8200)
        found.append("https://%s:%s" % (re.sub("^(.*:.*)$", r"[\1]", host), port))
    return found


def vault_cluster_moving(hostvars: Mapping[str, Any], names: Iterable[str], urls: Iterable[str]) -> list[str]:
    """Return the servers that are looked for at a port where they listen only after their restart, which is still to come.

    They are known by the fact ``vault_server_state`` of this run.
    """
    found = []
    for name in names:
        state = hostvars[name].get("vault_server_state") or {}
        ending = ":%s" % state.get("new_port")
        if state.get("new_port") and any(str(url).rstrip("/").endswith(ending) for url in urls):
            found.append("%s (port %s, then %s)" % (name, state["port"], state["new_port"]))
    return found


def vault_cluster_reset_problems(asked: Mapping[str, Any]) -> list[str]:
    """Return why the storage of a cluster must not be put aside, one sentence each: it is used, or nobody can tell."""
    return list(_used(_checked("vault_cluster_reset_problems", asked)))


def _used(asked: Mapping[str, Any]) -> Iterator[str]:
    cluster, storage = asked["cluster"], asked["storage"]
    if not asked["servers"]:
        yield "%s has no hosts in the group vault_servers: who runs its servers has to do it" % cluster
    unseen = [name for name in asked["servers"] if not storage.get(name)]
    if unseen:
        yield "the storage of %s was not looked at: leave no host out, and start those that are down" % ", ".join(
            unseen
        )
    used = [name for name in asked["servers"] if (storage.get(name) or {}).get("opened")]
    if used:
        yield (
            "%s was unsealed before, or its storage cannot be read, so it may hold secrets: %s is never reset by this"
            % (", ".join(used), cluster)
        )
    if asked["unsealed"]:
        yield "%s is unsealed" % ", ".join(asked["unsealed"])
    if asked["key_store_held"]:
        yield "its key shares are in %s: unseal it by playbooks/unseal.yml" % asked["key_store"]


def vault_cluster_shares_given(result: Mapping[str, Any]) -> list[str]:
    """Return a line for each node of a C(vault_unseal) with C(partial): what it was given, and what it still needs."""
    found = _checked("vault_cluster_shares_given", result)
    lines = ["%s: unsealed" % one for one in found.get("unsealed") or []]
    for one in found.get("pending") or []:
        given, needed = int(one["given"]), int(one["threshold"])
        if needed:
            lines.append("%s: %d of %d key shares given, %d more needed" % (one["node"], given, needed, needed - given))
        else:
            lines.append("%s: joins once another node is unsealed; it needs the key shares then" % one["node"])
    return lines


def _checked(name: str, asked: Any) -> Mapping[str, Any]:
    if not isinstance(asked, Mapping):
        raise AnsibleFilterError("%s: takes a mapping" % name)
    return asked


def _places(asked: Mapping[str, Any]) -> Iterator[str]:
    cluster = asked["cluster"]
    if asked.get("moving"):
        yield (
            "%s: %s: until its restart a server listens on its former port, and the inventory has the new one; restart them, one at a time, by"
            " the playbook secretops.vault_eso.rolling, then run this again" % (cluster, ", ".join(asked["moving"]))
        )
    if not asked["nodes"]:
        yield (
            "%s: no node is known; set vault_connection.url, or vault_cluster_name to %s on hosts of the group vault_servers"
            % (cluster, cluster)
        )
    if asked["init"] and not asked["key_store"]:
        yield (
            "%s: initialising needs vault_cluster_key_store, the path of a file on the controller; set it, or set"
            " vault_cluster_init to false" % cluster
        )
    if asked["admin"] and not (asked["role_id_file"] and asked["secret_id_file"]):
        yield (
            "%s: set vault_cluster_admin_role_id_file and vault_cluster_admin_secret_id_file to paths on the controller, or"
            " vault_cluster_admin to false" % cluster
        )


def _custody(asked: Mapping[str, Any]) -> Iterator[str]:
    # who holds the keys of a cluster that stands is settled
    if not asked["unknown"]:
        return
    cluster, keys, shares = asked["cluster"], list(asked["share_keys"] or []), int(asked["shares"])
    automatic = asked["unseal_mode"] == "auto"
    if not (asked["plain_shares"] or keys):
        yield (
            "%s: the %s shares would be written to %s in clear; set %s, a PGP public key for each share, or"
            " vault_cluster_plain_shares to true if one file may hold them all. Nothing was changed"
            % (
                cluster,
                "recovery" if automatic else "key",
                asked["key_store"],
                "vault_cluster_recovery_pgp_keys" if automatic else "vault_cluster_pgp_keys",
            )
        )
    if len(keys) not in (0, shares):
        yield (
            "%s: there are %d PGP keys for %d shares; give one for each. Nothing was changed"
            % (cluster, len(keys), shares)
        )
    if asked["ephemeral"]:
        yield (
            "%s: %s would be lost when this job's container ends, and the cluster with it; name a mounted directory that lasts"
            " in vault_eso_durable_directories, and put the files there. Nothing was changed"
            % (cluster, ", ".join(asked["ephemeral"]))
        )


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "vault_cluster_addresses": vault_cluster_addresses,
            "vault_cluster_custody": vault_cluster_custody,
            "vault_cluster_moving": vault_cluster_moving,
            "vault_cluster_problems": vault_cluster_problems,
            "vault_cluster_reset_problems": vault_cluster_reset_problems,
            "vault_cluster_shares_given": vault_cluster_shares_given,
        }
