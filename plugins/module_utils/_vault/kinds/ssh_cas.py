# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The keys by which SSH mounts sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.kind import Given, Kind
from ..base.listing import Listing
from ..connection.client import Client
from ..engines import ssh
from ..engines.mount import Mounted

ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "key_type": {"type": "str", "choices": ["ec", *ssh.KEYS], "no_log": False},
    "key_bits": {"type": "int", "no_log": False},
    "public_key": {"type": "str", "no_log": False},
    "private_key": {"type": "str", "no_log": True},
}


class SshCas(Kind):
    """The keys by which SSH mounts sign."""

    module = "vault_ssh_ca"
    plural = "authorities"
    item = ITEM
    required = ("mount",)
    listings = (Listing("{mount}/config/ca", "one", engine="ssh", optional=True),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        mounted = Mounted(client)
        return [ssh.Ca(mounted, item) for item in items]
