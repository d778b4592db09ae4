# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the kinds is in the tree as `make generate` writes it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_tree_is_as_it_is_generated() -> None:
    specification = importlib.util.spec_from_file_location("generate", ROOT / "scripts" / "generate.py")
    assert specification and specification.loader
    generate = importlib.util.module_from_spec(specification)
    path = list(sys.path)
    try:
        specification.loader.exec_module(generate)
        differing = sorted(str(file.relative_to(ROOT)) for file in generate.differing())
    finally:
        sys.path[:] = path
    assert differing == [], "run: make generate"
