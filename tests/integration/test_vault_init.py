# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_init and vault_root_token: shares and root token reach a private file, and nothing else."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
Start = Callable[..., VaultServer]


def init_args(server: VaultServer, store: Path, **more: Any) -> dict[str, Any]:
    return {"url": [server.url], "ca_cert": server.ca_cert, "key_store": str(store), **more}


@pytest.fixture
def fresh(new_server: Start) -> VaultServer:
    """A server that nobody has initialised."""
    return new_server(initialise=False)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """A server that nobody may initialise: shared by the tests of what is refused."""
    server = VaultServer(tmp_path_factory.mktemp("untouched"), initialise=False)
    try:
        yield server
    finally:
        server.discard()


def test_initialises_once_into_a_private_file(fresh: VaultServer, run_module: Run, tmp_path: Path) -> None:
    store = tmp_path / "keys" / "unseal-keys.json"
    args = init_args(fresh, store, shares=3, threshold=2)

    checked = run_module("vault_init", args, check=True, diff=True, must_succeed=True)
    assert checked.changed and not store.exists()
    assert fresh.health() == 501, "check mode initialised the server"

    first = run_module("vault_init", args, diff=True, must_succeed=True)
    assert first.changed and first["root_token_held"] == "plain"
    data = json.loads(store.read_text())
    assert (len(data["shares"]), data["threshold"], data["seal_type"]) == (3, 2, "shamir")
    assert (store.stat().st_mode & 0o777, store.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [path.name for path in store.parent.iterdir()] == [store.name], "a temporary file was left"
    first.hides(data["root_token"], *data["shares"])

    second = run_module("vault_init", args, must_succeed=True)
    assert not second.changed
    second.hides(data["root_token"], *data["shares"])
    assert json.loads(store.read_text()) == data

    store.rename(tmp_path / "elsewhere.json")
    third = run_module("vault_init", args, must_succeed=True)
    assert not third.changed and third["key_store_exists"] is False


def test_an_interrupted_run_is_completed(fresh: VaultServer, run_module: Run, tmp_path: Path) -> None:
    store = tmp_path / "keys" / "store.json"
    args = init_args(fresh, store, shares=1, threshold=1)
    run_module("vault_init", args, must_succeed=True)
    # as after a cut between the answer on disk and its name
    store.rename(store.parent / ".store.json.pending-abc.ready")
    assert run_module("vault_init", args, check=True, must_succeed=True).changed
    assert not store.exists()
    assert run_module("vault_init", args, must_succeed=True).changed
    assert json.loads(store.read_text())["shares"]
    assert not run_module("vault_init", args, must_succeed=True).changed


def test_an_answer_that_was_lost_is_told_and_the_disk_shows_that_nothing_was_lost(
    fresh: VaultServer, run_module: Run, tmp_path: Path
) -> None:
    """Cut between the server's answer and the file: the reserved place is empty, and the server never answers twice."""
    store, data = tmp_path / "keys" / "store.json", fresh.folder / "data"
    args = init_args(fresh, store, shares=1, threshold=1)
    on_disk = {"path": str(data)}
    assert run_module("vault_raft_data", on_disk, must_succeed=True)["opened"] is False
    reserved = store.parent / ".store.json.pending-abc.ready"
    store.parent.mkdir(mode=0o700)
    reserved.write_text("\n" * 100)
    reserved.chmod(0o600)
    answer = fresh.client("").sys.initialize(1, 1)

    lost = run_module("vault_init", args)
    assert lost.failed and lost["error_code"] == "answer_lost" and "nothing is in it yet" in lost.msg
    assert "playbooks/reset_unused.yml" in lost.msg and reserved.exists()
    sealed = run_module("vault_unseal", {name: args[name] for name in ("url", "ca_cert", "key_store")})
    assert sealed.failed and "if nobody ever had them" in sealed.msg
    fresh.restart()
    found = run_module("vault_raft_data", on_disk, must_succeed=True)
    assert (found["used"], found["opened"], found["problem"]) == (True, False, "")

    # once it was unsealed, somebody has the shares, and the disk shows it for good
    fresh.keys, fresh.token = answer["keys_base64"], answer["root_token"]
    fresh.unseal()
    assert run_module("vault_init", args, must_succeed=True)["key_store_exists"] is False
    assert run_module("vault_raft_data", on_disk, must_succeed=True)["opened"] is True
    fresh.restart()
    assert run_module("vault_raft_data", on_disk, must_succeed=True)["opened"] is True


def test_nothing_is_initialised_when_the_key_store_has_no_place(
    untouched: VaultServer, run_module: Run, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    refused = run_module("vault_init", init_args(untouched, tmp_path / "file" / "store.json"))
    assert refused.failed and "key_store" in refused.msg

    old = tmp_path / "old.json"
    old.write_text('{"shares": ["x"]}')
    refused = run_module("vault_init", init_args(untouched, old))
    assert refused.failed and "exists already" in refused.msg
    assert old.read_text() == '{"shares": ["x"]}'
    assert untouched.health() == 501


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shares": 2, "threshold": 3}, "threshold"),
        ({"shares": 3, "threshold": 1}, "whole key"),
        ({"shares": 3, "threshold": 2, "pgp_keys": ["a"]}, "1 keys for 3 shares"),
        ({"plain_shares": False}, "in clear"),
        ({"shares": 1, "threshold": 1, "pgp_keys": ["/no/such/file.asc"]}, "entry 1"),
        ({"shares": 1, "threshold": 1, "pgp_keys": ["-----BEGIN PGP PRIVATE KEY BLOCK-----"]}, "private key"),
        ({"url": ["https://127.0.0.1:1"], "wait_timeout": 1}, "https://127.0.0.1:1"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(
    untouched: VaultServer, run_module: Run, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    store = tmp_path / "store" / "keys.json"
    refused = run_module("vault_init", {**init_args(untouched, store), **options})
    assert refused.failed and message in refused.msg
    assert untouched.health() == 501 and not store.exists()


def test_a_silent_node_may_hold_the_cluster(untouched: VaultServer, run_module: Run, tmp_path: Path) -> None:
    args = init_args(untouched, tmp_path / "s" / "keys.json", wait_timeout=1)
    args["url"] = [untouched.url, "https://127.0.0.1:1"]
    refused = run_module("vault_init", args)
    assert refused.failed and "may hold the initialised cluster" in refused.msg
    assert untouched.health() == 501


def test_pgp_keys_leave_ciphertext_only(
    fresh: VaultServer, run_module: Run, tmp_path: Path, gpg: Callable[..., bytes]
) -> None:
    armored = tmp_path / "ada.asc"
    armored.write_bytes(gpg("--armor", "--export", "ada@example.com"))
    binary = gpg("--export", "ada@example.com")
    store = tmp_path / "keys" / "store.json"
    keys = [str(armored), base64.b64encode(binary).decode(), armored.read_text()]
    args = init_args(fresh, store, shares=3, threshold=2, pgp_keys=keys, root_token_pgp_key=str(armored))
    done = run_module("vault_init", args, must_succeed=True)
    assert (done["encrypted"], done["root_token_held"]) == (True, "encrypted")

    data = json.loads(store.read_text())
    colons = gpg("--with-colons", "--fingerprint", "ada@example.com").decode().splitlines()
    fingerprint = next(line.split(":")[9] for line in colons if line.startswith("fpr"))
    assert data["pgp_fingerprints"] == [fingerprint] * 3

    connection = {"url": [fresh.url], "ca_cert": fresh.ca_cert, "key_store": str(store)}
    refused = run_module("vault_unseal", connection)
    assert refused.failed and "PGP ciphertext only" in refused.msg and fresh.health() == 503

    # what the holders do; shares are encrypted as hexadecimal text
    shares = [gpg("--decrypt", given=base64.b64decode(share)).decode() for share in data["shares"][:2]]
    file = tmp_path / "shares"
    file.write_text("\n".join(shares))
    opened = run_module("vault_unseal", {**connection, "shares_file": str(file)}, must_succeed=True)
    assert opened.changed and opened["unsealed"] == [fresh.url]
    opened.hides(*shares)
    fresh.wait_active()

    root = gpg("--decrypt", given=base64.b64decode(data["root_token"])).decode()
    prepare_admin(fresh, root)
    ended = run_module("vault_root_token", {**connection, **ADMIN}, must_succeed=True)
    assert ended.changed and ended["revoked"] == 1
    ended.hides(root)
    assert not json.loads(store.read_text())["root_token"]


ADMIN = {"auth_method": "userpass", "username": "admin", "password": "correct-horse-battery"}


def prepare_admin(
    server: VaultServer, root: str, capabilities: str = '"create", "read", "update", "delete", "list", "sudo"'
) -> None:
    """Give the server another way in."""
    client = server.client(root)
    client.sys.create_or_update_policy("admin", 'path "*" { capabilities = [%s] }' % capabilities)
    if "userpass/" not in client.sys.list_auth_methods()["data"]:
        client.sys.enable_auth_method("userpass")
    client.auth.userpass.create_or_update_user("admin", ADMIN["password"], ["admin"])


def test_an_encrypted_root_token_is_revoked_from_any_namespace(
    fresh: VaultServer, run_module: Run, tmp_path: Path, gpg: Callable[..., bytes]
) -> None:
    if fresh.product != "openbao":
        pytest.skip("namespaces are OpenBao's")
    public, store = tmp_path / "ada.asc", tmp_path / "keys" / "store.json"
    public.write_bytes(gpg("--armor", "--export", "ada@example.com"))
    args = init_args(fresh, store, shares=1, threshold=1, root_token_pgp_key=str(public))
    run_module("vault_init", args, must_succeed=True)
    connection = init_args(fresh, store, namespace="team")
    run_module("vault_unseal", connection, must_succeed=True)
    fresh.wait_active()
    root = gpg("--decrypt", given=base64.b64decode(json.loads(store.read_text())["root_token"])).decode()
    prepare_admin(fresh, root)
    client = fresh.client(root)
    client.adapter.post("/v1/sys/namespaces/team")
    text = client.sys.read_policy("admin")["data"]["rules"]
    client.sys.create_or_update_policy("blind", text + ' path "auth/token/lookup-accessor" { capabilities = ["deny"] }')
    blind, able = (
        client.auth.token.create_orphan(policies=[name])["auth"]["client_token"] for name in ("blind", "admin")
    )

    refused = run_module("vault_root_token", {**connection, "token": blind})
    assert refused.failed and "lacks update on auth/token/lookup-accessor" in refused.msg
    assert json.loads(store.read_text())["root_token"] and fresh.client(root).is_authenticated()
    assert run_module("vault_root_token", {**connection, "token": able}, must_succeed=True)["revoked"] == 1
    assert not json.loads(store.read_text())["root_token"] and not fresh.client(root).is_authenticated()


def test_root_goes_only_when_another_way_in_is_proven(fresh: VaultServer, run_module: Run, tmp_path: Path) -> None:
    store = tmp_path / "keys" / "store.json"
    run_module("vault_init", init_args(fresh, store, shares=1, threshold=1), must_succeed=True)
    connection = {"url": [fresh.url], "ca_cert": fresh.ca_cert, "key_store": str(store)}
    run_module("vault_unseal", connection, must_succeed=True)
    fresh.wait_active()
    data = json.loads(store.read_text())
    assert data["cluster_id"], "unsealing adds which cluster the store belongs to"
    root = data["root_token"]

    dest = tmp_path / "session" / "token"
    lent = run_module("vault_root_token", {**connection, "state": "lent", "dest": str(dest)}, must_succeed=True)
    child = dest.read_text().strip()
    lent.hides(root, child)
    assert (dest.stat().st_mode & 0o777, fresh.client(child).lookup_token()["data"]["ttl"] <= 900) == (0o600, True)

    refused = run_module("vault_root_token", {**connection, **ADMIN})
    assert refused.failed and "login by userpass refused" in refused.msg
    prepare_admin(fresh, root, '"read"')
    refused = run_module("vault_root_token", {**connection, **ADMIN})
    assert refused.failed and "lacks create, update" in refused.msg
    refused = run_module("vault_root_token", {**connection, "token": root})
    assert refused.failed and "is itself root" in refused.msg
    assert fresh.client(root).is_authenticated()

    prepare_admin(fresh, root)
    assert run_module("vault_root_token", {**connection, **ADMIN}, check=True, must_succeed=True).changed
    assert fresh.client(root).is_authenticated()
    ended = run_module("vault_root_token", {**connection, **ADMIN}, diff=True, must_succeed=True)
    assert ended.changed and ended["revoked"] == 1
    ended.hides(root, ADMIN["password"])
    assert not fresh.client(root).is_authenticated() and not fresh.client(child).is_authenticated()
    assert json.loads(store.read_text())["root_token"] is None
    assert not run_module("vault_root_token", {**connection, **ADMIN}, must_succeed=True).changed

    # cut off between the revocation and the file
    store.write_text(json.dumps({**json.loads(store.read_text()), "root_token": root}))
    completed = run_module("vault_root_token", {**connection, **ADMIN}, must_succeed=True)
    assert completed.changed and completed["revoked"] == 0
    assert json.loads(store.read_text())["root_token"] is None


def test_a_static_seal_opens_by_itself(
    openbao: VaultServer, new_server: Start, run_module: Run, tmp_path: Path
) -> None:
    key = tmp_path / "seal.key"
    key.write_bytes(os.urandom(32))
    seal = {"static": {"current_key_id": "1", "current_key": f"file://{key}"}}
    if openbao.product != "openbao":
        pytest.skip("static seals are OpenBao's")
    server = new_server(initialise=False, seal=seal)
    store = tmp_path / "keys" / "store.json"
    args = init_args(server, store, recovery_shares=3, recovery_threshold=2)
    done = run_module("vault_init", args, must_succeed=True)
    assert done["seal_type"] == "static"
    data = json.loads(store.read_text())
    assert (data["share_type"], len(data["shares"]), data["threshold"]) == ("recovery", 3, 2)
    connection = {"url": [server.url], "ca_cert": server.ca_cert}
    run_module("vault_unseal", connection, must_succeed=True)
    assert not run_module("vault_unseal", connection, must_succeed=True).changed
    server.restart()
    run_module("vault_unseal", connection, must_succeed=True)
    server.wait_active()
    assert server.client(data["root_token"]).is_authenticated()


def test_a_transit_seal_opens_by_itself(
    openbao: VaultServer, new_server: Start, run_module: Run, tmp_path: Path, unique: str
) -> None:
    keeper = openbao.client()
    keeper.sys.enable_secrets_engine("transit", path=f"{unique}-transit")
    keeper.secrets.transit.create_key("autounseal", mount_point=f"{unique}-transit")
    seal = {
        "transit": {
            "address": openbao.url,
            "token": openbao.token,
            "key_name": "autounseal",
            "mount_path": f"{unique}-transit/",
            "tls_ca_cert": openbao.ca_cert,
            "disable_renewal": "true",
        }
    }
    server = new_server(initialise=False, seal=seal)
    store = tmp_path / "keys" / "store.json"
    done = run_module(
        "vault_init", init_args(server, store, recovery_shares=1, recovery_threshold=1), must_succeed=True
    )
    assert done["seal_type"] == "transit" and json.loads(store.read_text())["share_type"] == "recovery"
    connection = {"url": [server.url], "ca_cert": server.ca_cert}
    run_module("vault_unseal", connection, must_succeed=True)
    server.restart()
    run_module("vault_unseal", connection, must_succeed=True)
    server.wait_active()
    assert server.client(json.loads(store.read_text())["root_token"]).is_authenticated()
