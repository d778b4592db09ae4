# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exception that users meet: what went wrong, where, and what to do about it."""

from __future__ import annotations

from .redact import visible


class SecretopsError(Exception):
    """A failure in one sentence.

    ``where`` names the object (``policy "eso"``) or the path, ``what`` the cause, ``remedy`` what the user can do.
    """

    #: every other object of the task would meet the same: it is told once, and nothing else is tried
    ends_task = False

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        self.what = what.rstrip(".")
        self.where = where
        self.remedy = remedy.rstrip(".")
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """Return the whole message: ``where: what; remedy``."""
        text = "%s: %s" % (self.where, self.what) if self.where else self.what
        # a part of it may be a server's, and control more than the text
        return visible("%s; %s" % (text, self.remedy) if self.remedy else text)

    def at(self, where: str) -> SecretopsError:
        """Name the object, when the code that raised did not know it; returns self."""
        if where and where != self.where and not self.where.startswith(where + ": "):
            self.where = "%s: %s" % (where, self.where) if self.where else where
            self.args = (self.sentence(),)
        return self


class InvalidInput(SecretopsError):
    """What the user declared cannot be right; raised before anything changes."""
