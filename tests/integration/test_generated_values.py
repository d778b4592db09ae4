# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd but legal values for every field of every kind: a second run finds nothing to change, or check mode refuses them.

`support.generated` has an object of each kind, into which each value is put in turn. The trees are converged in this
process, by the code that vault_configuration runs, so that thousands of values cost seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import SecretopsError
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.report import Report
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS, Tree
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.client import Client
from support import generated
from support.generated import Base
from support.openbao import VaultServer

from .test_generated_partial import Api, filled, other_servers, prepared

__all__ = ["other_servers"]


def run(client: Client, kind: str, item: dict[str, Any], check: bool) -> Report | str:
    """Converge one object; the sentence that refuses it before anything changes."""
    tree = Tree({kind: [item]}, check_mode=check)
    try:
        tree.validate()
        tree.check(client)
        return tree.converge(client, "on_create", 1)
    except SecretopsError as error:
        return str(error)


def judged(client: Client, base: Base, item: dict[str, Any], field: str) -> str | None:
    """Return what is wrong with how a value is taken, None when all is well."""
    rehearsed = run(client, base.kind, item, check=True)
    done = run(client, base.kind, item, check=False)
    if isinstance(rehearsed, str) or rehearsed.failed:
        first = rehearsed if isinstance(rehearsed, str) else rehearsed.message()
        second = done if isinstance(done, str) else (done.message() if done.failed else "taken")
        return None if first == second else f"check refuses ({first}), and apply: {second}"
    if isinstance(done, str):
        return f"check takes it, and apply refuses: {done}"
    if done.failed:
        if field in base.judged_by_server:
            return None
        return f"check takes it, and apply fails: {done.message()}"
    again = run(client, base.kind, item, check=False)
    if isinstance(again, str) or again.failed:
        return f"the second run fails: {again if isinstance(again, str) else again.message()}"
    if again.changed:
        diff = [one.diff() for one in again.changes if one.effective()]
        return f"changed again: {diff[0]['before']!r} -> {diff[0]['after']!r}" if diff and diff[0] else "changed again"
    return None


@pytest.fixture
def inside(
    openbao: VaultServer, other_servers: Callable[[str], VaultServer], unique: str
) -> Iterator[Callable[[Base], tuple[Api, Client]]]:
    """A function that returns the plain API and a client, both inside a fresh namespace."""
    clients: list[Client] = []

    def make(base: Base) -> tuple[Api, Client]:
        server = other_servers(base.version) if base.version else openbao
        namespace = "" if base.at_root else f"values-{unique}"
        if namespace:
            Api(server, "")("POST", f"sys/namespaces/{namespace}")
        clients.append(
            Client(
                [server.url],
                token=server.token,
                ca_cert=server.ca_cert,
                namespace=namespace or None,
                timeout=10,
                retries=0,
            )
        )
        return Api(server, namespace), clients[-1]

    try:
        yield make
    finally:
        for client in clients:
            client.close()


@pytest.mark.parametrize("base", generated.BASES, ids=lambda base: base.title)
def test_a_second_run_changes_nothing(base: Base, inside: Callable[[Base], tuple[Api, Client]]) -> None:
    api, client = inside(base)
    kept = prepared(api, base)
    findings = []
    number = 0
    try:
        for number, (field, value, item) in enumerate(generated.cases(base, KINDS[base.kind])):
            entry = filled(item, {**kept, "n": str(number)})
            try:
                found = judged(client, base, entry, field)
            except Exception as error:  # noqa: BLE001 what a module would call a bug
                found = f"{type(error).__name__}: {error}"
            if base.at_root:
                run(client, base.kind, {**entry, "state": "absent"}, check=False)
            if found:
                findings.append(f"{field} = {value!r}: {found}")
    finally:
        for request in base.cleanup:
            api(request.method, request.path)
    assert not findings, f"{len(findings)} of {number + 1}\n" + "\n".join(findings)


def test_every_kind_has_a_base_or_a_reason() -> None:
    told = {base.kind for base in generated.BASES} | set(generated.WITHOUT_VALUES)
    assert set(KINDS) - told == set(), "give each a base in support/generated.py, or a reason in WITHOUT_VALUES"
