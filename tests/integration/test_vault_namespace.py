# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_namespace against a real server."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture
def namespace_module(run_module: Run, vault_args: dict[str, Any], openbao: VaultServer) -> Run:
    if openbao.product != "openbao":
        pytest.skip("namespaces need OpenBao or HashiCorp Vault Enterprise")

    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_namespace", {**vault_args, **options}, check=check, diff=True)

    return run


def stored(openbao: VaultServer, path: str) -> dict[str, Any] | None:
    parent, _slash, name = path.rpartition("/")
    client = openbao.client()
    client.adapter.namespace = parent or None
    answer = client.read(f"sys/namespaces/{name}")
    return answer and answer["data"]


def test_nested_life(namespace_module: Run, openbao: VaultServer, unique: str) -> None:
    top = f"ns-{unique}"
    wanted: list[dict[str, Any]] = [
        {"name": f"{top}/a/b"},
        {"name": top, "custom_metadata": {"owner": "platform", "cost": 7}},
        {"name": f"/{top}/a/"},
    ]
    assert namespace_module(check=True, namespaces=wanted)["summary"]["create"] == 3
    assert stored(openbao, top) is None
    created = namespace_module(namespaces=wanted)
    assert created["summary"]["create"] == 3, created.msg
    assert (stored(openbao, f"{top}/a/b") or {})["path"] == f"{top}/a/b/"
    again = namespace_module(namespaces=wanted)
    assert not again.changed, again["results"]

    changed = namespace_module(name=top, custom_metadata={"owner": "other"})
    assert changed["results"][0]["fields"] == ["custom_metadata"]
    assert (stored(openbao, top) or {})["custom_metadata"] == {"owner": "other"}
    assert not namespace_module(name=top).changed, "metadata that is not declared stays"
    inside = namespace_module(namespace=top, name="a/b", custom_metadata={"x": "y"})
    assert inside["results"][0]["action"] == "update"

    held = namespace_module(name=f"{top}/a", state="absent")
    assert f'it holds the namespaces "{top}/a/b"; declare these absent as well' in held.msg
    gone = namespace_module(namespaces=[{"name": item["name"]} for item in wanted], state="absent")
    assert gone["summary"]["delete"] == 3, gone.msg
    assert stored(openbao, top) is None


def test_data_is_not_lost_by_accident(
    namespace_module: Run, run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, unique: str
) -> None:
    name = f"nsd-{unique}"
    namespace_module(name=name)
    run_module(
        "vault_secrets_engine", {**vault_args, "namespace": name, "path": "secret", "type": "kv"}, must_succeed=True
    )
    refused = namespace_module(name=name, state="absent")
    assert 'deleting it loses all that is in "secret"; set "delete_data: true"' in refused.msg
    assert stored(openbao, name) is not None
    planned = namespace_module(check=True, name=name, state="absent", delete_data=True)
    assert planned.changed
    assert stored(openbao, name) is not None
    assert namespace_module(name=name, state="absent", delete_data=True).changed
    assert stored(openbao, name) is None


def test_purge(namespace_module: Run, openbao: VaultServer, unique: str) -> None:
    top = f"nsp-{unique}"
    namespace_module(namespaces=[{"name": name} for name in (top, f"{top}/a", f"{top}/a/x", f"{top}/b", f"{top}/c")])
    options: dict[str, Any] = {"namespace": top, "namespaces": [{"name": "a/x"}], "purge": True, "protected": ["c"]}
    assert 'purge would delete "b"' in namespace_module(**options).msg
    result = namespace_module(**options, purge_data=["b"])
    assert [one["name"] for one in result["results"] if one["changed"]] == ["b"], "a holds a/x"
    assert stored(openbao, f"{top}/b") is None
    namespace_module(
        namespaces=[{"name": name} for name in (top, f"{top}/a", f"{top}/a/x", f"{top}/c")], state="absent"
    )


def test_bad_input(namespace_module: Run, unique: str) -> None:
    assert '"sys" is reserved' in namespace_module(name="a/sys").msg
    assert "white space" in namespace_module(name="a b").msg
    orphan = namespace_module(name=f"none-{unique}/child")
    assert f'the namespace "none-{unique}" does not exist; declare it as well' in orphan.msg
    torn = [{"name": "x", "state": "absent"}, {"name": "x/y"}]
    assert '"x" that it is in is to be absent' in namespace_module(namespaces=torn).msg
