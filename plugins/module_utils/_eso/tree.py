# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A Kustomize tree of manifests: its files, and what is said of a change."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from .._engine import private_file
from .._engine.errors import InvalidInput, SecretopsError
from .._engine.resource import CREATE, DELETE, NONE, Change, Resource
from .._kubernetes.fields import dotted, leaves
from .git_secrets import refuse_secrets
from .yaml_text import as_yaml, from_yaml, reference, title

HEADER = "# Written by secretops.vault_eso from the inventory; what is edited here is overwritten.\n"
KUSTOMIZATION = "kustomization.yaml"
#: no name of a namespace
CLUSTER_FOLDER = "_cluster"


def file_of(manifest: Mapping[str, Any]) -> str:
    """Return where an object's file lies in the tree: ``production/externalsecret-web-app.yaml``."""
    metadata = manifest["metadata"]
    folder = metadata.get("namespace") or (metadata["name"] if manifest["kind"] == "Namespace" else CLUSTER_FOLDER)
    return "%s/%s-%s.yaml" % (folder, str(manifest["kind"]).lower(), str(metadata["name"]).replace(":", "_"))


def tree(manifests: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the text of every file of a Kustomize tree by its path; {} for no objects. Raises InvalidInput."""
    texts: dict[str, str] = {}
    for manifest in manifests:
        refuse_secrets(manifest)
        path = file_of(manifest)
        if path in texts:
            raise InvalidInput("is declared twice", title(manifest), "keep one of the two")
        texts[path] = HEADER + as_yaml(manifest)
    if not texts:
        return {}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(texts),
    }
    return {**texts, KUSTOMIZATION: HEADER + as_yaml(kustomization)}


def ours(root: str) -> list[str]:
    """Return the paths of the files below a directory that this collection wrote, sorted."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.endswith(".yaml") and not os.path.islink(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    if file.readline() == HEADER:
                        found.append(os.path.relpath(path, root))
    return found


class TreeFile(Resource):
    """One file of a tree: written whole or not at all, removed with its folder when that is empty."""

    kind: ClassVar[str] = "file"

    def __init__(self, root: str, path: str, text: str | None) -> None:
        self.root = root
        self.path = os.path.join(root, path)
        # the list of files is written last and removed first
        self.rank = 1 if path == KUSTOMIZATION else 0
        super().__init__(path, None if text is None else {"text": text})

    def read(self) -> Mapping[str, Any] | None:
        text = private_file.text_of(self.path)
        if text is not None and not text.startswith(HEADER):
            raise InvalidInput(
                "was not written by this collection and would be overwritten",
                self.path,
                "move it away, or name another directory",
            )
        return None if text is None else {"text": text}

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        # byte by byte: a duration in other words is another file
        return [] if current["text"] == desired["text"] else ["text"]

    def write(self, change: Change) -> None:
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
        except OSError as error:
            raise SecretopsError("cannot be written (%s)" % error.strerror, self.path, "check the directory") from error
        # what is in Git is for everybody who may read the repository
        private_file.write(self.path, str(change.desired["text"]).removesuffix("\n"), 0o644)

    def delete(self, change: Change) -> None:
        try:
            os.unlink(self.path)
            folder = os.path.dirname(self.path)
            while folder.startswith(self.root) and not os.listdir(folder):
                os.rmdir(folder)
                folder = os.path.dirname(folder)
        except OSError as error:
            raise SecretopsError("cannot be removed (%s)" % error.strerror, self.path, "remove it by hand") from error


def no_links(start: str, path: str) -> None:
    """Refuse a symbolic link on the way from a directory to what is in it, with both. Raises InvalidInput."""
    way = [os.path.join(start, path)]
    while way[-1] != start and len(way[-1]) > len(start):
        way.append(os.path.dirname(way[-1]))
    for one in way[:-1]:
        if os.path.islink(one):
            raise InvalidInput(
                "is a symbolic link, and would lead out of the tree", one, "remove it, or name another directory"
            )


def files(root: str, wanted: Mapping[str, str], within: str | None = None) -> list[TreeFile]:
    """Return the files of a tree as resources, and those of ours that are wanted no longer.

    Symbolic links in the tree, and from the directory ``within`` to it, are refused. Raises InvalidInput.
    """
    root = os.path.abspath(root)
    if within:
        top = os.path.abspath(within)
        if os.path.commonpath([top, root]) != top:
            raise InvalidInput('"path" is not in "within"', root, "correct one of the two")
        no_links(top, os.path.relpath(root, top))
    for path in wanted:
        no_links(root, path)
    surplus = [path for path in ours(root) if path not in wanted] if os.path.isdir(root) else []
    return [TreeFile(root, path, text) for path, text in sorted(wanted.items())] + [
        TreeFile(root, path, None) for path in surplus
    ]


def leaving(resources: Sequence[TreeFile], objects: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects of the files that are to be removed. Raises SecretopsError."""
    kept = [reference(one) for one in objects]
    gone = []
    for one in resources:
        if one.desired is None and one.name != KUSTOMIZATION:
            gone += [reference(manifest) for manifest in from_yaml(private_file.text_of(one.path) or "", one.path)]
    return [one for one in gone if one not in kept]


def described(change: Change) -> str:
    """Return a changed file as a line of a commit message, "" for one that is not worth it."""
    if change.action == NONE or change.resource.name == KUSTOMIZATION:
        return ""
    before, after = ((side or {}).get("text", "") for side in (change.current, change.resource.desired))
    old, new = (
        (from_yaml(text, change.resource.name) or [{}])[0] if text else {} for text in (before or "", after or "")
    )
    if change.action == CREATE:
        return "add %s" % title(new)
    if change.action == DELETE:
        return "remove %s" % title(old)
    was, is_now = leaves(old), leaves(new)
    fields = sorted({dotted(path) for path in {*was, *is_now} if was.get(path) != is_now.get(path)})
    return "change %s (%s)" % (title(new), ", ".join(fields) or "form only")


def message(changes: Sequence[Change], label: str) -> str:
    """Return a commit message that says what changed, "" when nothing did."""
    if all(change.action == NONE for change in changes):
        return ""
    lines = [line for line in map(described, changes) if line]
    prefix = "%s: " % label if label else ""
    if len(lines) == 1 and len(prefix + lines[0]) <= 100:
        return prefix + lines[0]
    verbs = [line.partition(" ")[0] for line in lines]
    parts = ["%s %d" % (verb, verbs.count(verb)) for verb in ("add", "change", "remove") if verb in verbs]
    subject = prefix + (", ".join(parts) + " of External Secrets" if parts else "write the list of files again")
    return subject + ("\n\n" + "\n".join("- " + line for line in lines) if lines else "")
