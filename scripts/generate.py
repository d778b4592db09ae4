# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what follows from the kinds into the files in which Ansible needs it as text. With --check only compare.

Every writer returns files with their whole text; what people write beside it stays as it is.
"""

from __future__ import annotations

import difflib
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "playbooks" / "collections"))

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.field import (  # noqa: E402
    Field,
    documentation,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS  # noqa: E402

#: a line of documentation is not longer
WIDTH = 150


# -- the documentation of modules -----------------------------------------------------------------------------------


def scalar(text: str, indent: int) -> str:
    """Return a text as YAML, without quotes and over several lines where that is possible."""
    plain = True
    try:
        plain = yaml.safe_load("key: " + text) == {"key": text} and yaml.safe_load("- " + text) == [text]
    except yaml.YAMLError:
        plain = False
    if not plain:
        return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')
    lines = textwrap.wrap(text, WIDTH - indent, break_long_words=False, break_on_hyphens=False)
    return ("\n" + " " * indent).join(lines)


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
            text = scalar(item, indent + 4)
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
            lines.append("%s%s: %s" % (pad, key, value(item)))
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


def documented(text: str, fields: Sequence[Field], plural: str, required: Sequence[str]) -> str:
    """Return a module's source with the options, and those of the list's entries, as its fields say.

    Options that are no fields, and suboptions such as ``state``, stay as they are.
    """
    head, begin, rest = text.partition('DOCUMENTATION = r"""\n')
    body, end, tail = rest.partition('"""\n')
    lines = body.split("\n")[:-1]
    start = lines.index("options:") + 1
    stop = next((number for number in range(start, len(lines)) if re.match(r"\S", lines[number])), len(lines))
    options = blocks(lines[start:stop], 2)
    docs = documentation(fields)
    many = options.get(plural, [])
    cut = many.index("    suboptions:") if "    suboptions:" in many else len(many)
    entries = blocks(many[cut + 1 :], 6)
    written = [line for name, entry in docs.items() for line in option(name, entry, 2, anchor=bool(plural))]
    for name, block in options.items():
        if name in docs:
            continue
        if name != plural:
            written += block
            continue
        written += [*many[:cut], "    suboptions:"]
        for inner in docs:
            if inner in required:
                written += ["      %s:" % inner, "        <<: *%s" % inner, "        required: true"]
            else:
                written.append("      %s: *%s" % (inner, inner))
        for inner, block in entries.items():
            if inner not in docs:
                written += block
    return "".join([head, begin, "\n".join([*lines[:start], *written, *lines[stop:]]), "\n", end, tail])


def modules() -> Iterator[tuple[Path, str]]:
    """Yield the modules of kinds with fields."""
    for kind in KINDS.values():
        if kind.fields:
            path = ROOT / "plugins" / "modules" / (kind.module + ".py")
            yield path, documented(path.read_text(), kind.fields, kind.plural, kind.required)


WRITERS: Sequence[Callable[[], Iterator[tuple[Path, str]]]] = (modules,)


def main() -> int:
    """Write, or compare; 1 when something is not as it should be."""
    check = "--check" in sys.argv[1:]
    differing = False
    for writer in WRITERS:
        for path, text in writer():
            stands = path.read_text() if path.exists() else ""
            if stands == text:
                continue
            differing = True
            name = str(path.relative_to(ROOT))
            if check:
                sys.stdout.writelines(difflib.unified_diff(stands.splitlines(True), text.splitlines(True), name, name))
            else:
                path.write_text(text)
                print(name)
    if check and differing:
        print("run: make generate")
    return int(check and differing)


if __name__ == "__main__":
    sys.exit(main())
