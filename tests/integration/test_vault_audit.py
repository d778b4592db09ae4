# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_audit against real servers: one that takes devices by API, and one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, openbao: VaultServer) -> Any:
    """A server that takes devices by API."""
    if openbao.product == "vault":
        yield openbao
        return
    folder = tmp_path_factory.mktemp("audited")
    declared = [{"type": "file", "path": "declared", "options": {"file_path": str(folder / "declared.log")}}]
    server = VaultServer(folder, unsafe_allow_api_audit_creation=True, audit=declared)
    try:
        yield server
    finally:
        server.discard()


@pytest.fixture
def audit(run_module: Run, audited: VaultServer) -> Run:
    args = {"url": [audited.url], "ca_cert": audited.ca_cert, "token": audited.token}

    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_audit", {**args, **options}, check=check, diff=True)

    return run


def stored(server: VaultServer) -> dict[str, Any]:
    return {path.rstrip("/"): entry for path, entry in server.client().sys.list_enabled_audit_devices()["data"].items()}


def shown(result: Result) -> list[tuple[str, str, str]]:
    """What the diff says of each device: its header, and what was and will be."""
    return [(one["after_header"], one["before"], one["after"]) for one in result["diff"]]


def device(folder: Path, name: str, **options: Any) -> dict[str, Any]:
    return {"path": name, "type": "file", "options": {"file_path": str(folder / f"{name}.log"), **options}}


@pytest.fixture
def devices(audit: Run, tmp_path: Path) -> Iterator[list[dict[str, Any]]]:
    """The options of two devices, which are removed afterwards."""
    wanted = [device(tmp_path, "one", mode="0600"), device(tmp_path, "team/two", log_raw=False)]
    wanted[1]["options"]["file_path"] = str(tmp_path / "two.log")
    yield wanted
    audit(devices=[{"path": one["path"]} for one in wanted], state="absent", remove_last=True)


def test_devices_are_made_once(audit: Run, audited: VaultServer, devices: list[dict[str, Any]], tmp_path: Path) -> None:
    planned = audit(check=True, devices=devices)
    assert planned["summary"]["create"] == 2
    assert "one" not in stored(audited)
    created = audit(devices=devices)
    assert created["summary"]["create"] == 2, created.msg
    for result in (planned, created):
        assert [one[:2] for one in shown(result)] == [
            ('audit device "one" (create)', ""),
            ('audit device "team/two" (create)', ""),
        ]
        assert "type: file\n" in shown(result)[0][2] and str(tmp_path / "one.log") in shown(result)[0][2]
    assert (tmp_path / "one.log").stat().st_size > 0
    again = audit(devices=[devices[0], device(tmp_path, "team/two") | {"options": {"path": str(tmp_path / "two.log")}}])
    assert not again.changed, again["results"]
    assert again["diff"] == []


def test_a_device_is_replaced_only_when_told_so(
    audit: Run, audited: VaultServer, devices: list[dict[str, Any]]
) -> None:
    audit(devices=devices)
    raw = {**devices[0], "options": {**devices[0]["options"], "log_raw": True}}
    refused = audit(**raw)
    assert '"options" differs, and a device cannot be changed; set "replace: true"' in refused.msg
    planned = audit(check=True, replace=True, **raw)
    assert planned["results"][0]["fields"] == ["options"]
    assert "log_raw" not in stored(audited)["one"]["options"]
    replaced = audit(replace=True, **raw)
    assert replaced["results"][0]["action"] == "update"
    for result in (planned, replaced):
        header, before, after = shown(result)[0]
        assert header == 'audit device "one" (update)'
        assert "log_raw" not in before and '"log_raw": true' in after and "file_path" in before
    assert stored(audited)["one"]["options"]["log_raw"] == "true"
    assert not audit(replace=True, **raw).changed


def test_a_replacement_that_fails_leaves_what_was_there(
    audit: Run, audited: VaultServer, devices: list[dict[str, Any]]
) -> None:
    devices[0]["options"]["log_raw"] = True
    audit(devices=devices)
    impossible = {**devices[0], "options": {"file_path": "/proc/none/audit.log"}}
    failed = audit(replace=True, **impossible)
    assert "make its target ready for the server's user on every node first" in failed.msg
    assert not failed.changed
    assert stored(audited)["one"]["options"]["log_raw"] == "true", "what was there is there again"


def test_purge_and_removal(audit: Run, audited: VaultServer, devices: list[dict[str, Any]], tmp_path: Path) -> None:
    audit(devices=devices)
    for check in (True, False):
        purged = audit(check=check, devices=devices[:1], purge=True)
        assert [one["name"] for one in purged["results"] if one["changed"]] == ["team/two"]
        assert ("team/two" in stored(audited)) is check
    for check in (True, False):
        gone = audit(check=check, path="one", state="absent", remove_last=True)
        assert gone.changed and gone["results"][0]["action"] == "delete"
        assert ("one" in stored(audited)) is check
        header, before, after = shown(gone)[0]
        assert (header, after) == ('audit device "one" (delete)', "") and str(tmp_path / "one.log") in before
    for check in (True, False):
        again = audit(check=check, path="one", state="absent")
        assert not again.changed and again["diff"] == []


def test_the_last_device_stays(run_module: Run, new_server: Callable[..., VaultServer], tmp_path: Path) -> None:
    server = new_server(unsafe_allow_api_audit_creation=True)
    args = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}

    def audit(**options: Any) -> Result:
        return run_module("vault_audit", {**args, **options})

    assert audit(**device(tmp_path, "only")).changed
    kept = audit(path="only", state="absent")
    assert "it leaves requests unaudited" in kept.msg
    assert 'set "remove_last: true"' in kept.msg
    assert "it leaves requests unaudited" in audit(replace=True, description="x", **device(tmp_path, "only")).msg
    for check in (True, False):
        for options in ({"path": "only", "state": "absent"}, {"devices": [], "purge": True}):
            refused = run_module("vault_audit", {**args, **options}, check=check)
            assert "it leaves requests unaudited" in refused.msg and "only" in stored(server), options
    # with another one declared in the same task nothing goes unaudited
    both = audit(devices=[{**device(tmp_path, "only"), "description": "x", "replace": True}, device(tmp_path, "new")])
    assert both["summary"] == {"create": 1, "update": 1, "delete": 0, "none": 0, "failed": 0, "not_reached": 0}
    assert (
        audit(devices=[{"path": "only"}, {"path": "new"}], state="absent", remove_last=True)["summary"]["delete"] == 2
    )
    assert stored(server) == {}


def test_devices_of_the_configuration(audit: Run, audited: VaultServer) -> None:
    if audited.product != "openbao":
        pytest.skip("OpenBao's way")
    path = stored(audited)["declared"]["options"]["file_path"]
    assert not audit(path="declared", type="file", options={"file_path": path}).changed
    other = audit(path="declared", type="file", options={"file_path": path, "log_raw": True}, replace=True)
    assert 'it comes from the server\'s configuration; change it in "vault_server_audit"' in other.msg
    assert 'take it out of "vault_server_audit"' in audit(path="declared", state="absent").msg
    assert not audit(devices=[], purge=True, remove_last=True).changed


def test_a_server_that_takes_none_by_api(
    run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, tmp_path: Path
) -> None:
    if openbao.product != "openbao":
        pytest.skip("OpenBao's way")
    for check in (True, False):
        refused = run_module("vault_audit", {**vault_args, **device(tmp_path, "file")}, check=check)
        assert refused.failed
        assert refused.msg == (
            'audit device "file": is missing, and this server takes audit devices from its configuration only; '
            'declare it in "vault_server_audit" of the role vault_server'
        )
    # a token that may not look at the configuration learns it from the server's refusal
    client = openbao.client()
    rules = 'path "sys/audit*" { capabilities = ["create", "update", "read", "sudo"] }'
    client.sys.create_or_update_policy("audit-only", rules)
    token = client.auth.token.create(policies=["audit-only"])["auth"]["client_token"]
    refused = run_module("vault_audit", {**vault_args, "token": token, **device(tmp_path, "file")})
    assert "takes audit devices from its configuration only" in refused.msg


def test_inside_a_namespace_there_are_none(audit: Run, audited: VaultServer, unique: str, tmp_path: Path) -> None:
    if audited.product != "openbao":
        pytest.skip("namespaces need OpenBao or HashiCorp Vault Enterprise")
    audited.client().adapter.post(f"/v1/sys/namespaces/an-{unique}")
    for check in (True, False):
        for namespace in (f"an-{unique}", f"none-{unique}"):
            said = f'audit devices are kept in the root namespace, and this is "{namespace}"; leave "namespace" (in a'
            if not check and namespace.startswith("none"):
                # what does not exist is told first; in check mode another task may be about to make it
                said = f'the namespace "{namespace}" does not exist'
            for options in (device(tmp_path, "x"), {"path": "x", "state": "absent"}, {"devices": [], "purge": True}):
                refused = audit(check=check, namespace=namespace, **options)
                assert refused.failed and not refused.changed and said in refused.msg, refused.msg


def test_bad_input(audit: Run) -> None:
    assert 'a file device needs "file_path"' in audit(type="file").msg
    assert 'a socket device needs "address"' in audit(type="socket", options={"socket_type": "tcp"}).msg
    assert '"type" is missing' in audit(path="x").msg
    assert "make its target ready" in audit(type="socket", options={"address": "127.0.0.1:1"}).msg


def test_modes_as_people_write_them(audit: Run, audited: VaultServer, tmp_path: Path) -> None:
    # 384 and 416 are what YAML makes of 0600 and 0640
    for written, octal in ((384, "0600"), ("600", "0600"), (416, "0640")):
        wanted = {**device(tmp_path, "modes", mode=written), "replace": True}
        made = audit(**wanted)
        assert made.changed is (written != "600"), made.msg
        assert stored(audited)["modes"]["options"]["mode"] == octal
        assert (tmp_path / "modes.log").stat().st_mode & 0o777 == int(octal, 8)
        assert not audit(**wanted).changed
    for wrong in (600, 400, 640, "rw", "0888", "384"):
        refused = audit(check=True, **device(tmp_path, "wrong", mode=wrong))
        assert f'mode {wrong} is not a file\'s mode; write it in quotes, such as mode: "0640"' in refused.msg
    assert audit(path="modes", state="absent", remove_last=True).changed
