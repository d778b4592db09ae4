# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Copies in a directory of this machine, such as a mounted file system of another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from ..._engine import private_file
from ..._engine.errors import InvalidInput
from ..archive import CHUNK, UNFINISHED
from ..archive import sha256 as digest_of
from .base import Place, PlaceError


class Directory(Place):
    """A directory that exists: a missing one may be a file system that is not mounted."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options["url"])
        self.folder = os.path.abspath(os.path.expanduser(options["url"]))

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _failed(self, verb: str, error: OSError) -> PlaceError:
        return PlaceError(
            "cannot be %s (%s)" % (verb, error.strerror), self.where, "check that it is mounted, its owner and its room"
        )

    def ready(self, size: int, trial: bool) -> None:
        """Refuse a directory that is missing, full or not writable."""
        if not os.path.isdir(self.folder):
            raise PlaceError("there is no such directory", self.where, "mount it, or make it with mode 0700")
        try:
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise self._failed("read", error) from error
        if free < size:
            raise PlaceError(
                "has room for %d bytes, and the last snapshot has %d" % (free, size), self.where, "make room there"
            )
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise PlaceError("is not writable", self.where, "correct its owner and mode")
        if trial:
            try:
                private_file.prepare(self._path("x"), "url", own=False)
            except InvalidInput as error:
                raise error.at(self.where) from None

    def names(self) -> list[str]:
        """Return the names of the files."""
        try:
            return sorted(os.listdir(self.folder))
        except OSError as error:
            raise self._failed("read", error) from error

    def put(self, path: str, name: str, sha256: str) -> bool:
        """Write a file, read it back, and give it its name."""
        try:
            with private_file.unfinished(self._path(name), UNFINISHED) as trial:
                with open(path, "rb") as source, open(trial, "wb") as file:
                    shutil.copyfileobj(source, file, CHUNK)
                    file.flush()
                    os.fsync(file.fileno())
                if digest_of(trial) != sha256:
                    raise self.damaged(name)
                private_file.rename(trial, self._path(name))
        except OSError as error:
            raise self._failed("written", error) from error
        return True

    def texts(self, names: list[str]) -> dict[str, str]:
        """Return the texts of small files."""
        found = {name: private_file.text_of(self._path(name)) for name in names}
        return {name: text for name, text in found.items() if text is not None}

    def _blocks(self, name: str) -> Iterator[bytes]:
        try:
            with open(self._path(name), "rb") as source:
                yield from iter(lambda: source.read(CHUNK), b"")
        except OSError as error:
            raise self._failed("read", error) from error

    def fetch(self, name: str, path: str) -> None:
        """Copy a file to a local one. Raises OSError where that cannot be written."""
        with open(path, "wb") as file:
            for block in self._blocks(name):
                file.write(block)

    def remove(self, name: str) -> None:
        """Remove a file."""
        private_file.remove(self._path(name))
