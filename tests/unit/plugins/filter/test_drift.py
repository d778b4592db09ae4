# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of drift makes of results."""

from __future__ import annotations

from ansible_collections.secretops.vault_eso.plugins.filter import drift

RESULT = {
    "results": [
        {"kind": "policy", "name": "a", "action": "update", "changed": True, "fields": ["policy"]},
        {"kind": "policy", "name": "b", "action": "none", "changed": False, "fields": []},
    ],
    "diff": [
        {
            "before_header": 'policy "a" (update)',
            "before": "policy: one\nsame: {{name}}\n",
            "after": "policy: two\nsame: {{name}}\n",
        }
    ],
    "invocation": {"module_args": {"token": "never-to-be-seen"}},
}


def test_a_difference_is_named_and_shown_and_nothing_else_of_the_result_is_kept():
    (part,) = drift.drift_part(RESULT, "password_policies", "team-a")
    assert part == {
        "part": "password policies",
        "inside": "team-a",
        "status": "drift",
        "compared": 2,
        "changes": [
            {
                "kind": "policy",
                "name": "a",
                "action": "update",
                "fields": ["policy"],
                "diff": ["-policy: one", "+policy: two", " same: {{name}}"],
            }
        ],
        "errors": [],
        "warnings": [],
    }


def test_a_skipped_task_is_no_part():
    assert drift.drift_part({"skipped": True, "changed": False}, "quotas") == []


def test_errors_of_objects_are_kept_beside_differences():
    broken = {"kind": "policy", "name": "c", "action": "none", "changed": False, "error": "permission denied"}
    (part,) = drift.drift_part({**RESULT, "failed": True, "results": [*RESULT["results"], broken]}, "policies")
    assert part["status"] == "failed"
    assert part["errors"] == [{"kind": "policy", "name": "c", "message": "permission denied"}]
    assert [change["name"] for change in part["changes"]] == ["a"]


def test_a_task_that_failed_as_a_whole_says_why():
    (part,) = drift.drift_part({"failed": True, "msg": "no answer"}, "policies")
    assert (part["status"], part["errors"][0]["message"]) == ("failed", "no answer")


def test_kubernetes_objects_of_a_namespace_that_is_missing_too_would_be_made():
    namespace = {"kind": "Namespace", "metadata": {"name": "n"}}
    account = {"kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "n"}}
    result = {
        "changed": True,
        "result": {
            "results": [
                {"changed": True, "method": "create", "result": namespace},
                {"changed": False, "result": {}, "error": {"msg": 'namespaces "n" not found'}},
            ]
        },
        "invocation": {"module_args": {"resource_definition": [namespace, account]}},
    }
    (part,) = drift.drift_part(result, "namespaces")
    assert [(one["action"], one["kind"], one["name"]) for one in part["changes"]] == [
        ("create", "Namespace", "n"),
        ("create", "ServiceAccount", "n/a"),
    ]
    assert part["errors"] == []


def test_what_a_look_found_as_declared_was_compared():
    look = {"changed": False, "summary": {"none": 3}, "differing": {"declared": [1]}}
    (part,) = drift.drift_part(look, "unchanged_namespaces")
    assert (part["status"], part["compared"], part["changes"]) == ("clean", 3, [])


def test_what_could_not_be_compared_outweighs_a_difference():
    (clean,) = drift.drift_part({"results": []}, "quotas")
    (differs,) = drift.drift_part(RESULT, "policies")
    (failed,) = drift.drift_part({"failed": True, "msg": "no answer"}, "secrets")
    statuses = [
        drift.drift_report({"one": parts})["status"] for parts in ([], [clean], [clean, differs], [differs, failed])
    ]
    assert statuses == ["clean", "clean", "drift", "failed"]
    report = drift.drift_report({"one": [differs], "two": [failed]}, "2026-01-01T00:00:00Z")
    assert (report["changes"], report["errors"], report["written"]) == (1, 1, "2026-01-01T00:00:00Z")


def test_a_tree_gives_a_part_for_each_of_its_lists():
    outside = {"kind": "policy", "name": "shop", "action": "update", "changed": True, "fields": ["policy"]}
    header = 'policy "shop" in namespace "team-a" (update)'
    tree = {
        "changed": True,
        "warnings": ['policy "shop" in namespace "team-a": odd', "about nothing in particular"],
        "results": [
            {**outside, "part": "policies", "action": "none", "changed": False, "fields": []},
            {**outside, "part": "policies", "namespace": "team-a"},
            {**outside, "kind": "secret", "part": "secrets", "changed": False, "error": "refused"},
        ],
        "diff": [{"before_header": header, "after_header": header, "before": "policy: a\n", "after": "policy: b\n"}],
        "failed": True,
    }
    parts = drift.drift_part(tree, "vault")
    assert [(part["part"], part["inside"], part["status"]) for part in parts] == [
        ("policies", "", "clean"),
        ("policies", "team-a", "drift"),
        ("secrets", "", "failed"),
    ]
    assert parts[0]["warnings"] == ["about nothing in particular"]
    assert parts[1]["warnings"] == ['policy "shop" in namespace "team-a": odd']
    assert parts[1]["changes"][0]["diff"] == ["-policy: a", "+policy: b"]
    assert drift.changes(tree) == ['update policy "shop" in namespace "team-a"']
