# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Normalisers for fields of the Vault API, in addition to `normalise`. Pure: no I/O."""

from __future__ import annotations

import ipaddress
from typing import Any, Callable

from ..._engine import normalise

#: attribute of a normaliser that says what the server fills in
FILLS_IN = "fills_in"


def fills_in(normaliser: normalise.Normaliser) -> normalise.Normaliser:
    """Mark a normaliser: what it makes of None is what the server fills in, whatever the server's help says."""
    setattr(normaliser, FILLS_IN, True)
    return normaliser


def on_by_default(value: Any) -> Any:
    """Return True for a switch that is not set, else what `normalise.boolean` makes of it."""
    return True if value is None else normalise.boolean(value)


def sent(value: Any, normaliser: normalise.Normaliser | None) -> Any:
    """Return a value as the server accepts it: it does not know ``yes``."""
    return normaliser(value) if normaliser in (normalise.boolean, on_by_default) else value


def networks(value: Any) -> list[str]:
    """Return CIDR blocks in one form: the server returns ``10.0.0.1/32`` as ``10.0.0.1``."""
    found = set()
    for item in normalise.strings(value):
        try:
            interface = ipaddress.ip_interface(item)
        except ValueError:
            found.add(item)
            continue
        host = interface.network.prefixlen == interface.network.max_prefixlen
        found.add(str(interface.ip) if host else str(interface))
    return sorted(found)


def lower(value: Any) -> str:
    """Return a name in lower case."""
    return normalise.scalar(value).strip().lower()


def lower_set(value: Any) -> list[str]:
    """Return the sorted distinct strings in lower case, as the server keeps names of policies."""
    return sorted({item.lower() for item in normalise.strings(value)})


def default(text: str) -> Callable[[Any], Any]:
    """Return a normaliser for a field that the server fills in when it is not set."""

    def filled(value: Any) -> Any:
        return normalise.scalar(value) or text

    return fills_in(filled)


def count(value: Any) -> Any:
    """Return a number; missing means 0."""
    return 0 if value in (None, "") else normalise.integer(value)
