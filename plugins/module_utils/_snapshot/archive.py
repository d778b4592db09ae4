# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A raft snapshot as a file: what is in it, whether it is whole, and what is recorded beside it.

It is a gzip tar of meta.json, state.bin, SHA256SUMS and SHA256SUMS.sealed.
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import json
import os
import tarfile
import zlib
from typing import Any

from .._engine import private_file
from .._engine.errors import InvalidInput
from .record import order

MEMBERS = ("meta.json", "state.bin", "SHA256SUMS", "SHA256SUMS.sealed")
CHUNK = 1 << 20
SUFFIX = ".snap"
#: what the name of a file begins with that is not whole yet
UNFINISHED = ".vault-eso-"


def sha256(path: str) -> str:
    """Return the hex digest of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            digest.update(block)
    return digest.hexdigest()


def inspect(path: str, min_size: int = 1) -> dict[str, Any]:
    """Verify an archive and return index, term, size (bytes) and sha256.

    Raises InvalidInput when it is no snapshot, is cut off, or its checksums do not agree.
    """
    where = 'snapshot "%s"' % path
    remedy = "take another snapshot; do not rely on this one"
    found: dict[str, tuple[int, str]] = {}
    texts: dict[str, bytes] = {}
    try:
        size = os.path.getsize(path)
        # through gzip, which checks its own sum when it is read to the end; tarfile alone would not
        with gzip.open(path, "rb") as whole, tarfile.open(fileobj=whole, mode="r|") as archive:
            for member in archive:
                stream = archive.extractfile(member)
                if stream is None:
                    continue
                digest, length = hashlib.sha256(), 0
                for block in iter(lambda stream=stream: stream.read(CHUNK), b""):  # type: ignore[misc]
                    digest.update(block)
                    length += len(block)
                    if member.name != "state.bin" and length <= CHUNK:
                        texts[member.name] = texts.get(member.name, b"") + block
                found[member.name] = (length, digest.hexdigest())
            while whole.read(CHUNK):
                pass
    except FileNotFoundError as error:
        raise InvalidInput("does not exist", where, "give the path of a file that vault_snapshot saved") from error
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise InvalidInput("is not a complete gzip tar archive (%s)" % type(error).__name__, where, remedy) from error
    missing = [name for name in MEMBERS if name not in found]
    if missing:
        raise InvalidInput("%s is missing in it" % ", ".join(missing), where, remedy)
    if size < min_size:
        raise InvalidInput("has %d bytes, less than %d" % (size, min_size), where, remedy)
    sums = {}
    for line in texts.get("SHA256SUMS", b"").decode("ascii", "replace").splitlines():
        digest_text, _blank, name = line.partition(" ")
        sums[name.strip()] = digest_text
    for name in ("meta.json", "state.bin"):
        if sums.get(name) != found[name][1]:
            raise InvalidInput("the checksum of %s does not agree" % name, where, remedy)
    try:
        meta = json.loads(texts["meta.json"])
        index, term = int(meta["Index"]), int(meta["Term"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("its meta.json is not that of a raft snapshot", where, remedy) from error
    if meta.get("Size") not in (None, found["state.bin"][0]) or not found["state.bin"][0]:
        raise InvalidInput("state.bin has another size than meta.json says", where, remedy)
    return {"index": index, "term": term, "size": size, "sha256": sha256(path)}


def sidecar(path: str) -> dict[str, Any] | None:
    """Return what was recorded beside a snapshot, None when there is nothing. Raises InvalidInput."""
    text = private_file.read(path + ".json")
    if text is None:
        return None
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise InvalidInput("is not a record of a snapshot", path + ".json", "restore it, or move it away")
    return data


def verify(path: str, min_size: int) -> dict[str, Any]:
    """Return `inspect` joined with the record beside the file, which must agree. Raises InvalidInput."""
    facts = inspect(path, min_size)
    record = sidecar(path) or {}
    for name in ("sha256", "index", "term"):
        if record.get(name) not in (None, facts[name]):
            raise InvalidInput(
                "its %s is another than the record beside it says" % name,
                'snapshot "%s"' % path,
                "the file was changed since it was saved: use another",
            )
    return {**record, **facts, "path": path}


def newest(path: str) -> str:
    """Return the path itself, or of a directory its newest snapshot. Raises InvalidInput."""
    if not os.path.isdir(path):
        return path
    found = []
    for name in glob.glob(os.path.join(glob.escape(path), "*" + SUFFIX)):
        record = sidecar(name)
        if record:
            found.append((*order(record), name))
    if not found:
        raise InvalidInput("holds no snapshot", 'directory "%s"' % path, "save one first")
    return max(found)[2]
