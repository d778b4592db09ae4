# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_password_policy against a real server."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
RULES = [{"charset": 'ab${}"\\é'}, {"charset": "0123456789", "min_chars": 3}]


@pytest.fixture
def policy(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_password_policy", {**vault_args, **options}, check=check, diff=True)

    return run


def stored(openbao: VaultServer, name: str) -> str | None:
    answer = openbao.client().read(f"sys/policies/password/{name}")
    return answer and answer["data"]["policy"]


def test_life(policy: Run, openbao: VaultServer, unique: str) -> None:
    name = f"pw-{unique}"
    assert policy(check=True, name=name, length=24, rules=RULES).changed
    assert stored(openbao, name) is None
    created = policy(name=name, length=24, rules=RULES)
    assert created.changed, created.msg
    password = openbao.client().read(f"sys/policies/password/{name}/generate")["data"]["password"]
    assert len(password) == 24
    assert set(password) <= set("".join(rule["charset"] for rule in RULES))
    assert sum(one.isdigit() for one in password) >= 3
    assert not policy(name=name, length=24, rules=RULES).changed
    assert not policy(name=name, length=24, rules=RULES[::-1]).changed, "the order of rules is no difference"

    changed = policy(name=name, length=25, rules=RULES)
    assert changed["results"][0]["fields"] == ["policy"]
    assert "length = 25" in changed["diff"][0]["after"]
    assert policy(name=name, state="absent").changed
    assert stored(openbao, name) is None
    assert not policy(name=name, state="absent").changed


def test_the_minimum_holds_in_what_the_server_makes(policy: Run, openbao: VaultServer, unique: str) -> None:
    name = f"pwm-{unique}"
    rules = [{"charset": "abcdefgh"}, {"charset": "0123456789", "min_chars": 15}]
    # as an earlier version wrote it: the server took it and enforced nothing
    openbao.client().write(
        f"sys/policies/password/{name}",
        policy='length = 20\nrule "charset" {\n  charset = "abcdefgh"\n}\n'
        'rule "charset" {\n  charset = "0123456789"\n  min_chars = 15\n}\n',
    )
    assert policy(name=name, length=20, rules=rules).changed, "what is not enforced is another policy"
    made = [openbao.client().read(f"sys/policies/password/{name}/generate")["data"]["password"] for _ in range(20)]
    assert min(sum(one.isdigit() for one in password) for password in made) >= 15, made
    assert not policy(name=name, length=20, rules=rules).changed
    text = stored(openbao, name) or ""
    assert not policy(name=name, policy=text).changed, "the text that the server holds is the same policy"
    for wrong in (text.replace("min-chars", "min_chars"), '{"length": 20, "rule": {"min_chars": 3}}'):
        refused = policy(check=True, name=name, policy=wrong)
        assert refused.failed and 'write "min-chars"' in refused.msg
    policy(name=name, state="absent")


def test_hcl_with_other_spacing_is_the_same(policy: Run, openbao: VaultServer, unique: str) -> None:
    name = f"pwh-{unique}"
    openbao.client().write(
        f"sys/policies/password/{name}",
        policy='# by hand\nlength=20\nrule "charset" { charset = "cba" min-chars = 1 }',
    )
    assert not policy(name=name, length=20, rules=[{"charset": "abc", "min_chars": 1}]).changed
    assert policy(name=name, length=20, rules=[{"charset": "abcd", "min_chars": 1}]).changed
    policy(name=name, state="absent")


def test_bad_input(policy: Run, openbao: VaultServer, unique: str) -> None:
    name = f"pwb-{unique}"
    long = [{"charset": "abc", "min_chars": 11}]
    assert "the rules ask for 11 characters, and the length is 10" in policy(name=name, length=10, rules=long).msg
    assert "use 4 to 100 characters" in policy(name=name, length=3, rules=RULES).msg
    assert "contradict each other" in policy(name=name, length=10, rules=RULES, policy="x").msg
    assert "no content" in policy(name=name, length=10).msg
    assert "no rule at all" in policy(name=name, policy="length = 20").msg
    assert "is not closed" in policy(name=name, policy='length = 20\nrule "charset" {').msg
    assert stored(openbao, name) is None


def test_purge(policy: Run, openbao: VaultServer, unique: str) -> None:
    names = [f"{kind}-{unique}" for kind in ("keep", "spare", "go")]
    policy(policies=[{"name": name, "length": 20, "rules": RULES} for name in names])
    result = policy(policies=[{"name": names[0], "length": 20, "rules": RULES}], purge=True, protected=[names[1]])
    assert names[2] in [one["name"] for one in result["results"] if one["action"] == "delete"]
    assert (stored(openbao, names[1]), stored(openbao, names[2])) != (None, None)
    assert stored(openbao, names[2]) is None
    policy(policies=[{"name": name} for name in names], state="absent")
