# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The links of the chain as data: what an ExternalSecret reads from, what it needs there, how it logs in. No I/O."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .._engine.errors import SecretopsError
from .._eso.provider import AUTH_METHODS
from .._vault.connection.client import Client as Vault

#: auth method of a store: types of auth method in Vault that answer to it, and the mount that the operator assumes
MOUNTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "kubernetes": (("kubernetes",), "kubernetes"),
    "appRole": (("approle",), "approle"),
    "jwt": (("jwt", "oidc"), "jwt"),
    "userPass": (("userpass",), "userpass"),
    "ldap": (("ldap",), "ldap"),
    "cert": (("cert",), "cert"),
}


#: what else than custom metadata metadataPolicy Fetch gives
SYSTEM_METADATA = ("created_time", "current_version", "delete_version_after")


class Broken(SecretopsError):
    """A link that does not hold; ``link`` is its name."""

    link = ""


def broken(link: str, what: str, where: str, remedy: str) -> Broken:
    """Return the error for a link."""
    error = Broken(what, where, remedy)
    error.link = link
    return error


class Untried(Exception):
    """A link that cannot be tried from here; the message says why."""


class Source(NamedTuple):
    """What an ExternalSecret reads from: a store or a generator."""

    kind: str
    namespace: str
    name: str
    vault: Mapping[str, Any]
    cluster: bool
    live: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The object as messages name it."""
        return '%s "%s"' % (self.kind, "%s/%s" % (self.namespace, self.name) if self.namespace else self.name)


class Need(NamedTuple):
    """What is needed of a source: any of some capabilities on a path of the API, and what is to be there."""

    path: str
    capabilities: tuple[str, ...]
    #: "secret", "metadata", "folder", "pushed", or "" for what must not be tried
    what: str
    key: str = ""
    property: str = ""
    version: str = ""
    tolerated: bool = False
    #: whether all of the capabilities are needed
    every: bool = False


def api_path(vault: Mapping[str, Any], key: str, part: str = "data") -> str:
    """Return the API path of a KV secret from the store's ``path`` and a key, as the operator builds it."""
    mount, version = vault.get("path"), vault.get("version") or "v2"
    if mount is None:
        if version == "v1":
            return key
        if "/data/" in key:
            return key.replace("/data/", "/%s/" % part, 1)
        first, _slash, rest = key.partition("/")
        return "%s/%s/%s" % (first, part, rest)
    mount = str(mount).strip("/")
    rest = key[len(mount) + 1 :] if key.startswith(mount + "/") else key
    if version == "v1":
        return "%s/%s" % (mount, rest)
    return "%s/%s/%s" % (mount, part, rest[len("data/") :] if rest != key and rest.startswith("data/") else rest)


def metadata_path(vault: Mapping[str, Any], key: str) -> str:
    """Return the API path that metadataPolicy Fetch reads; unlike that of data it is never shortened. Raises Broken.

    Source: External Secrets Operator 2.9.0, buildMetadataPath.
    """
    if (vault.get("version") or "v2") == "v1":
        raise broken("engine", "KV version 1 has no metadata", 'secret "%s"' % key, "remove metadataPolicy")
    if vault.get("path") is not None:
        return "%s/metadata/%s" % (str(vault["path"]).strip("/"), key)
    if "data" not in key:
        raise broken(
            "secret",
            "metadata cannot be read by this key from a store without a path",
            'secret "%s"' % key,
            'write the mount and "/data/" into the key, or give the store a path',
        )
    return key.replace("/data/", "/metadata/", 1)


def metadata_values(found: Mapping[str, Any]) -> dict[str, str]:
    """Return what metadataPolicy Fetch takes out of a secret's metadata. Source: readSecretMetadata of the operator."""
    system = {name: found[name] for name in SYSTEM_METADATA if found.get(name) is not None}
    return {key: str(value) for key, value in {**system, **(found.get("custom_metadata") or {})}.items()}


def account(found: Mapping[str, Any]) -> tuple[str, str]:
    """Return namespace and name of the service account that a token's claims are about."""
    inner = found.get("kubernetes.io") or {}
    namespace = inner.get("namespace") or found.get("kubernetes.io/serviceaccount/namespace") or ""
    name = (inner.get("serviceaccount") or {}).get("name")
    return namespace, name or found.get("kubernetes.io/serviceaccount/service-account.name") or ""


def listed(value: Any) -> list[str]:
    """Return a list of texts from one, many or none."""
    return [str(one) for one in (value if isinstance(value, (list, tuple)) else [value] if value else [])]


def quoted(values: Iterable[str]) -> str:
    """Return texts as messages name them: ``"a", "b"``."""
    return ", ".join('"%s"' % value for value in values)


def globbed(values: Iterable[str], name: str) -> bool:
    """Tell whether a name is among values that may hold ``*``, as roles of the Kubernetes method take them."""
    return any(fnmatch.fnmatchcase(name, re.sub(r"([\[?])", r"[\1]", value)) for value in values)


def has_property(data: Mapping[str, Any], name: str) -> bool:
    """Tell whether a secret has a property: a literal key, else a dotted path; other queries are taken for true."""
    if name in data:
        return True
    current: Any = data
    for part in re.split(r"(?<!\\)\.", name):
        part = part.replace("\\.", ".")
        if re.search(r"[*?|#\\@!{}()\[\]]", part):
            return True
        if isinstance(current, str):
            # the operator looks into documents that are values
            try:
                current = json.loads(current)
            except ValueError:
                return False
        if isinstance(current, Mapping) and part in current:
            current = current[part]
        elif isinstance(current, list) and part.isdigit() and int(part) < len(current):
            current = current[int(part)]
        else:
            return False
    return True


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector takes labels. Source: Kubernetes API, LabelSelector."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or []:
        value, values = labels.get(rule["key"]), rule.get("values") or []
        holds = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }.get(rule["operator"], False)
        if not holds:
            return False
    return True


def needs(spec: Mapping[str, Any], entry: Mapping[str, Any], vault: Mapping[str, Any]) -> list[Need]:
    """Return what one entry of ``data`` or ``dataFrom`` needs of a store."""
    policy = (spec.get("target") or {}).get("deletionPolicy") or "Retain"
    find = entry.get("find")
    if find is not None:
        folder = str(find.get("path") or "").strip("/")
        path = api_path(vault, folder + "/" if folder else "", "metadata")
        return [Need(path, ("list",), "folder", folder)]
    remote = entry.get("remoteRef") or entry.get("extract") or {}
    key = str(remote.get("key") or "")
    common: dict[str, Any] = {
        "key": key,
        "property": str(remote.get("property") or ""),
        "tolerated": policy != "Retain",
    }
    if remote.get("metadataPolicy") == "Fetch":
        # missing metadata is an error whatever the deletion policy says
        return [Need(metadata_path(vault, key), ("read",), "metadata", **{**common, "tolerated": False})]
    return [Need(api_path(vault, key), ("read",), "secret", version=str(remote.get("version") or ""), **common)]


def is_push(current: Mapping[str, Any]) -> bool:
    """Tell whether an object is a PushSecret; those of a list do not say their kind."""
    return "secretStoreRefs" in (current.get("spec") or {})


def push_needs(spec: Mapping[str, Any], entry: Mapping[str, Any], vault: Mapping[str, Any]) -> list[Need]:
    """Return what one entry of a PushSecret's ``data`` needs of a store."""
    remote = (entry.get("match") or {}).get("remoteRef") or {}
    key = str(remote.get("remoteKey") or "")
    capabilities = ("create", "read", "update", *(("delete",) if spec.get("deletionPolicy") == "Delete" else ()))
    found = [Need(api_path(vault, key), capabilities, "", key, every=True)]
    if (vault.get("version") or "v2") != "v1":
        found.append(Need(api_path(vault, key, "metadata"), capabilities, "pushed", key, every=True))
    return found


class Session:
    """One login of the operator: the source, the namespace that it is used from, and what came of it."""

    def __init__(self, source: Source, namespace: str) -> None:
        self.source = source
        self.namespace = namespace
        self.error: Broken | None = None
        #: why the login was not tried
        self.untried = ""
        self.client: Vault | None = None
        self.revocable = False
        self.role = ""
        self.policies: list[str] = []
        self.needs: dict[Need, Broken | None] = {}
        auth = source.vault.get("auth") or {}
        self.method = next((name for name in AUTH_METHODS if auth.get(name) is not None), "")
        self.options: Mapping[str, Any] = auth.get(self.method) or {}
        self.space = source.vault.get("namespace")
        self.auth_space = auth.get("namespace") or self.space
        default = MOUNTS.get(self.method, ((), ""))[1]
        self.mount = str(self.options.get("mountPath") or self.options.get("path") or default).strip("/")

    @property
    def where(self) -> str:
        """The auth method as messages name it."""
        return "auth/%s" % self.mount

    def home(self, reference: Mapping[str, Any]) -> str:
        """Return the namespace in which the operator looks a reference up."""
        if self.source.cluster and reference.get("namespace"):
            return str(reference["namespace"])
        return self.namespace
