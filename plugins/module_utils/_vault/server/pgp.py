# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Public PGP keys, as files, ASCII armor, base64 or names at Keybase. Source: RFC 4880."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os

from ..._engine.errors import InvalidInput


def _dearmor(text: str, where: str) -> bytes:
    lines = [line.strip() for line in text.strip().splitlines()]
    if any("PRIVATE KEY" in line for line in lines):
        raise InvalidInput("is a private key", where, "give the public key, and treat this private key as disclosed")
    try:
        start = next(i for i, line in enumerate(lines) if line.startswith("-----BEGIN PGP PUBLIC KEY")) + 1
        end = next(i for i, line in enumerate(lines) if line.startswith("-----END PGP PUBLIC KEY"))
        # headers such as "Version:" end at the first empty line; the line that starts with "=" is a checksum
        body = lines[start:end]
        body = body[body.index("") + 1 :] if "" in body else body
        return base64.b64decode("".join(line for line in body if line and not line.startswith("=")), validate=True)
    except (StopIteration, binascii.Error) as error:
        raise InvalidInput(
            "is not an ASCII-armored public key", where, "export it with gpg --export --armor"
        ) from error


def _keybase(name: str, where: str) -> str:
    from ansible.module_utils.urls import open_url  # only who uses Keybase pays for it

    try:
        return str(open_url("https://keybase.io/%s/pgp_keys.asc" % name, timeout=30).read().decode())
    except Exception as error:
        raise InvalidInput(
            "Keybase gives no key (%s)" % type(error).__name__, where, "check the name, or give the key as a file"
        ) from error


def pgp_key(value: str, where: str) -> bytes:
    """Return a public key's packets from a file, ASCII armor, base64, or ``keybase:NAME``. Raises InvalidInput."""
    text = value.strip()
    content: bytes
    if text.startswith("keybase:"):
        content = _dearmor(_keybase(text[len("keybase:") :], where), where)
    elif "-----BEGIN PGP" in text:
        content = _dearmor(text, where)
    elif os.path.isfile(os.path.expanduser(text)):
        where = "%s (%s)" % (where, text)
        with open(os.path.expanduser(text), "rb") as file:
            content = file.read()
        if content.lstrip().startswith(b"-----BEGIN PGP"):
            content = _dearmor(content.decode("ascii", "replace"), where)
        elif not content or not content[0] & 0x80:
            content = _decode(content.decode("ascii", "replace"), where)
    else:
        content = _decode(text, where)
    tag = (content[0] & 0x3F if content[0] & 0x40 else (content[0] & 0x3C) >> 2) if content and content[0] & 0x80 else 0
    if tag == 5:
        raise InvalidInput("is a private key", where, "give the public key, and treat this private key as disclosed")
    if tag != 6:
        raise InvalidInput("is not a public key", where, "export it with gpg --export")
    return content


def _decode(text: str, where: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(
            "is neither a file, nor base64, nor ASCII armor", where, "give the path of an exported public key"
        ) from error


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a version 4 public key, empty for other versions. Source: RFC 4880, 12.2."""
    first = key[0]
    if first & 0x40:
        length, start = key[1], 2
        if 192 <= length < 224:
            length, start = ((length - 192) << 8) + key[2] + 192, 3
        elif length == 255:
            length, start = int.from_bytes(key[2:6], "big"), 6
    else:
        size = {0: 1, 1: 2, 2: 4}.get(first & 3, 0)
        length, start = int.from_bytes(key[1 : 1 + size], "big"), 1 + size
    body = key[start : start + length]
    if not body or body[0] != 4:
        return ""
    framed = b"\x99" + len(body).to_bytes(2, "big") + body
    return hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper()
