# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that can be found again in whatever form they come out."""

from __future__ import annotations

import base64
import itertools
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

#: what an escape in JSON, in a URL, in a shell, in Python's repr, in HTML and in UTF-8 changes; a line end too
ODD = " '\"\\/+%&<é\n$x"


def forms(core: str) -> Iterator[str]:
    """Yield how a text of letters and digits looks in plain, in base64 at every offset, and in hexadecimal digits."""
    yield core
    yield core.encode().hex()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + core.encode()).decode()
        # the outermost characters depend on what stands beside it
        inner = encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]
        yield inner
        if set("+/") & set(inner):
            yield inner.replace("+", "-").replace("/", "_")


@dataclass
class Canaries:
    """Unique values by what they stand for. Each has a core of letters and digits that no escaping changes."""

    cores: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def new(self, label: str, odd: bool = True) -> str:
        """Return a value for a label; ``odd`` with characters that have to be escaped."""
        core = f"Canary{next(self.numbers):04}{secrets.token_hex(8)}"
        self.cores[f"{label} ({core})"] = core
        return core + ODD if odd else core

    def add(self, label: str, value: str) -> None:
        """Watch for a value that somebody else made."""
        assert len(value) >= 8, f"{label} is too short to be looked for"
        self.cores[label] = value

    def found(self, places: Mapping[str, str]) -> list[str]:
        """Return which secrets are in which places, by their labels."""
        return sorted(
            {
                f"{label} in {place}"
                for label, core in self.cores.items()
                for form in forms(core)
                for place, text in places.items()
                if form.lower() in text
            }
        )

    def absent(self, places: Mapping[str, str]) -> None:
        """Assert that no secret is in any of the texts, by their names."""
        leaks = self.found({place: text.lower() for place, text in places.items()})
        assert not leaks, "secrets came out:\n" + "\n".join(leaks)


def filled(option: Mapping[str, Any], value: str) -> Any:
    """Return a value of an option's type that holds a text."""
    kind = option.get("type", "str")
    return {"dict": {"password": value, "nested": {"list": [value]}}, "list": [value]}.get(kind, value)


def misshapen(option: Mapping[str, Any], value: str) -> Any:
    """Return a value of another type than an option's."""
    return value if option.get("type") == "dict" else {"password": value}
