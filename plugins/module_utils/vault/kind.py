# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kind of declared object: its options, and the resources that a list of declarations stands for.

One module serves one kind (`vault.module.converge`); `vault_configuration` serves all of them (`vault.tree`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from .client import Client

PURGE: dict[str, Any] = {
    "purge": {"type": "bool", "default": False},
    "protected": {"type": "list", "elements": "str", "default": []},
}
#: of kinds that hold data
PURGE_DATA: dict[str, Any] = {**PURGE, "purge_data": {"type": "list", "elements": "str", "default": []}}


class Given:
    """What holds for a whole list of declarations: the task's other options, and whether it is a rehearsal."""

    def __init__(self, params: Mapping[str, Any], check_mode: bool = False) -> None:
        self.params = params
        self.check_mode = check_mode
        #: whether what is not declared goes
        self.purge = bool(params.get("purge"))
        #: what a purge leaves alone
        self.protected: list[str] = list(params.get("protected") or [])
        #: what a purge may delete although it holds data
        self.purge_data: list[str] = list(params.get("purge_data") or [])


class Kind:
    """One kind; subclasses set the class variables and implement `resources`."""

    #: the module that serves it
    module: ClassVar[str]
    #: the module's option for many objects
    plural: ClassVar[str]
    #: argument spec of one object
    item: ClassVar[Mapping[str, Any]]
    #: argument spec of what holds for all, such as ``purge``
    options: ClassVar[Mapping[str, Any]] = {}
    #: options that every entry must have
    required: ClassVar[Sequence[str]] = ("name",)
    #: whether it has fields that the server never returns
    update_secrets: ClassVar[bool] = False
    mutually_exclusive: ClassVar[Sequence[Sequence[str]]] = ()
    #: a ``no_log`` mapping whose short and public values are no secrets; see `Module.conceal`
    concealed: ClassVar[str] = ""
    #: Python libraries that it needs, with the error of their import
    libraries: ClassVar[Sequence[tuple[str, str | None]]] = ()

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        """Return the values that look like secrets where none belong: they are not printed either."""
        return ()

    def public(self, items: Sequence[Mapping[str, Any]], given: Given) -> Iterable[str]:
        """Return the texts that a task shows anyway, for what is ``concealed``."""
        return ()

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        """Return the resources of the declared items, and with a purge of what is to go. Raises SecretopsError."""
        raise NotImplementedError
