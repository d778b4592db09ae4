# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Declared objects as manifests, without an API server: a Kustomize tree, or a file.

What an entry becomes is said by the resources that are applied directly as well: there is no second translation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._engine.errors import InvalidInput, SecretopsError
from .._engine.names import check_names
from .._kubernetes import known_schemas
from .._kubernetes.apply import KubeObject
from .._kubernetes.fields import dotted, without_none
from .._kubernetes.kind import Kind, Object
from .._kubernetes.schema import problems
from .cluster_external_secret import CLUSTER_EXTERNAL_SECRET_ENTRY, ClusterExternalSecret
from .external_secret import EXTERNAL_SECRET_ENTRY, ExternalSecret, check_targets
from .generator import GENERATOR_ENTRY, generator
from .push_secret import PUSH_SECRET_ENTRY, PushSecret
from .push_versions import check_places, check_sources
from .store import STORE_ENTRY, store

#: Flux deletes what leaves the tree. Source: Flux, kustomize controller, "Controlling the apply behavior of resources"
KEEP = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
#: declared lists by option: what an entry takes, and who makes the object of it
LISTS: Mapping[str, tuple[Mapping[str, Any], Any]] = {
    "stores": (STORE_ENTRY, store),
    "generators": (GENERATOR_ENTRY, generator),
    "external_secrets": (EXTERNAL_SECRET_ENTRY, ExternalSecret),
    "cluster_external_secrets": (CLUSTER_EXTERNAL_SECRET_ENTRY, ClusterExternalSecret),
    "push_secrets": (PUSH_SECRET_ENTRY, PushSecret),
}
#: plain objects that may stand beside them
PLAIN = ("Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "NetworkPolicy")
_PLAIN_NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]{0,251}[a-z0-9])?")


class Offline:
    """Stands where a client stands, and knows nothing but the versions that are wished."""

    def __init__(self, api_version: str | None = None) -> None:
        self.wished = (api_version or "").rpartition("/")[2]

    def version_of(self, kind: Kind, wished: str | None = None) -> str:
        """Return the version to write for a kind: the wished one where the kind knows it, else its newest."""
        return self.wished if self.wished in kind.versions else kind.versions[0]

    def schema(self, kind: Kind, version: str) -> Object | None:
        """Return the collection's own copy of a kind's schema, None where it has none."""
        return known_schemas.known(kind.group, version, kind.name)

    def get(self, path: str, **_how: Any) -> Object | None:
        """Return None: no object is known."""
        return None


def validated(option: str, entries: Sequence[Mapping[str, Any]], spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return entries with every option, as the module of their kind would see them. Raises InvalidInput."""
    full = {
        **spec,
        "name": {**spec["name"], "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    validator = ArgumentSpecValidator(full)
    found = []
    for number, entry in enumerate(entries):
        result = validator.validate(dict(entry))
        if result.error_messages:
            name = entry.get("name") or number
            raise InvalidInput("; ".join(result.error_messages), '%s, entry "%s"' % (option, name), "correct the entry")
        try:
            check_names(result.validated_parameters, full)
        except InvalidInput as error:
            raise error.at('%s, entry "%s"' % (option, entry.get("name") or number)) from None
        found.append(dict(result.validated_parameters))
    return found


def declared(lists: Mapping[str, Any], api_version: str | None = None) -> tuple[list[Object], list[str]]:
    """Return the manifests of declared entries, checked, and warnings. ``lists``: entries by the options in `LISTS`.

    Entries whose state is absent are left out. Raises InvalidInput.
    """
    client: Any = Offline(api_version)
    resources: list[KubeObject] = []
    for option, (spec, make) in LISTS.items():
        for item in validated(option, lists.get(option) or [], spec):
            if item["state"] == "present":
                resources.append(make(client, item))
    external = [one for one in resources if isinstance(one, ExternalSecret)]
    pushed = [one for one in resources if isinstance(one, PushSecret)]
    check_targets(external)
    check_places(pushed)
    check_sources(pushed, external)
    warnings = []
    for one in resources:
        try:
            one.check()
            one.validate()
        except SecretopsError as error:
            raise error.at(one.label) from None
        warnings += ["%s: %s" % (one.label, text) for text in one.warnings]
    return [dict(one.manifest or {}) for one in resources], warnings


def plain(objects: Sequence[Mapping[str, Any]]) -> list[Object]:
    """Return given manifests of plain kinds; a namespace is not deleted with its file. Raises InvalidInput."""
    found = []
    for one in objects:
        manifest = without_none(one)
        metadata = manifest.get("metadata") or {}
        kind, name, namespace = str(manifest.get("kind")), str(metadata.get("name")), metadata.get("namespace")
        where = '%s "%s"' % (kind, name)
        if kind not in PLAIN:
            raise InvalidInput(
                "this kind does not belong into Git" if kind == "Secret" else "this kind is not known here",
                where,
                "declare a secret in Vault and an ExternalSecret for it"
                if kind == "Secret"
                else "use %s" % ", ".join(PLAIN),
            )
        if not _PLAIN_NAME.fullmatch(name) or (namespace is not None and not _PLAIN_NAME.fullmatch(str(namespace))):
            raise InvalidInput("its name or namespace is no Kubernetes name", where, "correct it")
        group, _slash, version = str(manifest.get("apiVersion") or "").rpartition("/")
        for problem in problems(known_schemas.known(group, version, kind), manifest):
            raise InvalidInput("%s %s" % (dotted(problem.path), problem.what), where, problem.remedy)
        if kind == "Namespace":
            manifest = {
                **manifest,
                "metadata": {**metadata, "annotations": {**KEEP, **(metadata.get("annotations") or {})}},
            }
        found.append(manifest)
    return found


def present(params: Mapping[str, Any]) -> tuple[list[Object], list[str]]:
    """Return the manifests that a module's options declare, and warnings. Raises InvalidInput."""
    if params["state"] == "absent":
        return [], []
    objects, warnings = declared(params, params["api_version"])
    return plain(params["objects"]) + objects, warnings
