# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The retry rule of both clients."""

from __future__ import annotations

import time
from typing import Callable

from .._engine.errors import NoAnswer
from . import rules
from .transport import Answer

#: retryable statuses of Vault. Source: Vault API, HTTP status codes
VAULT = frozenset((412, 429, 502, 503))
#: retryable statuses of an API server. Source: Kubernetes API conventions, HTTP status codes
KUBERNETES = frozenset((429, 502, 503, 504))
#: idempotent methods, unless the caller knows better
IDEMPOTENT = frozenset(("GET", "LIST", "PUT", "DELETE"))


def answer_of(
    send: Callable[[], Answer],
    retries: int,
    may_pass: Callable[[Answer], bool],
    lost: Callable[[], None] = lambda: None,
) -> Answer:
    """Return the answer to a request, which is repeated up to ``retries`` times.

    It is repeated where ``may_pass`` tells that the next answer may be another, after the time that the server asks
    for, and where there was no answer and that is retryable; ``lost`` is called then, before the next attempt.
    Raises as ``send`` does.
    """
    for attempt in range(retries):
        try:
            answer = send()
        except NoAnswer as error:
            if not error.retryable:
                raise
            time.sleep(rules.pause(attempt))
            lost()
            continue
        if not may_pass(answer):
            return answer
        time.sleep(rules.pause(attempt, answer.headers.get("Retry-After") or ""))
    return send()
