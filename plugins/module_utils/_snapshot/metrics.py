# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Age and size of snapshots for Prometheus, by a file for the textfile collector of its node_exporter.

Source: node_exporter, collector/textfile.go: a file is replaced as a whole, ends in ``.prom``, and has no times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._engine import private_file
from .._engine.errors import InvalidInput

#: name, meaning; all are gauges
METRICS = {
    "vault_snapshot_last_run_success": "Whether the last run saved a snapshot and all of its copies.",
    "vault_snapshot_last_run_timestamp_seconds": "When the last run ended.",
    "vault_snapshot_last_success_timestamp_seconds": "When a snapshot and all of its copies were last saved.",
    "vault_snapshot_size_bytes": "Size of the last snapshot.",
    "vault_snapshot_raft_index": "Raft index of the last snapshot.",
    "vault_snapshot_copy_success": "Whether the last copy to a place succeeded.",
}
_CLUSTER = re.compile(r'cluster="((?:[^"\\]|\\.)*)"')
_LINE = re.compile(r'(?P<name>\w+)\{(?P<labels>(?:\w+="(?:[^"\\]|\\.)*",?)*)\} (?P<value>[0-9.e+]+)')


def _label(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def parse(text: str) -> dict[tuple[str, str], str]:
    """Return the values of a file by name and labels. Lines that are not ours are left out. Pure."""
    found = {}
    for line in text.splitlines():
        parts = _LINE.fullmatch(line)
        if parts and parts["name"] in METRICS:
            found[parts["name"], parts["labels"]] = parts["value"]
    return found


def render(before: str, cluster: str, ended: int, saved: Mapping[str, Any] | None, copies: Mapping[str, bool]) -> str:
    """Return the text of the file after a run. ``saved``: size and index, None when no snapshot was saved. Pure.

    What a failed run does not know stays as it was, so that the age goes on from the last success. Without the name of
    a cluster it is the one of the file.
    """
    known = parse(before)
    ours = 'cluster="%s"' % _label(cluster or "vault")
    if not cluster:
        ours = next((labels for _name, labels in known if _CLUSTER.fullmatch(labels)), ours)
    values = {key: value for key, value in known.items() if key[1] == ours}
    success = saved is not None and all(copies.values())
    values["vault_snapshot_last_run_success", ours] = str(int(success))
    values["vault_snapshot_last_run_timestamp_seconds", ours] = str(ended)
    if success:
        values["vault_snapshot_last_success_timestamp_seconds", ours] = str(ended)
    if saved is not None:
        values["vault_snapshot_size_bytes", ours] = str(saved["size"])
        values["vault_snapshot_raft_index", ours] = str(saved["index"])
    for place, done in sorted(copies.items()):
        values["vault_snapshot_copy_success", '%s,place="%s"' % (ours, _label(place))] = str(int(done))
    lines = []
    for name, meaning in METRICS.items():
        own = ["%s{%s} %s" % (name, labels, value) for (one, labels), value in sorted(values.items()) if one == name]
        if own:
            lines += ["# HELP %s %s" % (name, meaning), "# TYPE %s gauge" % name, *own]
    return "\n".join(lines)


def check(path: str) -> None:
    """Refuse a file that the collector would not read. Raises InvalidInput."""
    if not path.endswith(".prom"):
        raise InvalidInput("the file's name does not end in .prom", 'option "metrics_file"', "name it so")


def write(path: str, cluster: str, ended: int, saved: Mapping[str, Any] | None, copies: Mapping[str, bool]) -> None:
    """Replace the file as a whole, readable for everybody. Raises SecretopsError."""
    text = render(private_file.text_of(path) or "", cluster, ended, saved, copies)
    private_file.write(path, text, 0o644)
