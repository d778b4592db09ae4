# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which the role vault_rolling sees what an upgrade takes away: mounts whose type the new version lacks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products

Mount = Mapping[str, Any]


def full_path(mount: Mount) -> str:
    """Return the path of a mount with its namespace in front, as it is given up by."""
    return "/".join(part for part in (mount["namespace"], mount["path"]) if part)


def vault_rolling_leaving(
    mounted: Iterable[Mount], product: str, targets: Iterable[str], given_up: Sequence[str] = ()
) -> list[str]:
    """Return why the versions to come cannot serve a mount that is in use, a phrase for each.

    ``mounted`` is what vault_info says of the mounts, ``targets`` are the versions, ``given_up`` the paths whose loss is
    accepted.
    """
    accepted, versions = _paths(given_up), [str(one) for one in targets]
    found = []
    for mount in mounted:
        if mount["answers"] is None or mount.get("external") or full_path(mount) in accepted:
            continue
        spans = [products.leaving(str(product), mount["category"], mount["type"], one) for one in versions]
        span = next((one for one in spans if one), None)
        if span:
            title = products.product(str(product)).title
            found.append(
                "%s is of type %s, which %s has built in only %s (%s)"
                % (full_path(mount), mount["type"], title, span, span.remedy)
            )
    return found


def vault_rolling_lost(now: Iterable[Mount], before: Iterable[Mount], given_up: Sequence[str] = ()) -> list[str]:
    """Return the paths of the mounts that answered before and do not now; a mount that was deleted meanwhile is not lost."""
    accepted = _paths(given_up)
    answered = {full_path(mount) for mount in before if mount["answers"]}
    return [
        full_path(mount)
        for mount in now
        if mount["answers"] is False and full_path(mount) in answered and full_path(mount) not in accepted
    ]


def vault_rolling_silent(mounted: Iterable[Mount]) -> list[str]:
    """Return what cannot be compared: mounts that do not answer, and namespaces that are sealed."""
    return [
        full_path(mount) if mount["answers"] is False else "namespace %s (sealed)" % mount["namespace"]
        for mount in mounted
        if not mount["answers"]
    ]


def _paths(given: Sequence[str]) -> set[str]:
    return {str(path).strip("/") for path in given}


def _of_mounts(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that refuses what does not come from vault_info."""

    def filtered(mounted: Any, *arguments: Any, **named: Any) -> Any:
        if not isinstance(mounted, Sequence) or isinstance(mounted, str):
            raise AnsibleFilterError("%s: takes the mounts that vault_info gathered by 'answers'" % name)
        try:
            return function(mounted, *arguments, **named)
        except ValueError as error:
            raise AnsibleFilterError("%s: %s" % (name, error)) from None

    return filtered


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "vault_rolling_leaving": _of_mounts("vault_rolling_leaving", vault_rolling_leaving),
            "vault_rolling_lost": _of_mounts("vault_rolling_lost", vault_rolling_lost),
            "vault_rolling_silent": _of_mounts("vault_rolling_silent", vault_rolling_silent),
        }
