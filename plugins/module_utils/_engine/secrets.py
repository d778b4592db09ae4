# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The register of secrets that must not be printed. `KNOWN` is that of this process."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Any

from .scrub import leaves, occurring, scrub, scrub_foreign
from .secret_patterns import apparent_secrets


class Secrets:
    """Secrets to mask in results, errors and warnings. The order of the calls does not matter."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Remove all secrets: another module begins in the same process or in a fork of it."""
        # a fork may hold the lock of a thread that does not exist in it
        self._lock = Lock()
        self._firm: set[str] = set()
        self._loose: set[str] = set()
        self._public: set[str] = set()
        self._found: frozenset[str] | None = None

    def add(self, *values: Any, unless_public: bool = False) -> None:
        """Add the text of every scalar in the values.

        ``unless_public``: skip values of fewer than four characters, and those that are part of a `public` text. A
        value such as ``1`` or ``app`` of a secret mapping would mask version numbers and paths.
        """
        found = leaves(values) - {""}
        with self._lock:
            (self._loose if unless_public else self._firm).update(found)
            self._found = None

    def public(self, texts: Iterable[str]) -> None:
        """Add texts that are public, such as the path of a secret."""
        with self._lock:
            self._public.update(text for text in texts if text)
            self._found = None

    def values(self) -> frozenset[str]:
        """Return the values to mask."""
        with self._lock:
            if self._found is None:
                shown = occurring(self._loose, self._public)
                loose = {value for value in self._loose if len(value) >= 4 and value not in shown}
                self._found = frozenset(self._firm | loose)
            return self._found

    def scrub(self, text: str) -> str:
        """Mask secrets in a text of our own."""
        return scrub(text, self.values())

    def scrub_foreign(self, text: Any, sent: Any = None) -> str:
        """Mask secrets in a text of somebody else: a server may quote what it was sent.

        Call it before the text is cut or joined. ``sent`` is the body that the server got: values under the name of a
        secret are masked too.
        """
        return scrub_foreign(str(text), self.values() | apparent_secrets(sent))


#: of this process
KNOWN = Secrets()
