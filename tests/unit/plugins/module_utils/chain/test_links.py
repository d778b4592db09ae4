# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths, properties, globs and selectors are what the operator and Vault take them for."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._chain import links


@pytest.mark.parametrize(
    ("vault", "key", "part", "path"),
    [
        ({"path": "secret"}, "app/db", "data", "secret/data/app/db"),
        ({"path": "secret"}, "secret/app", "data", "secret/data/app"),
        ({"path": "secret"}, "secret/data/app", "data", "secret/data/app"),
        ({"path": "secret"}, "data/app", "data", "secret/data/data/app"),
        ({"path": "secret"}, "app", "metadata", "secret/metadata/app"),
        ({"path": "kv", "version": "v1"}, "app", "data", "kv/app"),
        ({}, "secret/app/db", "data", "secret/data/app/db"),
        ({}, "secret/data/app", "metadata", "secret/metadata/app"),
        ({"version": "v1"}, "kv/app", "data", "kv/app"),
    ],
)
def test_paths_are_built_as_the_operator_builds_them(vault: dict[str, Any], key: str, part: str, path: str) -> None:
    assert links.api_path(vault, key, part) == path


@pytest.mark.parametrize(
    ("vault", "key", "path"),
    [
        ({"path": "secret"}, "app/db", "secret/metadata/app/db"),
        # what is shortened for data is not shortened here
        ({"path": "secret"}, "secret/data/app", "secret/metadata/secret/data/app"),
        ({}, "secret/data/app", "secret/metadata/app"),
    ],
)
def test_paths_of_metadata_are_built_as_the_operator_builds_them(vault: dict[str, Any], key: str, path: str) -> None:
    assert links.metadata_path(vault, key) == path


@pytest.mark.parametrize("vault", [{}, {"path": "secret", "version": "v1"}])
def test_metadata_that_the_operator_cannot_fetch_is_a_broken_link(vault: dict[str, Any]) -> None:
    with pytest.raises(links.Broken):
        links.metadata_path(vault, "secret/app")


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("user", True),
        ("a.b", True),
        ("deep.list.1", True),
        ("deep.list.2", False),
        ("deep.other", False),
        ("document.inner", True),
        ("user.more", False),
        ("nothing", False),
        ("deep.#.query", True),
    ],
)
def test_a_property_is_a_literal_key_first_and_then_a_path(name: str, there: bool) -> None:
    data = {"user": "x", "a.b": "y", "deep": {"list": [1, 2]}, "document": '{"inner": 1}'}
    assert links.has_property(data, name) is there


@pytest.mark.parametrize(
    ("values", "name", "bound"),
    [
        (["*"], "a", True),
        (["team-*"], "team-a", True),
        (["a[b]"], "ab", False),
        (["a?"], "ab", False),
        ([], "a", False),
    ],
)
def test_only_a_star_is_a_wildcard(values: list[str], name: str, bound: bool) -> None:
    assert links.globbed(values, name) is bound


@pytest.mark.parametrize(
    ("rule", "selected"),
    [
        ({"matchLabels": {"team": "a"}}, True),
        ({"matchLabels": {"team": "b"}}, False),
        ({}, True),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "other", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "other", "operator": "Exists"}]}, False),
    ],
)
def test_selectors(rule: dict[str, Any], selected: bool) -> None:
    assert links.selects(rule, {"team": "a"}) is selected


def test_the_service_account_of_a_tokens_claims() -> None:
    assert links.account({"kubernetes.io": {"namespace": "n", "serviceaccount": {"name": "a"}}}) == ("n", "a")
    old = {"kubernetes.io/serviceaccount/namespace": "n", "kubernetes.io/serviceaccount/service-account.name": "a"}
    assert links.account(old) == ("n", "a")
