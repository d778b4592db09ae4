# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Key shares before a server sees them: which are valid, which are the same, and which belong together. Pure.

A share of Shamir's scheme holds points of one polynomial per byte of the key, and its last byte says at which place.
With more shares than the threshold a wrong one shows, because its points are not on the polynomials of the others.
Source: Vault, shamir/shamir.go (GF(2^8) with the polynomial of AES), http/sys_seal.go (lengths, forms).
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..._engine.errors import InvalidInput
from ..._engine.secrets import KNOWN

#: bytes of a share: a key of 128 bits at least, a key of 256 bits and its place at most
SHORTEST, LONGEST = 16, 33
#: how many sets of shares are tried on a node
ATTEMPTS = 40
#: how many sets are compared with the other shares; with very many shares the first of them must do
COMPARED = 2000


@dataclass(frozen=True)
class Share:
    """One share: its number in the list that was given, from 1, its bytes, and its text, which goes to the server."""

    number: int
    content: bytes
    text: str

    @property
    def place(self) -> int:
        """The place on the polynomials."""
        return self.content[-1]


def decoded(text: str) -> bytes | None:
    """Return a share's bytes from hexadecimal or base64, None when it is neither or has no share's length."""
    for decode in (bytes.fromhex, lambda one: base64.b64decode(one, validate=True)):
        try:
            content = decode(text)
        except (ValueError, binascii.Error):
            continue
        if SHORTEST <= len(content) <= LONGEST:
            return content
    return None


def distinct(texts: Sequence[str]) -> list[Share]:
    """Return the shares, each once. Raises InvalidInput, by number and never by value."""
    KNOWN.add(*texts)
    found: dict[bytes, Share] = {}
    for number, text in enumerate(texts, 1):
        content = decoded(text.strip())
        if content is None:
            raise InvalidInput(
                "key share %d of %d is neither base64 nor hexadecimal of %d to %d bytes"
                % (number, len(texts), SHORTEST, LONGEST),
                remedy="give it as the server told it, decrypted and whole",
            )
        found.setdefault(content, Share(number, content, text.strip()))
    return list(found.values())


def enough(texts: Sequence[str], needed: int) -> list[Share]:
    """Return the different shares. Raises InvalidInput when they are fewer than the threshold."""
    shares = distinct(texts)
    if len(shares) < needed:
        twice = len(texts) - len(shares)
        raise InvalidInput(
            "needs %d different key shares, and %d are given (%d more are the same)" % (needed, len(shares), twice)
            if twice
            else "needs %d shares, and %d are given" % (needed, len(shares)),
            remedy="give as many as the threshold says",
        )
    return shares


def _product(one: int, two: int) -> int:
    result = 0
    while two:
        if two & 1:
            result ^= one
        one <<= 1
        if one & 0x100:
            one ^= 0x11B
        two >>= 1
    return result


_INVERSE = [0] * 256
for _number in range(1, 256):
    # the 254th power is the inverse
    _power, _result = _number, 1
    for _bit in range(8):
        if 254 >> _bit & 1:
            _result = _product(_result, _power)
        _power = _product(_power, _power)
    _INVERSE[_number] = _result


def _weights(places: Sequence[int], wanted: int) -> list[int]:
    """Return the factor of each point in the polynomial's value at ``wanted`` (Lagrange)."""
    weights = []
    for one in places:
        weight = 1
        for other in places:
            if other != one:
                weight = _product(weight, _product(wanted ^ other, _INVERSE[one ^ other]))
        weights.append(weight)
    return weights


def agrees(basis: Sequence[Share], other: Share) -> bool:
    """Tell whether a share is one of the scheme that the others, as many as the threshold, determine."""
    if any(one.place == other.place or len(one.content) != len(other.content) for one in basis):
        return False
    weights = _weights([one.place for one in basis], other.place)
    for position in range(len(other.content) - 1):
        value = 0
        for one, weight in zip(basis, weights):
            value ^= _product(one.content[position], weight)
        if value != other.content[position]:
            return False
    return True


def outsiders(basis: Sequence[Share], shares: Sequence[Share]) -> list[Share]:
    """Return the shares that do not belong to those that opened a node."""
    if len(basis) < 2:
        return []
    return [one for one in shares if one not in basis and not agrees(basis, one)]


def _possible(shares: Sequence[Share], needed: int) -> Iterator[tuple[Share, ...]]:
    for basis in itertools.islice(itertools.combinations(shares, needed), COMPARED):
        if needed == 1 or len({one.place for one in basis}) == needed == len(
            [one for one in basis if len(one.content) == len(basis[0].content)]
        ):
            yield basis


def attempts(shares: Sequence[Share], needed: int) -> list[tuple[Share, ...]]:
    """Return the sets of shares to try, those first that most of the other shares agree with.

    Sets of which every one is on the polynomials of an earlier set would say the same, and are left out.
    """
    ranked: list[tuple[int, tuple[Share, ...]]] = []
    covered: list[frozenset[Share]] = []
    for basis in _possible(shares, needed):
        if any(group.issuperset(basis) for group in covered):
            continue
        group = frozenset(basis)
        if needed > 1:
            group |= {one for one in shares if one not in group and agrees(basis, one)}
        covered.append(group)
        ranked.append((len(group), basis))
    ranked.sort(key=lambda one: -one[0])
    return [basis for _size, basis in ranked[:ATTEMPTS]]
