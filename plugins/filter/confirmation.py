# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a step that loses something was confirmed for this very cluster, by its name."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.secretops.vault_eso.plugins.filter.listed import listed

#: what is meant as a yes, and names nothing
YES = frozenset(("1", "on", "t", "true", "y", "yes"))
NO = frozenset(("", "0", "f", "false", "n", "no", "none", "off"))


def confirmation(name: Any, confirmed: Any, variable: str) -> str:
    """Return what is missing for a confirmation that names a cluster; "" when it is confirmed.

    ``name`` is the cluster's name in the inventory; ``confirmed`` the value of ``variable``: names in a list, or in a
    text with commas. A plain yes would confirm every cluster of the run, and confirms none.
    """
    wanted = str(name)
    named = [str(one) for one in listed(confirmed)]
    if wanted in named:
        return ""
    others = [one for one in named if one.lower() not in YES | NO]
    if others:
        return "%s names %s, and not %s: add it (-e %s=%s), or leave it out of the run by --limit" % (
            variable,
            ", ".join(others),
            wanted,
            variable,
            ",".join([*others, wanted]),
        )
    if any(one.lower() in YES for one in named):
        return "%s=%s names no cluster; confirm by the name of each (-e %s=%s)" % (variable, named[0], variable, wanted)
    return "confirm with -e %s=%s" % (variable, wanted)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"confirmation": confirmation}
