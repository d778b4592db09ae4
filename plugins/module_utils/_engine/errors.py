# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The exception that users meet: what went wrong, where, and what to do about it."""

from __future__ import annotations

from .display import visible


class SecretopsError(Exception):
    """A failure in one sentence.

    ``where`` names the object (``policy "eso"``) or the path, ``what`` the cause, ``remedy`` what the user can do.
    """

    #: the kind of failure in one word, for code and playbooks to branch on: ``error_code`` of results
    code = "failed"
    #: every other object of the task would meet the same: it is told once, and nothing else is tried
    ends_task = False
    #: the same may succeed later; the server's own wish for how much later, in seconds, 0 without one
    retryable = False
    retry_after = 0.0

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        self.what = what.rstrip(".")
        self.where = where
        self.remedy = remedy.rstrip(".")
        super().__init__(what, where, remedy)

    def __str__(self) -> str:
        return self.sentence()

    def sentence(self) -> str:
        """Return the whole message: ``where: what; remedy``."""
        text = "%s: %s" % (self.where, self.what) if self.where else self.what
        # a part of it may be a server's, and control more than the text
        return visible("%s; %s" % (text, self.remedy) if self.remedy else text)

    def at(self, where: str) -> SecretopsError:
        """Name the object, when the code that raised did not know it; returns self."""
        if where and where != self.where and not self.where.startswith(where + ": "):
            self.where = "%s: %s" % (where, self.where) if self.where else where
        return self


class InvalidInput(SecretopsError):
    """What the user declared cannot be right; raised before anything changes."""

    code = "invalid_input"


class ServerError(SecretopsError):
    """What became of a request: no answer, or one that is no success.

    ``status``: the HTTP status, 0 when there was no answer; ``said``: the server's own words, without secrets.
    """

    code = "server_error"
    status = 0
    said = ""


class NoAnswer(ServerError):
    """No server answered, or one that is not trusted; ``code`` says why: see `_http.failure`."""

    code = "unreachable"
    ends_task = True
    retryable = True
    #: the server is not trusted, so that nothing was sent
    tls = False
