# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that talks to Vault against every behaviour of a hostile server, from the first request on and after the
login: it ends in one sentence, in time, has changed nothing, and no other host has heard of it.

A new module fails by name until it has options in `ARGS`; a new behaviour is tried on all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.hostile import MATRIX, Hostile, hostile_server
from support.local import Authority, write_private
from support.many import Run, run_many
from support.system import ROOT

MODULES = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["vault"]
TOKEN = "s.the-administrators-own-token"
BODY = "a-value-that-is-nobody-elses"
#: seconds for a request, and for a whole module run: two requests that wait, and the work
TIMEOUT, LONGEST = 1, 6
RULES = [{"path": "secret/*", "capabilities": ["read"]}]
#: what each module needs so that it would write something
ARGS: dict[str, dict[str, Any]] = {
    "vault_approle_secret_id": {"role": "x", "dest": "{tmp}/secret-id"},
    "vault_audit": {"path": "x", "type": "file", "options": {"file_path": "stdout"}},
    "vault_auth": {"path": "x", "type": "userpass"},
    "vault_auth_role": {"mount": "userpass", "name": "x", "type": "userpass", "password": BODY},
    "vault_aws_config": {"mount": "aws", "access_key": "AKIA", "secret_key": BODY},
    "vault_aws_role": {
        "mount": "aws",
        "name": "x",
        "credential_type": "iam_user",
        "policy_arns": ["arn:aws:iam::aws:policy/x"],
    },
    "vault_configuration": {
        "configuration": {
            "policies": [{"name": "x", "rules": RULES}],
            "secrets_engines": [{"path": "kv", "type": "kv-v2"}],
            "auth_methods": [{"path": "approle", "type": "approle"}],
            "quotas": [{"name": "q", "rate": 10}],
            "secrets": [{"path": "x", "data": {"a": BODY}}],
        }
    },
    "vault_database_connection": {
        "mount": "database",
        "name": "x",
        "plugin_name": "postgresql-database-plugin",
        "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1/x",
        "username": "x",
        "password": BODY,
    },
    "vault_database_role": {"mount": "database", "name": "x", "db_name": "x", "creation_statements": ["SELECT 1"]},
    "vault_endpoint": {"path": "auth/token/roles/x", "data": {"orphan": True}, "write": "always"},
    "vault_identity_entity": {"name": "x"},
    "vault_identity_group": {"name": "x"},
    "vault_info": {"gather_subset": ["all"]},
    "vault_init": {"key_store": "{tmp}/none/keys.json", "wait_timeout": 1},
    "vault_kv": {"path": "x", "data": {"a": BODY}},
    "vault_login": {"dest": "{tmp}/none/token", "auth_method": "approle", "role_id": "x", "secret_id": BODY},
    "vault_login_mfa": {"name": "x", "type": "totp", "issuer": "x"},
    "vault_login_mfa_enforcement": {"name": "x", "mfa_methods": ["x"], "auth_method_types": ["userpass"]},
    "vault_namespace": {"name": "x"},
    "vault_password_policy": {"name": "x", "length": 20, "rules": [{"charset": "abcdefgh"}]},
    "vault_pki_ca": {"mount": "pki", "common_name": "x"},
    "vault_pki_certificate": {
        "mount": "pki",
        "role": "x",
        "common_name": "x.example.com",
        "cert_dest": "{tmp}/none.crt",
        "key_dest": "{tmp}/none.key",
    },
    "vault_pki_role": {"mount": "pki", "name": "x", "allowed_domains": ["example.com"]},
    "vault_policy": {"name": "x", "rules": RULES},
    "vault_quota": {"name": "x", "rate": 10},
    "vault_raft": {"autopilot": {"min_quorum": 3}, "wait_timeout": 1},
    "vault_root_token": {"key_store": "{tmp}/keys.json", "state": "session", "dest": "{tmp}/root"},
    "vault_secrets_engine": {"path": "x", "type": "kv"},
    "vault_snapshot": {"dest": "{tmp}/raft.snap", "transfer_timeout": TIMEOUT},
    "vault_ssh_ca": {"mount": "ssh"},
    "vault_ssh_role": {"mount": "ssh", "name": "x", "key_type": "ca", "allow_user_certificates": True},
    "vault_transit_key": {"mount": "transit", "name": "x"},
    "vault_unseal": {"shares": ["c2hhcmU="], "wait_timeout": 1, "start_timeout": 1},
}
#: asks for nothing but what the server answers rightly in ``later``
ALL_POLITE = {"vault_login"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    with hostile_server(Authority(tmp_path_factory.mktemp("hostile"), "a hostile authority")) as server:
        yield server


def filled(value: Any, folder: Path) -> Any:
    """Return options with the folder in them."""
    return json.loads(json.dumps(value).replace("{tmp}", str(folder)))


def problems(name: str, run: Run, told: bool = False) -> list[str]:
    """Return what is wrong with the end of a module run. ``told``: its answer may be a report instead of a failure."""
    result, found = run.result, []
    if not result.data:
        return [f"no result: {result.stdout[-300:]}{result.stderr[-300:]}"]
    text = result.stdout + result.stderr
    if result.changed:
        found.append("changed")
    if not result.failed and not told:
        found.append("succeeded")
    if "report this as a bug" in text or "Traceback" in text or "report this as a bug" in result.msg:
        found.append(f"a bug: {result.msg[:300]}")
    if result.failed and not result.msg.strip():
        found.append("no sentence")
    if len(result.msg) > 1200:
        found.append(f"{len(result.msg)} characters: {result.msg[:200]}")
    if TOKEN in text or BODY in text:
        found.append("printed a secret")
    if run.seconds > LONGEST:
        found.append(f"took {run.seconds:.1f} s")
    return found


def whole_matrix(hostile: Hostile, names: list[str], options: Any, tolerant: Any) -> list[str]:
    """Run all modules against all behaviours and return what is wrong."""

    def one(name: str) -> list[str]:
        times = ("always",) if name in ALL_POLITE else ("always", "later")
        cases = [(when, behaviour) for when in times for behaviour in MATRIX]
        runs = run_many(name, [options(name, hostile.at(when, behaviour)) for when, behaviour in cases])
        return [
            f"{name}, {when}, {behaviour}: {problem} <{run.result.msg[:160]}>"
            for (when, behaviour), run in zip(cases, runs)
            for problem in problems(name, run, tolerant(name, when, behaviour, run))
        ]

    before = len(hostile.strangers())
    with ThreadPoolExecutor(max_workers=20) as pool:
        found = [line for lines in pool.map(one, names) for line in lines]
    strangers = hostile.strangers()[before:]
    return found + [f"another host was sent {one.method} {one.path}" for one in strangers[:5]]


def test_every_module_has_options_here() -> None:
    assert sorted(set(MODULES) - set(ARGS)) == [], "give a new module the options with which it writes something"
    assert sorted(set(ARGS) - set(MODULES)) == []


def tolerant(name: str, when: str, behaviour: str, run: Run) -> bool:
    """Tell whether a module may succeed: one that reports what does not answer."""
    return name == "vault_info" and all(not node["reachable"] for node in run.result.get("nodes") or [{"reachable": 1}])


def test_whole_matrix(hostile: Hostile, tmp_path: Path) -> None:
    def options(name: str, url: str) -> dict[str, Any]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True, mode=0o700)
        if name == "vault_root_token" and not (folder / "keys.json").exists():
            store = {"format": 1, "keys_base64": [], "root_token": TOKEN}
            write_private(folder / "keys.json", json.dumps(store).encode())
        common: dict[str, Any] = {"url": [url], "ca_cert": hostile.ca, "timeout": TIMEOUT, "retries": 0}
        if name not in ("vault_init", "vault_unseal", "vault_login"):
            common["token"] = TOKEN
        return {**common, **filled(ARGS[name], folder)}

    found = whole_matrix(hostile, MODULES, options, tolerant)
    assert not found, "%d:\n%s" % (len(found), "\n".join(found[:60]))
