# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Secrets and versions to delete or to undelete. Source: /api-docs/secret/kv/kv-v2."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from ...._engine.errors import InvalidInput
from ...._engine.resource import Change
from ...base.mounts import EngineMounts
from .secret import Secret
from .waiting import patiently


def over(time: str | None) -> bool:
    """Tell whether an RFC 3339 time of the server is in the past; False for None."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$", time or "")
    if not match:
        return False
    moment = datetime.datetime.fromisoformat(match.group(1) + match.group(2).replace("Z", "+00:00"))
    return moment <= datetime.datetime.now(datetime.timezone.utc)


class Gone(Secret):
    """A secret or versions of it to delete: softly, destroyed, or with their metadata."""

    def check(self) -> None:
        super().check()
        for option in ("data", "generate", "remove", "metadata", "cas"):
            if self.item.get(option):
                raise InvalidInput(
                    '"%s" makes no sense for a secret that is to be absent' % option, remedy="leave it out"
                )
        if self.item.get("versions") and self.item.get("delete") == "all":
            raise InvalidInput('delete "all" takes every version', remedy='leave "versions" out, or use "destroy"')

    def hidden(self) -> set[str]:
        return set() if self._by_version() else {"*"}

    def _by_version(self) -> bool:
        return bool(self.version == 2 and (self.item.get("versions") or self.item.get("delete") in ("destroy", "all")))

    def read(self) -> Mapping[str, Any] | None:
        if not self.find():
            return None
        for option in ("versions", "delete"):
            if self.item.get(option) not in (None, [], "soft", "all"):
                self.need_version_2("%s: %s" % (option, self.item[option]))
        if not self._by_version():
            found = self.get()
            if self.version == 1 or found is None:
                return found
            self.info["version_before"] = (found.get("metadata") or {}).get("version")
            return found.get("data")
        about = self.get("metadata")
        if about is None:
            return None
        self.info["version_before"] = about.get("current_version")
        soft = self.item.get("delete") not in ("destroy", "all")
        wanted = self.item.get("versions")
        versions = sorted(
            int(number)
            for number, state in (about.get("versions") or {}).items()
            if (not wanted or int(number) in wanted)
            and not state.get("destroyed")
            and not (soft and over(state.get("deletion_time")))
        )
        return {"versions": versions} if versions or self.item.get("delete") == "all" else None

    def delete(self, change: Change) -> None:
        versions = (change.current or {}).get("versions")
        if self.version == 2 and self.item.get("delete") == "all":
            self.client.delete(self.url("metadata"))
        elif not self._by_version():
            self.client.delete(self.url())
        elif self.item.get("delete") == "destroy":
            patiently(lambda: self.client.write(self.url("destroy"), {"versions": versions}, method="PUT"))
        else:
            self.post("delete", {"versions": versions})


class Undeleted(Secret):
    """Softly deleted versions to undelete: the named ones, else the current one."""

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any]) -> None:
        super().__init__(mounts, item, {"deleted_versions": []})

    def check(self) -> None:
        super().check()
        for option in ("data", "generate", "remove", "metadata", "cas"):
            if self.item.get(option):
                raise InvalidInput(
                    '"%s" and "undelete" contradict each other' % option,
                    remedy="bring the secret back first, and change it in a task of its own",
                )

    def read(self) -> Mapping[str, Any] | None:
        about = None
        if self.find():
            self.need_version_2("undelete")
            about = self.get("metadata")
        states = (about or {}).get("versions") or {}
        current = (about or {}).get("current_version")
        wanted = self.item.get("versions") or [current]
        for number in wanted:
            if not number or str(number) not in states:
                raise InvalidInput(
                    "there is nothing to bring back%s" % (": no version %d" % number if number else ""),
                    remedy="correct the path or the version, or restore a snapshot",
                )
            if states[str(number)].get("destroyed"):
                raise InvalidInput(
                    "version %d is destroyed and cannot be brought back" % number,
                    remedy="name an older version, or restore a snapshot",
                )
        self.info.update(version_before=current, version=current)
        return {"deleted_versions": [number for number in wanted if over(states[str(number)].get("deletion_time"))]}

    def write(self, change: Change) -> None:
        self.post("undelete", {"versions": (change.current or {}).get("deleted_versions")})
