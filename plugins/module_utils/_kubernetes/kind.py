# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Kinds of objects as data, and the paths of the REST API for them."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from .._engine.errors import InvalidInput

Object = dict[str, Any]


class Kind(NamedTuple):
    """A kind of object as data. ``versions`` in order of preference; ``provider`` installs its CRD."""

    name: str
    plural: str
    group: str
    versions: tuple[str, ...]
    namespaced: bool = True
    provider: str = ""

    def path(self, version: str, namespace: str | None = None, name: str | None = None) -> str:
        """Return the REST path of an object or, without a name, of a collection. Raises InvalidInput.

        An empty name would address the collection, and "." or ".." another path. Source: Kubernetes API
        concepts, resource URIs; RFC 3986, 5.2.4.
        """
        for what, part in (("name", name), ("namespace", namespace)):
            if part in (".", "..") or (part == "" and what == "name"):
                raise InvalidInput('"%s" is not a %s of a %s' % (part, what, self.name), remedy="correct it")
        if name is not None and self.namespaced and not namespace:
            raise InvalidInput("no namespace is given", '%s "%s"' % (self.name, name), 'set "namespace"')
        parts = ["apis", self.group, version] if self.group else ["api", version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        return "/" + "/".join(quote(part, safe="") for part in parts)

    def api_version(self, version: str) -> str:
        """Return an object's ``apiVersion``."""
        return "%s/%s" % (self.group, version) if self.group else version


NAMESPACE = Kind("Namespace", "namespaces", "", ("v1",), False)
SECRET = Kind("Secret", "secrets", "", ("v1",))
SERVICE_ACCOUNT = Kind("ServiceAccount", "serviceaccounts", "", ("v1",))
EVENT = Kind("Event", "events", "", ("v1",))
CRD = Kind("CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io", ("v1",), False)
