# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are lost, a quorum that is lost, and another seal, on three real hosts; each is cut once and completed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import requests

from support.system import Lab
from support.traffic import Traffic

REPLACE, MIGRATE = "playbooks/replace_node.yml", "playbooks/migrate_seal.yml"
RECOVER = "playbooks/recover_quorum.yml"
CONFIRMED = ("-e", "migrate_confirmed=vault")
DATA = "/opt/openbao/data"


def standby(lab: Lab) -> str:
    """Return the name of a standby."""
    leader = lab.active()
    return next(host for host, url in lab.urls.items() if url != leader)


def voters(lab: Lab) -> list[str]:
    """Return the node IDs of the voters, as the leader tells them."""
    told = json.loads(lab.bao("read", "-format=json", "sys/storage/raft/configuration"))
    return sorted(one["node_id"] for one in told["data"]["config"]["servers"] if one["voter"])


def open_by_hand(lab: Lab, host: str) -> None:
    """Give a host the key shares, by the plain API."""
    held = json.loads((lab.credentials / "unseal-keys.json").read_text())
    for share in held["shares"][: held["threshold"]]:
        requests.put(f"{lab.urls[host]}/v1/sys/unseal", json={"key": share}, verify=str(lab.ca_cert), timeout=30)


def seals(lab: Lab) -> list[tuple[str, bool]]:
    """Return what each node says of its seal: its type, and whether it is sealed."""
    told = [requests.get(f"{url}/v1/sys/seal-status", verify=str(lab.ca_cert), timeout=10) for url in lab.urls.values()]
    return [(one.json()["type"], one.json()["sealed"]) for one in told]


def share_type(lab: Lab) -> str:
    """Return what the key store says of its shares."""
    return str(json.loads((lab.credentials / "unseal-keys.json").read_text())["share_type"])


def said(output: str) -> str:
    """Return an output without its line breaks."""
    return " ".join(output.split())


def test_a_rebuilt_host_of_the_same_name_joins_anew(lab: Lab, converged: None, canary: Callable[[], None]) -> None:
    lost = standby(lab)
    lab.ssh(lost, f"systemctl stop openbao; rm -rf {DATA} /etc/openbao /usr/local/bin/bao")
    plan = lab.play(REPLACE, "--check", "-e", f"replace_confirmed={lost}").succeeded()
    assert f"{lost}: its disk holds no data" in said(plan.output) and voters(lab) == sorted(lab.urls)
    refused = lab.play(REPLACE, "-e", "replace_confirmed=true")
    assert refused.rc != 0 and "name the node to replace" in refused.output and voters(lab) == sorted(lab.urls)

    lab.cut(REPLACE, "Start the server where it does not run", "-e", f"replace_confirmed={lost}")
    assert lost not in voters(lab)
    done = lab.play(REPLACE, "-e", f"replace_confirmed={lost}").succeeded()
    assert f"{lost} replaced, and votes" in said(done.output)
    assert voters(lab) == sorted(lab.urls)
    again = lab.play(REPLACE, "-e", f"replace_confirmed={lost}").succeeded()
    assert again.changed == 0 and "no node was replaced" in again.output
    canary()


def test_a_removed_peer_with_old_data_is_named_and_brought_back(
    lab: Lab, converged: None, canary: Callable[[], None]
) -> None:
    lost = standby(lab)
    lab.ssh(lost, "systemctl stop openbao")
    lab.bao("operator", "raft", "remove-peer", lost)
    lab.ssh(lost, "systemctl start openbao")
    time.sleep(3)
    open_by_hand(lab, lost)
    time.sleep(3)
    assert (lab.health(lab.urls[lost]) or {})["standby"], "it seems well"
    lab.bao("kv", "put", "-mount=secret", "quorum", "value=new")

    refused = lab.play(REPLACE)
    assert refused.rc != 0 and f"-e replace_confirmed={lost}" in said(refused.output)
    assert f"{lost}: has data of its own and is no peer of the cluster" in said(refused.output)
    lab.cut(REPLACE, "Set the data aside", "-e", f"replace_confirmed={lost}")
    lab.play(REPLACE, "-e", f"replace_confirmed={lost}").succeeded()
    assert voters(lab) == sorted(lab.urls)
    assert "vault.db" in lab.ssh(lost, f"ls {DATA}/set-aside-*")
    # it answers from its own data, and they are those of the others
    read = lab.bao("kv", "get", "-mount=secret", "-field=value", "quorum", url=lab.urls[lost])
    assert read.strip() == "new"
    lab.ssh(lost, f"rm -rf {DATA}/set-aside-*")
    canary()


def test_a_seal_is_migrated_and_back(
    lab: Lab,
    declared: Callable[..., tuple[str, str]],
    traffic: Callable[[], Traffic],
    converged: None,
    canary: Callable[[], None],
    tmp_path: Path,
) -> None:
    key = tmp_path / "static.key"
    key.write_bytes(os.urandom(32))
    static = {"type": "static", "static": {"current_key_id": "one", "current_key_file": str(key)}}
    auto = declared(vault_server_seals=[static], vault_cluster_unseal_mode="auto")
    refused = lab.play(MIGRATE, *auto)
    assert refused.rc != 0 and "-e migrate_confirmed=vault" in refused.output
    with traffic() as client:
        # the standbys have the other seal, and the leader does not
        lab.cut(MIGRATE, "Let the leader step down", *auto, *CONFIRMED)
        done = lab.play(MIGRATE, *auto, *CONFIRMED).succeeded()
        assert "recovery shares now, and were proven on the server" in said(done.output)
    print(client.reads, client.writes)
    client.nothing_lost()
    assert seals(lab) == [("static", False)] * len(lab.urls) and share_type(lab) == "recovery"
    lab.ssh(standby(lab), "systemctl restart openbao")
    time.sleep(5)
    assert seals(lab) == [("static", False)] * len(lab.urls), "it opens by itself"
    canary()

    back = declared(vault_server_seals=[{**static, "disabled": True}])
    lab.cut(MIGRATE, "Start the server", *back, *CONFIRMED)
    done = lab.play(MIGRATE, *back, *CONFIRMED).succeeded()
    assert "unseal keys now, and were proven on the server" in said(done.output)
    assert seals(lab) == [("shamir", False)] * len(lab.urls) and share_type(lab) == "unseal"
    canary()
    # the stanza of the former seal is taken away like any other setting
    lab.play("playbooks/rolling.yml").succeeded()
    canary()


def test_a_lost_quorum_is_recovered_from_the_node_that_is_left(
    lab: Lab, converged: None, canary: Callable[[], None]
) -> None:
    leader = lab.active()
    kept = next(host for host, url in lab.urls.items() if url == leader)
    gone, emptied = (host for host in lab.urls if host != kept)
    confirmed = ("-e", "recover_confirmed=vault")
    lab.host("kill", gone)
    alive = lab.play(RECOVER, *confirmed)
    assert alive.rc != 0 and "leads, so that no quorum is lost" in said(alive.output)
    assert voters(lab) == sorted(lab.urls)

    lab.ssh(emptied, f"systemctl stop openbao; rm -rf {DATA}/*")
    lab.no_leader()
    refused = lab.play(RECOVER, *confirmed)
    assert refused.rc != 0 and f"-e recover_lost={gone}" in said(refused.output)
    lost = ("-e", f"recover_lost={gone}")
    plan = lab.play(RECOVER, "--check", *lost)
    assert f"{kept} would become the only voter" in said(plan.output), plan.output[-6000:]
    assert "peers.json" not in lab.ssh(kept, f"ls {DATA}/raft")

    lab.cut(RECOVER, "Start the chosen server", *confirmed, *lost)
    done = lab.play(RECOVER, *confirmed, *lost).succeeded()
    assert f"{emptied} replaced, and votes" in said(done.output)
    assert voters(lab) == sorted([kept, emptied])
    canary()

    # it comes back with what it had, and with the peers of that time
    lab.host("start", gone)
    lab.play(REPLACE, "-e", f"replace_confirmed={gone}").succeeded()
    assert voters(lab) == sorted(lab.urls)
    lab.ssh(gone, f"rm -rf {DATA}/set-aside-*")
    canary()
