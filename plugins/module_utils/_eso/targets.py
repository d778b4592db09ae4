# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What ExternalSecrets fill: whether it exists, with the keys that their specs promise. Values stay on the server.

The operator says Ready where it has nothing to do as well: a find that matches nothing, a rewrite that leaves no key, a
Merge into what does not exist, a secret that is gone in Vault with the deletion policy Delete. A Ready condition is
therefore no proof that a Secret exists. Source: External Secrets Operator 2.9.0, pkg/controllers/externalsecret.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .._engine import wording
from .._engine.errors import SecretopsError
from .._kubernetes.apply import KubeObject
from .._kubernetes.client import LIST_METADATA_ONLY, METADATA_ONLY, Client
from .._kubernetes.errors import Forbidden
from .._kubernetes.kind import SECRET, Kind, Object
from .._kubernetes.objects import condition
from .._kubernetes.reading import Key, collections, key_of
from .._kubernetes.waiting import Expectation
from .status import expected, synced


def target_name(current: Mapping[str, Any]) -> str:
    """Return the name of the Secret that an ExternalSecret fills."""
    spec = current.get("spec") or {}
    return str((spec.get("target") or {}).get("name") or current["metadata"]["name"])


#: reasons of a Ready condition: something was written, was deleted, or does not exist and is not created.
#: Resource… is said of targets that are no Secrets
WRITTEN = ("SecretSynced", "ResourceSynced")
DELETED = ("SecretDeleted", "ResourceDeleted")
MISSING = ("SecretMissing", "ResourceMissing")
#: the operator's label on what it writes
MANAGED = "reconcile.external-secrets.io/managed"
#: more Secrets than these are listed, and seconds before they are listed again
MANY = 5
FRESH = 1.0


class Target(NamedTuple):
    """What an ExternalSecret fills; no Secret when its spec has ``target.manifest``."""

    namespace: str
    name: str
    api_version: str = "v1"
    kind: str = "Secret"

    @property
    def label(self) -> str:
        """The object as messages name it."""
        return '%s "%s"' % (self.kind, self.name)

    @property
    def generic(self) -> bool:
        """Whether it is no Secret."""
        return (self.api_version, self.kind) != ("v1", "Secret")


def target_of(current: Mapping[str, Any]) -> Target:
    """Return what an ExternalSecret fills."""
    manifest = ((current.get("spec") or {}).get("target") or {}).get("manifest") or {}
    return Target(
        str(current["metadata"].get("namespace") or ""),
        target_name(current),
        str(manifest.get("apiVersion") or "v1"),
        str(manifest.get("kind") or "Secret"),
    )


def fills(spec: Mapping[str, Any]) -> bool:
    """Tell whether an ExternalSecret fills anything: not with the creation policy None."""
    return (spec.get("target") or {}).get("creationPolicy") != "None"


def promised(spec: Mapping[str, Any]) -> set[str]:
    """Return the keys that a target has once it was filled, as far as the spec alone tells.

    Source: External Secrets Operator, ApplyTemplate and createSimpleManifest: values go in as they are without a
    template, with one that only sets metadata or type, and with the merge policy Merge.
    """
    target = spec.get("target") or {}
    template = target.get("template") or {}
    manifest = target.get("manifest") or {}
    if manifest and manifest.get("kind") not in ("Secret", "ConfigMap"):
        return set()
    made = set(template.get("data") or {})
    if plain(template) if not manifest else not template:
        # what is missing in Vault is tolerated by the other deletion policies
        optional = (target.get("deletionPolicy") or "Retain") != "Retain"
        made |= set() if optional else {str(one.get("secretKey")) for one in spec.get("data") or []}
    return made


def plain(template: Mapping[str, Any]) -> bool:
    """Tell whether values go into a Secret as they are, beside what a template makes."""
    return template.get("mergePolicy") == "Merge" or not (template.get("data") or template.get("templateFrom"))


def refuse_unfilled(current: Mapping[str, Any]) -> None:
    """Raise SecretopsError when the status of a Ready ExternalSecret says that nothing was written."""
    entry, target = condition(current), target_of(current)
    reason, message = entry.get("reason"), str(entry.get("message") or "")
    if reason in DELETED:
        raise SecretopsError(
            "fills no %s (%s): nothing that it reads is in Vault, and its deletion policy is Delete"
            % (target.kind, reason),
            remedy="write the secret, or correct the keys in its data and data_from",
        )
    if reason in MISSING:
        raise SecretopsError(
            "fills no %s (%s): the %s that it merges into does not exist in Kubernetes"
            % (target.kind, reason, target.label),
            remedy="create it, or use the creation policy CreateOrMerge",
        )
    if wording.retained(message):
        raise SecretopsError(
            "found nothing in Vault to fill the %s with, so the operator left that as it was" % target.label,
            remedy="correct find and rewrite in its data_from: nothing matches, or no key is left",
        )


def lacks(target: Target, spec: Mapping[str, Any], keys: Iterable[str] | None) -> str:
    """Return "" when a target has the keys that a spec promises, else what it lacks; ``keys`` None: it is missing."""
    if keys is None:
        return "is Ready, but the %s does not exist in Kubernetes" % target.label
    missing = sorted(promised(spec) - set(keys))
    return "is Ready, but the %s lacks %s" % (target.label, ", ".join(missing)) if missing else ""


def keys_of(meta: Mapping[str, Any]) -> set[str]:
    """Return the keys of an object's ``data`` as its managedFields tell: metadata, so that no value is read."""
    return {
        key[2:]
        for entry in (meta.get("metadata") or {}).get("managedFields") or []
        for key in ((entry.get("fieldsV1") or {}).get("f:data") or {})
        if key.startswith("f:")
    }


class Targets:
    """Looks at what ExternalSecrets fill. Many Secrets of a namespace, or of many, are one list.

    Raises Forbidden where they may not be read: then nothing is proven.
    """

    def __init__(self, client: Client, wanted: Iterable[str | None] = ()) -> None:
        """``wanted``: the namespaces of the Secrets that will be looked at, one entry for each."""
        self.client = client
        self._spaces = list(collections(((SECRET, "v1", space) for space in wanted), MANY))
        self._kinds: dict[tuple[str, str], Kind | None] = {}
        self._lists: dict[str | None, dict[Key, Object]] = {}
        self._time = float("-inf")
        self._asked: set[Target] = set()
        self._well: set[tuple[Target, str]] = set()

    def _list(self) -> None:
        """List the Secrets that the operator manages, where many are wanted and that is allowed."""
        self._time = time.monotonic()
        for _kind, _version, spaces in self._spaces:
            for space in spaces:
                try:
                    found = self.client.list_objects(
                        SECRET.path("v1", space), {"labelSelector": MANAGED + "=true"}, LIST_METADATA_ONLY
                    )
                except Forbidden:
                    # single ones may be allowed all the same
                    continue
                self._lists[space] = {key_of(item): item for item in found}

    def path(self, target: Target) -> str | None:
        """Return the REST path of a target, None when its kind is not served."""
        if not target.generic:
            return SECRET.path("v1", target.namespace, target.name)
        name = (target.api_version, target.kind)
        if name not in self._kinds:
            self._kinds[name] = self.client.kind_of(*name)
        kind = self._kinds[name]
        return None if kind is None else kind.path(kind.versions[0], target.namespace, target.name)

    def lacking(self, current: Mapping[str, Any]) -> str:
        """Return "" when a Ready ExternalSecret has filled what it fills, else what is lacking.

        Raises SecretopsError when waiting cannot help, Forbidden.
        """
        refuse_unfilled(current)
        if not fills(current.get("spec") or {}):
            return ""
        mark = (target_of(current), str((current.get("status") or {}).get("syncedResourceVersion")))
        if mark in self._well:
            return ""
        lacking = self._look(mark[0], current.get("spec") or {})
        if not lacking:
            self._well.add(mark)
        return lacking

    def _look(self, target: Target, spec: Mapping[str, Any]) -> str:
        if self._spaces and not target.generic:
            if self._listed_well(target, spec):
                return ""
            if time.monotonic() - self._time >= FRESH:
                self._list()
                if self._listed_well(target, spec):
                    return ""
            if target not in self._asked and (None in self._lists or target.namespace in self._lists):
                # it may have been written since the list: the next round looks at the next list, and then at it alone
                self._asked.add(target)
                return "is Ready, but the %s was not looked at yet" % target.label
        return self._ask(target, spec)

    def _listed_well(self, target: Target, spec: Mapping[str, Any]) -> bool:
        key = (target.namespace, target.name)
        for space in (None, target.namespace):
            found = self._lists.get(space, {}).get(key)
            if found is not None:
                return not lacks(target, spec, keys_of(found))
        return False

    def _ask(self, target: Target, spec: Mapping[str, Any]) -> str:
        path = self.path(target)
        if path is None:
            return "is Ready, but the API server does not serve %s %s" % (target.api_version, target.kind)
        found = self.client.get(path, accept=METADATA_ONLY)
        if found is None:
            return lacks(target, spec, None)
        if not lacks(target, spec, keys_of(found)):
            return ""
        # whoever cleared the managedFields must not make it look empty
        whole = self.client.get(path)
        return lacks(target, spec, None if whole is None else (whole.get("data") or {}))

    def judge(self, current: Object) -> tuple[str, str]:
        """Return what an ExternalSecret or its target lacks, and why the target could not be looked at; "" for nothing.

        For who looks once and does not wait.
        """
        lacking = synced(current)
        if lacking:
            return lacking, ""
        target = target_of(current)
        try:
            self._asked.add(target)
            return self.lacking(current), ""
        except Forbidden as error:
            return "", unseen(target, error)
        except SecretopsError as error:
            return str(error), ""

    def expect(self, resource: KubeObject, changed: bool) -> Expectation:
        """Return what to wait for after an ExternalSecret was applied: Ready, and what it fills."""

        def look(current: Object | None) -> str:
            lacking = synced(current)
            if lacking or current is None:
                return lacking
            try:
                lacking = self.lacking(current)
            except Forbidden as error:
                resource.info["proven"] = False
                resource.warnings.append(unseen(target_of(current), error))
                return ""
            resource.info["proven"] = not lacking
            return lacking

        return expected(resource, look)


def unseen(target: Target, error: Forbidden) -> str:
    """Return the sentence for a target that may not be read."""
    return "it is not proven that the %s exists with its keys: %s" % (target.label, error)


def hold_against_targets(client: Client, found: Sequence[tuple[Object, dict[str, Any]]]) -> None:
    """Complete the entries of ExternalSecrets by whether what they fill exists, with its keys.

    One that the operator calls Ready and that filled nothing is not ready. A target that may not be read is not proven.
    """
    targets = Targets(client, [one["metadata"].get("namespace") for one, entry in found if entry["ready"]])
    for one, entry in found:
        lacking, unseen = targets.judge(one) if entry["ready"] else ("is not ready", "")
        entry["proven"] = not lacking and not unseen
        if entry["ready"] and lacking:
            entry["in_sync"] = False
            if not synced(one):
                entry.update(ready=False, message=lacking)
        if unseen:
            entry["not_proven"] = unseen
