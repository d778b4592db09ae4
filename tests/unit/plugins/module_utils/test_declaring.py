# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the fields that a server answers an export says, and how they stand in its files."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import normalise, yaml_dump
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.field import Field
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base import normalisers
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base.declaring import (
    Placeholder,
    declare,
    duration_text,
    usual,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system.policy_text import (
    fill_accessors,
    name_accessors,
)


@pytest.mark.parametrize(
    ("value", "told", "normaliser", "expected"),
    [
        # what the server's help says
        (True, True, None, True),
        (False, True, None, False),
        (86400, "24h", normalise.duration, True),
        (0, 30, normalise.duration, False),
        (["a", "b"], ["b", "a"], normalise.string_set, True),
        ([], ["*"], normalise.string_set, False),
        # nothing is said: what is empty
        (False, None, None, True),
        ("", None, normalise.scalar, True),
        ("0s", None, normalise.duration, True),
        (5, None, normalise.integer, False),
        # the normaliser knows better
        (False, None, normalisers.on_by_default, False),
        (True, None, normalisers.on_by_default, True),
        ("default", "default-service", normalisers.default("default"), True),
        ("service", "default-service", normalisers.default("default"), False),
        # 0 stands for the server's own
        (0, 150, normalise.signed_duration, True),
        (-1, 150, normalise.signed_duration, False),
    ],
)
def test_what_the_server_has_anyway(value: Any, told: Any, normaliser: Any, expected: bool) -> None:
    assert usual(value, told, normaliser) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (90, "90s"),
        (900, "15m"),
        (129600, "36h"),
        (-1, -1),
        (True, True),
        ("24h", "24h"),
        (None, None),
        (1.5, 1.5),
    ],
)
def test_durations_are_told_as_people_write_them(value: Any, expected: Any) -> None:
    assert duration_text(value) == expected
    if isinstance(expected, str):
        assert normalise.seconds(expected) == normalise.seconds(value)


def test_a_declaration_has_neither_secrets_nor_what_is_usual() -> None:
    fields = (
        Field("name", "", sent=False),
        Field("names", "", type="list", elements="str"),
        Field("ttl", "", normaliser=normalise.duration),
        Field("on", "", type="bool"),
        Field("password", "", secret=True),
        Field("hidden", "", write_only=True),
        Field("kind", ""),
    )
    answered = {"name": "x", "names": "a,b", "ttl": 3600, "on": True, "password": "p", "hidden": "h", "kind": "std"}
    assert declare(fields, answered, {"on": True, "kind": "std", "ttl": None}) == {"names": ["a", "b"], "ttl": "1h"}
    assert declare(fields, answered, {"kind": "std", "on": True}, always=["kind"])["kind"] == "std"
    # what nobody tells is kept
    assert declare(fields, answered, None) == {"names": ["a", "b"], "ttl": "1h", "on": True, "kind": "std"}


def test_accessors_become_paths_and_come_back() -> None:
    policy = 'path "a/{{identity.entity.aliases.auth_x_1.name}}/{{ identity.entity.aliases.other.metadata.b }}" {}'
    named = name_accessors(policy, {"auth_x_1": "team/k8s"}.get)  # type: ignore[arg-type]
    assert "aliases[team/k8s].name" in named and "aliases.other.metadata" in named
    assert fill_accessors(named, {"team/k8s": "auth_x_1"}.__getitem__) == policy


def test_files_of_variables_tell_templates_from_text() -> None:
    data = {"a": "{{name}}", "b": Placeholder.of("kind/it's"), "c": "plain", "d": "1e3", "e": "x\n{% y %}\n"}
    text = yaml_dump.dump(data, sort_keys=False, variables=True)
    assert text.splitlines()[0] == 'a: !unsafe "{{name}}"'
    loaded = yaml.compose(text)
    tags = {key.value: value.tag for key, value in loaded.value}
    assert {name for name, tag in tags.items() if tag == "!unsafe"} == {"a", "e"}
    values = {key.value: value.value for key, value in loaded.value}
    assert values["b"] == r"{{ vault_secrets_to_fill['kind/it\'s'] }}"
    assert values["d"] == "1e3" and '"1e3"' in text


@pytest.mark.parametrize("title", KINDS)
def test_every_kind_is_exported_or_says_why_not(title: str) -> None:
    kind = KINDS[title]
    assert kind.listings or kind.unlisted
