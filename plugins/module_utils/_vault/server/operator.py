# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Initialising, unsealing, and ending the root token. Source: /api-docs/system/init, unseal, seal-status, leader."""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..._engine import private_file
from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.reconcile import Change, Report, Resource, reconcile
from .. import products
from ..connection import session
from ..connection.client import Client
from ..connection.errors import BadRequest, PermissionDenied, Unreachable, VaultError
from ..connection.module import VaultModule
from .key_store import FORMAT, KeyStore, Reservation, shares_from, undisturbed

#: seconds between two looks at a server that is to become ready
PAUSE = 0.5
#: seconds that a node gets to take one share; a node that cannot join with it never answers
SHARE_TIMEOUT = 20


def now() -> str:
    """Return the time as RFC 3339 in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def seal_status(client: Client, url: str, retries: int | None = None) -> dict[str, Any]:
    """Return ``sys/seal-status`` of one node. Raises Unreachable, VaultError."""
    node = client.at(url)
    if retries is not None:
        node.retries = retries
    return dict(node.request("GET", "sys/seal-status", authenticated=False) or {})


def product_of(status: Mapping[str, Any], health: Mapping[str, Any] | None = None) -> str:
    """Return the product by what only one of them answers; empty when that is not to be told.

    OpenBao has ``commit_date`` (2.3) and never ``enterprise``, which Vault's health has since 1.16.
    """
    if "commit_date" in status:
        return products.OPENBAO
    if health is not None and "enterprise" in health:
        return products.VAULT
    version = str(status.get("version") or "")
    if not version:
        return ""
    return products.OPENBAO if products.parse_version(version) >= (2, 0, 0) else products.VAULT


def wait_seal_status(client: Client, url: str, seconds: float) -> dict[str, Any]:
    """Return ``sys/seal-status`` of a node, which may take ``seconds`` to start. Raises Unreachable."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return seal_status(client, url, retries=0)
        except Unreachable as error:
            if error.tls or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)


# -- PGP --------------------------------------------------------------------------------------------------------------


def _dearmor(text: str, where: str) -> bytes:
    lines = [line.strip() for line in text.strip().splitlines()]
    if any("PRIVATE KEY" in line for line in lines):
        raise InvalidInput("is a private key", where, "give the public key, and treat this private key as disclosed")
    try:
        start = next(i for i, line in enumerate(lines) if line.startswith("-----BEGIN PGP PUBLIC KEY")) + 1
        end = next(i for i, line in enumerate(lines) if line.startswith("-----END PGP PUBLIC KEY"))
        # headers such as "Version:" end at the first empty line; the line that starts with "=" is a checksum
        body = lines[start:end]
        body = body[body.index("") + 1 :] if "" in body else body
        return base64.b64decode("".join(line for line in body if line and not line.startswith("=")), validate=True)
    except (StopIteration, binascii.Error) as error:
        raise InvalidInput("is no ASCII-armored public key", where, "export it with gpg --export --armor") from error


def _keybase(name: str, where: str) -> str:
    from ansible.module_utils.urls import open_url  # only who uses Keybase pays for it

    try:
        return str(open_url("https://keybase.io/%s/pgp_keys.asc" % name, timeout=30).read().decode())
    except Exception as error:
        raise InvalidInput(
            "Keybase gives no key (%s)" % type(error).__name__, where, "check the name, or give the key as a file"
        ) from error


def pgp_key(value: str, where: str) -> bytes:
    """Return a public key's packets from a file, ASCII armor, base64, or ``keybase:NAME``. Raises InvalidInput."""
    text = value.strip()
    content: bytes
    if text.startswith("keybase:"):
        content = _dearmor(_keybase(text[len("keybase:") :], where), where)
    elif "-----BEGIN PGP" in text:
        content = _dearmor(text, where)
    elif os.path.isfile(os.path.expanduser(text)):
        where = "%s (%s)" % (where, text)
        with open(os.path.expanduser(text), "rb") as file:
            content = file.read()
        if content.lstrip().startswith(b"-----BEGIN PGP"):
            content = _dearmor(content.decode("ascii", "replace"), where)
        elif not content or not content[0] & 0x80:
            content = _decode(content.decode("ascii", "replace"), where)
    else:
        content = _decode(text, where)
    tag = (content[0] & 0x3F if content[0] & 0x40 else (content[0] & 0x3C) >> 2) if content and content[0] & 0x80 else 0
    if tag == 5:
        raise InvalidInput("is a private key", where, "give the public key, and treat this private key as disclosed")
    if tag != 6:
        raise InvalidInput("is no public key", where, "export it with gpg --export")
    return content


def _decode(text: str, where: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(
            "is neither a file, nor base64, nor ASCII armor", where, "give the path of an exported public key"
        ) from error


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a version 4 public key, empty for other versions. Source: RFC 4880, 12.2."""
    first = key[0]
    if first & 0x40:
        length, start = key[1], 2
        if 192 <= length < 224:
            length, start = ((length - 192) << 8) + key[2] + 192, 3
        elif length == 255:
            length, start = int.from_bytes(key[2:6], "big"), 6
    else:
        size = {0: 1, 1: 2, 2: 4}.get(first & 3, 0)
        length, start = int.from_bytes(key[1 : 1 + size], "big"), 1 + size
    body = key[start : start + length]
    if not body or body[0] != 4:
        return ""
    framed = b"\x99" + len(body).to_bytes(2, "big") + body
    return hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper()


# -- initialising -----------------------------------------------------------------------------------------------------


class Initialisation(Resource):
    """The one initialisation of a cluster, by one of its nodes."""

    kind = "cluster"

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self.client = client
        self.params = params
        self.store = KeyStore(params["key_store"])
        self.node = client.urls[0]
        self.status: dict[str, Any] = {}
        super().__init__(client.urls[0], {"initialized": True, "key_store": "in place"})

    def check(self) -> None:
        for shares, threshold, keys in (
            ("shares", "threshold", "pgp_keys"),
            ("recovery_shares", "recovery_threshold", "recovery_pgp_keys"),
        ):
            count, needed = self.params[shares], self.params[threshold]
            if not 1 <= needed <= count <= 255:
                raise InvalidInput(
                    '"%s" is %d of %d "%s"' % (threshold, needed, count, shares),
                    remedy="1 <= threshold <= shares <= 255",
                )
            if needed == 1 < count:
                raise InvalidInput(
                    'a "%s" of 1 makes each of %d shares a whole key' % (threshold, count),
                    remedy='raise "%s" to 2 or more, or set "%s" to 1' % (threshold, shares),
                )
            if self.params[keys] and len(self.params[keys]) != count:
                raise InvalidInput(
                    '"%s" holds %d keys for %d shares' % (keys, len(self.params[keys]), count),
                    remedy="give one key a share",
                )
        for option in ("pgp_keys", "recovery_pgp_keys"):
            for number, key in enumerate(self.params[option] or []):
                pgp_key(key, 'option "%s", entry %d' % (option, number + 1))
        if self.params["root_token_pgp_key"]:
            pgp_key(self.params["root_token_pgp_key"], 'option "root_token_pgp_key"')

    def read(self) -> Mapping[str, Any] | None:
        silent: list[SecretopsError] = []
        deadline = time.monotonic() + self.params["wait_timeout"]
        for url in self.client.urls:
            try:
                status = wait_seal_status(self.client, url, max(0, deadline - time.monotonic()))
            except Unreachable as error:
                silent.append(error)
                continue
            if not self.status or (status.get("initialized") and not self.status.get("initialized")):
                self.node, self.status = url, status
        if not self.status:
            raise silent[0]
        self.info.update(node=self.node, seal_type=self.status.get("type"), key_store=self.store.path)
        if self.status.get("initialized"):
            self._describe(self.store.load())
            # left by a run that was cut off between writing the answer and giving the file its name
            return {"initialized": True, "key_store": "pending" if self.store.pending() else "in place"}
        if silent:
            silent[0].remedy = "a node that does not answer may hold the initialised cluster: start it, or leave it out"
            raise silent[0]
        if self.store.exists():
            raise InvalidInput(
                "not initialised, but the key store %s exists already" % self.store.path,
                remedy="if the cluster that it belongs to is gone, move the file away",
            )
        option = "recovery_pgp_keys" if self.auto else "pgp_keys"
        if not self.params["plain_shares"] and not self.params[option]:
            raise InvalidInput(
                "the %s shares would be written to %s in clear" % ("recovery" if self.auto else "key", self.store.path),
                remedy='set "%s", a key for each share, or "plain_shares: true" if that is what you want' % option,
            )
        self._describe(None)
        self.store.check_writable()
        return None

    def _describe(self, data: Mapping[str, Any] | None) -> None:
        held = data or {}
        self.info.update(
            key_store_exists=data is not None,
            encrypted=bool(held.get("encrypted")),
            root_token_held="encrypted"
            if held.get("root_token") and held.get("root_token_encrypted")
            else "plain"
            if held.get("root_token")
            else "none",
        )

    @property
    def auto(self) -> bool:
        """Whether the seal opens by itself, so that shares are recovery shares."""
        return str(self.status.get("type") or "shamir") != "shamir" or bool(self.status.get("recovery_seal"))

    def _request(self) -> tuple[dict[str, Any], list[bytes]]:
        params = self.params
        prefix, kind = ("recovery_", "recovery_") if self.auto else ("", "secret_")
        body: dict[str, Any] = {
            kind + "shares": params[prefix + "shares"],
            kind + "threshold": params[prefix + "threshold"],
        }
        keys = [pgp_key(key, 'option "%spgp_keys"' % prefix) for key in params[prefix + "pgp_keys"] or []]
        if keys:
            body[prefix + "pgp_keys"] = [base64.b64encode(key).decode() for key in keys]
        if params["root_token_pgp_key"]:
            body["root_token_pgp_key"] = base64.b64encode(
                pgp_key(params["root_token_pgp_key"], 'option "root_token_pgp_key"')
            ).decode()
        return body, keys

    def write(self, change: Change) -> None:
        if change.current is not None:
            self.store.recover()
            self._describe(self.store.load())
            return
        body, keys = self._request()
        node = self.client.at(self.node)
        node.timeout = max(node.timeout, 90)
        place = Reservation(self.store)
        with undisturbed():
            try:
                answer = node.request("PUT", "sys/init", body, idempotent=False, authenticated=False) or {}
            except Unreachable as error:
                place.drop()
                error.remedy = (
                    "run again; if the server is then initialised, its answer is lost: "
                    "erase the nodes' storage, which holds nothing yet, and start over"
                )
                raise
            except BaseException:
                place.drop()
                raise
            change.touched = True
            data: dict[str, Any] = {
                "format": FORMAT,
                "generation": 1,
                "initialized_at": now(),
                "url": self.node,
                "product": product_of(self.status),
                "version": self.status.get("version") or "",
                "seal_type": self.status.get("type") or "shamir",
                "share_type": "recovery" if self.auto else "unseal",
                "threshold": body["recovery_threshold" if self.auto else "secret_threshold"],
                "encrypted": bool(keys),
                "shares": list(answer.get("recovery_keys_base64" if self.auto else "keys_base64") or []),
                "root_token": answer.get("root_token"),
                "root_token_encrypted": "root_token_pgp_key" in body,
                "cluster_id": "",
                "cluster_name": "",
            }
            if keys:
                data["pgp_fingerprints"] = [fingerprint(key) for key in keys]
            place.commit(data)
        self._describe(data)


# -- unsealing --------------------------------------------------------------------------------------------------------


class NodeSeal(Resource):
    """One node, which is to be unsealed."""

    kind = "node"
    own_server = True

    def __init__(self, client: Client, url: str, params: Mapping[str, Any]) -> None:
        self.client = client.at(url)
        self.params = params
        self.store = KeyStore(params["key_store"]) if params["key_store"] else None
        super().__init__(url.rstrip("/"), {"sealed": False})

    def read(self) -> Mapping[str, Any] | None:
        status = wait_seal_status(self.client, self.name, self.params["start_timeout"])
        # one that waits to join can only do so when an initialised one is open
        self.rank = 0 if status.get("initialized") else 1
        self.info.update(initialized=bool(status.get("initialized")), seal_type=status.get("type"))
        return {"sealed": bool(status.get("sealed")), "initialized": bool(status.get("initialized"))}

    def _until(self, wanted: str, deadline: float) -> dict[str, Any] | None:
        """Wait until ``initialized``, or ``unsealed``; None when the time is over."""
        while True:
            try:
                status = seal_status(self.client, self.name, retries=0)
                if status.get("initialized") and (wanted == "initialized" or not status.get("sealed")):
                    return status
            except (Unreachable, VaultError):
                pass
            if time.monotonic() > deadline:
                return None
            time.sleep(PAUSE)

    def write(self, change: Change) -> None:
        deadline = time.monotonic() + self.params["wait_timeout"]
        status = seal_status(self.client, self.name)
        if str(status.get("type") or "shamir") != "shamir":
            if self._until("unsealed", deadline) is None:
                raise SecretopsError(
                    "still sealed after %s seconds, though its seal is %s"
                    % (self.params["wait_timeout"], status.get("type")),
                    remedy="see the server's log: does it reach its seal's key, and the other nodes?",
                )
        else:
            # known before anything is waited for
            shares = shares_from(self.store, self.params["shares"], self.params["shares_file"])
            found = self._until("initialized", deadline)
            if found is None:
                raise SecretopsError(
                    "not initialised, and it did not join a cluster within %s seconds" % self.params["wait_timeout"],
                    remedy="initialise the cluster with vault_init, or check the node's retry_join and the leader",
                )
            if found.get("sealed"):
                self._give(shares, found, change)
            if self._until("unsealed", deadline) is None:
                raise SecretopsError(
                    "still sealed after %s seconds" % self.params["wait_timeout"],
                    remedy="see the server's log; a node that joins needs the leader and the cluster's own shares",
                )
        self.info["unsealed"] = True
        self._leader(deadline)

    def _give(self, shares: Sequence[str], status: Mapping[str, Any], change: Change) -> None:
        needed = int(status.get("t") or 0)
        if len(shares) < needed:
            raise InvalidInput(
                "needs %d shares, and %d are given" % (needed, len(shares)), remedy="give as many as the threshold says"
            )
        node = self.client.at(self.name)
        node.timeout = min(node.timeout, SHARE_TIMEOUT)
        if status.get("progress"):
            node.request("PUT", "sys/unseal", {"reset": True}, idempotent=True, authenticated=False)
        for number, share in enumerate(shares[:needed], 1):
            last = number == needed
            try:
                answer = node.request("PUT", "sys/unseal", {"key": share}, idempotent=False, authenticated=False) or {}
            except BadRequest as error:
                node.request("PUT", "sys/unseal", {"reset": True}, idempotent=True, authenticated=False)
                raise SecretopsError(
                    "does not open with these shares",
                    remedy="use the shares of this very cluster, and those that are valid since the last rekey",
                ) from error
            except Unreachable as error:
                if not last:
                    raise
                # a joining node holds the request as long as it tries
                error.what = "took the shares, but gave no answer within %s seconds" % node.timeout
                error.remedy = "are they of this very cluster, and does the node reach the leader? See its log"
                raise
            change.touched = True
            if not answer.get("sealed", True):
                return

    def _leader(self, deadline: float) -> None:
        while True:
            try:
                leader = self.client.request("GET", "sys/leader", authenticated=False) or {}
                if leader.get("leader_address") or not leader.get("ha_enabled", True):
                    return
            except VaultError:
                pass
            if time.monotonic() > deadline:
                self.warnings.append("unsealed, but the cluster has no leader: more than half of its voters must run")
                return
            time.sleep(PAUSE)


def unseal(client: Client, params: Mapping[str, Any], check_mode: bool) -> Report:
    """Unseal what is sealed of the client's addresses, all at the same time: a leader needs more than half of them."""
    nodes = [NodeSeal(client, url, params) for url in dict.fromkeys(client.urls)]
    report = reconcile(nodes, check_mode, workers=len(nodes))
    found = KeyStore(params["key_store"]) if params["key_store"] else None
    if found is not None and report.changed and not check_mode:
        complete(found, client)
    return report


def complete(store: KeyStore, client: Client) -> None:
    """Add to a key store what only an unsealed node tells: to which cluster it belongs."""
    data = store.load() if store.exists() else None
    if data is None or data.get("cluster_id"):
        return
    for url in client.urls:
        try:
            status = seal_status(client, url, retries=0)
        except VaultError:
            continue
        if status.get("cluster_id"):
            store.save({**data, "cluster_id": status["cluster_id"], "cluster_name": status.get("cluster_name") or ""})
            return


# -- the root token ---------------------------------------------------------------------------------------------------

ROOT_PATH = "auth/token/root"
#: what the other way in must be able to do before root may go
PROOF = {
    "sys/policies/acl/vault-eso-proof": {"create", "update"},
    "sys/auth/vault-eso-proof": {"create", "update", "sudo"},
}


class RootToken(Resource):
    """The root token of a key store: to be ended once another way in is proven (``client`` is logged in by that)."""

    kind = "root token of"
    secret_fields = frozenset({"root_token"})

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self.client = client
        self.store = KeyStore(params["key_store"])
        super().__init__(self.store.path, None)

    def read(self) -> Mapping[str, Any] | None:
        data = self.store.load()
        if data is None:
            raise InvalidInput("the key store does not exist", remedy="give the file that vault_init wrote")
        return {"root_token": data["root_token"]} if data.get("root_token") else None

    def prove(self) -> None:
        """Refuse to go on unless the login at hand is not root and may administer. Raises PermissionDenied."""
        me = self.client.read("auth/token/lookup-self") or {}
        if "root" in (me.get("policies") or []):
            raise InvalidInput(
                "the login that is to replace the root token is itself root", remedy='log in by another "auth_method"'
            )
        answer = self.client.write("sys/capabilities-self", {"paths": sorted(PROOF)})
        found = answer.get("data") or answer
        for path, needed in PROOF.items():
            missing = needed - set(found.get(path) or [])
            if missing:
                raise PermissionDenied(
                    "the login that is to replace the root token lacks %s on %s" % (", ".join(sorted(missing)), path),
                    remedy="give it a policy that can administer before root goes",
                )

    def delete(self, change: Change) -> None:
        self.prove()
        data = self.store.load() or {}
        if data.get("root_token_encrypted"):
            self.info["revoked"] = self._by_accessor()
        else:
            self.info["revoked"] = self._itself(str(data["root_token"]))
        change.touched = True
        self.store.save({**data, "root_token": None, "root_token_revoked_at": now()})

    def _itself(self, token: str) -> int:
        root = self.client.at(self.client.choose(), token)
        root.namespace = None
        try:
            root.request("POST", "auth/token/revoke-self", {}, idempotent=True)
        except PermissionDenied:
            # an earlier run was cut off between the revocation and the file
            return 0
        return 1

    def _by_accessor(self) -> int:
        count = 0
        for accessor in self.client.list("auth/token/accessors"):
            try:
                token = self.client.write("auth/token/lookup-accessor", {"accessor": accessor}).get("data") or {}
            except (PermissionDenied, VaultError) as error:
                if error.status in (400, 403, 404):
                    continue
                raise
            if token.get("path") == ROOT_PATH and token.get("policies") == ["root"]:
                self.client.write("auth/token/revoke-accessor", {"accessor": accessor})
                count += 1
        return count


class RootSession(Resource):
    """A short-lived child of the root token in a file, for the tasks that make the first other way in."""

    kind = "session of the root token"

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self.client = client
        self.params = params
        self.store = KeyStore(params["key_store"])
        self.dest = params["dest"] or ""
        super().__init__(self.dest or self.store.path, {"ttl": params["ttl"]})

    def read(self) -> Mapping[str, Any] | None:
        data = self.store.load()
        if data is None or not data.get("root_token"):
            raise InvalidInput(
                "the key store %s holds no root token" % self.store.path,
                remedy="log in another way, or make a root token with %s operator generate-root" % "bao (vault)",
            )
        if data.get("root_token_encrypted"):
            raise InvalidInput(
                "the root token in %s is PGP ciphertext" % self.store.path,
                remedy="let its holder decrypt it into a file of mode 0600 and give that as token_file",
            )
        if self.dest:
            private_file.prepare(self.dest, "dest", private=True)
        return None

    def write(self, change: Change) -> None:
        token = str((self.store.load() or {})["root_token"])
        root = self.client.at(self.client.choose(), token)
        body = {"policies": ["root"], "ttl": self.desired and self.desired["ttl"], "renewable": False}
        answer = root.request("POST", "auth/token/create", body, idempotent=False) or {}
        change.touched = True
        auth = answer.get("auth") or {}
        known = {"ttl": auth.get("lease_duration"), "renewable": auth.get("renewable")}
        child = str(auth["client_token"])
        try:
            session.store(self.dest, child, self.params, known)
        except BaseException:
            self.client.at(self.client.url, child).request("POST", "auth/token/revoke-self", {}, idempotent=True)
            raise


def end_or_lend(module: VaultModule, client: Client) -> None:
    """Be the module of the root token: end it, or lend a child of it."""
    params = module.params
    if params["state"] == "absent":
        module.reconcile([RootToken(client, params)])
    if not params["dest"] and not module.check_mode:
        params["dest"] = session.place(params["directory"], module.ansible.warn)
    module.reconcile([RootSession(client, params)], dest=params["dest"])
