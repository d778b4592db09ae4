# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots by a timer on the hosts: the leader's host saves, the others do not, and nothing is left at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from support.system import Lab

UNIT = "vault-snapshot"


def test_only_the_leaders_host_saves(lab: Lab, declared: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    book = "playbooks/snapshot_timer.yml"
    options = {"vault_snapshot_timer_credentials": str(lab.credentials), "vault_snapshot_timer_keep": 2}
    rehearsed = lab.play(book, "--check", *declared(**options)).succeeded()
    assert rehearsed.changed > 0
    try:
        lab.play(book, *declared(**options)).succeeded()
        again = lab.play(book, *declared(**options)).succeeded()
        assert again.changed == 0, again.changed_tasks()
        leader = next(name for name, url in lab.urls.items() if not (lab.health(url) or {}).get("standby", True))
        for name in lab.urls:
            assert lab.ssh(name, f"systemctl is-active {UNIT}.timer").strip() == "active"
            lab.ssh(name, f"systemctl start {UNIT}.service")
            said = lab.ssh(name, f"journalctl -u {UNIT} -o cat")
            found = lab.ssh(name, "ls -1 /var/lib/vault-snapshots").split()
            if name == leader:
                assert "saved /var/lib/vault-snapshots/vault-" in said
                # one more where the timer itself made up for a time that it had missed
                saved = [one for one in found if one.endswith(".snap")]
                assert len(saved) in (1, 2) and len(found) == 2 * len(saved)
                manifest = next(one for one in found if one.endswith(".json"))
                record = json.loads(lab.ssh(name, f"cat /var/lib/vault-snapshots/{manifest}"))
                assert record["cluster"] == "vault" and record["index"] > 0
                assert lab.ssh(name, "stat -c %a /etc/vault-snapshot/settings.json").strip() == "600"
            else:
                assert "the server here is a standby" in said and found == []
    finally:
        gone = {**options, "vault_snapshot_timer_state": "absent"}
        lab.play(book, *declared(**gone)).succeeded()
    for name in lab.urls:
        assert lab.ssh(name, f"ls /etc/systemd/system/{UNIT}.* /etc/vault-snapshot 2>/dev/null | wc -l").strip() == "0"
        lab.ssh(name, "rm -rf /var/lib/vault-snapshots")
