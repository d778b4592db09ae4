# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Declared objects as manifests, without an API server: a Kustomize tree, or a file.

What an entry becomes is said by the resources that are applied directly as well: there is no second translation.
"""

from __future__ import annotations

import base64
import os
import re
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._engine.errors import InvalidInput, SecretopsError
from .._engine.names import check_names
from .._engine.reconcile import CREATE, DELETE, NONE, Change, Resource
from .._engine.redact import TOKEN, address_passwords, without_passwords
from .._kubernetes import known_schemas
from .._kubernetes.apply import KubeObject, dotted, leaves, without_none
from .._kubernetes.kind import Kind, Object
from .._kubernetes.schema import problems
from . import specs
from .cluster_external_secret import ClusterExternalSecret
from .external_secret import ExternalSecret, check_targets, store
from .generator import generator
from .push_secret import PushSecret, check_places, check_sources

try:
    import yaml

    YAML_ERROR = None
except ImportError:
    YAML_ERROR = traceback.format_exc()

HEADER = "# Written by secretops.vault_eso from the inventory; what is edited here is overwritten.\n"
KUSTOMIZATION = "kustomization.yaml"
#: no name of a namespace
CLUSTER_FOLDER = "_cluster"
#: Flux deletes what leaves the tree. Source: Flux, kustomize controller, "Controlling the apply behavior of resources"
KEEP = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
#: declared lists by option: what an entry takes, and who makes the object of it
LISTS: Mapping[str, tuple[Mapping[str, Any], Any]] = {
    "stores": (specs.STORE_ENTRY, store),
    "generators": (specs.GENERATOR_ENTRY, generator),
    "external_secrets": (specs.EXTERNAL_SECRET_ENTRY, ExternalSecret),
    "cluster_external_secrets": (specs.CLUSTER_EXTERNAL_SECRET_ENTRY, ClusterExternalSecret),
    "push_secrets": (specs.PUSH_SECRET_ENTRY, PushSecret),
}
#: plain objects that may stand beside them
PLAIN = ("Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "NetworkPolicy")
_PLAIN_NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]{0,251}[a-z0-9])?")
_SECRET_HEADER = re.compile(r"(?i)(x-vault-token|(proxy-)?authorization|(set-)?cookie|x-(api|auth)-(key|token))")
_SECRET_WORD = (
    r"(?:password|passwd|passphrase|pwd|secret|secret[_-]?id|token|private[_-]?key|api[_-]?key|secret[_-]?access[_-]?key"
    r"|authorization|credentials)"
)
_SECRET_NAME = re.compile(r"(?i)(?:^|[_./-])%s$" % _SECRET_WORD)
# a setting within a text: JSON, YAML, properties, shell
_SETTING = re.compile(
    r"""(?im)(?:^|[\s{,;&?_.-])["']?[\w.-]*%s["']?\s*[:=]\s*(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s,;}]+)""" % _SECRET_WORD
)
_PEM_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
# what turns a thing on, or says that there is none
_NO_SECRET = re.compile(r"(?i)(?:true|false|yes|no|none|null|enabled|disabled|optional|required|\d{1,3})?")
#: text that some reader of YAML takes for a number or a truth value, though the writer does not
_AMBIGUOUS = re.compile(
    r"[-+]?(\.?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|0[xob][0-9a-fA-F_]+)|[yYnN]|[-+.]?(inf|nan)"
)


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


# -- from declared data to manifests ----------------------------------------------------------------------------------


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


def scalars(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every scalar of nested data with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from scalars(item, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from scalars(item, (*path, str(number)))
    else:
        yield path, value


def _literal(text: str) -> bool:
    """Tell whether a text is a value of its own, and none that a template fills in, or a switch."""
    return not ("{{" in text or "${" in text or "$(" in text or _NO_SECRET.fullmatch(text.strip("\"' ")))


def _key_within(text: str) -> bool:
    """Tell whether a text is or holds a private key, in base64 too."""
    if _PEM_KEY.search(text):
        return True
    compact = "".join(text.split())
    if len(compact) < 64 or not re.fullmatch(r"[A-Za-z0-9+/]+=*", compact):
        return False
    try:
        return bool(_PEM_KEY.search(base64.b64decode(compact).decode("latin-1")))
    except ValueError:
        return False


def _secret_text(text: str) -> bool:
    """Tell whether a text is a secret wherever it stands: a token, a private key, an address with a password."""
    bare = re.sub(r"\{\{.*?\}\}", "{{x}}", text, flags=re.DOTALL)
    return bool(TOKEN.search(text)) or _key_within(text) or without_passwords(bare) != bare


def _secret_in_template(name: str, text: str) -> bool:
    """Tell whether a part of a template holds a secret that should have come from Vault."""
    if _SECRET_NAME.search(name) and "\n" not in text.strip():
        return _literal(text)
    bare = re.sub(r"\{\{.*?\}\}", "{{x}}", text, flags=re.DOTALL)
    if any(_literal(found["value"]) for found in _SETTING.finditer(bare)):
        return True
    # user:password@tcp(host)/x and its like: what is no URL
    words = [word for word in bare.split() if "@" in word and "://" not in word and "/" in word]
    return any(_literal(password) for word in words for password in address_passwords(word))


def looks_secret(path: Sequence[str], value: Any) -> bool:
    """Tell whether a scalar of a manifest, which stands at ``path``, looks like a secret."""
    if not isinstance(value, str) or not value:
        return False
    name, holders = path[-1], path[:-1]
    if _secret_text(value):
        return True
    if holders and holders[-1] == "headers":
        return bool(_SECRET_HEADER.fullmatch(name)) and _literal(value)
    if "template" in holders and (holders[-1] == "data" or name == "literal"):
        return _secret_in_template(name, value)
    if holders and holders[-1] in ("annotations", "labels"):
        if holders[-1] == "annotations" and any(_literal(one["value"]) for one in _SETTING.finditer(value)):
            return True
        return bool(_SECRET_NAME.search(name)) and _literal(value)
    if "parameters" in holders or "provider" in holders:
        # values that are handed to a provider as they are
        return bool(_SECRET_NAME.search(name)) and _literal(value)
    return False


def refuse_secrets(manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest that holds what looks like a secret: Git forgets nothing. Raises InvalidInput."""
    where = '%s "%s"' % (manifest.get("kind"), title(manifest).partition(" ")[2])
    for path, value in scalars(manifest):
        if looks_secret(path, value):
            raise InvalidInput(
                "%s looks like a secret, and everything here goes to Git" % ".".join(path),
                where,
                "keep it in Vault or in a Secret and refer to it",
            )


def present(params: Mapping[str, Any]) -> tuple[list[Object], list[str]]:
    """Return the manifests that a module's options declare, and warnings. Raises InvalidInput."""
    if params["state"] == "absent":
        return [], []
    objects, warnings = declared(params, params["api_version"])
    return plain(params["objects"]) + objects, warnings


# -- YAML -------------------------------------------------------------------------------------------------------------


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
    """Return data as YAML that is always the same for the same data: sorted, unfolded, text blocks as lines."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    def text(dumper: Any, data: Any) -> Any:
        content = str(data)
        style = "|" if "\n" in content else ('"' if _AMBIGUOUS.fullmatch(content) else None)
        return dumper.represent_scalar("tag:yaml.org,2002:str", content, style=style)

    Dumper.add_representer(str, text)
    Dumper.add_multi_representer(str, text)
    Dumper.add_multi_representer(dict, lambda dumper, data: dumper.represent_dict(dict(data)))
    return str(
        yaml.dump(value, Dumper=Dumper, sort_keys=True, default_flow_style=False, allow_unicode=True, width=1_000_000)
    )


def from_yaml(text: str, where: str) -> list[Object]:
    """Return the mappings in YAML text, empty documents left out. Raises InvalidInput."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = [document for document in yaml.load_all(text, Loader=loader) if document]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = " in line %d" % (mark.line + 1) if mark else ""
        raise InvalidInput("is no YAML%s" % line, where, "correct it, or write it anew") from error
    if not all(isinstance(document, dict) for document in found):
        raise InvalidInput("holds something else than Kubernetes objects", where, "name another file")
    return found


# -- the tree ---------------------------------------------------------------------------------------------------------


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


def read_text(path: str) -> str | None:
    """Return a file's text, None without one. Raises SecretopsError."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SecretopsError("cannot be read (%s)" % reason, path, "correct its owner and mode") from error


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
        text = read_text(self.path)
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
        folder = os.path.dirname(self.path)
        trial = ""
        try:
            os.makedirs(folder, exist_ok=True)
            handle, trial = tempfile.mkstemp(dir=folder, prefix=".vault-eso-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write((self.desired or {})["text"])
            # what is in Git is for everybody who may read the repository
            os.chmod(trial, 0o644)
            os.replace(trial, self.path)
        except OSError as error:
            if trial and os.path.exists(trial):
                os.unlink(trial)
            raise SecretopsError("cannot be written (%s)" % error.strerror, self.path, "check the directory") from error

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
            gone += [reference(manifest) for manifest in from_yaml(read_text(one.path) or "", one.path)]
    return [one for one in gone if one not in kept]


# -- what to say of a change ------------------------------------------------------------------------------------------


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
    subject = prefix + (", ".join(parts) + " of External Secrets" if parts else "write the list of files anew")
    return subject + ("\n\n" + "\n".join("- " + line for line in lines) if lines else "")
