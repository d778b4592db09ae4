# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""New key shares for a running cluster. Source: /api-docs/system/rotate, /api-docs/system/rekey.

Always with verification: the server makes new shares, and they become valid when they were given back to it once.
Until then the key store holds both, the new ones under ``rekey``. Whichever step a run is cut off at, the next one
finds out by the server's attempt and by a proof which shares are valid.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.resource import Change, Resource
from ..._engine.secrets import KNOWN
from ..connection.client import Client
from .attempt import RECOVERY_KEY, ROOT_KEY, Attempt, prove, seal_of
from .key_store import FORMAT, KeyStore, shares_from, shares_in, undisturbed
from .pgp import fingerprint, pgp_key
from .shares import enough
from .status import now

#: what a set of shares is described by, in a key store's present, former and coming one
SET = ("shares", "threshold", "encrypted", "pgp_fingerprints")


class Rekey(Resource):
    """The key shares of a cluster, which are to be those of a later generation."""

    kind = "key shares of"

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self.client = client
        self.params = params
        self.store = KeyStore(params["key_store"])
        self.data: dict[str, Any] = {}
        self.recovery = False
        self.attempt = Attempt(client, ROOT_KEY)
        super().__init__(self.store.path, {"generation": params["generation"]})

    def check(self) -> None:
        count, needed, keys = self.params["count"], self.params["threshold"], self.params["pgp_keys"] or []
        if not 1 <= needed <= count <= 255 or needed == 1 < count:
            raise InvalidInput(
                '"threshold" is %d of %d shares' % (needed, count),
                remedy="2 <= threshold <= count <= 255, or 1 of 1",
            )
        if keys and len(keys) != count:
            raise InvalidInput(
                '"pgp_keys" holds %d keys for %d shares' % (len(keys), count), remedy="give one key a share"
            )
        if not keys and not self.params["plain_shares"]:
            raise InvalidInput(
                "the new key shares would be written to %s in clear" % self.store.path,
                remedy='set "pgp_keys", a key for each share, or "plain_shares: true" if that is what you want',
            )

    def preflight(self) -> None:
        self._keys()

    def _keys(self) -> list[bytes]:
        return [
            pgp_key(key, 'option "pgp_keys", entry %d' % number)
            for number, key in enumerate(self.params["pgp_keys"] or [], 1)
        ]

    def read(self) -> Mapping[str, Any] | None:
        self.recovery, _threshold = seal_of(self.client)
        self.attempt = Attempt(self.client, RECOVERY_KEY if self.recovery else ROOT_KEY)
        self.attempt.look()
        self.data = self.store.load() or {"format": FORMAT, "generation": 0, "shares": []}
        generation = int(self.data.get("generation") or 0)
        self.info.update(key_store=self.store.path, awaiting="", recovery=self.recovery)
        wanted = self.params["generation"]
        if wanted <= generation and not self.coming:
            return {"generation": wanted}
        if wanted != generation + 1:
            raise InvalidInput(
                "the key store is at generation %d, and a rekey brings number %d" % (generation, generation + 1),
                remedy='set "generation" to %d' % (generation + 1),
            )
        if self.attempt.started and not self._ours():
            self.attempt.refuse_foreign(self.params["cancel_nonce"])
        self.store.check_writable()
        if not (self.coming.get("shares") and self.params["new_shares_file"]):
            enough(self._valid(), int(self.attempt.status.get("required") or 0))
        return {"generation": generation}

    @property
    def coming(self) -> dict[str, Any]:
        """What the key store holds of a rekey that is not done."""
        return dict(self.data.get("rekey") or {})

    def _ours(self) -> bool:
        """Tell whether the server's attempt is that of the key store; one may be cut off before it knew its nonce."""
        status, coming = self.attempt.status, self.coming
        if coming.get("nonce"):
            return bool(coming["nonce"] == self.attempt.nonce)
        return bool(coming) and not status.get("progress") and status.get("n") == coming.get("count")

    def _valid(self) -> list[str]:
        """Return the shares that are valid before the rekey."""
        return shares_from(self.params, running=True, recovery=self.recovery)

    def _new(self) -> list[str] | None:
        """Return the new shares in clear, None when only their holders can decrypt them."""
        if self.params["new_shares_file"]:
            return shares_in(self.params["new_shares_file"], "new_shares_file")
        coming = self.coming
        return None if coming.get("encrypted") else list(coming["shares"])

    def write(self, change: Change) -> None:
        if self.coming.get("shares"):
            if self.attempt.started and self._ours() and self.attempt.status.get("verification_nonce"):
                self._verify(change)
                return
            if not self.attempt.started and self._became_valid():
                self._promote(change)
                return
        if self.attempt.started:
            self.attempt.cancel()
        self._begin(change)
        if self._new() is None:
            self.info["awaiting"] = "verification"
            self.warnings.append(
                "the new key shares are not valid yet: let %d of their holders decrypt theirs from %s, and run again"
                ' with "new_shares_file", before another node leads' % (self.params["threshold"], self.store.path)
            )
            return
        self._verify(change)

    def _became_valid(self) -> bool:
        """Find out which shares are valid after a run that was cut off, or whose attempt ended with its node."""
        new = self._new()
        if new is None:
            # whoever can give the former ones proves that they still are
            prove(self.client, self._valid(), self.recovery)
            return False
        try:
            prove(self.client, new, self.recovery)
        except InvalidInput as error:
            if self.params["new_shares_file"]:
                raise InvalidInput(
                    "the new key shares are not valid: the rekey ended, as its node was restarted or leads no more",
                    self.attempt.prefix,
                    'run again without "new_shares_file", with the shares that are still valid',
                ) from error
            prove(self.client, self._valid(), self.recovery)
            return False
        return True

    def _save(self, **values: Any) -> None:
        self.data = {**self.data, **values}
        self.store.save({key: value for key, value in self.data.items() if key != "rekey" or value})

    def _begin(self, change: Change) -> None:
        keys, valid = self._keys(), self._valid()
        count, threshold = self.params["count"], self.params["threshold"]
        coming: dict[str, Any] = {"started_at": now(), "count": count}
        self._save(rekey=coming)
        body: dict[str, Any] = {"secret_shares": count, "secret_threshold": threshold, "require_verification": True}
        if keys:
            body["pgp_keys"] = [base64.b64encode(key).decode() for key in keys]
        self.attempt.start(body)
        coming["nonce"] = self.attempt.nonce
        try:
            self._save(rekey=coming)
            if not self.attempt.status.get("verification_required"):
                raise InvalidInput("the server cannot verify a rekey", self.attempt.prefix, "upgrade it first")
            with undisturbed():
                answer, _basis = self.attempt.offer(valid)
                shares = [str(share) for share in answer.get("keys_base64") or []]
                KNOWN.add(*shares)
                coming.update(shares=shares, threshold=threshold, encrypted=bool(keys))
                coming["pgp_fingerprints"] = [fingerprint(key) for key in keys]
                self._save(rekey=coming)
        except SecretopsError:
            # nothing is lost: the former shares are valid until the new ones are verified
            self.attempt.look()
            if self.attempt.started and self.attempt.nonce == coming["nonce"]:
                self.attempt.cancel()
            self._save(rekey=None)
            raise
        change.touched = True

    def _verify(self, change: Change) -> None:
        new = self._new()
        if new is None:
            raise InvalidInput(
                "the new key shares wait for their verification",
                remedy='let %d holders decrypt theirs and give them by "new_shares_file"' % self.coming["threshold"],
            )
        self.attempt.verify(new, int(self.coming["threshold"]))
        self._promote(change)

    def _promote(self, change: Change) -> None:
        """Make the new shares those of the key store; the former ones open the snapshots of their time."""
        change.touched = True
        coming, generation = self.coming, int(self.data.get("generation") or 0)
        former = list(self.data.get("former") or [])
        if self.data.get("shares"):
            held = {name: self.data[name] for name in SET if name in self.data}
            former.append({**held, "generation": generation, "replaced_at": now()})
        self._save(
            **{name: coming[name] for name in SET},
            share_type="recovery" if self.recovery else "unseal",
            former=former,
            generation=generation + 1,
            rekeyed_at=now(),
            rekey=None,
        )
