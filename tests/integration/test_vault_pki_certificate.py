# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_pki_certificate against a real server."""

from __future__ import annotations

import base64
import datetime
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from support.modules import Result
from support.openbao import VaultServer

Run = Callable[..., Result]
#: the role of most certificates
WEB = {
    "allow_any_name": True,
    "key_type": "ec",
    "max_ttl": "240h",
    "enforce_hostnames": False,
    "allowed_uri_sans": "*",
}


@pytest.fixture
def mount(openbao: VaultServer, unique: str) -> str:
    """A mount with two issuers, root-1 (default) and root-2, and the roles web and unstored."""
    client = openbao.client()
    client.sys.enable_secrets_engine("pki", path=unique, config={"max_lease_ttl": "8760h"})
    for name in ("root-1", "root-2"):
        data = {"common_name": f"{unique} {name}", "issuer_name": name, "key_type": "ec", "ttl": "8000h"}
        client.write_data(f"{unique}/root/generate/internal", data=data)
    client.write_data(f"{unique}/roles/web", data=WEB)
    client.write_data(f"{unique}/roles/unstored", data={**WEB, "no_store": True})
    return unique


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    names = {"cert_dest": "web.crt", "key_dest": "web.key", "chain_dest": "ca.crt", "fullchain_dest": "full.crt"}
    return {option: str(tmp_path / "tls" / name) for option, name in names.items()}


@pytest.fixture
def certificate(run_module: Run, vault_args: dict[str, Any], mount: str) -> Run:
    def run(check: bool = False, diff: bool = False, **options: Any) -> Result:
        return run_module("vault_pki_certificate", {**vault_args, "mount": mount, **options}, check=check, diff=diff)

    return run


def load(files: dict[str, str]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(Path(files["cert_dest"]).read_bytes())


def stored(openbao: VaultServer, mount: str) -> set[str]:
    return set(openbao.client().list(f"{mount}/certs")["data"]["keys"])


def revoked(openbao: VaultServer, mount: str, serial: str) -> bool:
    return bool(openbao.client().read(f"{mount}/cert/{serial}")["data"]["revocation_time"])


def test_issued_once_and_renewed(certificate: Run, openbao: VaultServer, mount: str, files: dict[str, str]) -> None:
    wanted: dict[str, Any] = {
        **files,
        "role": "web",
        "common_name": "shop.example.com",
        "alt_names": ["www.example.com", "Other.example.com", "me@example.com"],
        "ip_sans": ["10.0.0.1", "2001:DB8::1"],
        "uri_sans": ["spiffe://example.com/shop"],
        "ttl": "100h",
    }
    before = stored(openbao, mount)
    planned = certificate(**wanted, check=True, diff=True)
    assert planned.changed and not os.path.exists(os.path.dirname(files["cert_dest"]))
    assert stored(openbao, mount) == before
    made = certificate(**wanted, diff=True)
    assert made.changed and not made.get("warnings"), made.msg
    assert "PRIVATE KEY" not in made.stdout
    found = load(files)
    assert made["serial_number"] in stored(openbao, mount) - before
    assert made["not_after"] == found.not_valid_after_utc.isoformat()
    assert made["issuer"] == f"CN={mount} root-1"
    key = load_pem_private_key(Path(files["key_dest"]).read_bytes(), None)
    assert key.public_key() == found.public_key()
    modes = {option: os.stat(path).st_mode & 0o777 for option, path in files.items()}
    assert modes == {"cert_dest": 0o644, "key_dest": 0o600, "chain_dest": 0o644, "fullchain_dest": 0o644}
    full = x509.load_pem_x509_certificates(Path(files["fullchain_dest"]).read_bytes())
    assert full[0] == found
    found.verify_directly_issued_by(x509.load_pem_x509_certificates(Path(files["chain_dest"]).read_bytes())[0])

    same = {**wanted, "alt_names": ["me@example.com", "other.example.com", "www.example.com", "shop.example.com"]}
    again = certificate(**same)
    assert not again.failed and not again.changed, again.get("results")
    assert again["serial_number"] == made["serial_number"]
    planned = certificate(**{**same, "ip_sans": ["10.0.0.2"]}, check=True, diff=True)
    assert planned["results"][0]["fields"] == ["ip_sans"]
    assert "10.0.0.1" in planned["diff"][0]["before"] and "10.0.0.2" in planned["diff"][0]["after"]
    assert load(files) == found
    changed = certificate(**{**same, "ip_sans": ["10.0.0.2"]})
    assert changed.changed and load(files).serial_number != found.serial_number
    # what may still be in use is not revoked
    assert not revoked(openbao, mount, made["serial_number"])
    assert certificate(**{**same, "ip_sans": ["10.0.0.2"], "common_name": "new.example.com"}).changed

    gone = {**files, "state": "absent"}
    last = load(files)
    assert certificate(**gone, check=True).changed and load(files) == last
    removed = certificate(**gone)
    assert removed.changed and not removed.get("warnings")
    assert os.listdir(os.path.dirname(files["cert_dest"])) == []
    number = ":".join(f"{byte:02x}" for byte in bytes.fromhex(f"{last.serial_number:040x}"))
    assert revoked(openbao, mount, number)
    assert not certificate(**gone).changed


def test_renewal(certificate: Run, openbao: VaultServer, mount: str, files: dict[str, str]) -> None:
    wanted: dict[str, Any] = {**files, "role": "web", "common_name": "a.example.com", "ttl": "60h"}
    assert certificate(**wanted).changed
    # by default a third of the life
    assert not certificate(**wanted).changed
    assert not certificate(**wanted, renew_before="59h").changed
    # renew_before now lies within the 60 hours and beyond what is left
    clock = load(files).not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
    late = f"{int(clock.total_seconds()) + 5}s"
    early = certificate(**{**wanted, "ttl": "100h"}, renew_before=late)
    assert early["results"][0]["fields"] == ["state"], early.msg
    assert not certificate(**{**wanted, "ttl": "100h"}, renew_before=late).changed
    # the role grants 240 hours at most: what the next run would replace is revoked, and nothing is written
    found, before = load(files), stored(openbao, mount)
    refused = certificate(**{**wanted, "ttl": "1000h"}, renew_before="500h")
    assert refused.failed and not refused.changed and "each run would issue another" in refused.msg
    assert load(files) == found
    (useless,) = stored(openbao, mount) - before
    assert revoked(openbao, mount, useless)


def test_what_does_not_fit_is_replaced(
    certificate: Run, openbao: VaultServer, mount: str, files: dict[str, str]
) -> None:
    wanted: dict[str, Any] = {**files, "role": "web", "common_name": "a.example.com"}
    first = certificate(**wanted)
    os.chmod(files["key_dest"], 0o644)
    closed = certificate(**wanted)
    assert closed["results"][0]["fields"] == ["key_mode"]
    assert closed["serial_number"] == first["serial_number"]
    assert os.stat(files["key_dest"]).st_mode & 0o777 == 0o600

    def revoke() -> None:
        number = certificate(**wanted)["serial_number"]
        openbao.client().write_data(f"{mount}/revoke", data={"serial_number": number})

    for break_it, field in (
        (lambda: os.unlink(files["key_dest"]), ["key"]),
        (lambda: Path(files["chain_dest"]).write_text("junk"), ["chain_dest"]),
        (lambda: os.unlink(files["fullchain_dest"]), ["fullchain_dest"]),
        (lambda: Path(files["cert_dest"]).write_text("junk"), ["state"]),
        (revoke, ["state"]),
    ):
        last = load(files)
        break_it()
        mended = certificate(**wanted)
        assert mended["results"][0]["fields"] == field, mended.msg
        assert load(files) != last
    assert not certificate(**wanted).changed

    other = certificate(**wanted, issuer_ref="root-2")
    assert other["results"][0]["fields"] == ["issuer"]
    assert other["issuer"] == f"CN={mount} root-2"
    assert not certificate(**wanted, issuer_ref="root-2").changed
    assert certificate(**wanted)["results"][0]["fields"] == ["issuer"]
    # without the common name among the names
    assert certificate(**wanted, exclude_cn_from_sans=True)["results"][0]["fields"] == ["alt_names"]
    assert not certificate(**wanted, exclude_cn_from_sans=True).changed


def test_a_token_that_may_only_issue(
    run_module: Run, vault_args: dict[str, Any], openbao: VaultServer, mount: str, files: dict[str, str]
) -> None:
    client = openbao.client()
    client.sys.create_or_update_policy(mount, f'path "{mount}/issue/unstored" {{ capabilities = ["update"] }}')
    token = client.auth.token.create(policies=[mount], ttl="10m")["auth"]["client_token"]
    arguments = {**vault_args, "token": token, "mount": mount, **files}
    wanted = {**arguments, "role": "unstored", "common_name": "A plain name"}
    assert run_module("vault_pki_certificate", wanted).changed
    again = run_module("vault_pki_certificate", wanted)
    assert not again.failed and not again.changed, again.get("results")
    refused = run_module("vault_pki_certificate", {**wanted, "role": "web", "common_name": "x.example.com"})
    assert refused.failed and f'path "{mount}/issue/web"' in refused.msg
    # what may not be revoked is not removed either
    refused = run_module("vault_pki_certificate", {**arguments, "state": "absent"})
    assert refused.failed and f'path "{mount}/revoke"' in refused.msg and os.path.exists(files["key_dest"])
    # one that the server did not store is revoked by showing it
    removed = run_module("vault_pki_certificate", {**arguments, "token": openbao.token, "state": "absent"})
    assert removed.changed and not removed.get("warnings"), removed.get("warnings")


def test_list_and_bad_input(certificate: Run, openbao: VaultServer, mount: str, tmp_path: Path) -> None:
    def item(name: str, **options: Any) -> dict[str, Any]:
        paths = {"cert_dest": str(tmp_path / f"{name}.crt"), "key_dest": str(tmp_path / f"{name}.key")}
        return {**paths, "role": "web", "common_name": f"{name}.example.com", **options}

    tmp_path.chmod(0o700)
    done = certificate(certificates=[item("a"), item("b"), item("c", role="nowhere")])
    assert done.failed and 'has no role "nowhere"' in done.msg and done["summary"]["create"] == 2
    assert not (tmp_path / "c.key").exists()
    assert certificate(certificates=[item("a"), item("b")])["summary"]["none"] == 2
    before = stored(openbao, mount)
    for options, message in (
        ({"common_name": None}, '"common_name" is missing'),
        ({"key_dest": None}, '"key_dest" is missing'),
        ({"key_dest": str(tmp_path / "x.crt")}, "two of the files are the same"),
        ({"ip_sans": ["ten"]}, '"ten" is not an address'),
        ({"ttl": "1 day"}, "is not a duration"),
        ({"ttl": "1h", "renew_before": "2h"}, "each run would issue another"),
        ({"key_dest": "/proc/x.key"}, "cannot write to /proc"),
        ({"mount": "nowhere-at-all"}, "nothing is mounted there"),
        ({"role": "wéb"}, "is not a role name"),
    ):
        refused = certificate(**item("x", **options))
        assert refused.failed and message in refused.msg, (message, refused.msg)
    # each run would write the key of the one over that of the other
    for name in ("key_dest", "fullchain_dest"):
        shared = {name: str(tmp_path / "shared.pem")}
        refused = certificate(certificates=[item("x", **shared), item("y", **shared)])
        assert refused.failed and f'{name} "{tmp_path}/shared.pem" is a file of certificate' in refused.msg, refused.msg
    assert stored(openbao, mount) == before
    assert certificate(**item("x", mount="nowhere-at-all"), check=True).changed


def test_a_certificate_that_ends_with_the_token(
    certificate: Run, openbao: VaultServer, mount: str, files: dict[str, str]
) -> None:
    client = openbao.client()
    role = {"allow_any_name": True, "key_type": "ec", "max_ttl": "240h", "generate_lease": True}
    client.write_data(f"{mount}/roles/leased", data=role)
    wanted: dict[str, Any] = {**files, "role": "leased", "common_name": "shop.example.com"}
    said = 'the role "leased" has generate_lease, so the server revokes the certificate together with the token'
    assert said in str(certificate(**wanted, check=True).get("warnings"))

    rules = f'path "{mount}/issue/leased" {{ capabilities = ["update"] }}\n'
    client.sys.create_or_update_policy(mount, rules + f'path "{mount}/issuers" {{ capabilities = ["list"] }}')
    token = client.auth.token.create(policies=[mount], no_parent=True)["auth"]["client_token"]
    made = certificate(**wanted, token=token)
    assert made.changed, made.msg
    assert said in str(made.get("warnings")), "told by the answer, where the token may not read the role"
    assert said in str(certificate(**wanted).get("warnings")), "and of a certificate that stands"
    client.auth.token.revoke(token)
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=20)
    while not revoked(openbao, mount, made["serial_number"]) and datetime.datetime.now() < deadline:
        pass
    assert revoked(openbao, mount, made["serial_number"]), "the server does what the warning says"
    client.sys.delete_policy(mount)


KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


def request(common_name: str = "", *names: x509.GeneralName, key: ec.EllipticCurvePrivateKey = KEY) -> str:
    """Return a certificate signing request as PEM."""
    subject = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


SHOP = request("shop.example.com", x509.DNSName("www.example.com"), x509.UniformResourceIdentifier("spiffe://a/b"))


@pytest.fixture
def signed(certificate: Run, files: dict[str, str]) -> Run:
    """Run the module for a request, without a file for the key."""
    places = {name: path for name, path in files.items() if name != "key_dest"}

    def run(check: bool = False, diff: bool = False, **options: Any) -> Result:
        return certificate(check=check, diff=diff, **{**places, "role": "web", "ttl": "240h", **options})

    return run


def test_a_request_is_signed_and_renewed(
    signed: Run, openbao: VaultServer, mount: str, files: dict[str, str], tmp_path: Path
) -> None:
    before = stored(openbao, mount)
    path = tmp_path / "shop.csr"
    awaited = signed(csr_file=str(path), check=True)
    assert awaited.changed and f"there is no request in {path} yet" in str(awaited["warnings"])
    refused = signed(csr_file=str(path))
    assert refused.failed and f"there is no request in {path}" in refused.msg
    path.write_text(SHOP)
    planned = signed(csr_file=str(path), check=True, diff=True)
    assert planned.changed and "spiffe://a/b" in planned["diff"][0]["after"] and "warnings" not in planned
    assert stored(openbao, mount) == before and not os.path.exists(os.path.dirname(files["cert_dest"]))

    made = signed(csr_file=str(path), diff=True)
    assert made.changed and not made.get("warnings"), made.msg
    found = load(files)
    assert found.public_key() == KEY.public_key() and not os.path.exists(files["key_dest"])
    assert found.subject.rfc4514_string() == "CN=shop.example.com"
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {name.value for name in names} == {"shop.example.com", "www.example.com", "spiffe://a/b"}
    assert x509.load_pem_x509_certificates(Path(files["fullchain_dest"]).read_bytes())[0] == found
    assert stored(openbao, mount) - before == {made["serial_number"]}
    again = signed(csr_file=str(path))
    assert not again.failed and not again.changed, again.get("results")
    # the same request as text, and one that was made anew for the same
    assert not signed(csr=SHOP).changed

    for options, fields in (
        ({"renew_before": "239h"}, []),
        ({"issuer_ref": "root-2"}, ["issuer"]),
        ({"csr": SHOP, "exclude_cn_from_sans": True}, ["alt_names", "issuer"]),
        ({"csr": request("shop.example.com", x509.DNSName("new.example.com"))}, ["alt_names", "uri_sans"]),
        ({"csr": request("new.example.com", x509.DNSName("new.example.com"))}, ["alt_names", "common_name"]),
        ({"csr": request("new.example.com", x509.DNSName("new.example.com"), key=OTHER_KEY)}, ["key"]),
    ):
        last = load(files)
        wanted = {"csr_file": str(path), **options} if "csr" not in options else options
        planned = signed(**wanted, check=True)
        assert planned["results"][0].get("fields", []) == fields and load(files) == last, planned.get("results")
        done = signed(**wanted)
        assert done.changed == bool(fields) and (load(files) == last) != done.changed, done.msg
        assert not signed(**wanted).changed
    assert load(files).public_key() == OTHER_KEY.public_key()

    # about to expire
    last = load(files)
    left = last.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
    late = {**options, "renew_before": f"{int(left.total_seconds()) + 5}s"}
    openbao.client().write_data(f"{mount}/roles/web", data={**WEB, "max_ttl": "800h"})
    renewed = signed(**{**late, "ttl": "800h"})
    assert renewed["results"][0]["fields"] == ["state"] and load(files) != last, renewed.msg

    removed = signed(state="absent")
    assert removed.changed and revoked(openbao, mount, renewed["serial_number"])
    assert os.listdir(os.path.dirname(files["cert_dest"])) == []


def test_names_of_a_request_by_the_role(
    signed: Run, openbao: VaultServer, vault_args: dict[str, Any], mount: str, files: dict[str, str]
) -> None:
    client = openbao.client()
    own = {**WEB, "use_csr_common_name": False, "use_csr_sans": False}
    client.write_data(f"{mount}/roles/own", data=own)
    declared = {"common_name": "a.example.com", "alt_names": ["b.example.com"], "ip_sans": ["10.0.0.1"]}
    before = stored(openbao, mount)
    for options, message in (
        (
            {"csr": SHOP, "common_name": "a.example.com"},
            "so common_name would be ignored; put them into the request, or",
        ),
        (
            {"csr": SHOP, "ip_sans": ["10.0.0.1"]},
            'so ip_sans would be ignored; put them into the request, or set "use_csr',
        ),
        ({"csr": SHOP, "role": "own"}, "needs a common name, and takes none from the request"),
        ({"csr": request()}, "needs a common name, and takes none from the request"),
    ):
        for check in (True, False):
            refused = signed(**options, check=check)
            assert refused.failed and message in refused.msg, refused.msg
    assert stored(openbao, mount) == before

    # what is in the request already may be declared
    assert signed(csr=SHOP, common_name="shop.example.com", alt_names=["WWW.example.com"]).changed
    assert not signed(csr=SHOP, uri_sans=["spiffe://a/b"]).changed
    made = signed(csr=SHOP, role="own", **declared)
    assert made.changed, made.msg
    names = load(files).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in names} == {"a.example.com", "b.example.com", "10.0.0.1"}
    assert not signed(csr=SHOP, role="own", **declared).changed

    # a token that may sign alone learns from the certificate what the role does
    rules = f'path "{mount}/sign/*" {{ capabilities = ["update"] }}'
    client.sys.create_or_update_policy(mount, rules)
    token = client.auth.token.create(policies=[mount], ttl="10m")["auth"]["client_token"]
    assert not signed(csr=SHOP, role="own", **declared, token=token).changed
    made = signed(csr=SHOP, token=token)
    assert made.changed and not made.get("warnings"), made.msg
    assert not signed(csr=SHOP, token=token).changed
    ignored = signed(csr=SHOP, ip_sans=["10.0.0.1"], token=token)
    assert ignored.failed and "puts other values than declared into alt_names and ip_sans" in ignored.msg, ignored.msg
    assert "is of no use and stays valid" in str(ignored["warnings"]), "as it may not revoke it"
    assert not signed(csr=SHOP, token=token).changed, "and nothing was written"
    client.sys.delete_policy(mount)


def test_requests_that_cannot_be_right(signed: Run, openbao: VaultServer, mount: str, tmp_path: Path) -> None:
    before = stored(openbao, mount)
    secret = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    broken = SHOP.replace("MII", "MJJ", 1) if "MII" in SHOP else SHOP[:60] + "AAAA" + SHOP[64:]
    forged = x509.load_pem_x509_csr(SHOP.encode()).public_bytes(Encoding.DER)
    (tmp_path / "forged.csr").write_text(pem(forged[:-1] + bytes([forged[-1] ^ 1])))
    (tmp_path / "binary.csr").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "both.pem").write_text(secret + SHOP)
    for options, message in (
        ({"csr": SHOP, "csr_file": str(tmp_path / "x.csr")}, '"csr" and "csr_file" exclude each other'),
        ({"csr": SHOP, "key_dest": str(tmp_path / "x.key")}, "the key of a request stays where it is"),
        ({"csr": SHOP, "private_key_format": "pkcs8"}, "the key of a request stays where it is"),
        ({"csr": SHOP, "role": None}, '"role" is missing'),
        ({"csr": ""}, "holds no certificate signing request"),
        ({"csr": "a request"}, "holds no certificate signing request"),
        ({"csr": SHOP + request("b.example.com")}, "holds more than one certificate signing request"),
        ({"csr": broken}, "cannot be read"),
        ({"csr_file": str(tmp_path / "forged.csr")}, "is not signed by the key that it is for"),
        ({"csr_file": str(tmp_path / "binary.csr")}, "cannot be read (it is not text)"),
        ({"csr": secret + SHOP}, "holds a private key"),
        ({"csr_file": str(tmp_path / "both.pem")}, "holds a private key"),
    ):
        for check in (True, False):
            refused = signed(**options, check=check)
            assert refused.failed and message in refused.msg, (message, refused.msg)
            assert secret.splitlines()[1] not in refused.stdout
    refused = signed(csr=SHOP, role="nowhere")
    assert refused.failed and 'has no role "nowhere"' in refused.msg
    assert stored(openbao, mount) == before


def test_names_that_the_server_writes_otherwise(
    certificate: Run, openbao: VaultServer, mount: str, files: dict[str, str]
) -> None:
    before = stored(openbao, mount)
    refused = certificate(**files, role="web", common_name="münchen.example.com")
    assert refused.failed and "each run would issue another" in refused.msg and "xn--mnchen-3ya" in refused.msg, (
        refused.msg
    )
    (useless,) = stored(openbao, mount) - before
    assert revoked(openbao, mount, useless) and not os.path.exists(files["cert_dest"])


def pem(data: bytes) -> str:
    """Return a request as PEM."""
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"
