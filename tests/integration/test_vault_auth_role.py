# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_auth_role against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

PASSWORD = "password-that-nobody-may-see"


@pytest.fixture
def role(run_module: Callable[..., Result], vault_args: dict[str, Any]) -> Callable[..., Result]:
    def run(check: bool = False, diff: bool = True, **options: Any) -> Result:
        return run_module("vault_auth_role", {**vault_args, **options}, check=check, diff=diff)

    return run


@pytest.fixture
def mounted(openbao: VaultServer, unique: str) -> Iterator[Callable[[str], str]]:
    """A function that mounts an auth method and returns its path."""
    paths: list[str] = []

    def mount(kind: str) -> str:
        paths.append(f"{kind}-{unique}")
        openbao.client().sys.enable_auth_method(kind, path=paths[-1])
        return paths[-1]

    yield mount
    for path in paths:
        openbao.client().sys.disable_auth_method(path)


def stands(openbao: VaultServer, path: str) -> dict[str, Any]:
    return openbao.client().read(f"auth/{path}")["data"]


DECLARED: dict[str, tuple[str, dict[str, Any]]] = {
    "kubernetes": (
        "role",
        {
            "bound_service_account_names": ["eso", "a"],
            "bound_service_account_namespaces": ["external-secrets"],
            "audience": "vault",
            "alias_name_source": "serviceaccount_uid",
        },
    ),
    "approle": (
        "role",
        {
            "options": {"secret_id_ttl": "24h", "secret_id_bound_cidrs": "10.0.0.0/8", "bind_secret_id": "yes"},
            "secret_options": {"role_id": "role-id-of-my-own"},
        },
    ),
    "jwt": (
        "role",
        {
            "options": {
                "role_type": "jwt",
                "user_claim": "sub",
                "bound_audiences": "vault",
                "bound_claims": {"group": ["b", "a"], "level": 3, "on": True},
                "clock_skew_leeway": "1m",
                "claim_mappings": {"sub": "name"},
            }
        },
    ),
    "userpass": ("users", {"secret_options": {"password": PASSWORD}}),
    "cert": ("certs", {"options": {"allowed_names": "a.example.com,b.example.com", "display_name": "x"}}),
}


@pytest.mark.parametrize("kind", sorted(DECLARED))
def test_life_of_a_role(
    kind: str, role: Callable[..., Result], mounted: Callable[[str], str], openbao: VaultServer
) -> None:
    mount = mounted(kind)
    folder, own = DECLARED[kind]
    if kind == "cert":
        own = {"options": {**own["options"], "certificate": openbao.authority.ca.read_text()}}
    declared = {
        "mount": mount,
        "name": "one",
        "token_policies": ["default"],
        "token_ttl": "15m",
        "token_max_ttl": "1h",
        "token_bound_cidrs": ["10.0.0.1/32", "192.168.0.0/16"],
        "token_no_default_policy": False,
        **own,
    }
    path = f"{mount}/{folder}/one"
    assert role(check=True, **declared).changed
    assert openbao.client().read(f"auth/{path}") is None
    created = role(**declared)
    assert created.changed, created.msg
    created.hides(PASSWORD, "role-id-of-my-own")
    again = role(**declared)
    assert not again.changed, again["results"]

    edited = {**declared, "token_ttl": 1200}
    planned = role(check=True, **edited)
    assert planned["results"][0]["fields"] == ["token_ttl"]
    assert stands(openbao, path)["token_ttl"] == 900
    changed = role(**edited)
    assert not changed.failed, changed.msg
    assert changed["results"][0]["fields"] == ["token_ttl"]
    changed.hides(PASSWORD, "role-id-of-my-own")
    assert stands(openbao, path)["token_ttl"] == 1200
    assert stands(openbao, path)["token_max_ttl"] == 3600

    removal = {"mount": mount, "name": "one", "state": "absent"}
    assert role(check=True, **removal).changed
    assert role(**removal).changed
    assert openbao.client().read(f"auth/{path}") is None
    assert not role(**removal).changed


def test_password_follows_update_secrets(
    role: Callable[..., Result], mounted: Callable[[str], str], openbao: VaultServer
) -> None:
    mount = mounted("userpass")

    def can_log_in(password: str) -> bool:
        try:
            openbao.client("").auth.userpass.login("alice", password, mount_point=mount)
        except Exception:  # noqa: BLE001 - whatever hvac makes of the refusal
            return False
        return True

    user = {"mount": mount, "name": "alice"}
    role(**user, secret_options={"password": "first-password"})
    assert can_log_in("first-password")
    kept = role(**user, secret_options={"password": "second-password"}, token_ttl="5m")
    assert kept["results"][0]["fields"] == ["token_ttl"]
    assert can_log_in("first-password")
    changed = role(**user, secret_options={"password": "second-password"}, update_secrets="always")
    assert changed["results"][0]["fields"] == ["password"]
    changed.hides("second-password")
    assert can_log_in("second-password")


def test_many_over_several_mounts_and_one_bad(
    role: Callable[..., Result], mounted: Callable[[str], str], openbao: VaultServer
) -> None:
    approle, kubernetes = mounted("approle"), mounted("kubernetes")
    roles: list[dict[str, Any]] = [{"name": f"r{number}", "token_ttl": "1h"} for number in range(20)]
    roles.append(
        {
            "mount": kubernetes,
            "name": "good",
            "bound_service_account_names": ["a"],
            "bound_service_account_namespaces": ["b"],
        }
    )
    for wrong, said in (
        ({"options": {"secret_id_tll": "1h"}}, 'unknown option "secret_id_tll"; did you mean "secret_id_ttl"?'),
        ({"options": {"secret_id_ttl": "soon"}}, '"soon" is not a duration'),
        ({"options": {"secret_id_ttl": "-1s"}}, '"-1s" is negative'),
        ({"token_period": "-5"}, '"-5" is negative'),
        ({"mount": kubernetes, "type": "approle"}, f'"{kubernetes}" is of type kubernetes, not approle'),
        ({"audience": "vault"}, '"audience" is for type kubernetes, not approle'),
    ):
        refused = role(mount=approle, roles=[*roles, {"name": "bad", **wrong}])
        assert refused.failed and not refused.changed and said in refused.msg, refused.msg
        assert openbao.client().list(f"auth/{approle}/role") is None, "known before anything changes"

    # only the server knows that the two do not go together
    roles.append({"name": "bad", "token_type": "batch", "token_num_uses": 1})
    result = role(mount=approle, roles=roles)
    assert result.failed
    assert result["summary"] == {"create": 21, "update": 0, "delete": 0, "none": 0, "failed": 1, "not_reached": 0}
    assert f'auth role "{approle}/bad"' in result.msg
    assert len(openbao.client().list(f"auth/{approle}/role")["data"]["keys"]) == 20


def test_purge_within_a_mount(role: Callable[..., Result], mounted: Callable[[str], str], openbao: VaultServer) -> None:
    approle, other = mounted("approle"), mounted("userpass")
    role(roles=[{"mount": approle, "name": name} for name in ("keep", "spare", "extra")])
    role(mount=other, name="alice", secret_options={"password": PASSWORD})

    def names() -> list[str]:
        return sorted(openbao.client().list(f"auth/{approle}/role")["data"]["keys"])

    purge = {"mount": approle, "roles": [{"name": "Keep"}], "purge": True, "protected": ["spare"]}
    planned = role(check=True, **purge)
    assert [entry["name"] for entry in planned["results"] if entry["action"] == "delete"] == [f"{approle}/extra"]
    assert names() == ["extra", "keep", "spare"]
    assert role(**purge).changed
    assert names() == ["keep", "spare"]
    assert openbao.client().list(f"auth/{other}/users")["data"]["keys"] == ["alice"]
    assert role(mount=approle, roles=[], purge=True)["summary"]["delete"] == 2
    assert not role(mount=approle, roles=[], purge=True).changed


def test_a_kubernetes_role_for_any_audience_is_a_warning(
    role: Callable[..., Result], mounted: Callable[[str], str], openbao: VaultServer
) -> None:
    kubernetes = mounted("kubernetes")
    bound = {"bound_service_account_names": ["a"], "bound_service_account_namespaces": ["b"]}
    plain = [{"name": f"any-{number}", **bound} for number in range(3)]
    result = role(mount=kubernetes, roles=[*plain, {"name": "one", "audience": "vault", **bound}])
    assert not result.failed, result.msg
    said = [text for text in result["warnings"] if '"audience"' in str(text)]
    assert len(said) == 1 and f"{kubernetes}/any-" in str(said), "once for all of them"
    # what the server has counts as well
    openbao.client().write(f"auth/{kubernetes}/role/any-0", audience="vault")
    known = role(mount=kubernetes, name="any-0", token_ttl="1h")
    assert not known.failed and known.changed and not known.data.get("warnings"), known.data.get("warnings")


def test_what_one_product_drops_is_no_change_at_every_run(
    role: Callable[..., Result], mounted: Callable[[str], str], openbao: VaultServer
) -> None:
    bound: dict[str, Any] = {"mount": mounted("approle"), "name": "web", "token_strictly_bind_ip": True}
    first = role(**bound)
    if "token_strictly_bind_ip" in stands(openbao, f"{bound['mount']}/role/web"):
        assert first.changed
        assert not role(**bound).changed
    else:
        assert first.failed
        assert 'the server ignores "token_strictly_bind_ip"' in first.msg
    assert not role(**{**bound, "token_strictly_bind_ip": False, "name": "open"}).failed


def test_leeways_may_be_negative(
    role: Callable[..., Result], mounted: Callable[[str], str], openbao: VaultServer
) -> None:
    jwt = mounted("jwt")
    options = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["x"], "clock_skew_leeway": "-1s"}
    made = role(mount=jwt, name="strict", options=options)
    assert made.changed and not made.failed, made.msg
    assert openbao.client().read(f"auth/{jwt}/role/strict")["data"]["clock_skew_leeway"] == -1
    assert not role(mount=jwt, name="strict", options={**options, "clock_skew_leeway": -1}).changed
    assert '"-1s" is negative' in role(mount=jwt, name="strict", options={**options, "max_age": "-1s"}).msg


def test_a_missing_policy_is_a_warning(role: Callable[..., Result], mounted: Callable[[str], str]) -> None:
    result = role(mount=mounted("approle"), name="x", token_policies=["default", "nonesuch"])
    assert not result.failed
    assert 'no policy has the name \\"nonesuch\\"' in str(result["warnings"]).replace('"', '\\"')


def test_mount_that_does_not_exist(role: Callable[..., Result], unique: str) -> None:
    result = role(mount=f"none-{unique}", name="x")
    assert result.failed
    assert f'no auth method is mounted at "none-{unique}"; declare it with vault_auth' in result.msg
    # a first run in check mode has no mounts yet
    planned = role(check=True, mount=f"none-{unique}", name="x", token_ttl="1h")
    assert planned.changed
    assert not planned.failed
    assert not role(mount=f"none-{unique}", name="x", state="absent").changed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"token_ttl": "soon"}, '"soon" is not a duration'),
        ({"token_ttl": "2h", "token_max_ttl": "1h"}, "token_ttl is longer than token_max_ttl"),
        ({"token_bound_cidrs": ["10.0.0.999"]}, '"10.0.0.999" is not an address block'),
        ({"mount": "approle?x"}, 'the mount holds "?"'),
        ({"options": {"password": PASSWORD}}, 'move it into "secret_options"'),
        ({"token_ttl": "1h", "options": {"token_ttl": "1h"}}, '"token_ttl" is given twice'),
        ({"audience": "vault"}, '"audience" is for type kubernetes, not approle'),
        ({"subject": "user"}, 'subject "user" is for type ldap, not approle'),
        ({"name": "a?b"}, "holds characters that the server refuses"),
        ({"name": None}, "missing required arguments: name"),
        ({"options": {"wholly_unheard_of": 1}}, 'does not know "wholly_unheard_of" of a role of type approle'),
    ],
)
def test_bad_input(
    role: Callable[..., Result], mounted: Callable[[str], str], options: dict[str, Any], message: str
) -> None:
    result = role(**{"mount": mounted("approle"), "name": "x", **options})
    assert result.failed
    assert message in result.msg
    result.hides(PASSWORD)


def test_what_the_server_would_refuse_is_refused_before(
    role: Callable[..., Result], mounted: Callable[[str], str], openbao: VaultServer
) -> None:
    users, approle = mounted("userpass"), mounted("approle")
    secret = {"password": PASSWORD}
    for mount, options, said in (
        (users, {}, "a new user needs a password"),
        (users, {"secret_options": {"password": ""}}, '"password" is empty or longer than 72 bytes'),
        (users, {"secret_options": {"password": PASSWORD * 4}}, '"password" is empty or longer than 72 bytes'),
        (users, {"secret_options": {**secret, "password_hash": PASSWORD}}, "contradict each other"),
        (users, {"secret_options": secret, "token_num_uses": -1}, 'token_num_uses": -1 is negative; give 0 or more'),
        (users, {"secret_options": secret, "token_ttl": "1500ms"}, "a fraction of a second"),
        (approle, {"options": {"bind_secret_id": False}}, 'without "bind_secret_id" everybody'),
        (approle, {"options": {"secret_id_ttl": "500ms"}}, "a fraction of a second"),
    ):
        for check in (True, False):
            result = role(check=check, mount=mount, roles=[{"name": "bad", **options}])
            assert said in result.msg and not result.changed, result.msg
            result.hides(PASSWORD)
    for mount in (users, approle):
        assert "holds characters that the server refuses" in role(mount=mount, name="team/one", secret_options={}).msg
        both = [{"name": name, "secret_options": secret if mount == users else {}} for name in ("bob", "Bob")]
        assert "is declared twice" in role(mount=mount, roles=both).msg
    assert role(mount=users, name="one", secret_options=secret).changed
    assert role(mount=users, name="one", token_ttl="1h").changed
    assert role(mount=approle, name="one", options={"local_secret_ids": True}).changed
    refused = role(check=True, mount=approle, name="one", options={"local_secret_ids": False})
    assert "local_secret_ids is true and cannot be changed" in refused.msg


def test_a_role_id_that_is_taken_leaves_nothing_behind(
    role: Callable[..., Result], mounted: Callable[[str], str], openbao: VaultServer
) -> None:
    mount = mounted("approle")
    assert role(mount=mount, name="one", options={"role_id": "the-same"}).changed
    taken = role(mount=mount, name="two", options={"role_id": "the-same"})
    assert "role_id already in use" in taken.msg and not taken.changed
    assert openbao.client().list(f"auth/{mount}/role")["data"]["keys"] == ["one"]
    changed = role(mount=mount, name="one", options={"role_id": "another"})
    assert changed["results"][0]["fields"] == ["role_id"]
    assert stands(openbao, f"{mount}/role/one/role-id")["role_id"] == "another"
