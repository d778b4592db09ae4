# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A purge deletes objects that exist and are neither declared nor protected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ..._engine.errors import InvalidInput
from ..._engine.resource import Resource
from .inside_mount import InsideMount, with_mount
from .kind import RunContext
from .mounts import EngineMounts

Object = TypeVar("Object", bound=Resource)
Inside = TypeVar("Inside", bound=InsideMount)


def undeclared(
    context: RunContext,
    declared: Iterable[Resource],
    existing: Iterable[str],
    make: Callable[[Mapping[str, Any]], Object],
    fold: Callable[[str], str] = str,
    loss: str = "",
    by: str = "name",
) -> list[Object]:
    """Return resources that delete each of the ``existing`` names that is neither declared nor protected.

    ``make``: returns a resource for an entry with state and, as the option ``by``, its name. ``fold``: returns a name
    in the form that the server compares.
    ``loss``: the data that a deletion loses for good, with ``%s`` for the names: ``the data of %s``.
    Raises InvalidInput for such an object that is not named in ``purge_data``.
    """
    keep = {fold(name) for name in (*(one.name for one in declared), *context.protected)}
    extra = [make({by: name, "state": "absent"}) for name in sorted(set(existing)) if fold(name) not in keep]
    if loss:
        refuse_unnamed(extra, {fold(name) for name in context.purge_data}, loss, lambda one: {fold(one.name)})
    return extra


def all_inside(
    context: RunContext,
    mounts: EngineMounts,
    items: Iterable[Mapping[str, Any]],
    kind: type[Inside],
    make: Callable[[Mapping[str, Any]], Inside],
    loss: str = "",
) -> list[Inside]:
    """Return the declared objects of one class inside mounts, and with a purge resources that delete the others.

    ``make`` and ``loss``: as of `inside_mounts`. Raises InvalidInput.
    """
    declared = [make(item) for item in with_mount(items, context.params.get("mount"), kind.engine)]
    return [*declared, *(inside_mounts(context, mounts, declared, kind, make, loss) if context.purge else [])]


def inside_mounts(
    context: RunContext,
    mounts: EngineMounts,
    declared: Sequence[InsideMount],
    kind: type[Inside],
    make: Callable[[Mapping[str, Any]], Inside],
    loss: str = "",
) -> list[Inside]:
    """Return resources that delete the objects of one class that are neither declared nor protected.

    Searches the mounts of the declared objects, those of the tree, and those that the task names; without any, the
    engine's default. ``protected`` and ``purge_data`` take names with or without their mount.
    ``make``: returns a resource of an entry with mount, name and state.
    ``loss``: as of `undeclared`. Raises InvalidInput for such an object that is not named in ``purge_data``.
    """
    keep = {one.name for one in declared if isinstance(one, kind)} | set(context.protected)
    extra = [
        make({"mount": mount, "name": name, "state": "absent"})
        for mount in looked_into(context, declared, kind.engine)
        for name in sorted(kind.names_in(mounts, mount))
        if not keep & {name, "%s/%s" % (mount, name)}
    ]
    if loss:
        refuse_unnamed(extra, set(context.purge_data), loss, lambda one: {one.name, one.own})
    return extra


def looked_into(context: RunContext, declared: Iterable[InsideMount], otherwise: str) -> list[str]:
    """Return the mounts of the declared objects, of the tree and of the task; without any the engine's default."""
    found = {one.mount for one in declared} | {path for path, _type in context.mounts}
    return sorted(found.union(context.named_mounts()) or {otherwise})


def refuse_unnamed(extra: Iterable[Object], named: set[str], loss: str, names: Callable[[Object], set[str]]) -> None:
    """Refuse to lose data of objects that are not named in ``purge_data``. Raises InvalidInput with their names."""
    refused = [one for one in extra if not named & names(one)]
    if refused:
        raise InvalidInput(
            "purge would delete %s" % (loss % ", ".join('"%s"' % one.name for one in refused)),
            "%ss" % refused[0].kind,
            'declare them, or name each in "protected" to keep it or in "purge_data" to delete it',
        )
