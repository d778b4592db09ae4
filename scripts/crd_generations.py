# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what CRDs of earlier releases of External Secrets Operator have otherwise than those of the lab, for the tests.

Usage: crd_generations.py VERSION=BUNDLE...
BUNDLE is deploy/crds/bundle.yaml of that release. Kept are the lab's kinds, and of stores the providers of Vault.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "molecule" / "lab" / "files"
TARGET = ROOT / "tests" / "support" / "crd_generations.json"
PROVIDERS = ("vault", "openBao")
ABOUT = (
    "What CRDs of earlier releases of External Secrets Operator have otherwise than those of the lab: "
    "[path, value], null for what is missing there. Written by scripts/crd_generations.py. Origin: "
    "external-secrets/external-secrets, deploy/crds/bundle.yaml, of the External Secrets authors (Apache-2.0)."
)
Tree = dict[str, Any]


def versions(file: Path) -> dict[str, Tree]:
    """Return the schemas in a file by kind and version."""
    reduce = runpy.run_path(str(LAB / "reduce_crds.py"))
    found = {}
    for crd in yaml.load_all(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if crd and crd["spec"]["names"]["kind"] in reduce["KINDS"]:
            for version in reduce["reduced"](crd)["spec"]["versions"]:
                found[f"{crd['spec']['names']['kind']}/{version['name']}"] = version["schema"]["openAPIV3Schema"]
    return found


def differences(new: Any, old: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield what has to be set in the new tree to have the old one, None for what has to go."""
    if new == old:
        return
    if not isinstance(new, dict) or not isinstance(old, dict):
        yield path, old
        return
    for name in sorted({*new, *old}):
        inner = (*path, name)
        if path[-2:] == ("provider", "properties") and "Store/" in path[0] and name not in PROVIDERS:
            continue
        if name not in old:
            yield inner, None
        elif name not in new:
            yield inner, old[name]
        else:
            yield from differences(new[name], old[name], inner)


def main() -> None:
    """Compare, and write the file."""
    base = versions(sorted((LAB / "crds").glob("external-secrets*.yaml"))[-1])
    lines = []
    for argument in sys.argv[1:]:
        version, _, bundle = argument.partition("=")
        older = {name: schema for name, schema in versions(Path(bundle)).items() if name in base}
        found = [json.dumps(["/".join(path), value]) for path, value in differences(base, older)]
        lines.append(f"  {json.dumps(version)}: [\n    " + ",\n    ".join(found) + "\n  ]")
    TARGET.write_text("{\n  " + f'"": {json.dumps(ABOUT)},\n' + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
