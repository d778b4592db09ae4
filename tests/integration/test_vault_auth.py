# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_auth against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

REVIEWER = "reviewer-jwt-that-nobody-may-see"


@pytest.fixture
def auth(run_module: Callable[..., Result], vault_args: dict[str, Any]) -> Callable[..., Result]:
    def run(check: bool = False, diff: bool = True, **options: Any) -> Result:
        return run_module("vault_auth", {**vault_args, **options}, check=check, diff=diff)

    return run


@pytest.fixture
def path(openbao: VaultServer, unique: str) -> Iterator[str]:
    """A free path, emptied afterwards."""
    name = f"auth-{unique}"
    yield name
    openbao.client().sys.disable_auth_method(name)


@pytest.fixture
def kubernetes(path: str, openbao: VaultServer) -> dict[str, Any]:
    return {
        "path": path,
        "type": "kubernetes",
        "description": "test",
        "default_lease_ttl": "1h",
        "max_lease_ttl": "24h",
        "listing_visibility": "hidden",
        "audit_non_hmac_request_keys": ["role", "a"],
        "config": {
            "kubernetes_host": "https://10.0.0.10:6443/",
            "kubernetes_ca_cert": openbao.authority.ca.read_text().strip(),
            "disable_local_ca_jwt": "true",
        },
        "secret_config": {"token_reviewer_jwt": REVIEWER},
    }


def mount(openbao: VaultServer, path: str) -> dict[str, Any] | None:
    return openbao.client().sys.list_auth_methods()["data"].get(path + "/")


def config(openbao: VaultServer, path: str) -> dict[str, Any]:
    return openbao.client().read(f"auth/{path}/config")["data"]


def test_create_then_unchanged(auth: Callable[..., Result], kubernetes: dict[str, Any], openbao: VaultServer) -> None:
    path = kubernetes["path"]
    planned = auth(check=True, **kubernetes)
    assert planned.changed
    assert mount(openbao, path) is None

    created = auth(**kubernetes)
    assert created.changed, created.msg
    assert created["results"][0]["action"] == "create"
    created.hides(REVIEWER)
    found = mount(openbao, path)
    assert found is not None
    assert created["accessor"] == found["accessor"]
    assert found["config"]["default_lease_ttl"] == 3600
    assert config(openbao, path)["token_reviewer_jwt_set"] is True

    again = auth(**kubernetes)
    assert not again.changed, again["results"]
    assert again["diff"] == []
    again.hides(REVIEWER)


def test_one_changed_field_keeps_the_others(
    auth: Callable[..., Result], kubernetes: dict[str, Any], openbao: VaultServer
) -> None:
    path = kubernetes["path"]
    auth(**kubernetes)
    moved = {
        "path": path,
        "type": "kubernetes",
        "config": {"kubernetes_host": "https://10.0.0.11:6443"},
        "secret_config": {"token_reviewer_jwt": REVIEWER},
    }
    planned = auth(check=True, **moved)
    assert planned["results"][0]["fields"] == ["config.kubernetes_host"]
    assert config(openbao, path)["kubernetes_host"].rstrip("/").endswith("10:6443")
    changed = auth(**moved)
    assert changed["results"][0]["fields"] == ["config.kubernetes_host"]
    assert "10.0.0.11" in changed["diff"][0]["after"]
    changed.hides(REVIEWER)
    stands = config(openbao, path)
    assert stands["kubernetes_host"] == "https://10.0.0.11:6443"
    assert stands["disable_local_ca_jwt"] is True
    assert stands["token_reviewer_jwt_set"] is True
    assert stands["kubernetes_ca_cert"].strip() == kubernetes["config"]["kubernetes_ca_cert"]


def test_a_secret_is_not_lost_silently(
    auth: Callable[..., Result], kubernetes: dict[str, Any], openbao: VaultServer
) -> None:
    auth(**kubernetes)
    result = auth(path=kubernetes["path"], type="kubernetes", config={"kubernetes_host": "https://10.0.0.11:6443"})
    assert result.failed
    assert 'would lose the "token_reviewer_jwt" that is set; declare it in "secret_config"' in result.msg
    assert "10.0.0.10" in config(openbao, kubernetes["path"])["kubernetes_host"]


def test_update_secrets_always(auth: Callable[..., Result], kubernetes: dict[str, Any]) -> None:
    auth(**kubernetes)
    result = auth(update_secrets="always", **kubernetes)
    assert result["results"][0]["fields"] == ["config.token_reviewer_jwt"]
    result.hides(REVIEWER)


def test_tune(auth: Callable[..., Result], kubernetes: dict[str, Any], openbao: VaultServer) -> None:
    auth(**kubernetes)
    tuned = {**kubernetes, "default_lease_ttl": "2h", "description": "other", "audit_non_hmac_request_keys": []}
    assert auth(**tuned)["results"][0]["fields"] == ["audit_non_hmac_request_keys", "default_lease_ttl", "description"]
    found = mount(openbao, kubernetes["path"])
    assert found is not None
    assert (found["config"]["default_lease_ttl"], found["description"]) == (7200, "other")
    assert not auth(**tuned).changed
    # what somebody else edits is put back
    openbao.client().sys.tune_auth_method(kubernetes["path"], default_lease_ttl="5m")
    assert auth(**tuned)["results"][0]["fields"] == ["default_lease_ttl"]


@pytest.mark.parametrize(
    ("name", "first", "repeated", "second"),
    [
        ("description", "one", "one", "two"),
        ("default_lease_ttl", "1h", "60m", "2h"),
        ("max_lease_ttl", "1h", "3600", "2h"),
        ("listing_visibility", "unauth", "unauth", "hidden"),
        ("token_type", "batch", "batch", "default-service"),
        ("token_type", "default-batch", "default-batch", "service"),
        *(
            (name, ["a", "b"], ["b", "a"], ["c"])
            for name in (
                *("audit_non_hmac_request_keys", "audit_non_hmac_response_keys"),
                *("passthrough_request_headers", "allowed_response_headers"),
            )
        ),
    ],
)
def test_what_is_tuned_is_kept(
    auth: Callable[..., Result], path: str, openbao: VaultServer, name: str, first: Any, repeated: Any, second: Any
) -> None:
    def tuned(value: Any) -> Result:
        return auth(path=path, type="approle", **{name: value})

    made = tuned(first)
    assert made["results"][0]["action"] == "create", made.msg
    again = tuned(repeated)
    assert not again.failed and not again.changed, again["results"]
    changed = tuned(second)
    assert not changed.failed and changed["results"][0]["fields"] == [name], changed.msg
    again = tuned(second)
    assert not again.failed and not again.changed, again["results"]
    entry = mount(openbao, path) or {}
    kept = entry["config"].get(name, entry.get(name))
    assert kept == {"default_lease_ttl": 7200, "max_lease_ttl": 7200}.get(name, second)


def test_a_run_cut_off_between_mount_and_configuration(
    auth: Callable[..., Result], kubernetes: dict[str, Any], openbao: VaultServer
) -> None:
    openbao.client().sys.enable_auth_method("kubernetes", path=kubernetes["path"])
    result = auth(**kubernetes)
    assert "config.token_reviewer_jwt" in result["results"][0]["fields"]
    assert config(openbao, kubernetes["path"])["token_reviewer_jwt_set"] is True
    assert not auth(**kubernetes).changed


def test_jwt_from_keys_to_a_url(auth: Callable[..., Result], path: str, openbao: VaultServer) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    key = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    base = {"path": path, "type": "jwt"}
    first = {
        **base,
        "config": {"jwt_validation_pubkeys": [key.strip()], "jwt_supported_algs": "ES256", "bound_issuer": "i"},
    }
    assert auth(**first).changed
    assert not auth(**first).changed
    second = {**base, "config": {"bound_issuer": "j"}}
    assert auth(**second)["results"][0]["fields"] == ["config.bound_issuer"]
    stands = config(openbao, path)
    assert stands["bound_issuer"] == "j"
    assert stands["jwt_validation_pubkeys"] == [key.strip()]


def test_absent(auth: Callable[..., Result], path: str, openbao: VaultServer) -> None:
    auth(path=path, type="approle")
    assert auth(check=True, path=path, state="absent").changed
    assert mount(openbao, path) is not None
    assert auth(path=path, state="absent").changed
    assert mount(openbao, path) is None
    assert not auth(path=path, state="absent").changed


def test_another_type_in_the_way_stops_everything(auth: Callable[..., Result], path: str, openbao: VaultServer) -> None:
    auth(path=path, type="approle")
    result = auth(methods=[{"path": path + "-new", "type": "approle"}, {"path": path, "type": "jwt"}])
    assert result.failed
    assert f'auth method "{path}": an auth method with type approle is mounted there, not jwt' in result.msg
    assert mount(openbao, path + "-new") is None


def test_a_type_that_the_server_does_not_have(auth: Callable[..., Result], path: str, openbao: VaultServer) -> None:
    result = auth(methods=[{"path": path, "type": "approle"}, {"type": "nonesuch"}])
    assert result.failed
    title = {"openbao": "OpenBao", "vault": "HashiCorp Vault"}[openbao.product]
    assert f'{title} {openbao.version.split("+")[0]} has no auth method of type "nonesuch"' in result.msg
    assert mount(openbao, path) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"config": {"token_reviewer_jwt": REVIEWER}}, 'move it into "secret_config"'),
        ({"config": {"provider_config": {"client_secret": REVIEWER}}}, 'move it into "secret_config"'),
        ({"config": {"issuer": "x"}, "secret_config": {"issuer": "x"}}, 'stands in both "config" and "secret_config"'),
        ({"default_lease_ttl": "soon"}, '"soon" is not a duration; write seconds'),
        ({"default_lease_ttl": "2h", "max_lease_ttl": "1h"}, "default_lease_ttl is longer than max_lease_ttl"),
        ({"type": "approle", "config": {"a": "b"}}, 'type "approle" has no configuration'),
        ({"type": ""}, "no type is given"),
        ({"path": "token", "state": "absent"}, "the server's built-in method cannot be removed"),
    ],
)
def test_bad_input_changes_nothing(
    auth: Callable[..., Result], path: str, openbao: VaultServer, options: dict[str, Any], message: str
) -> None:
    result = auth(**{"path": path, "type": "kubernetes", **options})
    assert result.failed
    assert message in result.msg
    result.hides(REVIEWER)
    assert mount(openbao, path) is None


def test_unknown_field_of_the_configuration(auth: Callable[..., Result], path: str) -> None:
    result = auth(path=path, type="cert", config={"disable_binding": True, "nonsense": "x"})
    assert result.failed
    assert 'does not know "nonsense" of type cert, and would drop it' in result.msg
    assert not result.changed
    again = auth(check=True, path=path, type="cert", config={"enable_identity_alias_metadatas": True})
    assert again.failed and 'did you mean "enable_identity_alias_metadata"?' in again.msg
    assert not again.changed


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("kubernetes", "use_annotations_as_alias_metadata"),
        ("cert", "enable_metadata_on_failures"),
        ("cert", "role_cache_size"),
    ],
)
def test_what_only_the_other_product_has_is_refused(
    kind: str, field: str, auth: Callable[..., Result], openbao: VaultServer, path: str
) -> None:
    if openbao.product != "openbao":
        pytest.skip("HashiCorp Vault has these")
    for check in (True, False):
        refused = auth(check=check, path=path, type=kind, config={field: 1})
        assert refused.failed and f'does not know "{field}" of type {kind}' in refused.msg
    assert mount(openbao, path) is None


def test_purge_needs_the_name_twice(
    auth: Callable[..., Result], new_server: Callable[..., VaultServer], run_module: Callable[..., Result]
) -> None:
    server = new_server()
    connection = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}
    for name in ("keep", "extra", "own"):
        server.client().sys.enable_auth_method("userpass", path=name)
    purge = {**connection, "methods": [{"path": "keep", "type": "userpass"}], "purge": True, "protected": ["own"]}
    refused = run_module("vault_auth", purge)
    assert refused.failed
    assert (
        'purge would delete "extra", with the roles and users in it' in refused.msg and 'in "purge_data"' in refused.msg
    )
    assert mount(server, "extra") is not None
    assert run_module("vault_auth", {**purge, "purge_data": ["extra/"]}, check=True).changed
    assert mount(server, "extra") is not None
    assert run_module("vault_auth", {**purge, "purge_data": ["extra/"]}).changed
    assert mount(server, "extra") is None
    assert mount(server, "keep") is not None
    # the method that the module itself is logged in by is never purged, and not removed by name either
    server.client().sys.create_or_update_policy(
        "all", 'path "*" { capabilities = ["create","read","update","delete","list","sudo"] }'
    )
    server.client().auth.userpass.create_or_update_user("me", "password1", ["all"], "own")
    login = {"auth_method": "userpass", "auth_mount": "own", "username": "me", "password": "password1"}
    own = {"url": [server.url], "ca_cert": server.ca_cert, **login}
    result = run_module("vault_auth", {**own, "methods": [{"path": "keep", "type": "userpass"}], "purge": True})
    assert not result.failed, result.msg
    result = run_module("vault_auth", {**own, "path": "own", "state": "absent"})
    assert result.failed
    assert "the module's own token comes from it" in result.msg
    assert mount(server, "own") is not None
    unlisted = run_module("vault_auth", {**connection, "path": "keep", "type": "userpass", "purge": True})
    assert "purge without a list would delete everything else" in unlisted.msg


def test_a_path_that_means_something_in_urls_is_refused(
    openbao: VaultServer, run_module: Callable[..., Result], vault_args: dict[str, Any], unique: str
) -> None:
    for path in (f"{unique}?x", f"{unique}#x", f"{unique}%2Fx", f"x/../{unique}"):
        for check in (True, False):
            result = run_module("vault_auth", {**vault_args, "path": path, "type": "approle"}, check=check)
            assert result.failed and "the path h" in result.msg, result.msg
    assert not any(unique in path for path in openbao.client().sys.list_auth_methods()["data"])
