# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What once made a rolling restart an outage: each is refused, or named and mended, on three real hosts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from support.system import Lab

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


def test_a_limit_that_hides_the_servers_is_refused(lab: Lab) -> None:
    play = lab.play(ROLLING, "--limit", "vault")
    assert play.rc != 0 and "none of its servers is in this play" in play.output
