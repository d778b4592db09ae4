# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The base of objects inside AWS mounts. Source: /api-docs/secret/aws."""

from __future__ import annotations

from ...._engine.errors import InvalidInput
from ...base.inside_mount import InsideMount
from ...base.mounts import EngineMounts
from ...connection.errors import VaultError


class InAwsMount(InsideMount):
    """An object inside an AWS mount; not every product has the engine."""

    engine = "aws"

    @classmethod
    def mounted(cls, mounts: EngineMounts, mount: str) -> bool:
        if super().mounted(mounts, mount):
            return True
        if mounts.missing_plugin("aws"):
            try:
                product = mounts.server()
            except VaultError:
                product = "this server"
            raise InvalidInput(
                'the engine "aws" is not in the plugin catalogue of %s' % product,
                remedy='register it there as an external plugin and mount it at "%s", or use HashiCorp Vault, '
                "which has it built in" % mount,
            )
        return False

    def preflight(self) -> None:
        if self.desired is not None:
            try:
                self.find()
            except VaultError:
                # `read` reports missing permissions
                return
