# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""ClusterExternalSecrets: one ExternalSecret in every namespace that is selected.

Source: External Secrets Operator, API reference, ClusterExternalSecret. Its Ready condition has no reason and says
nothing of whether the ExternalSecrets were synced, so that these are looked at as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .._engine.errors import InvalidInput, SecretopsError
from .._engine.field import Field
from .._kubernetes.client import Client
from .._kubernetes.fields import without_none
from .._kubernetes.kind import Kind, Object
from .._kubernetes.module import APPLY_SPEC
from .._kubernetes.objects import condition
from .._kubernetes.waiting import Expectation
from .children import Children, astray, provided, provisioned
from .external_secret import EXTERNAL_SECRET, store_of
from .forced import Contents, Forced, SyncRun, changed_keys, unproven
from .kind import GROUP, OPERATOR, VERSIONS, EsoKind, EsoObject
from .secret_spec import SECRET_FIELDS, check_external_secret, external_secret_spec
from .status import describe
from .targets import target_of
from .values import check_interval, duration, manifest_names, raw_spec

CLUSTER_EXTERNAL_SECRET = Kind("ClusterExternalSecret", "clusterexternalsecrets", GROUP, VERSIONS, False, OPERATOR)
OPTIONS = ("external_secret_name", "external_secret_metadata", "namespace_selectors", "namespaces", "refresh_time")


def cluster_external_secret_spec(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's spec from options, or the raw ``spec``. Raises InvalidInput."""
    raw = raw_spec(item, (*OPTIONS, "external_secret"))
    if raw is not None:
        return raw
    spec = manifest_names({name: item.get(name) for name in OPTIONS})
    spec["externalSecretSpec"] = external_secret_spec(item.get("external_secret") or {})
    return dict(without_none(spec))


def check_cluster_external_secret(name: str, spec: Mapping[str, Any]) -> list[str]:
    """Refuse what the operator refuses or misreads; return warnings. Raises InvalidInput."""
    for field, advice in (
        ("data", "write it below externalSecretSpec, or as external_secret"),
        ("dataFrom", "write it below externalSecretSpec, or as external_secret"),
        ("secretStoreRef", "write it below externalSecretSpec, or as external_secret.store"),
        ("target", "write it below externalSecretSpec, or as external_secret"),
        ("refreshInterval", "write refreshTime for the ClusterExternalSecret, or externalSecretSpec.refreshInterval"),
        ("externalSecretNamespace", "choose namespaces by namespaceSelectors"),
    ):
        if field in spec:
            raise InvalidInput("spec.%s does not exist in a ClusterExternalSecret" % field, remedy=advice)
    if not any(spec.get(field) is not None for field in ("namespaceSelectors", "namespaceSelector", "namespaces")):
        raise InvalidInput(
            "no namespace is selected", remedy='give "namespace_selectors", each with matchLabels or matchExpressions'
        )
    check_interval("refresh time", spec.get("refreshTime"))
    return check_external_secret(spec.get("externalSecretName") or name, spec.get("externalSecretSpec") or {})


FIELDS: Sequence[Field] = (
    Field("name", "Name of the ClusterExternalSecret."),
    Field("labels", "Labels of the object.", "dict"),
    Field("annotations", "Annotations of the object.", "dict"),
    Field("spec", "The whole spec, as a manifest has it. Excludes all options below.", "dict"),
    Field("external_secret_name", "Name of the ExternalSecrets; by default that of the ClusterExternalSecret."),
    Field(
        "external_secret_metadata",
        "Labels and annotations of the ExternalSecrets.",
        "dict",
        fields=(
            Field("labels", "Labels.", "dict"),
            Field("annotations", "Annotations.", "dict"),
        ),
    ),
    Field(
        "namespace_selectors",
        (
            "Label selectors; a namespace that any of them takes is selected.",
            (
                "Each has C(matchLabels) and C(matchExpressions), as a manifest has them; an empty one "
                "takes every namespace."
            ),
        ),
        "list",
        elements="dict",
    ),
    Field(
        "namespaces",
        "Names of namespaces that are selected beside those of O(namespace_selectors).",
        "list",
        elements="str",
    ),
    Field(
        "refresh_time",
        "How often the operator looks at the namespaces again, such as V(5m). The operator's default is an hour.",
    ),
    Field(
        "external_secret",
        (
            "What the ExternalSecrets are, by the options of M(secretops.vault_eso.eso_externalsecret).",
            "A store of the kind V(SecretStore) is looked up in each namespace.",
        ),
        "dict",
        fields=SECRET_FIELDS,
    ),
)


class ClusterExternalSecret(EsoObject):
    """A ClusterExternalSecret."""

    kind = CLUSTER_EXTERNAL_SECRET.name
    api = CLUSTER_EXTERNAL_SECRET
    compared = {"spec.refreshTime": duration, "spec.externalSecretSpec.refreshInterval": duration}

    def spec_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return cluster_external_secret_spec(item)

    def refuse(self, spec: Mapping[str, Any]) -> list[str]:
        return check_cluster_external_secret(self.object_name, spec)


def describe_cluster_external_secret(current: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a ClusterExternalSecret for the survey; its condition alone says little."""
    spec, status = current.get("spec") or {}, current.get("status") or {}
    lacking = provided(dict(current))
    return {
        **describe(current),
        "ready": not lacking,
        "message": lacking or condition(current).get("message") or "",
        "external_secret": status.get("externalSecretName")
        or spec.get("externalSecretName")
        or current["metadata"]["name"],
        "store": store_of(spec.get("externalSecretSpec") or {}),
        "provisioned_namespaces": sorted(status.get("provisionedNamespaces") or []),
        "failed_namespaces": [
            {"namespace": one.get("namespace"), "reason": one.get("reason") or ""}
            for one in status.get("failedNamespaces") or []
        ],
        "refresh_interval": spec.get("refreshTime"),
    }


#: the operator hands it down to the ExternalSecrets of a ClusterExternalSecret
CLUSTER_ANNOTATION = "external-secrets.io/force-sync"


class ClusterSync(Forced):
    """One forced sync of all ExternalSecrets of a ClusterExternalSecret."""

    kind = CLUSTER_EXTERNAL_SECRET.name
    api = CLUSTER_EXTERNAL_SECRET
    annotation = CLUSTER_ANNOTATION

    def __init__(self, run: SyncRun, item: Mapping[str, Any]) -> None:
        self.children = run.shared(Children)
        self.before: dict[str, Contents | None] = {}
        self.old: dict[str, str] = {}
        self.synced: dict[str, Object] = {}
        self.late: Object | None = None
        super().__init__(run, item)

    def check(self) -> None:
        if self.item.get("namespace"):
            raise InvalidInput("a ClusterExternalSecret belongs to no namespace", remedy='remove "namespace"')
        if self.item.get("expect_versions"):
            raise InvalidInput(
                "versions can be proven for an ExternalSecret only", remedy="name those of its namespaces one by one"
            )

    def read(self) -> Mapping[str, Any] | None:
        current = self.current()
        self.refuse_frozen((current.get("spec") or {}).get("externalSecretSpec") or {})
        for one in self.children.of(current):
            namespace = one["metadata"]["namespace"]
            self.old[namespace] = str((one.get("status") or {}).get("syncedResourceVersion") or "")
            self.before[namespace] = self.contents(self.run.contents.before, target_of(one))
        return {self.annotation: (current["metadata"].get("annotations") or {}).get(self.annotation)}

    def culprit(self, current: Object | None) -> tuple[str, Object | None]:
        return EXTERNAL_SECRET.name, self.late

    def _look(self, current: Object | None) -> str:
        current = self.refuse_foreign(current)
        self.late = None
        lacking = provided(current) or astray(current, self.children.selected(current.get("spec") or {}))
        if lacking:
            return lacking
        found = {one["metadata"]["namespace"]: one for one in self.children.of(current)}
        namespaces = provisioned(current)
        for namespace in namespaces:
            one = found.get(namespace)
            if one is None or (one["metadata"].get("annotations") or {}).get(self.annotation) != self.value:
                return 'has not reached the namespace "%s" yet' % namespace
            self.synced[namespace] = one
            lacking = self.unproven_in(namespace, one) or self.lacking(target_of(one))
            if lacking:
                self.late = one
                return 'in the namespace "%s" %s' % (namespace, lacking)
        self.info["namespaces"] = namespaces
        return ""

    def unproven_in(self, namespace: str, one: Object) -> str:
        """Return what an ExternalSecret's sync lacks. Raises SecretopsError when waiting cannot help."""
        try:
            return unproven(one, self.old.get(namespace, ""))
        except SecretopsError as error:
            raise error.at('namespace "%s"' % namespace) from None

    def conclude(self) -> None:
        changed, seen = {}, True
        for namespace in self.info.get("namespaces", []):
            one, before = self.synced[namespace], self.before.get(namespace, Contents())
            try:
                after = self.arrived(one, target_of(one))
            except SecretopsError as error:
                raise error.at('namespace "%s"' % namespace) from None
            seen = seen and after is not None
            if after is not None and after.known and before is not None:
                changed[namespace] = changed_keys(before.digests or {}, after.digests or {})
        self.info.update(changed_keys=changed, proven=seen)


class ClusterExternalSecrets(EsoKind):
    """ClusterExternalSecrets."""

    module = "eso_clusterexternalsecret"
    plural = "cluster_external_secrets"
    title = "ClusterExternalSecrets"
    task = "Declare what is synchronised into many namespaces"
    fields = FIELDS
    options = {name: option for name, option in APPLY_SPEC.items() if name != "purge_namespaces"}
    classes = {CLUSTER_EXTERNAL_SECRET.name: ClusterExternalSecret}
    forced = ClusterSync

    def expect(self, client: Client, resources: Sequence[EsoObject]) -> Callable[[Any, bool], Expectation]:
        return Children(client).expect

    def describe(self, current: Mapping[str, Any]) -> dict[str, Any]:
        return describe_cluster_external_secret(current)
