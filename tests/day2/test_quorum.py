# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are lost, a quorum that is lost, and another seal, on three real hosts; each is cut once and completed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import requests

from support.system import Lab

REPLACE = "playbooks/replace_node.yml"
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
