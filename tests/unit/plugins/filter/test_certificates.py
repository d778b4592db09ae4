# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role vault_certificates decides: what is wrong with a declaration, what is due, what must not be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.filter.certificates import (
    vault_certificates_due,
    vault_certificates_refused,
    vault_certificates_resolved,
    vault_certificates_served,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._host import tls
from support.local import Authority, Pair

PKI = {"source": "pki", "role": "web", "common_name": "localhost", "sans": ["127.0.0.1", "kubernetes.default.svc"]}
FILES = {"source": "files", "cert_src": "/x.crt", "key_src": "/x.key", "sans": ["localhost"]}
PLACES = {"name": "web", "cert_file": "/tls/web.crt", "key_file": "/tls/web.key"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "ca")


def resolved(**fields: Any) -> dict[str, Any]:
    """The one pair that is declared."""
    found = vault_certificates_resolved([{**PLACES, **PKI, **fields}])
    assert found["problems"] == []
    return dict(found["pairs"])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"role": None}, "role is missing, which the source pki needs"),
        ({"common_name": ""}, "common_name is missing"),
        ({"cert_src": "/x"}, "cert_src does not go with the source pki"),
        ({"ca_dir": "/ca", "days": 9}, "ca_dir and days does not go with"),
        ({"cert_file": "web.crt"}, "cert_file is not an absolute path"),
        ({"service": "nginx", "reload_command": ["true"]}, "contradict each other"),
        ({"url": "http://localhost"}, "is not an https address"),
        ({"renew_before": "soon"}, "is not a duration"),
        ({"renew_before": "-1d"}, "is negative"),
        ({"key_file": "/tls/web.crt"}, "/tls/web.crt is the file of another pair too"),
        ({**FILES, "role": None, "common_name": None, "ca_file": "/tls/ca.crt"}, "ca_file needs ca_src"),
    ],
)
def test_a_declaration_that_cannot_be_right_is_refused(fields: dict[str, Any], said: str) -> None:
    found = vault_certificates_resolved([{**PLACES, **PKI, **fields}])["problems"]
    assert any(said in one and one.startswith('vault_certificates_pairs "web": ') for one in found), found


def test_two_pairs_have_names_and_files_of_their_own() -> None:
    twice = {**PLACES, **PKI}
    assert "stands twice" in vault_certificates_resolved([twice, twice])["problems"][0]
    found = vault_certificates_resolved([twice, {**twice, "name": "other", "key_file": "/tls/other.key"}])["problems"]
    assert found == [
        'vault_certificates_pairs "other": /tls/web.crt is the file of another pair too; give each file its own path'
    ]


def test_names_are_those_by_which_clients_come() -> None:
    pair = resolved(sans=["*.example.com", "URI:spiffe://x", "192.0.2.1", "::1"])["web"]
    assert pair["request_sans"] == ["DNS:localhost", "DNS:*.example.com", "URI:spiffe://x", "IP:192.0.2.1", "IP:::1"]
    assert pair["names"] == ["localhost", "192.0.2.1", "::1"]


def look(pair: Pair, **more: Any) -> dict[str, Any]:
    """What vault_host_state tells of a pair on a host."""
    files = {
        PLACES[name]: {"type": "file", "mode": mode} for name, mode in (("cert_file", "0644"), ("key_file", "0600"))
    }
    names = ["localhost", "127.0.0.1"]
    examined = tls.examine(str(pair.cert), str(pair.key), names=names)
    return {"item": "web", "files": files, "certificate": examined, **more}


def test_what_is_due_is_named_with_its_reason(authority: Authority) -> None:
    good, near, ended = (authority.issue(str(days), days=(-10, days)) for days in (20, 4, -1))

    def due(found: dict[str, Any], **fields: Any) -> list[str]:
        return list(vault_certificates_due([found], resolved(**fields))["renew"].get("web", []))

    assert due(look(good)) == []
    # a third of 14 days is more than 4
    assert due(look(near)) == ["it ends soon"]
    assert due(look(near), renew_before="25%") == due(look(near), renew_before="3d") == []
    assert due(look(good), renew_before="80%") == due(look(good), renew_before="21d") == ["it ends soon"]
    assert due(look(ended)) == ["it has expired"]
    # of a CA whose clock is an hour ahead
    assert due(look(authority.issue("ahead", days=(1 / 24, 20)))) == ["it is not yet valid"]
    assert due(look(good), sans=["127.0.0.1"]) == ["its names are not as declared"]
    assert due(look(Pair(good.cert, near.key))) == ["the key does not belong to the certificate"]
    missing = {**look(good), "files": {}, "certificate": {"pem": "", "has_key": False}}
    assert due(missing) == ["/tls/web.crt is missing", "/tls/web.key is missing"]
    by_ca = {"source": "ca", "role": None, "ca_dir": "/ca"}
    own = {"pem": authority.ca.read_text(), "has_key": True}
    assert due(look(good, authority=own), **by_ca) == []
    assert due(look(good, authority={**own, "pem": good.cert.read_text()}), **by_ca) == [
        "it is not of the CA that signs"
    ]
    (said,) = vault_certificates_due([look(good, authority={"pem": "", "has_key": False})], resolved(**by_ca))[
        "problems"
    ]
    assert "holds no ca.crt with its ca.key" in said


def test_a_service_that_presents_another_certificate_reloads(authority: Authority) -> None:
    good, other = authority.issue("good", days=(-1, 20)), authority.issue("other", days=(-1, 20))
    for served, expected in ((good, []), (other, ["web"])):
        found = look(good, presented={"https://localhost": served.cert.read_text()})
        assert vault_certificates_due([found], resolved(url="https://localhost"))["reload"] == expected
        assert vault_certificates_served(found) is (expected == [])
    # one that does not answer is told by its own monitoring, and is no proof after a reload
    silent = look(good, presented={})
    assert vault_certificates_due([silent], resolved(url="https://localhost"))["reload"] == []
    assert vault_certificates_served(silent) is False


def test_a_file_with_another_mode_is_no_reason_to_renew(authority: Authority) -> None:
    found = look(authority.issue("mode", days=(-1, 20)))
    found["files"]["/tls/web.key"]["mode"] = "0644"
    result = vault_certificates_due([found], resolved(owner="web"))
    assert result["renew"] == {} and {"path": "/tls/web.key", "mode": "0600", "owner": "web"} in result["attributes"]


def test_copies_that_a_cut_run_left_are_named_unless_a_renewal_removes_them(authority: Authority) -> None:
    found = look(authority.issue("left", days=(-1, 20)))
    found["files"].update(
        {"/tls/web.key.vault-old": {"type": "file", "mode": "0600"}, "/tls/web.crt.vault-new": {"type": "missing"}}
    )
    assert resolved()["web"]["copies"] == [
        "/tls/web.key.vault-new",
        "/tls/web.key.vault-old",
        "/tls/web.crt.vault-new",
        "/tls/web.crt.vault-old",
    ]
    assert vault_certificates_due([found], resolved())["left"] == ["/tls/web.key.vault-old"]
    assert vault_certificates_due([found], resolved(sans=["127.0.0.1"]))["left"] == []


def test_a_new_pair_that_would_not_do_is_refused(authority: Authority, tmp_path: Path) -> None:
    good, early = authority.issue("n", days=(-1, 20)), authority.issue("early", days=(0.05, 20))
    pair = resolved()["web"]
    assert vault_certificates_refused(look(good), pair) == []
    assert "is not yet valid" in vault_certificates_refused(look(early), pair)[0]
    assert "does not belong" in vault_certificates_refused(look(Pair(good.cert, early.key)), pair)[0]
    (said,) = vault_certificates_refused(look(good), {**pair, "renew_before": "30d"})
    assert "the next run would have to replace the new certificate, as it ends soon" in said
