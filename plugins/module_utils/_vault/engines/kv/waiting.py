# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Waiting for a KV engine that is new or being upgraded."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

from ...._engine import wording
from ...connection.errors import BadRequest

Answer = TypeVar("Answer")


def patiently(call: Callable[[], Answer], seconds: float = 60) -> Answer:
    """Call until a new or upgrading KV version 2 mount is ready, for at most ``seconds``.

    The server answers 400 "Upgrading from non-versioned to versioned data" until then. Raises what the call raises.
    """
    deadline, pause = time.monotonic() + seconds, 0.05
    while True:
        try:
            return call()
        except BadRequest as error:
            if not wording.mount_upgrading(error.said) or time.monotonic() > deadline:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 1)
