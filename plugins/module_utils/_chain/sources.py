# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The stores and generators that ExternalSecrets and PushSecrets refer to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._engine.errors import InvalidInput
from .._eso.generator import KINDS, SPECS, check_generator
from .._eso.store import CLUSTER_STORE, STORE, check_store
from .._kubernetes.client import Client
from .._kubernetes.kind import Kind, Object
from .links import Need, Source, broken, selects

NAMESPACE = Kind("Namespace", "namespaces", "", ("v1",), False)


class Sources:
    """Stores, read by `read`, and generators, read when they are asked for."""

    def __init__(self, kubernetes: Client) -> None:
        self.kubernetes = kubernetes
        self._versions = {kind.name: kubernetes.version_of(kind) for kind in (STORE, CLUSTER_STORE)}
        #: by kind, namespace and name
        self.stores: dict[tuple[str, str, str], Object] = {}
        self._generators: dict[tuple[str, str, str], Object | None] = {}
        self._labels: dict[str, Mapping[str, str]] | None = None

    def read(self, namespaces: Sequence[str] | None) -> None:
        """Read the stores of all or some namespaces, and those of the cluster."""
        for kind, spaces in ((STORE, namespaces), (CLUSTER_STORE, None)):
            for space in spaces if spaces is not None else [None]:
                for one in self.kubernetes.list_objects(kind.path(self._versions[kind.name], space)):
                    meta = one["metadata"]
                    self.stores[kind.name, meta.get("namespace") or "", meta["name"]] = one

    def store(self, namespace: str, reference: Mapping[str, Any]) -> Source | None:
        """Return the store behind a reference, None when it is not Vault's. Raises Broken."""
        kind = reference.get("kind") or STORE.name
        name = str(reference.get("name") or "")
        space = "" if kind == CLUSTER_STORE.name else namespace
        label = '%s "%s"' % (kind, "%s/%s" % (space, name) if space else name)
        store = self.stores.get((kind, space, name))
        if store is None:
            remedy = "create it, or correct the reference to it"
            if space:
                remedy += "; a SecretStore serves its own namespace only, a ClusterSecretStore others too"
            raise broken("store", "does not exist", label, remedy)
        spec = store.get("spec") or {}
        vault = (spec.get("provider") or {}).get("vault")
        if vault is None:
            return None
        try:
            check_store(kind, space or None, spec)
        except InvalidInput as error:
            raise broken("store", error.what, label, error.remedy) from error
        if kind == CLUSTER_STORE.name and not self._allowed(spec.get("conditions") or [], namespace):
            raise broken(
                "store",
                'its conditions do not let the namespace "%s" use it' % namespace,
                label,
                "add the namespace to its conditions",
            )
        return Source(kind, space, name, vault, kind == CLUSTER_STORE.name, store)

    def _allowed(self, conditions: Sequence[Mapping[str, Any]], namespace: str) -> bool:
        if not conditions:
            return True
        for one in conditions:
            if namespace in (one.get("namespaces") or []):
                return True
            if any(re.search(pattern, namespace) for pattern in one.get("namespaceRegexes") or []):
                return True
            if one.get("namespaceSelector") is not None:
                if self._labels is None:
                    self._labels = {
                        item["metadata"]["name"]: item["metadata"].get("labels") or {}
                        for item in self.kubernetes.list_objects(NAMESPACE.path("v1"))
                    }
                # old API servers do not set this label themselves
                labels = {"kubernetes.io/metadata.name": namespace, **(self._labels.get(namespace) or {})}
                if selects(one["namespaceSelector"], labels):
                    return True
        return False

    def named(self, namespace: str, references: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return references to stores by name for those by name or by labels."""
        found: list[Mapping[str, Any]] = []
        for one in references:
            kind = one.get("kind") or STORE.name
            if one.get("labelSelector") is None:
                found.append(one)
                continue
            space = "" if kind == CLUSTER_STORE.name else namespace
            found += [
                {"kind": kind, "name": key[2]}
                for key, store in sorted(self.stores.items())
                if key[:2] == (kind, space)
                and selects(one["labelSelector"] or {}, store["metadata"].get("labels") or {})
            ]
        return found

    def generator(self, namespace: str, reference: Mapping[str, Any]) -> tuple[Source, Need] | None:
        """Return a generator that asks Vault and what it asks, None for any other. Raises Broken."""
        kind, name = str(reference.get("kind") or ""), str(reference.get("name") or "")
        if kind not in ("VaultDynamicSecret", "ClusterGenerator"):
            return None
        api = KINDS[kind]
        space = namespace if api.namespaced else ""
        key = (kind, space, name)
        if key not in self._generators:
            path = api.path(self.kubernetes.version_of(api), space or None, name)
            self._generators[key] = self.kubernetes.get(path)
        label = '%s "%s"' % (kind, "%s/%s" % (space, name) if space else name)
        live = self._generators[key]
        if live is None:
            raise broken("store", "does not exist", label, "create it, or correct the reference to it")
        spec = live.get("spec") or {}
        try:
            check_generator(kind, space or None, spec)
        except InvalidInput as error:
            raise broken("store", error.what, label, error.remedy) from error
        if kind == "ClusterGenerator":
            spec = (spec.get("generator") or {}).get(SPECS["VaultDynamicSecret"])
            if spec is None:
                return None
        method = spec.get("method") or "GET"
        needed = {"GET": ("read",), "LIST": ("list",), "DELETE": ("delete",)}.get(method, ("create", "update"))
        return Source(kind, space, name, spec["provider"], False, live), Need(str(spec["path"]), needed, "")
