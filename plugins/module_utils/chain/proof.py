# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of a secret in Vault a Secret of Kubernetes holds, and whether Vault holds what was pushed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidInput, SecretopsError
from ..kubernetes.client import SECRET
from .links import api_path, quoted
from .verify import Chain


class Proof:
    """Proof that a Secret holds one version of a secret in Vault.

    The operator does not record which version it read. That version was the newest before a forced sync and still is
    after it: so it was read. Where values go into the Secret as they are, their bytes are compared as well.
    """

    def __init__(self, chain: Chain, current: Mapping[str, Any], key: str, version: int) -> None:
        """Raises InvalidInput, Broken and SecretopsError when it cannot be proven."""
        self.chain, self.key, self.version = chain, key, version
        spec = current.get("spec") or {}
        self.spec = spec
        self.where = 'secret "%s"' % key
        entries = [*(spec.get("data") or []), *(spec.get("dataFrom") or [])]
        remotes = [(one, one.get("remoteRef") or one.get("extract") or {}) for one in entries]
        self.entries = [(one, remote) for one, remote in remotes if remote.get("key") == key]
        if not self.entries:
            known = sorted({str(remote["key"]) for _one, remote in remotes if remote.get("key")})
            raise InvalidInput("it does not read this secret", self.where, "name one of %s" % quoted(known))
        store = (self.entries[0][0].get("sourceRef") or {}).get("storeRef") or spec.get("secretStoreRef") or {}
        source = chain.source(current["metadata"]["namespace"], store)
        if source is None or source.vault.get("version") == "v1":
            raise InvalidInput("it has no versions", self.where, "expect them of KV version 2 only")
        self.vault = source.vault
        self.pinned = all(str(remote.get("version") or "") == str(version) for _one, remote in self.entries)
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

    def confirm(self, held: Mapping[str, str] | None) -> None:
        """Complete the proof after the sync. ``held``: SHA-256 of the Secret's values. Raises SecretopsError."""
        newest = self.newest()
        if newest != self.version and not self.pinned:
            raise SecretopsError("it was written again meanwhile (version %d)" % newest, self.where, "run again")
        target = self.spec.get("target") or {}
        if held is None or target.get("template"):
            return
        client = self.chain.vault.within(self.vault.get("namespace"))
        stored = (client.read(api_path(self.vault, self.key), {"version": self.version}) or {}).get("data") or {}
        wrong = sorted(key for key, digest in self._wanted(stored).items() if held.get(key) != digest)
        if wrong:
            raise SecretopsError(
                "the Secret holds another value than version %d in %s" % (self.version, ", ".join(wrong)),
                self.where,
                "look whether something else writes the Secret or the same keys",
            )

    def _wanted(self, stored: Mapping[str, Any]) -> dict[str, str]:
        """Return the SHA-256 of the values that go into the Secret as they are, by its keys."""
        plain = {}
        # later entries write over earlier ones, and data over dataFrom
        last = [remote for one, remote in self.entries if "secretKey" not in one]
        whole = self.spec.get("dataFrom") or []
        if len(whole) == 1 and last and not whole[0].get("rewrite") and not _altered(last[0]):
            plain.update({key: value for key, value in stored.items() if not last[0].get("property")})
        for one in self.spec.get("data") or []:
            plain.pop(str(one.get("secretKey")), None)
        for one, remote in self.entries:
            if "secretKey" in one and remote.get("property") in stored and not _altered(remote):
                plain[one["secretKey"]] = stored[remote["property"]]
        return {
            key: hashlib.sha256(value.encode()).hexdigest() for key, value in plain.items() if isinstance(value, str)
        }


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
        references = chain.named(self.namespace, self.spec.get("secretStoreRefs") or [])
        sources = [chain.source(self.namespace, reference) for reference in references]
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
                held, version = self._held(vault, key)
                where = 'secret "%s"' % key
                if name and name not in held:
                    raise SecretopsError('has no key "%s" after the push' % name, where, "run again")
                wanted = None if values is None else _pushed(values, str(match.get("secretKey") or ""), name, entry)
                if wanted is not None and wanted != {part: held.get(part) for part in ([name] if name else held)}:
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

    def _held(self, vault: Mapping[str, Any], key: str) -> tuple[Mapping[str, Any], int]:
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


def _altered(remote: Mapping[str, Any]) -> bool:
    """Tell whether what is read is something else than the value, or does not get its key as it is."""
    return (
        (remote.get("decodingStrategy") or "None") != "None"
        or (remote.get("metadataPolicy") or "None") != "None"
        or (remote.get("conversionStrategy") or "Default") != "Default"
    )
