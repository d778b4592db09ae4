# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The ExternalSecrets that ClusterExternalSecrets make, and the namespaces that they are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._engine.errors import SecretopsError
from .._engine.scrub import scrub_event
from .._engine.secrets import KNOWN
from .._kubernetes.client import Client
from .._kubernetes.errors import Forbidden
from .._kubernetes.fields import compact, matches
from .._kubernetes.kind import NAMESPACE, Object
from .._kubernetes.objects import condition
from .._kubernetes.schema import UNREADABLE, Schema, child, defaulted
from .._kubernetes.waiting import Expectation
from .external_secret import EXTERNAL_SECRET
from .status import cause, synced
from .targets import Targets, target_of, unseen
from .values import duration

#: begins the finalizer that the operator puts on each namespace; the name of the ClusterExternalSecret ends it
FINALIZER = "externalsecrets.external-secrets.io/ces-"
#: the label that an API server gives each namespace since 1.21, by which the operator finds those that are named
NAME_LABEL = "kubernetes.io/metadata.name"


class Children:
    """The ExternalSecrets that ClusterExternalSecrets made; one list of the whole cluster serves a round of looks."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._asked: set[str] = set()
        self._found: list[Object] = []
        self._blind = False
        self.targets = Targets(client)

    @property
    def version(self) -> str:
        """The version of the API in which ExternalSecrets are read. Raises NotServed."""
        return self.client.version_of(EXTERNAL_SECRET)

    def of(self, current: Mapping[str, Any]) -> list[Object]:
        """Return those of one ClusterExternalSecret; a second call for it lists them again."""
        uid = current["metadata"]["uid"]
        if not self._asked or uid in self._asked:
            self._asked = set()
            self._found = self.client.list_objects(EXTERNAL_SECRET.path(self.version))
        self._asked.add(uid)
        return [
            one
            for one in self._found
            if any(owner.get("uid") == uid for owner in one["metadata"].get("ownerReferences") or [])
        ]

    def lacking(self, one: Object, warnings: list[str]) -> str:
        """Return what an ExternalSecret or what it fills lacks. Raises SecretopsError when waiting cannot help."""
        lacking = synced(one)
        if lacking:
            return lacking
        try:
            return self.targets.lacking(one)
        except Forbidden as error:
            warning = unseen(target_of(one), error)
            if warning not in warnings:
                warnings.append(warning)
            return ""
        except SecretopsError as error:
            raise SecretopsError(error.what, 'namespace "%s"' % one["metadata"]["namespace"], error.remedy) from error

    def selected(self, spec: Mapping[str, Any]) -> set[str] | None:
        """Return the names of the namespaces that a spec selects, None where they may not be listed."""
        selectors = [{"matchLabels": {NAME_LABEL: name}} for name in spec.get("namespaces") or []]
        if spec.get("namespaceSelector") is not None:
            selectors.append(spec["namespaceSelector"])
        found: set[str] = set()
        for selector in [*selectors, *(spec.get("namespaceSelectors") or [])]:
            if self._blind:
                return None
            try:
                spaces = self.client.list_objects(NAMESPACE.path("v1"), {"labelSelector": terms(selector)})
            except Forbidden:
                self._blind = True
                return None
            # the operator passes over those that are being deleted
            found |= {one["metadata"]["name"] for one in spaces if not one["metadata"].get("deletionTimestamp")}
        return found

    def left_behind(self, name: str, namespaces: Iterable[str]) -> list[str]:
        """Return a warning for each namespace that is no longer selected but still has the operator's finalizer."""
        finalizer = FINALIZER + name
        warnings = []
        for namespace in sorted(namespaces):
            try:
                current = self.client.get(NAMESPACE.path("v1", None, namespace))
            except Forbidden:
                break
            if current is not None and finalizer in (current["metadata"].get("finalizers") or []):
                warnings.append(
                    'the operator leaves its finalizer "%s" on the namespace "%s", which is selected no longer; '
                    "remove it there before you delete that namespace" % (finalizer, namespace)
                )
        return warnings

    def expect(self, resource: Any, changed: bool) -> Expectation:
        """Return what to wait for: every selected namespace has the ExternalSecret as declared, and it is synced."""
        wanted = (resource.spec or {}).get("externalSecretSpec") or {}
        schema = child(self.client.schema(EXTERNAL_SECRET, self.version) or UNREADABLE, "spec")
        before = set(provisioned(resource.live))
        seen: dict[str, Object | None] = {"lacking": None}

        def look(current: Object | None) -> str:
            seen["lacking"] = None
            lacking = provided(current)
            if lacking or current is None:
                return lacking
            selected = self.selected(current.get("spec") or {})
            lacking = astray(current, selected)
            if lacking:
                return lacking
            namespaces = provisioned(current)
            found = {one["metadata"]["namespace"]: one for one in self.of(current)}
            for namespace in namespaces:
                one = found.get(namespace)
                if one is None or not same_spec(one.get("spec") or {}, wanted, schema):
                    return 'has not reached the namespace "%s" yet' % namespace
                lacking = self.lacking(one, resource.warnings)
                if lacking:
                    seen["lacking"] = one
                    return 'in the namespace "%s" %s' % (namespace, lacking)
            resource.info["namespaces"] = namespaces
            if not namespaces:
                resource.warnings.append("no namespace has the labels that it selects")
            resource.warnings += self.left_behind(resource.object_name, before - set(namespaces))
            return ""

        def explain(current: Object | None) -> str:
            return cause(resource.client, EXTERNAL_SECRET.name, seen["lacking"])

        return Expectation(resource.api, resource.version, None, resource.object_name, look, explain)


def terms(selector: Mapping[str, Any]) -> str:
    """Return a label selector as a request writes it; the server refuses what is wrong with it.

    Source: Kubernetes documentation, Labels and Selectors, API.
    """
    found = ["%s=%s" % pair for pair in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or []:
        values = "(%s)" % ",".join(str(value) for value in rule.get("values") or [])
        found.append(
            {
                "In": "%s in %s" % (rule.get("key"), values),
                "NotIn": "%s notin %s" % (rule.get("key"), values),
                "DoesNotExist": "!%s" % rule.get("key"),
            }.get(str(rule.get("operator")), str(rule.get("key")))
        )
    return ",".join(found)


def provisioned(current: Mapping[str, Any] | None) -> list[str]:
    """Return the sorted names of the namespaces that have it, from its status."""
    return sorted(((current or {}).get("status") or {}).get("provisionedNamespaces") or [])


def astray(current: Mapping[str, Any], selected: set[str] | None) -> str:
    """Return "" when the namespaces of the status are the selected ones (or None: not known), else which is not.

    The status does not say which spec it is about: right after a change it is Ready with the namespaces from before.
    """
    if selected is None:
        return ""
    for namespace in sorted(selected - set(provisioned(current))):
        return 'has not reached the namespace "%s" yet' % namespace
    for namespace in sorted(set(provisioned(current)) - selected):
        return 'has not left the namespace "%s" yet' % namespace
    return ""


def failures(current: Mapping[str, Any]) -> str:
    """Return which namespaces failed and why, from its status; "" when none did."""
    failed = (current.get("status") or {}).get("failedNamespaces") or []
    text = "; ".join(
        'namespace "%s": %s' % (one.get("namespace"), scrub_event(KNOWN.scrub_foreign(one.get("reason"))))
        for one in failed[:3]
    )
    return text + ("; and %d more" % (len(failed) - 3) if len(failed) > 3 else "")


def provided(current: Object | None) -> str:
    """Return "" when a ClusterExternalSecret is Ready in every namespace, else what it lacks."""
    if current is None:
        return "does not exist"
    if failures(current):
        return "is not ready: %s" % failures(current)
    entry = condition(current)
    if not entry:
        return "has no status yet (does the operator run?)"
    return "" if entry.get("status") == "True" else "is not ready: %s" % (entry.get("message") or "no reason is given")


def same_spec(current: Mapping[str, Any], wanted: Mapping[str, Any], schema: Schema | None = None) -> bool:
    """Tell whether an ExternalSecret's spec is the declared one.

    The operator writes durations its own way, and leaves out what is empty. ``schema`` is that of the spec.
    """
    rest = {key: value for key, value in defaulted(schema, wanted).items() if key != "refreshInterval"}
    return matches(compact(current), compact(rest), schema) and (
        "refreshInterval" not in wanted
        or duration(current.get("refreshInterval")) == duration(wanted["refreshInterval"])
    )
