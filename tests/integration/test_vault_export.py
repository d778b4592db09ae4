# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server holds as declared data: made by the plain API, exported, applied where nothing is, exported again."""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS
from support import generated
from support import openbao as servers
from support.modules import ROOT, Result
from support.modules import run_module as run
from support.openbao import VaultServer

from .test_generated_partial import Api, filled, prepared

Run = Callable[..., Result]
#: what the objects of these tests have as secrets, by the end of the key of their placeholder
SECRETS = {"password": "a-password-of-a-test", "settings_file_base64": generated.PINGID}


def variables(folder: Path) -> dict[str, Any]:
    """Return the variables of the files in a folder, with what was filled in, as Ansible would have them."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner) for inner in value]
        if isinstance(value, str) and "vault_secrets_to_fill" in value:
            name = value.split("'")[1].rpartition("/")[2]
            return SECRETS.get(name, f"a-{name}-of-a-test")
        return value

    found: dict[str, Any] = {}
    for path in sorted(folder.glob("vault_config_*.yml")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for name, value in Loader(path.read_text()).get_data().items():
            found[name.removeprefix("vault_config_")] = fill(value)
    return found


@dataclass
class Place:
    """A namespace of a server."""

    server: VaultServer
    namespace: str
    run: Run

    def options(self) -> dict[str, Any]:
        server = self.server
        return {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token, "namespace": self.namespace}

    def export(self, dest: Path, **options: Any) -> dict[str, Any]:
        """Export into a folder; return the result."""
        done = self.run("vault_export", {**self.options(), "dest": str(dest), **options})
        assert not done.failed, done.msg
        for secret in SECRETS.values():
            assert secret not in done.stdout
            assert all(secret not in path.read_text() for path in dest.iterdir())
        return done.data

    def apply(self, configuration: Mapping[str, Any], check: bool = False) -> Result:
        return self.run("vault_configuration", {**self.options(), "configuration": configuration}, check=check)

    def make(self) -> Place:
        Api(self.server, "")("POST", f"sys/namespaces/{self.namespace}")
        return self


def round_trip(source: Place, target: Place, tmp_path: Path, left_out: Sequence[str] = ()) -> dict[str, Any]:
    """Export a place, see that it is what is there, make the same elsewhere, and export that; return the first."""
    first = source.export(tmp_path / "first")
    assert [one["name"] for one in first["left_out"] if one["name"]] == list(left_out), first["left_out"]
    assert first["unproven"] == []
    assert first["proven"]
    declared = variables(tmp_path / "first")
    same = source.apply(declared, check=True)
    assert not same.failed, same.msg
    assert not same.changed, [one for one in same["results"] if one["changed"]]
    for branch in (declared, *declared.get("inside", {}).values()):
        for connection in branch.get("database_connections", []):
            # there is no database; the server does not keep that nobody wanted to try it
            connection["verify_connection"] = False
    made = target.apply(declared)
    assert not made.failed, made.msg
    second = target.export(tmp_path / "second")
    assert second["configuration"] == first["configuration"]
    for path in (tmp_path / "first").iterdir():
        if path.name != "export.md":
            assert (tmp_path / "second" / path.name).read_text() == path.read_text(), path.name
    return first


def rows(server: VaultServer, namespace: str, chosen: list[generated.Row]) -> None:
    """Make the objects of rows by the plain API, each in a namespace of its own."""
    for row in chosen:
        Api(server, namespace)("POST", f"sys/namespaces/{row.name}")
        api = Api(server, f"{namespace}/{row.name}")
        kept = prepared(api, row)
        until_ready(api, row.method, filled(row.path, kept), filled(dict(row.everything), kept))


def until_ready(api: Api, *request: Any) -> None:
    """Make a request again while a KV engine of version 2 is still being prepared."""
    for left in reversed(range(40)):
        try:
            api(*request)
            return
        except AssertionError as error:
            if "Upgrading" not in str(error) or not left:
                raise
            time.sleep(0.25)


def numbered(value: Any) -> Any:
    """Return the item of a base with a number in its names."""
    if isinstance(value, dict):
        return {key: numbered(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbered(inner) for inner in value]
    return value.replace("{n}", "0").replace("{{{{", "{{").replace("}}}}", "}}") if isinstance(value, str) else value


def bases(place: Place) -> None:
    """Make the least that each kind of object can be, each in a namespace of its own."""
    for base in generated.BASES:
        if base.version or base.at_root:
            continue
        Api(place.server, place.namespace)("POST", f"sys/namespaces/{base.title}")
        inside = Place(place.server, f"{place.namespace}/{base.title}", place.run)
        kept = prepared(Api(place.server, inside.namespace), base)
        item = filled(numbered(dict(base.item)), kept)
        done = inside.apply({base.kind: [item]})
        assert not done.failed, (base.title, done.msg)


ROWS = [row for row in generated.ROWS if not row.version and not row.at_root]


@pytest.fixture(scope="module")
def full(openbao: VaultServer) -> Place:
    """A namespace with every object of `ROWS`."""
    place = Place(openbao, "export-full", run).make()
    rows(openbao, place.namespace, ROWS)
    return place


def test_every_object_with_every_field(full: Place, unique: str, tmp_path: Path) -> None:
    # of the key it is told which version it encrypts with: that is left out
    first = round_trip(full, Place(full.server, f"again-{unique}", run).make(), tmp_path, left_out=["transit/full"])
    for row in ROWS:
        assert row.kind == "secrets" or first["configuration"]["inside"][row.name].get(row.kind), row.name


def test_every_object_with_the_least_fields(openbao: VaultServer, unique: str, run_module: Run, tmp_path: Path) -> None:
    source = Place(openbao, f"least-{unique}", run_module).make()
    bases(source)
    round_trip(source, Place(openbao, f"again-{unique}", run_module).make(), tmp_path)


def whole_server(server: VaultServer) -> None:
    """Make by the plain API what is of a whole server, and what refers to other objects."""
    api = Api(server, "")
    audited = "sys/config/auditing/request-headers"
    api("POST", f"{audited}/X-Trace", {"hmac": True})
    api("POST", f"{audited}/X-Plain", {"hmac": False})
    api("POST", "sys/config/cors", {"allowed_origins": ["https://portal.example"], "allowed_headers": ["X-Team"]})
    api("POST", "sys/config/ui/headers/X-Frame-Options", {"values": ["DENY"]})
    api("POST", "sys/mounts/identity/tune", {"audit_non_hmac_request_keys": ["name"]})
    policy = 'length = 20\nrule "charset" {\n  charset = "abc"\n  min-chars = 1\n}\n'
    api("POST", "sys/policies/password/letters", {"policy": policy})
    api("POST", "sys/namespaces/a", {"custom_metadata": {"owner": "team a"}})
    Api(server, "a")("POST", "sys/namespaces/b")
    Api(server, "a/b")("PUT", "sys/policies/acl/deep", {"policy": 'path "x" {\n  capabilities = ["read"]\n}\n'})
    api("POST", "sys/mounts/codes", {"type": "totp"})
    api("POST", "sys/auth/people", {"type": "userpass"})
    api("POST", "sys/auth/approle", {"type": "approle"})
    api("POST", "sys/auth/team/approle", {"type": "approle"})
    api("POST", "auth/team/approle/role/ci.run_1", {"token_policies": ["team/own"], "token_ttl": 60})
    api("PUT", "sys/policies/acl/team/own", {"policy": 'path "team/*" {\n  capabilities = ["list"]\n}\n'})
    api("POST", "identity/entity", {"name": "Bo (Ops)/x ü", "metadata": {"note": "{{ not a template }}\n'quoted'\n"}})
    accessor = api("GET", "sys/auth")["data"]["people/"]["accessor"]
    template = f"{{{{identity.entity.aliases.{accessor}.name}}}}"
    text = f'path "secret/data/{template}/*" {{\n  capabilities = ["read"]\n}}\n'
    api("PUT", "sys/policies/acl/own", {"policy": text})
    api("PUT", "sys/policies/acl/default", {"policy": 'path "auth/token/lookup-self" { capabilities = ["read"] }'})
    person = api("POST", "identity/entity", {"name": "ann", "policies": ["own"]})["data"]["id"]
    alias = {"name": "ann", "canonical_id": person, "mount_accessor": accessor, "custom_metadata": {"desk": "7"}}
    api("POST", "identity/entity-alias", alias)
    inner = api("POST", "identity/group", {"name": "inner", "member_entity_ids": [person]})["data"]["id"]
    api("POST", "identity/group", {"name": "outer", "member_group_ids": [inner], "metadata": {"floor": "2"}})
    external = api("POST", "identity/group", {"name": "staff", "type": "external"})["data"]["id"]
    api("POST", "identity/group-alias", {"name": "cn=staff", "canonical_id": external, "mount_accessor": accessor})
    api("POST", "identity/oidc/assignment/us", {"entity_ids": [person], "group_ids": [inner]})
    api("POST", "identity/oidc/assignment/all", {"entity_ids": ["*"], "group_ids": ["*"]})
    api("POST", "identity/oidc/client/portal", {"assignments": ["us"], "redirect_uris": ["https://portal.example/cb"]})
    portal = api("GET", "identity/oidc/client/portal")["data"]["client_id"]
    api("POST", "identity/oidc/scope/groups", {"template": '{"groups": {{identity.entity.groups.names}}}'})
    provider = {"allowed_client_ids": [portal], "scopes_supported": ["groups"]}
    api("POST", "identity/oidc/provider/mine", provider)
    api("POST", "identity/oidc/provider/elsewhere", {"issuer": "https://login.example"})
    duo = {"method_name": "duo", "api_hostname": "api.example", "username_format": template}
    keys = {"secret_key": SECRETS["password"], "integration_key": SECRETS["password"]}
    method = api("POST", "identity/mfa/method/duo", {**duo, **keys})["data"]["method_id"]
    asked = {"mfa_method_ids": [method], "auth_method_accessors": [accessor], "identity_group_ids": [inner]}
    api("POST", "identity/mfa/login-enforcement/people", asked)
    certificates(api)
    api("POST", "sys/mounts/team/ssh", {"type": "ssh"})
    api("POST", "team/ssh/config/ca", {"generate_signing_key": True, "key_type": "ed25519"})
    api("POST", "sys/mounts/transit", {"type": "transit", "config": {"max_lease_ttl": "48h"}})
    api("POST", "transit/keys/turned", {"type": "ed25519"})
    api("POST", "transit/keys/turned/rotate")
    api("POST", "transit/keys/turned/config", {"min_decryption_version": 2, "deletion_allowed": True})
    quota = next(row for row in generated.ROWS if row.kind == "quotas")
    prepared(api, quota)
    api("POST", quota.path, dict(quota.everything))
    database = {"type": "database", "description": "the shop's", "options": None}
    api("POST", "sys/mounts/db", database)
    url = "postgresql://{{username}}:{{password}}@127.0.0.1:1/postgres"
    connection = {"plugin_name": "postgresql-database-plugin", "connection_url": url, "verify_connection": False}
    account = {"username": "vault", "password": SECRETS["password"], "allowed_roles": ["*"], "max_open_connections": 7}
    api("POST", "db/config/main", {**connection, **account, "private_key": SECRETS["password"]})
    api("POST", "db/config/plain", {**connection, "connection_url": f"postgresql://u:{SECRETS['password']}@h:1/d"})


def certificates(api: Api) -> None:
    """Make a root, and an authority below it with a further issuer of a former time."""
    for mount in ("pki-root", "pki"):
        api("POST", f"sys/mounts/{mount}", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    root = {"common_name": "Root of a test", "ttl": "43800h", "issuer_name": "root-1", "organization": "Example"}
    api("POST", "pki-root/root/generate/internal", {**root, "key_type": "ec", "key_bits": 384, "key_name": "root"})
    former = {"common_name": "Former root of a test", "issuer_name": "root-0"}
    api("POST", "pki-root/root/generate/internal", former)
    api("POST", "pki-root/issuer/root-0", {"issuer_name": "root-0", "usage": "read-only,crl-signing"})
    below = {"common_name": "Below it", "permitted_dns_domains": ["example.com"]}
    request = api("POST", "pki/intermediate/generate/internal", below)["data"]["csr"]
    signed = api("POST", "pki-root/root/sign-intermediate", {**below, "csr": request, "ttl": "8760h"})["data"]
    made = api("POST", "pki/intermediate/set-signed", {"certificate": signed["certificate"]})["data"]
    issuer = made["imported_issuers"][0]
    usage = "read-only,issuing-certificates,crl-signing"
    settings = {"issuer_name": "below-1", "leaf_not_after_behavior": "truncate", "usage": usage}
    api("POST", f"pki/issuer/{issuer}", settings)
    api("POST", "pki/config/urls", {"issuing_certificates": ["https://pki.example/ca"]})
    api("POST", "pki/config/crl", {"expiry": "96h", "auto_rebuild": True})
    api("POST", "pki/config/auto-tidy", {"enabled": True, "tidy_cert_store": True, "interval_duration": "24h"})
    api("POST", "pki/config/cluster", {"path": "https://pki.example/v1/pki"})


def documented(*prefixes: str) -> str:
    """Return the policy that the documentation has for an export, with each of these before its paths."""
    found = re.search(r"```hcl\n(.*?)```", (ROOT / "docs" / "day2.md").read_text(), re.DOTALL)
    assert found is not None
    return "".join(found[1].replace('path "', f'path "{prefix}') for prefix in prefixes)


def token_of(server: VaultServer, name: str, policy: str) -> str:
    """Return a token that may do what a policy says, and no more than that."""
    api = Api(server, "")
    api("PUT", f"sys/policies/acl/{name}", {"policy": policy})
    return str(api("POST", "auth/token/create", {"policies": [name], "ttl": "10m"})["auth"]["client_token"])


def test_a_whole_server(new_server: Callable[..., VaultServer], run_module: Run, tmp_path: Path) -> None:
    device = {"type": "file", "path": "configured", "options": {"file_path": str(tmp_path / "configured.log")}}
    settings = {"unsafe_allow_api_audit_creation": True, "audit": [device]}
    source, target = (Place(new_server(**settings), "", run_module) for _ in range(2))
    options = {"file_path": str(tmp_path / "audit.log"), "mode": "0600", "hmac_accessor": "false"}
    Api(source.server, "")("PUT", "sys/audit/by-api", {"type": "file", "description": "more", "options": options})
    whole_server(source.server)
    first = round_trip(
        source,
        target,
        tmp_path,
        left_out=["configured", "pki-root issuer root-0", "transit/turned", "db/plain", "codes"],
    )
    # what OpenBao has not
    kinds = {title for title, kind in KINDS.items() if kind.listings} - {"aws_configs", "aws_roles"}
    untried = kinds - set(first["summary"]) - {row.kind for row in generated.ROWS}
    assert untried == set(), "make one by the plain API in whole_server"
    policy = next(one for one in first["configuration"]["policies"] if one["name"] == "own")
    assert "identity.entity.aliases[people].name" in policy["policy"]
    assert [one["name"] for one in first["configuration"]["inside"]["a/b"]["policies"]] == ["deep"]
    assert first["secrets_to_fill"] == [
        "database_connections/db/main/root_password",
        "login_mfa_methods/duo/integration_key",
        "login_mfa_methods/duo/secret_key",
    ]

    # with the documented policy, for paths of up to two parts
    policy = documented("", "+/", "+/+/")
    token = token_of(source.server, "looking", policy + documented("").replace('"auth/+/', '"auth/+/+/'))
    seen = run_module("vault_export", {**source.options(), "token": token})
    assert not seen.failed, seen.msg
    assert seen["left_out"] == first["left_out"]
    found = dict(
        seen["configuration"], policies=[one for one in seen["configuration"]["policies"] if one["name"] != "looking"]
    )
    assert found == first["configuration"]


def test_a_directory_of_people(unique: str, run_module: Run, tmp_path: Path) -> None:
    """OpenBao 2.7 lost LDAP."""
    try:
        server = VaultServer(tmp_path, binary=servers.release("2.6.2"))
    except servers.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        source, target = (Place(server, f"{name}-{unique}", run_module).make() for name in ("full", "again"))
        rows(server, source.namespace, [row for row in generated.ROWS if row.version == "2.6.2"])
        first = round_trip(source, target, tmp_path)
        assert first["secrets_to_fill"] == ["auth_methods-ldap/auth_methods/ldap/bindpass"]
    finally:
        server.discard()


def test_secrets_are_told_as_far_as_they_are_asked_for(
    openbao: VaultServer, unique: str, run_module: Run, tmp_path: Path
) -> None:
    source, target = (Place(openbao, f"{name}-{unique}", run_module).make() for name in ("kv", "again"))
    api = Api(openbao, source.namespace)
    api("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
    api("POST", "sys/mounts/old", {"type": "kv"})
    value = SECRETS["password"]
    until_ready(api, "POST", "kv/data/apps/shop", {"data": {"password": value, "nested": {"token": value}}})
    api("POST", "kv/metadata/apps/shop", {"custom_metadata": {"owner": "shop"}, "max_versions": 3})
    api("POST", "kv/data/gone", {"data": {"password": value}})
    api("DELETE", "kv/data/gone")
    api("POST", "old/apps/shop", {"password": value})

    none = source.export(tmp_path / "none")
    assert "secrets" not in none["summary"] and "secret_paths" not in none
    paths = source.export(tmp_path / "paths", secrets="paths")
    assert [f"{one['mount']}/{one['path']}" for one in paths["secret_paths"]] == [
        "kv/apps/shop",
        "kv/gone",
        "old/apps/shop",
    ]
    keys = source.export(tmp_path / "keys", secrets="keys")
    assert [(one["kind"], one["name"]) for one in keys["left_out"] if one["name"]] == [("secrets", "kv/gone")]
    assert keys["secrets_to_fill"] == [
        "secrets/kv/apps/shop/nested",
        "secrets/kv/apps/shop/password",
        "secrets/old/apps/shop/password",
    ]
    declared = variables(tmp_path / "keys")
    assert declared["secrets"][0]["metadata"] == {"max_versions": 3, "custom_metadata": {"owner": "shop"}}
    made = target.apply(declared)
    assert not made.failed, made.msg
    again = target.export(tmp_path / "again", secrets="keys")
    assert again["configuration"] == keys["configuration"]
    assert again["secrets_to_fill"] == keys["secrets_to_fill"]


def test_what_looks_like_a_secret_is_not_told(
    openbao: VaultServer, unique: str, run_module: Run, tmp_path: Path
) -> None:
    place = Place(openbao, f"looks-{unique}", run_module).make()
    api = Api(openbao, place.namespace)
    value = SECRETS["password"]
    api("POST", "identity/entity", {"name": "ann", "metadata": {"password": value, "desk": "7"}})
    api("PUT", "sys/policies/acl/odd", {"policy": f'# see https://ann:{value}@git.example/\npath "a" {{}}\n'})
    done = place.export(tmp_path / "out")
    assert done["secrets_to_fill"] == ["identity_entities/ann/metadata/password", "policies/odd/policy"]
    # what is hidden cannot be held against the server
    assert not done["proven"]
    assert sorted(one["name"] for one in done["unproven"]) == ["ann", "odd"]


def test_a_token_that_may_only_look(full: Place, unique: str, run_module: Run, tmp_path: Path) -> None:
    """The documented policy is enough for everything, and what it does not allow is named."""
    place, openbao = full, full.server
    whole = place.export(tmp_path / "root", secrets="keys")

    policy = documented(f"{place.namespace}/", f"{place.namespace}/+/")
    token = token_of(openbao, unique, policy)
    seen = run_module("vault_export", {**place.options(), "token": token, "secrets": "keys"})
    assert not seen.failed, seen.msg
    known = [one["reason"] for one in whole["left_out"]]
    assert [one["reason"] for one in seen["left_out"] if one["reason"] not in known] == [], "\n".join(
        one["reason"] for one in seen["left_out"]
    )
    assert seen["configuration"] == whole["configuration"]
    assert seen["proven"]

    blind = policy + f'path "{place.namespace}/policies/sys/policies/acl/full" {{\n  capabilities = ["deny"]\n}}\n'
    part = run_module("vault_export", {**place.options(), "token": token_of(openbao, unique, blind)})
    assert not part.failed, part.msg
    lost = [one for one in part["left_out"] if one.get("namespace") == "policies"]
    assert [(one["kind"], one["name"]) for one in lost] == [("policies", "full")]
    assert "permission" in lost[0]["reason"]


def test_files(openbao: VaultServer, unique: str, run_module: Run, tmp_path: Path) -> None:
    place = Place(openbao, f"files-{unique}", run_module).make()
    api = Api(openbao, place.namespace)
    api("POST", "sys/auth/userpass", {"type": "userpass"})
    api("POST", "auth/userpass/users/ann", {"password": SECRETS["password"]})
    dest = tmp_path / "out" / "cluster"
    options = {**place.options(), "dest": str(dest)}

    rehearsed = run_module("vault_export", options, check=True, diff=True)
    assert rehearsed.changed and not dest.exists()
    names = ["export.md", "vault_config_auth_methods.yml", "vault_config_auth_roles.yml", "vault_secrets_to_fill.yml"]
    assert rehearsed["files"] == names
    assert place.export(dest)["files"] == names
    assert stat.S_IMODE(dest.stat().st_mode) == 0o700
    again = run_module("vault_export", options)
    assert not again.changed and again["files"] == []

    plain = place.export(tmp_path / "plain", placeholders=False)
    assert plain["files"] == names[:3] and plain["secrets_to_fill"] == ["auth_roles/userpass/ann/password"]
    assert "secret_options" not in (tmp_path / "plain" / "vault_config_auth_roles.yml").read_text()
    assert not place.apply(variables(tmp_path / "plain"), check=True).changed
    refused = run_module("vault_export", {**options, "placeholders": False, "secrets": "keys"})
    assert refused.failed and refused["error_code"] == "invalid_input"

    # as after a run that was killed
    (dest / "vault_config_auth_roles.yml").unlink()
    assert place.export(dest)["files"] == ["vault_config_auth_roles.yml"]

    # what people wrote is neither lost nor in the way
    filled_in = dest / "vault_secrets_to_fill.yml"
    filled_in.write_text("vault_secrets_to_fill:\n  auth_roles/userpass/ann/password: of-ann\n")
    api("POST", "auth/userpass/users/bob", {"password": SECRETS["password"]})
    before = {path.name: path.read_text() for path in dest.iterdir()}
    refused = run_module("vault_export", options)
    assert refused.failed and refused["error_code"] == "invalid_input"
    assert "vault_config_auth_roles.yml" in refused.msg and "overwrite" in refused.msg
    assert {path.name: path.read_text() for path in dest.iterdir()} == before
    replaced = run_module("vault_export", {**options, "overwrite": True})
    assert not replaced.failed, replaced.msg
    assert "bob" in (dest / "vault_config_auth_roles.yml").read_text()
    assert filled_in.read_text() == before["vault_secrets_to_fill.yml"]
    assert "auth_roles/userpass/bob/password" in replaced.stdout

    api("DELETE", "sys/auth/userpass")
    run_module("vault_export", {**options, "overwrite": True})
    assert variables(dest) == {"auth_methods": [], "auth_roles": []}
