# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, redirects and pauses."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput, SecretopsError
from ansible_collections.secretops.vault_eso.plugins.module_utils._http import rules

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
NAMED = [rules.Origin("https", "a.example.com", 8200), rules.Origin("https", "b.example.com", 443)]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0.2),
        ("3", 3),
        ("0", 0.2),
        ("-1", 0.2),
        ("soon", 0.2),
        ("1.5", 0.2),
        ("99999999999999999999", 0.2),
        ("600", 5),
        ("Thu, 01 Jan 2026 00:00:02 GMT", 2),
        ("Thu, 01 Jan 2026 01:00:00 GMT", 5),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0.2),
        ("Thu, 99 Foo 2026 00:00:02 GMT", 0.2),
    ],
)
def test_a_pause_is_what_the_server_asks_for_within_the_limit(header: str, seconds: float) -> None:
    assert rules.pause(0, header, NOW) == seconds


def test_pauses_grow_up_to_a_limit() -> None:
    assert [rules.pause(attempt) for attempt in (0, 1, 2, 9, 1000)] == [0.2, 0.4, 0.8, 5, 5]


@pytest.mark.parametrize(
    ("status", "location", "refused"),
    [
        (307, "https://b.example.com/v1/x", ""),
        (308, "https://A.example.com:8200/v1/x", ""),
        (307, "/v1/x", ""),
        (301, "/v1/x", "it would turn a write into a read"),
        (302, "https://b.example.com/v1/x", "it would turn a write into a read"),
        (303, "https://b.example.com/v1/x", "it would turn a write into a read"),
        (307, "http://a.example.com:8200/v1/x", "it would send the request in clear"),
        (307, "https://a.example.com/v1/x", "that is not an address that was named"),
        (307, "https://c.example.com:8200/", "that is not an address that was named"),
        (307, "//c.example.com/v1/x", "that is not an address that was named"),
        (307, "https://user@b.example.com/", "it does not say where to"),
        (307, "", "it does not say where to"),
        (307, "https://[::1", "it does not say where to"),
        (307, "ftp://b.example.com/", "it does not say where to"),
    ],
)
def test_redirects(status: int, location: str, refused: str) -> None:
    assert rules.redirect(status, "https://a.example.com:8200/v1/y", location, NAMED).refused == refused


@pytest.mark.parametrize(
    "url",
    [
        "vault.example.com",
        "https://",
        "https://[::1",
        "https://host:port",
        "https://host:0",
        "https://ho st",
        "https://host\n",
        "ftp://host",
        "https://user:hunter2@host",
        "https://host/?a=b",
        "https://host#x",
        "https://%s.example.com" % ("a" * 300),
        "https://a..b.example.com",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        rules.check_url(url, "url", "https://host:8200")
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize(
    "url", ["https://host", "http://127.0.0.1:8200/", "https://[::1]:8200", "https://münchen.example/a/"]
)
def test_what_is_an_address(url: str) -> None:
    assert rules.check_url(url, "url", "x") == url.rstrip("/")


def test_an_object_is_named_once() -> None:
    error = SecretopsError("is wrong", 'auth role "x": auth/a/role/x').at('auth role "x"')
    assert str(error) == 'auth role "x": auth/a/role/x: is wrong'
    assert str(SecretopsError("is wrong", "path").at('role "x"').at('role "x"')) == 'role "x": path: is wrong'
