# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_quota against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture
def quota(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_quota", {**vault_args, **options}, check=check, diff=True)

    return run


@pytest.fixture
def mount(openbao: VaultServer, unique: str) -> Iterator[str]:
    """A mount that nobody else asks, so that no quota stands in the way of another test."""
    path = f"quota-{unique}"
    openbao.client().sys.enable_secrets_engine("kv", path=path)
    openbao.client().sys.enable_auth_method("approle", path=path)
    yield path
    openbao.client().sys.disable_secrets_engine(path)
    openbao.client().sys.disable_auth_method(path)


def stored(openbao: VaultServer, name: str) -> dict[str, Any] | None:
    answer = openbao.client().read(f"sys/quotas/rate-limit/{name}")
    return answer and answer["data"]


def shown(result: Result) -> list[tuple[str, str, str]]:
    """What the diff says of each object: its header, and what was and will be."""
    return [(one["after_header"], one["before"], one["after"]) for one in result["diff"]]


@pytest.fixture
def wanted(quota: Run, unique: str, mount: str) -> Iterator[dict[str, Any]]:
    """The options of a quota, which is removed afterwards."""
    name = f"q-{unique}"
    yield {"name": name, "path": mount, "rate": 500.5, "interval": "1m", "block_interval": "2m"}
    quota(name=name, state="absent")


def test_a_quota_is_made_once(quota: Run, openbao: VaultServer, wanted: dict[str, Any], mount: str) -> None:
    name = wanted["name"]
    fields = f"block_interval: 2m\ninterval: 1m\npath: {mount}\nrate: 500.5\n"
    planned = quota(check=True, **wanted)
    assert planned.changed and shown(planned) == [(f'rate-limit quota "{name}" (create)', "", fields)]
    assert stored(openbao, name) is None
    created = quota(**wanted)
    assert created.changed, created.msg
    assert shown(created) == shown(planned)
    found = stored(openbao, name) or {}
    assert (found["rate"], found["interval"], found["block_interval"]) == (500.5, 60, 120)
    again = quota(**{**wanted, "interval": "60", "block_interval": "0h2m", "path": f"/{mount}/"})
    assert not again.changed, again["results"]
    assert again["diff"] == []


def test_one_field_is_changed_and_the_rest_stays(
    quota: Run, openbao: VaultServer, wanted: dict[str, Any], mount: str
) -> None:
    name = wanted["name"]
    quota(**wanted)
    planned = quota(check=True, name=name, rate=600)
    assert (stored(openbao, name) or {})["rate"] == 500.5
    changed = quota(name=name, rate=600)
    for result in (planned, changed):
        assert result["results"][0]["fields"] == ["rate"]
        assert shown(result) == [(f'rate-limit quota "{name}" (update)', "rate: 500.5\n", "rate: 600.0\n")]
    found = stored(openbao, name) or {}
    assert (found["rate"], found["interval"], found["path"]) == (600, 60, f"{mount}/"), "the rest stays"


def test_a_quota_is_moved_and_a_move_that_fails_leaves_it(
    quota: Run, openbao: VaultServer, wanted: dict[str, Any], mount: str
) -> None:
    name = wanted["name"]
    quota(**wanted)
    moved = quota(name=name, rate=500.5, path=f"auth/{mount}", role="build")
    assert moved["results"][0]["fields"] == ["path", "role"]
    assert not quota(name=name, rate=500.5, path=f"auth/{mount}", role="build").changed
    assert (stored(openbao, name) or {})["role"] == "build"
    broken = quota(name=name, rate=500.5, path="no/such", role="other")
    assert "not a valid auth method" in broken.msg or "invalid mount path" in broken.msg
    assert (stored(openbao, name) or {})["role"] == "build", "what was there is there again"


def test_a_quota_is_removed_once(quota: Run, openbao: VaultServer, wanted: dict[str, Any], mount: str) -> None:
    name = wanted["name"]
    quota(**{**wanted, "rate": 600, "path": f"auth/{mount}", "role": "build"})
    before = stored(openbao, name)
    assert before is not None
    planned = quota(check=True, name=name, state="absent")
    assert planned.changed and planned["results"][0]["action"] == "delete"
    assert stored(openbao, name) == before
    gone = quota(name=name, state="absent")
    assert gone.changed and stored(openbao, name) is None
    for result in (planned, gone):
        header, was, will = shown(result)[0]
        assert (header, will) == (f'rate-limit quota "{name}" (delete)', "")
        assert "rate: 600" in was and "role: build\n" in was and f"path: auth/{mount}" in was
    for check in (True, False):
        again = quota(check=check, name=name, state="absent")
        assert not again.changed and again["diff"] == []


def test_bad_input(quota: Run, openbao: VaultServer, unique: str) -> None:
    name = f"qb-{unique}"
    assert '"rate" is missing or not above 0' in quota(name=name).msg
    assert '"interval" is below a second' in quota(name=name, rate=1, interval="500ms").msg
    assert '"soon" is not a duration' in quota(name=name, rate=1, interval="soon").msg
    assert '"role" without the auth method' in quota(name=name, rate=1, role="x").msg
    assert 'a rate-limit quota has no "max_leases"' in quota(name=name, rate=1, max_leases=1).msg
    assert "invalid mount path" in quota(name=name, rate=1, path="no/such/mount").msg
    assert stored(openbao, name) is None


def test_what_the_product_lacks(
    quota: Run, run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, unique: str
) -> None:
    if openbao.product != "openbao":
        pytest.skip("OpenBao's limits")
    for check in (True, False):
        refused = quota(check=check, name=f"l-{unique}", type="lease-count", max_leases=5)
        assert refused.msg.endswith("this server has no lease-count quotas; they need HashiCorp Vault Enterprise"), (
            refused.msg
        )
    run_module("vault_namespace", {**vault_args, "name": f"qn-{unique}"}, must_succeed=True)
    for check in (True, False):
        for namespace in (f"qn-{unique}", f"qn-{unique}/none", f"none-{unique}"):
            inside = quota(check=check, namespace=namespace, name="x", rate=1)
            if not check and namespace != f"qn-{unique}":
                # what does not exist is told first; in check mode another task may be about to make it
                inside = quota(namespace=namespace, name="x", rate=1)
                assert f'the namespace "{namespace}" does not exist' in inside.msg and not inside.changed
                continue
            said = f'quotas are kept in the root namespace, and this is "{namespace}"; leave "namespace" (in a tree'
            assert said in inside.msg and inside.failed and not inside.changed, inside.msg
            assert said in quota(check=check, namespace=namespace, quotas=[], purge=True).msg
    run_module("vault_namespace", {**vault_args, "name": f"qn-{unique}", "state": "absent"}, must_succeed=True)


def test_purge(quota: Run, openbao: VaultServer, unique: str, mount: str) -> None:
    names = [f"{kind}-{unique}" for kind in ("keep", "spare", "go")]
    paths = [mount, f"{mount}/a", f"{mount}/b"]
    quota(quotas=[{"name": name, "path": path, "rate": 1000} for name, path in zip(names, paths)])
    result = quota(quotas=[{"name": names[0], "path": mount, "rate": 1000}], purge=True, protected=[names[1]])
    assert [one["name"] for one in result["results"] if one["changed"]] == [names[2]]
    assert stored(openbao, names[1]) is not None
    quota(quotas=[{"name": name} for name in names], state="absent")


def test_names_and_times_that_the_server_would_change(
    quota: Run, openbao: VaultServer, unique: str, mount: str
) -> None:
    name = f"qn-{unique}"
    quota(name=name, path=mount, rate=1000)
    for other in (f"{name}?x", f"{name}#x", f"{name}%20", "a/b", "."):
        for state in ("present", "absent"):
            assert "holds characters that the server refuses" in quota(name=other, path=mount, rate=5, state=state).msg
    assert "a fraction of a second" in quota(name=name, path=mount, rate=5, interval="1500ms").msg
    assert "a fraction of a second" in quota(name=name, path=mount, rate=5, block_interval="500ms").msg
    assert "not above 0" in quota(name=name, path=mount, rate="nan").msg
    assert (stored(openbao, name) or {})["rate"] == 1000
    quota(name=name, state="absent")
