# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key shares of a running server: their proof, and new ones, cut off at each step and completed."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from support.local import write_private
from support.modules import Result, run_module
from support.openbao import VaultServer

Run = Callable[..., Result]
FOREIGN = [base64.b64encode(bytes([number]) * 32 + bytes([number])).decode() for number in (1, 2, 3)]


class Custody:
    """A server whose key store has the form that vault_init writes."""

    def __init__(self, folder: Path) -> None:
        self.server = VaultServer(folder / "server", initialise=False)
        self.path = folder / "keys.json"
        self.args = {"url": [self.server.url], "ca_cert": self.server.ca_cert, "key_store": str(self.path)}
        run_module("vault_init", {**self.args, "shares": 5, "threshold": 3}, must_succeed=True)
        self.server.keys, self.server.token = self.held["shares"], self.held["root_token"]
        self.server.unseal(3)
        self.args["token"] = self.server.token
        # to see that nothing is lost
        self.server.client().sys.create_or_update_acl_policy("canary", 'path "x" { capabilities = ["read"] }')

    @property
    def held(self) -> dict[str, Any]:
        """What the key store holds."""
        return dict(json.loads(self.path.read_text()))

    def put(self, data: dict[str, Any]) -> None:
        """Replace the key store."""
        self.path.unlink(missing_ok=True)
        write_private(self.path, json.dumps(data).encode())

    def call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Ask the server by another way than the modules."""
        answer = self.server.client().adapter.request(method, f"/v1/{path}", json=body or None)
        return dict((answer if isinstance(answer, dict) else answer.json() if answer.content else {}).get("data") or {})

    def roots(self) -> set[str]:
        """Return the accessors of the root tokens that are valid."""
        client = self.server.client()
        found = client.list("auth/token/accessors")["data"]["keys"]
        told = {one: client.auth.token.lookup_accessor(one)["data"]["path"] for one in found}
        return {one for one, path in told.items() if path == "auth/token/root"}

    def opens(self, shares: list[str]) -> bool:
        """Restart the server and tell whether the shares unseal it; in any case it is unsealed afterwards."""
        self.server.restart()
        client = self.server.client("")
        try:
            for share in shares:
                client.sys.submit_unseal_key(share)
        except Exception:  # noqa: BLE001 - hvac's own errors
            client.sys.submit_unseal_key(reset=True)
        opened = self.server.health() != 503
        if not opened:
            for share in self.held["shares"][: self.held["threshold"]]:
                client.sys.submit_unseal_key(share)
        self.server.wait_active()
        return opened

    def rekey(self, **options: Any) -> Result:
        """Run vault_rekey to the next generation."""
        given = {"generation": self.held["generation"] + 1, "plain_shares": True, "count": 3, "threshold": 2}
        return run_module("vault_rekey", {**self.args, **given, **options})


@pytest.fixture(scope="module")
def custody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Custody]:
    """A server with five shares, of which three are needed."""
    made = Custody(tmp_path_factory.mktemp("custody"))
    try:
        yield made
    finally:
        made.server.discard()


def test_shares_are_proven_on_a_running_server(custody: Custody, run_module: Run, tmp_path: Path) -> None:
    login = {name: value for name, value in custody.args.items() if name != "key_store"}
    store = custody.held
    proven = run_module("vault_key_shares", custody.args, must_succeed=True)
    assert (proven["proven"], proven["wrong"], proven["threshold"], proven.changed) == (True, [], 3, False)
    proven.hides(*store["shares"])
    mixed = run_module("vault_key_shares", {**login, "shares": [FOREIGN[0], *store["shares"][:3]]}, must_succeed=True)
    assert (mixed["proven"], mixed["wrong"]) == (True, [1])
    for shares, word in (
        (FOREIGN, "these key shares are not the cluster's"),
        (store["shares"][:2] * 2, "needs 3 different key shares, and 2 are given"),
    ):
        refused = run_module("vault_key_shares", {**login, "shares": shares})
        assert refused.failed and word in refused.msg
        refused.hides(*shares)
    assert not custody.call("GET", "sys/rotate/root/init")["started"]
    assert custody.server.health() == 200 and custody.opens(store["shares"][:3])

    # as after a restore of a snapshot from before a rekey
    path = tmp_path / "keys.json"
    former = [
        {"shares": [FOREIGN[0]], "generation": 1},
        {**store, "generation": 2},
        {"shares": FOREIGN, "generation": 3},
    ]
    write_private(path, json.dumps({**store, "shares": FOREIGN, "generation": 4, "former": former}).encode())
    adopt = {**login, "key_store": str(path), "adopt_former": True}
    refused = run_module("vault_key_shares", {**adopt, "adopt_former": False})
    assert refused.failed and "these key shares are not the cluster's" in refused.msg
    assert not run_module("vault_key_shares", adopt, check=True, must_succeed=True).changed
    done = run_module("vault_key_shares", adopt, must_succeed=True)
    assert (done["proven"], done["adopted"], done.changed) == (True, 2, True)
    held = json.loads(path.read_text())
    assert (held["shares"], held["generation"]) == (store["shares"], 2)
    assert [one["generation"] for one in held["former"]] == [1, 3, 4] and path.stat().st_mode & 0o777 == 0o600
    again = run_module("vault_key_shares", adopt, must_succeed=True)
    assert (again["proven"], again["adopted"], again.changed) == (True, None, False)
    path.write_text(json.dumps({**held, "encrypted": True, "former": []}))
    unknown = run_module("vault_key_shares", adopt, must_succeed=True)
    assert (unknown["proven"], unknown.changed) == (False, False) and "as ciphertext" in str(unknown["warnings"])

    # who may begin and not cancel would leave an attempt behind
    client = custody.server.client()
    rules = 'path "sys/rotate/root/*" { capabilities = ["create", "read", "update", "sudo"] }'
    client.sys.create_or_update_acl_policy("half", rules)
    half = client.auth.token.create(policies=["half"], ttl="5m")["auth"]["client_token"]
    counted = run_module("vault_key_shares", {**custody.args, "token": half}, must_succeed=True)
    assert not counted["proven"] and "lacks delete" in str(counted["warnings"])
    assert not custody.call("GET", "sys/rotate/root/init")["started"]

    # somebody's own attempt is neither used nor thrown away
    custody.call("POST", "sys/rotate/root/init", secret_shares=1, secret_threshold=1)
    nonce = custody.call("GET", "sys/rotate/root/init")["nonce"]
    counted = run_module("vault_key_shares", custody.args, must_succeed=True)
    assert not counted["proven"] and nonce in str(counted["warnings"])
    refused = custody.rekey()
    assert refused.failed and refused["error_code"] == "attempt_under_way" and nonce in refused.msg
    assert custody.call("GET", "sys/rotate/root/init")["nonce"] == nonce
    custody.call("DELETE", "sys/rotate/root/init", nonce=nonce)


def test_a_root_token_is_made_once_and_a_killed_run_is_completed(
    custody: Custody, run_module: Run, tmp_path: Path
) -> None:
    """Before the server has other shares. Cut at the first share, and between the server's answer and the file."""
    dest, note = tmp_path / "root", tmp_path / "root.attempt"
    given = {**custody.args, "state": "generated", "dest": str(dest)}
    anonymous = {name: value for name, value in given.items() if name != "token"}
    closed = run_module("vault_root_token", anonymous)
    assert closed.failed and "disable_unauthed_generate_root_endpoints to false" in closed.msg
    wrong = run_module("vault_root_token", {**given, "shares": FOREIGN})
    assert wrong.failed and "these key shares are not the cluster's" in wrong.msg
    assert run_module("vault_root_token", given, check=True, must_succeed=True).changed and not dest.exists()

    custody.call("POST", "sys/generate-root-token/attempt")
    nonce = custody.call("GET", "sys/generate-root-token/attempt")["nonce"]
    foreign = run_module("vault_root_token", given)
    assert foreign.failed and foreign["error_code"] == "attempt_under_way" and nonce in foreign.msg
    custody.call("POST", "sys/generate-root-token/update", key=custody.held["shares"][0], nonce=nonce)
    assert custody.call("GET", "sys/generate-root-token/attempt")["progress"] == 1
    write_private(note, json.dumps({"nonce": nonce, "started_at": 0}).encode())
    made = run_module("vault_root_token", given, must_succeed=True)
    token = dest.read_text().strip()
    made.hides(token, *custody.held["shares"])
    assert dest.stat().st_mode & 0o777 == 0o600 and not note.exists()
    assert custody.server.client(token).lookup_token()["data"]["path"] == "auth/token/root"
    assert not run_module("vault_root_token", given, must_succeed=True).changed

    dest.unlink()
    write_private(note, json.dumps({"nonce": "gone", "started_at": 0}).encode())
    again = run_module("vault_root_token", given, must_succeed=True)
    assert custody.server.client(token).lookup_token()["data"]["accessor"] in str(again["warnings"])
    custody.server.client(token).auth.token.revoke_self()
    end = {**{name: value for name, value in anonymous.items() if name != "key_store"}, "state": "absent"}
    token = dest.read_text().strip()
    silent = run_module("vault_root_token", {**end, "url": ["https://127.0.0.1:9"], "retries": 0})
    assert silent.failed and dest.exists(), "the file of a token that is still valid was removed"
    assert run_module("vault_root_token", end, check=True, must_succeed=True).changed and dest.exists()
    assert run_module("vault_root_token", end, must_succeed=True)["revoked"] == 1
    assert not dest.exists() and not custody.server.client(token).is_authenticated()
    assert not run_module("vault_root_token", end, must_succeed=True).changed
    write_private(dest, token.encode())
    assert run_module("vault_root_token", given, check=True, must_succeed=True).changed, "the file holds a dead token"
    assert run_module("vault_root_token", end, must_succeed=True)["revoked"] == 0 and not dest.exists()


def test_what_is_of_the_cluster_is_done_from_any_namespace(custody: Custody, run_module: Run, tmp_path: Path) -> None:
    if custody.server.product != "openbao":
        pytest.skip("namespaces are OpenBao's")
    custody.call("POST", "sys/namespaces/team")
    inside = {**custody.args, "namespace": "team"}
    assert run_module("vault_key_shares", inside, must_succeed=True)["proven"] is True
    login = {name: value for name, value in inside.items() if name != "key_store"}
    assert run_module("vault_barrier_key", {**login, "max_age": "0"}, must_succeed=True).changed
    assert run_module("vault_raft", login, must_succeed=True)["voters"] == ["node1"]
    info = run_module("vault_info", {**login, "gather_subset": ["raft", "policies"]}, must_succeed=True)
    assert [peer["id"] for peer in info["raft_peers"]] == ["node1"]
    # what a namespace has of its own is still told of that one
    assert "root" not in info["policies"]
    saved = run_module("vault_snapshot", {**login, "dest": str(tmp_path / "cluster.snap")}, must_succeed=True)
    assert saved.changed
    rekeyed = {"generation": custody.held["generation"] + 1, "plain_shares": True}
    assert run_module("vault_rekey", {**inside, **rekeyed}, check=True, must_succeed=True).changed
    dest = tmp_path / "root"
    made = {**inside, "state": "generated", "dest": str(dest)}
    run_module("vault_root_token", made, must_succeed=True)
    assert custody.server.client(dest.read_text().strip()).lookup_token()["data"]["policies"] == ["root"]
    run_module("vault_root_token", {**login, "state": "absent", "dest": str(dest)}, must_succeed=True)


def test_a_root_token_that_cannot_be_written_is_revoked(custody: Custody, run_module: Run, tmp_path: Path) -> None:
    dest, note = tmp_path / "root", tmp_path / "root.attempt"

    def take_the_place() -> None:
        deadline = time.monotonic() + 60
        while not note.exists() and time.monotonic() < deadline:
            pass
        dest.mkdir()

    before = custody.roots()
    given = {**custody.args, "state": "generated", "dest": str(dest)}
    meanwhile = threading.Thread(target=take_the_place)
    meanwhile.start()
    failed = run_module("vault_root_token", given)
    meanwhile.join()
    assert failed.failed and "cannot be written" in failed.msg
    assert custody.roots() == before
    dest.rmdir()
    made = run_module("vault_root_token", given, must_succeed=True)
    assert "nobody has" not in str(made.get("warnings")) and not note.exists()
    custody.server.client(dest.read_text().strip()).auth.token.revoke_self()


def test_without_any_login_a_root_token_is_made_on_the_open_endpoint(
    new_server: Callable[..., VaultServer], run_module: Run, tmp_path: Path
) -> None:
    """The endpoint that HashiCorp Vault has as well, and that OpenBao has open before 2.5.3."""
    server = new_server(shares=3, threshold=2)
    server.stop()
    configuration = json.loads(server.configuration.read_text())
    configuration["listener"]["tcp"].update(
        disable_unauthed_generate_root_endpoints=False, disable_unauthed_rekey_endpoints=False
    )
    server.configuration.write_text(json.dumps(configuration))
    server.start()
    server.unseal(2)
    dest = tmp_path / "root"
    given = {"url": [server.url], "ca_cert": server.ca_cert, "shares": server.keys, "dest": str(dest)}
    run_module("vault_root_token", {**given, "state": "generated"}, must_succeed=True)
    assert server.client(dest.read_text().strip()).lookup_token()["data"]["policies"] == ["root"]


def test_new_shares_replace_the_former_ones_once(custody: Custody, run_module: Run) -> None:
    before = custody.held
    given = {**custody.args, "generation": 2, "plain_shares": True, "count": 3, "threshold": 2}
    for options, word in (
        ({"plain_shares": False}, "would be written to"),
        ({"generation": 3}, 'set "generation" to 2'),
        ({"shares": before["shares"][:2]}, "needs 3 shares, and 2 are given"),
        ({"threshold": 4}, '"threshold" is 4 of 3 shares'),
    ):
        for check in (True, False):
            refused = run_module("vault_rekey", {**given, **options}, check=check)
            assert refused.failed and word in refused.msg, refused.msg
    wrong = run_module("vault_rekey", {**given, "shares": FOREIGN})
    assert wrong.failed and "these key shares are not the cluster's" in wrong.msg
    assert run_module("vault_rekey", given, check=True, diff=True, must_succeed=True).changed
    assert custody.held == before and not custody.call("GET", "sys/rotate/root/init")["started"]

    done = run_module("vault_rekey", given, diff=True, must_succeed=True)
    after = custody.held
    assert done.changed and done["awaiting"] == ""
    done.hides(*before["shares"], *after["shares"])
    assert (after["generation"], len(after["shares"]), after["threshold"], after.get("rekey")) == (2, 3, 2, None)
    assert after["former"][0]["shares"] == before["shares"] and after["root_token"] == before["root_token"]
    assert not run_module("vault_rekey", given, must_succeed=True).changed
    assert custody.held == after
    assert custody.opens(after["shares"][1:]) and not custody.opens(before["shares"][:3])
    assert "canary" in custody.server.client().sys.list_acl_policies()["data"]["keys"]


@pytest.mark.parametrize(
    "cut", ["marked", "begun", "one share given", "made", "half verified", "verified", "node left"]
)
def test_a_rekey_that_was_cut_off_is_completed_and_never_doubled(custody: Custody, cut: str) -> None:
    """The key store and the server are brought to where a killed run leaves them."""
    before = custody.held
    generation, needed = before["generation"], before["threshold"]
    mark: dict[str, Any] = {"started_at": "2026-11-01T00:00:00Z", "count": 3}
    new: list[str] = []
    if cut != "marked":
        custody.call("POST", "sys/rotate/root/init", secret_shares=3, secret_threshold=2, require_verification=True)
        nonce = custody.call("GET", "sys/rotate/root/init")["nonce"]
        given = {"begun": 0, "one share given": 1}.get(cut, needed)
        if cut != "begun":
            mark["nonce"] = nonce
        for share in before["shares"][:given]:
            answer = custody.call("POST", "sys/rotate/root/update", key=share, nonce=nonce)
        if given == needed:
            new = answer["keys_base64"]
            mark.update(shares=new, threshold=2, encrypted=False, pgp_fingerprints=[])
        if cut in ("half verified", "verified"):
            for share in new[: 1 if cut == "half verified" else 2]:
                custody.call("POST", "sys/rotate/root/verify", key=share, nonce=answer["verification_nonce"])
        if cut == "node left":
            custody.server.restart()
            for share in before["shares"][:needed]:
                custody.server.client("").sys.submit_unseal_key(share)
            custody.server.wait_active()
    custody.put({**before, "rekey": mark})

    completed = custody.rekey(generation=generation + 1)
    assert not completed.failed, completed.msg
    after = custody.held
    assert after["generation"] == generation + 1 and "rekey" not in after
    assert (after["shares"] == new) == (cut in ("made", "half verified", "verified"))
    assert [one["shares"] for one in after["former"]][-1] == before["shares"]
    assert not custody.call("GET", "sys/rotate/root/init")["started"]
    assert run_module("vault_key_shares", custody.args, must_succeed=True)["proven"]
    assert not custody.rekey(generation=generation + 1).changed


def test_holders_of_pgp_keys_verify_in_a_second_run(
    custody: Custody, gpg: Callable[..., bytes], tmp_path: Path
) -> None:
    public = tmp_path / "ada.asc"
    public.write_bytes(gpg("--armor", "--export", "ada@example.com"))
    before = custody.held
    pgp = {"pgp_keys": [str(public)] * 3, "plain_shares": False}
    first = custody.rekey(**pgp)
    assert not first.failed and first["awaiting"] == "verification", first.msg
    held = custody.held
    assert held["shares"] == before["shares"] and held["rekey"]["encrypted"]
    waiting = custody.rekey(**pgp)
    assert waiting.failed and "wait for their verification" in waiting.msg
    new = [gpg("--decrypt", given=base64.b64decode(share)).decode() for share in held["rekey"]["shares"]]
    missing = custody.rekey(**pgp, new_shares_file=str(tmp_path / "none"))
    assert missing.failed and 'option "new_shares_file"' in missing.msg, missing.msg
    file = tmp_path / "new"
    write_private(file, ("\n".join(new[:2]) + "\n").encode())
    second = custody.rekey(**pgp, new_shares_file=str(file))
    assert not second.failed, second.msg
    second.hides(*new)
    after = custody.held
    assert after["encrypted"] and after["shares"] == held["rekey"]["shares"] and len(after["pgp_fingerprints"]) == 3
    proof = {name: value for name, value in custody.args.items() if name != "key_store"}
    assert run_module("vault_key_shares", {**proof, "shares": new}, must_succeed=True)["proven"]
    refused = run_module("vault_key_shares", custody.args)
    assert refused.failed and "PGP ciphertext only" in refused.msg


def test_the_barrier_key_is_replaced_by_its_age(custody: Custody, run_module: Run) -> None:
    login = {name: value for name, value in custody.args.items() if name != "key_store"}
    before = custody.server.client().key_status["term"]
    assert not run_module("vault_barrier_key", login, must_succeed=True).changed
    old = {**login, "max_age": "0"}
    assert run_module("vault_barrier_key", old, check=True, must_succeed=True).changed
    assert custody.server.client().key_status["term"] == before
    assert run_module("vault_barrier_key", old, diff=True, must_succeed=True)["term"] == before + 1
    assert custody.server.client().key_status["term"] == before + 1
    assert "canary" in custody.server.client().sys.list_acl_policies()["data"]["keys"]
    refused = run_module("vault_barrier_key", {**login, "max_age": "soon"})
    assert refused.failed and "soon" in refused.msg


def test_recovery_shares_of_a_seal_that_opens_by_itself(
    new_server: Callable[..., VaultServer], run_module: Run, tmp_path: Path
) -> None:
    key = tmp_path / "seal-key"
    key.write_bytes(os.urandom(32))
    server = new_server(initialise=False, seal={"static": {"current_key_id": "1", "current_key": f"file://{key}"}})
    if server.product != "openbao":
        pytest.skip("static seals are OpenBao's")
    path = tmp_path / "keys.json"
    given = {"url": [server.url], "ca_cert": server.ca_cert, "key_store": str(path)}
    run_module("vault_init", {**given, "recovery_shares": 3, "recovery_threshold": 2}, must_succeed=True)
    server.wait_active()
    before = json.loads(path.read_text())
    login = {**given, "token": before["root_token"]}
    assert run_module("vault_key_shares", login, must_succeed=True)["proven"]
    new = {"generation": 2, "count": 5, "threshold": 3, "plain_shares": True}
    assert run_module("vault_rekey", {**login, **new}, must_succeed=True)["recovery"]
    after = json.loads(path.read_text())
    assert (len(after["shares"]), after["share_type"], after["former"][0]["shares"]) == (
        5,
        "recovery",
        before["shares"],
    )
    assert run_module("vault_key_shares", login, must_succeed=True)["threshold"] == 3
    dest = tmp_path / "root"
    run_module("vault_root_token", {**login, "state": "generated", "dest": str(dest)}, must_succeed=True)
    assert server.client(dest.read_text().strip()).lookup_token()["data"]["policies"] == ["root"]
