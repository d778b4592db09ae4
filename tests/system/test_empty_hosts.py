# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A first look at hosts on which nothing is: check mode says what would be built, and builds nothing."""

from __future__ import annotations

import pytest

from support.system import Lab

#: whatever can be asked for by somebody who has run nothing yet
PLAYBOOKS = [
    "drift",
    "export",
    "recover_quorum",
    "rekey",
    "replace_ca",
    "replace_node",
    "restore",
    "rolling",
    "rotate",
    "rotate_barrier",
    "snapshot",
    "unseal",
    "upgrade",
    "validate",
    "verify",
    "site",
]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_check_mode_says_what_would_be_built(lab: Lab, playbook: str) -> None:
    play = lab.play(f"playbooks/{playbook}.yml", "--check").succeeded()
    assert "vault is not there yet. A run without --check would initialise" in " ".join(play.output.split())
    if playbook == "site":
        assert "In vault there would be made: " in play.output
        assert play.recap["vault-1"]["changed"] > 5
    else:
        assert play.changed == 0
    assert list(lab.credentials.iterdir()) == []
    assert lab.ssh("vault-1", "ls /etc/openbao /etc/vault.d /usr/local/bin 2>/dev/null || true").strip() in (
        "",
        "/usr/local/bin:",
    )
