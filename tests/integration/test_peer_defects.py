# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defects that other tools for the same job have, each tried here against real servers.

ansible-modules-hashivault

======================================================  ==============================================================
defect                                                  test
======================================================  ==============================================================
1. deletes a secret in check mode                       test_01_check_mode_deletes_nothing
2. compares a subset, and drops the other keys          test_02_a_subset_is_not_the_whole
3. updates a JWT role by deleting it, on another mount  test_03_a_jwt_role_is_updated_in_place_on_its_own_mount
4. a key that is missing is no drift                    test_04_a_missing_key_is_drift
5. never notices another token_reviewer_jwt             test_05_another_reviewer_token_takes_effect
6. "ok" for the configuration of a missing mount        test_06_a_missing_mount_is_an_error
7. list order and "1h" against 3600 are changes         test_07_another_spelling_is_no_change
8. takes any failure to read for absence                test_08_what_cannot_be_read_is_not_absent,
                                                        test_a_refusal_names_the_missing_line
9. secrets at -vvv                                      test_secrecy.py, every secret option of every module
10. a login for every attribute                         test_10_a_policy_that_stands_takes_three_requests
======================================================  ==============================================================

Other tools

==========================================================  ==========================================================
community.hashi_vault: hardly a diff, and check mode is     test_every_kind_rehearses_and_shows_it
"do not send, say changed"
community.hashi_vault: a login for every task               test_one_login_serves_many_tasks
community.hashi_vault: vault_login shows the token          test_vault_login.py::test_login_and_logout
community.hashi_vault: vault_write shows its data at -vvv   test_secrecy.py::test_modules_for_vault
bank-vaults: purges whole mounts, not roles inside them     test_vault_auth_role.py::test_purge_within_a_mount,
                                                            test_vault_pki.py, test_vault_database.py
bank-vaults: a hard-coded list of what is built in          test_a_purge_leaves_what_is_the_servers_own
vault-config-operator: neither drift by default nor purge   test_guides_configuration.py, playbooks/drift.yml
terraform: deleting a mount loses its data                  test_a_purge_of_data_is_refused_unless_it_is_named
terraform: differences at every run                         test_07_another_spelling_is_no_change
kubernetes.core: patches although nothing differs           test_nothing_is_sent_to_kubernetes_when_nothing_differs
kubernetes.core: Secret data in diffs                       test_secrecy.py::test_modules_for_kubernetes
ansible-vault: takes a sealed node for healthy              test_a_sealed_node_is_not_healthy
ansible-vault: notifies a handler of another name           test_every_notification_has_its_handler
ansible-vault: no argument specs                            test_every_role_declares_its_arguments
ansible-vault: TLS is off by default                        test_tls_is_on_by_default
==========================================================  ==========================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import hvac.exceptions
import pytest
import yaml
from kubernetes.dynamic import DynamicClient

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import configuration as whole
from support import openbao as servers
from support.kubernetes_api import KubeApi
from support.local import free_ports, write_private
from support.modules import Result
from support.openbao import VaultServer
from support.specs import argument_specs
from support.system import ROOT

Run = Callable[..., Result]
POLICY = 'path "secret/*" { capabilities = ["read"] }'


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """A server of these tests' own that writes down every request, with a mount of each type."""
    folder = tmp_path_factory.mktemp("audited")
    device = {"type": "file", "path": "file", "options": {"file_path": str(folder / "audit.log")}}
    own = servers.product_of(servers.find_binary())[0] == "openbao"
    server = VaultServer(folder, **({"audit": [device]} if own else {}))
    try:
        client = server.client()
        if not own:
            client.sys.enable_audit_device("file", options=device["options"])
        for kind, path in (("approle", "approle"), ("userpass", "userpass"), ("jwt", "jwt"), ("jwt", "jwt-own")):
            client.sys.enable_auth_method(kind, path=path)
        for kind in ("database", "pki", "ssh", "transit"):
            client.sys.enable_secrets_engine(kind)
        client.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        discovery = {"oidc_discovery_url": f"{server.url}/v1/identity/oidc"}
        discovery["oidc_discovery_ca_pem"] = server.authority.ca.read_text()
        for mount in ("jwt", "jwt-own"):
            client.write_data(f"auth/{mount}/config", data=discovery)
        client.write_data("pki/root/generate/internal", data={"common_name": "x", "key_type": "ec"})
        yield server
    finally:
        server.discard()


@pytest.fixture(scope="module")
def args(audited: VaultServer) -> dict[str, Any]:
    return {"url": [audited.url], "ca_cert": audited.ca_cert, "token": audited.token, "retries": 0}


@pytest.fixture
def asked(audited: VaultServer) -> Callable[[], list[tuple[str, str]]]:
    """A function that returns operation and path of the requests since the test began, as the server noted them."""
    log = audited.folder / "audit.log"
    start = log.stat().st_size

    def requests() -> list[tuple[str, str]]:
        with log.open() as file:
            file.seek(start)
            lines = [json.loads(line) for line in file]
        return [(one["request"]["operation"], one["request"]["path"]) for one in lines if one["type"] == "request"]

    return requests


#: one object of each kind that stands in nobody's way
KINDS: dict[str, dict[str, Any]] = {
    "vault_audited_header": {"name": "X-Peers", "hmac": True},
    "vault_auth": {"path": "peers", "type": "userpass"},
    "vault_auth_role": {"mount": "approle", "name": "peers", "token_ttl": "1h"},
    "vault_aws_config": {"mount": "aws", "access_key": "x", "secret_key": "y"},
    "vault_aws_role": {"mount": "aws", "name": "peers", "credential_type": "iam_user"},
    "vault_database_connection": {
        "mount": "database",
        "name": "peers",
        "plugin_name": "postgresql-database-plugin",
        "connection_url": "postgresql://{username}:{password}@127.0.0.1:1/x",
        "root_username": "vault",
    },
    "vault_database_role": {"mount": "database", "name": "peers", "db_name": "x", "creation_statements": ["SELECT 1"]},
    "vault_endpoint": {"path": "auth/token/roles/peers", "data": {"orphan": True}},
    "vault_identity_entity": {"name": "peers", "policies": ["default"]},
    "vault_identity_group": {"name": "peers", "policies": ["default"]},
    "vault_kv": {"mount": "secret", "path": "peers", "data": {"user": "somebody"}},
    "vault_login_mfa": {"name": "peers", "type": "totp", "issuer": "x"},
    "vault_login_mfa_enforcement": {"name": "peers", "mfa_methods": ["x"], "auth_method_types": ["userpass"]},
    "vault_namespace": {"name": "peers", "custom_metadata": {"team": "a"}},
    "vault_oidc": {"type": "key", "name": "peers", "allowed_client_ids": ["*"]},
    "vault_password_policy": {"name": "peers", "length": 20, "rules": [{"charset": "abcdef"}]},
    "vault_pki_ca": {"mount": "pki-peers", "common_name": "peers", "key_type": "ec"},
    "vault_pki_role": {"mount": "pki", "name": "peers", "allow_any_name": True},
    "vault_policy": {"name": "peers", "policy": POLICY},
    "vault_quota": {"name": "peers", "rate": 1000},
    "vault_secrets_engine": {"path": "peers", "type": "transit"},
    "vault_ssh_ca": {"mount": "ssh", "key_type": "ed25519"},
    "vault_ssh_role": {"mount": "ssh", "name": "peers", "key_type": "otp", "default_user": "x"},
    "vault_ui_header": {"name": "X-Peers", "values": ["a"]},
    "vault_transit_key": {"mount": "transit", "name": "peers", "type": "ed25519"},
}
#: kinds whose life is tried elsewhere, because they need more than one object or write files
ELSEWHERE: dict[str, dict[str, Any]] = {
    "vault_approle_secret_id": {"mount": "approle", "role": "peers", "dest": "peers.secret-id"},
    "vault_audit": {"path": "peers", "type": "file", "options": {"file_path": "stdout"}},
    "vault_configuration": {"configuration": {"policies": [{"name": "peers", "policy": POLICY}]}},
    "vault_cors": {"allowed_origins": ["https://peers.example.com"]},
    "vault_pki_acme": {"mount": "pki", "enabled": False},
    "vault_pki_certificate": {
        "mount": "pki",
        "role": "peers",
        "common_name": "peers",
        "cert_dest": "peers.crt",
        "key_dest": "peers.key",
    },
}
#: what declares no object of a kind
NO_KINDS = {
    "vault_export": "reads; test_vault_export.py takes its permissions away one by one",
    "vault_rotation": "changes declared secrets; test_vault_rotation.py",
}
#: what goes with its mount only
STAYS = {"vault_aws_config", "vault_pki_acme", "vault_pki_ca"}
#: what the community edition or the newest server lacks, or what needs another object first
REFUSED_BY_SOME = {"vault_aws_config", "vault_aws_role", "vault_login_mfa_enforcement"}


def test_every_kind_is_among_the_tried() -> None:
    declared = {name for name, spec in argument_specs().items() if name.startswith("vault_") and "workers" in spec}
    assert declared - set(KINDS) - set(ELSEWHERE) - set(NO_KINDS) == set(), "add these to KINDS"


@pytest.mark.parametrize("module", sorted(set(KINDS) - REFUSED_BY_SOME))
def test_every_kind_rehearses_and_shows_it(module: str, run_module: Run, args: dict[str, Any]) -> None:
    if module not in argument_specs():
        pytest.skip(f"there is no module {module}")
    for _time in (1, 2):
        planned = run_module(module, {**args, **KINDS[module]}, check=True, diff=True, must_succeed=True)
        assert planned.changed, "check mode did it, or does not see that it is to be done"
        assert planned["diff"][0]["after"] and not planned["diff"][0]["before"]
        assert planned["results"][0]["action"] == "create"


def absent(module: str) -> dict[str, Any]:
    """Options that remove the object of a kind."""
    needed = {"mount", "name", "path", "type"} - (
        {"type"} if module in ("vault_auth", "vault_secrets_engine") else set()
    )
    return {**{name: value for name, value in KINDS[module].items() if name in needed}, "state": "absent"}


LACKING = r'lack: path "[^"]+" \{ capabilities = \[("\w+"(, )?)+\] \}'


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("module", sorted(KINDS))
def test_a_refusal_names_the_missing_line(
    module: str, state: str, run_module: Run, args: dict[str, Any], audited: VaultServer
) -> None:
    if module not in argument_specs():
        pytest.skip(f"there is no module {module}")
    token = audited.client().auth.token.create(policies=["default"], ttl="5m")["auth"]["client_token"]
    options = {**args, **KINDS[module], "token": token}
    if state == "absent":
        if module in STAYS:
            pytest.skip("it goes with its mount")
        options = {**args, **absent(module), "token": token}
    refused = run_module(module, options)
    assert refused.failed and not refused.changed, "what could not be read was taken for absent"
    assert re.search(LACKING, refused.msg), refused.msg
    refused.hides(token)


@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("module", sorted(ELSEWHERE))
def test_a_refusal_names_the_missing_line_elsewhere(
    module: str,
    state: str,
    check: bool,
    run_module: Run,
    args: dict[str, Any],
    audited: VaultServer,
    tmp_path: Path,
) -> None:
    if state == "absent" and module in STAYS:
        pytest.skip("it goes with its mount")
    token = audited.client().auth.token.create(policies=["default"], ttl="5m")["auth"]["client_token"]
    options = {**args, "token": token, **ELSEWHERE[module]}
    for name in [name for name in options if name.endswith("dest")]:
        options[name] = str(tmp_path / options[name])
    if module == "vault_approle_secret_id":
        # without a file there is nothing to ask the server for
        write_private(tmp_path / "peers.secret-id", b"0f0e7a9c-4d3b-4a52-9a53-0c6d7b6e2f11")
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    if module == "vault_configuration" and state == "absent":
        options["configuration"] = {"policies": [{"name": "peers", "state": "absent"}]}
    elif state == "absent":
        options["state"] = "absent"
    refused = run_module(module, options, check=check)
    if module == "vault_approle_secret_id" and state == "absent" and check:
        # the file alone says that there is something to remove
        assert refused.changed
    else:
        assert refused.failed and not refused.changed, "what could not be read was taken for absent"
        assert re.search(LACKING, refused.msg), refused.msg
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    refused.hides(token)


@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_no_part_of_a_configuration_takes_a_refusal_for_absence(
    state: str, check: bool, run_module: Run, args: dict[str, Any], audited: VaultServer
) -> None:
    token = audited.client().auth.token.create(policies=["default"], ttl="5m")["auth"]["client_token"]
    tree: dict[str, list[dict[str, Any]]] = {}
    for title, kind in whole.KINDS.items():
        if kind.module in KINDS and not (state == "absent" and kind.module in STAYS):
            tree[title] = [KINDS[kind.module] if state == "present" else absent(kind.module)]
    assert len(tree) > 18
    refused = run_module("vault_configuration", {**args, "token": token, "configuration": tree}, check=check)
    assert refused.failed and not refused.changed and refused["summary"]["failed"] == len(tree)
    assert {one["part"] for one in refused["results"]} == set(tree)
    for one in refused["results"]:
        assert one["action"] == "none" and re.search(LACKING, one["error"]), one
    refused.hides(token)


def test_one_bad_item_of_a_thousand_is_named_and_the_rest_is_done(
    run_module: Run, args: dict[str, Any], audited: VaultServer
) -> None:
    entries = [{"name": f"many-{number:04}", "token_ttl": "1h"} for number in range(1000)]
    # no parser on this side knows that the server has no such type of token
    entries[417]["options"] = {"local_secret_ids": "perhaps"}
    result = run_module("vault_auth_role", {**args, "mount": "approle", "roles": entries}, timeout=300)
    assert result.failed
    assert 'auth role "approle/many-0417"' in result.msg and "(1 failed, 999 changed" in result.msg
    assert [one["name"] for one in result["results"] if "error" in one] == ["approle/many-0417"]
    kept = audited.client().list("auth/approle/role")["data"]["keys"]
    assert len([name for name in kept if name.startswith("many-")]) == 999
    assert run_module("vault_auth_role", {**args, "mount": "approle", "roles": [], "purge": True}, timeout=300).changed


def test_01_check_mode_deletes_nothing(run_module: Run, args: dict[str, Any], audited: VaultServer) -> None:
    client = audited.client()
    secret = {"mount": "secret", "path": "kept"}
    run_module("vault_kv", {**args, **secret, "data": {"password": "kept"}}, must_succeed=True)
    client.sys.create_or_update_acl_policy("kept", POLICY)
    client.sys.enable_secrets_engine("transit", path="kept")
    client.sys.enable_auth_method("userpass", path="kept")
    for module, options in (
        ("vault_kv", {**secret, "delete": "latest"}),
        ("vault_kv", {**secret, "delete": "all"}),
        ("vault_kv", {**secret, "delete": "destroy"}),
        ("vault_policy", {"name": "kept"}),
        ("vault_secrets_engine", {"path": "kept"}),
        ("vault_auth", {"path": "kept"}),
        ("vault_endpoint", {"path": "sys/policies/acl/kept"}),
    ):
        options = {key: value for key, value in options.items() if key != "delete" or value in choices(module, key)}
        assert run_module(module, {**args, **options, "state": "absent"}, check=True, must_succeed=True).changed
    assert client.read("secret/data/kept")["data"]["data"] == {"password": "kept"}
    assert client.sys.read_acl_policy("kept")["data"]["policy"] == POLICY
    assert "kept/" in client.sys.list_mounted_secrets_engines()["data"]
    assert "kept/" in client.sys.list_auth_methods()["data"]


def choices(module: str, option: str) -> list[str]:
    return list(argument_specs()[module][option].get("choices") or [])


def test_02_a_subset_is_not_the_whole(run_module: Run, args: dict[str, Any], audited: VaultServer) -> None:
    def kv(**options: Any) -> Result:
        return run_module("vault_kv", {**args, "mount": "secret", "path": "subset", **options}, must_succeed=True)

    def stored() -> dict[str, str]:
        return audited.client().read("secret/data/subset")["data"]["data"]

    kv(data={"a": "value-a", "b": "value-b"})
    # what is declared as the whole differs although all of it is there
    whole = kv(mode="exact", data={"a": "value-a"})
    assert whole.changed and stored() == {"a": "value-a"}
    # what is declared as a part leaves the rest alone when it writes
    kv(data={"a": "value-a", "b": "value-b"})
    assert not kv(data={"a": "value-a"}).changed
    assert kv(data={"a": "other-a"}).changed
    assert stored() == {"a": "other-a", "b": "value-b"}


def test_03_a_jwt_role_is_updated_in_place_on_its_own_mount(
    run_module: Run, args: dict[str, Any], audited: VaultServer, asked: Callable[[], list[tuple[str, str]]]
) -> None:
    options = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"]}
    role = {"name": "same", "options": options, "token_ttl": "1h"}
    for mount in ("jwt", "jwt-own"):
        assert run_module("vault_auth_role", {**args, "mount": mount, **role}, must_succeed=True).changed
    before = audited.client().read("auth/jwt/role/same")["data"]
    changed = run_module("vault_auth_role", {**args, "mount": "jwt-own", **role, "token_ttl": "2h"}, must_succeed=True)
    assert changed["results"][0]["fields"] == ["token_ttl"]
    assert audited.client().read("auth/jwt-own/role/same")["data"]["token_ttl"] == 7200
    assert audited.client().read("auth/jwt/role/same")["data"] == before
    assert [one for one in asked() if one[0] == "delete"] == []
    assert ("update", "auth/jwt-own/role/same") in asked()


def test_04_a_missing_key_is_drift(run_module: Run, args: dict[str, Any], audited: VaultServer) -> None:
    client = audited.client()
    options = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"]}
    client.write_data("auth/jwt/role/bare", data={**options, "token_policies": ["default"]})
    role = {**args, "mount": "jwt", "name": "bare", "options": {**options, "bound_claims": {"group": "admins"}}}
    result = run_module("vault_auth_role", role, must_succeed=True)
    assert result["results"][0]["fields"] == ["bound_claims"]
    assert not run_module("vault_auth_role", role).changed

    client.secrets.kv.v2.create_or_update_secret("bare", {"a": "value-a"}, mount_point="secret")
    secret = {**args, "mount": "secret", "path": "bare", "data": {"a": "value-a", "b": "value-b"}}
    result = run_module("vault_kv", secret, must_succeed=True)
    assert result.changed and result["changed_keys"] == ["b"]

    client.write_data("auth/token/roles/bare", data={"orphan": True})
    endpoint = {**args, "path": "auth/token/roles/bare", "data": {"orphan": True, "token_bound_cidrs": ["127.0.0.1"]}}
    result = run_module("vault_endpoint", endpoint, must_succeed=True)
    assert result["results"][0]["fields"] == ["token_bound_cidrs"]


def test_05_another_reviewer_token_takes_effect(
    run_module: Run, args: dict[str, Any], audited: VaultServer, kube_api: KubeApi, namespace: str
) -> None:
    kube_api.service_account(namespace, "reviewer", reviewer=True)
    kube_api.service_account(namespace, "app")
    method = {
        **args,
        "path": "reviewed",
        "type": "kubernetes",
        "config": {
            "kubernetes_host": kube_api.url,
            "kubernetes_ca_cert": Path(kube_api.ca_cert).read_text(),
            "disable_local_ca_jwt": True,
        },
    }
    role = {"mount": "reviewed", "name": "app", "bound_service_account_names": ["app"]}
    role["bound_service_account_namespaces"] = [namespace]

    def logs_in() -> bool:
        try:
            jwt = kube_api.token(namespace, "app")
            audited.client("").auth.kubernetes.login(role="app", jwt=jwt, mount_point="reviewed")
        except hvac.exceptions.VaultError:
            return False
        return True

    # a controller manager would give one without an end
    useless, able = (kube_api.token(namespace, name, seconds=90 * 86400) for name in ("app", "reviewer"))
    run_module("vault_auth", {**method, "secret_config": {"token_reviewer_jwt": useless}}, must_succeed=True)
    run_module("vault_auth_role", {**args, **role}, must_succeed=True)
    assert not logs_in()
    noticed = run_module(
        "vault_auth", {**method, "update_secrets": "always", "secret_config": {"token_reviewer_jwt": able}}, diff=True
    )
    assert noticed.changed and noticed["results"][0]["fields"] == ["config.token_reviewer_jwt"], noticed.msg
    assert "token_reviewer_jwt" in noticed["diff"][0]["after"]
    noticed.hides(able, useless)
    assert logs_in()


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("vault_auth_role", {"mount": "missing", "name": "x", "type": "approle", "token_ttl": "1h"}),
        ("vault_auth_role", {"mount": "missing", "name": "x", "subject": "group", "type": "ldap"}),
        ("vault_endpoint", {"path": "auth/missing/config", "data": {"url": "ldaps://ldap.example.com"}}),
        ("vault_database_connection", {**KINDS["vault_database_connection"], "mount": "missing"}),
        ("vault_database_role", {**KINDS["vault_database_role"], "mount": "missing"}),
        ("vault_pki_role", {"mount": "missing", "name": "x"}),
        ("vault_kv", {"mount": "missing", "path": "x", "data": {"a": "value-a"}}),
    ],
)
def test_06_a_missing_mount_is_an_error(
    module: str, options: dict[str, Any], run_module: Run, args: dict[str, Any]
) -> None:
    result = run_module(module, {**args, **options})
    assert result.failed and not result.changed
    assert "missing" in result.msg and "mount" in result.msg, result.msg


def test_07_another_spelling_is_no_change(run_module: Run, args: dict[str, Any]) -> None:
    def twice(module: str, first: dict[str, Any], second: dict[str, Any]) -> None:
        assert run_module(module, {**args, **first}, must_succeed=True).changed
        for again in (first, second):
            result = run_module(module, {**args, **first, **again}, must_succeed=True)
            assert not result.changed, (module, result["results"])

    twice(
        "vault_auth_role",
        {"mount": "approle", "name": "spelt", "token_policies": ["a", "b"], "token_ttl": "1h", "token_num_uses": 0},
        {"token_policies": ["b", "a"], "token_ttl": 3600},
    )
    twice(
        "vault_pki_role",
        {
            "mount": "pki",
            "name": "spelt",
            "allowed_domains": ["a.com", "b.com"],
            "ttl": "24h",
            "key_usage": ["KeyAgreement", "DigitalSignature"],
        },
        {"allowed_domains": ["b.com", "a.com"], "ttl": "86400", "key_usage": ["DigitalSignature", "KeyAgreement"]},
    )
    twice(
        "vault_auth",
        {"path": "spelt", "type": "userpass", "default_lease_ttl": "1h", "passthrough_request_headers": ["A", "B"]},
        {"default_lease_ttl": "60m", "passthrough_request_headers": ["B", "A"]},
    )
    twice(
        "vault_secrets_engine",
        {"path": "spelt", "type": "kv-v2", "config": {"delete_version_after": "24h", "max_versions": 5}},
        {"config": {"delete_version_after": "1d", "max_versions": "5"}},
    )
    twice(
        "vault_policy",
        {"name": "spelt", "policy": 'path "a" {\n  capabilities = ["read", "list"]\n}\n'},
        {"policy": '\npath "a" {   \r\n  capabilities = ["read", "list"]\r\n}'},
    )
    twice(
        "vault_identity_group",
        {"name": "spelt", "policies": ["a", "b"], "metadata": {"level": 3}},
        {"policies": ["b", "a"], "metadata": {"level": "3"}},
    )
    twice(
        "vault_quota",
        {"name": "spelt", "path": "pki/", "rate": 100, "interval": "1m"},
        {"interval": "60", "path": "pki"},
    )


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Connection options of a server that is sealed."""
    server = VaultServer(tmp_path_factory.mktemp("sealed"))
    try:
        server.restart()
        yield {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}
    finally:
        server.discard()


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("trouble", ["outage", "sealed"])
@pytest.mark.parametrize("module", sorted(KINDS))
def test_08_what_cannot_be_read_is_not_absent(
    module: str, trouble: str, state: str, run_module: Run, args: dict[str, Any], sealed: dict[str, Any]
) -> None:
    if state == "absent" and module in STAYS:
        pytest.skip("it goes with its mount")
    options = {**args, "url": [f"https://127.0.0.1:{free_ports(1)[0]}"], **(sealed if trouble == "sealed" else {})}
    declared = KINDS[module] if state == "present" else absent(module)
    # what a rehearsal says matters most where nothing would be created
    for check in (True, False) if module in ("vault_policy", "vault_kv", "vault_auth_role") else (state == "present",):
        result = run_module(module, {**options, **declared}, check=check)
        assert result.failed and not result.changed, (module, check)
        assert ("connection refused" if trouble == "outage" else "sealed") in result.msg


def approle(audited: VaultServer, args: dict[str, Any], *paths: str) -> dict[str, Any]:
    """Return options that log in by AppRole with all rights to the paths."""
    client = audited.client()
    every = '{ capabilities = ["create", "read", "update", "delete", "list"] }'
    client.sys.create_or_update_acl_policy("admin", "\n".join(f'path "{path}" {every}' for path in paths))
    client.auth.approle.create_or_update_approle("admin", token_policies=["admin"])
    options = {key: value for key, value in args.items() if key != "token"}
    options["role_id"] = client.auth.approle.read_role_id("admin")["data"]["role_id"]
    options["secret_id"] = client.auth.approle.generate_secret_id("admin")["data"]["secret_id"]
    return {**options, "auth_method": "approle"}


def test_10_a_policy_that_stands_takes_three_requests(
    run_module: Run, args: dict[str, Any], audited: VaultServer, asked: Callable[[], list[tuple[str, str]]]
) -> None:
    options = {**approle(audited, args, "sys/policies/acl/*"), "name": "stands", "policy": POLICY}
    run_module("vault_policy", options, must_succeed=True)
    before = len(asked())
    assert not run_module("vault_policy", options, must_succeed=True).changed
    assert asked()[before:] == [
        ("update", "auth/approle/login"),
        ("read", "sys/policies/acl/stands"),
        ("update", "auth/token/revoke-self"),
    ]


def test_one_login_serves_many_tasks(
    run_module: Run,
    args: dict[str, Any],
    audited: VaultServer,
    asked: Callable[[], list[tuple[str, str]]],
    tmp_path: Path,
) -> None:
    login = approle(audited, args, "sys/policies/acl/*", "secret/*")
    connection = {key: args[key] for key in ("url", "ca_cert", "retries")}
    before = len(asked())
    session = tmp_path / "session" / "token"
    run_module("vault_login", {**login, "dest": str(session)}, must_succeed=True)
    token = session.read_text().strip()
    for number in range(3):
        task = {**connection, "token_file": str(session)}
        run_module("vault_policy", {**task, "name": f"task-{number}", "policy": POLICY}, must_succeed=True).hides(token)
        run_module("vault_kv", {**task, "mount": "secret", "path": f"{number}", "data": {"a": "b"}}, must_succeed=True)
    run_module("vault_login", {**connection, "dest": str(session), "state": "absent"}, must_succeed=True)
    paths = [path for _operation, path in asked()[before:]]
    assert paths.count("auth/approle/login") == 1 and paths.count("auth/token/revoke-self") == 1
    assert not session.exists()


@pytest.mark.parametrize("version", ["", "2.6.2"])
def test_a_purge_leaves_what_is_the_servers_own(
    version: str, run_module: Run, new_server: Callable[..., VaultServer]
) -> None:
    """Nothing is declared and all is purged: what a fresh server has by itself stays, whichever version made it."""
    try:
        server = new_server(**({"binary": servers.release(version)} if version else {}))
    except servers.Unavailable as reason:
        pytest.skip(str(reason))
    options = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token, "purge": True}

    def stands() -> dict[str, list[str]]:
        client = server.client()
        return {
            "mounts": sorted(client.sys.list_mounted_secrets_engines()["data"]),
            "methods": sorted(client.sys.list_auth_methods()["data"]),
            "policies": sorted(client.sys.list_acl_policies()["data"]["keys"]),
        }

    before = stands()
    server.client().sys.create_or_update_acl_policy("left-over", POLICY)
    for module, plural in (
        ("vault_auth", "methods"),
        ("vault_secrets_engine", "engines"),
        ("vault_policy", "policies"),
        ("vault_password_policy", "policies"),
        ("vault_namespace", "namespaces"),
        ("vault_identity_entity", "entities"),
        ("vault_identity_group", "groups"),
        ("vault_quota", "quotas"),
    ):
        result = run_module(module, {**options, plural: []}, must_succeed=True)
        assert result.changed is (module == "vault_policy"), (module, result["results"])
    assert stands() == before


def test_a_purge_of_data_is_refused_unless_it_is_named(run_module: Run, new_server: Callable[..., VaultServer]) -> None:
    server = new_server()
    options = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}
    run_module("vault_secrets_engine", {**options, "path": "full", "type": "kv-v2"}, must_succeed=True)
    run_module("vault_kv", {**options, "mount": "full", "path": "a", "data": {"a": "b"}}, must_succeed=True)
    for check in (True, False):
        refused = run_module("vault_secrets_engine", {**options, "engines": [], "purge": True}, check=check)
        assert refused.failed and 'the data of "full"' in refused.msg
    assert server.client().read("full/data/a")["data"]["data"] == {"a": "b"}
    named = run_module("vault_secrets_engine", {**options, "engines": [], "purge": True, "purge_data": ["full"]})
    assert named.changed and "full/" not in server.client().sys.list_mounted_secrets_engines()["data"]


def writes(kube_api: KubeApi, resource: str) -> int:
    """How many requests that write the API server counts for a resource."""
    client = DynamicClient(kube_api.api)
    text = client.request("GET", "/metrics", serialize=False, header_params={"Accept": "text/plain"}).data.decode()
    counts = re.findall(rf'^apiserver_request_total\{{(.*resource="{resource}".*)\}} (\d+)', text, re.MULTILINE)
    return sum(int(count) for labels, count in counts if re.search(r'verb="(APPLY|PATCH|PUT|POST|DELETE)"', labels))


def test_nothing_is_sent_to_kubernetes_when_nothing_differs(
    run_module: Run, kube_api: KubeApi, kube_args: dict[str, Any], namespace: str
) -> None:
    declared: dict[str, tuple[str, dict[str, Any]]] = {
        "eso_secretstore": (
            "secretstores",
            {
                "server": "https://vault.example.com",
                "path": "secret",
                "auth": {"token_secret_ref": {"name": "x", "key": "y"}},
            },
        ),
        "eso_externalsecret": (
            "externalsecrets",
            {"store": {"name": "x"}, "refresh_interval": "1h", "data_from": [{"extract": {"key": "x"}}]},
        ),
    }
    for module, (resource, options) in declared.items():
        task = {**kube_args, "namespace": namespace, "name": "x", **options}
        before = writes(kube_api, resource)
        assert run_module(module, task, must_succeed=True).changed
        made = writes(kube_api, resource)
        assert made > before, "the API server does not count what this test looks at"
        for check in (True, False):
            assert not run_module(module, task, check=check, must_succeed=True).changed
        assert writes(kube_api, resource) == made


def test_a_sealed_node_is_not_healthy(run_module: Run, new_server: Callable[..., VaultServer]) -> None:
    server = new_server()
    server.restart()
    assert server.health() == 503
    options = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token, "retries": 0}
    waited = run_module("vault_raft", {**options, "voters": 1, "wait_timeout": 3})
    assert waited.failed and "sealed" in waited.msg
    told = run_module("vault_info", {**options, "gather_subset": ["health"]})
    assert told.failed or "sealed" in json.dumps(told.data)


def tasks_of(role: Path, folder: str) -> Iterator[dict[str, Any]]:
    def inside(items: Any) -> Iterator[dict[str, Any]]:
        for item in items or []:
            yield item
            for block in ("block", "rescue", "always"):
                yield from inside(item.get(block))

    for file in sorted((role / folder).glob("*.yml")):
        yield from inside(plain(file))


class Plain(yaml.SafeLoader):
    """YAML as Ansible writes it: its own tags are texts here."""


def plain(file: Path) -> Any:
    return yaml.load(file.read_text(), Loader=Plain)  # noqa: S506 - a safe loader with one addition


Plain.add_multi_constructor("!", lambda _loader, _suffix, node: node.value)
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_every_notification_has_its_handler(role: Path) -> None:
    handlers = set()
    for handler in tasks_of(role, "handlers"):
        listens = handler.get("listen") or []
        handlers |= {handler["name"], *([listens] if isinstance(listens, str) else listens)}
    for task in tasks_of(role, "tasks"):
        notified = task.get("notify") or []
        for name in [notified] if isinstance(notified, str) else notified:
            assert name in handlers, f"{task.get('name')} notifies {name!r}"


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_every_role_declares_its_arguments(role: Path) -> None:
    entries = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"].values()
    declared = {name for entry in entries for name in entry.get("options") or {}}
    defaults = role / "defaults" / "main.yml"
    known = plain(defaults) or {} if defaults.exists() else {}
    assert {name for name in known if not name.startswith("_")} - declared == set()


def test_tls_is_on_by_default() -> None:
    defaults = plain(ROOT / "roles" / "vault_server" / "defaults" / "main.yml")
    assert defaults["vault_server_tls_mode"] == "generated"
    assert not [name for name, value in defaults.items() if "tls_disable" in name and value]
