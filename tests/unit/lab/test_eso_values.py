# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated operator's values: Go's way of printing, hashing and selecting."""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "molecule" / "lab" / "eso_controller"))
values = importlib.import_module("eso_values")

NESTED = values.load_json(
    '{"a": {"b.c": "dot", "list": [{"n": 1}, {"n": 2.50}], "on": true}, "x.y": "literal", "n": null}'
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.y", b"literal"),
        ("a.list.1.n", b"2.50"),
        (r"a.b\.c", b"dot"),
        ("a.on", b"true"),
        ("n", b""),
        ("a.list", b'[{"n":1},{"n":2.50}]'),
    ],
)
def test_a_property_is_a_literal_key_first_and_a_dotted_path_then(name: str, expected: bytes) -> None:
    assert values.select_property(NESTED, name) == expected


@pytest.mark.parametrize("name", ["a.nope", "a.list.7.n", "a.list.x", "nope"])
def test_a_missing_property_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="cannot find secret data for key"):
        values.select_property(NESTED, name)


@pytest.mark.parametrize("name", ["a.list.#", "a.*", "a|list", "@this", "a.list.#(n==1)", "{a,n}"])
def test_other_gjson_syntax_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not emulated"):
        values.select_property(NESTED, name)


def test_the_whole_secret_is_sorted_json_with_numbers_as_written() -> None:
    data = values.load_json('{"b": 1.0, "a": "<&>", "c": 12345678901234567890}')
    assert values.select_property(data, None) == rb'{"a":"\u003c\u0026\u003e","b":1.0,"c":12345678901234567890}'


def test_extracted_numbers_go_through_a_float_as_in_go() -> None:
    assert values.as_map(b'{"a": 1.0, "b": 12345678901234567890, "c": {"d": 1e21}, "e": [1.50], "f": null}') == {
        "a": b"1",
        "b": b"12345678901234567000",
        "c": b'{"d":1e+21}',
        "e": b"[1.5]",
        "f": b"",
    }


def test_only_an_object_can_be_extracted() -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        values.as_map(b"[1]")


def test_bad_json_is_not_quoted_in_the_error() -> None:
    with pytest.raises(ValueError, match="not valid JSON") as caught:
        values.load_json("s3cret{")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("strategy", "data", "expected"),
    [
        (None, b"aGk=", b"aGk="),
        ("None", b"aGk=", b"aGk="),
        ("Base64", b"aGk=", b"hi"),
        ("Base64URL", b"_-8=", b"\xff\xef"),
        ("Auto", b"_-8=", b"\xff\xef"),
        ("Auto", b"not base64!", b"not base64!"),
    ],
)
def test_decoding_strategies(strategy: str | None, data: bytes, expected: bytes) -> None:
    assert values.decode(strategy, data) == expected


@pytest.mark.parametrize(
    ("strategy", "data"), [("Base64", b"_-8="), ("Base64URL", b"/+8="), ("Base64", b"a"), ("X", b"")]
)
def test_what_cannot_be_decoded_is_an_error(strategy: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=strategy):
        values.decode(strategy, data)


def test_keys_are_converted_and_collisions_refused() -> None:
    assert values.convert_keys(None, {"a/b": b"1", "c-d.e_f": b"2"}) == {"a_b": b"1", "c-d.e_f": b"2"}
    assert values.convert_keys("Unicode", {"a/b": b"1"}) == {"a_U002f_b": b"1"}
    assert values.convert_keys("None", {"a/b": b"1"}) == {"a/b": b"1"}
    with pytest.raises(ValueError, match="collision"):
        values.convert_keys("Default", {"a/b": b"1", "a_b": b"2"})


def test_rewrite_speaks_go_regular_expressions() -> None:
    operations = [
        {"regexp": {"source": "^apps/(?<name>[a-z]+)/(.*)$", "target": "${name}_$2"}},
        {"regexp": {"source": "db", "target": "$$x"}},
    ]
    assert values.rewrite(operations, {"apps/shop/db": b"1"}) == {"shop_$x": b"1"}


@pytest.mark.parametrize("operation", [{"transform": {"template": "x"}}, {"merge": {}}])
def test_other_rewrites_are_refused(operation: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not emulated"):
        values.rewrite([operation], {"a": b"1"})


def test_invalid_secret_keys_are_refused_and_empty_ones_dropped() -> None:
    assert values.validate_keys({"": b"1", "a.b-c_d": b"2"}) == {"a.b-c_d": b"2"}
    for key in ("a/b", "a b", "x" * 254):
        with pytest.raises(ValueError, match="invalid secret keys"):
            values.validate_keys({key: b""})


@pytest.mark.parametrize(
    ("mount", "version", "key", "expected"),
    [
        ("secret", "v2", "foo", "secret/data/foo"),
        ("secret/path", "v2", "secret/path/foo", "secret/path/data/foo"),
        ("secret/path", "v2", "secret/path/data/foo", "secret/path/data/foo"),
        ("secret", "v1", "secret/foo", "secret/foo"),
        (None, "v2", "secret/path/foo", "secret/data/path/foo"),
        (None, "v2", "secret/path/data/foo", "secret/path/data/foo"),
        (None, "v1", "secret/foo", "secret/foo"),
    ],
)
def test_kv_paths(mount: str | None, version: str, key: str, expected: str) -> None:
    assert values.kv_path(mount, version, key) == expected


def test_kv_metadata_paths() -> None:
    assert values.kv_metadata_path("secret", "v2", "a/b") == "secret/metadata/a/b"
    assert values.kv_metadata_path(None, "v2", "secret/data/a") == "secret/metadata/a"
    with pytest.raises(ValueError, match="isn't a valid kv v2 path"):
        values.kv_metadata_path(None, "v2", "secret/a")


def test_hashes_depend_on_content_and_not_on_order() -> None:
    assert values.data_hash({"a": b"1", "b": b"2"}) == values.data_hash({"b": b"2", "a": b"1"})
    assert values.data_hash({"a": b"1"}) != values.data_hash({"a": b"2"})
    # how Go prints a map[string][]byte
    assert values.data_hash({"b": b"2", "a": b"1x"}) == hashlib.sha3_224(b"map[a:[49 120] b:[50]]").hexdigest()


def test_synced_resource_version_changes_with_generation_labels_and_annotations() -> None:
    metadata = {"generation": 3, "labels": {"a": "b"}, "annotations": {"c": "d"}}
    first = values.synced_resource_version(metadata)
    assert first.startswith("3-")
    assert values.synced_resource_version({**metadata, "resourceVersion": "99"}) == first
    assert values.synced_resource_version({**metadata, "annotations": {"c": "e"}}) != first
    assert values.synced_resource_version({**metadata, "labels": {}}) != first


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1h0m0s", 3600), ("30s", 30), ("500ms", 0.5), ("1.5h", 5400), ("0", 0), ("0s", 0), ("-5s", -5)],
)
def test_durations(text: str, expected: float) -> None:
    assert values.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "1d", "h", "1h x"])
def test_what_is_no_duration_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        values.seconds(text)
