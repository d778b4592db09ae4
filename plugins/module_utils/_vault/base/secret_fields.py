# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Secrets, by their field names (`_engine.secret_names`), in options that must not hold any. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..._engine.errors import InvalidInput
from ..._engine.secret_names import FIELDS


def secret_values(value: Any, own: Collection[str] = (), secret: bool = False) -> Iterator[str]:
    """Yield the texts under the name of a secret, at any depth; ``own``: more such names."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            name_is_secret = str(name).lower() in FIELDS or str(name).lower() in own
            yield from secret_values(item, own, secret or name_is_secret)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from secret_values(item, own, secret)
    elif secret and value not in (None, ""):
        yield str(value)


def misplaced(options: Mapping[str, Any] | None, option: str, instead: str, own: Collection[str] = ()) -> None:
    """Refuse secrets in an option that is shown. Raises InvalidInput with the key, never the value."""
    for name, value in (options or {}).items():
        if name in FIELDS or name in own or list(secret_values(value, own)):
            raise InvalidInput(
                '"%s" is a secret, and "%s" would show it' % (name, option), remedy='move it into "%s"' % instead
            )
