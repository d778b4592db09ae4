# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of key shares that were changed since: the hosts are restarted by the playbook that restores."""

from __future__ import annotations

import json
from typing import Callable

import requests

from support.system import Lab


def change_shares(lab: Lab, shares: int, threshold: int) -> None:
    """Give the cluster other key shares by the plain API; nobody keeps the new ones."""
    url, held = lab.active(), json.loads((lab.credentials / "unseal-keys.json").read_text())
    ask = {"headers": {"X-Vault-Token": lab.admin_token()}, "verify": str(lab.ca_cert)}
    begun = requests.put(
        f"{url}/v1/sys/rotate/root/init",
        json={"secret_shares": shares, "secret_threshold": threshold},
        timeout=30,
        **ask,  # type: ignore[arg-type]
    )
    assert begun.ok, begun.text
    for share in held["shares"][: held["threshold"]]:
        body = {"key": share, "nonce": begun.json()["data"]["nonce"]}
        answer = requests.put(f"{url}/v1/sys/rotate/root/update", json=body, timeout=30, **ask)  # type: ignore[arg-type]
        assert answer.ok, answer.text


def test_shares_of_the_snapshots_time_open_every_host_again(
    lab: Lab, converged: None, canary: Callable[[], None]
) -> None:
    lab.play("playbooks/snapshot.yml").succeeded()
    change_shares(lab, 3, 2)
    refused = lab.play("playbooks/restore.yml", "-e", "restore_confirmed=vault")
    assert refused.rc != 0 and "was made with another set of key shares" in " ".join(refused.output.split())
    done = lab.play("playbooks/restore.yml", "-e", "restore_confirmed=vault", "-e", "snapshot_restore_force=true")
    output = " ".join(done.succeeded().output.split())
    assert "proven by its canary" in output
    canary()
    # every host tells the shares of the snapshot, and is open
    for url in lab.urls.values():
        told = requests.get(f"{url}/v1/sys/seal-status", verify=str(lab.ca_cert), timeout=10).json()
        assert (told["sealed"], told["n"], told["t"]) == (False, 5, 3)
