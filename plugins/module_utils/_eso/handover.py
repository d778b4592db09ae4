# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Hand objects over from one field manager to another without deleting them.

A field that two managers apply stays when one of them drops it, and one who applies a field of another gets a
conflict: who gives objects up has to give up their fields. Source: Kubernetes documentation, Server-Side Apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from .._engine.errors import InvalidInput
from .._engine.resource import Change, Resource
from .._kubernetes.client import Client
from .._kubernetes.errors import NotServed
from .._kubernetes.kind import NAMESPACE, SERVICE_ACCOUNT, Kind, Object
from .._kubernetes.objects import MANAGER, applied_by_us, managers, migrated
from .._kubernetes.reading import Reader
from .kinds import KINDS as ESO_KINDS

FLUX = "kustomize-controller"
#: what Flux writes on what it applies
FLUX_LABELS = ("kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace")
#: what keeps Flux from deleting an object that left its tree, looked up on the object in the cluster
KEPT = "kustomize.toolkit.fluxcd.io/prune"
RBAC = "rbac.authorization.k8s.io"
DECLARED = tuple(api for kind in ESO_KINDS for api in kind.apis)
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        *DECLARED,
        NAMESPACE,
        SERVICE_ACCOUNT,
        Kind("Role", "roles", RBAC, ("v1",)),
        Kind("RoleBinding", "rolebindings", RBAC, ("v1",)),
        Kind("ClusterRole", "clusterroles", RBAC, ("v1",), False),
        Kind("ClusterRoleBinding", "clusterrolebindings", RBAC, ("v1",), False),
        Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io", ("v1",)),
    )
}


def of_flux(current: Mapping[str, Any]) -> bool:
    """Tell whether Flux applied an object."""
    labels = (current.get("metadata") or {}).get("labels") or {}
    return FLUX in managers(current, "Apply") or FLUX_LABELS[0] in labels


class Handover(Resource):
    """One object that a field manager gives up. A missing object needs nothing."""

    kind: ClassVar[str] = "object"

    def __init__(self, client: Client, reader: Reader, item: Mapping[str, Any], desired: Mapping[str, Any]) -> None:
        if item["kind"] not in KINDS:
            raise InvalidInput('the kind "%s" is not known here' % item["kind"], remedy="use %s" % ", ".join(KINDS))
        self.api = KINDS[item["kind"]]
        self.client = client
        self.reader = reader
        self.namespace = item.get("namespace") or None
        self.object_name = item["name"]
        self.live: Object | None = None
        where = "%s/%s" % (self.namespace, self.object_name) if self.namespace else self.object_name
        super().__init__("%s %s" % (self.api.name, where), desired)

    @property
    def label(self) -> str:
        return self.name

    @property
    def version(self) -> str:
        """The version of the API in which it is read and written. Raises NotServed."""
        return self.client.version_of(self.api)

    def preflight(self) -> None:
        self.client.version_of(self.api)

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        resources[0].reader.prefetch((one.api, one.version, one.namespace) for one in resources)

    def state(self, current: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that are compared."""
        raise NotImplementedError

    def patch(self, current: Mapping[str, Any]) -> Object:
        """Return the merge patch of the metadata."""
        raise NotImplementedError

    def read(self) -> Mapping[str, Any] | None:
        self.live = self.reader.get(self.api, self.version, self.namespace, self.object_name)
        # what is not there needs nothing: it counts as it is wanted
        return dict(self.desired or {}) if self.live is None else self.state(self.live)

    def write(self, change: Change) -> None:
        path = self.api.path(self.version, self.namespace, self.object_name)
        # read anew: who wrote meanwhile would be lost, and the version makes sure that nobody did
        current = self.client.get(path)
        if current is not None:
            fields = migrated(self.client, self.api, self.version, current)[0]
            if fields is not None:
                current["metadata"]["managedFields"] = fields
            metadata = {"resourceVersion": current["metadata"]["resourceVersion"], **self.patch(current)}
            if fields is not None:
                metadata.setdefault("managedFields", fields)
            self.client.request("PATCH", path, {"metadata": metadata}, {"fieldManager": "secretops.vault_eso.handover"},
                                content_type="application/merge-patch+json", idempotent=False)  # fmt: skip

    def delete(self, change: Change) -> None:
        raise NotImplementedError


class Protected(Handover):
    """An object that Flux applied and must not delete when it leaves the tree."""

    def __init__(self, client: Client, reader: Reader, item: Mapping[str, Any]) -> None:
        super().__init__(client, reader, item, {KEPT: "disabled"})

    def state(self, current: Mapping[str, Any]) -> dict[str, Any]:
        annotations = current["metadata"].get("annotations") or {}
        return {KEPT: annotations.get(KEPT, "") if of_flux(current) else "disabled"}

    def patch(self, current: Mapping[str, Any]) -> Object:
        return {"annotations": {KEPT: "disabled"}}


class Released(Handover):
    """An object whose fields a manager no longer applies. What Flux gives up becomes ours."""

    def __init__(self, client: Client, reader: Reader, item: Mapping[str, Any], manager: str) -> None:
        self.manager = manager
        super().__init__(client, reader, item, {"applied by %s" % manager: False, "marks": []})

    def state(self, current: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "applied by %s" % self.manager: self.manager in managers(current, "Apply"),
            "marks": self.marks(current),
        }

    def gives_up(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether an entry of managedFields is one of what the manager applied."""
        return (entry.get("manager"), entry.get("operation"), bool(entry.get("subresource"))) == (
            self.manager,
            "Apply",
            False,
        )

    def marks(self, current: Mapping[str, Any]) -> list[str]:
        """Return the labels and annotations that the manager leaves behind."""
        if self.manager != FLUX:
            return []
        metadata = current["metadata"]
        return [name for name in FLUX_LABELS if name in (metadata.get("labels") or {})] + [
            name for name in (KEPT,) if name in (metadata.get("annotations") or {})
        ]

    def patch(self, current: Mapping[str, Any]) -> Object:
        entries = list(current["metadata"].get("managedFields") or [])
        given_up = [one for one in entries if self.gives_up(one)]
        kept = [one for one in entries if not self.gives_up(one)]
        # without an heir nobody would notice when one of the fields is declared no longer
        ours = any((one.get("manager"), one.get("operation")) == (MANAGER, "Apply") for one in kept)
        if self.manager == FLUX and self.api in DECLARED and not ours:
            kept += [{**one, "manager": MANAGER} for one in given_up[:1]]
        # an empty list is ignored by the server; one empty entry means none
        patch: Object = {"managedFields": kept or [{}]}
        marks = self.marks(current)
        if marks:
            patch["labels"] = {name: None for name in marks if name in FLUX_LABELS}
            patch["annotations"] = {name: None for name in marks if name == KEPT}
        return patch


def handovers(client: Client, items: Sequence[Mapping[str, Any]], state: str, manager: str) -> list[Handover]:
    """Return the resources for objects: state ``protected`` or ``released``. Raises InvalidInput."""
    reader = Reader(client)
    return [
        Protected(client, reader, item) if state == "protected" else Released(client, reader, item, manager)
        for item in items
    ]


def left_over(client: Client, items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects that this collection applied and that are not among ``items``, in the whole cluster."""
    known = {(item["kind"], item.get("namespace") or None, item["name"]) for item in items}
    found = []
    for kind in DECLARED:
        try:
            version = client.version_of(kind)
        except NotServed:
            continue
        for current in client.list_objects(kind.path(version)):
            space, name = current["metadata"].get("namespace"), current["metadata"]["name"]
            if applied_by_us(current) and (kind.name, space, name) not in known:
                found.append({"kind": kind.name, "namespace": space, "name": name})
    return found
