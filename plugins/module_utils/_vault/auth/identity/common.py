# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The base of entities and groups."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ...._engine.errors import InvalidInput
from ...._engine.resource import Change, Resource
from ...base.naming import check_metadata
from ...base.normalisers import lower_set
from .directory import Directory

#: an id of the identity store
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def segment(name: str) -> str:
    """Return a name as one part of a URL's path."""
    return quote(name, safe="")


def check_alias(mount: str, name: str) -> None:
    """Refuse an alias without a mount or a name. Raises InvalidInput."""
    if not mount or not name:
        raise InvalidInput('an alias without "%s"' % ("name" if mount else "mount"), remedy="give one")


class Identity(Resource):
    """The base of entities and groups."""

    what = ""

    def __init__(self, directory: Directory, item: Mapping[str, Any]) -> None:
        self.directory = directory
        self.client = directory.client
        self.item = item
        desired = None if item["state"] == "absent" else self.declared(item)
        super().__init__(str(item["name"]).strip(), desired)

    def declared(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the desired fields."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def path(self) -> str:
        """The API path by name."""
        return "identity/%s/name/%s" % (self.what, segment(self.name))

    def check(self) -> None:
        if not self.name:
            raise InvalidInput("the name is empty", remedy="give one")
        if self.name.endswith("/"):
            raise InvalidInput("the name ends with a slash", remedy="remove it")
        if self.desired is not None:
            check_metadata(self.desired.get("metadata"), "metadata", empty=True, plain_keys=True)

    def preflight(self) -> None:
        if self.desired is not None:
            self.directory.check_policies(self, lower_set(self.desired.get("policies")))

    def delete(self, change: Change) -> None:
        self.client.delete(self.path)
