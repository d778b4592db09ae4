# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Initialising a cluster by one of its nodes. Source: /api-docs/system/init."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.resource import Change, Resource
from ..._engine.secrets import KNOWN
from ..connection.client import Client
from ..connection.errors import Unreachable
from .key_store import FORMAT, KeyStore, Reservation, undisturbed
from .pgp import fingerprint, pgp_key
from .status import now, opens_by_itself, product_of, wait_seal_status


class AnswerLost(SecretopsError):
    """The cluster is initialised, and nobody has its key shares."""

    code = "answer_lost"


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

    def preflight(self) -> None:
        # keys may be files, or come from Keybase
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
            if self.status.get("sealed") and self.store.lost():
                raise AnswerLost(
                    "initialised, and the run that did it was cut off before the key shares reached %s: unless somebody"
                    " else has them, nobody can unseal the cluster, and nothing is in it yet" % self.store.path,
                    remedy="put its storage aside by playbooks/reset_unused.yml, and run this again",
                )
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
        return opens_by_itself(self.status)

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
                place.leave()
                error.remedy = "run again: that says whether the server was initialised, and what to do then"
                raise
            except BaseException:
                place.drop()
                raise
            change.touched = True
            KNOWN.add(answer)
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
