# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When two values are the same value."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import normalise
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3600, 3600),
        ("3600", 3600),
        ("1h", 3600),
        ("60m", 3600),
        ("1h0m0s", 3600),
        ("1.5h", 5400),
        ("7d", 604800),
        ("2w", 1209600),
        ("500ms", 0.5),
        ("", 0),
        (None, None),
    ],
)
def test_seconds(value: Any, expected: Any) -> None:
    assert normalise.seconds(value) == expected


@pytest.mark.parametrize("value", ["1x", "h", "one hour", "1h 30m", True, "1h-1m", [60]])
def test_seconds_refuses_what_is_no_duration(value: Any) -> None:
    with pytest.raises(InvalidInput, match="is not a duration; write seconds"):
        normalise.seconds(value)


@pytest.mark.parametrize("value", [-1, -0.5, "-1", "-5s", " -1h "])
def test_seconds_refuses_a_negative_one_unless_it_may_mean_something(value: Any) -> None:
    with pytest.raises(InvalidInput, match='" is negative; write seconds'):
        normalise.seconds(value)
    expected = {"-1": -1, "-5s": -5, " -1h ": -3600}.get(str(value), value)
    assert normalise.seconds(value, signed=True) == normalise.duration(value) == expected


@pytest.mark.parametrize("value", ["-", "--1", "-1x", "1-1"])
def test_a_sign_alone_is_no_duration(value: str) -> None:
    with pytest.raises(InvalidInput, match="is not a duration"):
        normalise.seconds(value, signed=True)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        *(("1w", "604800s"), ("1d12h", "129600s"), ("0.5d", "43200s"), ("7d", "604800s")),
        *(("1h30m", "1h30m"), (3600, 3600), ("", ""), (None, None), ("system", "system"), ("-1s", "-1s")),
    ],
)
def test_span_leaves_only_units_that_servers_know(value: Any, sent: Any) -> None:
    assert normalise.span(value) == sent
    assert normalise.spans({"ttl": value, "other": "1w"}, ["ttl"]) == {"ttl": sent, "other": "1w"}


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        *(("1w", "604800s"), ("1d12h", "129600s"), ("1d", "86400s"), ("5000ms", "5s"), (5.0, "5s"), ("", "0s")),
        *(("1h30m", "1h30m"), ("30", "30"), (3600, 3600), (None, None), ("30m1h", "5400s")),
    ],
)
def test_durations_are_sent_as_servers_know_them(value: Any, sent: Any) -> None:
    assert normalise.as_sent(value, normalise.duration) == sent
    assert normalise.as_sent(value, normalise.scalar) == value


@pytest.mark.parametrize("value", ["1.5s", "500ms", 0.5, "-1", "soon", True])
def test_a_duration_that_no_server_takes_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput):
        normalise.as_sent(value, normalise.duration)


def test_a_signed_duration_may_be_negative() -> None:
    assert normalise.as_sent("-1", normalise.signed_duration) == "-1"


def test_typed_tells_what_equals_in_python() -> None:
    assert normalise.same({"n": 42}, {"n": 42}, normalise.typed)
    for one, other in ((42, "42"), (True, "true"), (1, True), (["a", 1], ["a", "1"])):
        assert not normalise.same({"n": one}, {"n": other}, normalise.typed)


def test_duration_takes_a_missing_one_for_zero() -> None:
    assert normalise.same(None, "0s", normalise.duration)
    assert normalise.same(3600, "1h", normalise.duration)
    assert not normalise.same(None, "1h", normalise.duration)
    assert normalise.duration("soon") == "soon"


def test_strings_and_sets() -> None:
    assert normalise.strings("b, a,,b") == ["b", "a", "b"]
    assert normalise.strings(["a,b", " c "]) == ["a,b", "c"]
    assert normalise.strings(None) == []
    assert normalise.strings([True, 5]) == ["true", "5"]
    assert normalise.string_set("b,a,b") == normalise.string_set(["a", "b"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [("yes", True), ("False", False), ("", False), (None, False), (1, True), (0, False), ("maybe", "maybe")],
)
def test_boolean(value: Any, expected: Any) -> None:
    assert normalise.boolean(value) == expected


def test_pem_ignores_line_ends_and_blank_lines() -> None:
    unix = "-----BEGIN X-----\nAA\n-----END X-----"
    assert normalise.pem("\r\n" + unix.replace("\n", "\r\n") + "\r\n\r\n") == unix
    assert normalise.pem_list(unix + "\n") == normalise.pem_list([unix])
    assert normalise.pem_list(None) == []


def test_text_keeps_what_matters() -> None:
    assert normalise.text("a  \r\n  b\n\n") == "a\n  b"
    assert normalise.text("a b") != normalise.text("a  b")


@pytest.mark.parametrize(
    ("current", "desired"),
    [
        (3600, "1h"),
        ("1h0m0s", "1h"),
        ("3600", 3600),
        (["b", "a"], "a,b"),
        (["a", "b"], ["b", "a"]),
        (None, []),
        (None, {}),
        (None, ""),
        (None, False),
        (None, 0),
        ("true", True),
        (False, "no"),
        ('{"a": 1}', {"a": 1}),
        ("line\n", "line"),
    ],
)
def test_guess_finds_the_same(current: Any, desired: Any) -> None:
    assert normalise.same(current, desired)
    assert normalise.same(desired, current)


@pytest.mark.parametrize(
    ("current", "desired"),
    [
        (3600, "2h"),
        (None, "x"),
        (None, True),
        (None, 5),
        (["a"], ["a", "b"]),
        (["a"], None),
        ("true", False),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, None),
        ("a", "b"),
        ([{"a": 1}], [{"a": 2}]),
        ("text", 5),
    ],
)
def test_guess_finds_the_difference(current: Any, desired: Any) -> None:
    assert not normalise.same(current, desired)
    assert not normalise.same(desired, current)


def test_differing_names_declared_fields_only() -> None:
    current = {"ttl": 3600, "policies": ["b", "a"], "extra": "left alone", "host": "x"}
    desired = {"ttl": "1h", "policies": "a,b", "host": "y", "new": True}
    assert normalise.differing(current, desired) == ["host", "new"]
    assert normalise.differing({"host": "X"}, {"host": "x"}, {"host": lambda value: value.lower()}) == []


@pytest.mark.parametrize("normaliser", [None, normalise.plain, normalise.as_json])
@pytest.mark.parametrize(
    ("value", "other"),
    [
        ([1], [True]),
        ([0, "a"], [False, "a"]),
        ({"a": 1}, {"a": True}),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [True, 2]}}),
        ([{"a": 0}], [{"a": False}]),
    ],
)
def test_a_boolean_inside_is_no_number(value: Any, other: Any, normaliser: normalise.Normaliser | None) -> None:
    assert value == other, "for Python they are equal"
    for one, another in ((value, other), (other, value)):
        assert not normalise.same(one, another, normaliser)
        assert normalise.same(one, copy.deepcopy(one), normaliser)


def test_a_document_is_the_same_as_text_and_as_data() -> None:
    data = {"path": {"a": {"capabilities": ["read"]}}}
    for written in (data, json.dumps(data), json.dumps(data, indent=3)):
        assert normalise.same(normalise.document(written), json.dumps(data), normalise.document_form), written
    assert normalise.document(None) is None
    assert normalise.document("path {}") == "path {}"
    assert not normalise.same('path "a" {}', 'path "b" {}', normalise.document_form)


@pytest.mark.parametrize(
    ("written", "octal"), [(384, "0600"), (416, "0640"), ("0600", "0600"), ("640", "0640"), (0, "0000")]
)
def test_a_files_mode(written: Any, octal: str) -> None:
    assert normalise.file_mode(written) == octal


@pytest.mark.parametrize("written", [600, 400, 640, 644, 700, "rw", "888", "384", "", True, 384.5, -1])
def test_no_files_mode(written: Any) -> None:
    with pytest.raises(InvalidInput, match="is not a file's mode"):
        normalise.file_mode(written)
