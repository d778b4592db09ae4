# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Where copies of snapshots are kept: a directory, another host by SSH, S3-compatible storage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._engine.errors import InvalidInput
from .base import Place
from .directory import Directory
from .s3 import S3
from .sftp import Sftp


def place(options: Mapping[str, Any], seconds: float) -> Place:
    """Return the place that options name; ``seconds``: for one file. Raises InvalidInput."""
    url = str(options.get("url") or "")
    scheme = url.partition("://")[0] if "://" in url else ""
    if url.startswith(("/", "~")):
        made: Place = Directory(options)
    elif scheme == "sftp":
        made = Sftp(options, seconds)
    elif scheme == "s3":
        made = S3(options, seconds)
    else:
        raise InvalidInput(
            "is no address of a place",
            'option "url" of a copy',
            "write /directory, sftp://user@host/directory or s3://bucket/prefix",
        )
    for name, value in options.items():
        kind = name.partition("_")[0]
        if value not in (None, "") and kind in ("ssh", "s3") and kind != {"sftp": "ssh"}.get(scheme, scheme):
            raise InvalidInput('"%s" is of no use there' % name, made.where, "leave it out, or correct the address")
    if options.get("keep") is not None and options["keep"] < 1:
        raise InvalidInput('"keep" is %d' % options["keep"], made.where, "keep 1 or more")
    made.check()
    return made
