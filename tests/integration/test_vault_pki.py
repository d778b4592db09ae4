# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_pki_ca and vault_pki_role against a real server."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest
from cryptography import x509

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]


@pytest.fixture
def mount(run_module: Run, vault_args: dict[str, Any], unique: str) -> str:
    """The prefix of three PKI mounts: -a, -b, -c."""
    engines = [
        {"path": f"{unique}-{name}", "type": "pki", "tune": {"max_lease_ttl": "87600h"}} for name in ("a", "b", "c")
    ]
    made = run_module("vault_secrets_engine", {**vault_args, "engines": engines})
    assert made.changed, made.msg
    return unique


@pytest.fixture
def ca(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, diff: bool = False, **options: Any) -> Result:
        return run_module("vault_pki_ca", {**vault_args, **options}, check=check, diff=diff)

    return run


@pytest.fixture
def role(run_module: Run, vault_args: dict[str, Any]) -> Run:
    def run(check: bool = False, diff: bool = False, **options: Any) -> Result:
        return run_module("vault_pki_role", {**vault_args, **options}, check=check, diff=diff)

    return run


def warned(result: Result) -> str:
    return str(result.get("warnings", ""))


def test_root_and_intermediate_in_one_task(ca: Run, openbao: VaultServer, mount: str) -> None:
    root: dict[str, Any] = {
        "mount": f"{mount}-a",
        "common_name": "Test Root",
        "organization": ["Example"],
        "issuer_name": "root-1",
        "default_issuer": "root-1",
        "key_type": "ec",
        "key_bits": 384,
        "ttl": "8760h",
        "alt_names": ["one.example.com", "two.example.com"],
        # without any the server warns when it signs
        "urls": {"issuing_certificates": ["https://vault.example.com/v1/{mount}/ca"]},
    }
    issuing: dict[str, Any] = {
        "mount": f"{mount}-b",
        "type": "intermediate",
        "issuer_mount": f"{mount}-a",
        "common_name": "Test Issuing",
        "issuer_name": "issuing-1",
        "key_type": "ec",
        "ttl": "4380h",
        "urls": {"issuing_certificates": ["https://vault.example.com/v1/{mount}/ca"]},
        "crl": {"expiry": "3d", "auto_rebuild": True},
    }
    client = openbao.client()
    planned = ca(authorities=[issuing, root], check=True, diff=True)
    assert planned["summary"]["create"] == 2, planned.msg
    assert client.list(f"{mount}-a/issuers") is None

    # the one that is signed stands first, and is made last
    made = ca(authorities=[issuing, root])
    assert made["summary"]["create"] == 2, made.msg
    assert not warned(made)
    chain = made["results"][0]["info"]["ca_chain"]
    signed, signer = (x509.load_pem_x509_certificate(pem.encode()) for pem in chain)
    signed.verify_directly_issued_by(signer)
    assert signed.subject.rfc4514_string() == "CN=Test Issuing"
    access = signer.subject.rfc4514_string()
    assert "O=Example" in access
    again = ca(authorities=[issuing, root])
    assert not again.failed and not again.changed and not warned(again)
    assert again["results"][0]["info"]["certificate"] == chain[0]
    issuers = client.list(f"{mount}-b/issuers")["data"]["key_info"]
    default = client.read(f"{mount}-b/config/issuers")["data"]["default"]
    assert issuers[default]["issuer_name"] == "issuing-1"
    assert "PRIVATE KEY" not in made.stdout

    issuing["crl"]["expiry"] = "96h"
    issuing["issuer_name"] = "issuing-a"
    planned = ca(**issuing, check=True, diff=True)
    assert planned["results"][0]["fields"] == ["crl.expiry", "issuer_name"]
    assert "issuer_name: issuing-1" in planned["diff"][0]["before"]
    assert ca(**issuing).changed
    found = client.read(f"{mount}-b/issuer/issuing-a")["data"]
    assert found["issuer_id"] == default
    assert client.read(f"{mount}-b/config/crl")["data"]["auto_rebuild"] is True
    urls = client.read(f"{mount}-b/config/urls")["data"]["issuing_certificates"]
    assert urls == [f"https://vault.example.com/v1/{mount}-b/ca"]
    assert not ca(**issuing).changed

    # a certificate that stands is not silently another than the declared one
    differing = ca(**{**root, "common_name": "Another Root", "key_bits": 256, "ttl": "24h"})
    assert not differing.changed
    for part in ('common_name is "Test Root", not "Another Root"', 'key_bits is "384", not "256"', "ttl is"):
        assert part in warned(differing)

    assert ca(mount=f"{mount}-b", state="absent", check=True).changed
    assert client.list(f"{mount}-b/issuers") is not None
    assert ca(mount=f"{mount}-b", state="absent").changed
    assert client.list(f"{mount}-b/issuers") is None
    assert not ca(mount=f"{mount}-b", state="absent").changed


def test_an_external_authority_signs_the_request(ca: Run, openbao: VaultServer, mount: str) -> None:
    client = openbao.client()
    assert ca(mount=f"{mount}-a", common_name="External", key_type="ec", ttl="8760h").changed
    wanted: dict[str, Any] = {
        "mount": f"{mount}-c",
        "type": "intermediate",
        "common_name": "Signed Outside",
        "issuer_name": "outside",
        "key_type": "ec",
    }
    asked = ca(**wanted)
    assert asked.changed and "certificate" not in asked
    key = x509.load_pem_x509_csr(asked["csr"].encode()).public_key()
    repeated = ca(**wanted)
    assert not repeated.changed
    assert x509.load_pem_x509_csr(repeated["csr"].encode()).public_key() == key
    assert len(client.list(f"{mount}-c/keys")["data"]["keys"]) == 1

    def sign(csr: str) -> str:
        answer = client.write_data(
            f"{mount}-a/root/sign-intermediate", data={"csr": csr, "common_name": "Signed Outside", "ttl": "24h"}
        )
        return "\n".join([answer["data"]["certificate"], answer["data"]["issuing_ca"]])

    foreign = client.write_data(
        f"{mount}-b/intermediate/generate/internal", data={"common_name": "x", "key_type": "ec"}
    )["data"]["csr"]
    for check in (True, False):
        refused = ca(**wanted, certificate=sign(foreign), check=check)
        assert refused.failed and "another key than that of this mount's CSR" in refused.msg
    assert client.list(f"{mount}-c/issuers") is None

    signed = sign(repeated["csr"])
    planned = ca(**wanted, certificate=signed, check=True)
    assert planned["results"][0]["fields"] == ["certificate", "default_issuer", "issuer_name"] or planned["results"][0][
        "fields"
    ] == ["certificate", "issuer_name"]
    taken = ca(**wanted, certificate=signed)
    assert taken.changed, taken.msg
    assert taken["issuer_name"] == "outside" and "csr" not in taken
    assert x509.load_pem_x509_certificate(taken["certificate"].encode()).public_key() == key
    assert client.read(f"{mount}-c/config/issuers")["data"]["default"] == taken["issuer_id"]
    assert not ca(**wanted, certificate=signed).changed
    assert not ca(**wanted).changed

    # the renewed certificate of the same key wants a name of its own
    renewed = sign(repeated["csr"])
    clash = ca(**wanted, certificate=renewed)
    assert clash.failed and 'declare a new "issuer_name"' in clash.msg
    wanted.update(issuer_name="outside-2", default_issuer="outside-2")
    assert ca(**wanted, certificate=renewed)["issuer_name"] == "outside-2"
    assert not ca(**wanted, certificate=renewed).changed
    assert len(client.list(f"{mount}-c/keys")["data"]["keys"]) == 1


def test_an_interrupted_intermediate_is_completed(ca: Run, openbao: VaultServer, mount: str) -> None:
    assert ca(mount=f"{mount}-a", common_name="Root", key_type="ec", ttl="8760h").changed
    client = openbao.client()
    # the run before ended after the key was made
    key = client.write_data(
        f"{mount}-b/intermediate/generate/internal", data={"common_name": "Issuing", "key_type": "ec"}
    )["data"]["key_id"]
    wanted = {"mount": f"{mount}-b", "type": "intermediate", "common_name": "Issuing", "issuer_mount": f"{mount}-a"}
    assert ca(**wanted, key_type="ec", check=True).changed
    done = ca(**wanted, key_type="ec", ttl="24h")
    assert done.changed and done["key_id"] == key
    assert not ca(**wanted, key_type="ec").changed


def test_what_is_cleared_up(ca: Run, openbao: VaultServer, mount: str) -> None:
    client = openbao.client()
    wanted: dict[str, Any] = {"mount": f"{mount}-a", "common_name": "Root", "key_type": "ec", "ttl": "8760h"}
    idle = ca(**wanted, tidy={"enabled": True}, check=True)
    assert '"tidy" is enabled, and nothing is to be cleared up; set one of tidy_cert_store' in idle.msg
    wanted["tidy"] = {"enabled": True, "tidy_cert_store": True, "interval_duration": "1d", "pause_duration": "1s"}
    assert ca(**wanted, check=True).changed
    made = ca(**wanted)
    assert made.changed, made.msg
    found = client.read(f"{mount}-a/config/auto-tidy")["data"]
    assert (found["enabled"], found["tidy_cert_store"], found["interval_duration"]) == (True, True, 86400)
    wanted["tidy"].update(interval_duration="24h", safety_buffer="72h", tidy_acme=False)
    assert not ca(**wanted).changed
    wanted["tidy"] = {"tidy_revoked_certs": True, "safety_buffer": "48h"}
    changed = ca(**wanted, diff=True)
    assert changed["results"][0]["fields"] == ["tidy.safety_buffer", "tidy.tidy_revoked_certs"]
    assert "tidy.safety_buffer: 259200" in changed["diff"][0]["before"]
    found = client.read(f"{mount}-a/config/auto-tidy")["data"]
    assert (found["enabled"], found["tidy_cert_store"], found["safety_buffer"]) == (True, True, 172800)
    assert ca(**{**wanted, "tidy": {"enabled": False}}).changed
    other = "revoked_safety_buffer" if "revoked_safety_buffer" not in found else ""
    if other:
        assert f'this server does not know "tidy.{other}"' in ca(**{**wanted, "tidy": {other: "1h"}}).msg
    assert '"soon" is not a duration' in ca(**{**wanted, "tidy": {"interval_duration": "soon"}}).msg


def test_settings_of_each_issuer(ca: Run, openbao: VaultServer, mount: str) -> None:
    client = openbao.client()
    wanted: dict[str, Any] = {"mount": f"{mount}-a", "common_name": "Root", "issuer_name": "root-2", "ttl": "8760h"}
    wanted["key_type"] = "ec"
    wanted["issuer"] = {
        "leaf_not_after_behavior": "truncate",
        "usage": ["issuing-certificates", "crl-signing"],
        "issuing_certificates": ["https://vault.example.com/v1/{mount}/ca"],
    }
    assert ca(**wanted, check=True).changed
    made = ca(**wanted)
    assert made.changed, made.msg
    found = client.read(f"{mount}-a/issuer/root-2")["data"]
    assert found["leaf_not_after_behavior"] == "truncate"
    assert found["usage"] == "crl-signing,issuing-certificates,read-only"
    assert found["issuing_certificates"] == [f"https://vault.example.com/v1/{mount}-a/ca"]
    assert not ca(**wanted).changed

    # the root of before, still in the mount
    before = client.write_data(
        f"{mount}-a/root/generate/internal", data={"common_name": "Old", "key_type": "ec", "ttl": "100h"}
    )["data"]["issuer_id"]
    wanted["issuers"] = [{"ref": before, "issuer_name": "root-1", "usage": ["crl-signing"]}]
    planned = ca(**wanted, check=True, diff=True)
    assert planned["results"][0]["fields"] == [f"issuers.{before}.issuer_name", f"issuers.{before}.usage"]
    assert ca(**wanted).changed
    old = client.read(f"{mount}-a/issuer/root-1")["data"]
    assert (old["issuer_id"], old["usage"]) == (before, "crl-signing,read-only")
    assert not ca(**wanted).changed
    wanted["issuers"] = [{"ref": "root-1", "usage": ["read-only"], "leaf_not_after_behavior": "permit"}]
    changed = ca(**wanted)
    assert changed["results"][0]["fields"] == ["issuers.root-1.leaf_not_after_behavior", "issuers.root-1.usage"]
    assert not ca(**wanted).changed

    chained = {**wanted, "issuer": {"manual_chain": ["root-2"]}}
    assert ca(**chained)["results"][0]["fields"] == ["issuer.manual_chain"]
    assert client.read(f"{mount}-a/issuer/root-2")["data"]["manual_chain"] == [made["issuer_id"]]
    assert not ca(**chained).changed
    assert not ca(**{**chained, "issuer": {"manual_chain": [made["issuer_id"]]}}).changed
    nobody = ca(**{**chained, "issuer": {"manual_chain": ["nobody"]}})
    assert 'there is no issuer "nobody"; correct "manual_chain"' in nobody.msg
    assert 'there is no issuer "nobody"' in ca(**{**chained, "issuers": [{"ref": "nobody"}]}).msg
    alone = {"mount": f"{mount}-b", "common_name": "Alone", "key_type": "ec", "issuer_name": "first"}
    assert ca(**alone).changed
    renamed = ca(**{**alone, "issuer_name": "second", "issuer": {"manual_chain": ["second"]}})
    assert renamed["results"][0]["fields"] == ["issuer.manual_chain", "issuer_name"], renamed.msg
    twice = ca(**{**chained, "issuers": [{"ref": "root-1"}, {"ref": "root-1"}]})
    assert '"issuers" names one twice' in twice.msg


def test_a_request_has_no_settings_yet(ca: Run, openbao: VaultServer, mount: str) -> None:
    wanted: dict[str, Any] = {"mount": f"{mount}-c", "type": "intermediate", "common_name": "Outside", "key_type": "ec"}
    wanted.update(issuer={"leaf_not_after_behavior": "permit"}, tidy={"enabled": True, "tidy_cert_store": True})
    asked = ca(**wanted)
    assert asked.changed, asked.msg
    assert not ca(**wanted).changed, "until it is signed there is nothing to set"
    client = openbao.client()
    assert ca(mount=f"{mount}-a", common_name="External", key_type="ec", ttl="8760h").changed
    signed = client.write_data(
        f"{mount}-a/root/sign-intermediate", data={"csr": asked["csr"], "common_name": "Outside", "ttl": "24h"}
    )["data"]
    taken = ca(**wanted, certificate="\n".join([signed["certificate"], signed["issuing_ca"]]))
    assert taken.changed, taken.msg
    assert client.read(f"{mount}-c/issuer/{taken['issuer_id']}")["data"]["leaf_not_after_behavior"] == "permit"
    assert not ca(**wanted).changed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, '"common_name" is missing'),
        ({"common_name": "x", "key_type": "rsa", "key_bits": 1024}, "no size of 1024 bits"),
        ({"common_name": "x", "ttl": "soon"}, '"soon" is not a duration'),
        ({"common_name": "x", "crl": {"expiry": "soon"}}, '"soon" is not a duration'),
        ({"common_name": "x", "issuer_mount": "y"}, '"issuer_mount" is for an intermediate'),
        ({"common_name": "x", "issuer_name": "a b"}, "characters that the server refuses"),
        ({"common_name": "x", "issuer_name": "ä"}, "characters that the server refuses"),
        ({"common_name": "x", "key_name": "default"}, 'key_name "default" is reserved'),
        ({"common_name": "x", "ttl": "1h", "not_after": "2036-12-31"}, "contradict each other"),
        ({"common_name": "x", "not_after": "next year"}, '"next year" is not a moment'),
        ({"common_name": "x", "ip_sans": ["ten"]}, 'ip_sans: "ten" is not an address'),
        ({"common_name": "x", "default_issuer": "other"}, 'there is no issuer "other"; correct "default_issuer"'),
        ({"common_name": "x", "issuers": [{"ref": "other"}]}, 'there is no issuer "other"; correct "issuers"'),
        ({"common_name": "x", "issuer": {"manual_chain": ["self"]}}, 'there is no issuer "self"'),
        ({"common_name": "x", "mount": "a%20b"}, 'the mount holds "%"'),
        ({"common_name": "x", "mount": "a/../b"}, "leads elsewhere"),
        ({"common_name": "x", "type": "intermediate", "certificate": "x"}, "holds no PEM block"),
        ({"common_name": "x", "type": "intermediate", "issuer_mount": "nowhere-a"}, "it would sign itself"),
        ({"common_name": "x"}, "mount a PKI engine first"),
        ({"common_name": "x", "mount": "sys"}, 'type "system" is mounted there, not "pki"'),
    ],
)
def test_impossible_authorities_are_refused(ca: Run, options: dict[str, Any], said: str) -> None:
    result = ca(**{"mount": "nowhere-a", **options})
    assert result.failed and said in result.msg, result.msg


def test_a_key_that_waits_for_its_certificate_is_removed(ca: Run, openbao: VaultServer, mount: str) -> None:
    place = f"{mount}-a"
    made = ca(mount=place, type="intermediate", common_name="Waiting", key_type="ec")
    assert made.changed and made["csr"]
    planned, gone = ca(check=True, diff=True, mount=place, state="absent"), ca(mount=place, state="absent")
    assert planned.changed and made["key_id"] in planned["diff"][0]["before"] and gone.changed
    assert openbao.client().list(f"{place}/keys") is None
    assert not ca(mount=place, state="absent").changed


def test_what_cannot_be_written_leaves_nothing_behind(ca: Run, openbao: VaultServer, mount: str) -> None:
    place, client = f"{mount}-a", openbao.client()
    fine = {"mount": place, "common_name": "Root", "key_type": "ec", "urls": {"ocsp_servers": ["http://ocsp.example"]}}
    for options, said in (
        ({"default_issuer": "other"}, 'there is no issuer "other"'),
        ({"issuer_name": "root", "issuers": [{"ref": "default", "usage": []}]}, 'there is no issuer "default"'),
        ({"crl": {"enable_delta": True}}, '"enable_delta" is for lists that are rebuilt'),
        ({"crl": {"auto_rebuild": True, "auto_rebuild_grace_period": "4d"}}, "is not shorter than"),
    ):
        for check in (True, False):
            refused = ca(check=check, **{**fine, **options})
            assert refused.failed and said in refused.msg and not refused.changed, refused.msg
    assert client.list(f"{place}/issuers") is None
    assert client.read(f"{place}/config/urls")["data"]["ocsp_servers"] == []
    made = {**fine, "issuer_name": "root", "default_issuer": "root"}
    assert ca(**made, check=True).changed and ca(**made).changed
    again = ca(**{**made, "default_issuer": "other"}, check=True)
    assert again.failed and 'there is no issuer "other"; correct "default_issuer"' in again.msg, again.msg


@pytest.mark.parametrize("end", ["2031-01-01", "2031-01-01 00:00:00+00:00", "2031-01-01T01:00:00+01:00"])
def test_times_as_people_and_yaml_write_them(ca: Run, openbao: VaultServer, mount: str, end: str) -> None:
    wanted = {
        "mount": f"{mount}-a",
        "common_name": "Root",
        "key_type": "ec",
        "not_after": end,
        "crl": {"expiry": "1w", "ocsp_expiry": "1d12h"},
        "tidy": {"enabled": True, "tidy_cert_store": True, "interval_duration": "1w", "safety_buffer": "1d12h"},
    }
    planned, made = ca(**wanted, check=True), ca(**wanted)
    assert made.changed and made["results"] != [] and planned["results"][0]["fields"] == made["results"][0]["fields"]
    assert x509.load_pem_x509_certificate(made["certificate"].encode()).not_valid_after_utc.year == 2031
    again = ca(**wanted)
    assert not again.failed and not again.changed, again.get("results")
    other = ca(mount=f"{mount}-b", common_name="Root", key_type="ec", ttl="1w")
    assert other.changed, other.msg


def test_a_setting_that_the_product_has_not(ca: Run, openbao: VaultServer, mount: str) -> None:
    wanted = {"mount": f"{mount}-a", "common_name": "Root", "key_type": "ec"}
    wanted["crl"] = {"allow_expired_cert_revocation": True}
    result = ca(**wanted)
    if "allow_expired_cert_revocation" in openbao.client().read(f"{mount}-a/config/crl")["data"]:
        assert result.changed and not ca(**wanted).changed
    else:
        assert result.failed and 'this server does not know "crl.allow_expired_cert_revocation"' in result.msg


def test_authorities_do_not_sign_in_a_circle(ca: Run) -> None:
    pair = [
        {"mount": one, "type": "intermediate", "issuer_mount": other, "common_name": one}
        for one, other in (("circle-a", "circle-b"), ("circle-b", "circle-a"))
    ]
    result = ca(authorities=pair)
    assert result.failed and "in a circle" in result.msg


def test_life_of_a_role(role: Run, openbao: VaultServer, mount: str) -> None:
    path = f"{mount}-a/roles/web"
    client = openbao.client()
    wanted: dict[str, Any] = {
        "mount": f"{mount}-a",
        "name": "web",
        "allowed_domains": ["b.example.com", "a.example.com"],
        "allow_subdomains": True,
        "key_type": "ec",
        "key_bits": 0,
        "key_usage": ["DigitalSignature"],
        "ttl": "24h",
        "max_ttl": "720h",
        "options": {"allowed_serial_numbers": ["*"]},
    }
    assert role(**wanted, check=True).changed
    assert client.read(path) is None
    assert role(**wanted).changed
    wanted.update(allowed_domains=["a.example.com", "b.example.com"], ttl="1d", max_ttl="30d")
    wanted["key_usage"] = ["KeyUsageDigitalSignature"]
    again = role(**wanted)
    assert not again.failed and not again.changed

    planned = role(mount=f"{mount}-a", name="web", ttl="12h", check=True, diff=True)
    assert (planned["diff"][0]["before"], planned["diff"][0]["after"]) == ("ttl: 86400\n", "ttl: 12h\n")
    assert client.read(path)["data"]["ttl"] == 86400
    before = client.read(path)["data"]
    assert role(mount=f"{mount}-a", name="web", ttl="12h").changed
    # what was not declared stays, although the API replaces a role as a whole
    assert client.read(path)["data"] == {**before, "ttl": 43200}

    wanted["ttl"] = "12h"
    client.write_data(path, data={**before, "ttl": "1h"})
    assert role(**wanted)["results"][0]["fields"] == ["ttl"]
    assert role(mount=f"{mount}-a", name="web", key_type="rsa").changed
    assert client.read(path)["data"]["key_bits"] == 2048
    assert role(mount=f"{mount}-a", name="web", state="absent").changed
    assert client.read(path) is None
    assert not role(mount=f"{mount}-a", name="web", state="absent").changed


def test_purge_stays_within_the_declared_mounts(role: Run, openbao: VaultServer, mount: str) -> None:
    names = ["one", "two", "kept"]
    for place in ("a", "b"):
        made = role(mount=f"{mount}-{place}", roles=[{"name": name, "allow_any_name": True} for name in names])
        assert made["summary"]["create"] == 3, made.msg
    purged = role(mount=f"{mount}-a", roles=[{"name": "one", "allow_any_name": True}], purge=True, protected=["kept"])
    assert [entry["name"] for entry in purged["results"] if entry["action"] == "delete"] == [f"{mount}-a/two"]
    client = openbao.client()
    assert client.list(f"{mount}-a/roles")["data"]["keys"] == ["kept", "one"]
    assert client.list(f"{mount}-b/roles")["data"]["keys"] == ["kept", "one", "two"]
    assert role(mount=f"{mount}-b", roles=[], purge=True)["summary"]["delete"] == 3
    assert role(mount=f"{mount}-b", name="one", purge=True).failed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "a b"}, "characters that the server refuses"),
        ({"name": "wéb"}, "characters that the server refuses"),
        ({"ttl": "500ms"}, "holds a fraction of a second"),
        ({"ttl": "2h", "max_ttl": "1h"}, "ttl is longer than max_ttl"),
        ({"ttl": "soon"}, '"soon" is not a duration'),
        ({"key_type": "ec", "key_bits": 2048}, "no size of 2048 bits"),
        ({"ttl": "1h", "options": {"ttl": "2h"}}, '"ttl" is given twice'),
        ({"ttl": "1h"}, "mount a PKI engine first"),
        ({"mount": "sys", "ttl": "1h"}, 'type "system" is mounted there, not "pki"'),
    ],
)
def test_impossible_roles_are_refused(role: Run, options: dict[str, Any], said: str) -> None:
    result = role(**{"mount": "nowhere", "name": "web", **options})
    assert result.failed and said in result.msg, result.msg


@pytest.mark.parametrize(
    "options",
    [
        {"ttl": "1d12h", "max_ttl": "1w", "not_before_duration": "1m"},
        {"key_type": "rsa", "signature_bits": 0},
        {"key_type": "ec", "key_bits": 384, "signature_bits": 0},
        {"issuer_ref": ""},
    ],
)
def test_what_the_server_keeps_in_another_form(role: Run, mount: str, options: dict[str, Any]) -> None:
    wanted = {"mount": f"{mount}-a", "name": "web", **options}
    made = role(**wanted)
    assert made.changed, made.msg
    again = role(**wanted)
    assert not again.failed and not again.changed, again.get("results")


def test_times_are_checked_with_those_of_the_server(role: Run, mount: str) -> None:
    assert role(mount=f"{mount}-a", name="web", max_ttl="1h").changed
    for check in (True, False):
        refused = role(check=check, mount=f"{mount}-a", name="web", ttl="2h")
        assert refused.failed and "ttl is longer than max_ttl, with what the server has" in refused.msg, refused.msg
    assert role(mount=f"{mount}-a", name="web", ttl="2h", max_ttl="0").changed


def test_many_roles_take_one_request_each(role: Run, openbao: VaultServer, mount: str) -> None:
    # a mount without a limit of its own, so that the server's is asked for
    openbao.client().sys.enable_secrets_engine("pki", path=f"{mount}-free")
    many = [{"name": f"role-{number}", "allow_any_name": True, "ttl": "24h"} for number in range(10)]
    assert role(mount=f"{mount}-free", roles=many)["summary"]["create"] == 10
    again = role(mount=f"{mount}-free", roles=many)
    assert not again.changed
    # a read each; the token, the mount, its limit, and the list of roles
    assert again["requests"]["total"] <= 10 + 4


def test_an_option_that_the_server_does_not_know_is_told(role: Run, mount: str) -> None:
    for check in (True, False):
        refused = role(check=check, mount=f"{mount}-a", name="odd", options={"no_such_option": 1})
        assert refused.failed and 'does not know "no_such_option" of a PKI role' in refused.msg
    assert role(mount=f"{mount}-a", name="odd").changed
    refused = role(mount=f"{mount}-a", name="odd", options={"no_such_option": 1})
    assert refused.failed and 'does not know "no_such_option" of a PKI role' in refused.msg


def test_one_generation_after_another(ca: Run, role: Run, openbao: VaultServer, mount: str) -> None:
    client = openbao.client()
    first: dict[str, Any] = {"mount": f"{mount}-a", "common_name": "Root", "issuer_name": "root-1", "key_type": "ec"}
    old = ca(**first, ttl="8760h")
    assert old.changed, old.msg
    assert role(mount=f"{mount}-a", name="web", allow_any_name=True, key_type="ec").changed
    leaf = client.write_data(f"{mount}-a/issue/web", data={"common_name": "old.example.com"})["data"]
    second = {**first, "issuer_name": "root-2", "new_issuer": True, "ttl": "17520h"}
    assert ca(**second, check=True)["results"][0]["action"] == "create"
    new = ca(**second)
    assert new.changed and new["issuer_id"] != old["issuer_id"] and new["key_id"] != old["key_id"], new.msg
    assert client.read(f"{mount}-a/config/issuers")["data"]["default"] == new["issuer_id"]
    issuers = client.list(f"{mount}-a/issuers")["data"]["key_info"]
    assert {entry["issuer_name"] for entry in issuers.values()} == {"root-1", "root-2"}
    for check in (True, False):
        assert not ca(**second, check=check).changed
    # what is issued now is the new one's; the old one still revokes what it signed
    fresh = client.write_data(f"{mount}-a/issue/web", data={"common_name": "new.example.com"})["data"]
    assert fresh["issuing_ca"].strip() == new["certificate"].strip() != leaf["issuing_ca"].strip()
    second["issuers"] = [{"ref": "root-1", "usage": ["crl-signing", "ocsp-signing"]}]
    assert ca(**second)["results"][0]["fields"] == ["issuers.root-1.usage"]
    assert client.write_data(f"{mount}-a/revoke", data={"serial_number": leaf["serial_number"]})["data"]
    # the same key again, under a new certificate
    third = {**first, "issuer_name": "root-3", "new_issuer": True, "ttl": "17520h", "key_name": "held"}
    client.write_data(f"{mount}-a/key/{new['key_id']}", data={"key_name": "held"})
    again = ca(**third)
    assert again.changed and again["key_id"] == new["key_id"], again.msg
    assert not ca(**third).changed
    assert '"new_issuer" without an "issuer_name"' in ca(**{**first, "issuer_name": None, "new_issuer": True}).msg


def test_one_generation_of_an_intermediate_after_another(ca: Run, openbao: VaultServer, mount: str) -> None:
    client = openbao.client()
    assert ca(mount=f"{mount}-a", common_name="Root", key_type="ec", ttl="8760h").changed
    issuing: dict[str, Any] = {"mount": f"{mount}-b", "type": "intermediate", "common_name": "Issuing", "ttl": "100h"}
    issuing.update(key_type="ec", issuer_name="issuing-1", issuer_mount=f"{mount}-a")
    old = ca(**issuing)
    assert old.changed, old.msg
    issuing.update(issuer_name="issuing-2", new_issuer=True)
    new = ca(**issuing)
    assert new.changed and new["key_id"] != old["key_id"], new.msg
    assert client.read(f"{mount}-b/config/issuers")["data"]["default"] == new["issuer_id"]
    assert not ca(**issuing).changed
    # by somebody else: the CSR of the one key that waits is returned until it is signed
    outside = {**issuing, "issuer_name": "issuing-3", "issuer_mount": None}
    asked = ca(**outside)
    assert asked.changed and asked["csr"], asked.msg
    waiting = ca(**outside)
    assert not waiting.changed and waiting["key_id"] == asked["key_id"] not in (old["key_id"], new["key_id"])
    signed = client.write_data(
        f"{mount}-a/root/sign-intermediate", data={"csr": asked["csr"], "common_name": "Issuing", "ttl": "90h"}
    )["data"]
    done = ca(**outside, certificate=signed["certificate"])
    assert done.changed and done["issuer_name"] == "issuing-3", done.msg
    assert client.read(f"{mount}-b/config/issuers")["data"]["default"] == done["issuer_id"]
    assert not ca(**outside, certificate=signed["certificate"]).changed
    assert len(client.list(f"{mount}-b/keys")["data"]["keys"]) == 3


def test_a_ttl_above_the_mounts_limit_is_told_before_a_certificate_is_made(
    ca: Run, role: Run, run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, mount: str, unique: str
) -> None:
    short = {**vault_args, "path": f"{unique}-short", "type": "pki", "tune": {"max_lease_ttl": "100h"}}
    assert run_module("vault_secrets_engine", short).changed
    wanted = {"mount": f"{unique}-short", "common_name": "Short", "key_type": "ec", "ttl": "101h"}
    for check in (True, False):
        refused = ca(**wanted, check=check)
        assert f'ttl is longer than the mount "{unique}-short" allows, which is 100 hours' in refused.msg
        assert 'raise "max_lease_ttl" of that mount first' in refused.msg
    assert openbao.client().list(f"{unique}-short/issuers") is None
    below = {**wanted, "mount": f"{mount}-b", "type": "intermediate", "issuer_mount": f"{unique}-short"}
    assert f'the mount "{unique}-short" allows' in ca(**below, check=True).msg
    long = role(mount=f"{unique}-short", name="web", allow_any_name=True, max_ttl="200h")
    assert long.changed and 'so that 100 hours count; raise "max_lease_ttl"' in warned(long)
    short["tune"] = {"max_lease_ttl": "200h"}
    assert run_module("vault_secrets_engine", short).changed
    assert ca(**wanted).changed
    assert "hours count" not in warned(role(mount=f"{unique}-short", name="web", max_ttl="200h"))


def test_roles_that_the_server_takes_and_nobody_can_use(role: Run, ca: Run, openbao: VaultServer, mount: str) -> None:
    at = {"mount": f"{mount}-a", "name": "web"}
    for options, said in (
        ({"key_usage": ["DigitalSignatur"]}, 'key_usage: there is no "DigitalSignatur"; use DigitalSignature'),
        ({"ext_key_usage": ["ServerAuth", "Nope"]}, 'ext_key_usage: there is no "Nope"'),
        ({"no_store": True, "generate_lease": True}, '"no_store" and "generate_lease" contradict each other'),
    ):
        refused = role(check=True, **at, **options)
        assert refused.failed and said in refused.msg, refused.msg
    used = {"key_usage": ["keyusagedigitalsignature", "CRLSign"], "ext_key_usage": ["ExtKeyUsageServerAuth", "any"]}
    made = role(**at, **used, issuer_ref="next", no_store=True)
    assert made.changed and 'there is no issuer "next" (yet)' in warned(made), made.msg
    assert not role(**at, **used, issuer_ref="next", no_store=True).changed
    assert ca(mount=f"{mount}-a", common_name="Root", key_type="ec", issuer_name="next").changed
    assert "there is no issuer" not in warned(role(**at, issuer_ref="next"))
    assert role(**at, no_store=False, generate_lease=True).changed
    document = {"oid": "1.3.6.1.4.1.7.8", "notice": "I am a notice, with a comma"}
    for policies in ([json.dumps(document)], [document], json.dumps([document]), "1.2.3.4,1.2.3.5", ["1.2.3.4"]):
        written = role(**at, options={"policy_identifiers": policies})
        assert not written.failed, written.msg
        again = role(**at, options={"policy_identifiers": policies})
        assert not again.failed and not again.changed, (policies, again.msg)
