# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A place that keeps copies of snapshots, away from the disk where they were saved."""

from __future__ import annotations

import os

from ..._engine.errors import InvalidInput, SecretopsError


class PlaceError(SecretopsError):
    """The place does not take, give, list or remove what it was asked for."""


class NotAllowed(PlaceError):
    """The identity may not do this at the place, which an identity that may only add copies need not."""

    code = "permission_denied"


class Place:
    """A directory of some sort. A file gets its name only when it is whole. Methods raise PlaceError."""

    def __init__(self, label: str) -> None:
        #: the address as messages name it, without a credential
        self.label = label

    @property
    def where(self) -> str:
        """The place as messages name it."""
        return 'copy at "%s"' % self.label

    def check(self) -> None:
        """Refuse options that cannot be right. Asks nobody. Raises InvalidInput."""

    def ready(self, size: int, trial: bool) -> None:
        """Refuse a place that cannot take ``size`` bytes. With ``trial`` something is written, and removed again."""
        raise NotImplementedError

    def names(self) -> list[str]:
        """Return the names of the files."""
        raise NotImplementedError

    def put(self, path: str, name: str, sha256: str) -> bool:
        """Write a file, and tell whether it was read back, with the right checksum, before it got its name."""
        raise NotImplementedError

    def texts(self, names: list[str]) -> dict[str, str]:
        """Return the texts of small files by name, without those that are gone meanwhile."""
        raise NotImplementedError

    def fetch(self, name: str, path: str) -> None:
        """Write the content of a file into a local one that exists. Raises OSError where the local disk is full."""
        raise NotImplementedError

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is no error."""
        raise NotImplementedError

    def damaged(self, name: str) -> PlaceError:
        """Return the error for a file that is not what was sent."""
        return PlaceError(
            "what was read back of %s is not what was sent" % name, self.where, "look at that storage; run again"
        )


def require_file(path: str, option: str, where: str) -> None:
    """Refuse the name of a file that is not there. Raises InvalidInput."""
    if not os.path.isfile(path):
        raise InvalidInput("there is no file %s" % path, where, 'correct "%s"' % option)
