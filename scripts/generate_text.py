# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that `make generate` writes: options as YAML, and what stands between two marks of a file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

#: a line of documentation is not longer
WIDTH = 150
README_BEGIN, README_END = "<!-- {} -->\n", "<!-- end of {} -->\n"


def scalar(text: str, indent: int, lead: int = 0) -> str:
    """Return a text as YAML, without quotes and over several lines where that is possible.

    ``lead``: how much further than the indentation it begins.
    """
    plain = True
    try:
        plain = yaml.safe_load("key: " + text) == {"key": text} and yaml.safe_load("- " + text) == [text]
    except yaml.YAMLError:
        plain = False
    if not plain:
        return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')
    # what comes before it in its line is as long as the placeholder
    lines = textwrap.wrap(
        text, WIDTH - indent, initial_indent="_" * lead, break_long_words=False, break_on_hyphens=False
    )
    return ("\n" + " " * indent).join(lines)[lead:]


def value(item: Any) -> str:
    """Return a default or a list of choices as YAML in one line."""
    return yaml.safe_dump(item, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")


def option(name: str, entry: Mapping[str, Any], indent: int, anchor: bool = False) -> list[str]:
    """Return the lines of one option."""
    lines = ["%s%s:%s" % (" " * indent, name, " &" + name if anchor else "")]
    pad = " " * (indent + 2)
    for key, item in entry.items():
        if key == "description" and isinstance(item, str):
            first = "%sdescription: " % pad
            text = scalar(item, indent + 4, len("description: ") - 2)
            lines += (first + text).split("\n")
        elif key == "description":
            lines.append("%sdescription:" % pad)
            for sentence in item:
                lines += ("%s  - %s" % (pad, scalar(sentence, indent + 6))).split("\n")
        elif key == "suboptions":
            lines.append("%ssuboptions:" % pad)
            for inner, inner_entry in item.items():
                lines += option(inner, inner_entry, indent + 4)
        else:
            line = "%s%s: %s" % (pad, key, value(item))
            lines += textwrap.wrap(line, WIDTH, subsequent_indent=pad + "  ", break_on_hyphens=False)
    return lines


def blocks(lines: Sequence[str], indent: int) -> dict[str, list[str]]:
    """Return the lines of each key at an indentation, by key."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        match = re.match(r" {%d}([\w-]+):" % indent, line)
        name = match[1] if match else name
        found.setdefault(name, []).append(line)
    return found


def between(text: str, begin: str, end: str, inner: str) -> str:
    """Return a text with what stands between two marks replaced; without an ``end`` it is the rest of the text."""
    head, mark, rest = text.partition(begin)
    tail = rest.partition(end)[1:] if end else ("",)
    if not mark or (end and not tail[0]):
        raise SystemExit(f"a mark is missing: {begin!r} or {end!r}")
    return "".join([head, mark, inner, *tail])


def within(text: str, name: str, inner: str) -> str:
    """Return a text of Markdown with what stands between its marks replaced."""
    return between(text, README_BEGIN.format(name), README_END.format(name), inner)
