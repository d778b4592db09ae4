# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated operator's templates: a short list works, everything else fails loudly."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "molecule" / "lab" / "eso_controller"))
template = importlib.import_module("eso_template")

DATA = {
    "user": b" App ",
    "password": b'p w&<"',
    "empty": b"",
    "doc": b'{"host":{"name":"h"},"port":5432,"big":1000000,"list":[1,"x"],"on":true}',
    "b64": b"aGVsbG8=",
    "binary": b"\xff\x00",
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain {x} text", b"plain {x} text"),
        ("{{ .user }}", b" App "),
        ("{{.user | trim | upper}}", b"APP"),
        ("{{ lower .user }}", b" app "),
        ("{{ .password | urlquery }}", b"p+w%26%3C%22"),
        ("{{ .password | toJson }}", b'"p w\\u0026\\u003c\\""'),
        ("{{ quote .password }}", b'"p w&<\\""'),
        ("{{ .b64 | b64dec }}", b"hello"),
        ("{{ .password | b64enc }}", b"cCB3Jjwi"),
        ("{{ .binary | b64enc }}", b"/wA="),
        ("{{ .binary }}", b"\xff\x00"),
        ('{{ .empty | default "x" }}{{ .b64 | default "x" }}', b"xaGVsbG8="),
        ("{{ default `raw` .empty }}", b"raw"),
        ("{{ (.doc | fromJson).host.name }}", b"h"),
        ("{{ (fromJson .doc).port }}", b"5432"),
        ("{{ (fromJson .doc).big }}", b"1e+06"),
        ("{{ (fromJson .doc).list | toJson }}", b'[1,"x"]'),
        ("{{ (fromJson .doc).on | toString | quote }}", b'"true"'),
        ("a {{- .b64 -}} b", b"aaGVsbG8=b"),
        ("{{/* a comment with }} in it */}}x", b"x"),
        ('{{ "a}}b" }}', b"a}}b"),
        ('{{ "tab\\there" }}', b"tab\there"),
    ],
)
def test_what_is_emulated(source: str, expected: bytes) -> None:
    assert template.render(source, DATA) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ .missing }}", 'map has no entry for key "missing"'),
        ("{{ (fromJson .doc).nope }}", 'map has no entry for key "nope"'),
        ("{{ .user.name }}", "can't evaluate field name"),
        ("{{ .user | sha256sum }}", 'function "sha256sum" is not emulated'),
        ('{{ index . "user" }}', 'function "index" is not emulated'),
        ("{{ .user | base64decode }}", 'function "base64decode" is not emulated'),
        ("{{ if .user }}x{{ end }}", 'action "if" is not emulated'),
        ("{{ range .user }}x{{ end }}", 'action "range" is not emulated'),
        ("{{ $x := .user }}", "not emulated"),
        ("{{ .user-name }}", "not emulated"),
        ("{{ }}", "missing value"),
        ("{{ .user", "unclosed action"),
        ("{{ (.user }}", "unclosed left paren"),
        ("{{ .user .b64 }}", "given arguments"),
        ("{{ .user | .b64 }}", "not a function"),
        ("{{ upper }}", "wrong number of arguments"),
        ("{{ .user | upper .b64 }}", "wrong number of arguments"),
        ("{{ . }}", "cannot print a map"),
        ("{{ fromJson .doc }}", "cannot print a map"),
        ("{{ .user | b64dec }}", "not base64"),
        ("{{ .user | fromJson }}", "not valid JSON"),
        ("{{ fromJson .doc | upper }}", "wanted a string"),
    ],
)
def test_everything_else_fails_and_says_why_without_a_value(source: str, message: str) -> None:
    with pytest.raises(template.TemplateError) as caught:
        template.render(source, DATA)
    assert message in str(caught.value)
    assert "App" not in str(caught.value)


def test_an_unknown_function_is_refused_even_where_it_would_not_be_reached() -> None:
    with pytest.raises(template.TemplateError, match='function "nope"'):
        template.render("{{ .missing }}{{ .user | nope }}", DATA)
