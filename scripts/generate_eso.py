# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the kinds of External Secrets Operator: lists and choices of modules and roles."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "playbooks" / "collections"))

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.kind import EsoKind  # noqa: E402
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.kinds import KINDS  # noqa: E402
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.sync import FORCED  # noqa: E402

MODULES = ROOT / "plugins" / "modules"
ROLES = ROOT / "roles"
ROLE = "eso_resources_"
#: longer sentences stand below their key
WIDTH = 140


def replaced(text: str, indent: int, keys: Sequence[str], before: str, lines: Sequence[str]) -> str:
    """Return YAML without the blocks of some keys at an indentation, and with ``lines`` before another key."""
    pad = " " * indent
    block = r"^%s(?:%s):.*\n(?:%s +.*\n)*" % (pad, "|".join(map(re.escape, keys)), pad)
    bare = re.sub(block, "", text, flags=re.M)
    place = re.search(r"^%s%s:" % (pad, re.escape(before)), bare, re.M)
    if place is None:
        raise LookupError("%s is missing" % before)
    return bare[: place.start()] + "".join(line + "\n" for line in lines) + bare[place.start() :]


def listed(name: str, sentence: str, indent: int) -> list[str]:
    """Return the documentation of an option that takes many entries."""
    pad = " " * indent
    one_line = "%s  description: %s" % (pad, sentence)
    told = [one_line] if len(one_line) <= WIDTH else [pad + "  description:", "%s    - %s" % (pad, sentence)]
    return [pad + name + ":", *told, pad + "  type: list", pad + "  elements: dict", pad + "  default: []"]


def manifests() -> Iterator[tuple[Path, str]]:
    """Yield the module that writes manifests, with a list for each kind."""
    path = MODULES / "eso_manifests.py"
    lines = []
    for kind in KINDS:
        where = "O(secretops.vault_eso.%s#module:%s)" % (kind.module, kind.plural)
        lines += listed(kind.plural, "%s, as the option %s takes them." % (kind.title, where), 2)
    yield path, replaced(path.read_text(), 2, [kind.plural for kind in KINDS], "objects", lines)


def choices() -> Iterator[tuple[Path, str]]:
    """Yield the modules that let choose among kinds."""
    parts = "[%s]" % ", ".join(kind.plural for kind in KINDS)
    path = MODULES / "eso_info.py"
    pattern = r"(?<=    choices: )\[.*\]\n    default: \[.*\]"
    yield path, re.sub(pattern, "%s\n    default: %s" % (parts, parts), path.read_text(), count=1)
    path = MODULES / "eso_sync.py"
    yield path, re.sub(r"(?<=    choices: )\[.*\]", "[%s]" % ", ".join(FORCED), path.read_text(), count=1)


def condition(kind: EsoKind) -> str:
    """Return when the role has something to do for a kind: a purge needs to know where to look."""
    declared = "%s%s | length > 0" % (ROLE, kind.plural)
    if kind.core:
        return declared + " or eso_resources_purge"
    if not any(api.namespaced for api in kind.apis):
        return declared
    return declared + " or eso_resources_purge and __eso_resources_known_namespaces | length > 0"


def task(kind: EsoKind) -> str:
    """Return the task of the role eso_resources for a kind."""
    given = {
        "purge": ROLE + "purge",
        "purge_namespaces": "__%sknown_namespaces" % ROLE,
        "force_conflicts": ROLE + "force_conflicts",
        "wait": ROLE + "wait",
        "wait_timeout": ROLE + "wait_timeout",
    }
    lines = [
        "- name: %s" % kind.task,
        "  secretops.vault_eso.%s:" % kind.module,
        '    %s: "{{ %s%s }}"' % (kind.plural, ROLE, kind.plural),
        *('    %s: "{{ %s }}"' % (option, name) for option, name in given.items() if option in kind.options),
        "  register: __%s%s_result" % (ROLE, kind.plural),
        "  when: %s" % condition(kind),
    ]
    return "\n".join(lines)


def roles() -> Iterator[tuple[Path, str]]:
    """Yield the files of roles that name every kind."""
    names = [ROLE + kind.plural for kind in KINDS]
    base = ROLES / "eso_resources"
    tasks = "\n\n".join(task(kind) for kind in KINDS)
    yield base / "tasks" / "converge.yml", "---\n# Written by make generate.\n%s\n" % tasks
    path = base / "defaults" / "main.yml"
    yield path, replaced(path.read_text(), 0, names, "eso_resources_purge", [name + ": []" for name in names])
    path = base / "meta" / "argument_specs.yml"
    lines = []
    for kind in KINDS:
        sentence = "%s, as the option C(%s) of M(secretops.vault_eso.%s) takes them." % (
            kind.title,
            kind.plural,
            kind.module,
        )
        lines += listed(ROLE + kind.plural, sentence, 6)
    yield path, replaced(path.read_text(), 6, names, "eso_resources_purge", lines)
    path = base / "vars" / "main.yml"
    spaced = [ROLE + kind.plural for kind in KINDS if any(api.namespaced for api in kind.apis)]
    yield (
        path,
        re.sub(r"(?<=\{\{ \()eso_resources_\w+( \+ eso_resources_\w+)*(?=\)\n)", " + ".join(spaced), path.read_text()),
    )
    path = ROLES / "eso_gitops" / "tasks" / "tree.yml"
    lines = ['    %s: "{{ %s%s | default([]) }}"' % (kind.plural, ROLE, kind.plural) for kind in KINDS]
    yield path, replaced(path.read_text(), 4, [kind.plural for kind in KINDS], "objects", lines)
    for name in ("kubernetes", "kubernetes_prepare"):
        # teams declare some kinds; what is declared of the others for the cluster is not theirs
        path = ROLES / "tenant" / "tasks" / (name + ".yml")
        text = path.read_text()
        others = [one for one in names if not re.search(r"^    %s: \"" % one, text, re.M)]
        yield path, replaced(text, 4, others, "eso_resources_purge", ["    %s: []" % one for one in others])


WRITERS = (manifests, choices, roles)
