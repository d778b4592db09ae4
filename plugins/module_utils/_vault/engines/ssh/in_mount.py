# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What objects inside an SSH mount share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.reconcile import Resource
from ...base.mounts import EngineMounts
from ...base.naming import check_mount
from ...connection.client import Client


class InSshMount(Resource):
    """What both kinds have in common."""

    def __init__(
        self, mounted: EngineMounts, item: Mapping[str, Any], name: str, desired: Mapping[str, Any] | None
    ) -> None:
        self.mounted = mounted
        self.client: Client = mounted.client
        self.item = item
        self.mount = normalise.path(item["mount"])
        super().__init__(name, desired)

    def check(self) -> None:
        check_mount(self.mount, 'write it like "ssh"', "mount")

    def find(self) -> bool:
        """Make sure that the mount is an SSH engine; False when it does not exist (yet). Raises InvalidInput."""
        return self.mounted.require(self.mount, "ssh") is not None

    def need_mount(self) -> None:
        """Refuse to write where nothing is mounted. Raises InvalidInput."""
        if not self.find():
            raise InvalidInput(
                "nothing is mounted there",
                'mount "%s"' % self.mount,
                "mount an SSH engine first (module vault_secrets_engine)",
            )
