# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""SecretStores and ClusterSecretStores: how namespaces reach Vault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, ClassVar

from .._engine import normalise
from .._engine.errors import InvalidInput
from .._engine.field import Field
from .._kubernetes.client import Client
from .._kubernetes.fields import without_none
from .._kubernetes.kind import Kind
from .._kubernetes.waiting import Expectation
from .kind import GROUP, OPERATOR, VERSIONS, EsoKind, EsoObject
from .provider import (
    PROVIDER_OPTIONS,
    auth_method,
    check_vault,
    references,
    same_bundle,
    trusted,
    vault_fields,
    vault_provider,
)
from .status import describe, expect_ready
from .values import RETRY_FIELDS, check_pattern, check_retries, manifest_names, raw_spec

STORE = Kind("SecretStore", "secretstores", GROUP, VERSIONS, True, OPERATOR)
CLUSTER_STORE = Kind("ClusterSecretStore", "clustersecretstores", GROUP, VERSIONS, False, OPERATOR)
STORE_OPTIONS = ("controller", "conditions", "refresh_interval", "retry_settings")


def store_spec(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's spec from the options of a store, or its raw ``spec``. Raises InvalidInput."""
    raw = raw_spec(item, (*PROVIDER_OPTIONS, *STORE_OPTIONS, "ca_bundle", "vault_namespace", "check_and_set"))
    if raw is not None:
        return raw
    vault = vault_provider(item)
    if vault.get("version") is None:
        vault["version"] = "v2"
    if item.get("check_and_set"):
        vault["checkAndSet"] = {"required": True}
    spec = manifest_names({name: item.get(name) for name in STORE_OPTIONS})
    spec["refreshInterval"] = (
        None if spec["refreshInterval"] is None else int(normalise.seconds(spec["refreshInterval"]) or 0)
    )
    return dict(without_none({**spec, "provider": {"vault": vault}}))


def check_store(kind: str, namespace: str | None, spec: Mapping[str, Any]) -> list[str]:
    """Refuse what the operator refuses, ignores or misreads in a store's spec; return warnings. Raises InvalidInput."""
    provider = spec.get("provider") or {}
    if len(provider) != 1:
        raise InvalidInput(
            "a store has exactly one provider, this one has %d" % len(provider), remedy="give provider.vault"
        )
    if "vault" not in provider:
        return []
    check_retries(spec)
    vault = provider["vault"]
    warnings = check_vault("provider.vault", vault)
    warnings += check_namespaces(kind, namespace, vault)
    account = ((vault.get("auth") or {}).get("kubernetes") or {}).get("serviceAccountRef") or {}
    if account.get("name") and not account.get("audiences"):
        warnings.append(
            "auth.kubernetes.serviceAccountRef has no audiences: its token is for the API server, which roles with an "
            "audience refuse; write that of the role, such as audiences: [vault]"
        )
    if bool(vault.get("readYourWrites")) != bool(vault.get("forwardInconsistent")):
        warnings.append("readYourWrites and forwardInconsistent act only together")
    if spec.get("conditions") and kind == STORE.name:
        raise InvalidInput("conditions are for a ClusterSecretStore", remedy="remove them")
    for number, entry in enumerate(spec.get("conditions") or []):
        for index, pattern in enumerate(entry.get("namespaceRegexes") or []):
            check_pattern("conditions[%d].namespace_regexes[%d]" % (number, index), pattern)
    return warnings


def check_namespaces(kind: str, namespace: str | None, vault: Mapping[str, Any]) -> list[str]:
    """Refuse references that the operator would not follow; return warnings. Raises InvalidInput."""
    found = list(references(vault))
    provider = vault.get("caProvider")
    if kind == STORE.name:
        for where, reference in found:
            if reference.get("namespace") and reference["namespace"] != namespace:
                raise InvalidInput(
                    '%s points into the namespace "%s", which a SecretStore may not' % (where, reference["namespace"]),
                    remedy="move it to the store's own namespace, or use a ClusterSecretStore",
                )
        if provider and provider.get("namespace") not in (None, namespace):
            raise InvalidInput("caProvider may not name another namespace in a SecretStore", remedy="remove it")
        return []
    if provider and not provider.get("namespace"):
        raise InvalidInput("caProvider needs a namespace in a ClusterSecretStore", remedy="add it")
    open_ends = [where for where, reference in found if not reference.get("namespace")]
    if open_ends:
        return [
            "%s has no namespace: it is looked up in each ExternalSecret's own, and the operator shows the store "
            "as Ready without ever having tried it" % ", ".join(open_ends)
        ]
    return []


ELSEWHERE = "Its namespace, for a ClusterSecretStore."
CA_ELSEWHERE = "Its namespace, required for a ClusterSecretStore and not allowed for others."
FIELDS: Sequence[Field] = (
    Field(
        "kind",
        "Kind of the store. A V(SecretStore) serves its own namespace, a V(ClusterSecretStore) all of them.",
        choices=("SecretStore", "ClusterSecretStore"),
        default="SecretStore",
    ),
    Field("name", "Name of the store."),
    Field("namespace", "Namespace of a SecretStore; a ClusterSecretStore has none."),
    Field("labels", "Labels of the object. Labels of others are left alone.", "dict"),
    Field("annotations", "Annotations of the object. Annotations of others are left alone.", "dict"),
    Field("spec", "The whole spec, as a manifest has it. Excludes all options below.", "dict"),
    *vault_fields(ELSEWHERE, CA_ELSEWHERE),
    Field("path", "Mount of the KV engine. Without it, each key begins with the mount."),
    Field("version", "Version of the KV engine; V(v2) when it is not given.", choices=("v1", "v2")),
    Field(
        "check_and_set",
        "Whether PushSecrets of this store write with check-and-set. From version 0.20 of the operator on.",
        "bool",
    ),
    Field(
        "conditions",
        "Which namespaces may use a ClusterSecretStore.",
        "list",
        elements="dict",
        fields=(
            Field("namespaces", "Names of namespaces.", "list", elements="str"),
            Field("namespace_regexes", "Regular expressions of names of namespaces.", "list", elements="str"),
            Field("namespace_selector", "Label selector, as a manifest has it.", "dict"),
        ),
    ),
    Field("controller", "Class of the operator instance that is to serve the store."),
    Field("refresh_interval", "How often the operator validates the store, a duration."),
    Field(
        "retry_settings",
        "How often and how long apart the operator asks Vault again after an error.",
        "dict",
        fields=RETRY_FIELDS,
    ),
)


class Store(EsoObject):
    """A SecretStore: how a namespace reaches Vault."""

    kind = STORE.name
    api: ClassVar[Kind] = STORE
    rank = 0
    compared = {"spec.provider.vault.caBundle": same_bundle}

    def spec_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return store_spec(item)

    def refuse(self, spec: Mapping[str, Any]) -> list[str]:
        return check_store(self.kind, self.namespace, spec)


class ClusterStore(Store):
    """A ClusterSecretStore: how all namespaces, or those of its conditions, reach Vault."""

    kind = CLUSTER_STORE.name
    api = CLUSTER_STORE


def describe_store(current: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a store for the survey."""
    provider = (current.get("spec") or {}).get("provider") or {}
    vault = provider.get("vault") or {}
    return {
        **describe(current),
        "kind": current.get("kind") or "",
        "provider": next(iter(provider), ""),
        "server": vault.get("server") or "",
        "path": vault.get("path") or "",
        "auth_method": auth_method(vault),
        "ca_bundle": trusted(vault),
    }


class Stores(EsoKind):
    """SecretStores and ClusterSecretStores."""

    module = "eso_secretstore"
    plural = "stores"
    title = "Stores"
    task = "Declare how Vault is reached"
    fields = FIELDS
    classes = {STORE.name: Store, CLUSTER_STORE.name: ClusterStore}
    restored = 1
    core = True

    def purged(self, client: Client, declared: Sequence[EsoObject]) -> list[Kind]:
        # those of the cluster only where some are declared: a purge is by namespace
        return [kind for kind in self.apis if kind is STORE or any(one.api is kind for one in declared)]

    def expect(self, client: Client, resources: Sequence[EsoObject]) -> Callable[[Any, bool], Expectation]:
        return expect_ready

    def describe(self, current: Mapping[str, Any]) -> dict[str, Any]:
        return describe_store(current)
