# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Objects inside the mounts of secrets engines: roles, keys, connections, configurations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.resource import Change, Resource
from ..connection.client import Client
from .listing import mark_absent
from .mounts import EngineMounts
from .naming import check_mount, check_plain

#: how messages name an engine, by its type
TITLES = {
    "aws": "an AWS engine",
    "database": "a database engine",
    "kv": "a KV engine",
    "pki": "a PKI engine",
    "ssh": "an SSH engine",
    "transit": "a transit engine",
}


def with_mount(items: Iterable[Mapping[str, Any]], mount: str | None, otherwise: str) -> list[dict[str, Any]]:
    """Return items with their mount: their own, else the task's, else the engine's default."""
    return [{**item, "mount": item.get("mount") or mount or otherwise} for item in items]


class InsideMount(Resource):
    """An object inside a mount: named ``<mount>/<name>``, or by the mount alone where each mount has one.

    Subclasses set ``engine`` and ``folder``.
    """

    #: the type of the secrets engine
    engine: ClassVar[str]
    #: API folder of the objects, below the mount
    folder: ClassVar[str]

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any], desired: Mapping[str, Any] | None) -> None:
        self.mounts = mounts
        self.client: Client = mounts.client
        self.item = item
        self.mount = normalise.path(item["mount"])
        #: the name inside the mount; "" where each mount has one object
        self.own = str(item.get("name") or "").strip()
        #: its folder does not list it, so it need not be read
        self.absent = False
        super().__init__("/".join(part for part in (self.mount, self.own) if part), desired)
        self.info.update({"mount": self.mount, "name": self.own} if self.own else {"mount": self.mount})

    @property
    def path(self) -> str:
        """The API path."""
        return "/".join(part for part in (self.mount, self.folder, self.own) if part)

    def check(self) -> None:
        check_mount(self.mount, 'write it like "%s"' % self.engine, "mount")
        self.check_own()

    def check_own(self) -> None:
        """Refuse a name that the engine does not accept. Raises InvalidInput."""
        if "name" in self.item:
            check_plain(self.own)

    @classmethod
    def mounted(cls, mounts: EngineMounts, mount: str) -> bool:
        """Tell whether the engine is mounted at a path; False when nothing is (yet). Raises InvalidInput."""
        return mounts.require(mount, cls.engine) is not None

    def find(self) -> bool:
        """Tell whether the engine is mounted at the object's mount. Raises InvalidInput when another one is."""
        return self.mounted(self.mounts, self.mount)

    def need_mount(self) -> None:
        """Refuse to write where nothing is mounted. Raises InvalidInput."""
        if not self.find():
            raise InvalidInput(
                "nothing is mounted there",
                'mount "%s"' % self.mount,
                "mount %s first (module vault_secrets_engine)" % TITLES[self.engine],
            )

    @classmethod
    def names_in(cls, mounts: EngineMounts, mount: str) -> list[str]:
        """Return the names of the objects in a mount; empty where nothing is mounted."""
        return mounts.client.list("%s/%s" % (mount, cls.folder)) if cls.mounted(mounts, mount) else []

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        places = (("%s/%s" % (one.mount, one.folder), one.own, one) for one in resources if one.own)
        mark_absent(resources[0].client, places)

    def current(self) -> dict[str, Any] | None:
        """Return the data at the object's path."""
        return self.client.read(self.path) if self.find() and not self.absent else None

    def read(self) -> Mapping[str, Any] | None:
        return self.current()

    def delete(self, change: Change) -> None:
        self.client.delete(self.path)
