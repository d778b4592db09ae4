# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the index of modules into README.md, from the modules' own documentation. With --check only compare."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- modules -->\n", "<!-- end of modules -->\n"


def short_description(module: Path) -> str:
    """Return the module's one line, without running it."""
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return str(yaml.safe_load(ast.literal_eval(node.value))["short_description"])
    raise SystemExit(f"{module} has no DOCUMENTATION")


def index() -> str:
    """Return the table."""
    modules = sorted((ROOT / "plugins" / "modules").glob("[a-z]*.py"))
    rows = [f"| `{module.stem}` | {short_description(module)} |\n" for module in modules]
    return "".join(["\n| module | what it does |\n|---|---|\n", *rows, "\n"])


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
