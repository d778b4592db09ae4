# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import everything that modules of the collection import; see `support.modules`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

MODULES = Path(__file__).resolve().parents[2] / "plugins" / "modules"

for _file in sorted(MODULES.glob("*.py")):
    if _file.stem != "__init__":
        _name = f"ansible_collections.secretops.vault_eso.plugins.modules.{_file.stem}"
        importlib.import_module(_name)
        # the module itself is run anew, as __main__
        del sys.modules[_name]
