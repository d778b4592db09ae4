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
    #: every other object of the task would fail alike: report it once and stop
    ends_task = False
    #: the same request may succeed later; ``retry_after`` is the server's Retry-After in seconds, 0 without one
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
        # a server's text in it may hold control characters
        return visible("%s; %s" % (text, self.remedy) if self.remedy else text)

    def at(self, where: str) -> SecretopsError:
        """Add the object's name where the code that raised did not know it; returns self."""
        if where and where != self.where and not self.where.startswith(where + ": "):
            self.where = "%s: %s" % (where, self.where) if self.where else where
        return self


class InvalidInput(SecretopsError):
    """The declaration is invalid; raised before anything changes."""

    code = "invalid_input"


class ServerError(SecretopsError):
    """A request failed: no response, or an error response.

    ``status``: the HTTP status, 0 without a response; ``said``: the server's message, without secrets.
    """

    code = "server_error"
    status = 0
    said = ""


class NoAnswer(ServerError):
    """No server answered, or the server is not trusted; ``code`` says why: see `_http.failure`."""

    code = "unreachable"
    ends_task = True
    retryable = True
    #: the server is not trusted, so nothing was sent
    tls = False
