# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS: the auth method and the secrets engine, against a real server; without AWS itself, so nobody logs in.

What a server has decides which of these tests run: with ``VAULT_BINARY`` naming HashiCorp's all but the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
SECRET = "aws-secret-that-nobody-may-see"
ARN = "arn:aws:iam::123456789012:role/"


def has(openbao: VaultServer, what: str) -> bool:
    return "aws" in openbao.client().read("sys/plugins/catalog")["data"][what]


@pytest.fixture
def module(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(module_name: str, /, check: bool = False, **options: Any) -> Result:
        return run_module(module_name, {**vault_args, **options}, check=check, diff=True)

    return run


@pytest.fixture
def engine(openbao: VaultServer, unique: str) -> Iterator[str]:
    """Path of an AWS secrets engine."""
    if not has(openbao, "secret"):
        pytest.skip(f"{openbao.product} {openbao.version} has no AWS secrets engine in its plugin catalogue")
    path = f"aws-{unique}"
    openbao.client().sys.enable_secrets_engine("aws", path=path)
    yield path
    openbao.client().sys.disable_secrets_engine(path)


@pytest.fixture
def method(openbao: VaultServer, unique: str) -> Iterator[str]:
    """Path where an AWS auth method can be mounted."""
    if not has(openbao, "auth"):
        pytest.skip(f"{openbao.product} {openbao.version} has no AWS auth method in its plugin catalogue")
    yield f"awsauth-{unique}"
    openbao.client().sys.disable_auth_method(f"awsauth-{unique}")


def stored(openbao: VaultServer, path: str) -> dict[str, Any]:
    answer = openbao.client().read(path)
    return dict(answer["data"]) if answer else {}


def test_root_configuration_and_leases(module: Run, openbao: VaultServer, engine: str) -> None:
    wanted = {"mount": engine, "access_key": "AKIAONE", "secret_key": SECRET, "region": "eu-central-1"}
    wanted.update(lease="1h", lease_max="1d", identity_token_ttl="0")
    assert module("vault_aws_config", check=True, **wanted).changed
    assert stored(openbao, f"{engine}/config/root") == {}
    created = module("vault_aws_config", **wanted)
    assert created.changed, created.msg
    created.hides(SECRET)
    assert stored(openbao, f"{engine}/config/root")["access_key"] == "AKIAONE"
    assert stored(openbao, f"{engine}/config/lease") == {"lease": "1h0m0s", "lease_max": "24h0m0s"}
    again = module("vault_aws_config", **{**wanted, "lease": "3600", "secret_key": f"{SECRET}-2"})
    assert not again.changed, again["results"]

    changed = module("vault_aws_config", mount=engine, region="eu-west-1")
    assert changed["results"][0]["fields"] == ["region"]
    assert changed["diff"][0]["after"] == "region: eu-west-1\n"
    assert stored(openbao, f"{engine}/config/root")["access_key"] == "AKIAONE", "the rest stays"
    assert module("vault_aws_config", mount=engine, lease="2h")["results"][0]["fields"] == ["lease"]
    assert stored(openbao, f"{engine}/config/lease") == {"lease": "2h0m0s", "lease_max": "24h0m0s"}
    key = module("vault_aws_config", mount=engine, access_key="AKIATWO", secret_key=SECRET)
    assert key["results"][0]["fields"] == ["access_key", "secret_key"], "a secret goes with its key"
    key.hides(SECRET)
    forced = module("vault_aws_config", mount=engine, access_key="AKIATWO", secret_key=SECRET, update_secrets="always")
    assert forced["results"][0]["fields"] == ["secret_key"]


def test_bad_configurations(module: Run, openbao: VaultServer, engine: str) -> None:
    def refused(**options: Any) -> str:
        result = module("vault_aws_config", **{"mount": engine, **options})
        assert result.failed
        result.hides(SECRET)
        return result.msg

    assert '"secret_key" without its "access_key"' in refused(secret_key=SECRET)
    assert '"role_arn" and "access_key" contradict each other' in refused(
        role_arn=ARN, access_key="x", secret_key=SECRET
    )
    assert '"lease" and "lease_max" go together' in refused(lease="1h")
    assert "lease is longer than lease_max" in refused(lease="2h", lease_max="1h")
    assert '"soon" is not a duration' in refused(lease="soon", lease_max="1h")
    assert "cannot be removed by itself" in refused(state="absent")
    assert 'a secrets engine of type "cubbyhole" is mounted there' in refused(mount="cubbyhole", region="x")
    assert "nothing is mounted there" in refused(mount="no-such", region="x")
    assert stored(openbao, f"{engine}/config/root") == {}


def test_life_of_roles(module: Run, openbao: VaultServer, engine: str) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    roles: list[dict[str, Any]] = [
        {"name": "user", "credential_type": "iam_user", "policy_document": document, "iam_tags": {"team": "a"}},
        {
            "name": "assumed",
            "credential_type": "assumed_role",
            "role_arns": [f"{ARN}b", f"{ARN}a"],
            "max_sts_ttl": "1h",
        },
        {"name": "session", "credential_type": "session_token", "default_sts_ttl": "15m"},
    ]
    assert module("vault_aws_role", check=True, mount=engine, roles=roles)["summary"]["create"] == 3
    assert openbao.client().list(f"{engine}/roles") is None
    assert module("vault_aws_role", mount=engine, roles=roles)["summary"]["create"] == 3
    assert stored(openbao, f"{engine}/roles/assumed")["max_sts_ttl"] == 3600
    roles[0]["policy_document"] = json.dumps(document, indent=2, sort_keys=True)
    roles[1].update(role_arns=[f"{ARN}a", f"{ARN}b"], max_sts_ttl="60m")
    again = module("vault_aws_role", mount=engine, roles=roles)
    assert not again.changed, again["results"]

    one = {"mount": engine, "name": "assumed", "credential_type": "assumed_role"}
    changed = module("vault_aws_role", **one, max_sts_ttl="2h")
    assert changed["results"][0]["fields"] == ["max_sts_ttl"]
    assert stored(openbao, f"{engine}/roles/assumed")["max_sts_ttl"] == 7200
    assert len(stored(openbao, f"{engine}/roles/assumed")["role_arns"]) == 2, "the rest stays"
    purged = module("vault_aws_role", mount=engine, roles=[roles[0]], purge=True, protected=["session"])
    assert [one["name"] for one in purged["results"] if one["changed"]] == [f"{engine}/assumed"]
    assert module("vault_aws_role", check=True, mount=engine, name="user", state="absent").changed
    assert module("vault_aws_role", mount=engine, name="user", state="absent").changed
    assert openbao.client().list(f"{engine}/roles")["data"]["keys"] == ["session"]


def test_bad_roles(module: Run, openbao: VaultServer, engine: str) -> None:
    def refused(**options: Any) -> str:
        result = module("vault_aws_role", **{"mount": engine, "name": "x", **options})
        assert result.failed
        return result.msg

    assert '"credential_type" is missing' in refused()
    assert 'the mount holds "?"' in refused(mount=f"{engine}?x", credential_type="iam_user", iam_groups=["g"])
    assert "without role_arns gives nobody any right" in refused(credential_type="assumed_role")
    assert "without policy_arns or policy_document or iam_groups" in refused(credential_type="iam_user")
    user = {"credential_type": "iam_user", "iam_groups": ["g"]}
    assert 'a role of type iam_user has no "role_arns"' in refused(**user, role_arns=[ARN])
    assert '"policy_document" is not a JSON document' in refused(**user, policy_document="{Version")
    times = {"credential_type": "session_token", "default_sts_ttl": "2h", "max_sts_ttl": "1h"}
    assert "default_sts_ttl is longer than max_sts_ttl" in refused(**times)
    assert module("vault_aws_role", mount=engine, name="x", **user).changed
    other = refused(credential_type="session_token")
    assert "it gives credentials of type iam_user, and session_token is declared" in other


def test_auth_method(module: Run, openbao: VaultServer, method: str) -> None:
    wanted: dict[str, Any] = {"path": method, "type": "aws", "secret_config": {"secret_key": SECRET}}
    wanted["config"] = {"access_key": "AKIAONE", "sts_region": "eu-west-1", "iam_alias": "unique_id"}
    assert module("vault_auth", check=True, **wanted).changed
    created = module("vault_auth", **wanted)
    assert created.changed, created.msg
    created.hides(SECRET)
    assert stored(openbao, f"auth/{method}/config/client")["sts_region"] == "eu-west-1"
    assert stored(openbao, f"auth/{method}/config/identity")["iam_alias"] == "unique_id"
    assert not module("vault_auth", **wanted).changed
    part = module("vault_auth", path=method, type="aws", config={"iam_alias": "role_id", "max_retries": 3})
    assert part["results"][0]["fields"] == ["config.iam_alias", "config.max_retries"]
    key = module("vault_auth", **{**wanted, "config": {"access_key": "AKIATWO"}})
    assert key["results"][0]["fields"] == ["config.access_key", "config.secret_key"], "a secret goes with its key"
    key.hides(SECRET)
    open_secret = module("vault_auth", path=method, type="aws", config={"secret_key": SECRET})
    assert '"secret_key" is a secret' in open_secret.msg
    open_secret.hides(SECRET)
    slip = module("vault_auth", path=method, type="aws", config={"stsregion": "x"})
    assert 'the server ignores "stsregion"' in slip.msg


def test_auth_roles(module: Run, openbao: VaultServer, method: str) -> None:
    module("vault_auth", path=method, type="aws")
    account = {"name": "210987654321", "subject": "sts_account", "options": {"sts_role": f"{ARN}vault"}}
    bound = {"auth_type": "iam", "bound_iam_principal_arn": f"{ARN}worker", "resolve_aws_unique_ids": False}
    roles = [{"name": "worker", "token_policies": ["default"], "token_ttl": "10m", "options": bound}, account]
    assert module("vault_auth_role", check=True, mount=method, roles=roles)["summary"]["create"] == 2
    created = module("vault_auth_role", mount=method, roles=roles)
    assert created["summary"]["create"] == 2, created.msg
    assert stored(openbao, f"auth/{method}/role/worker")["token_ttl"] == 600
    assert stored(openbao, f"auth/{method}/config/sts/210987654321")["sts_role"] == f"{ARN}vault"
    again = module("vault_auth_role", mount=method, roles=roles)
    assert not again.changed, again["results"]
    changed = module("vault_auth_role", mount=method, name="worker", token_ttl="20m")
    assert changed["results"][0]["fields"] == ["token_ttl"]
    assert stored(openbao, f"auth/{method}/role/worker")["bound_iam_principal_arn"] == [f"{ARN}worker"]
    fixed = module("vault_auth_role", mount=method, name="worker", options={"auth_type": "ec2"})
    assert "auth_type is iam and cannot be changed to ec2" in fixed.msg
    nothing = module("vault_auth_role", mount=method, name="nothing", options={"auth_type": "iam"})
    assert "at least one bound parameter" in nothing.msg
    wrong = module("vault_auth_role", mount=method, **{**account, "options": {"role": "x"}})
    assert '"role" is not a field of a sts account; use external_id, sts_role' in wrong.msg
    purged = module("vault_auth_role", mount=method, roles=[], purge=True)
    assert purged["summary"]["delete"] == 1
    assert stored(openbao, f"auth/{method}/config/sts/210987654321") != {}
    assert module("vault_auth_role", mount=method, **{**account, "state": "absent"}).changed


def test_a_server_that_has_none_of_it(module: Run, openbao: VaultServer, unique: str) -> None:
    if has(openbao, "secret") or has(openbao, "auth"):
        pytest.skip("this server has it")
    for check in (True, False):
        for name, options in (
            ("vault_aws_config", {"mount": unique, "access_key": "AKIAONE", "secret_key": SECRET}),
            ("vault_aws_role", {"mount": unique, "name": "x", "credential_type": "assumed_role", "role_arns": [ARN]}),
        ):
            refused = module(name, check=check, **options)
            assert 'the engine "aws" is not in the plugin catalogue of OpenBao' in refused.msg
            assert "register it there as an external plugin" in refused.msg
            assert "or use HashiCorp Vault" in refused.msg
            refused.hides(SECRET)
        mount = module("vault_secrets_engine", check=check, path=unique, type="aws")
        assert 'this server has no secrets engine of type "aws"; register a plugin' in mount.msg
        auth = module("vault_auth", check=check, path=unique, type="aws")
        assert 'has no auth method of type "aws"; register it as an external plugin' in auth.msg
    assert f"{unique}/" not in openbao.client().sys.list_mounted_secrets_engines()["data"]
