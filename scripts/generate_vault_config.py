# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the kinds of Vault: the lists of the role vault_config, and the module that takes all kinds."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from generate_text import WIDTH, between, option, within

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "playbooks" / "collections"))

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base.kind import Kind  # noqa: E402
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS  # noqa: E402

CONFIG = ROOT / "roles" / "vault_config"
BEGIN, END = '# kinds: written by "make generate"', "# end of kinds"
#: whose defaults and description say more than its kind can
BY_HAND = ("audit_devices",)
#: options beside ``purge``, as the role describes them; of some kinds otherwise
PURGE = {
    "protected": "Names that are never deleted, beside the server's own.",
    "purge_data": "What may be deleted although it holds data.",
    "purge_mounts": "Mounts to look into, beside those that are declared or hold something declared.",
    "remove_last": "Whether the last device may be deleted as well.",
    "purge_mount": "The engines; by default those of the declared secrets.",
    "purge_below": "The folder; by default the whole engine.",
    "purge_delete": "How much of a secret is deleted.",
    "purge_automatic": "Whether entities go as well that a login made.",
    "secrets.protected": "Patterns of paths that are never deleted.",
    "secrets.purge_data": "Patterns of paths that may be deleted.",
}


def marked(text: str, indent: int, lines: Sequence[str]) -> str:
    """Return a text of YAML with the lines between its marks replaced."""
    pad = " " * indent
    inner = "".join(f"{pad}{line}".rstrip() + "\n" for line in lines)
    return between(text, f"{pad}{BEGIN}\n", f"{pad}{END}\n", inner)


def tags() -> dict[str, list[str]]:
    """Return the kinds of each tag, in their order."""
    found: dict[str, list[str]] = {}
    for title, kind in KINDS.items():
        found.setdefault(kind.tag, []).append(title)
    return found


def described(kind: Kind) -> str:
    """Return what the role says of a list."""
    return f"{kind.about}, M(secretops.vault_eso.{kind.module})." + (f" {kind.note}" if kind.note else "")


def purged(title: str, kind: Kind) -> list[str]:
    """Return what the role documents of a kind's purge."""
    about = f"{kind.about}, see O(secretops.vault_eso.{kind.module}#module:purge)."
    lines = [f"{title}:", *(f"  {line}" for line in entry({"description": about, "type": "dict"}))]
    lines.append("  options:")
    for name, spec in kind.options.items():
        if name == "purge":
            continue
        option_spec = {"description": PURGE.get(f"{title}.{name}") or PURGE[name], "type": spec["type"]}
        option_spec.update({key: spec[key] for key in ("elements", "choices") if key in spec})
        lines += [f"    {name}:", *(f"      {line}" for line in entry(option_spec))]
    return lines


def entry(spec: Mapping[str, Any]) -> list[str]:
    """Return an option's lines below its name."""
    return [line[2:] for line in option("x", spec, 0)[1:]]


def vault_config() -> Iterator[tuple[Path, str]]:
    """Yield the files of the role, and the play that knows its tags."""
    listed = {title: kind for title, kind in KINDS.items() if title not in BY_HAND}
    path = CONFIG / "defaults" / "main.yml"
    yield path, marked(path.read_text(), 0, [f"vault_config_{title}: []" for title in listed])

    path = CONFIG / "tasks" / "main.yml"
    text = marked(path.read_text(), 6, ['%s: "{{ vault_config_%s }}"' % (title, title) for title in KINDS])
    names = textwrap.wrap("['" + "', '".join(tags()) + "']", WIDTH - 10)
    yield path, between(text, "      {{ ", "\n         | difference", "\n          ".join(names))

    path = CONFIG / "vars" / "main.yml"
    yield path, marked(path.read_text(), 2, [f"{tag}: [{', '.join(titles)}]" for tag, titles in tags().items()])

    path = CONFIG / "meta" / "argument_specs.yml"
    lines: list[str] = []
    for title, kind in listed.items():
        spec = {"description": described(kind), "type": "list", "elements": "dict", "default": []}
        lines += [f"vault_config_{title}:", *(f"  {line}" for line in entry(spec))]
    text = marked(path.read_text(), 6, lines)
    purges = [line for title, kind in KINDS.items() if "purge" in kind.options for line in purged(title, kind)]
    yield path, marked(text, 10, purges)

    path = CONFIG / "README.md"
    head = "| variable | module | tag | what |\n|---|---|---|---|\n"
    rows = [f"| `vault_config_{title}` | `{one.module}` | `{one.tag}` | {one.about} |" for title, one in KINDS.items()]
    yield path, within(path.read_text(), "kinds", head + "".join(f"{row}\n" for row in rows))

    path = ROOT / "playbooks" / "configure.yml"
    yield path, between(path.read_text(), "configure_kinds: &kinds\n", "\n", f"      [{', '.join(tags())}]")


def tree() -> Iterator[tuple[Path, str]]:
    """Yield the module that takes all kinds as one tree."""
    path = ROOT / "plugins" / "modules" / "vault_configuration.py"
    lines = [
        f"      - C({title}) as O(secretops.vault_eso.{kind.module}#module:{kind.plural}).\n"
        for title, kind in KINDS.items()
    ]
    yield path, between(path.read_text(), "documented there.\n", "      - C(purge) is", "".join(lines))


WRITERS = (vault_config, tree)
