# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The key that encrypts what the storage holds. Source: /api-docs/system/rotate, /api-docs/system/key-status.

A new key encrypts what is written from now on; the former ones stay in the keyring. Key shares do not change.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from ..._engine import normalise
from ..._engine.errors import SecretopsError
from ..._engine.resource import Change, Resource
from ..connection.client import Client

STATUS = "sys/key-status"
#: both products have it; OpenBao also as sys/rotate/keyring, since 2.4
ROTATE = "sys/rotate"


def age(installed: str, now: datetime.datetime) -> int:
    """Return a key's age in seconds from the server's time, RFC 3339 in UTC. Raises ValueError."""
    # fractions have up to nine digits, of which Python reads six
    made = datetime.datetime.strptime(installed[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return int((now - made).total_seconds())


class BarrierKey(Resource):
    """The barrier's key, which is not to be older than declared."""

    kind = "barrier key of"

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self.client = client
        self.max_age = params["max_age"]
        super().__init__(client.url.rstrip("/"), {"old": False})

    def check(self) -> None:
        normalise.whole_seconds(self.max_age)

    def read(self) -> Mapping[str, Any] | None:
        status = self._status()
        limit = normalise.whole_seconds(self.max_age) or 0
        try:
            old = age(str(status.get("install_time") or ""), datetime.datetime.now(datetime.timezone.utc)) >= limit
        except ValueError:
            raise SecretopsError("the server tells no time of its key", STATUS, "check its version") from None
        return {"old": old}

    def _status(self) -> Mapping[str, Any]:
        status = self.client.read(STATUS) or {}
        self.info.update(
            term=status.get("term"), installed=status.get("install_time"), encryptions=status.get("encryptions")
        )
        return status

    def write(self, change: Change) -> None:
        before = self.info["term"]
        self.client.write(ROTATE, {}, idempotent=False)
        change.touched = True
        self._status()
        if not isinstance(before, int) or not isinstance(self.info["term"], int) or self.info["term"] <= before:
            raise SecretopsError("the key is still number %s" % before, ROTATE, "see the server's log")
