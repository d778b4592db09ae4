# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table and the plot of a benchmark run."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from objects import KINDS

OURS, ALONE, POOLED = "this collection, one task", "this collection, module alone", "pooled client"
#: what stands between them in the README is made here, for each part of a run
BEGIN, END = "<!-- made by make bench: %s -->", "<!-- end of %s -->"
PEERS = ("community.hashi_vault loop", "hashivault loop")
COLOURS = {
    OURS: "#0b6e4f",
    ALONE: "#5fad8c",
    POOLED: "#3d5a80",
    "hvac, one by one": "#98a9c4",
    "bao in a shell loop": "#c9a227",
    PEERS[0]: "#c8553d",
    PEERS[1]: "#8c2f39",
}


#: seconds by which two starts of the same process differ: less than that is not told apart from the fixed cost
TOLD = 0.05


def number(value: float) -> str:
    """Return a number with about three digits, and never 0.00 for what is more than nothing."""
    if 0 < value < 0.01:
        return f"{value:.1g}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def told(seconds: float, unit: float, fixed: float, error: float = 0.0) -> str:
    """Return seconds as so many units: with the standard error, or an upper bound where they are not told apart.

    ``fixed`` is what was taken off; without it the seconds were measured as they are.
    """
    if fixed and (seconds < TOLD or 2 * error >= seconds):
        return f"at most {number((max(seconds, 0) + max(2 * error, TOLD)) / unit)}"
    return number(seconds / unit) + (f" ± {number(error / unit)}" if error else "")


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown, aligned to be read as text too."""
    widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]

    def line(cells: list[str]) -> str:
        first, *others = (cell.rjust(width) for cell, width in zip(cells, widths))
        return "| " + " | ".join([cells[0].ljust(len(first)), *others]) + " |"

    rule = ["-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    return "\n".join([line(head), line(rule), *[line(row) for row in rows]]) + "\n"


def find(rows: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    """Return the rows with these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def summary(results: dict[str, Any]) -> str:
    """Return the numbers to reach, with the largest size."""
    lines = []
    for key, rows in results["kinds"]["rows"].items():
        size = max(row["size"] for row in rows)
        cells = [f"{KINDS[key].title}, {size}"]
        for phase in ("unchanged", "first"):
            (ours,) = find(rows, contender=OURS, phase=phase, size=size)
            (pooled,) = find(rows, contender=POOLED, phase=phase, size=size)
            cells.append(told(ours["work"], pooled["work"], ours["fixed"], ours["error"]))
            (alone,) = find(rows, contender=ALONE, phase=phase, size=size)
            cells.append(told(alone["work"], pooled["work"], alone["fixed"]))
        (unchanged,) = find(rows, contender=OURS, phase="unchanged", size=size)
        cells += [f"{number(unchanged['fixed'])} s", number(unchanged["requests_each"])]
        for peer in PEERS:
            found = find(rows, contender=peer, phase="unchanged")
            # all that grows with the objects, Ansible's own part too: it is in the peers' time as well
            each = (unchanged["work"] + unchanged["handover"]) / unchanged["count"] * 1000
            cells.append(f"{found[0]['each_ms'] / max(each, 0.01):.0f}" if found else "-")
        lines.append(cells)
    head = [
        "objects in one task",
        "unchanged: times the pooled client",
        "module alone",
        "first run: times the pooled client",
        "module alone",
        "fixed cost of the task",
        "requests per object, unchanged",
        "times less than community.hashi_vault",
        "times less than hashivault",
    ]
    return table(head, lines)


def whole(results: dict[str, Any]) -> str:
    """Return the table of whole tasks; the other contenders' figures are those of the same run."""
    lines = []
    for key, tasks in results["kinds"]["whole"].items():
        size = tasks["count"]
        rows = find(results["kinds"]["rows"][key], phase="unchanged", size=size)
        (pooled,) = find(rows, contender=POOLED)
        cells = [f"{KINDS[key].title}, {size}", number(tasks["first"]), number(tasks["unchanged"])]
        cells += [number(pooled["work"]), number(tasks["unchanged"] / pooled["work"])]
        for peer in PEERS:
            found = find(rows, contender=peer)
            cells.append(number(found[0]["each_ms"] * size / 1000 / tasks["unchanged"]) if found else "-")
        lines.append(cells)
    head = [
        "objects in one task",
        "first, seconds",
        "unchanged, seconds",
        "pooled client, seconds",
        "times the pooled client",
        "times less than community.hashi_vault",
        "times less than hashivault",
    ]
    return table(head, lines)


def details(results: dict[str, Any]) -> str:
    """Return every measurement."""
    text = ""
    for key, rows in results["kinds"]["rows"].items():
        lines = [
            [
                f"{row['contender']}, {row['phase']}",
                str(row["size"]) if row["count"] == row["size"] else f"{row['size']} (from {row['count']})",
                told(row["work"], row["count"] / 1000, row["fixed"]),
                number(max(row["each_ms"], 0) * row["size"] / 1000 + row["fixed"]),
                told(row["processor"], row["count"] / 1000, row["fixed"]),
                number(row["requests_each"]),
            ]
            for row in rows
        ]
        head = ["", "objects", "ms per object", "seconds for all", "processor ms per object", "requests per object"]
        text += f"### {KINDS[key].title}\n\n{table(head, lines)}\n"
    return text


def place(part: dict[str, Any]) -> str:
    """Return where a part was measured, as a line of text."""
    machine = part["place"]
    return (
        f"Machine: {machine['processors']}, {machine['memory']}, {machine['system']}; load before the run "
        f"{machine['load']}. Server: {machine['server']}.\n"
    )


def into(readme: str, results: dict[str, Any]) -> str:
    """Return the text of the README with what was measured between the marks of each part."""
    for part, make in (("kinds", summary), ("large", memory), ("lookups", looked_up)):
        if part in results:
            before, rest = readme.split(BEGIN % part)
            after = rest.split(END % part)[1]
            machine = "" if part == "large" else "\n" + place(results[part])
            readme = f"{before}{BEGIN % part}\n\n{make(results)}{machine}\n{END % part}{after}"
    return readme


def memory(results: dict[str, Any]) -> str:
    """Return what the largest task of policies takes, as a sentence."""
    rows = find(results["large"]["rows"], kind="policies", phase="unchanged")
    if not rows:
        return "The memory of large tasks was not measured.\n"
    row = max(rows, key=lambda one: one["count"])
    return (
        f"A task of {row['count']} {KINDS['policies'].title} takes {row['module_mb']:.0f} MB in the module's process; "
        f"that of ansible-playbook has {row['playbook_mb']:.0f} MB then, and {row['ping_mb']:.0f} MB\n"
        "when it hands the same to `ping`.\n"
    )


def looked_up(results: dict[str, Any]) -> str:
    """Return the table of the lookups."""
    rows = results["lookups"]["rows"]
    lines = [[row["contender"], f"{row['seconds']:.1f}", str(row["requests"])] for row in rows]
    row = rows[0]
    title = f"{row['lookups']} lookups of ten secrets over {row['hosts']} hosts, ten forks, by AppRole"
    return table([title, "seconds, of ansible-playbook", "requests"], lines)


def single(results: dict[str, Any]) -> str:
    """Return the table of single tasks and loops."""
    rows = results["tasks"]["rows"]
    lines = [[row["title"], f"{row['seconds']:.3f}", f"{row['processor']:.3f}"] for row in rows]
    return table(["one unchanged policy", "seconds", "processor seconds"], lines)


def page(results: dict[str, Any]) -> str:
    """Return the page for docs/, which is also what is printed."""
    text = (
        "# Benchmarks\n\n"
        "Made by `make bench`; how, is told in `benchmarks/README.md`. Only the ratios say something about another "
        "machine.\n\n"
    )
    if "kinds" in results:
        text += (
            f"{place(results['kinds'])}\n"
            "![Milliseconds per object](benchmarks.svg)\n\n"
            "## Ratios\n\n"
            "The least of several runs, in turns, without the fixed cost of one task: what the same task takes for one "
            "object, and what Ansible itself takes to hand that many objects to a module with the same options that "
            "does nothing. Of unchanged tasks it is the median of rounds of these four, with its standard error. Where "
            "the error or the difference of two starts, 0.05 s, is as large as what is left, `at most` gives the upper "
            "bound. `module alone` is the same of the module's process without ansible-playbook. The tasks say "
            "`report: changes`. The pooled client is written for these objects alone: four threads, kept-alive "
            "connections, the fewest requests. Against the peers' loops all counts that grows with the objects, what "
            "Ansible takes to hand them over too; the start of ansible-playbook is in no number.\n\n"
            f"{summary(results)}\n"
        )
    if "whole" in results.get("kinds", {}):
        text += (
            "## Whole tasks\n\n"
            "What a user waits for: the task as it runs, in Ansible's own worker, with nothing taken off. The least of "
            "several playbooks, of each the median of the unchanged tasks. The pooled client and the peers' loops are "
            "those of the tables above and below, without their start.\n\n"
            f"{whole(results)}\n"
        )
    if "tasks" in results:
        text += (
            "## Single tasks and loops\n\n"
            "What one more task costs, or one more object of a loop: the difference of two playbooks, with nothing "
            "else taken off, and the server's processor time in it.\n\n"
            f"{single(results)}\n{place(results['tasks'])}\n"
        )
    if "lookups" in results:
        rounds = results["lookups"]["rows"][0]["rounds"]
        text += (
            f"## Lookups\n\nThe least of {rounds} runs in turns, the start of ansible-playbook included.\n\n"
            f"{looked_up(results)}\n{place(results['lookups'])}\n"
        )
    if "rotation" in results:
        rows = results["rotation"]["rows"]
        lines = [[row["contender"], f"{row['work']:.1f}", f"{row['processor']:.1f}"] for row in rows]
        text += (
            "## Rotation\n\nNew values in Vault, synced by an emulated operator, proven by bytes, and a restart, for "
            f"each of {rows[0]['count']} applications. The operator's own time is in both.\n\n"
            f"{table(['', 'seconds', 'processor seconds'], lines)}\n{place(results['rotation'])}\n"
        )
    if "guide" in results:
        lines = [
            [
                f"{row['contender']}, {row['phase']}",
                f"{row['seconds']:.1f}",
                f"{row['processor']:.1f}",
                str(row["requests"]),
            ]
            for row in results["guide"]["rows"]
        ]
        text += f"## The guides' configuration\n\n{table(['', 'seconds', 'processor seconds', 'requests'], lines)}\n"
    if "large" in results:
        lines = [
            [
                f"{KINDS[row['kind']].title}, {row['count']}, {row['phase']}",
                f"{row['module_seconds']:.1f}",
                f"{row['module_mb']:.0f}",
                f"{row['task_seconds']:.1f}" if "task_seconds" in row else "",
                f"{row['playbook_mb']:.0f}" if "playbook_mb" in row else "",
                f"{row['ping_mb']:.0f}" if "ping_mb" in row else "",
            ]
            for row in results["large"]["rows"]
        ]
        head = ["", "module, seconds", "module, MB", "ansible-playbook, seconds", "ansible-playbook, MB"]
        head.append("ansible-playbook with ping, MB")
        text += f"## Many objects in one task\n\n{table(head, lines)}\n"
    if "kinds" in results:
        text += (
            "## All measurements\n\n"
            "Loops that take long are measured with a few objects and extrapolated: `(from 6)` says with how many. "
            "`community.hashi_vault` has no modules for policies and roles: its `vault_write` writes each time.\n\n"
            f"{details(results)}"
        )
    return text.rstrip("\n") + "\n"


def shown(row: dict[str, Any]) -> float:
    """Return the milliseconds per object that a bar reaches: the upper bound where the run cannot tell more."""
    return float(told(row["work"], row["count"] / 1000, row["fixed"], row["error"]).removeprefix("at most ").split()[0])


def plot(results: dict[str, Any]) -> str:
    """Return an SVG: milliseconds per object of an unchanged run on a logarithmic axis, a group of bars per kind."""
    left, width, bar, top = 210, 520, 15, 56
    groups = []
    for key, rows in results["kinds"]["rows"].items():
        size = max(row["size"] for row in rows)
        bars = [row for row in rows if row["phase"] == "unchanged" and row["size"] == size]
        groups.append((f"{KINDS[key].title}, {size}, unchanged", bars))
    values = [max(shown(row), 0.01) for _title, bars in groups for row in bars]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def x(value: float) -> float:
        return left + width * (math.log10(max(value, 0.01)) - low) / (high - low)

    height = top + sum(28 + bar * len(bars) for _title, bars in groups) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 90} {height}" '
        'font-family="sans-serif" font-size="11" role="img">',
        "<title>Milliseconds per object, less is better</title>",
        f'<rect width="{left + width + 90}" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="22" font-size="15" font-weight="bold">Milliseconds per object, unchanged run</text>',
        '<text x="12" y="40" fill="#555">less is better; logarithmic axis; without the fixed cost of one task</text>',
    ]
    for power in range(low, high + 1):
        place = x(10**power)
        parts.append(f'<line x1="{place:.1f}" y1="{top}" x2="{place:.1f}" y2="{height - 24}" stroke="#ddd"/>')
        parts.append(f'<text x="{place:.1f}" y="{height - 10}" text-anchor="middle" fill="#555">{10.0**power:g}</text>')
    y = top
    for title, bars in groups:
        y += 22
        parts.append(f'<text x="12" y="{y - 6}" font-weight="bold">{escape(title)}</text>')
        for row in bars:
            end = max(x(shown(row)), left + 2)
            colour = COLOURS.get(row["contender"], "#888")
            parts.append(f'<text x="{left - 6}" y="{y + 11}" text-anchor="end">{escape(row["contender"])}</text>')
            said = told(row["work"], row["count"] / 1000, row["fixed"], row["error"])
            # what is an upper bound has no edge that it was seen to reach
            pale = ' fill-opacity="0.35"' if said.startswith("at most") else ""
            parts.append(
                f'<rect x="{left}" y="{y + 2}" width="{end - left:.1f}" height="{bar - 4}" fill="{colour}"{pale}/>'
            )
            parts.append(f'<text x="{end + 4:.1f}" y="{y + 11}" fill="#333">{escape(said)}</text>')
            y += bar
        y += 6
    return "\n".join([*parts, "</svg>", ""])
