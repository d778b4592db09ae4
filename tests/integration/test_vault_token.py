# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_token against a real server; what a token is, the server itself tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import hvac
import pytest

from support.modules import Result
from support.openbao import VaultServer


@pytest.fixture
def token(run_module: Callable[..., Result], vault_args: dict[str, Any]) -> Callable[..., Result]:
    def run(action: str, check: bool = False, **options: Any) -> Result:
        return run_module("vault_token", {**vault_args, "action": action, **options}, check=check)

    return run


def test_life_of_a_token(token: Callable[..., Result], openbao: VaultServer) -> None:
    assert token("create", check=True, policies=["default"]).changed
    made = token(
        "create", policies=["default"], ttl="10m", display_name="pipeline", metadata={"team": "shop"}, num_uses=0
    )
    assert made.changed
    known = openbao.client().auth.token.lookup(made["token"])["data"]
    assert known["policies"] == ["default"]
    assert 590 <= known["ttl"] <= 600
    assert known["meta"] == {"team": "shop"}
    assert made["accessor"] == known["accessor"]

    for name in ({"target": made["token"]}, {"accessor": made["accessor"]}):
        found = token("lookup", **name)
        assert not found.changed
        assert found["info"]["display_name"] == "token-pipeline"
        assert found["policies"] == ["default"]
        found.hides(made["token"])

    assert token("renew", check=True, accessor=made["accessor"], increment="1h").changed
    assert openbao.client().auth.token.lookup(made["token"])["data"]["ttl"] <= 600
    renewed = token("renew", target=made["token"], increment="1h")
    renewed.hides(made["token"])
    assert 3590 <= renewed["ttl"] <= 3600
    assert openbao.client().auth.token.lookup(made["token"])["data"]["ttl"] > 3500

    assert token("revoke", check=True, accessor=made["accessor"]).changed
    assert openbao.client().auth.token.lookup(made["token"])
    assert token("revoke", accessor=made["accessor"]).changed
    with pytest.raises(hvac.exceptions.VaultError):
        openbao.client().auth.token.lookup(made["token"])
    assert not token("revoke", accessor=made["accessor"]).changed
    assert not token("revoke", target=made["token"]).changed
    assert token("lookup", target=made["token"]).failed
    assert "does not exist" in token("renew", accessor=made["accessor"]).msg


def test_a_token_in_a_file(token: Callable[..., Result], openbao: VaultServer, tmp_path: Path) -> None:
    dest = tmp_path / "private" / "token"
    made = token("create", policies=["default"], ttl="5m", orphan=True, type="batch", dest=str(dest))
    text = dest.read_text().strip()
    assert openbao.client(text).auth.token.lookup_self()["data"]["type"] == "batch"
    assert dest.stat().st_mode & 0o777 == 0o600
    made.hides(text)
    assert "cannot be renewed" in token("renew", target=text).msg


def test_a_denied_request_is_no_absence(token: Callable[..., Result], openbao: VaultServer) -> None:
    made = token("create", policies=["default"], ttl="5m")
    other = token("create", policies=["default"], ttl="5m")
    denied = token("revoke", accessor=other["accessor"], token=made["token"])
    assert denied.failed
    assert "permission denied" in denied.msg
    assert openbao.client().auth.token.lookup(other["token"])


@pytest.mark.parametrize(
    ("action", "options", "message"),
    [
        ("lookup", {"ttl": "1h"}, 'option "ttl": is for the action "create"'),
        ("create", {"increment": "1h"}, 'option "increment": is for the action "renew"'),
        ("create", {"accessor": "x"}, 'option "accessor": is for an existing token'),
        ("revoke", {}, 'give "target" or "accessor"'),
        ("create", {"ttl": "1.5s"}, "fraction of a second"),
        ("create", {"token_role": "a/b"}, "characters that the server refuses"),
    ],
)
def test_bad_input(token: Callable[..., Result], action: str, options: dict[str, Any], message: str) -> None:
    for check in (True, False):
        result = token(action, check=check, **options)
        assert result.failed
        assert message in result.msg
