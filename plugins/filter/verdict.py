# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last line of a playbook: what stands, what changed, what waits, and what failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, NamedTuple

from ansible.utils.unsafe_proxy import wrap_var

from .drift import _from_k8s

#: so many hosts are named one by one
NAMED = 6


class Counted(NamedTuple):
    """Registered results of which the objects are counted.

    ``one`` and ``many`` name an object, ``done`` is what happened to those that changed, ``would`` the same in check
    mode, and ``rest`` is said when nothing had to be done.
    """

    variables: re.Pattern[str]
    one: str
    many: str
    done: str
    would: str
    rest: str


def _counted(variables: str, one: str, many: str, done: str, would: str, rest: str = "as declared") -> Counted:
    return Counted(re.compile(variables), one, many, done, would, rest)


_CHANGED = ("changed", "would change")
COUNTED = (
    _counted("__(vault_config|tenant)_result", "object in Vault", "objects in Vault", *_CHANGED),
    _counted(r"__eso_resources_\w+_result", "object in Kubernetes", "objects in Kubernetes", *_CHANGED),
    _counted(
        "__eso_(compared|prepared|tidied|(crds|crds_removed|release|releases|files|files_removed)_result)",
        "part of the operator",
        "parts of the operator",
        *_CHANGED,
    ),
    _counted("__eso_gitops_tree", "file in Git", "files in Git", *_CHANGED),
    _counted("__rotation_written", "application", "applications", "rotated", "would be rotated", "not due"),
    _counted("__vault_cluster_unsealing", "node", "nodes", "unsealed", "would be unsealed", "unsealed already"),
    _counted(
        "__vault_cluster_given", "node", "nodes", "took the key share", "would take the key share", "had it already"
    ),
    _counted("__eso_backup_restored", "object", "objects", "restored", "would be restored", "as saved"),
)


def _count(result: Any) -> tuple[int, int]:
    """Return how many objects of a registered result changed, and how many there are; those that failed are none."""
    if not isinstance(result, Mapping) or result.get("skipped"):
        return 0, 0
    summary = result.get("summary")
    if isinstance(summary, Mapping):
        # what failed or was not reached is neither changed nor as declared
        changed = sum(int(summary.get(action) or 0) for action in ("create", "update", "delete"))
        return changed, changed + int(summary.get("none") or 0)
    entries = result.get("results")
    if isinstance(entries, list):
        counts = [_count(entry) for entry in entries]
        return sum(changed for changed, _all in counts), sum(every for _changed, every in counts)
    inner = result.get("result")
    if "method" in result or (isinstance(inner, Mapping) and "results" in inner):
        changes, errors, every = _from_k8s(result)
        return len(changes), every - len(errors)
    if result.get("failed"):
        return 0, 0
    return int(bool(result.get("changed"))), 1


def _sums(host: Mapping[str, Any], check: bool) -> Iterator[str]:
    """Yield what was counted on a host."""
    names = sorted(host)
    for source in COUNTED:
        found = [_count(host[name]) for name in names if source.variables.fullmatch(name)]
        changed, every = sum(one for one, _all in found), sum(whole for _one, whole in found)
        if not every:
            continue
        noun = source.one if every == 1 else source.many
        if changed:
            of = "%d" % changed if changed == every else "%d of %d" % (changed, every)
            yield "%s %s %s" % (of, noun, source.would if check else source.done)
        else:
            yield "%d %s %s" % (every, noun, source.rest)


def _ran(host: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return a registered result of a task that ran and did not fail."""
    result = host.get(name)
    usable = isinstance(result, Mapping) and not result.get("skipped") and not result.get("failed")
    return result if usable else None


def _single(host: Mapping[str, Any], check: bool) -> Iterator[str]:
    """Yield what single tasks did on a host."""
    saved = _ran(host, "__snapshot_saved")
    if saved:
        copied = ["%s/%s" % (str(one.get("url")).rstrip("/"), one.get("name")) for one in saved.get("copies") or []]
        kept = ([str(saved["path"])] if saved.get("path") else []) + copied
        yield "a snapshot would be saved" if check else "saved %s" % ", ".join(kept)
    restored = _ran(host, "__snapshot_restored_again") or _ran(host, "__snapshot_restored")
    if restored and check:
        yield "would be put back to %s" % restored.get("path")
    elif restored:
        yield "put back to %s, %s" % (restored.get("path"), host.get("snapshot_restore_proof") or "not proven")
    drilled = host.get("__snapshot_drill_report") or {}
    if drilled.get("ok"):
        yield "a restore of %s %s" % (drilled.get("snapshot"), "would be tried" if check else "was tried, and works")
    backup = _ran(host, "__eso_backup_saved")
    if backup:
        what = sum((backup.get("count") or {}).values())
        place = backup.get("path")
        if not backup.get("changed"):
            yield "%d objects are in %s as they stand" % (what, place)
        else:
            yield "%d objects %s %s" % (what, "would be saved to" if check else "saved to", place)
    replaced = host.get("vault_cluster_replacement")
    if isinstance(replaced, Mapping):
        names = ", ".join(replaced["take"])
        end = (
            "would be replaced" if check else "replaced, and votes" if replaced.get("proven") else "not proven to vote"
        )
        yield "%s %s" % (names, end) if names else "no node was replaced"
    exported = _ran(host, "__vault_export_result")
    if exported:
        yield str(exported.get("msg"))
    kept = (_ran(host, "__eso_backup_restored") or {}).get("kept") or []
    if kept:
        yield "%d that differ were left as they are" % len(kept)
    chain = host.get("__validation_chain")
    if isinstance(chain, Mapping) and "broken" in chain:
        every, broken = len(chain.get("results") or []), int(chain.get("broken") or 0)
        yield "%d of %d ways to Vault are broken" % (broken, every) if broken else "all %d ways to Vault hold" % every
    replaced = host.get("__vault_server_ca_plan") or {}
    if replaced.get("says"):
        yield str(replaced["says"])
    due = host.get("__vault_certificates_due")
    if isinstance(due, Mapping):
        names = ", ".join(due["renew"] if check else host.get("__vault_certificates_renewed") or [])
        if names:
            yield "%s %s" % (names, "would be renewed" if check else "renewed")
        elif not due["renew"]:
            yield "no key pair is due"
    if host.get("vault_server_state"):
        yield _server(host, check)
    # the cluster's own host; its servers keep the same facts empty
    if host.get("__vault_rolling_complete"):
        taken = [str(name) for name in host["__vault_rolling_order" if check else "__vault_rolling_done"] or []]
        yield "%s %s" % (", then ".join(taken), "would be taken" if check else "taken") if taken else "no node waits"


def _server(host: Mapping[str, Any], check: bool) -> str:
    """Return what became of a server's process."""
    for name, done in (
        ("__vault_server_restarted", "restarted"),
        ("__vault_server_started", "started"),
        ("__vault_server_reloaded", "reloaded"),
    ):
        if (_ran(host, name) or {}).get("changed"):
            return "the server %s %s" % ("would be" if check else "was", done)
    return "the server runs" if host["vault_server_state"].get("runs") or not check else "the server would be installed"


def _waits(host: Mapping[str, Any], check: bool) -> Iterator[str]:
    """Yield what is still to be done for a host."""
    if check and host.get("vault_cluster_missing"):
        yield "is still to be built"
    if check and host.get("converge_vault_missing"):
        yield "waits for its Vault to be built"
    state = host.get("vault_server_state") or {}
    if state.get("restart") and not _ran(host, "__vault_server_restarted"):
        reasons = ", ".join(str(reason) for reason in state.get("restart_reasons") or [])
        yield "waits for a restart (%s): playbook rolling" % reasons
    left = host.get("__rotation_failed") or []
    if left:
        yield "not rotated: %s" % ", ".join(str(name) for name in left)
    missing = host.get("__snapshot_restore_missing")
    if check and missing:
        yield "missing for a restore: %s" % missing


def _joined(said: Iterable[tuple[str, str]]) -> str:
    """Return sentences of hosts, with those together that have the same."""
    hosts: dict[str, list[str]] = {}
    for host, text in said:
        hosts.setdefault(text, []).append(host)
    return "; ".join("%s: %s" % (_named(names), text) for text, names in hosts.items())


def _named(hosts: list[str]) -> str:
    return ", ".join(hosts) if len(hosts) <= NAMED else "%d hosts" % len(hosts)


def verdict(hosts: Mapping[str, Mapping[str, Any]], check: bool = False, ended: Iterable[str] = ()) -> str:
    """Return the last line of a playbook from what its tasks registered on each host.

    ``ended``: the hosts that an error took out of the run.
    """
    noted = [name for name, host in hosts.items() if host.get("converge_failure")]
    lost = [name for name in ended if name not in noted]
    said = [(name, text) for name, host in hosts.items() for text in [", ".join(_told(host, check))] if text]
    waits = [(name, ", ".join(_waits(host, check))) for name, host in hosts.items()]
    parts = [
        _joined(said),
        "Pending: %s" % _joined(found) if (found := [one for one in waits if one[1]]) else "",
        "Failed: %s (see the error above)" % _named(lost) if lost else "",
        "Failed: %s (see the error below)" % _named(noted) if noted else "",
    ]
    text = ". ".join(part for part in parts if part)
    if not text:
        text = "There was nothing to do"
    return wrap_var("%s%s." % ("Check mode, nothing was changed. " if check else "", text))


def _told(host: Mapping[str, Any], check: bool) -> Iterator[str]:
    yield from _sums(host, check)
    yield from _single(host, check)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"verdict": verdict}
