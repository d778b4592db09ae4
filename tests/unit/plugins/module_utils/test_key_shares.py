# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key shares before a server sees them: wrong ones, double ones, and the order in which sets are tried."""

from __future__ import annotations

import base64
import random

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server import shares as subject


def _times(one: int, two: int) -> int:
    """Multiply in GF(2^8) by carry-less multiplication and one reduction: another way than the code under test."""
    product = 0
    for bit in range(8):
        if two >> bit & 1:
            product ^= one << bit
    for bit in range(14, 7, -1):
        if product >> bit & 1:
            product ^= 0x11B << bit - 8
    return product


def split(key: bytes, count: int, threshold: int, seed: int = 1) -> list[str]:
    """Split a key as the server does."""
    dice = random.Random(seed)  # noqa: S311  # reproducible
    rows = [[byte, *(dice.randrange(256) for _power in range(threshold - 1))] for byte in key]
    found = []
    for place in dice.sample(range(1, 256), count):
        values = bytearray()
        for row in rows:
            value = 0
            for factor in reversed(row):
                value = _times(value, place) ^ factor
            values.append(value)
        found.append(base64.b64encode(bytes([*values, place])).decode())
    return found


GOOD = split(bytes(range(32)), 5, 3)
FOREIGN = split(bytes(32), 5, 3, seed=2)


@pytest.mark.parametrize("wrong", range(5))
def test_one_wrong_share_of_five_is_found_before_a_server_is_asked(wrong: int) -> None:
    given = [FOREIGN[0] if number == wrong else share for number, share in enumerate(GOOD)]
    shares = subject.enough(given, 3)
    basis = subject.attempts(shares, 3)[0]
    assert wrong + 1 not in [one.number for one in basis]
    assert [one.number for one in subject.outsiders(basis, shares)] == [wrong + 1]


def test_all_good_ones_are_one_attempt() -> None:
    assert len(subject.attempts(subject.enough(GOOD, 3), 3)) == 1


def test_two_wrong_of_five_leave_the_right_set_among_few() -> None:
    given = [FOREIGN[0], GOOD[1], FOREIGN[2], GOOD[3], GOOD[4]]
    sets = [{one.number for one in basis} for basis in subject.attempts(subject.enough(given, 3), 3)]
    assert {2, 4, 5} in sets and len(sets) == 10


def test_a_share_given_twice_counts_once_in_whatever_form() -> None:
    again = base64.b64decode(GOOD[0]).hex()
    with pytest.raises(InvalidInput, match="needs 3 different key shares, and 2 are given"):
        subject.enough([GOOD[0], again, GOOD[1]], 3)
    assert [one.number for one in subject.enough([GOOD[0], again, *GOOD[1:3]], 3)] == [1, 3, 4]


@pytest.mark.parametrize("damaged", ["", "x", GOOD[0][:8], "s.token", GOOD[0] * 3])
def test_what_is_no_share_is_named_by_its_number_alone(damaged: str) -> None:
    with pytest.raises(InvalidInput, match="key share 2 of 3") as caught:
        subject.enough([GOOD[0], damaged, GOOD[1]], 2)
    assert len(damaged) < 3 or damaged not in str(caught.value)


def test_a_key_that_is_not_split_is_one_set_a_share() -> None:
    whole = [base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2)]
    shares = subject.enough(whole, 1)
    assert [len(basis) for basis in subject.attempts(shares, 1)] == [1, 1]
    assert subject.outsiders(subject.attempts(shares, 1)[0], shares) == []
