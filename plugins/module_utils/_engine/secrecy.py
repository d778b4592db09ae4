# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The secrets that this process knows of, for what others say: a server may send back what it was sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

from . import redact

_sources: list[Callable[[], Iterable[Any]]] = []
_known: set[str] = set()


def watch(source: Callable[[], Iterable[Any]]) -> None:
    """Ask a function for secrets each time that something is said: a module's, which may forget some."""
    _sources.append(source)


def remember(*values: Any) -> None:
    """Keep secrets that came from elsewhere: a file, a login, a generator."""
    _known.update(str(value) for value in values if value)


def forget() -> None:
    """Know of no secret any more: where another module begins in the same process or a fork of it."""
    _sources.clear()
    _known.clear()


def said(text: Any, sent: Any = None, *more: Any) -> str:
    """Return what a server said without secrets. Call it before the text is cut or joined.

    ``sent`` is what the server was sent: what stands there under the name of a secret is one. ``more`` are others.
    """
    secrets = {str(value) for source in _sources for value in source()} | _known | redact.apparent(sent)
    return redact.scrub_foreign(str(text), secrets | {str(value) for value in more if value})
