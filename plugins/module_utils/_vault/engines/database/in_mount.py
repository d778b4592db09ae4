# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The base of objects inside database mounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...._engine.errors import InvalidInput
from ...base.inside_mount import InsideMount

#: options with another name in the API: there it is that of the module's own login
RENAMED = {"root_username": "username", "root_password": "password"}


def declared(item: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the named options merged with ``options``, which must not repeat one of them."""
    options = {str(name): value for name, value in (item.get("options") or {}).items()}
    return {**options, **{name: item[name] for name in names if item.get(name) is not None}}


class InDatabaseMount(InsideMount):
    """An object inside a database mount."""

    engine = "database"

    def check_twice(self, names: Iterable[str], *groups: str) -> None:
        """Refuse a setting that is given in two places. Raises InvalidInput."""
        seen = {RENAMED.get(name, name) for name in names if self.item.get(name) is not None}
        for group in groups:
            for name in self.item.get(group) or {}:
                if name in seen:
                    raise InvalidInput('"%s" is given twice' % name, remedy='remove it from "%s"' % group)
                seen.add(name)
