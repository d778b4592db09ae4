# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_kv against a real server, in engines of both versions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

import pytest
import requests

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
OLD, NEW = "old-value-8c1f", "new-value-77aa"


@pytest.fixture
def mount(openbao: VaultServer, run_module: Run, vault_args: dict[str, Any], unique: str) -> str:
    path = unique + "-kv"
    made = run_module("vault_secrets_engine", {**vault_args, "path": path, "type": "kv-v2"})
    assert made.changed, made.msg
    return path


@pytest.fixture
def kv(run_module: Run, vault_args: dict[str, Any], mount: str) -> Run:
    def run(check: bool = False, diff: bool = False, **options: Any) -> Result:
        return run_module("vault_kv", {**vault_args, "mount": mount, **options}, check=check, diff=diff)

    return run


@pytest.fixture
def stored(openbao: VaultServer, mount: str) -> Callable[..., Any]:
    def read(path: str, what: str = "data") -> Any:
        answer = openbao.client().read(f"{mount}/data/{path}")
        return None if answer is None else answer["data"][what]

    return read


DATABASE = {"password": OLD, "port": 5432, "nested": {"hosts": ["one", "two"], "tls": True}}


def test_a_secret_is_made_once(kv: Run, stored: Callable[..., Any]) -> None:
    data = DATABASE
    planned = kv(path="apps/db", data=data, check=True, diff=True)
    assert planned.changed and stored("apps/db") is None
    made = kv(path="apps/db", data=data, diff=True)
    assert (made["version_before"], made["version"], made["kv_version"]) == (0, 1, 2)
    assert made["changed_keys"] == ["nested", "password", "port"]
    assert "password: (hidden, new value)" in made["diff"][0]["after"]
    assert stored("apps/db") == data
    again = kv(path="apps/db", data=data)
    assert not again.changed and again["version"] == 1
    for result in (planned, made, again):
        result.hides(OLD)


def test_one_key_of_a_secret_is_changed(kv: Run, stored: Callable[..., Any]) -> None:
    assert kv(path="apps/db", data=DATABASE).changed
    data = {**DATABASE, "password": NEW}
    planned = kv(path="apps/db", data={"password": NEW}, check=True, diff=True)
    assert planned["changed_keys"] == ["password"]
    assert planned["diff"][0]["before"] == "password: (hidden, other value)\n"
    assert planned["diff"][0]["after"] == "password: (hidden, new value)\n"
    assert stored("apps/db")["password"] == OLD
    changed = kv(path="apps/db", data={"password": NEW}, diff=True)
    # every other key survived
    assert stored("apps/db") == data
    assert (changed["version_before"], changed["version"]) == (1, 2)
    for result in (planned, changed):
        result.hides(OLD, NEW)


def test_a_secret_is_removed_once(kv: Run, stored: Callable[..., Any]) -> None:
    assert kv(path="apps/db", data=DATABASE).changed
    assert kv(path="apps/db", state="absent", check=True).changed
    assert stored("apps/db") == DATABASE
    gone = kv(path="apps/db", state="absent", diff=True)
    assert gone.changed and "password: (hidden)" in gone["diff"][0]["before"]
    assert stored("apps/db") is None
    assert not kv(path="apps/db", state="absent").changed
    gone.hides(OLD)


def test_exact_removes_what_is_not_declared(kv: Run, stored: Callable[..., Any]) -> None:
    assert kv(path="x", data={"a": "1", "b": NEW}).changed
    assert not kv(path="x", data={"a": "1"}, mode="merge").changed
    planned = kv(path="x", data={"a": "1"}, mode="exact", check=True, diff=True)
    assert planned["changed_keys"] == ["b"] and "b: (hidden, other value)" in planned["diff"][0]["before"]
    assert planned["diff"][0]["after"] == ""
    assert kv(path="x", data={"a": "1"}, mode="exact").changed
    assert stored("x") == {"a": "1"}
    assert not kv(path="x", data={"a": "1"}, mode="exact").changed
    # a number is not text
    assert kv(path="x", data={"a": 1}).changed
    assert stored("x") == {"a": 1}
    assert kv(path="x", remove=["a", "never"])["changed_keys"] == ["a"]
    assert not kv(path="x", remove=["a"]).changed
    assert not kv(path="not-there", remove=["a"]).changed
    planned.hides(NEW)


def test_values_are_generated_where_missing_and_rotated_where_asked(kv: Run, stored: Callable[..., Any]) -> None:
    generate = {"password": {"length": 40}, "key": {"format": "hex", "length": 16}}
    planned = kv(path="g", generate=generate, check=True)
    assert planned.changed and stored("g") is None
    made = kv(path="g", data={"user": "app"}, generate=generate, diff=True)
    first = stored("g")
    assert len(first["password"]) == 40 and len(first["key"]) == 32
    assert not kv(path="g", generate=generate).changed
    generate["key"]["rotate"] = True
    rotated = kv(path="g", generate=generate, diff=True)
    second = stored("g")
    assert rotated["changed_keys"] == ["key"]
    assert {**second, "key": ""} == {**first, "key": ""} and second["key"] != first["key"]
    for result in (made, rotated):
        result.hides(first["password"], first["key"], second["key"])


def test_a_password_policy_of_the_server_generates(
    kv: Run, stored: Callable[..., Any], openbao: VaultServer, unique: str
) -> None:
    policy = 'length = 24\nrule "charset" { charset = "xyz" }'
    openbao.client().write_data(f"sys/policies/password/{unique}", data={"policy": policy})
    assert kv(path="p", generate={"pin": {"policy": unique}}).changed
    assert len(stored("p")["pin"]) == 24 and set(stored("p")["pin"]) <= set("xyz")
    assert not kv(path="p", generate={"pin": {"policy": unique}}).changed
    missing = kv(path="p2", generate={"pin": {"policy": "nowhere"}})
    assert missing.failed and "nowhere" in missing.msg


def test_explicit_cas_refuses_what_has_moved_on(kv: Run, stored: Callable[..., Any]) -> None:
    assert kv(path="c", data={"a": "1"}, cas=0).changed
    assert not kv(path="c", data={"a": "1"}, cas=0).changed
    for check in (True, False):
        refused = kv(path="c", data={"a": "2"}, cas=0, check=check)
        assert refused.failed and "current version is 1, not 0" in refused.msg
    assert stored("c") == {"a": "1"}
    assert kv(path="c", data={"a": "2"}, cas=1)["version"] == 2


def test_merges_at_the_same_time_lose_nothing(kv: Run, stored: Callable[..., Any]) -> None:
    results: list[Result] = []
    threads = [
        threading.Thread(target=lambda key=f"k{number}": results.append(kv(path="race", data={key: "v-" + key})))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.msg for result in results if result.failed] == []
    assert stored("race") == {f"k{number}": f"v-k{number}" for number in range(4)}


@contextmanager
def meddling(openbao: VaultServer, path: str, foreign: list[dict[str, Any]]) -> Iterator[str]:
    """Give the URL of a relay to the server that writes the next foreign data before each write to the path."""

    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            """Keep the output of the tests clean."""

        def relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command in ("POST", "PUT") and self.path == f"/v1/{path}" and foreign:
                openbao.client().write_data(path, data={"data": foreign.pop(0)})
            headers = {name: value for name, value in self.headers.items() if name.startswith("X-Vault-")}
            answer = requests.request(
                self.command, openbao.url + self.path, data=body, headers=headers, verify=openbao.ca_cert, timeout=30
            )
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

    for method in ("GET", "LIST", "POST", "PUT"):
        setattr(Relay, f"do_{method}", Relay.relay)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("options", [{"mode": "exact"}, {"cas": 1}, {"mode": "exact", "cas": 1}])
def test_what_somebody_writes_in_between_is_not_lost(
    kv: Run, stored: Callable[..., Any], openbao: VaultServer, mount: str, options: dict[str, Any]
) -> None:
    """Where the declaration says what the whole secret is, or which version it is based on, a person has to look."""
    assert kv(path="between", data={"mine": OLD}).changed
    foreign = [{"theirs": "foreign-value-5b"}]
    with meddling(openbao, f"{mount}/data/between", foreign) as url:
        refused = kv(url=[url], path="between", data={"mine": NEW}, **options)
    assert foreign == [], "nobody wrote in between"
    assert refused.failed and not refused.changed
    assert refused.msg == (
        f'secret "{mount}/between": somebody else wrote version 2 since it was read; '
        "run again, after a look at what was written"
    )
    assert stored("between") == {"theirs": "foreign-value-5b"} and stored("between", "metadata")["version"] == 2
    refused.hides(OLD, NEW, "foreign-value-5b")


def test_what_somebody_creates_in_between_is_not_lost(
    kv: Run, stored: Callable[..., Any], openbao: VaultServer, mount: str
) -> None:
    for path, options in (("new/cas", {"cas": 0}), ("new/exact", {"mode": "exact"})):
        with meddling(openbao, f"{mount}/data/{path}", [{"theirs": "1"}]) as url:
            refused = kv(url=[url], path=path, data={"mine": NEW}, **options)
        assert refused.failed and "somebody else wrote version 1 since it was read" in refused.msg, refused.msg
        assert stored(path) == {"theirs": "1"}


def test_a_merge_is_done_again_but_not_for_ever(
    kv: Run, stored: Callable[..., Any], openbao: VaultServer, mount: str
) -> None:
    assert kv(path="between", data={"mine": OLD, "kept": "1"}).changed
    with meddling(openbao, f"{mount}/data/between", [{"theirs": number} for number in range(2)]) as url:
        merged = kv(url=[url], path="between", data={"mine": NEW}, diff=True)
    assert merged.changed and (merged["version_before"], merged["version"]) == (3, 4), merged.msg
    assert stored("between") == {"theirs": 1, "mine": NEW}, "what they removed stays removed"
    with meddling(openbao, f"{mount}/data/between", [{"theirs": number} for number in range(9)]) as url:
        refused = kv(url=[url], path="between", data={"mine": OLD})
    assert refused.failed and not refused.changed
    assert "somebody else wrote version 9 since it was read" in refused.msg
    assert stored("between") == {"theirs": 4}, "five attempts"
    merged.hides(OLD, NEW)


def test_versions_are_brought_back_and_destroyed(
    kv: Run, stored: Callable[..., Any], openbao: VaultServer, mount: str
) -> None:
    for number in range(3):
        assert kv(path="v", data={"n": number}).changed
    assert not kv(path="v", undelete=True).changed
    assert kv(path="v", state="absent").changed
    planned = kv(path="v", undelete=True, check=True, diff=True)
    assert planned["diff"][0]["before"] == "deleted_versions: [3]\n"
    assert stored("v") is None
    assert kv(path="v", undelete=True).changed
    assert stored("v") == {"n": 2}
    # a deleted version counts as absent, and what is written next is based on it
    assert kv(path="v", state="absent").changed
    assert kv(path="v", data={"other": "x"})["version"] == 4
    assert stored("v") == {"other": "x"}

    assert kv(path="v", state="absent", versions=[1]).changed
    assert not kv(path="v", state="absent", versions=[1]).changed
    assert kv(path="v", undelete=True, versions=[1]).changed
    assert kv(path="v", state="absent", delete="destroy", versions=[1, 2]).changed
    assert not kv(path="v", state="absent", delete="destroy", versions=[1, 2]).changed
    refused = kv(path="v", undelete=True, versions=[1])
    assert refused.failed and "version 1 is destroyed" in refused.msg
    assert stored("v") == {"other": "x"}

    assert kv(path="v", state="absent", delete="destroy").changed
    assert openbao.client().read(f"{mount}/metadata/v")["data"]["versions"]["4"]["destroyed"]
    assert kv(path="v", state="absent", delete="all").changed
    assert openbao.client().read(f"{mount}/metadata/v") is None
    assert not kv(path="v", state="absent", delete="all").changed
    assert "nothing to bring back" in kv(path="v", undelete=True).msg


def test_metadata_is_compared_and_written_alone(
    kv: Run, stored: Callable[..., Any], openbao: VaultServer, mount: str
) -> None:
    metadata: dict[str, Any] = {"max_versions": 3, "delete_version_after": "48h", "custom_metadata": {"owner": "a"}}
    made = kv(path="m", data={"a": "1"}, metadata=metadata)
    assert made["version"] == 1
    metadata["delete_version_after"] = "2d"
    assert not kv(path="m", data={"a": "1"}, metadata=metadata).changed
    metadata["custom_metadata"] = {"owner": "b"}
    changed = kv(path="m", metadata=metadata, diff=True)
    assert changed["results"][0]["fields"] == ["metadata.custom_metadata"]
    assert '"owner": "b"' in changed["diff"][0]["after"]
    assert changed["version"] == 1
    found = openbao.client().read(f"{mount}/metadata/m")["data"]
    assert (found["max_versions"], found["custom_metadata"]) == (3, {"owner": "b"})
    assert kv(path="alone", metadata={"cas_required": True}).changed
    assert not kv(path="alone", metadata={"cas_required": True}).changed


def test_many_secrets_with_odd_paths_and_one_bad(kv: Run, stored: Callable[..., Any]) -> None:
    secrets: list[dict[str, Any]] = [
        {"path": f"many/{number}", "data": {"n": NEW + str(number)}} for number in range(20)
    ]
    secrets.append({"path": "with space/50%/a#b?c", "data": {"n": NEW}})
    made = kv(secrets=secrets)
    assert made["summary"]["create"] == 21, made.msg
    assert not kv(secrets=secrets).changed
    secrets[3]["data"] = {"n": "other-value"}
    secrets.append({"path": "many/5x", "mount": "not-mounted", "data": {"n": "other-value"}})
    partly = kv(secrets=secrets)
    assert partly.failed and 'mount "not-mounted": nothing is mounted there' in partly.msg
    assert partly["summary"] == {"create": 0, "update": 1, "delete": 0, "none": 20, "failed": 1, "not_reached": 0}
    assert stored("many/3") == {"n": "other-value"}
    for result in (made, partly):
        result.hides(NEW, "other-value")


def test_short_and_public_values_do_not_mask_results(kv: Run) -> None:
    result = kv(path="app/one", data={"user": "app", "n": 1, "flag": "one", "key": "secret-value-1"})
    assert (result["path"], result["version"], result["summary"]["create"]) == ("app/one", 1, 1)
    result.hides("secret-value-1")
    assert result["invocation"]["module_args"]["data"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def test_version_1(run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, unique: str) -> None:
    def kv1(**options: Any) -> Result:
        return run_module("vault_kv", {**vault_args, "mount": unique, "path": "app", **options})

    assert run_module("vault_secrets_engine", {**vault_args, "path": unique, "type": "kv"}).changed
    made = kv1(data={"a": "1", "b": OLD})
    assert made.changed and made["kv_version"] == 1 and "version" not in made
    assert not kv1(data={"a": "1"}).changed
    assert kv1(data={"b": NEW})["changed_keys"] == ["b"]
    assert openbao.client().read(f"{unique}/app")["data"] == {"a": "1", "b": NEW}
    for options, said in [
        ({"data": {"a": "2"}, "cas": 1}, '"cas"'),
        ({"data": {"a": "2"}, "metadata": {"max_versions": 1}}, '"metadata"'),
        ({"undelete": True}, '"undelete"'),
        ({"state": "absent", "delete": "destroy"}, '"delete: destroy"'),
    ]:
        refused = kv1(**options)
        assert refused.failed and "KV version 1, which does not know " + said in refused.msg, refused.msg
    assert kv1(state="absent").changed
    assert openbao.client().read(f"{unique}/app") is None
    assert not kv1(state="absent").changed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": "a"}, "nothing is declared"),
        ({"path": "a", "data": {"k": "v"}, "versions": [1]}, '"versions" is for "undelete"'),
        ({"path": "a//b", "data": {"a": 1}}, "has an empty part"),
        ({"path": "a", "data": {"k": None}}, 'key "k" has no value'),
        ({"path": "a", "data": {"k": "v"}, "remove": ["k"]}, 'key "k" is declared in two ways'),
        ({"path": "a", "data": {"k": "v"}, "generate": {"k": {}}}, 'key "k" is declared in two ways'),
        ({"path": "a", "data": {"k": "v"}, "mode": "exact", "remove": ["x"]}, 'leave "remove" out'),
        ({"path": "a", "generate": {"k": {"format": "x"}}}, 'unknown format "x"'),
        ({"path": "a", "metadata": {"delete_version_after": "soon"}}, '"soon" is not a duration'),
        ({"path": "a", "undelete": True, "data": {"k": "v"}}, '"data" and "undelete" contradict'),
        ({"path": "a", "state": "absent", "data": {"k": "v"}}, "makes no sense"),
        ({"secrets": [{"path": "a", "data": {"k": "v"}}, {"path": "/a/", "data": {"k": "w"}}]}, "is declared twice"),
        ({"path": "a", "mount": "sys", "data": {"k": "v"}}, 'type "system" is mounted there, not "kv"'),
    ],
)
def test_bad_input_is_refused(kv: Run, options: dict[str, Any], said: str) -> None:
    result = kv(**options)
    assert result.failed and said in result.msg, result.msg


def test_least_permissions_are_enough_and_a_missing_one_is_named(
    kv: Run, openbao: VaultServer, mount: str, unique: str
) -> None:
    policy = f'path "{mount}/data/own/*" {{ capabilities = ["create", "read", "update"] }}'
    openbao.client().sys.create_or_update_policy(unique, policy)
    token = openbao.client().auth.token.create(policies=[unique], ttl="5m")["auth"]["client_token"]
    assert kv(token=token, path="own/a", data={"k": NEW}).changed
    assert not kv(token=token, path="own/a", data={"k": NEW}).changed
    refused = kv(token=token, path="foreign/a", data={"k": NEW})
    assert refused.failed and f'path "{mount}/data/foreign/a"' in refused.msg
    elsewhere = kv(token=token, mount="nowhere", path="own/a", data={"k": NEW})
    assert elsewhere.failed and "no secrets engine is mounted there, or the token may do nothing in it" in elsewhere.msg
    deeper = kv(mount=f"{mount}/data", path="own/a", data={"k": NEW})
    assert deeper.failed and f'give "{mount}" as the mount' in deeper.msg
    for result in (refused, elsewhere, deeper):
        result.hides(token, NEW)


def test_values_that_the_server_would_change_are_refused(kv: Run, stored: Callable[..., Any]) -> None:
    large = 12345678901234567
    for data, said in (
        ({"good": "x", "id": large}, 'key "id" holds a number of which KV version 2 changes the last digits'),
        ({"good": "x", "deep": [{"id": -large}]}, 'key "deep" holds a number'),
        ({"good": "x", "ratio": float("inf")}, 'key "ratio" holds a number that is infinite or none'),
        ({"good": "x", "ratio": float("nan")}, 'key "ratio" holds a number that is infinite or none'),
    ):
        for check in (True, False):
            refused = kv(path="numbers", data=data, check=check)
            assert refused.failed and not refused.changed
            assert said in refused.msg, refused.msg
            refused.hides(str(large))
    assert stored("numbers") is None
    data = {"id": str(large), "most": 2**53, "ratio": 0.1}
    assert kv(path="numbers", data=data).changed
    assert stored("numbers") == data
    assert not kv(path="numbers", data=data).changed


def test_metadata_that_the_server_would_change_or_refuse(kv: Run, stored: Callable[..., Any]) -> None:
    for metadata, said in (
        ({"max_versions": -1}, 'max_versions": -1 is negative'),
        ({"delete_version_after": "1500ms"}, "a fraction of a second"),
        ({"custom_metadata": {"owner": ""}}, 'the value of "owner" in custom_metadata is empty'),
        ({"custom_metadata": {"owner": {"team": "x"}}}, '"owner" of custom_metadata is not text'),
        ({"custom_metadata": {"owner": "x" * 513}}, 'the value of "owner" in custom_metadata is too long'),
        ({"custom_metadata": {f"key{number}": "x" for number in range(65)}}, '"custom_metadata" has 65 keys'),
    ):
        for check in (True, False):
            refused = kv(path="about", data={"a": "b"}, metadata=metadata, check=check)
            assert said in refused.msg and not refused.changed, refused.msg
    assert stored("about") is None


def test_version_1_keeps_no_secret_without_keys(openbao: VaultServer, kv: Run, unique: str) -> None:
    path = f"{unique}-v1"
    openbao.client().sys.enable_secrets_engine("kv", path=path)
    assert kv(mount=path, path="one", data={"a": "b"}).changed
    for options in ({"remove": ["a"]}, {"data": {}, "mode": "exact"}):
        for check in (True, False):
            refused = kv(mount=path, path="one", check=check, **options)
            assert "no key would be left" in refused.msg and not refused.changed, refused.msg
    assert openbao.client().read(f"{path}/one")["data"] == {"a": "b"}
    openbao.client().sys.disable_secrets_engine(path)


def test_metadata_are_written_where_the_server_wants_their_number(
    kv: Run, run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, mount: str
) -> None:
    client = openbao.client()
    config = {"metadata_cas_required": True}
    engine = {**vault_args, "path": mount, "type": "kv-v2", "config": config}
    declared = run_module("vault_secrets_engine", engine)
    if openbao.product == "vault":
        assert 'does not know "metadata_cas_required"' in declared.msg
        return
    assert declared.changed and client.read(f"{mount}/config")["data"]["metadata_cas_required"] is True
    assert not run_module("vault_secrets_engine", engine).changed

    def written(path: str, **metadata: Any) -> dict[str, Any]:
        made = kv(path=path, metadata=metadata)
        assert made.changed, made.msg
        assert not kv(path=path, metadata=metadata).changed
        return dict(client.read(f"{mount}/metadata/{path}")["data"])

    # one that is not there, one that has values and no metadata, one whose metadata are written a second time
    assert written("new", max_versions=3)["max_versions"] == 3
    assert kv(path="valued", data={"a": "1"}).changed
    assert written("valued", custom_metadata={"enabled": True, "n": 1})["custom_metadata"] == {
        "enabled": "true",
        "n": "1",
    }
    assert written("new", max_versions=4)["max_versions"] == 4
    engine["config"] = {"metadata_cas_required": False}
    assert run_module("vault_secrets_engine", engine).changed
    assert written("own", metadata_cas_required=True)["metadata_cas_required"] is True
    assert written("own", cas_required=True, metadata_cas_required=True)["cas_required"] is True
