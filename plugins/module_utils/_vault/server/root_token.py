# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The root token of a key store: to be ended once another way in is proven, or lent for the first tasks.

Source: /api-docs/auth/token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._engine import private_file
from ..._engine.errors import InvalidInput
from ..._engine.resource import Change, Resource
from ..._http import environment
from ..connection import session
from ..connection.client import Client
from ..connection.errors import PermissionDenied, VaultError
from ..connection.module import VaultModule
from .generated_root import ROOT_PATH, GeneratedToken, revoke
from .key_store import KeyStore
from .status import now

#: what the other way in must be able to do before root may go
PROOF = {
    "sys/policies/acl/vault-eso-proof": {"create", "update"},
    "sys/auth/vault-eso-proof": {"create", "update", "sudo"},
}
#: without it each token that cannot be looked up would pass for one that has expired meanwhile
TO_FIND_IT = {"auth/token/lookup-accessor": {"update"}}


class RootToken(Resource):
    """The root token of a key store: to be ended once another way in is proven (``client`` is logged in by that)."""

    kind = "root token of"
    secret_fields = frozenset({"root_token"})

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        # root tokens are of the root namespace, and so is what makes them dispensable
        self.client = client.within(None)
        self.store = KeyStore(params["key_store"])
        super().__init__(self.store.path, None)

    def read(self) -> Mapping[str, Any] | None:
        data = self.store.load()
        if data is None:
            raise InvalidInput("the key store does not exist", remedy="give the file that vault_init wrote")
        return {"root_token": data["root_token"]} if data.get("root_token") else None

    def prove(self, rights: Mapping[str, set[str]]) -> None:
        """Refuse to go on unless the login at hand is not root and has these rights. Raises PermissionDenied."""
        me = self.client.read("auth/token/lookup-self") or {}
        if "root" in (me.get("policies") or []):
            raise InvalidInput(
                "the login that is to replace the root token is itself root", remedy='log in by another "auth_method"'
            )
        answer = self.client.write("sys/capabilities-self", {"paths": sorted(rights)})
        found = answer.get("data") or answer
        for path, needed in rights.items():
            missing = needed - set(found.get(path) or [])
            if missing:
                raise PermissionDenied(
                    "the login that is to replace the root token lacks %s on %s" % (", ".join(sorted(missing)), path),
                    remedy="give it a policy that can administer before root goes",
                )

    def delete(self, change: Change) -> None:
        data = self.store.load() or {}
        encrypted = bool(data.get("root_token_encrypted"))
        self.prove({**PROOF, **(TO_FIND_IT if encrypted else {})})
        if encrypted:
            self.info["revoked"] = self._by_accessor()
        else:
            self.info["revoked"] = revoke(self.client, str(data["root_token"]))
        change.touched = True
        self.store.save({**data, "root_token": None, "root_token_revoked_at": now()})

    def _by_accessor(self) -> int:
        count = 0
        for accessor in self.client.list("auth/token/accessors"):
            try:
                token = self.client.write("auth/token/lookup-accessor", {"accessor": accessor}).get("data") or {}
            except VaultError as error:
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
                remedy='log in another way, or make a root token with key shares ("state: generated")',
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
        body = {"policies": ["root"], "ttl": change.desired["ttl"], "renewable": False}
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


def needs_login(params: Mapping[str, Any]) -> bool:
    """Tell whether the module logs in. Who makes a root token with key shares may have no other way in."""
    if params["state"] != "generated":
        return bool(params["state"] == "absent" and params["key_store"])
    return bool(
        params.get("auth_method") or params.get("token") or params.get("token_file") or environment.vault("token")
    )


def end_or_lend(module: VaultModule, client: Client) -> None:
    """Be the module of the root token: end it, lend a child of it, or make one."""
    params = module.params
    if params["state"] == "generated" or (params["state"] == "absent" and not params["key_store"]):
        module.reconcile([GeneratedToken(client, params)], dest=params["dest"])
    if params["state"] == "absent":
        module.reconcile([RootToken(client, params)])
    if not params["dest"] and not module.check_mode:
        params["dest"] = session.place(params["directory"], module.ansible.warn)
    module.reconcile([RootSession(client, params)], dest=params["dest"])
