# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data directory of integrated storage on a host: how far it is, and a way to set it aside without losing it.

It runs on the host, so it needs nothing but Python 3.9. What is in the storage is encrypted; only what raft keeps of
itself is read. Source: github.com/hashicorp/raft-boltdb (raft.db), physical/raft/fsm.go and types.proto (vault.db).
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._engine.errors import InvalidInput, SecretopsError
from .bolt import Bolt, Unreadable

#: what the server keeps in its data directory
PARTS = ("vault.db", "raft")
ASIDE = "set-aside-"
#: an initialisation elects a leader once, in this term; each node that is unsealed takes part in an election of its own
FIRST_TERM = 2
_LOGS, _CONFIG = b"logs", b"config"
_INDEXES, _PEERS = b"latest_indexes", b"latest_config"
#: width of an unsigned number in MessagePack by its first byte
_WIDTHS = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
_SUFFRAGE = {0: "voter", 1: "nonvoter", 2: "nonvoter"}
_DAMAGED = (Unreadable, OSError, struct.error, IndexError, ValueError)


def _term_of(entry: bytes) -> int:
    """Return the term of an entry of the log, a map in MessagePack with its data last; 0 where none is told."""
    at = entry.find(b"\xa4Term")
    if at < 0:
        return 0
    first = entry[at + 5]
    if first < 0x80:
        return first
    return int(struct.unpack_from(_WIDTHS[first], entry, at + 6)[0]) if first in _WIDTHS else 0


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a protobuf message of numbers, texts and messages."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif key & 7 == 2:
            length, at = _varint(data, at)
            yield key >> 3, data[at : at + length]
            at += length
        else:
            raise Unreadable("a message has a field of another type")


def _text(value: int | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _peer(message: bytes) -> dict[str, str]:
    found = dict(_fields(message))
    suffrage = found.get(1) or 0
    return {
        "id": _text(found.get(2)),
        "address": _text(found.get(3)),
        "suffrage": _SUFFRAGE.get(suffrage if isinstance(suffrage, int) else 0, "voter"),
    }


def _log(path: str) -> tuple[int, int]:
    """Return term and index of the last entry of the log."""
    with Bolt(path) as database:
        found = database.last(_LOGS)
    return (_term_of(found[1]), int.from_bytes(found[0], "big")) if found else (0, 0)


def _applied(path: str) -> tuple[tuple[int, int], list[dict[str, str]]]:
    """Return term and index of what was applied last, and the peers as they were then."""
    with Bolt(path) as database:
        indexes = dict(_fields(database.get(_CONFIG, _INDEXES) or b""))
        peers = [
            _peer(value)
            for number, value in _fields(database.get(_CONFIG, _PEERS) or b"")
            if number == 2 and isinstance(value, bytes)
        ]
    term, index = (value if isinstance(value, int) else 0 for value in (indexes.get(1), indexes.get(2)))
    return (term, index), peers


def read(path: str) -> dict[str, Any]:
    """Return how far the data of a directory are.

    ``used`` tells whether a server worked with them: one that waits to join a cluster has files and nothing in them.
    ``opened``: whether a node was ever unsealed with them, so that they may hold secrets; an initialisation alone does
    not. ``problem`` says why they cannot be read; such data count as used and opened.
    """
    found: dict[str, Any] = {
        "exists": any(os.path.exists(os.path.join(path, name)) for name in PARTS),
        "used": False,
        "opened": False,
        "term": 0,
        "index": 0,
        "applied_index": 0,
        "peers": [],
        "problem": "",
        "running": False,
        "forced": os.path.exists(peers_file(path)),
    }
    log, storage = (os.path.join(path, *name) for name in (("raft", "raft.db"), ("vault.db",)))
    try:
        # first, as a server may have files open that cannot be read
        found["running"] = locked(storage) or locked(log)
        last = _log(log) if os.path.exists(log) else (0, 0)
        applied, found["peers"] = _applied(storage) if os.path.exists(storage) else ((0, 0), [])
        found["applied_index"] = applied[1]
        found["term"], found["index"] = max(last, applied)
    except _DAMAGED as error:
        found["problem"] = str(error) or type(error).__name__
    found["used"] = bool(found["index"] or found["problem"])
    found["opened"] = bool(found["term"] > FIRST_TERM or found["problem"])
    return found


def peers_file(path: str) -> str:
    """Return the file by which a server takes other peers than those it knows, at its next start."""
    return os.path.join(path, "raft", "peers.json")


def locked(path: str) -> bool:
    """Tell whether a server has a database open."""
    if not os.path.exists(path):
        return False
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def set_aside(path: str, check_mode: bool) -> dict[str, Any]:
    """Move the data into a directory of their own inside of ``path``; tell its path as ``aside``.

    On the same file system, so that nothing is copied and a full disk does not hinder. Raises InvalidInput while a
    server has them open.
    """
    state = read(path)
    if not state["used"]:
        return {"changed": False, "aside": "", **state}
    if state["running"]:
        raise InvalidInput("a server has it open", path, "stop the server first")
    target = os.path.join(path, ASIDE + time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    if not check_mode:
        try:
            os.makedirs(target, 0o700, exist_ok=True)
            for name in PARTS:
                if os.path.exists(os.path.join(path, name)):
                    os.rename(os.path.join(path, name), os.path.join(target, name))
        except OSError as error:
            raise SecretopsError("cannot be set aside (%s)" % error.strerror, path) from error
    return {"changed": True, "aside": target, **state}


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return what the module returns. Raises SecretopsError."""
    if params["state"] == "aside":
        return set_aside(params["path"], check_mode)
    return {"changed": False, **read(params["path"])}
