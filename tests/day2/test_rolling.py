# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What once made a rolling restart an outage: each is refused, or named and mended, on three real hosts."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from support.system import ROOT, Lab
from support.traffic import Traffic

ROLLING, SERVERS = "playbooks/rolling.yml", ("playbooks/vault.yml", "--tags", "servers")
LOGS = "/var/log/openbao"
DIGESTS = "sha256sum /etc/openbao/openbao.json"


def device(path: str, file: str, description: str, **options: str) -> dict[str, Any]:
    """Return an audit device of the inventory."""
    options = {"file_path": f"{LOGS}/{file}", "mode": "0600", **options}
    return {"path": path, "type": "file", "description": description, "options": options}


FIRST = device("file", "audit.log", "first audit file")
SECOND = device(
    "file-second",
    "audit-second.log",
    "second audit file, so that a request is still answered when one cannot be written",
)


def test_a_changed_audit_device_is_refused_before_anything_changes(
    lab: Lab, declared: Callable[..., tuple[str, str]]
) -> None:
    changed = declared(vault_server_audit=[device("file", "changed.log", "first audit file"), SECOND])
    before = [lab.ssh(host, DIGESTS) for host in lab.urls]
    play = lab.play(*SERVERS, *changed)
    assert play.rc != 0 and play.output.count("changes none") >= len(lab.urls)
    assert [lab.ssh(host, DIGESTS) for host in lab.urls] == before


def test_a_reload_that_the_server_refuses_is_an_error_of_the_run(
    lab: Lab, declared: Callable[..., tuple[str, str]], converged: None
) -> None:
    bad = declared(vault_server_audit=[FIRST, SECOND, device("third", "third.log", "third", format="bogus")])
    play = lab.play(*SERVERS, *bad)
    assert play.rc != 0 and "the server has not taken what is declared" in play.output


def test_a_standby_that_could_not_lead_is_taken_first_and_mended(lab: Lab, converged: None) -> None:
    leader = lab.active()
    victim = next(host for host, url in lab.urls.items() if url != leader)
    change = f"s#{LOGS}/audit.log#{LOGS}/changed.log#"
    lab.ssh(victim, f"sed -i '{change}' /etc/openbao/openbao.json && systemctl restart openbao")
    lab.play("playbooks/unseal.yml").succeeded()
    time.sleep(3)
    assert (lab.health(lab.urls[victim]) or {})["standby"], "it seems well"
    play = lab.play(ROLLING).succeeded()
    assert f"1. {victim} (standby): could not lead" in play.output
    assert lab.active() == leader
    assert "no node waits" in lab.play(ROLLING, "--check").succeeded().output


@pytest.mark.parametrize("port", [8300, 8200])
def test_a_changed_port_is_rolled_out(
    lab: Lab, port: int, declared: Callable[..., tuple[str, str]], traffic: Callable[..., Traffic]
) -> None:
    former = 8300 if port == 8200 else 8200
    moved = declared(vault_server_api_port=port)
    urls = [url.replace(":8200", f":{one}") for one in (former, port) for url in lab.urls.values()]
    if port != 8200:
        # the servers are told, and serve on; what comes after them would look for them in vain
        play = lab.play("playbooks/vault.yml", *moved)
        said = " ".join(play.output.split())
        assert play.rc and "until its restart a server listens on its former port" in said, play.output[-3000:]
        assert all(play.recap[host]["failed"] == 0 for host in lab.urls)
    with traffic(urls) as client:
        play = lab.play(ROLLING, *moved).succeeded()
    client.nothing_lost()
    said = " ".join(play.output.split())
    assert "3 of 3: " in said and "could not be revoked" not in said
    for url in lab.urls.values():
        assert (lab.health(url.replace(":8200", f":{port}")) or {}).get("sealed") is False
        assert lab.health(url.replace(":8200", f":{former}")) is None
    assert "nothing is to be done" in lab.play(ROLLING, "--check", *moved).succeeded().output


def test_a_node_that_was_removed_and_came_back_is_named(lab: Lab, converged: None) -> None:
    leader = lab.active()
    victim = next(host for host, url in lab.urls.items() if url != leader)
    lab.bao("operator", "raft", "remove-peer", victim)
    try:
        # as it runs on, and as it comes back sealed
        for restart in (False, True):
            if restart:
                lab.ssh(victim, "systemctl restart openbao")
            began = time.monotonic()
            play = lab.play(ROLLING)
            assert play.rc and f"{victim} has data of the cluster" in " ".join(play.output.split()), play.output[-3000:]
            print(f"named after {time.monotonic() - began:.0f} s")
    finally:
        data = "/opt/openbao/data"
        lab.ssh(victim, f"systemctl stop openbao; rm -r {data}/*; systemctl start openbao")
    # a new node that is still sealed is none of these
    lab.play(ROLLING).succeeded()
    assert {host for host in lab.urls if (lab.health(lab.urls[host]) or {}).get("sealed") is False} == set(lab.urls)


class Timeline:
    """Looks all the time at nodes, and keeps when what they say of themselves changed, in seconds."""

    def __init__(self, lab: Lab, hosts: list[str]) -> None:
        self.lab, self.hosts, self.began = lab, hosts, time.monotonic()
        self.seen: list[tuple[float, str, str]] = []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.watch, args=(host,), daemon=True) for host in hosts]

    def __enter__(self) -> Timeline:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def watch(self, host: str) -> None:
        """Keep each change of one node."""
        last = ""
        while not self.ended.is_set():
            state = self.lab.health(self.lab.urls[host])
            now = (
                "silent" if not state else "sealed" if state["sealed"] else "standby" if state["standby"] else "active"
            )
            if now != last:
                self.seen.append((time.monotonic() - self.began, host, now))
                last = now
            time.sleep(0.1)

    def wait(self, *states: str) -> str:
        """Wait until a node says one of these of itself; returns its name."""
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            for _when, host, state in self.seen:
                if state in states:
                    return host
            time.sleep(0.05)
        raise AssertionError(f"no node was ever {' or '.join(states)}: {self.seen}")

    def first(self, state: str, after: float) -> float:
        """When a node first said that of itself after a time."""
        return min((when for when, _host, now in self.seen if now == state and when >= after), default=float("inf"))


@pytest.mark.parametrize("lost", ["leader", "standby"])
def test_a_host_that_is_lost_while_another_is_in_its_turn(
    lab: Lab, lost: str, traffic: Callable[..., Traffic], converged: None
) -> None:
    leader = next(host for host, url in lab.urls.items() if url == lab.active())
    standbys = [host for host in lab.urls if host != leader]
    for host in standbys:
        lab.ssh(host, "touch /etc/openbao/openbao.env")
    command = ["ansible-playbook", "-i", lab.inventory, ROLLING]
    with traffic() as client, Timeline(lab, list(lab.urls)) as line:
        roll = subprocess.Popen(
            command, cwd=ROOT, env=lab.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        inturn = line.wait("silent", "sealed")
        victim = leader if lost == "leader" else next(host for host in standbys if host != inturn)
        # at once: the playbook of the lab that does it takes seconds
        port = "port" + lab.facts["hosts"][victim]["address"].rsplit(".", 1)[1]
        subprocess.run(["ip", "-n", f"vault-eso-lab.{lab.name}", "link", "set", port, "down"], check=True)
        cut = time.monotonic() - line.began
        output = roll.communicate()[0]
        lab.active()
        lab.host("heal", victim)
    lab.outputs.append(output)
    serves = line.first("active", cut) if lost == "leader" else line.first("standby", cut)
    figures = {
        "sealed": line.first("sealed", 0),
        "unsealed": line.first("standby", line.first("sealed", 0)),
        "serves": serves,
    }
    print(f"seconds after {victim} was cut off:", {name: round(when - cut, 1) for name, when in figures.items()})
    print(*(f"{when - cut:.1f} {host} {state}" for when, host, state in line.seen), sep=", ")
    assert roll.returncode and "Put that right and run the same playbook again" in " ".join(output.split())
    lab.play(ROLLING).succeeded()
    # only now: the node that was cut off answers reads by itself, and had to catch up first
    client.nothing_lost()
    assert "nothing is to be done" in lab.play(ROLLING, "--check").succeeded().output


def test_a_limit_that_hides_the_servers_is_refused(lab: Lab) -> None:
    play = lab.play(ROLLING, "--limit", "vault")
    assert play.rc != 0 and "none of its servers is in this play" in play.output
