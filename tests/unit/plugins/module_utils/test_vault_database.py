# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placeholders, statements and misplaced passwords of database connections and roles."""

from __future__ import annotations

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.database import secrets, statements


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://{username}:{password}@db:5432/x", []),
        ("postgresql://{{username}}:{{ password }}@db:5432/x", []),
        ("{{username}}:{{password}}@tcp(db:3306)/", []),
        ("host=db user={{username}} password={{password}} dbname=x", []),
        ("postgresql://db:5432/x?options=a:b", []),
        ("postgresql://me:pa:ss@db/x", ["pa:ss"]),
        ("me:s3cret@tcp(db:3306)/", ["s3cret"]),
        ("host=db password=s3cret user=me", ["s3cret"]),
        ("sqlserver://db:1433?user=me&Password=s3cret&x=y", ["s3cret"]),
        (None, []),
    ],
)
def test_url_passwords(url: str | None, found: list[str]) -> None:
    assert secrets.url_passwords(url) == found


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("CREATE ROLE \"{name}\" PASSWORD '{password}', x", ["CREATE ROLE \"{{name}}\" PASSWORD '{{password}}', x"]),
        (["GRANT a, b TO {{name}}  ", ""], ["GRANT a, b TO {{name}}"]),
        (
            '{ "db": "admin", "roles": [{ "role": "{name}" }] }',
            ['{ "db": "admin", "roles": [{ "role": "{{name}}" }] }'],
        ),
        (["{other} {expiration}"], ["{other} {{expiration}}"]),
        (None, []),
    ],
)
def test_statements(value: object, wanted: list[str]) -> None:
    assert statements.statements(value) == wanted


def test_secrets_are_found_where_none_belongs() -> None:
    items = [{"connection_url": "x://a:one@h", "options": {"private_key": "two", "tls_ca": "three"}}, {}]
    assert list(secrets.secrets_of(items)) == ["one", "two"]
