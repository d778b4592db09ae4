# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of secrets engines is pure logic."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base import mounts
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines import mount_fields as secrets_engine


def test_types_are_split_into_type_and_version() -> None:
    assert mounts.split_type("kv-v2") == ("kv", "2")
    assert mounts.split_type("kv") == ("kv", "")
    assert mounts.split_type("generic") == ("kv", "")
    assert mounts.split_type("pki") == ("pki", "")
    assert mounts.split_type(None) == ("", "")


def test_an_item_and_a_mount_of_the_server_flatten_to_the_same_names() -> None:
    item: dict[str, Any] = {"type": "kv-v2", "description": None, "tune": {"max_lease_ttl": "1h"}, "config": None}
    entry = {"type": "kv", "options": {"version": "2"}, "tune": {"max_lease_ttl": 3600}}
    assert secrets_engine.flatten(item) == {"type": "kv", "options.version": "2", "tune.max_lease_ttl": "1h"}
    assert secrets_engine.flatten(entry) == {"type": "kv", "options.version": "2", "tune.max_lease_ttl": 3600}


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("tune.default_lease_ttl", "system", 0),
        ("tune.default_lease_ttl", "1h", 3600),
        ("tune.listing_visibility", "hidden", None),
        ("tune.passthrough_request_headers", ["B", "A"], ["A", "B"]),
        ("tune.allowed_response_headers", [], None),
        ("config.delete_version_after", "3h", "3h0m0s"),
        ("config.max_versions", 0, None),
    ],
)
def test_settings_mean_the_same(name: str, value: Any, other: Any) -> None:
    same = secrets_engine.NORMALISERS[name]
    assert same(value) == same(other)


def test_part_takes_one_group_and_only_the_named_fields() -> None:
    fields = {"tune.a": 1, "tune.b": 2, "config.a": 3}
    assert secrets_engine.part(fields, "tune") == {"a": 1, "b": 2}
    assert secrets_engine.part(fields, "tune", ["tune.b", "config.a"]) == {"b": 2}


def test_the_servers_own_mounts_are_protected() -> None:
    assert {"sys", "identity", "cubbyhole", "token"} <= mounts.PROTECTED
