# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The base of objects inside PKI mounts, with names of keys and subjects.

Source: /api-docs/secret/pki.
"""

from __future__ import annotations

from typing import Any

from ...._engine.errors import InvalidInput
from ...base.inside_mount import InsideMount
from ...connection.answers import data_of

#: key sizes of the engine; 0 is its default
KEY_BITS = {"rsa": (0, 2048, 3072, 4096, 8192), "ec": (0, 224, 256, 384, 521), "ed25519": (0,), "any": (0,)}
DEFAULT_BITS = {"rsa": 2048, "ec": 256, "ed25519": 0, "any": 0}
#: options of a CA that are subject attributes, with their X.509 names
SUBJECT = {
    "organization": "O",
    "ou": "OU",
    "country": "C",
    "locality": "L",
    "province": "ST",
    "street_address": "STREET",
    "postal_code": "2.5.4.17",
}


def check_key(key_type: str | None, key_bits: int | None) -> None:
    """Refuse a key size that the type does not have. Raises InvalidInput."""
    kind = key_type or "rsa"
    if kind not in KEY_BITS:
        raise InvalidInput('unknown key type "%s"' % kind, remedy="use %s" % ", ".join(KEY_BITS))
    if key_bits is not None and key_bits not in KEY_BITS[kind]:
        raise InvalidInput(
            "a key of type %s has no size of %d bits" % (kind, key_bits),
            remedy="use one of %s" % ", ".join(str(bits) for bits in KEY_BITS[kind]),
        )


class InPkiMount(InsideMount):
    """An object inside a PKI mount."""

    engine = "pki"

    def listing(self, what: str) -> dict[str, dict[str, Any]]:
        """Return ``key_info`` of a list of issuers or keys, by ID in the server's order."""
        answer = self.client.request("LIST", "%s/%s" % (self.mount, what), missing_ok=True)
        data = data_of(answer) if answer else {}
        info = data.get("key_info") or {}
        return {name: info.get(name) or {} for name in data.get("keys") or []}
