# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_key against a real server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture
def mount(openbao: VaultServer, unique: str) -> Iterator[str]:
    client = openbao.client()
    client.sys.enable_secrets_engine("transit", path=unique)
    yield unique
    client.sys.disable_secrets_engine(unique)


@pytest.fixture
def key(run_module: Run, vault_args: dict[str, Any], mount: str) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_transit_key", {**vault_args, "mount": mount, **options}, check=check, diff=True)

    return run


def stored(openbao: VaultServer, path: str) -> dict[str, Any]:
    answer = openbao.client().read(path)
    return dict(answer["data"]) if answer else {}


ORDERS = {"name": "orders", "auto_rotate_period": "30d", "deletion_allowed": False, "exportable": True}


def test_a_key_is_made_once(key: Run, openbao: VaultServer, mount: str) -> None:
    path = f"{mount}/keys/orders"
    planned = key(check=True, **ORDERS)
    assert planned.changed and "auto_rotate_period: 2592000s" in planned["diff"][0]["after"]
    assert stored(openbao, path) == {}
    made = key(**ORDERS)
    assert made.changed and made["latest_version"] == 1, made.msg
    kept = stored(openbao, path)
    assert (kept["type"], kept["exportable"], kept["auto_rotate_period"]) == ("aes256-gcm96", True, 2592000)
    again = key(**{**ORDERS, "auto_rotate_period": "720h", "type": "aes256-gcm96", "min_decryption_version": 0})
    assert not again.failed and not again.changed, again.msg


def test_a_rotation_is_no_drift_and_old_versions_end_when_told_so(key: Run, openbao: VaultServer, mount: str) -> None:
    client, path = openbao.client(), f"{mount}/keys/orders"
    key(**ORDERS)
    plain = base64.b64encode(b"an order").decode()
    cipher = client.write_data(f"{mount}/encrypt/orders", data={"plaintext": plain})["data"]["ciphertext"]
    client.write_data(f"{path}/rotate", data={})
    rotated = key(**ORDERS)
    assert not rotated.changed and rotated["latest_version"] == 2
    # what was encrypted before is still read
    assert client.write_data(f"{mount}/decrypt/orders", data={"ciphertext": cipher})["data"]["plaintext"] == plain

    planned = key(check=True, name="orders", min_decryption_version=2)
    assert planned["results"][0]["fields"] == ["min_decryption_version"]
    assert planned["diff"][0]["before"] == "min_decryption_version: 1\n"
    assert planned["diff"][0]["after"] == "min_decryption_version: 2\n"
    assert stored(openbao, path)["min_decryption_version"] == 1
    assert key(name="orders", min_decryption_version=2).changed
    with pytest.raises(Exception, match="too old"):
        client.write_data(f"{mount}/decrypt/orders", data={"ciphertext": cipher})
    kept = stored(openbao, path)
    assert kept["auto_rotate_period"] == 2592000 and kept["exportable"], "the rest stays"
    assert key(name="orders", auto_rotate_period=0)["results"][0]["fields"] == ["auto_rotate_period"]


def test_a_key_is_deleted_only_where_it_may_be(key: Run, openbao: VaultServer, mount: str) -> None:
    path = f"{mount}/keys/orders"
    key(**ORDERS)
    for check in (True, False):
        refused = key(check=check, name="orders", state="absent")
        assert refused.failed and "its deletion is not allowed" in refused.msg
    gone = key(name="orders", state="absent", deletion_allowed=True, check=True)
    assert gone.changed and not stored(openbao, path)["deletion_allowed"]
    assert key(name="orders", state="absent", deletion_allowed=True).changed
    assert stored(openbao, path) == {}
    assert not key(name="orders", state="absent").changed


def test_what_a_key_is_made_with(key: Run, openbao: VaultServer, mount: str) -> None:
    keys: list[dict[str, Any]] = [
        {"name": "search", "derived": True, "convergent_encryption": True, "deletion_allowed": True},
        {"name": "releases", "type": "ed25519", "allow_plaintext_backup": True},
        {"name": "sums", "type": "hmac", "key_size": 64},
    ]
    made = key(keys=keys)
    assert made["summary"]["create"] == 3, made.msg
    assert stored(openbao, f"{mount}/keys/search")["deletion_allowed"]
    assert stored(openbao, f"{mount}/keys/sums")["key_size"] == 64
    again = key(keys=keys)
    assert not again.failed and not again.changed, again.msg
    for options, message in (
        ({"name": "releases", "type": "rsa-2048"}, "type is ed25519 and cannot be changed to rsa-2048"),
        ({"name": "search", "convergent_encryption": False}, "convergent_encryption is true and cannot be changed"),
        ({"name": "sums", "key_size": 32}, "key_size is 64 and cannot be changed to 32"),
        ({"name": "releases", "allow_plaintext_backup": False}, "is true and cannot be taken back"),
        ({"name": "releases", "min_decryption_version": 2}, "is 2, and the newest version is 1"),
    ):
        for check in (True, False):
            refused = key(check=check, **options)
            assert refused.failed and not refused.changed and message in refused.msg, (message, refused.msg)
    openbao.client().write_data(f"{mount}/keys/releases/rotate", data={})
    below = key(name="releases", min_decryption_version=2, min_encryption_version=1)
    assert "min_encryption_version is below min_decryption_version" in below.msg
    # one bad item of many is named, and the others are done
    some = key(keys=[{"name": "releases", "min_decryption_version": 2}, {"name": "sums", "key_size": 32}])
    assert some.failed and some["summary"]["update"] == 1 and f'transit key "{mount}/sums"' in some.msg


def test_no_size_is_no_other_size(key: Run) -> None:
    wanted = {"name": "plain", "type": "aes256-gcm96", "key_size": 0}
    assert key(**wanted).changed
    again = key(**wanted)
    assert not again.failed and not again.changed, again.msg


def test_a_run_cut_off_between_key_and_settings(key: Run, openbao: VaultServer, mount: str) -> None:
    openbao.client().write_data(f"{mount}/keys/half", data={})
    assert key(name="half", deletion_allowed=True)["results"][0]["fields"] == ["deletion_allowed"]
    assert not key(name="half", deletion_allowed=True).changed


def test_bad_keys_are_refused_before_anything_changes(
    key: Run, openbao: VaultServer, mount: str, run_module: Run, vault_args: dict[str, Any]
) -> None:
    for options, message in (
        ({"auto_rotate_period": "30m"}, '"auto_rotate_period" is below an hour'),
        ({"auto_rotate_period": "soon"}, '"soon" is not a duration'),
        ({"convergent_encryption": True}, '"convergent_encryption" is for derived keys'),
        ({"derived": True, "type": "rsa-2048"}, "no keys can be derived from type rsa-2048"),
        ({"type": "hmac"}, 'a key of type hmac needs a "key_size"'),
        ({"key_size": 64}, 'a key of type aes256-gcm96 has no "key_size"'),
        ({"min_decryption_version": 5}, "min_decryption_version is 5, and the newest version is 1"),
        ({"min_decryption_version": -1}, "is negative"),
        ({"type": "rot13"}, "value of type must be one of"),
        ({"name": "a b"}, "characters that the server refuses"),
        ({"name": "ä"}, "characters that the server refuses"),
        ({"auto_rotate_period": "3600.5s"}, "holds a fraction of a second"),
        ({"type": "ed25519", "derived": True, "convergent_encryption": True}, 'has no "convergent_encryption"'),
        ({"mount": f"{mount}-no-such"}, "nothing is mounted there"),
        ({"mount": "cubbyhole"}, 'of type "cubbyhole" is mounted there, not "transit"'),
    ):
        refused = key(**{"name": "bad", **options})
        assert refused.failed and message in refused.msg, (message, refused.msg)
    assert openbao.client().list(f"{mount}/keys") is None
    twice = key(keys=[{"name": "x"}, {"name": "x"}])
    assert "is declared twice" in twice.msg and openbao.client().list(f"{mount}/keys") is None


def test_purge_deletes_no_key_that_is_not_named_again(key: Run, openbao: VaultServer, mount: str) -> None:
    keys = [{"name": name, "deletion_allowed": name != "c"} for name in ("a", "b", "c", "d")]
    assert key(keys=keys)["summary"]["create"] == 4
    refused = key(keys=keys[:1], purge=True, protected=["d"])
    assert refused.failed and f'"{mount}/b", "{mount}/c", and nobody could decrypt' in refused.msg, refused.msg
    assert len(openbao.client().list(f"{mount}/keys")["data"]["keys"]) == 4
    done = key(keys=keys[:1], purge=True, purge_data=["b"], protected=["c", f"{mount}/d"])
    assert done["summary"]["delete"] == 1, done.msg
    assert openbao.client().list(f"{mount}/keys")["data"]["keys"] == ["a", "c", "d"]
    # and the server's own word counts
    kept = key(keys=keys[:1], purge=True, purge_data=["c"], protected=["d"])
    assert kept.failed and "its deletion is not allowed" in kept.msg
