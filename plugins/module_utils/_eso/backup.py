# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Back up the operator's whole configuration to a file or a directory, and restore it.

What is saved is what the API server says it serves of the operator's groups, so that kinds without a module of their
own are saved as well. No Secret is ever asked for: what the operator synchronises, it synchronises again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from .._engine import private_file
from .._engine.errors import InvalidInput
from .._engine.resource import CREATE, Change, Resource
from .._kubernetes.apply import Action
from .._kubernetes.client import Client
from .._kubernetes.errors import Missing, NotServed
from .._kubernetes.fields import compact, matches
from .._kubernetes.kind import NAMESPACE, Kind, Object
from .._kubernetes.objects import MANAGER, applied_by_us
from .._kubernetes.reading import Reader
from .._kubernetes.schema import UNREADABLE, Schema, child
from .._kubernetes.waiting import Expectation
from .external_secret import EXTERNAL_SECRET
from .generator import GROUP as GENERATORS
from .kind import GROUP, OPERATOR
from .kinds import KINDS
from .tree import file_of
from .yaml_text import as_yaml, from_yaml, title

HEADER = "# Saved by secretops.vault_eso: the configuration of External Secrets Operator. It holds no Secret.\n"
GROUPS = (GROUP, GENERATORS)
#: what the operator keeps for itself
OWN_STATE = frozenset(("GeneratorState",))
#: marks what this collection applied, so that a purge after a restore knows what is ours and what is not
APPLIED = "vault-eso.secretops/applied"
RESTORE_MANAGER = "secretops.vault_eso.restore"
METADATA = ("name", "namespace", "labels", "annotations")
#: labels and annotations of one moment or of one cluster
_PASSING = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubernetes.io/metadata.name",
    "force-sync",
    "external-secrets.io/force-sync",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "reconcile.fluxcd.io/requestedAt",
    "reconcile.external-secrets.io/",
)
#: a kind that has no module of its own is as the others of what reads stores, but this one, which writes to Vault
RANKS = {
    "Namespace": 0,
    "ClusterPushSecret": 4,
    **{api.name: kind.restored for kind in KINDS for api in kind.apis},
}


def rank(manifest: Mapping[str, Any]) -> int:
    """Return when an object is restored: namespaces, stores, generators, what reads them, what writes to Vault."""
    # generators of a newer operator are none that are known here
    generated = str(manifest.get("apiVersion") or "").startswith(GENERATORS + "/")
    return RANKS.get(str(manifest.get("kind")), 2 if generated else 3)


def order(found: Iterable[Object]) -> list[Object]:
    """Return objects in the order in which they are restored, always the same for the same objects."""

    def key(one: Object) -> tuple[int, str, str, str]:
        return (rank(one), one["kind"], one["metadata"].get("namespace") or "", one["metadata"]["name"])

    return sorted(found, key=key)


def served(client: Client) -> list[Kind]:
    """Return the operator's kinds, each with the versions in which it is served, the preferred one first.

    ``GET /apis/<group>``, ``GET /apis/<group>/<version>``. Raises NotServed when the operator is not installed.
    """
    client.version_of(EXTERNAL_SECRET)
    found: dict[str, Kind] = {}
    for group in GROUPS:
        for version in client.versions(group):
            for one in (client.get("/apis/%s/%s" % (group, version)) or {}).get("resources") or []:
                if "/" in one["name"] or one["kind"] in OWN_STATE:
                    continue
                known = found.get(one["kind"])
                versions = (*known.versions, version) if known else (version,)
                found[one["kind"]] = Kind(one["kind"], one["name"], group, versions, one["namespaced"], OPERATOR)
    return list(found.values())


def clean(current: Mapping[str, Any], api_version: str, kind: str) -> Object:
    """Return the declared part of an object: without the fields that the server and the operator wrote."""
    metadata = {name: current["metadata"].get(name) for name in METADATA}
    for name in ("labels", "annotations"):
        metadata[name] = {
            key: value
            for key, value in (metadata[name] or {}).items()
            if not any(key == one or (one.endswith("/") and key.startswith(one)) for one in _PASSING)
        }
    if applied_by_us(current):
        metadata["annotations"][APPLIED] = "true"
    found: Object = {"apiVersion": api_version, "kind": kind, "metadata": compact(metadata)}
    if kind != NAMESPACE.name:
        # an empty spec is one, too: UUID has it
        found["spec"] = current.get("spec") or {}
    return found


def collect(client: Client, namespaces: Sequence[str] | None = None) -> list[Object]:
    """Return the operator's whole configuration, ordered, with the namespaces that it is in. Raises KubernetesError.

    Objects that the operator made for another object, and such as are being deleted, are left out.
    """
    found: list[Object] = []
    spaces: set[str] = set()
    for kind in served(client):
        version = kind.versions[0]
        for current in client.list_objects(kind.path(version)):
            metadata = current["metadata"]
            made = any(one.get("controller") for one in metadata.get("ownerReferences") or [])
            space = metadata.get("namespace")
            if made or metadata.get("deletionTimestamp"):
                continue
            if namespaces is not None and space is not None and space not in namespaces:
                continue
            found.append(clean(current, kind.api_version(version), kind.name))
            if space:
                spaces.add(space)
    for current in client.list_objects(NAMESPACE.path("v1")) if spaces else []:
        if current["metadata"]["name"] in spaces:
            found.append(clean(current, "v1", NAMESPACE.name))
    return order(found)


# -- the files --------------------------------------------------------------------------------------------------------


def is_file(path: str) -> bool:
    """Tell whether a path names one file rather than a directory."""
    return path.endswith((".yaml", ".yml"))


def texts(path: str, objects: Sequence[Object]) -> dict[str, str]:
    """Return the text of every file by its path: one with all objects, or one for each in a directory."""
    if is_file(path):
        return {path: HEADER + "".join("---\n" + as_yaml(one) for one in objects)}
    return {os.path.join(path, file_of(one)): HEADER + as_yaml(one) for one in objects}


def saved(path: str) -> list[str]:
    """Return the files of a backup. Raises InvalidInput when there is something else."""
    if is_file(path):
        return [path] if os.path.exists(path) else []
    found = []
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            full = os.path.join(folder, name)
            if is_file(name) and not os.path.islink(full):
                found.append(full)
    return found


def load(path: str) -> list[Object]:
    """Return the objects of a backup, ordered. Raises InvalidInput, SecretopsError."""
    files = saved(path)
    if not files:
        raise InvalidInput("there is no backup", path, "correct the path")
    found: list[Object] = []
    for one in files:
        for manifest in from_yaml(private_file.text_of(one) or "", one):
            group, _slash, _version = str(manifest.get("apiVersion") or "").rpartition("/")
            kind, metadata = manifest.get("kind"), manifest.get("metadata") or {}
            if not metadata.get("name") or (group not in GROUPS and kind != NAMESPACE.name):
                raise InvalidInput(
                    'holds the object "%s", which is not a kind of the operator' % title(manifest),
                    one,
                    "restore it by other means and take it out",
                )
            found.append(manifest)
    return order(found)


def named(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each object that tells whether it changed, and nothing of what is in it."""
    return [
        "%s %s" % (title(one), hashlib.sha256(json.dumps(one, sort_keys=True).encode()).hexdigest()[:12])
        for one in objects
    ]


class BackupFile(Resource):
    """One file of a backup. What providers other than Vault take inline may be secret: no diff shows contents."""

    kind: ClassVar[str] = "file"

    def __init__(self, path: str, text: str | None) -> None:
        self.path = path
        super().__init__(path, None if text is None else {"text": text})

    def read(self) -> Mapping[str, Any] | None:
        text = private_file.text_of(self.path)
        if text is not None and not text.startswith(HEADER):
            raise InvalidInput("is not a backup and would be overwritten", self.path, "name another path")
        return None if text is None else {"text": text}

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        return [] if current["text"] == desired["text"] else ["text"]

    def show(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"objects": "\n".join(named(from_yaml(fields["text"], self.path))) + "\n"} if fields else {}

    def write(self, change: Change) -> None:
        private_file.prepare(self.path, "path")
        private_file.write(self.path, str(change.desired["text"]).removesuffix("\n"))

    def delete(self, change: Change) -> None:
        private_file.remove(self.path)


def backup(path: str, objects: Sequence[Object], allow_empty: bool) -> list[BackupFile]:
    """Return the files that hold the objects, and those of an earlier backup that are to go. Raises InvalidInput."""
    path = os.path.abspath(path)
    old = saved(path)
    if old and not objects and not allow_empty:
        raise InvalidInput(
            "the cluster has no configuration of the operator, and a backup that has some would be lost",
            path,
            'set "allow_empty" if that is wanted',
        )
    wanted = texts(path, objects)
    surplus = [one for one in old if one not in wanted and (private_file.text_of(one) or "").startswith(HEADER)]
    return [BackupFile(one, text) for one, text in sorted(wanted.items())] + [BackupFile(one, None) for one in surplus]


# -- restore ----------------------------------------------------------------------------------------------


class Restored(Action):
    """One object of a backup. One that exists is left as it is, unless it is to be overwritten."""

    kind: ClassVar[str] = "object"

    def __init__(
        self, client: Client, reader: Reader, kind: Kind, manifest: Object, overwrite: bool, spaces: set[str]
    ) -> None:
        self.client = client
        self.reader = reader
        self.api = kind
        self.overwrite = overwrite
        self.spaces = spaces
        self.rank = rank(manifest)
        requested = str(manifest["apiVersion"]).rpartition("/")[2]
        self.version = requested if requested in kind.versions else kind.versions[0]
        metadata = dict(manifest["metadata"])
        annotations = dict(metadata.get("annotations") or {})
        # fields that were applied by this collection are applied again, all others are only created
        self.ours = annotations.pop(APPLIED, "") == "true"
        self.namespace: str | None = metadata.get("namespace")
        self.object_name = str(metadata["name"])
        self.manifest: Object = {
            **manifest,
            "apiVersion": kind.api_version(self.version),
            "metadata": compact({**metadata, "annotations": annotations}),
        }
        self.live: Object | None = None
        desired = {"spec": manifest.get("spec"), "labels": metadata.get("labels"), "annotations": annotations or None}
        super().__init__(title(manifest), desired)

    @property
    def label(self) -> str:
        return self.name

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        resources[0].reader.prefetch((one.api, one.version, one.namespace) for one in resources)

    def read(self) -> Mapping[str, Any] | None:
        self.live = self.reader.get(self.api, self.version, self.namespace, self.object_name)
        if self.live is None:
            return None
        metadata = self.live["metadata"]
        return {
            "spec": self.live.get("spec") or {},
            "labels": metadata.get("labels") or {},
            "annotations": metadata.get("annotations") or {},
        }

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        differing = [
            name
            for name, value in desired.items()
            if not matches(current.get(name), value)
            and (name != "spec" or not matches(current.get(name), value, child(self._schema(), "spec")))
        ]
        if differing and not self.overwrite:
            self.info["kept"] = True
            self.warnings.append("exists with another %s, and was left as it is" % " and ".join(differing))
            return []
        return differing

    def _schema(self) -> Schema:
        return self.client.schema(self.api, self.version) or UNREADABLE

    def hidden(self) -> set[str]:
        # what providers other than Vault take inline may be secret
        return {"spec"}

    def write(self, change: Change) -> None:
        try:
            self._send(change, {})
        except Missing as error:
            if self.namespace and self.namespace not in self.spaces:
                error.remedy = 'create it first, or set "create_namespaces"'
            raise

    def server_dry_run(self, change: Change) -> None:
        try:
            self._send(change, {"dryRun": "All"})
        except Missing:
            if self.namespace not in self.spaces:
                raise
            # the namespace is restored before
            self.warnings.append('namespace "%s" does not exist yet' % self.namespace)

    def _send(self, change: Change, query: Mapping[str, str]) -> None:
        path = self.api.path(self.version, self.namespace, self.object_name)
        if self.ours:
            self.client.apply(path, self.manifest, MANAGER, True, bool(query))
            return
        wanted = {"fieldManager": RESTORE_MANAGER, "fieldValidation": "Strict", **query}
        if change.action == CREATE:
            collection = self.api.path(self.version, self.namespace)
            self.client.request("POST", collection, self.manifest, wanted)
            return
        live = self.live or {}
        metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
        for name in ("labels", "annotations"):
            metadata[name] = {**(metadata.get(name) or {}), **(self.manifest["metadata"].get(name) or {})}
        replaced = {**live, "metadata": metadata}
        if "spec" in self.manifest:
            replaced["spec"] = self.manifest["spec"]
        self.client.request("PUT", path, replaced, wanted)

    def delete(self, change: Change) -> None:
        raise NotImplementedError

    def expectation(self) -> Expectation:
        raise NotImplementedError


def restore(client: Client, objects: Sequence[Object], params: Mapping[str, Any]) -> list[Restored]:
    """Return the resources that restore a backup. ``params``: create_namespaces, overwrite, namespaces, kinds.

    Raises NotServed when the cluster does not know a kind, InvalidInput.
    """
    kinds = {kind.name: kind for kind in served(client)}
    reader = Reader(client)
    found = []
    spaces = (
        {one["metadata"]["name"] for one in objects if one["kind"] == NAMESPACE.name}
        if params["create_namespaces"]
        else set()
    )
    for manifest in objects:
        is_space = manifest["kind"] == NAMESPACE.name
        space = manifest["metadata"]["name"] if is_space else manifest["metadata"].get("namespace")
        if is_space and not params["create_namespaces"]:
            continue
        if params["namespaces"] is not None and space is not None and space not in params["namespaces"]:
            continue
        if params["exclude_kinds"] and manifest["kind"] in params["exclude_kinds"]:
            continue
        kind = NAMESPACE if is_space else kinds.get(manifest["kind"])
        if kind is None:
            raise NotServed(
                "the cluster does not know this kind",
                title(manifest),
                'install the operator in a version that does, or leave it out by "exclude_kinds"',
            )
        # a namespace that exists is never touched
        found.append(Restored(client, reader, kind, manifest, params["overwrite"] and not is_space, spaces))
    return found
