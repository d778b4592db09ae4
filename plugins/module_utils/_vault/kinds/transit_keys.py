# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Keys of transit mounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import MOUNTS, PURGE_DATA, Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..engines import transit
from ..engines.mount import Mounted

ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "name": {"type": "str"},
    "type": {"type": "str", "choices": list(transit.TYPES)},
    "derived": {"type": "bool"},
    "convergent_encryption": {"type": "bool"},
    "key_size": {"type": "int", "no_log": False},
    "exportable": {"type": "bool"},
    "allow_plaintext_backup": {"type": "bool"},
    "deletion_allowed": {"type": "bool"},
    "min_decryption_version": {"type": "int"},
    "min_encryption_version": {"type": "int"},
    "auto_rotate_period": {"type": "str"},
}


class TransitKeys(Kind):
    """Keys of transit mounts."""

    module = "vault_transit_key"
    plural = "keys"
    item = ITEM
    options = {**PURGE_DATA, **MOUNTS}
    within = ("secrets_engines", "transit")
    listings = (Listing("{mount}/keys", engine="transit"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return transit.keys(Mounted(client), items, given)
