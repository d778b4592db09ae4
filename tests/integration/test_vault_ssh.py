# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_ssh_ca and vault_ssh_role against a real server; what is signed is read by the SSH library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest
from cryptography.hazmat.primitives import serialization

from support.modules import Result
from support.openbao import VaultServer
from support.ssh import body, key_pair

Run = Callable[..., Result]


@pytest.fixture
def mount(openbao: VaultServer, unique: str) -> Iterator[str]:
    client = openbao.client()
    client.sys.enable_secrets_engine("ssh", path=unique)
    yield unique
    client.sys.disable_secrets_engine(unique)


@pytest.fixture
def ca(run_module: Run, vault_args: dict[str, Any], mount: str) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_ssh_ca", {**vault_args, "mount": mount, **options}, check=check, diff=True)

    return run


@pytest.fixture
def role(run_module: Run, vault_args: dict[str, Any], mount: str) -> Run:
    def run(check: bool = False, **options: Any) -> Result:
        return run_module("vault_ssh_role", {**vault_args, "mount": mount, **options}, check=check, diff=True)

    return run


def stored(openbao: VaultServer, path: str) -> dict[str, Any]:
    answer = openbao.client().read(path)
    return dict(answer["data"]) if answer else {}


def test_a_key_is_made_once(ca: Run, openbao: VaultServer, mount: str) -> None:
    planned = ca(check=True, key_type="ed25519")
    assert planned.changed and "key_type: ed25519" in planned["diff"][0]["after"]
    assert openbao.client().list(f"{mount}/issuers") is None
    made = ca(key_type="ed25519")
    assert made.changed and made["public_key"].startswith("ssh-ed25519 "), made.msg
    for options in ({"key_type": "ed25519"}, {"key_type": "ssh-ed25519"}, {}, {"key_bits": 0}):
        again = ca(**options)
        assert not again.failed and not again.changed and again["public_key"] == made["public_key"], again.msg


def test_a_key_is_not_replaced(ca: Run, openbao: VaultServer, mount: str) -> None:
    made = ca(key_type="ed25519")
    for check in (True, False):
        refused = ca(check=check, key_type="rsa")
        assert refused.failed and "its key is of type ssh-ed25519 and cannot become rsa" in refused.msg
        assert "cannot become ec" in ca(check=check, key_type="ec").msg
        public, private = key_pair()
        refused = ca(check=check, public_key=public, private_key=private)
        assert "it has another key than the declared one" in refused.msg
        refused.hides(*body(private))
    assert stored(openbao, f"{mount}/config/ca")["public_key"].strip() == made["public_key"]


def test_a_key_is_removed_and_made_in_another_size(ca: Run, openbao: VaultServer, mount: str) -> None:
    assert ca(key_type="ed25519").changed
    assert ca(check=True, state="absent").changed
    assert stored(openbao, f"{mount}/config/ca")
    assert ca(state="absent").changed
    assert not ca(state="absent").changed
    sized = ca(key_type="rsa", key_bits=2048)
    assert sized.changed and not ca(key_type="ssh-rsa", key_bits=2048).changed
    assert "its key has 2048 bits and cannot get 4096" in ca(key_type="rsa", key_bits=4096).msg
    assert ca(state="absent").changed
    assert ca(key_type="ec", key_bits=384).changed and not ca(key_type="ec", key_bits=384).changed
    assert "its key has 384 bits and cannot get 256" in ca(key_type="ec", key_bits=256).msg


def test_an_own_key(ca: Run, mount: str) -> None:
    public, private = key_pair()
    lines = body(private)
    for check in (True, False):
        made = ca(check=check, public_key=f"{public} ca@example.com", private_key=private)
        assert made.changed, made.msg
        made.hides(*lines)
    again = ca(public_key=public, private_key=private)
    assert not again.failed and not again.changed, again.msg
    again.hides(*lines)


def test_bad_authorities(ca: Run, openbao: VaultServer, mount: str) -> None:
    public, private = key_pair()
    for options, message in (
        ({"private_key": private}, '"private_key" and "public_key" go together'),
        ({"public_key": public}, '"private_key" and "public_key" go together'),
        ({"public_key": public, "private_key": private, "key_type": "rsa"}, "are for a key that the server makes"),
        ({"mount": "cubbyhole"}, 'of type "cubbyhole" is mounted there, not "ssh"'),
        ({"mount": f"{mount}-no-such"}, "nothing is mounted there"),
    ):
        refused = ca(**options)
        assert refused.failed and message in refused.msg, (message, refused.msg)
        refused.hides(*body(private))
    assert openbao.client().list(f"{mount}/issuers") is None


OPERATORS: dict[str, Any] = {
    "name": "operators",
    "key_type": "ca",
    "allow_user_certificates": True,
    "allowed_users": ["admin", "deploy"],
    "allowed_user_key_lengths": {"ed25519": 0, "rsa": [4096, 2048]},
    "default_extensions": {"permit-pty": ""},
    "default_user": "admin",
    "ttl": "30m",
    "max_ttl": "1h",
}


def test_a_role_is_made_once_and_signs(role: Run, ca: Run, openbao: VaultServer, mount: str) -> None:
    client, wanted = openbao.client(), OPERATORS
    assert ca(key_type="ed25519").changed
    assert role(check=True, **wanted).changed and client.list(f"{mount}/roles") is None
    made = role(**wanted)
    assert made.changed, made.msg
    kept = stored(openbao, f"{mount}/roles/operators")
    assert kept["allowed_users"] == "admin,deploy" and kept["ttl"] == 1800
    same = {**wanted, "allowed_users": ["deploy", "admin"], "ttl": "1800", "algorithm_signer": "default"}
    same["allowed_user_key_lengths"] = {"rsa": [2048, 4096], "ed25519": [0]}
    again = role(**same)
    assert not again.failed and not again.changed, again.get("results") or again.msg

    public, _ = key_pair()
    request = {"public_key": public, "valid_principals": "deploy"}
    signed = client.write_data(f"{mount}/sign/operators", data=request)["data"]["signed_key"]
    certificate = serialization.load_ssh_public_identity(signed.encode())
    assert isinstance(certificate, serialization.SSHCertificate)
    assert certificate.valid_principals == [b"deploy"] and certificate.extensions == {b"permit-pty": b""}


def test_a_field_of_a_role_is_changed_and_the_rest_stays(role: Run, openbao: VaultServer, mount: str) -> None:
    assert role(**OPERATORS).changed
    kept = stored(openbao, f"{mount}/roles/operators")
    planned = role(check=True, name="operators", ttl="45m")
    assert planned["results"][0]["fields"] == ["ttl"] and planned["diff"][0]["before"] == "ttl: 1800\n"
    assert stored(openbao, f"{mount}/roles/operators")["ttl"] == 1800
    assert role(name="operators", ttl="45m").changed
    # the server replaces a role: nothing of the rest is lost
    changed = stored(openbao, f"{mount}/roles/operators")
    assert changed == {**kept, "ttl": 2700}
    refused = role(name="operators", ttl="2h")
    assert refused.failed and "ttl is longer than max_ttl, with what the server has" in refused.msg


def test_a_role_changes_its_type_and_is_removed(role: Run, openbao: VaultServer, mount: str) -> None:
    assert role(**OPERATORS).changed
    other = role(name="operators", key_type="otp")
    assert other.changed and other["results"][0]["fields"] == ["key_type"]
    assert stored(openbao, f"{mount}/roles/operators") == {
        "key_type": "otp",
        "default_user": "admin",
        "allowed_users": "admin,deploy",
        "cidr_list": "",
        "exclude_cidr_list": "",
        "port": 22,
    }
    assert role(check=True, name="operators", state="absent").changed
    assert role(name="operators", state="absent").changed
    assert not role(name="operators", state="absent").changed


def test_one_time_passwords(role: Run, openbao: VaultServer, mount: str) -> None:
    wanted = {"name": "old-hosts", "key_type": "otp", "default_user": "ubuntu", "cidr_list": ["10.1.0.0/16"]}
    assert role(**wanted).changed
    assert not role(**wanted, port=22).changed
    client = openbao.client()
    given = client.write_data(f"{mount}/creds/old-hosts", data={"ip": "10.1.2.3"})["data"]
    assert given["username"] == "ubuntu"
    checked = client.write_data(f"{mount}/verify", data={"otp": given["key"]})["data"]
    assert checked["ip"] == "10.1.2.3"
    assert role(name="old-hosts", exclude_cidr_list=["10.1.2.0/24"]).changed
    with pytest.raises(Exception, match=r"not found|does not belong"):
        client.write_data(f"{mount}/creds/old-hosts", data={"ip": "10.1.2.3"})
    assert client.write_data(f"{mount}/creds/old-hosts", data={"ip": "10.1.3.3"})["data"]["key"]


def test_purge(role: Run, openbao: VaultServer, mount: str) -> None:
    roles = [{"name": name, "key_type": "otp", "default_user": "x"} for name in ("a", "b", "c")]
    assert role(roles=roles)["summary"]["create"] == 3
    assert not role(roles=roles).changed
    done = role(roles=roles[:1], purge=True, protected=["c"])
    assert [one["name"] for one in done["results"] if one["changed"]] == [f"{mount}/b"]
    assert openbao.client().list(f"{mount}/roles")["data"]["keys"] == ["a", "c"]


def test_what_the_server_keeps_in_another_form(role: Run, openbao: VaultServer, mount: str) -> None:
    nothing = {"permit-pty": None, "permit-X11-forwarding": ""}
    for wanted in (
        {"name": "ca", "key_type": "ca", "allow_user_certificates": True, "default_extensions": nothing},
        {"name": "otp", "key_type": "otp", "default_user": "ubuntu", "port": 0},
    ):
        assert role(**wanted).changed
        again = role(**wanted)
        assert not again.failed and not again.changed, again.get("results")
    kept = openbao.client().read(f"{mount}/roles/ca")["data"]["default_extensions"]
    assert kept == {"permit-pty": "", "permit-X11-forwarding": ""}


def test_bad_roles_are_refused_before_anything_changes(role: Run, openbao: VaultServer, mount: str) -> None:
    user = {"key_type": "ca", "allow_user_certificates": True}
    otp = {"key_type": "otp", "default_user": "x"}
    for options, message in (
        ({}, '"key_type" is missing'),
        ({"key_type": "dynamic"}, "value of key_type must be one of"),
        ({"key_type": "ca"}, "neither certificates of users nor of hosts"),
        ({"key_type": "otp"}, '"default_user" is missing'),
        ({**user, "ttl": "2h", "max_ttl": "1h"}, "ttl is longer than max_ttl"),
        ({**user, "ttl": "half an hour"}, "is not a duration"),
        ({**user, "port": 22}, 'a role of type ca has no "port"'),
        ({**otp, "ttl": "5m"}, 'a role of type otp has no "ttl"'),
        ({**otp, "cidr_list": ["everywhere"]}, 'cidr_list: "everywhere" is not a network'),
        ({**otp, "cidr_list": ["10.0.0.1"]}, 'write "10.0.0.1/32"'),
        ({**user, "name": "a/b"}, "characters that the server refuses"),
        ({**user, "name": "ä"}, "characters that the server refuses"),
        ({**user, "ttl": "500ms"}, "holds a fraction of a second"),
        ({**user, "mount": "a?b"}, 'the mount holds "?"'),
        ({**user, "mount": f"{mount}-no-such"}, "nothing is mounted there"),
    ):
        refused = role(**{"name": "bad", **options})
        assert refused.failed and not refused.changed and message in refused.msg, (message, refused.msg)
    assert openbao.client().list(f"{mount}/roles") is None
