# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._chain.values import made_of
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.targets import keys_of, promised

STORED = {"user": "app", "password": "p@ss word", "token": "YWJj", "port": 5432, "ratio": 1.5, "on": True}
USER = {"secretKey": "user", "remoteRef": {"key": "app", "property": "user"}}
PASSWORD = {"secretKey": "password", "remoteRef": {"key": "app", "property": "password"}}
WHOLE = {"extract": {"key": "app"}}


def template(text: str, **more: Any) -> dict[str, Any]:
    return {"target": {"template": {"data": {"url": text}, **more}}, "data": [USER, PASSWORD]}


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ({"data": [USER]}, {"user": b"app"}),
        ({"data": [{**USER, "secretKey": "name"}, PASSWORD]}, {"name": b"app", "password": b"p@ss word"}),
        ({"data": [USER], "target": {"template": {"type": "Opaque"}}}, {"user": b"app"}),
        (
            {
                "data": [
                    {"secretKey": "t", "remoteRef": {"key": "app", "property": "token", "decodingStrategy": "Base64"}}
                ]
            },
            {"t": b"abc"},
        ),
        ({"data": [{"secretKey": "o", "remoteRef": {"key": "other", "property": "user"}}, USER]}, {"user": b"app"}),
        (template("{{ .user }}:{{ .password | urlquery }}"), {"url": b"app:p%40ss+word"}),
        (template("{{ .user | toString | b64enc }}"), {"url": b"YXBw"}),
        (template("{{ .user }}", mergePolicy="Merge"), {"url": b"app", "user": b"app", "password": b"p@ss word"}),
        # what takes nothing of it proves nothing and is in nobody's way
        (template("fixed"), {}),
    ],
)
def test_what_is_known_is_computed(spec: dict[str, Any], values: dict[str, bytes]) -> None:
    made = made_of(spec, "app", STORED)
    assert (made.values, made.unknown, made.open) == (values, [], set())


@pytest.mark.parametrize(
    "spec",
    [
        template("{{ .user | upper }}"),
        template("{{ if .user }}x{{ end }}"),
        template('{{ index . "user" }}'),
        template("{{ .user }} {{ .elsewhere }}"),
        {"data": [USER], "target": {"template": {"templateFrom": [{"literal": "x"}]}}},
        {"data": [{"secretKey": "all", "remoteRef": {"key": "app"}}]},
        {"data": [{"secretKey": "r", "remoteRef": {"key": "app", "property": "ratio"}}]},
        {"dataFrom": [{**WHOLE, "rewrite": [{"regexp": {"source": "a", "target": "b"}}]}]},
        {"dataFrom": [{"extract": {"key": "app", "property": "document"}}]},
    ],
)
def test_a_value_that_is_not_known_is_told_as_unknown(spec: dict[str, Any]) -> None:
    made = made_of(spec, "app", STORED)
    assert made.unknown
    assert not made.values


def test_keys_that_another_entry_may_write_are_open() -> None:
    stored = {"user": "app", "a b": "x"}
    alone = made_of({"dataFrom": [WHOLE]}, "app", stored)
    assert (alone.values, alone.open) == ({"user": b"app", "a_b": b"x"}, set())
    followed = made_of({"dataFrom": [WHOLE, {"find": {"name": {"regexp": "."}}}]}, "app", stored)
    assert followed.open == {"user", "a_b"}
    last = made_of({"dataFrom": [{"extract": {"key": "other"}}, WHOLE]}, "app", stored)
    assert last.open == set()


@pytest.mark.parametrize(
    ("spec", "keys"),
    [
        ({"data": [USER]}, {"user"}),
        ({"data": [USER], "target": {"deletionPolicy": "Delete"}}, set()),
        (template("x"), {"url"}),
        (template("x", mergePolicy="Merge"), {"url", "user", "password"}),
        ({"data": [USER], "target": {"template": {"templateFrom": []}}}, {"user"}),
        ({"data": [USER], "target": {"template": {"templateFrom": [{"literal": "x"}]}}}, set()),
        ({"data": [USER], "target": {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}}, {"user"}),
        ({"data": [USER], "target": {"manifest": {"apiVersion": "x/v1", "kind": "Other"}}}, set()),
    ],
)
def test_the_keys_that_a_spec_promises(spec: dict[str, Any], keys: set[str]) -> None:
    assert promised(spec) == keys


def test_keys_are_told_from_the_metadata() -> None:
    fields = [{"fieldsV1": {"f:data": {".": {}, "f:user": {}}, "f:metadata": {}}}, {"fieldsV1": {"f:type": {}}}, {}]
    assert keys_of({"metadata": {"managedFields": fields}}) == {"user"}
