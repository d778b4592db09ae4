# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People who log in by what is declared: with a password, a certificate, or in the browser by a real OIDC provider.

The provider is the server's own; what a browser does is done by requests.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from typing import Any, Callable

import hvac
import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
FIRST, SECOND = "first-password-of-ada", "second-password-of-ada"
REDIRECT = "https://127.0.0.1:8250/oidc/callback"


@pytest.fixture
def module(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(name: str, /, check: bool = False, **options: Any) -> Result:
        return run_module(name, {**vault_args, **options}, check=check, diff=True)

    return run


@pytest.fixture
def path(openbao: VaultServer, unique: str) -> Iterator[str]:
    yield unique
    for mount in (unique, f"{unique}-users"):
        openbao.client().sys.disable_auth_method(mount)


def enters(openbao: VaultServer, mount: str, password: str) -> list[str]:
    """Return the policies of a login by a password, none when it is refused."""
    try:
        answer = openbao.client("").auth.userpass.login("ada", password, mount_point=mount)
    except hvac.exceptions.VaultError:
        return []
    return sorted(answer["auth"]["policies"])


def test_by_a_password(module: Run, openbao: VaultServer, path: str) -> None:
    assert module("vault_auth", path=path, type="userpass").changed
    user: dict[str, Any] = {"mount": path, "name": "ada", "token_policies": ["own"], "token_ttl": "1h"}
    wanted = {**user, "secret_options": {"password": FIRST}}
    assert module("vault_auth_role", check=True, **wanted).changed and not enters(openbao, path, FIRST)
    made = module("vault_auth_role", **wanted)
    assert made.changed and 'no policy has the name "own"' in str(made["warnings"]), made.get("warnings")
    assert enters(openbao, path, FIRST) == ["default", "own"]
    assert not module("vault_auth_role", **wanted).changed
    other = {**user, "secret_options": {"password": SECOND}}
    assert not module("vault_auth_role", **other).changed, "what the server never returns is written once"
    assert module("vault_auth_role", check=True, **other, update_secrets="always").changed
    assert enters(openbao, path, FIRST)
    changed = module("vault_auth_role", **other, update_secrets="always")
    assert changed["results"][0]["fields"] == ["password"]
    changed.hides(FIRST, SECOND)
    assert enters(openbao, path, SECOND) and not enters(openbao, path, FIRST)
    assert module("vault_auth_role", mount=path, name="ada", token_policies=["default"]).changed
    assert enters(openbao, path, SECOND) == ["default"], "the password stays"
    assert module("vault_auth_role", mount=path, name="ada", state="absent").changed
    assert not enters(openbao, path, SECOND)


def test_by_a_certificate(module: Run, openbao: VaultServer, path: str) -> None:
    assert module("vault_auth", path=path, type="cert").changed
    options = {"certificate": openbao.authority.ca.read_text(), "allowed_common_names": ["ada"]}
    wanted = {"mount": path, "name": "people", "token_ttl": "30m", "options": options}
    assert module("vault_auth_role", check=True, **wanted).changed
    assert module("vault_auth_role", **wanted).changed
    assert not module("vault_auth_role", **wanted).changed
    ada, eve = (openbao.authority.issue(f"{path}-{name}", common_name=name) for name in ("ada", "eve"))

    def login(pair: Any) -> bool:
        client = hvac.Client(url=openbao.url, verify=openbao.ca_cert, cert=(str(pair.cert), str(pair.key)))
        try:
            return bool(client.write_data(f"auth/{path}/login", data={"name": "people"})["auth"]["client_token"])
        except hvac.exceptions.VaultError:
            return False

    assert login(ada) and not login(eve)
    changed = module("vault_auth_role", mount=path, name="people", options={"allowed_common_names": ["ada", "eve"]})
    assert changed["results"][0]["fields"] == ["allowed_common_names"]
    assert login(ada) and login(eve)
    assert module("vault_auth_role", mount=path, name="people", state="absent").changed
    assert not login(ada)


@pytest.fixture
def provider(module: Run, openbao: VaultServer, path: str) -> dict[str, str]:
    """An OIDC provider with one user, who is in one group: all of it declared, as far as there are modules."""
    client, users = openbao.client(), f"{path}-users"
    may = f'path "identity/oidc/provider/{path}/authorize" {{ capabilities = ["read"] }}'
    assert module("vault_policy", name=path, policy=may).changed
    assert module("vault_auth", path=users, type="userpass").changed
    user = {"mount": users, "name": "ada", "token_policies": [path], "secret_options": {"password": FIRST}}
    assert module("vault_auth_role", **user).changed
    assert module("vault_identity_entity", name=path, aliases=[{"name": "ada", "mount": users}]).changed
    assert module("vault_identity_group", name=f"{path}-staff", member_entities=[path]).changed
    app = {"redirect_uris": [REDIRECT], "assignments": ["allow_all"], "id_token_ttl": "10m", "access_token_ttl": "10m"}
    scope = {"template": '{"groups": {{identity.entity.groups.names}}, "name": {{identity.entity.name}}}'}
    for place, data in (
        (f"client/{path}", app),
        (f"scope/{path}", scope),
        (f"provider/{path}", {"allowed_client_ids": ["*"], "scopes_supported": [path]}),
    ):
        done = module("vault_endpoint", path=f"identity/oidc/{place}", data=data)
        assert done.changed, done.msg
        again = module("vault_endpoint", path=f"identity/oidc/{place}", data=data)
        assert not again.failed and not again.changed, again.get("results") or again.msg
    made = client.read(f"identity/oidc/client/{path}")["data"]
    return {"id": made["client_id"], "secret": made["client_secret"]}


def test_in_the_browser(module: Run, openbao: VaultServer, path: str, provider: dict[str, str]) -> None:
    method: dict[str, Any] = {
        "path": path,
        "type": "oidc",
        "config": {
            "oidc_discovery_url": f"{openbao.url}/v1/identity/oidc/provider/{path}",
            "oidc_discovery_ca_pem": openbao.authority.ca.read_text(),
            "oidc_client_id": provider["id"],
            "default_role": "staff",
        },
        "secret_config": {"oidc_client_secret": provider["secret"]},
    }
    role = {
        "mount": path,
        "name": "staff",
        "token_policies": ["default"],
        "token_ttl": "15m",
        "options": {
            "role_type": "oidc",
            "user_claim": "name",
            "groups_claim": "groups",
            "bound_claims": {"groups": [f"{path}-staff"]},
            "oidc_scopes": [path],
            "allowed_redirect_uris": [REDIRECT],
        },
    }
    for name, options in (("vault_auth", method), ("vault_auth_role", role)):
        assert module(name, check=True, **options).changed
        for changed in (True, False):
            done = module(name, **options)
            assert not done.failed and done.changed is changed, done.get("results") or done.msg
            done.hides(provider["secret"])

    answer = browse(openbao, path)
    assert answer["policies"] == ["default"] and answer["lease_duration"] == 900
    assert answer["metadata"]["role"] == "staff"

    changed = module("vault_auth_role", mount=path, name="staff", options={"bound_claims": {"groups": ["directors"]}})
    assert changed["results"][0]["fields"] == ["bound_claims"]
    with pytest.raises(hvac.exceptions.VaultError, match="bound claim"):
        browse(openbao, path)
    assert module("vault_auth_role", **role)["results"][0]["fields"] == ["bound_claims"]
    assert browse(openbao, path)["client_token"]

    other = {**method, "config": {**method["config"], "default_role": "other"}}
    changed = rehearsed(module, openbao, path, "vault_auth", other)
    assert changed["results"][0]["fields"][0] == "config.default_role"
    assert (
        "default_role: staff" in changed["diff"][0]["before"] and "default_role: other" in changed["diff"][0]["after"]
    )
    changed.hides(provider["secret"])
    assert browse(openbao, path)["client_token"], "the secret goes along with what is changed"
    changed = rehearsed(module, openbao, path, "vault_auth_role", {**role, "token_ttl": "20m"})
    assert "token_ttl: 900" in changed["diff"][0]["before"] and "token_ttl: 20m" in changed["diff"][0]["after"]
    assert browse(openbao, path)["lease_duration"] == 1200
    for name, options, words in (
        ("vault_auth_role", {"mount": path, "name": "staff"}, "token_ttl: 1200"),
        ("vault_auth", {"path": path}, "type: oidc"),
    ):
        gone = rehearsed(module, openbao, path, name, {**options, "state": "absent"})
        assert words in gone["diff"][0]["before"] and not gone["diff"][0]["after"]
        gone.hides(provider["secret"])


def rehearsed(module: Run, openbao: VaultServer, path: str, name: str, options: dict[str, Any]) -> Result:
    """Run a module in check mode, which changes nothing, and for real, which shows the same."""

    def state() -> list[Any]:
        client = openbao.client()
        answers = [client.read(place) for place in (f"auth/{path}/config", f"auth/{path}/role/staff")]
        mounted = client.read("sys/auth")["data"].get(f"{path}/")
        return [mounted, *((answer or {}).get("data") for answer in answers)]

    before = state()
    planned = module(name, check=True, **options)
    assert planned.changed and not planned.failed and state() == before, planned.msg
    done = module(name, **options)
    assert done.changed and not done.failed and state() != before, done.msg
    assert done["diff"] == planned["diff"] and done["results"] == planned["results"]
    return done


def browse(openbao: VaultServer, path: str) -> dict[str, Any]:
    """Go the way that a browser goes: to the provider, log in there, and come back with a code."""
    request = {"role": "staff", "redirect_uri": REDIRECT, "client_nonce": "nonce-of-a-browser"}
    anonymous = openbao.client("")
    begun = anonymous.write_data(f"auth/{path}/oidc/auth_url", data=request)["data"]["auth_url"]
    assert begun, "the redirect URI is not allowed"
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(begun).query))
    person = openbao.client("").auth.userpass.login("ada", FIRST, mount_point=f"{path}-users")["auth"]["client_token"]
    place = f"/v1/identity/oidc/provider/{path}/authorize"
    agreed = openbao.client(person).adapter.get(place, params=query)
    agreed = agreed if isinstance(agreed, dict) else agreed.json()
    back = {"state": agreed["state"], "code": agreed["code"], "client_nonce": "nonce-of-a-browser"}
    answer = openbao.client("").adapter.get(f"/v1/auth/{path}/oidc/callback", params=back)
    answer = answer if isinstance(answer, dict) else answer.json()
    return dict(answer["auth"])
