# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client that the other tests measure by: it sees what is lost, and a leader that is killed costs it nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from support.system import Lab
from support.traffic import Traffic

SITE = "playbooks/site.yml"


def test_a_killed_leader_loses_nothing(lab: Lab, traffic: Callable[[], Traffic], converged: None) -> None:
    victim = next(host for host, url in lab.urls.items() if url == lab.active())
    with traffic() as client:
        time.sleep(2)
        lab.host("kill", victim)
        lab.active()
        before = client.writes.done
        time.sleep(2)
        assert client.writes.done > before, "it goes on with the next leader"
    client.nothing_lost()


def test_what_was_changed_behind_its_back_is_seen(lab: Lab, traffic: Callable[[], Traffic]) -> None:
    with traffic() as client:
        time.sleep(1)
    key = sorted(client.written)[0]
    lab.bao("kv", "put", "-mount=secret", key, "number=0")
    with pytest.raises(AssertionError, match="what was confirmed"):
        client.nothing_lost()
