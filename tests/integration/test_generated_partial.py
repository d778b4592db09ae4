# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""To change one field leaves all others alone, for every kind: `support.generated` has the objects.

Each is made by the plain API with all that the server's own help says an endpoint takes, changed by the module, and
compared as a whole by the plain API.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import requests

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base import schema
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS
from support import generated
from support import openbao as servers
from support.generated import Base, Row
from support.modules import Result
from support.openbao import VaultServer


class Api:
    """The plain API inside one namespace: no code of the collection."""

    def __init__(self, server: VaultServer, namespace: str) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.headers.update({"X-Vault-Token": server.token, "X-Vault-Namespace": namespace})
        # nothing of the caller's environment, such as another CA
        self.session.trust_env = False
        self.session.verify = server.ca_cert

    def __call__(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self.session.request(method, f"{self.server.url}/v1/{path}", json=body, timeout=60)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        data: dict[str, Any] = answer.json() if answer.content else {}
        return data


@pytest.fixture(scope="module")
def other_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], VaultServer]]:
    """A function that returns a server of another version, started once."""
    started: dict[str, VaultServer] = {}

    def get(version: str) -> VaultServer:
        if version not in started:
            try:
                folder: Path = tmp_path_factory.mktemp("older")
                started[version] = VaultServer(folder, binary=servers.release(version))
            except servers.Unavailable as reason:
                pytest.skip(str(reason))
        return started[version]

    try:
        yield get
    finally:
        for server in started.values():
            server.discard()


@pytest.fixture
def place(
    openbao: VaultServer, other_servers: Callable[[str], VaultServer], unique: str
) -> Callable[[Row], tuple[VaultServer, str]]:
    """A function that returns the server for a row, and a fresh namespace in it."""

    def make(row: Row) -> tuple[VaultServer, str]:
        server = other_servers(row.version) if row.version else openbao
        if row.at_root:
            return server, ""
        name = f"partial-{unique}"
        Api(server, "")("POST", f"sys/namespaces/{name}")
        return server, name

    return make


def filled(value: Any, kept: dict[str, str]) -> Any:
    """Return a value with what was kept in place of ``{name}``."""
    if isinstance(value, str):
        for name, text in kept.items():
            value = value.replace("{%s}" % name, text)
        return value
    if isinstance(value, dict):
        return {filled(key, kept): filled(item, kept) for key, item in value.items()}
    return [filled(item, kept) for item in value] if isinstance(value, list) else value


def prepared(api: Api, row: Row | Base) -> dict[str, str]:
    kept: dict[str, str] = {}
    for request in row.prepare:
        answer = api(request.method, filled(request.path, kept), filled(dict(request.body or {}), kept))
        for name, keys in request.keep.items():
            found: Any = answer
            for key in keys:
                found = found[key]
            kept[name] = str(found)
    return kept


@pytest.mark.parametrize("row", generated.ROWS, ids=lambda row: row.name)
def test_the_rest_stays(
    row: Row,
    place: Callable[[Row], tuple[VaultServer, str]],
    run_module: Callable[..., Result],
) -> None:
    server, namespace = place(row)
    api = Api(server, namespace)
    try:
        changed_one_by_one(row, api, namespace, run_module)
    finally:
        for request in row.cleanup:
            api(request.method, request.path)


def changed_one_by_one(row: Row, api: Api, namespace: str, run_module: Callable[..., Result]) -> None:
    server = api.server
    kept = prepared(api, row)
    path, read = filled(row.path, kept), filled(row.read or row.path, kept)
    api(row.method, path, filled(dict(row.everything), kept))

    takes = schema.properties(api("GET", f"{path}?help=1")) - {"after", "limit", "list"}
    named = {part.strip("{}") for part in row.path.split("/") if part.startswith("{")}
    forgotten = takes - set(row.everything) - set(row.left_out) - named - {"name", "role_name", "username", "path"}
    assert not forgotten, f"the server takes {sorted(forgotten)} as well: give each a value, or say why not"

    def stands() -> dict[str, Any]:
        found = dict(api("GET", read)["data"])
        return {name: value for name, value in found.items() if name not in row.restless}

    options = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token, "namespace": namespace}
    for number, (declared, answered) in enumerate(row.changes):
        before = stands()
        entry = filled({**row.entry, **declared}, kept)
        given = {**options, "configuration": {row.kind: [entry]}}
        rehearsed = run_module("vault_configuration", given, check=True)
        assert rehearsed.changed and not rehearsed.failed, (number, rehearsed.msg)
        assert stands() == before
        done = run_module("vault_configuration", given)
        assert done.changed and not done.failed, (number, done.msg)
        assert stands() == {**before, **answered}, done["results"]
        again = run_module("vault_configuration", given)
        assert not again.changed and not again.failed, (number, again.msg, again["results"])


def test_every_kind_has_a_row_or_a_reason() -> None:
    told = {row.kind for row in generated.ROWS} | set(generated.WITHOUT)
    assert set(KINDS) - told == set(), "give each a row in support/generated.py, or a reason in WITHOUT"
    assert told - set(KINDS) == set()
