# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a cluster is not brought up as declared."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.filter.vault_cluster import (
    vault_cluster_addresses,
    vault_cluster_custody,
    vault_cluster_moving,
    vault_cluster_problems,
    vault_cluster_reset_problems,
    vault_cluster_shares_given,
)

GOOD = {
    "cluster": "one",
    "nodes": ["https://vault-1.example.com:8200"],
    "init": True,
    "key_store": "/keys.json",
    "admin": True,
    "role_id_file": "/role-id",
    "secret_id_file": "/secret-id",
    "unknown": True,
    "plain_shares": True,
    "unseal_mode": "key_store",
    "share_keys": [],
    "shares": "5",
    "ephemeral": [],
}


def test_nothing_is_wrong() -> None:
    assert vault_cluster_problems(GOOD) == []
    assert vault_cluster_custody({**GOOD, "plain_shares": False, "share_keys": list("abcde")}) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"nodes": []}, "one: no node is known; set vault_connection.url"),
        ({"key_store": ""}, "initialising needs vault_cluster_key_store"),
        ({"role_id_file": ""}, "set vault_cluster_admin_role_id_file and vault_cluster_admin_secret_id_file"),
        ({"secret_id_file": ""}, "set vault_cluster_admin_role_id_file and vault_cluster_admin_secret_id_file"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, Any], word: str) -> None:
    (said,) = vault_cluster_problems({**GOOD, **change})
    assert word in said
    assert vault_cluster_custody({**GOOD, **change}) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"plain_shares": False}, "the key shares would be written to /keys.json in clear; set vault_cluster_pgp_keys"),
        ({"plain_shares": False, "unseal_mode": "auto"}, "the recovery shares would be written to /keys.json in clear"),
        ({"share_keys": ["a"]}, "there are 1 PGP keys for 5 shares"),
        ({"ephemeral": ["/a", "/b"]}, "/a, /b would be lost when this job's container ends"),
    ],
)
def test_who_holds_the_keys_is_settled_before_there_are_any(change: dict[str, Any], word: str) -> None:
    (said,) = vault_cluster_custody({**GOOD, **change})
    assert word in said and said.endswith("Nothing was changed")
    assert vault_cluster_problems({**GOOD, **change}) == [said]
    assert vault_cluster_problems({**GOOD, **change, "unknown": False}) == []


def test_what_is_not_asked_for_is_not_missing() -> None:
    off = {"init": False, "admin": False, "key_store": "", "role_id_file": "", "secret_id_file": ""}
    assert vault_cluster_problems({**GOOD, **off}) == []
    with pytest.raises(AnsibleFilterError, match="mapping"):
        vault_cluster_problems([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "hostvars, expected",
    [
        ({}, []),
        ({"a": {"ansible_host": "192.0.2.1"}, "b": {}}, ["https://192.0.2.1:8200", "https://b:8200"]),
        ({"a": {"ansible_host": "2001:db8::1"}}, ["https://[2001:db8::1]:8200"]),
        # of those that declare it, as for a load balancer in front of one site
        ({"a": {"ansible_host": "192.0.2.1"}, "b": {"vault_server_api_addr": "https://b.test"}}, ["https://b.test"]),
    ],
)
def test_where_the_nodes_are(hostvars: dict[str, Any], expected: list[str]) -> None:
    assert vault_cluster_addresses(hostvars, list(hostvars)) == expected


def test_holders_are_told_how_many_shares_are_needed() -> None:
    pending = [{"node": "https://b", "given": 2, "threshold": 3}, {"node": "https://c", "given": 0, "threshold": 0}]
    assert vault_cluster_shares_given({"unsealed": ["https://a"], "pending": pending}) == [
        "https://a: unsealed",
        "https://b: 2 of 3 key shares given, 1 more needed",
        "https://c: joins once another node is unsealed; it needs the key shares then",
    ]


def test_servers_that_listen_on_another_port_after_their_restart_are_named() -> None:
    waits, not_yet = {"port": 8200, "new_port": 8300}, {"port": 8300, "new_port": 0}
    hostvars = {"a": {"vault_server_state": waits}, "b": {"vault_server_state": not_yet}, "c": {}}
    urls = ["https://192.0.2.1:8300", "https://192.0.2.2:8300/"]
    assert vault_cluster_moving(hostvars, list(hostvars), urls) == ["a (port 8200, then 8300)"]
    # behind an address of its own nobody sees the port
    assert vault_cluster_moving(hostvars, list(hostvars), ["https://vault.example.com"]) == []
    moving = vault_cluster_moving(hostvars, list(hostvars), urls)
    (said,) = vault_cluster_problems({**GOOD, "moving": moving})
    assert said.startswith("one: a (port 8200, then 8300): until its restart") and "secretops.vault_eso.rolling" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"servers": []}, ["no hosts in the group vault_servers"]),
        ({"storage": {"a": {"opened": False}}}, ["storage of b was not looked at"]),
        ({"storage": {"a": {"opened": False}, "b": {"opened": True}}}, ["b was unsealed before"]),
        ({"unsealed": ["https://a"]}, ["https://a is unsealed"]),
        ({"key_store_held": True}, ["its key shares are in /keys"]),
    ],
)
def test_only_a_cluster_that_was_never_used_is_reset(change: dict[str, Any], words: list[str]) -> None:
    storage = {"a": {"opened": False}, "b": {"opened": False}}
    asked = {"cluster": "vault", "servers": ["a", "b"], "storage": storage, "unsealed": [], "key_store": "/keys"}
    found = vault_cluster_reset_problems({**asked, "key_store_held": False, **change})
    assert len(found) == len(words) and all(word in text for word, text in zip(words, found))
