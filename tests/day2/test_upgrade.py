# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The upgrade of three nodes from OpenBao 2.6 to the lab's own version, while a client reads and writes."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from support.openbao import Unavailable, release
from support.system import Lab
from support.traffic import Traffic

SITE, UPGRADE = "playbooks/site.yml", "playbooks/upgrade.yml"
OLD = "2.6.2"
PATIENCE = 600


def versions(lab: Lab) -> dict[str, str]:
    """The version that each node runs."""
    return {host: (lab.health(url) or {}).get("version", "") for host, url in lab.urls.items()}


@pytest.fixture(scope="module")
def older(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The lab as a new cluster of the older version; afterwards it is as `site.yml` makes it."""
    if lab.facts["vault"]["product"] != "openbao":
        pytest.skip("the lab runs another product")
    try:
        binary = release(OLD)
    except Unavailable as reason:
        pytest.skip(str(reason))
    for host in lab.urls:
        # a downgrade in place is refused, and rightly so
        lab.ssh(host, "systemctl stop openbao; rm -rf /opt/openbao/data /usr/local/bin/bao /var/log/openbao")
    for file in lab.credentials.glob("*"):
        if file.is_file():
            file.unlink()
    declared = tmp_path_factory.mktemp("older") / "older.json"
    declared.write_text(
        json.dumps(
            {
                "vault_server_version": OLD,
                "vault_server_file": str(binary),
                "vault_server_file_checksum": "sha256:" + hashlib.sha256(binary.read_bytes()).hexdigest(),
            }
        )
    )
    lab.play(SITE, "-e", f"@{declared}").succeeded()
    lab._token = ""
    assert set(versions(lab).values()) == {OLD}
    yield
    lab.play(UPGRADE)
    lab.play(SITE).succeeded()
    assert lab.play(SITE).succeeded().changed == 0


class Watch:
    """Looks at all nodes all the time: the most that did not serve at the same moment."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.ended, self.worst = lab, threading.Event(), 0
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self) -> None:
        """Ask each node for its health."""
        while not self.ended.is_set():
            states = [self.lab.health(url) for url in self.lab.urls.values()]
            self.worst = max(self.worst, sum(1 for state in states if state is None or state["sealed"]))
            time.sleep(0.2)

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.ended.set()
        self.thread.join(10)


def first_is_upgraded(lab: Lab) -> bool:
    """Tell whether a node runs another version than the old one."""
    return not set(versions(lab).values()) <= {OLD, ""}


def test_an_engine_that_leaves_is_told_before_anything_changes(lab: Lab, older: None) -> None:
    lab.bao("auth", "enable", "ldap")
    lab.bao("namespace", "create", "team")
    lab.bao("secrets", "enable", "-namespace=team", "-path=directory", "openldap")
    try:
        for options in (["--check"], []):
            refused = lab.play(UPGRADE, *options)
            told = " ".join(refused.output.split())
            assert refused.rc != 0
            assert "auth/ldap is of type ldap, which OpenBao has built in only before 2.7" in told
            assert "team/directory is of type openldap" in told
            assert "not touched" in told
        assert set(versions(lab).values()) == {OLD}
    finally:
        lab.bao("auth", "disable", "ldap")
        lab.bao("namespace", "delete", "team")


def test_an_upgrade_that_is_killed_and_completed_loses_nothing(
    lab: Lab, older: None, traffic: Callable[[], Traffic], canary: Callable[[], None]
) -> None:
    with traffic() as client, Watch(lab) as watch:
        time.sleep(2)
        lab.cut_when(lambda: first_is_upgraded(lab), UPGRADE, patience=PATIENCE)
        assert OLD in versions(lab).values(), "the others are still to come"
        lab.play(UPGRADE).succeeded()
    assert set(versions(lab).values()) == {lab.facts["vault"]["version"]}
    assert watch.worst == 1, "at most one node is down, and one was"
    client.nothing_lost()
    canary()
    again = lab.play(UPGRADE).succeeded()
    assert again.changed == 0 and "nothing is to be done" in " ".join(again.output.split())
