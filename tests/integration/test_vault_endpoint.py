# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_endpoint against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
SECRET = "password-that-nobody-may-see"


@pytest.fixture
def endpoint(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_endpoint", {**vault_args, **options}, check=check, diff=True)

    return run


@pytest.fixture
def transit(openbao: VaultServer, unique: str) -> Iterator[str]:
    path = f"transit-{unique}"
    openbao.client().sys.enable_secrets_engine("transit", path=path)
    yield path
    openbao.client().sys.disable_secrets_engine(path)


@pytest.fixture
def userpass(openbao: VaultServer, unique: str) -> Iterator[str]:
    path = f"users-{unique}"
    openbao.client().sys.enable_auth_method("userpass", path=path)
    yield path
    openbao.client().sys.disable_auth_method(path)


def stored(openbao: VaultServer, path: str) -> dict[str, Any] | None:
    answer = openbao.client().read(path)
    return answer and answer["data"]


def test_life(endpoint: Run, openbao: VaultServer, unique: str) -> None:
    path = f"auth/token/roles/r-{unique}"
    wanted = {
        "path": path,
        "data": {"token_period": "1h", "allowed_policies": "b,a", "orphan": "true"},
        "compare": {"token_period": "duration", "allowed_policies": "set"},
    }
    assert endpoint(check=True, **wanted).changed
    assert stored(openbao, path) is None
    created = endpoint(**wanted)
    assert created["results"][0]["action"] == "create", created.msg
    assert "warnings" not in created, created["warnings"]
    assert (stored(openbao, path) or {})["token_period"] == 3600
    again = endpoint(**{**wanted, "data": {**wanted["data"], "allowed_policies": ["a", "b"]}})
    assert not again.changed, again["results"]

    changed = endpoint(path=path, data={"token_period": 7200})
    assert changed["results"][0]["fields"] == ["token_period"]
    assert changed["diff"][0]["before"] == "token_period: 3600\n"
    assert (stored(openbao, path) or {})["token_period"] == 7200
    gone = endpoint(path=path, state="absent")
    assert gone["results"][0]["action"] == "delete"
    assert "7200" not in str(gone["diff"]), "what was read may be secret"
    assert stored(openbao, path) is None
    assert not endpoint(path=path, state="absent").changed


def test_secrets_are_written_and_never_shown(endpoint: Run, openbao: VaultServer, userpass: str) -> None:
    path = f"auth/{userpass}/users/ada"
    wanted = {"path": path, "data": {"token_ttl": "1h"}, "secret_data": {"password": SECRET}}
    created = endpoint(**wanted)
    assert created.changed, created.msg
    created.hides(SECRET)
    assert openbao.client().auth.userpass.login("ada", SECRET, mount_point=userpass)["auth"]["client_token"]
    again = endpoint(**wanted)
    assert not again.changed
    again.hides(SECRET)
    always = endpoint(update_secrets="always", **wanted)
    assert always["results"][0]["fields"] == ["password"]
    always.hides(SECRET)
    misplaced = endpoint(path=path, data={"password": SECRET})
    assert '"password" is a secret, and "data" would show it; move it into "secret_data"' in misplaced.msg
    misplaced.hides(SECRET)
    bulk = endpoint(endpoints=[{"path": path, "data": {"nested": {"password": SECRET}}}])
    assert bulk.failed
    bulk.hides(SECRET)


def test_another_path_for_reading(endpoint: Run, openbao: VaultServer, transit: str) -> None:
    key = f"{transit}/keys/orders"
    openbao.client().write(key, type="aes256-gcm96")
    wanted = {
        "path": f"{key}/config",
        "read_path": key,
        "data": {"deletion_allowed": True, "auto_rotate_period": "24h"},
    }
    result = endpoint(**wanted)
    assert result["results"][0]["fields"] == ["auto_rotate_period", "deletion_allowed"]
    assert not endpoint(**wanted).changed


def test_once(endpoint: Run, openbao: VaultServer, transit: str) -> None:
    key = f"{transit}/keys/once"
    assert endpoint(path=key, write="when_missing", data={"type": "aes256-gcm96"}).changed
    version = (stored(openbao, key) or {})["latest_version"]
    again = endpoint(path=key, write="when_missing", data={"type": "rsa-2048"}, update_secrets="always")
    assert not again.changed
    assert (stored(openbao, key) or {})["latest_version"] == version


def test_what_cannot_be_read(endpoint: Run, openbao: VaultServer, transit: str) -> None:
    key = f"{transit}/keys/turn"
    openbao.client().write(key, type="aes256-gcm96")
    refused = endpoint(path=f"{key}/rotate")
    assert "the server does not let this path be read" in refused.msg
    assert 'set "write: always"' in refused.msg
    assert endpoint(check=True, path=f"{key}/rotate", write="always").changed
    assert (stored(openbao, key) or {})["latest_version"] == 1
    assert endpoint(path=f"{key}/rotate", write="always").changed
    assert (stored(openbao, key) or {})["latest_version"] == 2


def test_a_change_at_every_run_is_told_at_once(endpoint: Run, openbao: VaultServer, unique: str) -> None:
    path = f"auth/token/roles/w-{unique}"
    result = endpoint(path=path, data={"no_such_field": "x", "token_bound_cidrs": ["127.0.0.1/32"]})
    assert 'the server does not return "no_such_field"' in str(result["warnings"])
    assert 'the server keeps another value of "token_bound_cidrs"' in str(result["warnings"])
    endpoint(path=path, state="absent")


def test_bad_input(endpoint: Run) -> None:
    assert 'begins with "v1"' in endpoint(path="/v1/sys/x").msg
    assert '"compare" does not know "fuzzy"' in endpoint(path="a/b", data={"x": 1}, compare={"x": "fuzzy"}).msg
    assert '"compare" names "y"' in endpoint(path="a/b", data={"x": 1}, compare={"y": "set"}).msg
    assert '"soon" is not a duration' in endpoint(path="a/b", data={"x": "soon"}, compare={"x": "duration"}).msg
    assert '"x" is to be compared as a map' in endpoint(path="a/b", data={"x": "y"}, compare={"x": "map"}).msg
    assert '"compare" does not know "[' in endpoint(path="a/b", data={"x": "y"}, compare={"x": ["set"]}).msg
    assert "leads elsewhere" in endpoint(path="a/../b", data={"x": 1}).msg
    assert "leads elsewhere" in endpoint(path="a/b", read_path="a/.", data={"x": 1}).msg
    both = endpoint(path="a/b", data={"x": 1}, secret_data={"x": "secret-number-two"})
    assert '"x" in both "data" and "secret_data"' in both.msg
    # nothing is mounted: a plan is possible, a write is an error
    assert endpoint(check=True, path="no/such", data={"x": 1}).changed
    assert "does not exist" in endpoint(path="no/such", data={"x": 1}).msg


def test_a_path_does_not_lead_to_another_object(endpoint: Run, openbao: VaultServer, unique: str) -> None:
    good = f"auth/token/roles/g-{unique}"
    assert endpoint(path=good, data={"orphan": True}).changed
    for path, sign in ((f"{good}?old", "%3F"), (f"{good}#old", "%23")):
        for state in ("present", "absent"):
            refused = endpoint(path=path, data={"orphan": False}, state=state)
            assert refused.failed and sign in refused.msg, refused.msg
    assert stored(openbao, good)["orphan"] is True
    assert endpoint(path=good, state="absent").changed


def test_one_bad_path_of_many(endpoint: Run, openbao: VaultServer, unique: str) -> None:
    good = f"auth/token/roles/g-{unique}"
    result = endpoint(endpoints=[{"path": good, "data": {"orphan": True}}, {"path": "no/such", "data": {"x": 1}}])
    assert result.failed
    assert 'endpoint "no/such"' in result.msg
    assert stored(openbao, good) is not None
    endpoint(path=good, state="absent")
