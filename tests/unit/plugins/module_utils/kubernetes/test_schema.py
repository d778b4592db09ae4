# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a schema allows, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes import schema

SELECTOR = {
    "type": "object",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
        "matchExpressions": {
            "type": "array",
            "items": {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}},
        },
    },
}
SPEC = {
    "type": "object",
    "properties": {
        "selector": SELECTOR,
        "policy": {"type": "string", "enum": ["Owner", "None"], "default": "Owner"},
        "count": {"type": "integer", "minimum": 1, "maximum": 3},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        "free": {"x-kubernetes-preserve-unknown-fields": True},
        "port": {"x-kubernetes-int-or-string": True},
        "only": {"type": "object", "minProperties": 1, "maxProperties": 1, "properties": {"a": {}, "b": {}}},
        "keyed": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["key"],
            "items": {"type": "object", "properties": {"key": {"type": "string"}}},
        },
    },
}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"selector": {}},
        {"selector": {"matchLabels": {"a": "b"}, "matchExpressions": []}},
        {"policy": None, "count": 2, "name": "abc"},
        {"free": {"anything": [1, {"goes": True}]}},
        {"port": 80},
        {"port": "http"},
        {"only": {"a": 1}},
        {"keyed": [{"key": "a"}, {"key": "b"}]},
    ],
)
def test_what_fits_is_no_problem(value: Any) -> None:
    assert list(schema.problems(SPEC, value)) == []


@pytest.mark.parametrize(
    ("value", "path", "what", "remedy"),
    [
        ({"selector": {"matchLabel": {}}}, ("selector", "matchLabel"), "does not exist", 'write "matchLabels"'),
        ({"select": {}}, ("select",), "does not exist", 'write "selector"'),
        (
            {"selector": {"matchLabels": {"a": 1}}},
            ("selector", "matchLabels", "a"),
            "must be text, not a whole number",
            "quotation",
        ),
        ({"selector": {"matchExpressions": [{}]}}, ("selector", "matchExpressions", 0, "key"), "is missing", "add"),
        ({"selector": []}, ("selector",), "must be a mapping, not a list", ""),
        ({"policy": "Own"}, ("policy",), 'has no value "Own"', "use Owner, None"),
        ({"count": 0}, ("count",), "less than 1", ""),
        ({"count": True}, ("count",), "must be a whole number, not true or false", ""),
        ({"name": "A"}, ("name",), "does not match", ""),
        ({"name": "abc\n"}, ("name",), "does not match", ""),
        ({"name": "abcdef"}, ("name",), "takes at most 5 characters", ""),
        ({"only": {}}, ("only",), "needs at least 1 entries", ""),
        ({"only": {"a": 1, "b": 2}}, ("only",), "takes at most 1 entries", ""),
        ({"keyed": [{"key": "a"}, {"key": "a"}]}, ("keyed", 1), "is declared twice", ""),
        ({"port": 1.5}, ("port",), "must be", ""),
    ],
)
def test_what_does_not_fit_is_told(value: Any, path: Any, what: str, remedy: str) -> None:
    (problem,) = schema.problems(SPEC, value)
    assert problem.path == path
    assert what in problem.what
    assert remedy in problem.remedy


def test_defaults_are_filled_in_at_any_depth() -> None:
    node = {
        "properties": {
            "list": {"items": {"properties": {"a": {"default": "x"}, "b": {"properties": {"c": {"default": 1}}}}}}
        }
    }
    assert schema.defaulted(node, {"list": [{"b": {}}, {"a": "y"}]}) == {
        "list": [{"a": "x", "b": {"c": 1}}, {"a": "y"}]
    }


@pytest.mark.parametrize(
    "pattern",
    [
        "^a.*$",
        r"\pL+",
        r"[[:alpha:]]+\z",
        r"\Qa(b\E",
        "(?i)team-.*",
        "(?P<name>a)|(?<other>b)",
        "a{1,1000}",
        "[(?=]",
        r"\\1",
        "",
        "x*?",
    ],
)
def test_patterns_of_go_are_taken(pattern: str) -> None:
    assert schema.not_a_pattern(pattern) == ""


@pytest.mark.parametrize(
    "pattern", ["(", "[a", "*", "(?=a)", "(?<!a)b", r"(a)\1", "a++", "(?>a)", "a{1001}", "a**", "(?P=n)", ")"]
)
def test_patterns_that_go_does_not_compile_are_refused(pattern: str) -> None:
    assert schema.not_a_pattern(pattern)
