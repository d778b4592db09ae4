# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CA is replaced by a bundle, step by step, from wherever a run was cut."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.secretops.vault_eso.plugins.filter.server_ca import (
    vault_server_ca_lagging,
    vault_server_ca_plan,
    vault_server_ca_untrusting,
)

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def signed(key: Any, signer: Any) -> str:
    """Return a certificate in PEM; subject and issuer have the same name, as those of two CAs of one role."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault CA")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(START)
    built = builder.not_valid_after(START + datetime.timedelta(days=9)).sign(signer, hashes.SHA256())
    return built.public_bytes(serialization.Encoding.PEM).decode().strip()


KEYS = [ec.generate_private_key(ec.SECP256R1()) for _one in range(3)]
OLD, NEW = (signed(key, key) for key in KEYS[:2])
OTHER = signed(KEYS[2], KEYS[2])
#: the certificate of a server by each CA
BY_OLD, BY_NEW = (signed(KEYS[2], key) for key in KEYS[:2])


class Files:
    """The files of a CA: certificates and the key's own certificate, for the directory and the two in it."""

    def __init__(self) -> None:
        self.files: dict[str, Any] = {"ca.crt": [OLD], "ca.key": OLD}

    def seen(self, folder: str = "") -> dict[str, Any]:
        """What the module vault_host_state tells of a directory."""
        pems, key = self.files.get(folder + "ca.crt", []), self.files.get(folder + "ca.key")
        wrong = "" if key and key == (pems or [""])[0] else "other" if key and pems else "unreadable"
        return {"pem": "".join(f"{pem}\n" for pem in pems), "has_key": not wrong, "key": wrong if pems else ""}

    def plan(self, step: str, **served: str) -> dict[str, Any]:
        """The plan of a step."""
        presented = {name: {"https://192.0.2.1:8200": pem} if pem else {} for name, pem in served.items()}
        places = (self.seen(folder) for folder in ("", "next/", "former/"))
        return vault_server_ca_plan(*places, step, "/ca", served=presented)

    def writes(self, step: str, **served: str) -> Iterator[None]:
        """Do what the tasks of the role do, one write after the other, in their order."""
        plan = self.plan(step, **served)
        assert plan["problem"] == "", plan
        if plan["make"]:
            self.files.setdefault("next/ca.key", NEW)
            yield
            self.files["next/ca.crt"] = [NEW]
            yield
            plan = self.plan(step)
        if plan["former"]:
            self.files["former/ca.key"] = self.files["ca.key"]
            yield
            self.files["former/ca.crt"] = [plan["former"].strip()]
            yield
        if plan["bundle"]:
            self.files["ca.crt"] = [
                f"{one}-----END CERTIFICATE-----" for one in plan["bundle"].split("-----END CERTIFICATE-----\n") if one
            ]
            yield
        if plan["swap"]:
            self.files["ca.key"] = self.files["next/ca.key"]
            yield
            self.files.pop("next/ca.key")
            yield
            self.files.pop("next/ca.crt")


STEPS: list[tuple[str, dict[str, str], list[str], str]] = [
    ("trust", {}, [OLD, NEW], OLD),
    ("sign", {}, [NEW, OLD], NEW),
    ("drop", {"vault-1": BY_NEW, "vault-2": BY_NEW}, [NEW], NEW),
]


def test_a_replacement_is_completed_from_wherever_it_was_cut() -> None:
    files, cuts = Files(), 0
    for step, served, bundle, key in STEPS:
        whole = len(list(copy.deepcopy(files).writes(step, **served)))
        for after in range(whole + 1):
            cut = copy.deepcopy(files)
            for _number, _write in zip(range(after), cut.writes(step, **served)):
                cuts += 1
            # what was cut is completed by the same step, and a second run of it changes nothing
            list(cut.writes(step, **served))
            assert (cut.files["ca.crt"], cut.files["ca.key"]) == (bundle, key), (step, after)
            once = copy.deepcopy(cut.files)
            list(cut.writes(step, **served))
            assert cut.files == once
            plan = cut.plan(step, **served)
            assert not plan["make"] and not plan["bundle"] and not plan["swap"]
        list(files.writes(step, **served))
    assert cuts > 10
    assert files.files["former/ca.crt"] == [OLD] and files.files["former/ca.key"] == OLD
    # and another replacement begins from there
    assert files.plan("trust")["make"] is True


def test_other_trusted_cas_stay_in_the_bundle() -> None:
    files = Files()
    files.files["ca.crt"] = [OLD, OTHER]
    for step, served, _bundle, _key in STEPS:
        list(files.writes(step, **served))
    assert files.files["ca.crt"] == [NEW, OTHER]


def test_a_step_out_of_turn_is_refused() -> None:
    files = Files()
    assert "begin with that" in files.plan("sign")["problem"]
    assert files.plan("drop")["problem"] == "" and files.plan("drop")["bundle"] == ""
    list(files.writes("trust"))
    assert "does not sign yet" in files.plan("drop")["problem"]
    for _number, _write in zip(range(3), files.writes("sign")):
        pass
    assert "was cut" in files.plan("trust")["problem"] and "was cut" in files.plan("drop")["problem"]
    list(files.writes("sign"))
    assert "end that first" in files.plan("trust")["problem"]
    files.files = {}
    assert "holds no CA" in files.plan("trust")["problem"]
    files.files = {"ca.crt": [OLD], "ca.key": OTHER}
    assert "does not belong to the first certificate" in files.plan("trust")["problem"]
    with pytest.raises(AnsibleFilterError, match="trust, sign, drop"):
        files.plan("swap")


def test_nothing_is_dropped_while_a_server_lacks_the_new_certificate() -> None:
    files = Files()
    for step in ("trust", "sign"):
        list(files.writes(step))
    plan = files.plan("drop", **{"vault-1": BY_NEW, "vault-2": BY_OLD, "vault-3": ""})
    assert "vault-2 and vault-3 present no certificate of the new CA" in plan["problem"] and plan["bundle"] == ""
    assert vault_server_ca_lagging({"a": {"u": BY_NEW}, "b": {}}, f"{NEW}\n{OLD}\n") == ["b"]
    assert vault_server_ca_lagging({"a": {"u": BY_NEW}}, "") == ["a"]


def test_stores_that_trust_the_old_ca_alone_are_named() -> None:
    plan = {"old": OLD, "new": NEW}
    store = {"kind": "SecretStore", "namespace": "apps", "name": "vault"}
    found = {
        "stores": [
            {**store, "ca_bundle": OLD},
            {**store, "name": "both", "ca_bundle": f"{NEW}\n{OLD}"},
            {**store, "name": "elsewhere", "ca_bundle": OTHER},
            {**store, "name": "system", "ca_bundle": ""},
            {"kind": "ClusterSecretStore", "name": "all", "ca_bundle": f"{OTHER}\n{OLD}\n"},
        ],
        "generators": [{"kind": "VaultDynamicSecret", "namespace": "apps", "name": "db", "ca_bundle": OLD}],
    }
    assert vault_server_ca_untrusting(found, plan) == [
        "SecretStore apps/vault",
        "ClusterSecretStore all",
        "VaultDynamicSecret apps/db",
    ]
    assert vault_server_ca_untrusting(found, {"old": "", "new": NEW}) == []
