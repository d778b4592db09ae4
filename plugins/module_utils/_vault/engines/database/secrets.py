# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Misplaced secrets of a connection: in its address, in its plain details. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.addresses import address_passwords
from ...._engine.errors import SecretopsError
from ...._engine.scrub import scrub
from ...._engine.secret_names import FIELDS, SECRET_NAME


def url_passwords(value: Any) -> list[str]:
    """Return the passwords in a connection's address, where a placeholder belongs."""
    return address_passwords(normalise.scalar(value))


def secrets_of(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the misplaced secrets of connections, to mask them in messages."""
    for item in items:
        yield from url_passwords(item.get("connection_url"))
        for name, value in (item.get("options") or {}).items():
            if name in FIELDS and value:
                yield str(value)


def scrubbed(error: SecretopsError, current: Mapping[str, Any] | None) -> SecretopsError:
    """Mask a connection's secrets in a message: a driver may quote an address that it cannot use."""
    held: set[str] = set()
    for name, value in (current or {}).items():
        if isinstance(value, str):
            held |= {value} if SECRET_NAME.search(name) else set(url_passwords(value))
    # for an address that is not a URL, the part that the driver takes for a port or a host
    held |= {part for text in held for part in re.split(r"[/?#@:]", text)}
    error.what = scrub(error.what, held)
    return error
