# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters through which the role drift turns results of check mode into a report."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import wording

CLEAN = "clean"
DRIFT = "drift"
FAILED = "failed"


def _lines(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    return json.dumps(value, indent=2, sort_keys=True, default=str).splitlines() if value else []


def _unified(diff: Mapping[str, Any]) -> list[str]:
    """Return what differs as lines that begin with a space, ``-`` (is) or ``+`` (is declared)."""
    lines = list(difflib.unified_diff(_lines(diff.get("before")), _lines(diff.get("after")), n=2, lineterm=""))
    return [line for line in lines[2:] if not line.startswith("@@")]


def label_of(entry: Mapping[str, Any]) -> str:
    """Return an object of a result as the engine names it."""
    inside = entry.get("namespace")
    return '%s "%s"' % (entry.get("kind"), entry.get("name")) + (' in namespace "%s"' % inside if inside else "")


def _from_engine(result: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the changes and errors of a result of this collection's modules, whose diffs hide secrets."""
    diffs = result.get("diff") or []
    by_header = {str(one.get("before_header")): one for one in ([diffs] if isinstance(diffs, Mapping) else diffs)}
    changes, errors = [], []
    for entry in result["results"]:
        one = {name: entry.get(name) for name in ("kind", "name", "action")}
        label = label_of(entry)
        if entry.get("error"):
            errors.append({"kind": one["kind"], "name": one["name"], "message": entry["error"]})
        elif entry.get("changed"):
            diff = by_header.get("%s (%s)" % (label, one["action"]), {})
            changes.append({**one, "fields": list(entry.get("fields") or []), "diff": _unified(diff)})
    return changes, errors


def _from_k8s(result: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """Return changes, errors and the number of objects of a result of kubernetes.core.k8s."""
    inner = result.get("result") or {}
    many = inner.get("results")
    items: list[Mapping[str, Any]] = many if isinstance(many, list) else [result]
    declared = ((result.get("invocation") or {}).get("module_args") or {}).get("resource_definition") or []
    changes: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for number, item in enumerate(items):
        shown = item.get("result") or (declared[number] if number < len(declared) else {})
        metadata = shown.get("metadata") or {}
        name = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
        one = {"kind": shown.get("kind") or "object", "name": name}
        message = str((item.get("error") or {}).get("msg") or "")
        if wording.in_missing_namespace(message):
            # Objects of a namespace that does not exist yet cannot be dry-run; the namespace would be created first.
            changes.append({**one, "action": "create", "fields": [], "diff": []})
        elif message:
            errors.append({**one, "message": message})
        elif item.get("changed"):
            action = {"create": "create", "delete": "delete"}.get(str(item.get("method")), "update")
            diff = item.get("diff") or {}
            changes.append({**one, "action": action, "fields": sorted(diff.get("after") or {}), "diff": _unified(diff)})
    return changes, errors, len(items)


def drift_status(parts: Iterable[Mapping[str, Any]]) -> str:
    """Return the gravest status of some parts, or hosts: what could not be compared weighs more than a difference."""
    found = {str(part["status"]) for part in parts}
    return FAILED if FAILED in found else DRIFT if DRIFT in found else CLEAN


def _groups(result: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the parts of a tree's result: name, namespace, and a result of their own."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    warnings = [str(warning) for warning in result.get("warnings") or []]
    for entry in result["results"]:
        key = (str(entry["part"]), str(entry.get("namespace") or ""))
        group = groups.setdefault(key, {"results": [], "diff": result.get("diff"), "warnings": []})
        group["results"].append(entry)
        label = label_of(entry)
        group["warnings"] += [text for text in warnings if text.startswith(label + ":")]
    told = {text for group in groups.values() for text in group["warnings"]}
    for group in groups.values():
        group["warnings"] += [text for text in warnings if text not in told]
        break
    return [(name, inside, group) for (name, inside), group in groups.items()]


def drift_part(result: Mapping[str, Any], name: str, inside: str = "") -> list[dict[str, Any]]:
    """Return the result of one task in check mode as one part of a report; nothing when the task was skipped.

    The result of a whole tree of declarations gives a part for each of its lists.
    """
    if result.get("skipped") or not result:
        return []
    entries = result.get("results")
    if isinstance(entries, list) and entries and all("part" in entry for entry in entries):
        return [part for title, place, group in _groups(result) for part in drift_part_of(group, title, place)]
    return drift_part_of(result, name, inside)


def drift_part_of(result: Mapping[str, Any], name: str, inside: str) -> list[dict[str, Any]]:
    """Return one part of a report."""
    errors: list[dict[str, Any]] = []
    if isinstance(result.get("results"), list):
        changes, errors = _from_engine(result)
        # what could not be read was not compared
        compared = sum(not entry.get("error") for entry in result["results"])
    elif "method" in result or "result" in result:
        changes, errors, compared = _from_k8s(result)
    elif isinstance(result.get("summary"), Mapping):
        # a look that found these as they are declared
        changes, compared = [], int(result["summary"].get("none") or 0)
    else:
        changes, compared = [], 0
    failed = bool(result.get("failed") or errors)
    if failed and not errors:
        said = [str(result.get(name) or "").strip() for name in ("msg", "stderr")]
        message = ": ".join(text for text in said if text) or "the task failed without a message"
        errors = [{"kind": "", "name": "", "message": message}]
    part = {
        "part": name.replace("_", " "),
        "inside": inside,
        "status": FAILED if failed else DRIFT if changes else CLEAN,
        "compared": compared,
        "changes": changes,
        "errors": errors,
        "warnings": list(dict.fromkeys(str(warning) for warning in result.get("warnings") or [])),
    }
    # A policy or a statement in a diff may hold braces of its own: they are no template.
    return [wrap_var(part)]


def drift_report(found: Mapping[str, Sequence[Mapping[str, Any]]], written: str = "") -> dict[str, Any]:
    """Return the report of a whole run from the parts by host."""
    hosts = [
        {
            "host": host,
            "status": drift_status(parts),
            "compared": sum(part["compared"] for part in parts),
            "changes": sum(len(part["changes"]) for part in parts),
            "errors": sum(len(part["errors"]) for part in parts),
            "parts": list(parts),
        }
        for host, parts in found.items()
    ]
    totals = {name: sum(int(host[name]) for host in hosts) for name in ("compared", "changes", "errors")}
    return {"status": drift_status(hosts), "written": written, **totals, "hosts": hosts}


def changes(result: Mapping[str, Any]) -> list[str]:
    """Return what a task of this collection changed, or in check mode would change, a line for each object."""
    lines = []
    for entry in result.get("results") or []:
        if entry.get("changed"):
            # a field that is called as the object itself tells nothing: update policy "reader": policy
            fields = ", ".join(str(name) for name in entry.get("fields") or [] if name != entry.get("kind"))
            line = "%s %s" % (entry.get("action"), label_of(entry))
            lines.append("%s: %s" % (line, fields) if fields and entry.get("action") == "update" else line)
    return wrap_var(lines)


class FilterModule:
    """Ansible finds the filters here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"changes": changes, "drift_part": drift_part, "drift_report": drift_report}
