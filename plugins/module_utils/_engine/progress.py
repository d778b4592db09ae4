# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Progress of a long task on the terminal. No effect in a module that runs as a separate process."""

from __future__ import annotations

import io
import os
import threading
import time
from contextlib import suppress

#: seconds between two messages, and before the first
EVERY = 2.0

_lock = threading.Lock()
_end: int | None = None
_next = 0.0


def to(descriptor: int) -> None:
    """Write messages to an open file from now on, one per line."""
    global _end, _next
    _end, _next = descriptor, time.monotonic() + EVERY


def tell(text: str, *values: object) -> None:
    """Report progress: ``tell("%d of %d objects", done, total)``. Costs nothing without a terminal."""
    global _next
    if _end is None or time.monotonic() < _next:
        return
    with _lock:
        if time.monotonic() < _next:
            return
        _next = time.monotonic() + EVERY
    with suppress(OSError):
        os.write(_end, ((text % values)[:200] + "\n").encode())


class Upload(io.BufferedReader):
    """A file that reports how much of it was read."""

    def __init__(self, path: str) -> None:
        super().__init__(io.FileIO(path))
        self.size = os.path.getsize(path)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next chunk."""
        tell("%d of %d MB sent", self.tell() >> 20, self.size >> 20)
        return super().read(size)
