# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Which version of a secret in Vault a Secret of Kubernetes holds, and whether Vault holds what was pushed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .._engine.errors import InvalidInput, SecretopsError
from .._eso.forced import Contents
from .._eso.targets import fills, target_of
from .._kubernetes.kind import SECRET
from .._vault.connection.errors import PermissionDenied
from .links import api_path, quoted
from .values import made_of
from .verify import Chain

#: what to do about a Secret that the operator cannot change
IMMUTABLE = "an immutable Secret keeps its values: delete it so that the operator creates it again, or remove immutable"


class Proof:
    """Proof that a Secret holds one version of a secret in Vault.

    The operator does not record which version it read, and it says that it synced an immutable Secret which it left as
    it was. That the version was the newest before a forced sync and still is after it shows what was read; only the
    bytes in the Secret show what arrived. They are compared, as digests, with what the version makes of them; where
    that is not known here, such as after a template with functions, nothing is proven.
    """

    def __init__(self, chain: Chain, current: Mapping[str, Any], key: str, version: int) -> None:
        """Raises InvalidInput, Broken and SecretopsError when it cannot be proven."""
        self.chain, self.key, self.version = chain, key, version
        spec = current.get("spec") or {}
        self.spec, self.target = spec, target_of(current)
        self.where = 'secret "%s"' % key
        entries = [*(spec.get("data") or []), *(spec.get("dataFrom") or [])]
        remotes = [(one, one.get("remoteRef") or one.get("extract") or {}) for one in entries]
        self.entries = [(one, remote) for one, remote in remotes if remote.get("key") == key]
        if not self.entries:
            known = sorted({str(remote["key"]) for _one, remote in remotes if remote.get("key")})
            raise InvalidInput("it does not read this secret", self.where, "name one of %s" % quoted(known))
        store = (self.entries[0][0].get("sourceRef") or {}).get("storeRef") or spec.get("secretStoreRef") or {}
        source = chain.sources.store(current["metadata"]["namespace"], store)
        if source is None or source.vault.get("version") == "v1":
            raise InvalidInput("it has no versions", self.where, "expect them of KV version 2 only")
        self.vault = source.vault
        pins = {str(remote.get("version") or "") for _one, remote in self.entries}
        self.pinned = pins == {str(version)}
        if pins - {"", str(version)}:
            raise InvalidInput(
                "it reads version %s of it, not %d" % (" and ".join(sorted(pins - {""})), version),
                self.where,
                "expect that one, or remove the version from its remote reference",
            )
        newest = self.newest()
        if newest != version and not self.pinned:
            raise SecretopsError(
                "its newest version is %d, not %d" % (newest, version),
                self.where,
                "expect the version that was written",
            )

    def newest(self) -> int:
        """Return the number of the newest version."""
        client = self.chain.vault.within(self.vault.get("namespace"))
        found = client.read(api_path(self.vault, self.key, "metadata"))
        if found is None:
            raise SecretopsError("does not exist in Vault", self.where, "write it, or correct the key")
        return int(found.get("current_version") or 0)

    def confirm(self, contents: Contents | None) -> str:
        """Complete the proof after the sync: return "" when it is proven, else why it is not.

        ``contents``: those of the target now, None when it may not be read. Raises SecretopsError when the target holds
        something else.
        """
        newest = self.newest()
        if newest != self.version and not self.pinned:
            raise SecretopsError("it was written again meanwhile (version %d)" % newest, self.where, "run again")
        if not fills(self.spec):
            return "its creation policy is None, so it fills nothing"
        if contents is None:
            return "its target may not be read here"
        digests = contents.digests or {}
        if not contents.known:
            return "the contents of a %s are not known here" % self.target.kind
        stored, created = self.stored()
        if stored is None:
            return "the login to Vault may not read its data"
        made = made_of(self.spec, self.key, stored)
        wrong = [key for key, value in sorted(made.values.items()) if digests.get(key) != _digest(value)]
        certain = [key for key in wrong if key not in made.open]
        if certain:
            raise SecretopsError(
                "the %s holds another value than version %d in %s"
                % (self.target.label, self.version, ", ".join(certain)),
                self.where,
                IMMUTABLE if contents.immutable else "look whether something else writes it or the same keys",
            )
        unproven = made.unknown + ["another entry may write %s as well" % ", ".join(wrong)] * bool(wrong)
        if not made.values and not unproven:
            unproven = ["nothing of it is in the %s" % self.target.label]
        if unproven and contents.immutable and _seconds(contents.created) < _seconds(created):
            raise SecretopsError(
                "the %s is immutable and older than version %d" % (self.target.label, self.version),
                self.where,
                IMMUTABLE,
            )
        return "; ".join(unproven)

    def stored(self) -> tuple[Mapping[str, Any] | None, str]:
        """Return what the version holds, None when it may not be read, and when it was written."""
        client = self.chain.vault.within(self.vault.get("namespace"))
        try:
            found = client.read(api_path(self.vault, self.key), {"version": self.version}) or {}
        except PermissionDenied:
            return None, ""
        if found.get("data") is None:
            raise SecretopsError(
                "version %d is deleted" % self.version, self.where, "undelete it, or write a new version"
            )
        return found["data"], str((found.get("metadata") or {}).get("created_time") or "")


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def _seconds(stamp: str) -> str:
    """Return a time of Kubernetes or Vault, both UTC, in whole seconds, so that texts compare as times do."""
    return stamp[:19]


class PushProof:
    """Proof that Vault holds what a PushSecret pushes.

    The values in the Secret are compared with those in Vault, in memory. What a template, a generator or labels make or
    choose is not known here: of that it is proven that there is something. An ``updatePolicy`` IfNotExists lets another
    value be there.
    """

    def __init__(self, chain: Chain, current: Mapping[str, Any]) -> None:
        """Raises Broken and SecretopsError when it cannot be proven."""
        self.chain = chain
        self.spec = current.get("spec") or {}
        self.namespace = current["metadata"]["namespace"]
        references = chain.sources.named(self.namespace, self.spec.get("secretStoreRefs") or [])
        sources = [chain.sources.store(self.namespace, reference) for reference in references]
        self.vaults = [source.vault for source in sources if source is not None]

    def confirm(self) -> dict[str, int]:
        """Complete the proof after the push; return the versions of the secrets by key. Raises SecretopsError."""
        values = self._values()
        versions: dict[str, int] = {}
        for vault in self.vaults:
            for entry in self.spec.get("data") or []:
                match = entry.get("match") or {}
                remote = match.get("remoteRef") or {}
                key, name = str(remote.get("remoteKey") or ""), str(remote.get("property") or "")
                stored, version = self._stored(vault, key)
                where = 'secret "%s"' % key
                if name and name not in stored:
                    raise SecretopsError('has no key "%s" after the push' % name, where, "run again")
                wanted = None if values is None else _pushed(values, str(match.get("secretKey") or ""), name, entry)
                if wanted is not None and wanted != {part: stored.get(part) for part in ([name] if name else stored)}:
                    raise SecretopsError(
                        "Vault holds another value than the Secret%s" % (' in "%s"' % name if name else ""),
                        where,
                        "look whether something else writes there",
                    )
                if version:
                    versions[key] = version
        return versions

    def _values(self) -> Mapping[str, str] | None:
        """Return what is pushed, None when that is not known here."""
        name = ((self.spec.get("selector") or {}).get("secret") or {}).get("name")
        if not name or self.spec.get("template") or self.spec.get("updatePolicy") == "IfNotExists":
            return None
        secret = self.chain.kubernetes.get(SECRET.path("v1", self.namespace, name)) or {}
        return {
            key: base64.b64decode(value or "").decode(errors="replace")
            for key, value in (secret.get("data") or {}).items()
        }

    def _stored(self, vault: Mapping[str, Any], key: str) -> tuple[Mapping[str, Any], int]:
        """Return what is at a key of a KV engine and its version, 0 where it has none."""
        found = self.chain.vault.within(vault.get("namespace")).read(api_path(vault, key))
        if (vault.get("version") or "v2") != "v1":
            version = int(((found or {}).get("metadata") or {}).get("version") or 0)
            found = (found or {}).get("data")
        else:
            version = 0
        if found is None:
            raise SecretopsError("is not in Vault after the push", 'secret "%s"' % key, "run again")
        return found, version


def _pushed(values: Mapping[str, str], key: str, name: str, entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what one entry writes, None when it is not the values as they are."""
    if (entry.get("conversionStrategy") or "None") != "None" or (key and key not in values):
        return None
    if name:
        # without a key the whole Secret goes there as a document, whose spelling is the operator's
        return {name: values[key]} if key else None
    if not key:
        return dict(values)
    try:
        document = json.loads(values[key])
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
