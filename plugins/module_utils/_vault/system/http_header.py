# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Names of HTTP headers."""

from __future__ import annotations

import re

from ..._engine.errors import InvalidInput

#: what a name of an HTTP header may be. Source: RFC 9110, section 5.1
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def check_header(name: str) -> None:
    """Refuse what no HTTP header is called. Raises InvalidInput."""
    if not HEADER.fullmatch(name) or "%" in name or "#" in name:
        raise InvalidInput("no header is called like this", remedy="use letters, digits and dashes")
