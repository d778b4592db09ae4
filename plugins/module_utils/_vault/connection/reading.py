# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Reading values: secrets of KV engines, any path, and lists.

A missing value is `Absent`; a denied request, an outage and a sealed server are other errors, never absence.
Source: /api-docs/secret/kv/kv-v1 and kv-v2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..base.mounts import EngineMounts
from ..base.naming import in_url
from .client import Client
from .errors import Missing


class Absent(Missing):
    """The requested secret, path or key does not exist."""

    status = 404


def checked(path: Any, option: str) -> str:
    """Return a path without slashes around it. Raises InvalidInput for one that would lead elsewhere."""
    text = normalise.path(path)
    for part in text.split("/"):
        if part in ("", ".", "..") or part != part.strip():
            raise InvalidInput("is empty or has an empty part", 'option "%s"' % option, 'write it like "apps/shop/db"')
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise InvalidInput("holds a control character, such as a line end", 'option "%s"' % option, "remove it")
    return text


def api_path(path: Any, option: str = "path") -> str:
    """Return an API path, without ``/v1/``. Raises InvalidInput."""
    text = checked(path, option)
    if text.startswith("v1/"):
        raise InvalidInput('begins with "v1/"', 'option "%s"' % option, "write the path without it")
    return text


def field_of(secret: Mapping[str, Any], field: str, where: str) -> Any:
    """Return one value of a secret. Raises Absent with the names of the existing keys."""
    if field not in secret:
        there = ", ".join(sorted(map(str, secret))) or "none"
        raise Absent('has no key "%s"' % field, where, "correct the name (its keys: %s)" % there)
    return secret[field]


class Reader:
    """Reads through one client; the type of each mount is read once."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.mounted = EngineMounts(client)

    def kv_version(self, mount: str) -> int:
        """Return the version of a KV engine. Raises InvalidInput when nothing, or another engine, is mounted there."""
        entry = self.mounted.require(mount, "kv")
        if entry is None:
            # it may be mounted later
            self.mounted = EngineMounts(self.client)
            raise InvalidInput(
                "no secrets engine is mounted there", 'mount "%s"' % mount, "mount a KV engine first, or correct it"
            )
        return 2 if str((entry.get("options") or {}).get("version", "1")) == "2" else 1

    def secret(self, mount: str, path: str, version: int | None = None, engine: int | None = None) -> dict[str, Any]:
        """Return ``secret`` (its keys and values), ``metadata`` (of the version), ``mount``, ``path``, ``kv_version``.

        ``version``: of KV version 2, by default the current one. ``engine``: 1 or 2, by default what the server says.
        Raises Absent, PermissionDenied, Sealed, Unreachable, InvalidInput.
        """
        mount, path = checked(mount, "mount"), checked(path, "path")
        where = "%s/%s" % (mount, path)
        kv = engine or self.kv_version(mount)
        found: dict[str, Any] = {"mount": mount, "path": path, "kv_version": kv, "metadata": {}}
        if kv == 1:
            if version:
                raise InvalidInput("KV version 1 has no versions", where, 'leave out "version"')
            data = self.client.read("%s/%s" % (mount, in_url(path)))
            if data is None:
                raise Absent("does not exist", where, "write it first, or correct mount and path")
            return {**found, "secret": data}
        answer = self.client.read("%s/data/%s" % (mount, in_url(path)), {"version": version} if version else None)
        if answer is None:
            what = "has no version %d" % version if version else "does not exist"
            raise Absent(what, where, "write it first, or correct mount and path")
        metadata = answer.get("metadata") or {}
        if answer.get("data") is None:
            number = metadata.get("version") or version
            raise Absent(
                "version %s was %s" % (number, "destroyed" if metadata.get("destroyed") else "deleted"),
                where,
                "write it again, or ask for another version",
            )
        return {**found, "secret": answer["data"], "metadata": metadata}

    def read(self, path: str) -> dict[str, Any]:
        """Return the whole answer of an API path: ``data`` and the lease, if any. Raises Absent."""
        path = api_path(path)
        answer = self.client.request("GET", in_url(path), missing_ok=True)
        if answer is None or (answer.get("data") or {}).get("data", "") is None:
            raise Absent("does not exist", path, "correct the path")
        return answer

    def keys(self, path: str) -> list[str]:
        """Return the sorted names below an API path. Raises Absent when there are none."""
        path = api_path(path)
        names = self.client.list(in_url(path))
        if not names:
            raise Absent("holds nothing", path, "correct the path")
        return sorted(map(str, names))

    def listed(self, mount: str, path: str) -> list[str]:
        """Return the sorted names of secrets and folders below a folder of a KV engine. Raises Absent."""
        mount = checked(mount, "mount")
        inside = checked(path, "path") if normalise.path(path) else ""
        action = "metadata/" if self.kv_version(mount) == 2 else ""
        names = self.client.list(("%s/%s%s" % (mount, action, in_url(inside))).rstrip("/"))
        if not names:
            raise Absent("holds no secrets", ("%s/%s" % (mount, inside)).rstrip("/"), "correct mount and path")
        return sorted(map(str, names))


def result(client: Client, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return one secret as the result of a module. Raises SecretopsError, and Absent unless ``missing`` is empty."""
    field = params["field"]
    found: dict[str, Any] = {"found": False, "secret": {}, "metadata": {}}
    if field is not None:
        found["value"] = None
    try:
        read = Reader(client).secret(params["mount"], params["path"], params["version"])
        if field is not None:
            found["value"] = field_of(read["secret"], field, "%s/%s" % (read["mount"], read["path"]))
    except Absent:
        if params["missing"] == "error":
            raise
        return found
    return {**found, "found": True, **{name: read[name] for name in ("secret", "metadata", "kv_version")}}
