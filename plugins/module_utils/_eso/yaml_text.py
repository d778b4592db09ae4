# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Objects as YAML text, and back."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from .._engine import yaml_dump
from .._engine.errors import InvalidInput
from .._kubernetes.kind import Object

try:
    import yaml

    YAML_ERROR = None
except ImportError:
    YAML_ERROR = traceback.format_exc()


def title(manifest: Mapping[str, Any]) -> str:
    """Return an object as people name it: ``ExternalSecret production/web-app``."""
    metadata = manifest.get("metadata") or {}
    return "%s %s" % (
        manifest.get("kind"),
        "/".join(str(part) for part in (metadata.get("namespace"), metadata.get("name")) if part),
    )


def reference(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what names an object: api_version, kind, namespace (None for cluster-wide ones), name."""
    metadata = manifest["metadata"]
    return {
        "api_version": manifest["apiVersion"],
        "kind": manifest["kind"],
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
    }


def as_yaml(value: Any) -> str:
    """Return data as stable YAML: sorted keys, unfolded lines, multi-line texts as blocks."""
    return yaml_dump.dump(value)


def from_yaml(text: str, where: str) -> list[Object]:
    """Return the mappings in YAML text, empty documents left out. Raises InvalidInput."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = [document for document in yaml.load_all(text, Loader=loader) if document]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = " in line %d" % (mark.line + 1) if mark else ""
        raise InvalidInput("is not YAML%s" % line, where, "correct it, or write it again") from error
    if not all(isinstance(document, dict) for document in found):
        raise InvalidInput("holds something else than Kubernetes objects", where, "name another file")
    return found
