# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the values of vault_kv come from: generated ones of each sort, and a tree of secrets from an encrypted file."""

from __future__ import annotations

import base64
import os
import re
import string
import subprocess
import uuid
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from support.local import write_private
from support.modules import Result
from support.openbao import VaultServer
from support.system import BIN, ROOT

Run = Callable[..., Result]
GENERATE: dict[str, dict[str, Any]] = {
    "usual": {},
    "short": {"length": 12},
    "digits": {"charset": "digits", "length": 20},
    "own": {"charset": "abc-", "length": 64},
    "symbols": {"charset": "symbols", "length": 40},
    "hex": {"format": "hex", "length": 16},
    "base64": {"format": "base64", "length": 33},
    "url": {"format": "base64url", "length": 64},
    "uuid": {"format": "uuid"},
}
PASSWORD = "password-of-the-file-4711"


@pytest.fixture(params=["kv", "kv-v2"])
def mount(request: pytest.FixtureRequest, run_module: Run, vault_args: dict[str, Any], unique: str) -> str:
    assert run_module("vault_secrets_engine", {**vault_args, "path": unique, "type": request.param}).changed
    return unique


@pytest.fixture
def kv(run_module: Run, vault_args: dict[str, Any], mount: str) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_kv", {**vault_args, "mount": mount, **options}, check=check, diff=True)

    return run


@pytest.fixture
def stored(openbao: VaultServer, mount: str) -> Callable[[str], dict[str, Any]]:
    def read(path: str) -> dict[str, Any]:
        client = openbao.client()
        options = client.read(f"sys/internal/ui/mounts/{mount}")["data"]["options"] or {}
        version = options.get("version", "1")
        answer = client.read(f"{mount}/data/{path}" if version == "2" else f"{mount}/{path}")
        return {} if answer is None else dict(answer["data"]["data"] if version == "2" else answer["data"])

    return read


def test_each_sort(kv: Run, stored: Callable[[str], dict[str, Any]], openbao: VaultServer, unique: str) -> None:
    policy = 'length = 24\nrule "charset" {\n  charset = "xyz"\n  min-chars = 1\n}\n'
    openbao.client().write_data(f"sys/policies/password/{unique}", data={"policy": policy})
    generate = {**GENERATE, "policy": {"policy": unique}}
    planned = kv(check=True, path="app", data={"user": "app"}, generate=generate)
    assert planned.changed and planned["changed_keys"] == sorted({*generate, "user"}) and stored("app") == {}
    made = kv(path="app", data={"user": "app"}, generate=generate)
    assert made.changed, made.msg
    found = stored("app")
    assert set(found) == {*generate, "user"}
    values = {name: str(value) for name, value in found.items() if name != "user"}
    made.hides(*values.values())
    assert re.fullmatch(r"[A-Za-z0-9]{32}", values["usual"]) and re.fullmatch(r"[A-Za-z0-9]{12}", values["short"])
    assert re.fullmatch(r"[0-9]{20}", values["digits"])
    assert re.fullmatch(r"[abc-]{64}", values["own"]) and len(set(values["own"])) > 2
    assert len(values["symbols"]) == 40 and set(values["symbols"]) & set(string.punctuation)
    assert len(bytes.fromhex(values["hex"])) == 16
    assert len(base64.b64decode(values["base64"], validate=True)) == 33
    assert len(base64.urlsafe_b64decode(values["url"])) == 64 and not set("+/") & set(values["url"])
    assert uuid.UUID(values["uuid"]).version == 4
    assert len(values["policy"]) == 24 and set(values["policy"]) == set("xyz")

    again = kv(path="app", data={"user": "app"}, generate=generate)
    assert not again.failed and not again.changed, again.msg
    # another length is no reason to take a password away from those who use it
    other = kv(path="app", generate={**generate, "usual": {"length": 64}})
    assert not other.changed and stored("app") == found
    # where one is missing, that one is made
    assert kv(path="app", remove=["uuid"]).changed
    once = kv(path="app", generate=generate)
    assert once["changed_keys"] == ["uuid"] and stored("app")["uuid"] != found["uuid"]
    exact = kv(path="app", mode="exact", generate={"usual": {}})
    assert exact.changed and stored("app") == {"usual": found["usual"]}
    assert kv(check=True, path="app", state="absent").changed and stored("app")
    assert kv(path="app", state="absent").changed and stored("app") == {}


def test_a_rehearsal_asks_no_password_policy(
    kv: Run, stored: Callable[[str], dict[str, Any]], openbao: VaultServer, mount: str, unique: str
) -> None:
    """The policy may be about to be declared, and a password that nobody uses is not made."""
    missing = f'password policy "{unique}" does not exist'
    wanted: dict[str, Any] = {"path": "app", "generate": {"one": {"policy": unique}, "two": {"policy": unique}}}
    planned = kv(check=True, **wanted)
    assert not planned.failed, planned.msg
    assert planned["changed_keys"] == ["one", "two"] and planned["results"][0]["action"] == "create"
    assert len(planned["warnings"]) == 1 and f'secret "{mount}/app": {missing} (yet)' in str(planned["warnings"])
    refused = kv(**wanted)
    assert refused.failed and f"{missing}; declare it first" in refused.msg
    assert stored("app") == {}

    client = openbao.client()
    policy = 'length = 24\nrule "charset" {\n  charset = "xyz"\n}\n'
    client.write_data(f"sys/policies/password/{unique}", data={"policy": policy})
    assert kv(**wanted).changed
    made = stored("app")
    rotating = {**wanted, "generate": {**wanted["generate"], "one": {"policy": unique, "rotate": True}}}
    rights = f'path "{mount}/*" {{ capabilities = ["create", "read", "update", "list"] }}\n'
    look = f'path "sys/policies/password/{unique}" {{ capabilities = ["read"] }}\n'
    ask = f'path "sys/policies/password/{unique}/generate" {{ capabilities = ["read"] }}\n'
    for rules, may_ask in ((rights + look, False), (rights + ask, True)):
        client.sys.create_or_update_policy(unique, rules)
        token = client.auth.token.create(policies=[unique])["auth"]["client_token"]
        planned = kv(check=True, token=token, **rotating)
        assert not planned.failed and planned["changed_keys"] == ["one"], planned.msg
        assert "warnings" not in planned and stored("app") == made
        planned.hides(*made.values())
        rotated = kv(token=token, **rotating)
        assert rotated.changed is may_ask, rotated.msg
    assert stored("app")["one"] != made["one"] and stored("app")["two"] == made["two"]
    client.sys.delete_policy(unique)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"length": 0}, "the length is not between 1 and 65536"),
        ({"length": "long"}, '"length" is not a number'),
        ({"charset": "a"}, "the character set has fewer than two characters"),
        ({"format": "hex", "charset": "digits"}, '"charset" is for format "text" only'),
        ({"format": "uuid", "length": 3}, 'a value of format "uuid" has no length'),
        ({"format": "policy"}, "belong together"),
        ({"lenght": 3}, "lenght"),
        (32, "is not a mapping"),
    ],
)
def test_what_cannot_be_generated_is_refused(
    kv: Run, stored: Callable[[str], dict[str, Any]], spec: Any, said: str
) -> None:
    for check in (True, False):
        refused = kv(check=check, path="app", data={"user": "app"}, generate={"k": spec})
        assert refused.failed and not refused.changed and said in refused.msg, refused.msg
    assert stored("app") == {}


def test_a_tree_of_secrets_from_an_encrypted_file(
    tmp_path: Path, openbao: VaultServer, run_module: Run, vault_args: dict[str, Any], unique: str
) -> None:
    assert run_module("vault_secrets_engine", {**vault_args, "path": unique, "type": "kv-v2"}).changed
    secret = "a-secret-of-the-file-%02d"
    tree = [
        {"path": f"team-{number % 3}/app-{number}", "data": {"key": secret % number, "nested": {"port": number}}}
        for number in range(30)
    ]
    key = tmp_path / "key"
    write_private(key, PASSWORD.encode())
    connection = {"url": vault_args["url"], "ca_cert": vault_args["ca_cert"], "mount": unique}
    kv = {**connection, "token": "{{ own_token }}", "secrets": "{{ own_secrets }}"}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "vars_files": ["secrets.yml"],
        "tasks": [{"name": "Have every secret of the tree", "secretops.vault_eso.vault_kv": kv}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))

    def encrypt() -> None:
        content = yaml.safe_dump({"own_secrets": tree, "own_token": openbao.token})
        write_private(tmp_path / "secrets.yml", content.encode())
        run("ansible-vault", "encrypt", "--vault-password-file", "key", "secrets.yml")
        assert (tmp_path / "secrets.yml").read_text().startswith("$ANSIBLE_VAULT;1.1;AES256")

    def run(program: str, *arguments: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "VAULT_"))}
        environment["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / "playbooks" / "collections")
        environment["ANSIBLE_NOCOLOR"] = "1"
        done = subprocess.run(
            [str(BIN / program), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        for number in range(30):
            assert secret % number not in said
        assert PASSWORD not in said and openbao.token not in said
        return said

    def play_it(*arguments: str) -> str:
        return run("ansible-playbook", "--vault-password-file", "key", "-vvvv", "--diff", "play.yml", *arguments)

    client = openbao.client()
    encrypt()
    assert "changed=1" in play_it("--check") and client.list(f"{unique}/metadata") is None
    assert "changed=1" in play_it()
    for number in (0, 17, 29):
        path = f"{unique}/data/team-{number % 3}/app-{number}"
        assert client.read(path)["data"]["data"] == {"key": secret % number, "nested": {"port": number}}
    assert "changed=0" in play_it()
    tree[17]["data"] = {"key": "another-secret-of-the-file"}
    encrypt()
    changed = play_it()
    assert "changed=1" in changed and f'secret "{unique}/team-2/app-17" (update)' in changed
    assert "another-secret-of-the-file" not in changed
    assert client.read(f"{unique}/data/team-2/app-17")["data"]["metadata"]["version"] == 2
    assert client.read(f"{unique}/data/team-1/app-16")["data"]["metadata"]["version"] == 1
