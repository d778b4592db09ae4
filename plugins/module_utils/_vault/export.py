# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Everything that a server holds, as a tree of declarations for `configuration.Tree`; never the value of a secret.

What each object is as a declaration is said by its kind (`Kind.declaration`). At the end the tree is held against the
server that it came from: what would be refused is left out, and what would be changed is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from .._engine import progress
from .._engine.errors import InvalidInput, SecretopsError
from .._engine.reconcile import plan
from .._engine.resource import NONE
from .base.declaring import Omitted, Placeholder, View, concealed
from .base.kind import Kind
from .base.listing import Found, Listing
from .base.mounts import PROTECTED_TYPES
from .configuration import INSIDE, KINDS, Stage, Tree
from .connection.client import Client
from .connection.errors import NoApi, PermissionDenied, VaultError
from .inventory import Inventory
from .system.namespace import join, tree

NAMESPACES, SECRETS, ENDPOINTS = "namespaces", "secrets", "endpoints"
#: how much is told of the secrets of KV engines
DEPTHS = ("none", "paths", "keys")


def check(kinds: Iterable[str], secrets: str = DEPTHS[0], placeholders: bool = True) -> None:
    """Refuse kinds that do not exist, and declarations of secrets that would say nothing. Raises InvalidInput."""
    if secrets == DEPTHS[2] and not placeholders:
        raise InvalidInput(
            "the keys of secrets cannot be declared without placeholders for their values",
            'option "placeholders"',
            'leave it out, or use "secrets: paths"',
        )
    for name in kinds:
        if name not in KINDS:
            raise InvalidInput('there is no kind "%s"' % name, 'option "kinds"', "use some of: %s" % ", ".join(KINDS))


class Exporter:
    """Reads what a server holds. `gather`, then `prove`; what came of it is in the attributes."""

    def __init__(
        self,
        client: Client,
        kinds: Sequence[str] | None = None,
        namespaces: bool = True,
        secrets: str = DEPTHS[0],
        workers: int = 4,
    ) -> None:
        self.client = client
        self.kinds = frozenset(kinds or KINDS)
        self.namespaces = namespaces
        self.secrets = secrets
        self.workers = max(1, workers)
        #: the declarations: lists by kind, and under ``inside`` those of namespaces. Values are hidden by `Placeholder`
        self.configuration: dict[str, Any] = {}
        #: what is not declared: kind, namespace, name, reason
        self.left_out: list[dict[str, str]] = []
        #: what a first run would change, or could not compare
        self.unproven: list[dict[str, str]] = []
        #: mount and path of each secret of a KV engine, when they are asked for
        self.secret_paths: list[dict[str, str]] = []

    # -- reading ------------------------------------------------------------------------------------------------------

    def gather(self) -> None:
        """Read everything. What the token may not read is `left_out`. Raises SecretopsError where nothing can be."""
        self._look()
        self.configuration = self._branch("")
        inside = {}
        for path in self._namespaces():
            branch = self._branch(path)
            if branch:
                inside[path] = branch
        if inside:
            self.configuration[INSIDE] = inside
        order = list(KINDS)
        self.left_out.sort(key=lambda entry: (entry.get("namespace", ""), order.index(entry["kind"]), entry["name"]))

    def _look(self) -> None:
        """Make sure that this is a server that tells what it holds. Raises SecretopsError."""
        try:
            found = self.client.read("sys/mounts")
        except PermissionDenied:
            # what else the token may see is exported
            return
        if not found:
            raise VaultError("the server tells nothing of its mounts", "sys/mounts", "correct the address or namespace")

    def _namespaces(self) -> list[str]:
        if not self.namespaces:
            return []
        try:
            return sorted(tree(self.client))
        except InvalidInput:
            # the product has none
            return []
        except SecretopsError as error:
            if _stops(error):
                raise
            self._leave_out(NAMESPACES, "", "", str(error))
            return []

    def _leave_out(self, title: str, namespace: str, name: str, reason: str) -> None:
        entry = {"kind": title, "name": name, "reason": reason}
        self.left_out.append({**entry, **({"namespace": namespace} if namespace else {})})

    def _branch(self, namespace: str) -> dict[str, Any]:
        """Return the declarations of one namespace, relative to the client's."""
        client = self.client.within(join(self.client.namespace, namespace)) if namespace else self.client
        inventory = Inventory(client, self.workers)
        store: dict[str, Any] = {"namespace": namespace}
        branch: dict[str, Any] = {}
        for title, kind in KINDS.items():
            if title not in self.kinds or (namespace and title == NAMESPACES):
                # those of namespaces stand in the one list at the top
                continue
            if not kind.listings:
                if not namespace:
                    self._leave_out(title, "", "", "no server lists them: %s" % kind.unlisted)
                if title == ENDPOINTS:
                    self._unknown(namespace, inventory)
                continue
            if title == SECRETS and self.secrets == DEPTHS[0]:
                continue
            note = partial(self._leave_out, title, namespace)
            view = View(client, title, store, note, keys=self.secrets == DEPTHS[2])
            items = self._of(title, kind, namespace, inventory, view)
            if items:
                branch[title] = items
        return branch

    def _of(self, title: str, kind: Kind, namespace: str, inventory: Inventory, view: View) -> list[dict[str, Any]]:
        found: list[Found] = []
        for listing in kind.listings:
            found += self._listed(title, listing, namespace, inventory)
        found = sorted(
            kind.exported(found), key=lambda one: (one.mount, one.listing.type, one.listing.subject, one.name)
        )
        if title == SECRETS and not view.keys:
            self.secret_paths += [
                {**({"namespace": namespace} if namespace else {}), "mount": one.mount, "path": one.name}
                for one in found
            ]
            return []

        def declare(one: Found) -> Any:
            progress.tell("reading %s: %s", title, join(namespace, one.where))
            try:
                one.told = inventory.read(one)
                if one.told is None and one.listing.fields:
                    return "the server lists it, and does not tell what it is"
                item = kind.declaration(one, view)
                return None if item is None else concealed(item, view, one)
            except Omitted as reason:
                return str(reason)
            except SecretopsError as error:
                if _stops(error):
                    raise
                return str(error)

        with ThreadPoolExecutor(max_workers=self.workers) as pool:
            items = list(pool.map(declare, found))
        for one, item in zip(found, items):
            if isinstance(item, str):
                self._leave_out(title, namespace, one.where, item)
        return [item for item in items if isinstance(item, dict)]

    def _unknown(self, namespace: str, inventory: Inventory) -> None:
        """Note the mounts of types of which no kind knows what is in them: only `endpoints` can declare that."""
        for table, prefix in (("sys/mounts", ""), ("sys/auth", "auth/")):
            try:
                mounts = inventory.mounts(table)
            except SecretopsError:
                # their own kinds say so
                continue
            known = {one.engine for kind in KINDS.values() for one in kind.listings if one.path.startswith(prefix)}
            for mount, kind in mounts:
                if kind not in known | PROTECTED_TYPES and not kind.startswith("ns_"):
                    what = "of type %s, and no kind knows what is in it: declare that as endpoints" % kind
                    self._leave_out(ENDPOINTS, namespace, prefix + mount, what)

    def _listed(self, title: str, listing: Listing, namespace: str, inventory: Inventory) -> list[Found]:
        """Return what a listing finds; what cannot be listed is left out, for each mount by itself."""
        found: list[Found] = []
        try:
            places = list(inventory.places(listing))
        except SecretopsError as error:
            self._unlisted(title, namespace, "", error)
            return []
        for mount, entry in places:
            try:
                found += inventory.look(title, listing, mount, entry)
            except SecretopsError as error:
                self._unlisted(title, namespace, mount, error)
        return found

    def _unlisted(self, title: str, namespace: str, mount: str, error: SecretopsError) -> None:
        if _stops(error):
            raise error
        # not every product, and not every namespace, has every kind
        if not isinstance(error, (NoApi, InvalidInput)):
            self._leave_out(title, namespace, mount, str(error))

    # -- what came of it ----------------------------------------------------------------------------------------------

    def branches(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the declarations of each namespace, the connection's own first, as ''."""
        own = {title: items for title, items in self.configuration.items() if title != INSIDE}
        return [("", own), *self.configuration.get(INSIDE, {}).items()]

    def placeholders(self) -> list[str]:
        """Return the keys of the values that are to be filled in."""
        return sorted({one.key for one in _placeholders(self.configuration)})

    def known(self) -> dict[str, Any]:
        """Return the declarations without what is to be filled in: what the server can be held against."""
        return dict(_without(self.configuration))

    def count(self) -> dict[str, int]:
        """Return how many objects of each kind are declared, in all namespaces together."""
        found: dict[str, int] = {}
        for _namespace, branch in self.branches():
            for title, items in branch.items():
                found[title] = found.get(title, 0) + len(items)
        return {title: found[title] for title in KINDS if title in found}

    def result(self) -> dict[str, Any]:
        """Return what a module tells."""
        found = {
            "configuration": self.known(),
            "secrets_to_fill": self.placeholders(),
            "left_out": self.left_out,
            "unproven": self.unproven,
            "proven": not self.unproven,
            "msg": self.told(),
            "summary": self.count(),
        }
        return {**found, **({"secret_paths": self.secret_paths} if self.secrets == DEPTHS[1] else {})}

    def told(self) -> str:
        """Return one sentence for people."""
        parts = ["%d objects declared" % sum(self.count().values())]
        for count, text in ((len(self.placeholders()), "values to fill in"), (len(self.left_out), "left out")):
            parts += ["%d %s" % (count, text)] if count else []
        proof = "held against the server, nothing would change"
        return "; ".join([*parts, "%d not proven" % len(self.unproven) if self.unproven else proof])

    # -- the proof ----------------------------------------------------------------------------------------------------

    def prove(self) -> None:
        """Hold the declarations against the server, in check mode: the first run and `drift` are to say nothing.

        An object whose declaration would be refused is `left_out`, one that would be changed is `unproven`.
        """
        refused: dict[int, str] = {}
        for stage, items in self._stages():
            self._prove(stage, items, refused)
        if not refused:
            return
        for namespace, branch in self.branches():
            for title, items in list(branch.items()):
                for item in items:
                    if id(item) in refused:
                        self._leave_out(title, namespace, _name(item), refused[id(item)])
                kept = [item for item in items if id(item) not in refused]
                holder = self.configuration[INSIDE][namespace] if namespace else self.configuration
                holder[title] = kept
                if not kept:
                    del holder[title]

    def _stages(self) -> list[tuple[Stage, list[dict[str, Any]]]]:
        """Return the stages of the whole tree, each with its items as they are exported."""
        known = self.known()
        # values of secrets cannot be compared: there are none
        for branch in (known, *known.get(INSIDE, {}).values()):
            branch.pop(SECRETS, None)
        made = Tree(known, check_mode=True)
        if made.problems:
            self.unproven += [{"kind": "", "name": "", "reason": problem} for problem in made.problems]
        own = dict(self.branches())
        return [(stage, own[stage.namespace][stage.title]) for stage in made.stages]

    def _prove(self, stage: Stage, items: Sequence[Mapping[str, Any]], refused: dict[int, str]) -> None:
        client = self.client.within(join(self.client.namespace, stage.namespace)) if stage.namespace else self.client
        try:
            resources = stage.resources(client, purge=False, planning=True)
        except SecretopsError as error:
            if _stops(error):
                raise
            self._not_proven(stage, "", str(error))
            return
        good = []
        for item, resource in zip(items, resources):
            try:
                resource.check()
                resource.convert_durations()
                resource.preflight()
                good.append(resource)
            except InvalidInput as error:
                if list(_placeholders(item)):
                    self._not_proven(
                        stage, resource.name, "what is to be filled in is needed to compare it: %s" % error
                    )
                else:
                    refused[id(item)] = "its declaration would be refused: %s" % error
            except VaultError as error:
                if _stops(error):
                    raise
                self._not_proven(stage, resource.name, str(error))
        try:
            changes = plan(good, "on_create", self.workers)
        except SecretopsError as error:
            if _stops(error):
                raise
            self._not_proven(stage, "", str(error))
            return
        for change in changes:
            if change.error is not None:
                if _stops(change.error):
                    raise change.error
                self._not_proven(stage, change.resource.name, str(change.error))
            elif change.action != NONE:
                told = "would %s it: %s" % (change.action, ", ".join(change.fields))
                self._not_proven(stage, change.resource.name, "a run %s" % told)

    def _not_proven(self, stage: Stage, name: str, reason: str) -> None:
        entry = {"kind": stage.title, "name": name, "reason": reason}
        self.unproven.append({**entry, **({"namespace": stage.namespace} if stage.namespace else {})})


def _stops(error: SecretopsError) -> bool:
    """Tell whether an export cannot go on: an outage is no reason to leave something out."""
    return error.ends_task or error.retryable


def _name(item: Mapping[str, Any]) -> str:
    parts = (item.get("mount"), item.get("path") or item.get("name"))
    return "/".join(str(part) for part in parts if part)


def _placeholders(value: Any) -> Iterable[Placeholder]:
    if isinstance(value, Placeholder):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _placeholders(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _placeholders(inner)


def _without(value: Any) -> Any:
    """Return data without placeholders, and without the mappings and lists that held nothing else."""
    if isinstance(value, Mapping):
        kept = {key: _without(inner) for key, inner in value.items() if not isinstance(inner, Placeholder)}
        return {key: inner for key, inner in kept.items() if inner not in ({}, []) or value[key] in ({}, [])}
    if isinstance(value, list):
        return [_without(inner) for inner in value if not isinstance(inner, Placeholder)]
    return value
