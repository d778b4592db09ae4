# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The Kubernetes modules' argument spec, and a module that holds a connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable

from .._engine.errors import InvalidInput, SecretopsError
from .._engine.module import Module
from .._engine.reconcile import apply, plan
from .._engine.report import Report
from .._engine.resource import DELETE, Change, Resource
from .._http import insecure
from .apply import Action, Cluster, KubeObject, server_dry_run, validate
from .client import Client
from .kind import Kind, Object
from .objects import applied_by_us
from .options import connect
from .transport import KUBERNETES_ERROR
from .waiting import Expectation, wait_for

#: the operator's finalizer on a store that it needs to remove the values of PushSecrets
STORE_FINALIZER = "secretstore.externalsecrets.io/finalizer"
CONNECTION_SPEC: dict[str, Any] = {
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
    "client_cert": {"type": "path", "aliases": ["cert_file"]},
    "client_key": {"type": "path", "aliases": ["key_file"], "no_log": False},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
    "proxy": {"type": "str"},
    "no_proxy": {"type": "str"},
    "impersonate_user": {"type": "str"},
    "timeout": {"type": "int", "default": 30},
    "retries": {"type": "int", "default": 3},
}
WAIT_SPEC: dict[str, Any] = {
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
}
APPLY_SPEC: dict[str, Any] = {
    "api_version": {"type": "str"},
    "force_conflicts": {"type": "bool", "default": False},
    "purge": {"type": "bool", "default": False},
    "purge_namespaces": {"type": "list", "elements": "str", "default": []},
    **WAIT_SPEC,
}


class KubernetesModule(Module):
    """A module that talks to a Kubernetes API server."""

    def __init__(
        self,
        argument_spec: Mapping[str, Any] | None = None,
        plural: str = "",
        item: Mapping[str, Any] | None = None,
        required: Sequence[str] = ("name",),
        **kwargs: Any,
    ) -> None:
        super().__init__({**CONNECTION_SPEC, **(argument_spec or {})}, plural, item, required, **kwargs)
        self.require("kubernetes", KUBERNETES_ERROR)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Give a client; errors inside end the module with one sentence."""
        with self.failing_clearly():
            client = connect(self.params)
            settings = client.configuration
            for text in insecure.warnings_of(
                [client.host], settings.verify_ssl, {"client_key": self.params["client_key"]}
            ):
                self.ansible.warn(text)
            try:
                yield client
            finally:
                client.close()

    def act(self, resources: Iterable[Resource]) -> Report:
        """Converge resources and return the report; in check mode with a server-side dry-run of the changes."""
        changes = plan(resources, "always", self.params["workers"])
        validate(changes)
        if not self.check_mode:
            apply(changes, self.params["workers"])
        else:
            server_dry_run(changes)
        return Report(changes, self.check_mode)

    def converge(
        self,
        client: Client,
        resources: Sequence[KubeObject],
        expect: Callable[[Any, bool], Expectation] | None = None,
    ) -> None:
        """Converge objects, wait for their expected state where that is wanted, and exit."""
        report = self.act(resources)
        if expect is not None and self.params["wait"] and not self.check_mode:
            waiting = {}
            for change in report.changes:
                resource = change.resource
                if change.error is None and change.seen and isinstance(resource, KubeObject):
                    if resource.desired is not None:
                        waiting[expect(resource, change.reached)] = change
                    elif change.action == DELETE:
                        waiting[
                            Expectation(
                                resource.api,
                                resource.version,
                                resource.namespace,
                                resource.object_name,
                                still_there,
                            )
                        ] = change
            for expectation in wait_for(client, list(waiting), self.params["wait_timeout"]):
                change = waiting[expectation]
                change.error = expectation.error.at(change.resource.label) if expectation.error else None
        self.finish(report, requests={"total": client.requests, "writes": client.writes})

    def unmanaged(self, cluster: Cluster, kind: Kind, declared: Sequence[KubeObject]) -> list[dict[str, Any]]:
        """Return entries for the objects that this collection applied and that are no longer declared.

        Searches the namespaces of the declared objects and ``purge_namespaces``. Objects that others created are never
        among them; the field manager distinguishes them.
        """
        known = {(one.namespace, one.object_name) for one in declared if one.api is kind}
        spaces: set[str | None] = {one.namespace for one in declared if one.api is kind and one.namespace}
        spaces |= set(self.params["purge_namespaces"]) if kind.namespaced else {None}
        if not spaces and declared:
            return []
        if not spaces:
            raise InvalidInput(
                "the namespaces to purge are not known",
                'option "purge"',
                'declare an object, or name them in "purge_namespaces"',
            )
        version = cluster.version_of(kind)
        found = []
        for space in sorted(spaces, key=str):
            for current in cluster.client.list_objects(kind.path(version, space)):
                name = current["metadata"]["name"]
                if (space, name) not in known and applied_by_us(current):
                    found.append({"kind": kind.name, "name": name, "namespace": space, "state": "absent"})
        return found


def still_there(current: Object | None) -> str:
    """Return "" when an object is gone, else the finalizers that hold it."""
    if current is None:
        return ""
    finalizers = current["metadata"].get("finalizers") or []
    if not finalizers:
        return "still exists"
    held = "still exists, held by the finalizer %s" % " and ".join('"%s"' % name for name in finalizers)
    return held + (
        ": delete first the PushSecrets with the deletion policy Delete that push to it"
        if STORE_FINALIZER in finalizers
        else ""
    )


class ActionModule(KubernetesModule):
    """A module for actions on existing objects: one by the options of ``item`` or many by a list option."""

    def __init__(
        self, argument_spec: Mapping[str, Any], plural: str, item: Mapping[str, Any], required: Sequence[str]
    ) -> None:
        entry = {
            name: {**option, "required": True} if name in required else dict(option) for name, option in item.items()
        }
        super().__init__(
            {
                **argument_spec,
                **item,
                "workers": {"type": "int", "default": 4},
                plural: {"type": "list", "elements": "dict", "options": entry, "no_log": False},
            },
            mutually_exclusive=[[plural, "name"]],
            required_one_of=[[plural, "name"]],
        )
        self.many = plural
        self.one = {name: self.params[name] for name in item}
        self.needed = list(required)

    def items(self) -> list[dict[str, Any]]:
        """Return the named objects, each with every option of an item."""
        if self.params[self.many] is not None:
            return [dict(entry) for entry in self.params[self.many]]
        missing = [name for name in self.needed if self.one[name] is None]
        if missing:
            raise InvalidInput(
                "missing required arguments: %s" % ", ".join(missing), remedy='give them, or a list as "%s"' % self.many
            )
        return [self.one]

    def carry_out(
        self,
        client: Client,
        actions: Sequence[Action],
        wait: bool,
        reasons: Callable[[Sequence[Any]], Sequence[str]] | None = None,
    ) -> None:
        """Carry out all actions, wait for the proof of each, and exit.

        ``reasons`` returns why, for the objects whose proof did not come, "" where it does not know.
        """
        report = self.act(actions)
        if wait and not self.check_mode:
            prove(client, report.changes, self.params["wait_timeout"], self.params["workers"], reasons)
        sent = {"total": client.requests, "writes": client.writes, "watches": client.watches}
        self.finish(report, requests=sent)


def prove(
    client: Client,
    changes: Sequence[Change],
    timeout: float,
    workers: int,
    reasons: Callable[[Sequence[Any]], Sequence[str]] | None = None,
) -> None:
    """Wait for the proof of each action that was done; one that does not come in ``timeout`` seconds is its error.

    ``reasons``: see `ActionModule.carry_out`.
    """
    done = {
        change.resource.expectation(): change
        for change in changes
        if change.reached and change.error is None and isinstance(change.resource, Action)
    }
    late = wait_for(client, list(done), timeout)
    known = reasons([one.last for one in late]) if reasons and late else [""] * len(late)
    for expectation, reason in zip(late, known):
        change, error = done.pop(expectation), expectation.error or SecretopsError("was not proven")
        if reason:
            error = SecretopsError("%s. %s" % (error, reason))
        change.error = error.at(change.resource.label)
    with ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
        list(pool.map(conclude, done.values()))


def conclude(change: Change) -> None:
    """Let an action record its outcome; an error becomes that of the change."""
    try:
        change.resource.conclude()  # type: ignore[attr-defined]
    except SecretopsError as error:
        change.error = error.at(change.resource.label)
