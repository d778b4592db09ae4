# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A kind of declared object: its options, and the resources that a list of declarations stands for.

One module serves one kind (`connection.module.converge`), `vault_configuration` all of them (`configuration`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ..._engine import normalise
from ..._engine.field import Field, argument_spec
from ..connection.client import Client
from .listing import Listing

PURGE: dict[str, Any] = {
    "purge": {"type": "bool", "default": False},
    "protected": {"type": "list", "elements": "str", "default": []},
}
#: of kinds that hold data
PURGE_DATA: dict[str, Any] = {**PURGE, "purge_data": {"type": "list", "elements": "str", "default": []}}


#: of kinds whose objects are inside mounts
MOUNTS: dict[str, Any] = {"purge_mounts": {"type": "list", "elements": "str", "default": []}}


class Given:
    """What holds for a whole list of declarations: the task's other options, and what kind of run it is.

    ``check_mode``: nothing is changed, and what is missing may be another task's. ``rehearsal``: nothing is yet,
    and what is missing may come earlier in the same run; so in check mode, and before a tree is converged.
    ``mounts``: in a tree, the mounts (path and type) that it declares and that hold objects of this kind.
    ``together``: what a tree declares present in the same namespace, by kind: what is missing of it is to come.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        check_mode: bool = False,
        mounts: Sequence[tuple[str, str]] = (),
        rehearsal: bool = False,
        together: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        self.params = params
        self.together: Mapping[str, Sequence[Mapping[str, Any]]] = together or {}
        self.check_mode = check_mode
        self.rehearsal = check_mode or rehearsal
        self.mounts = mounts
        #: whether what is not declared goes
        self.purge = bool(params.get("purge"))
        #: what a purge leaves alone
        self.protected: list[str] = list(params.get("protected") or [])
        #: what a purge may delete although it holds data
        self.purge_data: list[str] = list(params.get("purge_data") or [])

    def beside(self, kind: str) -> Sequence[Mapping[str, Any]]:
        """Return what the same tree declares of a kind, in a rehearsal: it is not there yet, and not missed."""
        return self.together.get(kind, ()) if self.rehearsal else ()

    def coming(self, kind: str) -> frozenset[str]:
        """Return the names (of mounts the paths) of what is `beside`, in lower case, as most servers keep them."""
        return frozenset(
            normalise.path(next((item[name] for name in ("name", "path", "type") if item.get(name)), "")).lower()
            for item in self.beside(kind)
        )

    def coming_in(self, kind: str, mount: str, otherwise: str, name: str = "name") -> dict[str, Mapping[str, Any]]:
        """Return what is `beside` inside a mount, by the option that names it; ``otherwise``: the mount of the rest."""
        return {
            str(item[name]).strip(): item
            for item in self.beside(kind)
            if item.get(name) and normalise.path(item.get("mount") or otherwise) == mount
        }

    def tune(self, mount: str) -> Mapping[str, Any]:
        """Return how the same tree tunes a secrets engine, in a rehearsal."""
        engines = (item for item in self.beside("secrets_engines") if normalise.path(item.get("path")) == mount)
        return next((item.get("tune") or {} for item in engines), {})

    def named_mounts(self) -> list[str]:
        """Return the mounts that a purge is told to look into, whatever is declared in them."""
        named = [self.params.get("mount"), *(self.params.get("purge_mounts") or [])]
        return sorted({normalise.path(mount) for mount in named if mount})


class Kind:
    """One kind; subclasses set the class variables and implement `resources`."""

    #: the module that serves it
    module: ClassVar[str]
    #: the module's option for many objects
    plural: ClassVar[str]
    #: what its objects are, as a list is described: without a full stop
    about: ClassVar[str]
    #: what else is to be known of the list, as a sentence
    note: ClassVar[str] = ""
    #: the tag of ``vault_config`` that stands for it, and for kinds that belong to it
    tag: ClassVar[str]
    #: the fields of one object
    fields: ClassVar[Sequence[Field]] = ()
    #: argument spec of one object: that of its fields
    item: ClassVar[Mapping[str, Any]]
    #: argument spec of what holds for all, such as ``purge``
    options: ClassVar[Mapping[str, Any]] = {}
    #: options that every entry must have
    required: ClassVar[Sequence[str]] = ("name",)
    #: for objects inside mounts: the kind of the mounts, and their type ("": each that can hold some)
    within: ClassVar[tuple[str, str] | None] = None
    #: whether it has fields that the server never returns
    update_secrets: ClassVar[bool] = False
    mutually_exclusive: ClassVar[Sequence[Sequence[str]]] = ()
    #: a ``no_log`` mapping whose short and public values are no secrets; see `_engine.secrets`
    concealed: ClassVar[str] = ""
    #: options of an object that name something, and that mean something when they are empty
    may_be_empty: ClassVar[Sequence[str]] = ()
    #: where the server lists its objects
    listings: ClassVar[Sequence[Listing]] = ()
    #: why the server cannot list them, to be read after "cannot be listed:"
    unlisted: ClassVar[str] = ""
    #: Python libraries that it needs, with the error of their import
    libraries: ClassVar[Sequence[tuple[str, str | None]]] = ()

    def __init_subclass__(cls) -> None:
        if cls.fields:
            cls.item = argument_spec(cls.fields)

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        """Return the values that look like secrets where none belong: they are not printed either."""
        return ()

    def public(self, items: Sequence[Mapping[str, Any]], given: Given) -> Iterable[str]:
        """Return the texts that a task shows anyway, for what is ``concealed``."""
        return ()

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        """Return the resources of the declared items, and with a purge of what is to go. Raises SecretopsError."""
        raise NotImplementedError
