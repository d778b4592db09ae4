# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Credentials that travel in a header. Pure: no I/O."""

from __future__ import annotations

import re

from .errors import InvalidInput


def in_header(value: str, option: str) -> str:
    """Return a token without the line end of the file that it came from.

    Raises InvalidInput for a text that no header can hold: the HTTP library's own error would quote it.
    """
    text = value.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise InvalidInput(
            "the token holds blanks, line ends or other characters that no token has",
            'option "%s"' % option,
            "give the token alone",
        )
    return text
