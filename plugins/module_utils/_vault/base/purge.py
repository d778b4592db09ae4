# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What a purge deletes: what exists, and is neither declared nor protected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ..._engine.errors import InvalidInput
from ..._engine.reconcile import Resource
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
    """Return what deletes each of the ``existing`` that is neither declared nor protected, by its name.

    ``make``: returns a resource of an entry with state and, as the option ``by``, its name. ``fold``: returns a name as
    the server compares it.
    ``loss``: what a deletion loses that cannot be declared again, ``%s`` for the names: ``the data of %s``.
    Raises InvalidInput when that is to be lost of something that is not named in ``purge_data``.
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
    """Return the declared objects of one class inside mounts, and with a purge what deletes the others of it.

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
    """Return what deletes the objects of one class that are neither declared nor protected.

    Looked into are the mounts of what is declared, those of the tree, and those that the task names; without any, the
    engine's usual one. A name with or without its mount protects, and names in ``purge_data``.
    ``make``: returns a resource of an entry with mount, name and state.
    ``loss``: as of `undeclared`. Raises InvalidInput when that is to be lost of what is not named in ``purge_data``.
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
    """Return the mounts of the declared objects, of the tree, and those that the task names; without any the usual."""
    found = {one.mount for one in declared} | {path for path, _type in context.mounts}
    return sorted(found.union(context.named_mounts()) or {otherwise})


def refuse_unnamed(extra: Iterable[Object], named: set[str], loss: str, names: Callable[[Object], set[str]]) -> None:
    """Refuse to lose what is not named again. Raises InvalidInput, which names all of it."""
    refused = [one for one in extra if not named & names(one)]
    if refused:
        raise InvalidInput(
            "purge would delete %s" % (loss % ", ".join('"%s"' % one.name for one in refused)),
            "%ss" % refused[0].kind,
            'declare them, or name each in "protected" to keep it or in "purge_data" to delete it',
        )
