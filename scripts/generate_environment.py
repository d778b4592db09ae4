# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of environment variables."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from generate_text import within

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "playbooks" / "collections"))

from ansible_collections.secretops.vault_eso.plugins.module_utils._http import environment  # noqa: E402


def table(head: str, rows: environment.Table, form: str = "`%s`") -> str:
    """Return a table of Markdown: options or purposes, and their variables."""
    lines = ["| %s | variables |" % head, "|---|---|"]
    lines += ["| %s | %s |" % (form % name, ", ".join("`%s`" % one for one in names)) for name, names in rows.items()]
    return "\n".join(lines) + "\n"


def page() -> Iterator[tuple[Path, str]]:
    """Yield docs/environment.md with its tables."""
    path = ROOT / "docs" / "environment.md"
    text = within(path.read_text(), "vault", table("option", environment.VAULT))
    text = within(text, "kubernetes", table("option", environment.KUBERNETES))
    yield path, within(text, "others", table("what for", environment.OTHERS, "%s"))


WRITERS = (page,)
