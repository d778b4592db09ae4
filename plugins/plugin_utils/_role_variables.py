# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Which variables a role of the collection knows, so that a misspelt one is an error and not ignored."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable
from pathlib import Path

#: variables of the inventory that several roles and playbooks read, with a role's prefix by chance
SHARED = frozenset(("eso_delivery", "vault_cluster_name"))
#: how alike a name must be to be taken for a misspelling of an option of a role whose prefix it does not have
ALIKE = 0.85


@functools.cache
def roles(folder: Path) -> tuple[str, ...]:
    """Return the names of the roles in a folder, longest first: prefixes nest (``eso``, ``eso_resources``)."""
    found = [path.parent.parent.name for path in folder.glob("*/meta/argument_specs.yml")]
    return tuple(sorted(found, key=lambda name: (-len(name), name)))


@functools.cache
def options(role: Path) -> frozenset[str]:
    """Return the variables that the role's argument specification describes."""
    return _keys(role, (role / "meta" / "argument_specs.yml",))


@functools.cache
def known(role: Path) -> frozenset[str]:
    """Return the options and what the role itself sets: computed variables, facts, results, loop variables."""
    files = [path for part in ("defaults", "vars", "tasks") for path in (role / part).rglob("*.yml")]
    return options(role) | _keys(role, files) | SHARED


def _keys(role: Path, files: Iterable[Path]) -> frozenset[str]:
    """Return the names with the role's prefix that are keys in the files, or that results and loops are kept in."""
    key = re.compile(
        r"^[ -]*(?:(?:register|loop_var|index_var): *)?(%s_\w+)(?::|$)" % re.escape(role.name), re.MULTILINE
    )
    return frozenset(name for path in files for name in key.findall(path.read_text(encoding="utf-8")))


def unknown(names: Iterable[str], folder: Path, checked: Iterable[str], own: Iterable[str] = ()) -> list[str]:
    """Return a sentence for each variable that looks like one of the ``checked`` roles and that none knows.

    ``folder`` holds all roles: a variable is that of the role with the longest matching prefix. ``own`` are variables
    of the user. Raises KeyError for a role that there is not.
    """
    every = roles(folder)
    wanted = list(checked)
    for role in wanted:
        if role not in every:
            raise KeyError(role)
    mine, said = frozenset(own), []
    for name in sorted(set(names) - mine):
        owner = next((role for role in every if name.startswith(role + "_")), None)
        if owner is None or name in known(folder / owner):
            continue
        near = _nearest(name, {option for role in every for option in options(folder / role)}, 0.7)
        # "eso_resource_stores" has the prefix of the role eso, and is meant for eso_resources
        meant = _nearest(name, {option for role in wanted for option in options(folder / role)}, ALIKE)
        if owner in wanted or meant:
            hint = (
                "did you mean %s?" % (meant or near)
                if meant or near
                else "see ansible-doc -t role for those that it has."
            )
            said.append("%s is not a variable of the role %s; %s" % (name, owner, hint))
    return said


def _nearest(name: str, among: Iterable[str], alike: float) -> str | None:
    return next(iter(difflib.get_close_matches(name, sorted(among), 1, alike)), None)
