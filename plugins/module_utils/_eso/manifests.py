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
from .._engine.numbers import check_numbers
from .._kubernetes import known_schemas
from .._kubernetes.fields import dotted, without_none
from .._kubernetes.kind import Kind, Object
from .._kubernetes.schema import UNREADABLE, problems
from .kind import EsoObject
from .kinds import KINDS

#: Flux deletes what leaves the tree. Source: Flux, kustomize controller, "Controlling the apply behavior of resources"
KEEP = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
#: plain objects that may stand beside them
PLAIN = ("Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "NetworkPolicy")
_PLAIN_NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]{0,251}[a-z0-9])?")


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
            check_numbers(result.validated_parameters, full)
        except InvalidInput as error:
            raise error.at('%s, entry "%s"' % (option, entry.get("name") or number)) from None
        found.append(dict(result.validated_parameters))
    return found


def written_as(api: Kind, requested: str) -> str:
    """Return the version to write for a kind: the requested one where the kind knows it, else its newest."""
    return requested if requested in api.versions else api.versions[0]


def declared(lists: Mapping[str, Any], api_version: str | None = None) -> tuple[list[Object], list[str]]:
    """Return the manifests of declared entries, checked, and warnings. ``lists``: entries by the options of the kinds.

    Entries whose state is absent are left out. Raises InvalidInput.
    """
    requested = (api_version or "").rpartition("/")[2]
    made: dict[str, list[EsoObject]] = {}
    for kind in KINDS:
        items = validated(kind.plural, lists.get(kind.plural) or [], kind.entry)
        made[kind.plural] = [kind.make(item) for item in items if item["state"] == "present"]
    for kind in KINDS:
        kind.check_together(made[kind.plural], made)
    manifests, warnings = [], []
    for one in (one for resources in made.values() for one in resources):
        version = written_as(one.api, requested)
        try:
            one.check()
            one.fit(known_schemas.known(one.api.group, version, one.api.name) or UNREADABLE)
        except SecretopsError as error:
            raise error.at(one.label) from None
        manifests.append(one.rendered(version))
        warnings += ["%s: %s" % (one.label, text) for text in one.warnings]
    return manifests, warnings


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
            raise InvalidInput("its name or namespace is not a Kubernetes name", where, "correct it")
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
