# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list of names, however it was given: by YAML, or as a text by a survey or the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def listed(value: Any) -> list[Any]:
    """Return the entries of a list, or of a text that separates them by commas or line ends, or is a JSON list."""
    if value is None:
        return []
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                return listed(json.loads(text))
            except ValueError:
                raise AnsibleFilterError(
                    "listed: the text begins like a JSON list, but is not one: %s" % text
                ) from None
        return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
    if isinstance(value, Mapping):
        raise AnsibleFilterError("listed: a mapping is not a list of names")
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [str(value)]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"listed": listed}
