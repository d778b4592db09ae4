# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What documentation says of libraries is what requirements.txt installs."""

from __future__ import annotations

import re

from support.system import ROOT


def lowest(text: str) -> dict[str, str]:
    """Return the lowest version by the name of the library."""
    return dict(re.findall(r"^(?:  - )?([A-Za-z][\w-]*) ?>= ?([\d.]+)", text, re.MULTILINE))


def test_documentation_asks_for_the_versions_that_are_installed() -> None:
    installed = lowest((ROOT / "requirements.txt").read_text())
    found = {}
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        text = path.read_text()
        for block in re.findall(r"^ *requirements:\n((?: *- .*\n)+)", text, re.MULTILINE):
            for name, version in lowest(block).items():
                found.setdefault(name, set()).add(version)
    assert {"hvac", "kubernetes"} <= set(found)
    assert found == {name: {installed[name]} for name in found}
