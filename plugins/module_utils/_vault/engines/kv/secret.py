# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The base of all declarations about a secret of a KV engine, version 1 or 2.

Source: /api-docs/secret/kv/kv-v1 and kv-v2. Values are never printed; the names of keys are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput, SecretopsError
from ...base.inside_mount import InsideMount
from ...base.listing import mark_absent
from ...base.mounts import EngineMounts
from ...base.naming import check_mount, in_url
from .waiting import patiently


class Secret(InsideMount):
    """The base of all declarations about a secret: its place."""

    kind = "secret"
    engine = "kv"
    holds_data = True

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any], desired: Mapping[str, Any] | None) -> None:
        super().__init__(mounts, {**item, "name": normalise.path(item["path"])}, desired)
        #: the engine's version, 0 as long as nothing is mounted
        self.version = 0
        self.info = {"mount": self.mount, "path": self.own}

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        places = []
        for resource in resources:
            try:
                if resource.find():
                    folder = resource.url("metadata").rpartition("/")[0]
                    places.append((folder, resource.own.rpartition("/")[2], resource))
            except SecretopsError:
                # its read will report it
                break
        mark_absent(resources[0].client, places)

    def check(self) -> None:
        for part in (*self.mount.split("/"), *self.own.split("/")):
            if part in ("", ".", "..") or part != part.strip():
                raise InvalidInput("mount or path is empty or has an empty part", remedy='write it like "apps/shop/db"')
        check_mount(self.mount, 'write it like "secret"', "mount", blanks=True)
        if re.search(r"[\x00-\x1f\x7f]", self.name):
            raise InvalidInput("mount or path holds a control character, such as a line end", remedy="remove it")
        for version in self.item.get("versions") or []:
            if version < 1:
                raise InvalidInput("%d is not a version" % version, remedy="versions count from 1")

    def url(self, action: str = "data") -> str:
        """Return the API path: below ``action`` in KV version 2, the plain one in version 1."""
        path = in_url(self.own)
        return "%s/%s/%s" % (self.mount, action, path) if self.version == 2 else "%s/%s" % (self.mount, path)

    def find(self) -> bool:
        """Find out the engine's version; False when the mount does not exist (yet). Raises InvalidInput."""
        entry = self.mounts.require(self.mount, self.engine)
        if entry is None:
            return False
        self.version = 2 if str((entry.get("options") or {}).get("version", "1")) == "2" else 1
        self.info["kv_version"] = self.version
        return True

    def need_version_2(self, option: str) -> None:
        """Refuse an option that KV version 1 does not have. Raises InvalidInput."""
        if self.version == 1:
            raise InvalidInput(
                'the engine is of KV version 1, which does not know "%s"' % option,
                remedy="remove it, or upgrade the engine",
            )

    def get(self, action: str = "data") -> dict[str, Any] | None:
        """Read the secret or, with ``action`` metadata, its metadata."""
        if self.absent:
            return None
        return patiently(lambda: self.client.read(self.url(action)))

    def post(self, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Write below an action and return the answer's data."""
        answer = patiently(lambda: self.client.write(self.url(action), body))
        return answer.get("data") or {}
