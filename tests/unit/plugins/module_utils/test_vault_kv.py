# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the KV engine is pure logic."""

from __future__ import annotations

import base64
import datetime
import re
import uuid
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base.inside_mount import with_mount
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.kv.absent import over
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.kv.generate import (
    check_generate,
    generated,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.kv.purge import Patterns
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.kv.values import changed_keys


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": "1"}, ["a"]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": {"x": [1, 2], "y": "z"}}, {"a": {"y": "z", "x": [1, 2]}}, []),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a"]),
        ({"a": 1, "b": 2}, {"a": 1}, ["b"]),
        ({"a": None}, {}, ["a"]),
        ({}, {"b": 1, "a": 1}, ["a", "b"]),
    ],
)
def test_changed_keys_compares_as_json(before: dict[str, Any], after: dict[str, Any], keys: list[str]) -> None:
    assert changed_keys(before, after) == keys


def test_generated_values_have_the_declared_form() -> None:
    def value(**spec: Any) -> str:
        return generated(check_generate("key", spec))

    assert re.fullmatch(r"[A-Za-z0-9]{32}", value())
    assert re.fullmatch(r"[0-9]{6}", value(length=6, charset="digits"))
    assert set(value(length=200, charset="xyz")) == set("xyz")
    assert re.fullmatch(r"[0-9a-f]{32}", value(format="hex", length=16))
    assert len(base64.b64decode(value(format="base64", length=48))) == 48
    assert len(base64.urlsafe_b64decode(value(format="base64url", length="24"))) == 24
    assert uuid.UUID(value(format="uuid")).version == 4
    assert value() != value()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("yes", "is not a mapping"),
        ({"len": 3}, 'unknown option "len"'),
        ({"format": "bytes"}, 'unknown format "bytes"'),
        ({"length": "many"}, '"length" is not a number'),
        ({"length": True}, '"length" is not a number'),
        ({"length": 0}, "between 1 and 65536"),
        ({"charset": "a"}, "fewer than two"),
        ({"format": "uuid", "length": 3}, "has no length"),
        ({"format": "hex", "charset": "alnum"}, 'for format "text" only'),
        ({"format": "policy"}, "belong together"),
        ({"rotate": "perhaps"}, '"rotate" is not a boolean'),
    ],
)
def test_wrong_generate_is_refused_with_its_key(spec: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)) as caught:
        check_generate("pin", spec)
    assert 'generate "pin"' in str(caught.value)


def test_a_time_is_over_only_when_it_lies_in_the_past() -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    assert over((now - datetime.timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z"))
    assert not over((now + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert not over("")
    assert not over(None)


def test_items_take_their_mount_from_the_task() -> None:
    items = with_mount([{"path": "a"}, {"path": "b", "mount": "own"}], "team", "secret")
    assert [item["mount"] for item in items] == ["team", "own"]
    assert with_mount([{"path": "a"}], None, "secret")[0]["mount"] == "secret"


@pytest.mark.parametrize(
    ("pattern", "path", "matches", "covers"),
    [
        ("apps/db", "apps/db", True, True),
        ("apps", "apps/db", False, True),
        ("apps/*", "apps/db", True, True),
        ("apps/*", "apps/db/deep", False, True),
        ("apps/**", "apps/db/deep", True, True),
        ("apps/*/db", "apps/shop/db", True, True),
        ("apps/d?", "apps/db", True, True),
        ("apps/d?", "apps/d/", False, False),
        ("apps/a.b", "apps/aXb", False, False),
        ("Apps/db", "apps/db", False, False),
        ("/apps/db/", "apps/db", True, True),
        ("app", "apps/db", False, False),
        ("", "apps/db", False, False),
    ],
)
def test_patterns_of_paths(pattern: str, path: str, matches: bool, covers: bool) -> None:
    patterns = Patterns([pattern])
    assert patterns.match(path) is matches
    assert patterns.cover(path) is covers
