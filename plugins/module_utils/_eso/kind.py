# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What a kind of External Secrets Operator says of itself, once; `kinds.KINDS` lists them.

Source of fields and rules: External Secrets Operator 0.9 to 2.9, API reference and admission webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, ClassVar

from .._engine.field import Field, argument_spec
from .._kubernetes.apply import Cluster, KubeObject, about
from .._kubernetes.client import Client
from .._kubernetes.kind import Kind, Object
from .._kubernetes.module import APPLY_SPEC
from .._kubernetes.waiting import Expectation
from .forced import Forced

OPERATOR = "External Secrets Operator"
GROUP = "external-secrets.io"
#: v1beta1 was served up to 0.16, v1 since 0.16
VERSIONS = ("v1", "v1beta1")


class EsoObject(KubeObject):
    """One object of the operator. Subclasses say what their options mean and what is wrong with them."""

    def __init__(self, item: Mapping[str, Any], cluster: Cluster | None = None) -> None:
        with about(self.api.name, item):
            self.spec = self.spec_of(item) if item["state"] == "present" else None
        super().__init__(item, {"spec": self.spec}, cluster)

    def spec_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the manifest's spec from the options of an entry. Raises InvalidInput."""
        raise NotImplementedError

    def refuse(self, spec: Mapping[str, Any]) -> list[str]:
        """Refuse what the operator refuses, ignores or misreads; return warnings. Raises InvalidInput."""
        raise NotImplementedError

    def check(self) -> None:
        super().check()
        if self.spec is not None:
            self.warnings += self.refuse(self.spec)


class EsoKind:
    """One list of declarations: what an entry takes, and how the collection treats the objects of it.

    Its module, the manifests for Git, the survey, the handover, the backup and the forced sync follow from it, and what
    `make generate` writes into documentation and roles.
    """

    #: the module that serves it
    module: ClassVar[str]
    #: the option that takes many: of its module, of the manifests and of the survey
    plural: ClassVar[str]
    #: the objects as documentation names them, and the task of the role that declares them
    title: ClassVar[str]
    task: ClassVar[str]
    #: what an entry takes
    fields: ClassVar[Sequence[Field]]
    #: options that every entry must have
    required: ClassVar[Sequence[str]] = ("name",)
    #: argument spec of what holds for all entries
    options: ClassVar[Mapping[str, Any]] = APPLY_SPEC
    #: the resources by kind; an entry that names no kind is of the first
    classes: ClassVar[Mapping[str, type[EsoObject]]]
    #: when a backup brings it back: stores 1, generators 2, what reads them 3, what writes to Vault 4
    restored: ClassVar[int] = 3
    #: whether nothing can be declared without it
    core: ClassVar[bool] = False
    #: how it is synced by force, None where the operator syncs nothing
    forced: ClassVar[type[Forced] | None] = None

    @property
    def entry(self) -> dict[str, Any]:
        """The argument spec of an entry."""
        return argument_spec(self.fields)

    @property
    def apis(self) -> list[Kind]:
        """The kinds of the Kubernetes API."""
        return [one.api for one in self.classes.values()]

    def make(self, item: Mapping[str, Any], cluster: Cluster | None = None) -> EsoObject:
        """Return the resource for an entry without asking a server. Raises InvalidInput."""
        return self.classes[item.get("kind") or next(iter(self.classes))](item, cluster)

    def check_together(self, resources: Sequence[Any], beside: Mapping[str, Sequence[Any]]) -> None:
        """Refuse, or warn of, what does not go together. ``beside``: what else is declared, by option."""

    def purged(self, client: Client, declared: Sequence[EsoObject]) -> list[Kind]:
        """Return the kinds that a purge looks at."""
        return self.apis

    def expect(self, client: Client, resources: Sequence[EsoObject]) -> Callable[[Any, bool], Expectation] | None:
        """Return a function that says what to wait for after an object was applied; None without a status."""
        return None

    def describe(self, current: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the survey tells of an object: nothing secret."""
        raise NotImplementedError

    def complete(
        self, client: Client, found: Sequence[tuple[Object, dict[str, Any]]], wanted: Mapping[str, Any]
    ) -> None:
        """Add to the descriptions what other objects tell. ``wanted``: options of the survey."""
