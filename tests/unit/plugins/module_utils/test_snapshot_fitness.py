# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a snapshot fits a cluster, and what opens that afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.snapshot_fitness import (
    is_foreign,
    openings,
    stale,
    unfit,
)

RECORD = {
    "product": "openbao",
    "version": "2.7.2",
    "seal_type": "shamir",
    "cluster_id": "one",
    "key_threshold": 3,
    "key_shares": 5,
    "key_share_generation": 2,
}
STORE = {"shares": list("abcde"), "threshold": 3, "cluster_id": "one", "generation": 2, "share_type": "unseal"}


@pytest.mark.parametrize(
    "differs, words",
    [
        ({"product": "vault", "version": "1.20.0"}, "neither reads the data of the other"),
        ({"version": "2.6.2"}, "may not read newer data"),
        ({"seal_type": "static"}, "cannot open its data"),
    ],
)
def test_what_no_force_makes_right_is_refused(differs: dict[str, Any], words: str) -> None:
    found = unfit(RECORD, {**RECORD, **differs})
    assert found is not None and words in found.what


@pytest.mark.parametrize(
    "differs",
    [{}, {"version": "2.8.0"}, {"version": "2.7.0"}, {"version": "?"}, {"cluster_id": "two"}],
)
def test_all_else_fits(differs: dict[str, Any]) -> None:
    assert unfit(RECORD, {**RECORD, **differs}) is None
    assert unfit({}, {**RECORD, **differs}) is None


def test_only_a_known_cluster_is_foreign() -> None:
    assert is_foreign(RECORD, {"cluster_id": "two"})
    assert not is_foreign(RECORD, {"cluster_id": "one"})
    assert not is_foreign({}, {"cluster_id": "two"})


def test_the_likeliest_store_is_first_and_the_useless_are_left_out() -> None:
    stores = [
        ("unknown", {**STORE, "cluster_id": ""}),
        ("before a rekey", {**STORE, "generation": 1}),
        ("its own", STORE),
        ("of another", {**STORE, "cluster_id": "two"}),
        ("for holders", {**STORE, "encrypted": True}),
        ("recovery", {**STORE, "share_type": "recovery"}),
        ("too few", {**STORE, "shares": ["a", "b"]}),
    ]
    assert [path for path, _shares in openings(stores, RECORD)] == ["its own", "before a rekey", "unknown"]


def test_former_shares_of_a_store_open_the_snapshots_of_their_time() -> None:
    former = [{"shares": list("fgh"), "threshold": 2, "generation": number} for number in (1, 2, 3)]
    former[0]["shares"] = list("klm")
    former.append({"shares": list("xyz"), "encrypted": True, "generation": 4})
    rekeyed = {**STORE, "generation": 5, "former": former}
    found = openings([("one", rekeyed)], {**RECORD, "key_share_generation": 1})
    assert found[0] == ("one", list("klm"))
    assert [shares for _path, shares in found[1:]] == [list("abcde"), list("fgh"), list("fgh")]
    # nobody wrote down of which generation it is: the present ones first
    assert openings([("one", rekeyed)], {**RECORD, "key_share_generation": None})[0] == ("one", list("abcde"))


def test_sealed_nodes_with_another_threshold_are_to_be_restarted() -> None:
    nodes = [
        {"url": "a", "sealed": True, "threshold": 2, "shares": 3},
        {"url": "b", "sealed": True, "threshold": 3, "shares": 5},
        {"url": "c", "sealed": False, "threshold": 2, "shares": 3},
        {"url": "d", "reachable": False},
    ]
    assert stale(nodes, RECORD) == ["a"]
    assert stale(nodes, {}) == []
