# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Copies of snapshots that are brought back from the place where they are kept. No server is asked."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from ..._engine import private_file
from ..._engine.errors import InvalidInput
from ..._engine.resource import Change, Resource
from ..._snapshot import copies
from ..._snapshot.archive import sha256
from ..._snapshot.places.choose import place
from ..._snapshot.record import age


class Fetched(Resource):
    """The newest copy of a place, or the one that is named, in a local directory: decrypted and verified."""

    kind = "snapshot"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        self.folder = os.path.abspath(params["dest"] or "")
        super().__init__(self.folder, {"fetched": True})

    def check(self) -> None:
        if not self.params["dest"] or not self.params["from_copy"]:
            raise InvalidInput(
                '"fetched" needs a place and a directory',
                remedy='name the place as "from_copy", the directory as "dest"',
            )
        self.source = place(self.params["from_copy"], float(self.params["transfer_timeout"]))

    def read(self) -> Mapping[str, Any] | None:
        # manifests come by a temporary directory from some places
        with private_file.writing(tempfile.gettempdir()):
            self.chosen, others = copies.choose(self.source, self.params["cluster"], self.params["copy_name"])
        if others:
            self.warnings.append(
                "holds snapshots of other clusters of that name too (%s), and the newest is of %s; for one of the"
                ' others name its ID as "cluster"' % (", ".join(others), self.chosen.get("cluster_id"))
            )
        path = os.path.join(self.folder, str(self.chosen["manifest"])[: -len(copies.MANIFEST)])
        self.info.update(
            {name: value for name, value in self.chosen.items() if name != "manifest"},
            path=path,
            age=age(self.chosen),
            place=self.source.label,
        )
        whole = os.path.exists(path) and sha256(path) == self.chosen.get("sha256")
        return {"fetched": True} if whole else None

    def write(self, change: Change) -> None:
        params = self.params
        private_file.prepare(os.path.join(self.folder, "x"), "dest")
        began = time.monotonic()
        copies.fetch(
            self.source,
            self.chosen,
            self.info["path"],
            params["age_identity"],
            params["gnupg_home"],
            float(params["transfer_timeout"]),
        )
        self.info["phases"] = {"fetch": round(time.monotonic() - began, 2)}
