# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine, with objects that live in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import normalise
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput, SecretopsError
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.reconcile import apply, plan, reconcile
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.report import Report
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.resource import Change, Resource


class World:
    """Objects by name, and what was done to them in which order."""

    def __init__(self, **objects: dict[str, Any]) -> None:
        self.objects = dict(objects)
        self.calls: list[str] = []
        self.lock = threading.Lock()

    def note(self, call: str) -> None:
        with self.lock:
            self.calls.append(call)


class Thing(Resource):
    kind = "thing"
    fields = {"ttl": normalise.duration}
    secret_fields = frozenset(("pin",))
    write_only_fields = frozenset(("password",))

    def __init__(
        self,
        world: World,
        name: str,
        desired: Mapping[str, Any] | None,
        rank: int = 0,
        broken: str = "",
        needs: str | None = None,
    ) -> None:
        super().__init__(name, desired)
        self.needs = None if needs is None else frozenset(needs.split())
        self.world = world
        self.rank = rank
        self.broken = broken

    def check(self) -> None:
        if self.broken == "check":
            raise InvalidInput("cannot be right", remedy="correct it")

    def read(self) -> Mapping[str, Any] | None:
        self.world.note("read " + self.name)
        if self.broken == "read":
            raise SecretopsError("permission denied")
        return self.world.objects.get(self.name)

    def write(self, change: Change) -> None:
        self.world.note("write " + self.name)
        if self.broken == "half":
            change.touched = True
        if self.broken in ("write", "half"):
            raise SecretopsError("refused", remedy="ask somebody")
        stored = {key: value for key, value in (self.desired or {}).items() if key not in self.write_only_fields}
        self.world.objects[self.name] = {**(change.current or {}), **stored}

    def delete(self, change: Change) -> None:
        self.world.note("delete " + self.name)
        del self.world.objects[self.name]


def actions(report: Report) -> dict[str, str]:
    return {change.resource.name: change.action for change in report.changes}


def test_creates_updates_deletes_and_leaves_alone() -> None:
    world = World(same={"ttl": 3600, "extra": 1}, other={"ttl": 60}, old={"ttl": 1})

    def declared() -> list[Thing]:
        return [
            Thing(world, "new", {"ttl": "1m"}),
            Thing(world, "same", {"ttl": "1h", "none": None}),
            Thing(world, "other", {"ttl": "2m"}),
            Thing(world, "old", None),
            Thing(world, "gone", None),
        ]

    report = reconcile(declared())
    assert actions(report) == {"new": "create", "same": "none", "other": "update", "old": "delete", "gone": "none"}
    assert report.changed
    assert report.summary() == {"create": 1, "update": 1, "delete": 1, "none": 2, "failed": 0, "not_reached": 0}
    assert world.objects == {"new": {"ttl": "1m"}, "same": {"ttl": 3600, "extra": 1}, "other": {"ttl": "2m"}}

    again = reconcile(declared())
    assert not again.changed
    assert again.as_result()["diff"] == []


def test_a_report_of_changes_leaves_out_what_is_as_declared_and_nothing_else() -> None:
    world = World(same={"ttl": 60}, other={"ttl": 60}, bad={}, old={})
    things = [Thing(world, "same", {"ttl": 60}), Thing(world, "other", {"ttl": 5})]
    things.append(Thing(world, "bad", {}, broken="read"))
    report = reconcile([*things, Thing(world, "old", None), Thing(world, "gone", None)])
    told = report.as_result(only_changes=True)
    assert [entry["name"] for entry in told["results"]] == ["other", "bad", "old"]
    whole = report.as_result()
    assert [entry["name"] for entry in whole["results"]] == ["same", "other", "bad", "old", "gone"]
    assert {name: value for name, value in told.items() if name != "results"} == {
        name: value for name, value in whole.items() if name != "results"
    }


def test_many_workers_do_each_object_once_and_an_unexpected_error_ends_them() -> None:
    world = World()
    names = [f"thing{number}" for number in range(200)]
    report = reconcile([Thing(world, name, {"ttl": 1}) for name in names], workers=8)
    assert sorted(world.calls) == sorted(f"{verb} {name}" for name in names for verb in ("read", "write"))
    assert [entry["name"] for entry in report.as_result()["results"]] == names

    class Odd(Thing):
        def read(self) -> Any:
            raise ZeroDivisionError

    world = World()
    with pytest.raises(ZeroDivisionError):
        reconcile([Odd(world, "odd", {}), *[Thing(world, name, {}) for name in names]], workers=2)
    assert not [call for call in world.calls if call.startswith("write")]


def test_check_mode_reads_only_and_tells_the_same() -> None:
    world = World(other={"ttl": 60}, old={})
    report = reconcile(
        [Thing(world, "new", {}), Thing(world, "other", {"ttl": 5}), Thing(world, "old", None)], check_mode=True
    )
    assert {call.split()[0] for call in world.calls} == {"read"}
    assert report.changed
    assert [entry["changed"] for entry in report.as_result()["results"]] == [True, True, True]
    assert len(report.as_result()["diff"]) == 3
    assert report.summary()["not_reached"] == 0


def test_update_secrets() -> None:
    world = World(a={"user": "x"})
    desired = {"user": "x", "password": "hunter2"}
    assert actions(reconcile([Thing(world, "a", desired)], True, "on_create")) == {"a": "none"}
    always = reconcile([Thing(world, "a", desired)], True, "always")
    assert always.changes[0].fields == ["password"]
    created = reconcile([Thing(world, "b", desired)], True, "on_create")
    assert created.changes[0].fields == ["password", "user"]


def test_no_secret_in_the_result() -> None:
    world = World(a={"pin": "1111-old", "user": "x"}, gone={"pin": "2222-old"})
    report = reconcile(
        [
            Thing(world, "a", {"pin": "3333-new", "password": "hunter2", "user": "y"}),
            Thing(world, "b", {"pin": "4444-new", "password": "hunter3"}),
            Thing(world, "gone", None),
        ],
        check_mode=True,
    )
    text = str(report.as_result())
    for secret in ("1111-old", "2222-old", "3333-new", "4444-new", "hunter2", "hunter3"):
        assert secret not in text
    diff = report.changes[0].diff()
    assert diff is not None
    # a difference stays one: `ansible --diff` prints nothing for two equal texts
    assert diff["before"] != diff["after"]
    assert "user: x" in diff["before"]
    assert "user: y" in diff["after"]


def test_one_failure_names_its_object_and_the_others_go_on() -> None:
    world = World()
    report = reconcile(
        [Thing(world, "a", {}), Thing(world, "bad", {}, broken="write"), Thing(world, "c", {})], workers=1
    )
    assert set(world.objects) == {"a", "c"}
    assert report.changed
    assert report.summary() == {"create": 2, "update": 0, "delete": 0, "none": 0, "failed": 1, "not_reached": 0}
    assert report.message() == 'thing "bad": refused; ask somebody (1 failed, 2 changed, 0 unchanged, 0 not reached)'
    entries = {entry["name"]: entry for entry in report.as_result()["results"]}
    assert entries["bad"]["changed"] is False
    assert entries["bad"]["error"] == 'thing "bad": refused; ask somebody'
    assert len(report.as_result()["diff"]) == 2


def test_what_was_half_done_counts_as_changed() -> None:
    report = reconcile([Thing(World(), "a", {}, broken="half")])
    assert report.failed
    assert report.changed
    assert report.as_result()["results"][0]["changed"] is True


def test_what_was_not_reached_is_not_changed() -> None:
    world = World(old={})
    report = reconcile(
        [
            Thing(world, "late", {}, rank=2),
            Thing(world, "bad", {}, rank=1, broken="write"),
            Thing(world, "old", None),
        ]
    )
    assert not report.changed
    assert report.summary()["not_reached"] == 2
    assert world.objects == {"old": {}}
    assert [entry["changed"] for entry in report.as_result()["results"]] == [False, False, False]
    assert report.as_result()["diff"] == []


def test_what_does_not_need_the_failed_one_is_reached() -> None:
    """What needs it is not, nor what needs that; what could not be read counts as failed."""
    world = World(old={})
    report = reconcile(
        [
            Thing(world, "bad", {}, broken="write", needs=""),
            Thing(world, "unread", {}, broken="read", needs=""),
            Thing(world, "good", {}, needs=""),
            Thing(world, "on bad", {}, rank=1, needs="good bad"),
            Thing(world, "on unread", {}, rank=1, needs="unread"),
            Thing(world, "on good", {}, rank=1, needs="good"),
            Thing(world, "on on bad", {}, rank=2, needs="bad"),
            Thing(world, "on all", {}, rank=3),
            Thing(world, "old", None),
        ]
    )
    assert set(world.objects) == {"old", "good", "on good"}
    assert report.summary() == {"create": 2, "update": 0, "delete": 0, "none": 0, "failed": 2, "not_reached": 5}


def test_what_could_not_be_deleted_keeps_no_other_of_its_rank() -> None:
    world = World(a={}, b={}, parent={})
    absent = [Thing(world, "a", None, broken="read"), Thing(world, "b", None), Thing(world, "parent", None, rank=-1)]
    assert reconcile(absent).summary()["delete"] == 2
    assert set(world.objects) == {"a"}


def test_ranks_order_writes_and_reverse_deletes() -> None:
    world = World(x={}, y={})
    reconcile(
        [
            Thing(world, "x", None, rank=1),
            Thing(world, "y", None, rank=2),
            Thing(world, "b", {}, rank=2),
            Thing(world, "a", {}, rank=1),
        ]
    )
    assert [call for call in world.calls if not call.startswith("read")] == [
        "write a",
        "write b",
        "delete y",
        "delete x",
    ]


def test_a_read_that_fails_leaves_the_object_alone() -> None:
    world = World()
    report = reconcile([Thing(world, "a", {}, broken="read"), Thing(world, "b", {})])
    assert set(world.objects) == {"b"}
    assert [change.resource.name for change in report.failed] == ["a"]


@pytest.mark.parametrize("state", [{}, None])
def test_a_wrong_declaration_stops_everything_before_the_first_read(state: dict[str, Any] | None) -> None:
    world = World()
    with pytest.raises(InvalidInput, match='thing "b": cannot be right; correct it'):
        plan([Thing(world, "a", state), Thing(world, "b", state, broken="check")])
    assert world.calls == []


def test_twice_the_same_object_is_refused() -> None:
    world = World()
    with pytest.raises(InvalidInput, match='thing "a": is declared twice; keep one of the two'):
        plan([Thing(world, "a", {}), Thing(world, "a", None)])
    assert world.calls == []


def test_order_of_results_is_that_of_the_declaration() -> None:
    world = World()
    names = ["n%d" % number for number in range(50)]
    changes = plan([Thing(world, name, {}) for name in names], workers=8)
    apply(changes, workers=8)
    assert [change.resource.name for change in changes] == names
    assert set(world.objects) == set(names)


def test_single_object_gives_its_info_at_the_top() -> None:
    thing = Thing(World(), "a", {})
    thing.info.update(version=3, changed="never")
    result = reconcile([thing]).as_result()
    assert result["version"] == 3
    assert result["changed"] is True


def test_each_class_may_look_at_all_its_objects_once_before_the_first_read() -> None:
    class Known(Thing):
        @classmethod
        def prepare(cls, resources: Any) -> None:
            resources[0].world.note("prepare %d" % len(resources))

    world = World()
    plan([Known(world, "a", {}), Thing(world, "b", {}), Known(world, "c", {})], workers=1)
    assert world.calls == ["prepare 2", "read a", "read b", "read c"]


class Silence(SecretopsError):
    """What every object would meet."""

    ends_task = True


class Unanswered(Thing):
    """An object of a server that does not answer."""

    def read(self) -> Mapping[str, Any] | None:
        self.world.note(self.name)
        raise Silence("no answer")


@pytest.mark.parametrize("workers", [1, 4])
def test_what_every_object_would_meet_is_told_once_and_ends_the_task(workers: int) -> None:
    world = World()
    many = [Unanswered(world, str(number), {"a": 1}) for number in range(50)]
    report = reconcile([*many, Thing(world, "gone", None)], workers=workers)
    assert len(world.calls) <= workers
    assert report.summary() == {"create": 0, "update": 0, "delete": 0, "none": 0, "failed": 1, "not_reached": 50}
    assert report.message().count("no answer") == 1
    assert len(report.as_result()["results"]) == 1, "what was not looked at was not compared"


def test_a_server_of_its_own_says_nothing_of_the_others() -> None:
    class Node(Unanswered):
        own_server = True

    world = World()
    report = reconcile([Node(world, "down", {}), Thing(world, "up", {"a": 1})])
    assert report.summary()["failed"] == 1 and report.summary()["not_reached"] == 0
    assert set(world.objects) == {"up"}
