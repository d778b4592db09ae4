# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a bbolt database file, the format of raft.db and vault.db, without the server that wrote it. Never writes.

It runs on the host, so it needs nothing but Python 3.9. Source: go.etcd.io/bbolt, page.go, bucket.go, db.go.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from typing import NamedTuple

_MAGIC = 0xED0CDAED
_BRANCH, _LEAF, _BUCKET = 0x01, 0x02, 0x01
# in the byte order of the host that wrote it
_PAGE = struct.Struct("=QHHI")
_ELEMENT = struct.Struct("=IIII")
_BRANCH_ELEMENT = struct.Struct("=IIQ")
_META = struct.Struct("=IIIIQQQQQQ")
_ROOT = struct.Struct("=QQ")
#: sizes of a page that operating systems have
_PAGE_SIZES = (4096, 8192, 16384, 65536)


class Unreadable(ValueError):
    """The file is no bbolt database, or a damaged one."""


class _Page(NamedTuple):
    data: memoryview
    flags: int
    entries: int


def _checksum(data: bytes) -> int:
    """Return FNV-1a of 64 bits."""
    found = 0xCBF29CE484222325
    for byte in data:
        found = ((found ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return found


class Bolt:
    """One database. Use it as a context manager. Raises Unreadable, OSError."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            try:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise Unreadable("%s is empty" % path) from error
        self._data = memoryview(self._map)
        self._size, self._root = self._newest()

    def __enter__(self) -> Bolt:
        return self

    def __exit__(self, *_error: object) -> None:
        # a page that somebody still holds keeps the map; it is freed with it
        self._data.release()

    def _newest(self) -> tuple[int, int]:
        """Return the size of a page and the root page, from the later of the two copies that are whole."""
        found = []
        for offset in (0, *_PAGE_SIZES):
            start = offset + _PAGE.size
            raw = bytes(self._data[start : start + _META.size])
            if len(raw) < _META.size:
                continue
            magic, _version, size, _flags, root, _sequence, _freelist, _high, transaction, checksum = _META.unpack(raw)
            if magic == _MAGIC and checksum == _checksum(raw[:-8]):
                found.append((transaction, size, root))
        if not found:
            raise Unreadable("it does not begin as a database does")
        _transaction, size, root = max(found)
        return size, root

    def _page(self, number: int) -> _Page:
        start = number * self._size
        if start + _PAGE.size > len(self._data):
            raise Unreadable("page %d is missing" % number)
        _number, flags, count, overflow = _PAGE.unpack_from(self._data, start)
        return _Page(self._data[start : start + self._size * (overflow + 1)], flags, count)

    def _items(self, page: _Page, backwards: bool, depth: int = 0) -> Iterator[tuple[int, bytes, memoryview]]:
        """Yield flags, key and value of each entry below a page, in the order of the keys or backwards."""
        if depth > 64:
            raise Unreadable("its pages go in a circle")
        order = range(page.entries - 1, -1, -1) if backwards else range(page.entries)
        for number in order:
            start = _PAGE.size + number * 16
            try:
                if page.flags & _BRANCH:
                    child = _BRANCH_ELEMENT.unpack_from(page.data, start)[2]
                    yield from self._items(self._page(child), backwards, depth + 1)
                elif page.flags & _LEAF:
                    flags, position, length, size = _ELEMENT.unpack_from(page.data, start)
                    begin = start + position
                    value = page.data[begin + length : begin + length + size]
                    yield flags, bytes(page.data[begin : begin + length]), value
                else:
                    raise Unreadable("a page is of no kind that holds entries")
            except struct.error as error:
                raise Unreadable("a page is shorter than it says") from error

    def _bucket(self, name: bytes) -> _Page | None:
        for flags, key, value in self._items(self._page(self._root), backwards=False):
            if key == name and flags & _BUCKET:
                root = _ROOT.unpack_from(value)[0]
                if root:
                    return self._page(root)
                inline = value[_ROOT.size :]
                _number, kind, count, _overflow = _PAGE.unpack_from(inline)
                return _Page(inline, kind, count)
        return None

    def get(self, bucket: bytes, wanted: bytes) -> bytes | None:
        """Return a value, None where there is none; for small buckets, as it looks at each entry."""
        page = self._bucket(bucket)
        if page is None:
            return None
        for _flags, key, value in self._items(page, backwards=False):
            if key == wanted:
                return bytes(value)
        return None

    def last(self, bucket: bytes) -> tuple[bytes, bytes] | None:
        """Return the entry with the greatest key, None where there is none."""
        page = self._bucket(bucket)
        if page is None:
            return None
        found = next(self._items(page, backwards=True), None)
        return None if found is None else (found[1], bytes(found[2]))
