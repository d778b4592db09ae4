# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The HTTP probe of an application: a URL that answers with a status while the application works."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from .._engine.errors import InvalidInput, SecretopsError
from .._http import failure, rules
from .._vault.connection.checks import check_files
from .._vault.connection.transport import Session

WORDS = failure.Words(
    "the application",
    "check that the application runs and the URL is right",
    "use a name of the certificate in the URL",
    'set "ca_cert" to the file of the CA that signed it',
    "probe a URL that needs no client certificate",
)
#: seconds between two requests of a probe, and for one request at most
PAUSE, REQUEST = 1.0, 10.0
#: seconds within which an application must pass its probe before it is rotated
BEFORE = 5


class ProbeFailed(SecretopsError):
    """The application does not answer as its probe expects."""

    code = "probe_failed"


class Probe(NamedTuple):
    """A URL, the statuses that mean that the application works, the file of its CA, and the seconds it may take."""

    url: str
    status: tuple[int, ...]
    ca_cert: str
    timeout: int

    @property
    def where(self) -> str:
        """The probe as messages name it."""
        return 'probe "%s"' % rules.shown(self.url)

    def check(self) -> None:
        """Refuse a CA file that cannot be read. Raises InvalidInput."""
        try:
            check_files(self.ca_cert or None, None, None)
        except InvalidInput as error:
            raise error.at(self.where) from None

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the application answers as expected; by default for its own time. Raises ProbeFailed."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            left = deadline - time.monotonic()
            problem = self._problem(min(max(left, 1.0), REQUEST))
            if problem is None:
                return
            if left <= PAUSE:
                raise problem
            time.sleep(PAUSE)

    def _problem(self, timeout: float) -> ProbeFailed | None:
        """Ask once, by a connection of its own: one that is kept may lead to a Pod that is about to go."""
        session = Session()
        session.verify = self.ca_cert or True
        try:
            answer = session.call("GET", self.url, {"Connection": "close"}, timeout)
        except (OSError, http.client.HTTPException) as error:
            authority = "the CA in %s" % self.ca_cert if self.ca_cert else "a CA that this machine trusts"
            found = failure.explain(error, timeout, WORDS, authority)
            return ProbeFailed(found.what, self.where, found.remedy)
        finally:
            session.close()
        if answer.status_code in self.status:
            return None
        return ProbeFailed(
            "it answers with status %d, not %s" % (answer.status_code, " or ".join(str(one) for one in self.status)),
            self.where,
            "look at the application's log",
        )


def declared(item: Mapping[str, Any] | None) -> Probe | None:
    """Return the probe of an application's entry. Raises InvalidInput; no I/O."""
    if not item:
        return None
    found = Probe(
        str(item["url"]),
        tuple(int(one) for one in item.get("status") or [200]),
        str(item.get("ca_cert") or ""),
        int(60 if item.get("timeout") is None else item["timeout"]),
    )
    try:
        rules.check_url(found.url, "url", 'it like "https://app.example.com/health"')
        rules.check_times(found.timeout, 0)
        wrong = [one for one in found.status if not 100 <= one <= 599]
        if wrong:
            raise InvalidInput("%d is no HTTP status" % wrong[0], 'option "status"', "name one like 200")
    except InvalidInput as error:
        raise error.at('option "probe"') from None
    return found
