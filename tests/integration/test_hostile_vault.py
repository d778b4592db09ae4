# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that talks to Vault against every behaviour of a hostile server.

From the first request on and after the login it ends in one sentence, in time, has changed nothing, and no other host
has heard of it.

A module without options in `ARGS` has those of its first example; a new behaviour is tried on all of them.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server.key_store import FORMAT
from support.hostile import Hostile, hostile_server
from support.local import Authority, write_private
from support.many import Run, run_many
from support.matrix import BODY, TIMEOUT, TOKEN, filled, problems, unpunctual, whole_matrix
from support.openbao import VaultServer
from support.specs import examples
from support.system import ROOT

MODULES = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["vault"]
RULES = [{"path": "secret/*", "capabilities": ["read"]}]
#: what a module needs so that it would write something, where its first example is of no use here
ARGS: dict[str, dict[str, Any]] = {
    "vault_approle_secret_id": {"role": "x", "dest": "{tmp}/secret-id"},
    "vault_audit": {"path": "x", "type": "file", "options": {"file_path": "stdout"}},
    "vault_audited_header": {"name": "X-Forwarded-For", "hmac": True},
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
    "vault_cors": {"allowed_origins": ["https://portal.example.com"]},
    "vault_database_connection": {
        "mount": "database",
        "name": "x",
        "plugin_name": "postgresql-database-plugin",
        "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1/x",
        "username": "x",
        "password": BODY,
    },
    "vault_barrier_key": {"max_age": "0"},
    "vault_database_action": {"action": "rotate_static_role", "name": "x"},
    "vault_database_credentials": {"role": "x"},
    "vault_database_role": {"mount": "database", "name": "x", "db_name": "x", "creation_statements": ["SELECT 1"]},
    "vault_endpoint": {"path": "auth/token/roles/x", "data": {"orphan": True}, "write": "always"},
    "vault_identity_entity": {"name": "x"},
    "vault_identity_group": {"name": "x"},
    "vault_export": {},
    "vault_info": {"gather_subset": ["all"]},
    "vault_info:kinds": {"kinds": ["all"]},
    "vault_init": {"key_store": "{tmp}/none/keys.json", "wait_timeout": 1},
    "vault_key_shares": {"shares": ["c2hhcmUgb2Ygbm8gY2x1c3Rlcg=="]},
    "vault_kv": {"path": "x", "data": {"a": BODY}},
    "vault_kv_read": {"path": "x"},
    "vault_login": {"dest": "{tmp}/none/token", "auth_method": "approle", "role_id": "x", "secret_id": BODY},
    "vault_login_mfa": {"name": "x", "type": "totp", "issuer": "x"},
    "vault_login_mfa_enforcement": {"name": "x", "mfa_methods": ["x"], "auth_method_types": ["userpass"]},
    "vault_namespace": {"name": "x"},
    "vault_oidc": {"type": "key", "name": "x", "allowed_client_ids": ["*"]},
    "vault_password_policy": {"name": "x", "length": 20, "rules": [{"charset": "abcdefgh"}]},
    "vault_pki_acme": {"mount": "pki", "enabled": True},
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
    "vault_rekey": {
        "key_store": "{tmp}/none/keys.json",
        "generation": 1,
        "plain_shares": True,
        "shares": ["c2hhcmUgb2Ygbm8gY2x1c3Rlcg=="],
    },
    "vault_root_token": {"key_store": "{tmp}/keys.json", "state": "lent", "dest": "{tmp}/root"},
    "vault_secrets_engine": {"path": "x", "type": "kv"},
    "vault_snapshot": {"dest": "{tmp}/raft.snap", "transfer_timeout": TIMEOUT},
    "vault_ssh_ca": {"mount": "ssh"},
    "vault_ssh_role": {"mount": "ssh", "name": "x", "key_type": "ca", "allow_user_certificates": True},
    "vault_token": {"action": "create", "policies": ["default"]},
    "vault_transit_key": {"mount": "transit", "name": "x"},
    "vault_ui_header": {"name": "X-Frame-Options", "values": ["DENY"]},
    "vault_unseal": {"shares": ["c2hhcmUgb2Ygbm8gY2x1c3Rlcg=="], "wait_timeout": 1, "start_timeout": 1},
}
ARGS.update({name: examples(name)[0] for name in MODULES if name not in ARGS})
#: asks for nothing but what the server answers rightly in ``later``
ALL_POLITE = {"vault_login"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    with hostile_server(Authority(tmp_path_factory.mktemp("hostile"), "a hostile authority")) as server:
        yield server


def test_every_module_here_exists() -> None:
    assert sorted({name.partition(":")[0] for name in ARGS} - set(MODULES)) == []


def tolerant(name: str, when: str, behaviour: str, run: Run) -> bool:
    """Tell whether a module may succeed: one that reports what does not answer."""
    return name == "vault_info" and all(not node["reachable"] for node in run.result.get("nodes") or [{"reachable": 1}])


def options_for(hostile: Hostile, tmp_path: Path, name: str, url: str) -> dict[str, Any]:
    """Return the options of a module with which it talks to the hostile server."""
    folder = tmp_path / name
    folder.mkdir(exist_ok=True, mode=0o700)
    if name == "vault_root_token" and not (folder / "keys.json").exists():
        store = {"format": FORMAT, "shares": [], "root_token": TOKEN}
        write_private(folder / "keys.json", json.dumps(store).encode())
    common: dict[str, Any] = {"url": [url], "ca_cert": hostile.ca, "timeout": TIMEOUT, "retries": 0}
    if name not in ("vault_init", "vault_unseal", "vault_login"):
        common["token"] = TOKEN
    return {**common, **filled(ARGS[name], folder)}


def test_whole_matrix(hostile: Hostile, tmp_path: Path) -> None:
    found = whole_matrix(
        hostile, ARGS, lambda name, url: options_for(hostile, tmp_path, name, url), tolerant, ALL_POLITE
    )
    assert not found, "%d:\n%s" % (len(found), "\n".join(found[:60]))


def test_the_timeout_that_is_set_is_the_one_that_counts(hostile: Hostile, tmp_path: Path) -> None:
    assert not unpunctual(hostile, "vault_policy", lambda name, url: options_for(hostile, tmp_path, name, url), 2)


def test_an_endless_answer_is_cut_off(hostile: Hostile, tmp_path: Path) -> None:
    options = {**options_for(hostile, tmp_path, "vault_policy", hostile.at("always", "flood")), "timeout": 30}
    run = run_many("vault_policy", [options])[0]
    assert "the answer is larger than 64 MiB" in run.result.msg
    assert not problems("vault_policy", Run(run.result, 0))


def test_a_snapshot_has_a_limit_of_its_own(openbao: VaultServer, tmp_path: Path) -> None:
    options = {
        "url": [openbao.url],
        "ca_cert": openbao.ca_cert,
        "token": openbao.token,
        "dest": str(tmp_path / "snaps"),
    }
    small, whole = run_many("vault_snapshot", [{**options, "max_size": 2048}, options])
    assert small.result.failed and not small.result.changed
    assert "the answer is larger than 2 KiB" in small.result.msg
    assert whole.result.changed and whole.result["size"] > 2048
    assert len(list((tmp_path / "snaps").iterdir())) == 2, "the snapshot and its record, nothing half done"


def test_what_no_server_takes_is_refused_before_it_is_asked(hostile: Hostile, tmp_path: Path) -> None:
    before = hostile.server.connections
    options = options_for(hostile, tmp_path, "vault_policy", hostile.at("always", "null-200"))
    cases: dict[str, dict[str, Any]] = {
        'option "timeout"': {"timeout": -5},
        'option "timeout": 99999999999 seconds': {"timeout": 99999999999},
        'option "retries"': {"retries": -1},
        'option "workers": -2 is negative': {"workers": -2},
        '"https://[::1" is not a URL': {"url": ["https://[::1"]},
        "holds a name that no server has": {"url": ["https://%s.example.com" % ("a" * 300)]},
        "write https://v.example.com:8200: the API's own path is added": {"url": ["https://v.example.com:8200/v1/"]},
        "write https://v.example.com/vault: the": {"url": ["https://v.example.com/vault/ui/vault/secrets"]},
        "holds a user, a password or a token": {"url": ["https://x:%s@v.example.com" % BODY]},
        "the URL holds a user, a password or a token; take": {"url": ["https://v.example.com?token=" + BODY]},
        "holds a query": {"url": ["https://v.example.com?standbyok=true"]},
        '"https://v.example.com:port" is not a URL': {"url": ["https://v.example.com:port"]},
    }
    runs = run_many("vault_policy", [{**options, **case} for case in cases.values()])
    for said, run in zip(cases, runs):
        assert said in run.result.msg, (said, run.result.msg)
        # the echo of the options is no message
        assert not [one for one in problems("vault_policy", run) if one != "printed a secret"]
        assert BODY not in run.result.msg
    assert hostile.server.connections == before


def test_a_dead_port_is_told_once(openbao: VaultServer, tmp_path: Path) -> None:
    """Nothing is asked for each kind and object, in check mode neither."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    server.close()
    policies = [{"name": "x%d" % number, "rules": RULES} for number in range(50)]
    tree = {**ARGS["vault_configuration"]["configuration"], "policies": policies}
    for url, token, said, code in (
        ("https://127.0.0.1:%d" % port, "s.any", "connection refused", "connection_refused"),
        (openbao.url, "s.wrong", "the token is invalid, expired or revoked", "token_invalid"),
    ):
        common = {"url": [url], "ca_cert": openbao.ca_cert, "token": token, "retries": 1}
        for check in (False, True):
            runs = [
                run_many("vault_configuration", [{**common, "configuration": tree, "_check": check}])[0],
                run_many("vault_policy", [{**common, "policies": policies, "_check": check}])[0],
            ]
            for run in runs:
                assert run.result.failed and not run.result.changed
                assert run.result.msg.count(said) == 1, run.result.msg
                assert run.result["error_code"] == code
                assert not run.result.get("results"), "nothing was compared"


def test_a_server_that_falls_silent_is_asked_a_few_times_only(hostile: Hostile, tmp_path: Path) -> None:
    """It answers the look at the token, and then closes every connection."""
    policies = [{"name": "x%d" % number, "rules": RULES} for number in range(50)]
    options = options_for(hostile, tmp_path, "vault_policy", hostile.at("later", "closes"))
    for name in ("name", "rules"):
        options.pop(name)
    before = hostile.server.connections
    run = run_many("vault_policy", [{**options, "policies": policies}])[0]
    assert run.result.msg.count("the connection was closed") == 1, run.result.msg
    assert run.result["summary"]["not_reached"] == 49
    assert [run.result["error_code"]] == [one["error_code"] for one in run.result["results"]] == ["connection_closed"]
    assert len(run.result["results"]) == 1
    assert hostile.server.connections - before <= 8
