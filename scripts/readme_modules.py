# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the index of modules and lookups into README.md, from their documentation. With --check only compare."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- modules -->\n", "<!-- end of modules -->\n"


def short_description(plugin: Path) -> str:
    """Return the one line of a module or lookup, without running it."""
    for node in ast.parse(plugin.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return str(yaml.safe_load(ast.literal_eval(node.value))["short_description"])
    raise SystemExit(f"{plugin} has no DOCUMENTATION")


def index() -> str:
    """Return the tables."""
    tables = []
    for title, folder in (("module", "modules"), ("lookup", "lookup")):
        plugins = sorted((ROOT / "plugins" / folder).glob("[a-z]*.py"))
        rows = [f"| `{plugin.stem}` | {short_description(plugin)} |\n" for plugin in plugins]
        tables.append("".join([f"\n| {title} | what it does |\n|---|---|\n", *rows]))
    return "".join([*tables, "\n"])


def main() -> int:
    """Write, or compare; 1 when the index is not as it should be."""
    text = README.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    wanted = head + BEGIN + index() + END + tail
    if "--check" in sys.argv[1:]:
        if wanted != text:
            print("README.md: the index of modules is out of date; run: python scripts/readme_modules.py")
        return int(wanted != text)
    README.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
