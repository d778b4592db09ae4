# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of rotations is pure logic: what is declared, and what the custom metadata says of a run that died."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._rotation import declared, record
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.kv.fields import NOTES

OLD, NEW = {"a": "1", "b": "1", "c": "1"}, {"a": "2", "b": "2", "c": "1"}


def application(**more: Any) -> declared.Application:
    item = {"name": "web", "path": "apps/web", "generate": {"password": {}}, **more}
    return declared.Application(item, ["one", "two"])


@pytest.mark.parametrize(
    ("before", "current", "number", "found"),
    [
        (OLD, NEW, 2, True),
        (OLD, {**NEW, "c": "9"}, 3, True),
        (OLD, OLD, 1, False),
        (OLD, {**OLD, "c": "9"}, 2, False),
        (OLD, {**NEW, "b": "1"}, 2, False),
        (OLD, {"a": "2", "c": "1"}, 2, False),
        # the version before can be read no more
        (None, NEW, 2, True),
        (None, NEW, 1, False),
    ],
)
def test_whether_an_earlier_run_wrote_the_new_values(
    before: dict[str, str] | None, current: dict[str, str], number: int, found: bool
) -> None:
    assert record.written(["a", "b"], before, current, 1, number) is found


def test_a_rotation_in_progress_is_read_as_it_was_written() -> None:
    owner = {"pid": 4194304, "start": "123456789012", "space": "x" * 60}
    stamp = "2026-01-31T10:00:00.123456789Z"
    one = record.InProgress("20260131T100000Z-1f2e3d4c", 1234567, record.ROLLING_BACK, stamp, owner)
    assert record.in_progress({record.IN_PROGRESS: one.text()}) == one
    assert len(one.text()) < record.LONGEST
    assert record.in_progress({}) is None
    for other in ("", "x", "{}", '{"version": "a"}'):
        assert record.in_progress({record.IN_PROGRESS: other}) is None


def test_clusters_that_are_left_out_are_read_as_they_were_written() -> None:
    few, many = ["eu", "us"], [f"kubernetes-{number}" for number in range(50)]
    assert record.skipped_text([]) is None and record.skipped_clusters({}, few) == []
    for left, among, found in ((["us"], few, ["us"]), (["us"], ["u"], []), (many, [*many, "eu"], [*many, "eu"])):
        noted = record.skipped_text(left) or ""
        assert len(noted) < record.LONGEST
        assert record.skipped_clusters({record.SKIPPED: noted}, among) == found


def test_a_probe_is_what_is_declared() -> None:
    found = application(probe={"url": "https://web.example.com/health/", "status": None, "timeout": None}).probe
    assert found is not None and found[:2] == ("https://web.example.com/health/", (200,)) and found.timeout == 60
    assert application(probe=None).probe is None
    for url in ("web/health", "https://somebody:a-password@web.example.com", "https://web.example.com/?token=x"):
        with pytest.raises(InvalidInput, match='application "web": option "probe": option "url"') as refused:
            application(probe={"url": url})
        assert "a-password" not in str(refused.value)


def test_what_is_noted_is_nobodys_drift() -> None:
    assert {record.ROTATED_AT, record.RUN_ID, record.IN_PROGRESS, record.SKIPPED} == NOTES


def test_how_old_a_secret_is() -> None:
    versions = {"2": {"created_time": "1970-01-01T00:01:40.5Z"}}
    metadata: dict[str, Any] = {"current_version": 2, "versions": versions, "custom_metadata": None}
    assert record.age(metadata, 200) == 100
    assert record.age({**metadata, "custom_metadata": {record.ROTATED_AT: "1970-01-01T00:00:20Z"}}, 200) == 180
    assert record.age({**metadata, "custom_metadata": {record.ROTATED_AT: "yesterday"}}, 200) == 100
    assert record.age({}, 200) is None
    assert [record.age_text(one) for one in (None, 5, 60, 7300, 86400 * 40)] == [
        *("of unknown age", "new", "1 minute old", "2 hours old", "40 days old")
    ]


def test_where_an_entry_without_a_cluster_is() -> None:
    place = {"namespace": "n", "name": "x"}
    one = application(external_secrets=[place], workloads=[{**place, "cluster": "two"}])
    assert [found.cluster for found in one.external_secrets] == ["one", "two"]
    assert one.clusters == ["one", "two"] and one.within(["one"]).workloads == ()


def test_a_folder_becomes_its_secrets() -> None:
    item = {
        "name": "all",
        "path": "apps/*",
        "external_secrets": [{"namespace": "team-*", "name": "*"}],
        "database": {"static_roles": ["*-a", "*-b"], "key": "password", "username_key": "user"},
        "probe": {"url": "https://*.example.com/health"},
    }
    declared.check_folder(item, ["one"])
    with pytest.raises(InvalidInput, match='the cluster "no" is none of this run'):
        declared.check_folder({**item, "workloads": [{"namespace": "x", "name": "x", "cluster": "no"}]}, ["one"])
    assert declared.is_folder(item) and declared.folder(item) == "apps"
    (one,) = declared.expand_folder(item, ["web", "inner/"])
    assert (one["name"], one["path"]) == ("web", "apps/web")
    assert one["external_secrets"] == [{"namespace": "team-web", "name": "web"}]
    assert one["database"]["static_roles"] == ["web-a", "web-b"]
    assert one["probe"] == {"url": "https://web.example.com/health"}


@pytest.mark.parametrize(
    ("database", "message"),
    [
        ({}, "names a static role and a connection, or none"),
        ({"static_roles": ["a"], "connection": "b"}, "names a static role and a connection, or none"),
        ({"static_roles": ["a"], "key": ""}, "which key holds the password"),
        ({"static_roles": ["a"], "key": "password"}, "cannot be generated here"),
        ({"static_roles": ["a", "b"]}, "have two users"),
        ({"static_roles": ["a", "a"], "username_key": "user"}, "that take turns"),
        ({"static_roles": ["a/b"]}, "the server refuses"),
        ({"connection": "main", "key": "password"}, "needs a username"),
        ({"connection": "main", "username": "web"}, "needs a username and a generated password"),
    ],
)
def test_a_database_that_cannot_be_right(database: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        application(database={"key": "db_password", "mount": "database", **database})


def test_a_place_without_any_cluster_is_refused() -> None:
    with pytest.raises(InvalidInput, match="there is no Kubernetes cluster"):
        declared.Application(
            {"name": "x", "path": "x", "generate": {"a": {}}, "workloads": [{"namespace": "n", "name": "x"}]}, []
        )
