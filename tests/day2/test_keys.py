# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key shares on three hosts: rekey and root token, each cut and completed, and a lost answer that is begun anew."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest

from support.local import write_private
from support.system import Lab

UNIT, DATA = "openbao", "/opt/openbao/data"


@pytest.fixture
def store(lab: Lab) -> Path:
    """The key store of the cluster."""
    return lab.credentials / "unseal-keys.json"


def held(store: Path) -> dict[str, Any]:
    """What a key store holds."""
    return dict(json.loads(store.read_text()))


def test_a_rekey_that_was_cut_is_completed(lab: Lab, store: Path, canary: Callable[[], None]) -> None:
    canary()
    before = held(store)
    number = int(before["generation"]) + 1
    options = ["-e", f"vault_cluster_rekey_generation={number}", "-e", "rekey_confirmed=vault"]
    planned = lab.play("playbooks/rekey.yml", *options, "--check").succeeded()
    assert "new key shares would be made" in planned.output and held(store) == before
    lab.cut_when(lambda: bool(held(store).get("rekey")), "playbooks/rekey.yml", *options)
    assert held(store)["shares"] == before["shares"], "the former ones are valid until the new ones are verified"
    completed = lab.play("playbooks/rekey.yml", *options).succeeded()
    after = held(store)
    assert after["generation"] == number and not set(after["shares"]) & set(before["shares"])
    assert after["former"][-1]["shares"] == before["shares"] and not after.get("rekey")
    again = lab.play("playbooks/rekey.yml", *options).succeeded()
    assert again.changed == 0 and held(store) == after
    standby = next(host for host, url in lab.urls.items() if url != lab.active())
    lab.ssh(standby, f"systemctl restart {UNIT}")
    opened = lab.play("playbooks/unseal.yml").succeeded()
    assert f"unsealed {lab.urls[standby]}" in opened.output and "generation" not in opened.output
    canary()
    shown = planned.output + completed.output + again.output + opened.output
    assert not any(share in shown for share in [*before["shares"], *after["shares"]])


def test_a_root_token_that_was_cut_is_completed_and_ended(lab: Lab, store: Path) -> None:
    dest = store.parent / "generated-root-token"
    note = Path(f"{dest}.attempt")
    options = ["-e", "root_token_confirmed=vault", "-e", "root_token_login=true"]
    planned = lab.play("playbooks/root_token.yml", *options, "--check").succeeded()
    assert "a root token would be made" in planned.output and not dest.exists()
    lab.cut_when(note.exists, "playbooks/root_token.yml", *options)
    made = lab.play("playbooks/root_token.yml", *options).succeeded()
    token = dest.read_text().strip()
    client = hvac.Client(url=lab.active(), verify=str(lab.ca_cert), token=token)
    assert client.lookup_token()["data"]["policies"] == ["root"] and not note.exists()
    ended = lab.play("playbooks/root_token.yml", "-e", "root_token_state=absent").succeeded()
    assert not client.is_authenticated() and not dest.exists()
    assert token not in made.output + ended.output


def everywhere(lab: Lab, *commands: str) -> None:
    """Run commands, each on all servers before the next one."""
    for command in commands:
        for host in lab.urls:
            lab.ssh(host, command)


@pytest.fixture
def unused(lab: Lab, store: Path) -> Iterator[None]:
    """A cluster that was initialised while nobody kept the answer, in the place of the lab's, which is put back."""
    credentials, kept = store.parent, store.parent / "kept"
    names = [store.name, "admin-role-id", "admin-secret-id"]
    # one that starts while another one has data would join it again
    everywhere(
        lab, f"systemctl stop {UNIT}", f"cd {DATA} && mkdir kept && mv vault.db raft kept/", f"systemctl start {UNIT}"
    )
    kept.mkdir(mode=0o700)
    for name in names:
        (credentials / name).rename(kept / name)
    first = lab.urls["vault-1"]
    deadline = time.monotonic() + 60
    while (lab.health(first) or {"initialized": True})["initialized"]:
        assert time.monotonic() < deadline, "it did not begin anew"
        time.sleep(0.5)
    lab.bao("operator", "init", "-key-shares=1", "-key-threshold=1", url=first, token=False)
    reserved = credentials / f".{store.name}.pending-killed.ready"
    reserved.touch(mode=0o600)
    yield
    reserved.unlink(missing_ok=True)
    for name in names:
        (kept / name).replace(credentials / name)
    kept.rmdir()
    back = f"cd {DATA} && rm -rf vault.db raft set-aside-* && mv kept/* . && rmdir kept"
    everywhere(lab, f"systemctl stop {UNIT}", back, f"systemctl start {UNIT}")
    lab.play("playbooks/unseal.yml").succeeded()


def test_wrong_shares_are_found_before_a_node_stops(
    lab: Lab, store: Path, declared: Callable[..., tuple[str, str]]
) -> None:
    processes = [lab.ssh(host, f"systemctl show -p MainPID {UNIT}") for host in lab.urls]
    pending = declared(vault_server_max_lease_ttl="719h")
    lab.play("playbooks/vault.yml", "--tags", "servers", *pending).succeeded()
    right = store.read_text()
    foreign = [base64.b64encode(bytes([*range(number, number + 32), number])).decode() for number in range(1, 6)]
    try:
        write_private(store, json.dumps({**json.loads(right), "shares": foreign}).encode())
        refused = lab.play("playbooks/rolling.yml", *pending)
    finally:
        write_private(store, right.encode())
        lab.play("playbooks/vault.yml", "--tags", "servers").succeeded()
    assert refused.rc != 0 and "these key shares are not the cluster's" in refused.output, refused.output[-3000:]
    assert [lab.ssh(host, f"systemctl show -p MainPID {UNIT}") for host in lab.urls] == processes


def test_a_cluster_that_is_used_is_not_reset(lab: Lab, canary: Callable[[], None]) -> None:
    refused = lab.play("playbooks/reset_unused.yml", "-e", "reset_confirmed=vault")
    assert refused.rc != 0 and "was unsealed before" in refused.output and "its key shares are in" in refused.output
    canary()


def test_a_lost_answer_leads_to_a_new_beginning(
    lab: Lab, store: Path, canary: Callable[[], None], unused: None
) -> None:
    told = lab.play("playbooks/vault.yml", "--tags", "clusters")
    assert told.rc != 0 and "nothing is in it yet" in told.output and "playbooks/reset_unused.yml" in told.output
    planned = lab.play("playbooks/reset_unused.yml", "--check").succeeded()
    assert "nothing was ever written to the storage of vault-1" in planned.output
    plain = lab.play("playbooks/reset_unused.yml", "-e", "reset_confirmed=true")
    assert plain.rc != 0 and "names no cluster" in plain.output
    assert (lab.health(lab.urls["vault-1"]) or {})["initialized"] is True
    lab.play("playbooks/reset_unused.yml", "-e", "reset_confirmed=vault").succeeded()
    assert [(lab.health(url) or {}).get("initialized") for url in lab.urls.values()] == [False] * len(lab.urls)
    again = lab.play("playbooks/reset_unused.yml", "-e", "reset_confirmed=vault").succeeded()
    assert again.changed == 0 and "no server holds anything" in again.output
    lab.play("playbooks/vault.yml", "--tags", "clusters").succeeded()
    assert len(held(store)["shares"]) > 1 and lab.active()
