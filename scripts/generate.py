# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what follows from the kinds into the files in which Ansible needs it as text. With --check only compare.

Every writer returns files with their whole text; what people write beside it stays as it is.
"""

from __future__ import annotations

import ast
import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "playbooks" / "collections")]

import generate_environment  # noqa: E402
import generate_eso  # noqa: E402
import generate_vault_config  # noqa: E402
from generate_text import between, blocks, option, value, within  # noqa: E402

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.field import (  # noqa: E402
    Field,
    documentation,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.kind import EsoKind  # noqa: E402
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.kinds import KINDS as ESO_KINDS  # noqa: E402
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth import registry  # noqa: E402
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base.kind import Kind  # noqa: E402
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS  # noqa: E402
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.snapshot_places import (  # noqa: E402
    PLACE,
)

# -- the documentation of modules -----------------------------------------------------------------------------------


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
    kinds: list[Kind | EsoKind] = [*KINDS.values(), *ESO_KINDS]
    for kind in kinds:
        if kind.fields:
            path = ROOT / "plugins" / "modules" / (kind.module + ".py")
            yield path, documented(path.read_text(), kind.fields, kind.plural, kind.required)


# -- auth methods ----------------------------------------------------------------------------------------------------


def methods() -> Iterator[tuple[Path, str]]:
    """Yield the list of all auth methods: what Ansible packs for a host, it finds by imports alone."""
    folder = ROOT / "plugins" / "module_utils" / "_vault" / "auth"
    names = sorted(path.stem for path in (folder / "methods").glob("*.py") if path.stem != "__init__")
    path = folder / "all_methods.py"
    head = (folder / "registry.py").read_text().partition('"""')[0]
    imports = "".join(f"    {name},\n" for name in names)
    methods = "".join(f"    {name}.METHOD,\n" for name in names)
    yield (
        path,
        f'{head}"""All auth methods. Written by `make generate` from the files in `methods`."""\n\n'
        f"from __future__ import annotations\n\nfrom .methods import (\n{imports})\n\nALL = (\n{methods})\n",
    )


def logins() -> Iterator[tuple[Path, str]]:
    """Yield the documentation fragment of the options of logins."""
    path = ROOT / "plugins" / "doc_fragments" / "vault.py"
    head, begin, rest = path.read_text().partition('    LOGIN = r"""\noptions:\n')
    body, end, tail = rest.partition('"""\n')
    docs = documentation(registry.login_fields())
    written: list[str] = []
    for name, block in blocks(body.split("\n")[:-1], 2).items():
        if name == "auth_method":
            block = [re.sub(r"choices: .*", "choices: " + value(sorted(registry.LOGINS)), line) for line in block]
        written += option(name, docs.pop(name), 2) if name in docs else block
    written += [line for name, entry in docs.items() for line in option(name, entry, 2)]
    yield path, "".join([head, begin, "\n".join(written), "\n", end, tail])


def login_names() -> list[str]:
    """Return the options of logins, in the order of their documentation."""
    text = dict(logins())[ROOT / "plugins" / "doc_fragments" / "vault.py"]
    documented = text.partition('    LOGIN = r"""\n')[2].partition('"""')[0]
    return list(yaml.safe_load(documented)["options"])


def login_places() -> Iterator[tuple[Path, str]]:
    """Yield what hands the options of logins on: the lookups, with the sources of each option, and vault_session."""
    names = login_names()
    path = ROOT / "plugins" / "plugin_utils" / "_lookup.py"
    yield path, between(path.read_text(), "LOGIN = (\n", ")\n", "".join(f'    "{name}",\n' for name in names))

    path = ROOT / "roles" / "vault_session" / "tasks" / "open.yml"
    lines = "".join('        %s: "{{ vault_session_login.%s | default(omit) }}"\n' % (name, name) for name in names)
    begin = '        directory: "{{ vault_session_directory | default(omit, true) }}"\n'
    yield path, between(path.read_text(), begin, "        child: ", lines)

    path = ROOT / "plugins" / "doc_fragments" / "lookup.py"
    text = path.read_text()
    secret = {field.name for field in registry.login_fields() if field.secret}
    for name in names:
        if f"\n  {name}:\n" in text:
            continue
        lines = f"  {name}:\n    vars: [{{name: ansible_hashi_vault_{name}}}]\n"
        lines += f"    env: [{{name: ANSIBLE_HASHI_VAULT_{name.upper()}}}]\n"
        if name not in secret:
            lines += f"    ini: [{{section: hashi_vault_collection, key: {name}}}]\n"
        text = text.replace("\nnotes:\n", f"\n{lines}notes:\n", 1)
    yield path, text


# -- actions, and what Ansible is told of the modules ----------------------------------------------------------------

ACTION = """\
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
\"""Runs the module of the same name in Ansible's own worker where it can.\"""

from __future__ import annotations

from ansible_collections.secretops.vault_eso.plugins.modules import %(name)s
from ansible_collections.secretops.vault_eso.plugins.plugin_utils._in_worker import ModuleInWorker


class ActionModule(ModuleInWorker):
    \"""The module.\"""

    MODULE = %(name)s
"""
#: by the documentation fragment that gives a module its connection
GROUPS = {"vault": "secretops.vault_eso.vault", "eso": "secretops.vault_eso.kubernetes"}


def plugins(folder: str) -> list[Path]:
    """Return the files of a type of plugin."""
    return sorted((ROOT / "plugins" / folder).glob("[a-z]*.py"))


def docs_of(plugin: Path) -> dict[str, Any]:
    """Return the documentation of a module or lookup, without running it."""
    for node in ast.parse(plugin.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return dict(yaml.safe_load(ast.literal_eval(node.value)))
    raise SystemExit(f"{plugin} has no DOCUMENTATION")


def actions() -> Iterator[tuple[Path, str]]:
    """Yield an action for each module that has none of another sort, and nothing for modules that are gone."""
    names = {module.stem for module in plugins("modules")}
    for path in (*plugins("action"), *(ROOT / "plugins" / "action" / (name + ".py") for name in sorted(names))):
        stands = path.read_text() if path.exists() else ""
        if not stands or stands == ACTION % {"name": path.stem}:
            yield path, ACTION % {"name": path.stem} if path.stem in names else ""


def groups() -> Iterator[tuple[Path, str]]:
    """Yield meta/runtime.yml with the action groups."""
    path = ROOT / "meta" / "runtime.yml"
    docs = {module.stem: docs_of(module).get("extends_documentation_fragment") or [] for module in plugins("modules")}
    lines = []
    for group, fragment in GROUPS.items():
        lines += [f"  {group}:", *(f"    - {name}" for name in docs if fragment in docs[name])]
    yield path, between(path.read_text(), "action_groups:\n", "", "\n".join(lines) + "\n")


# -- places of snapshots ---------------------------------------------------------------------------------------------


def snapshot_places() -> Iterator[tuple[Path, str]]:
    """Yield the module and the roles that take places to which snapshots are copied."""
    docs = documentation(PLACE)
    path = ROOT / "plugins" / "modules" / "vault_snapshot.py"
    lines = [line for name, entry in docs.items() for line in option(name, entry, 6)]
    yield path, between(path.read_text(), "    suboptions: &place\n", "  from_copy:\n", "\n".join(lines) + "\n")

    secret = {field.name for field in PLACE if field.secret}
    entries = {name: {**entry, "no_log": True} if name in secret else entry for name, entry in docs.items()}
    lines = [line for name, entry in entries.items() for line in option(name, entry, 10)]
    for role in ("snapshot", "vault_snapshot_timer"):
        path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
        head, begin, rest = path.read_text().partition(f"      {role}_copies:\n")
        end = f"      {role}_age_recipients:\n"
        yield path, head + begin + between(rest, "        options:\n", end, "\n".join(lines) + "\n")


# -- the index of modules --------------------------------------------------------------------------------------------


def index() -> Iterator[tuple[Path, str]]:
    """Yield README.md with the tables of modules and lookups."""
    tables = []
    for title, folder in (("module", "modules"), ("lookup", "lookup")):
        rows = [f"| `{plugin.stem}` | {docs_of(plugin)['short_description']} |\n" for plugin in plugins(folder)]
        tables.append("".join([f"\n| {title} | what it does |\n|---|---|\n", *rows]))
    path = ROOT / "README.md"
    yield path, within(path.read_text(), "modules", "".join([*tables, "\n"]))


WRITERS: Sequence[Callable[[], Iterator[tuple[Path, str]]]] = (
    methods,
    logins,
    login_places,
    modules,
    actions,
    groups,
    *generate_vault_config.WRITERS,
    *generate_environment.WRITERS,
    snapshot_places,
    *generate_eso.WRITERS,
    index,
)


def differing() -> dict[Path, tuple[str, str]]:
    """Return the files that are not as they should be, with what stands in them and what should."""
    found: dict[Path, tuple[str, str]] = {}
    for writer in WRITERS:
        for path, text in writer():
            stands = path.read_text() if path.exists() else ""
            if stands != text:
                found[path] = stands, text
    return found


def main() -> int:
    """Write, or compare; 1 when something is not as it should be."""
    check = "--check" in sys.argv[1:]
    found = differing()
    for path, (stands, text) in found.items():
        name = str(path.relative_to(ROOT))
        if check:
            sys.stdout.writelines(difflib.unified_diff(stands.splitlines(True), text.splitlines(True), name, name))
        elif text:
            path.write_text(text)
            print(name, flush=True)
            if path.name == "all_methods.py":
                # what follows from the methods needs them imported anew
                os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606
        else:
            path.unlink()
            print(name, "(removed)")
    if check and found:
        print("run: make generate")
    return int(check and bool(found))


if __name__ == "__main__":
    sys.exit(main())
