# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Forms of statements and addresses of databases for writing and comparing. Pure: no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from ...._engine import normalise

PLACEHOLDER = re.compile(r"(?<!\{)\{(name|username|password|expiration)\}(?!\})")


def template(value: Any) -> str:
    """Return text with ``{name}`` as ``{{name}}``, which YAML and Jinja leave alone; so for the four placeholders."""
    return PLACEHOLDER.sub(r"{{\1}}", normalise.text(value))


def connection_address(value: Any) -> str:
    """Return an address for a comparison: the server returns one that is not a URL with escapes."""
    text = template(value)
    return text if "://" in text else template(unquote(text))


def statements(value: Any) -> list[str]:
    """Return statements, given as a list or as one, in the order in which they run; a mapping is a JSON document."""
    items = value if isinstance(value, (list, tuple)) else [value]
    texts = (json.dumps(item) if isinstance(item, Mapping) else template(item) for item in items)
    return [text for text in texts if text]
