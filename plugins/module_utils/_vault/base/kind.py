# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A kind of declared object: its options, and the resources of a list of declarations.

One module serves one kind (`connection.module.converge`), `vault_configuration` all of them (`configuration`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ..._engine import normalise
from ..._engine.field import Field, argument_spec
from ..connection.client import Client
from .declaring import View, declare, placed
from .listing import ONE, Found, Listing

PURGE: dict[str, Any] = {
    "purge": {"type": "bool", "default": False},
    "protected": {"type": "list", "elements": "str", "default": []},
}
#: for kinds that hold data
PURGE_DATA: dict[str, Any] = {**PURGE, "purge_data": {"type": "list", "elements": "str", "default": []}}


#: for kinds whose objects are inside mounts
MOUNTS: dict[str, Any] = {"purge_mounts": {"type": "list", "elements": "str", "default": []}}


class RunContext:
    """The run context of a list of declarations: the task's other options, and whether anything is written yet.

    ``check_mode``: nothing is changed, and a missing object may come from another task. ``planning``: nothing is
    written yet, and a missing object may be created earlier in the same run (check mode, and before a tree converges).
    ``mounts``: in a tree, the mounts (path and type) that it declares and that hold objects of this kind.
    ``tree_items``: what a tree declares present in the same namespace, by kind.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        check_mode: bool = False,
        mounts: Sequence[tuple[str, str]] = (),
        planning: bool = False,
        tree_items: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        self.params = params
        self.tree_items: Mapping[str, Sequence[Mapping[str, Any]]] = tree_items or {}
        self.check_mode = check_mode
        self.planning = check_mode or planning
        self.mounts = mounts
        #: whether undeclared objects are deleted
        self.purge = bool(params.get("purge"))
        #: names that a purge keeps
        self.protected: list[str] = list(params.get("protected") or [])
        #: names that a purge may delete although they hold data
        self.purge_data: list[str] = list(params.get("purge_data") or [])

    def planned(self, kind: str) -> Sequence[Mapping[str, Any]]:
        """Return what the same tree declares of a kind while planning: it may not exist yet. Otherwise nothing."""
        return self.tree_items.get(kind, ()) if self.planning else ()

    def planned_names(self, kind: str) -> frozenset[str]:
        """Return the names (of mounts the paths) of the `planned` objects, in lower case, as most servers keep them."""
        return frozenset(
            normalise.path(next((item[name] for name in ("name", "path", "type") if item.get(name)), "")).lower()
            for item in self.planned(kind)
        )

    def planned_in(self, kind: str, mount: str, otherwise: str, name: str = "name") -> dict[str, Mapping[str, Any]]:
        """Return the `planned` objects inside a mount by name; ``otherwise``: the mount of those that name none."""
        return {
            str(item[name]).strip(): item
            for item in self.planned(kind)
            if item.get(name) and normalise.path(item.get("mount") or otherwise) == mount
        }

    def tune(self, mount: str) -> Mapping[str, Any]:
        """Return how the same tree tunes a secrets engine, while planning."""
        engines = (item for item in self.planned("secrets_engines") if normalise.path(item.get("path")) == mount)
        return next((item.get("tune") or {} for item in engines), {})

    def named_mounts(self) -> list[str]:
        """Return the mounts that the task names for a purge, whatever is declared in them."""
        named = [self.params.get("mount"), *(self.params.get("purge_mounts") or [])]
        return sorted({normalise.path(mount) for mount in named if mount})


class Kind:
    """One kind; subclasses set the class variables and implement `resources`."""

    #: the module that serves it
    module: ClassVar[str]
    #: the module's option for many objects
    plural: ClassVar[str]
    #: description of the list, without a full stop
    about: ClassVar[str]
    #: a further sentence for the description of the list
    note: ClassVar[str] = ""
    #: its tag in ``vault_config``; several kinds may share one
    tag: ClassVar[str]
    #: the fields of one object
    fields: ClassVar[Sequence[Field]] = ()
    #: argument spec of one object: that of its fields
    item: ClassVar[Mapping[str, Any]]
    #: argument spec of the options for all objects, such as ``purge``
    options: ClassVar[Mapping[str, Any]] = {}
    #: options that every entry must have
    required: ClassVar[Sequence[str]] = ("name",)
    #: for objects inside mounts: kind and type of the mounts ("": all types that can hold such objects)
    within: ClassVar[tuple[str, str] | None] = None
    #: whether it has write-only fields
    update_secrets: ClassVar[bool] = False
    mutually_exclusive: ClassVar[Sequence[Sequence[str]]] = ()
    #: a ``no_log`` mapping whose short and public values are not masked; see `_engine.secrets`
    concealed: ClassVar[str] = ""
    #: naming options that may be empty, because an empty value has a meaning
    may_be_empty: ClassVar[Sequence[str]] = ()
    #: where the server lists its objects
    listings: ClassVar[Sequence[Listing]] = ()
    #: why the server cannot list them: follows "cannot be listed:"
    unlisted: ClassVar[str] = ""
    #: options that an export includes even at the server's default: without them there is no object
    exported_always: ClassVar[Sequence[str]] = ()
    #: Python libraries that it needs, with their import errors
    libraries: ClassVar[Sequence[tuple[str, str | None]]] = ()

    def __init_subclass__(cls) -> None:
        if cls.fields:
            cls.item = argument_spec(cls.fields)

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        """Return values that look like secrets in options that take none; they are masked as well."""
        return ()

    def public(self, items: Sequence[Mapping[str, Any]], context: RunContext) -> Iterable[str]:
        """Return the public texts of a ``concealed`` mapping, which are not masked."""
        return ()

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        """Return the resources of the declared items, and with a purge those to delete. Raises SecretopsError."""
        raise NotImplementedError

    # -- what is there, as a declaration: for an export ---------------------------------------------------------------

    def exported(self, found: Sequence[Found]) -> Sequence[Found]:
        """Return the objects of which `declaration` makes one entry each; of some kinds several are one."""
        return found

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        """Return the entry that declares an object as it is; None for what is there anyway.

        Raises Omitted for what cannot be declared, SecretopsError for what cannot be read.
        """
        item = declare(self.fields, one.told or {}, view.usual_of(one), one.listing.type, self.exported_always)
        if one.listing.shape == ONE and not set(item) - set(self.exported_always):
            return None
        return {**placed(self.fields, one), **item}
