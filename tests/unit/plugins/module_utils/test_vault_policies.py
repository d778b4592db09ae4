# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure logic of policies: templates and password policies."""

from __future__ import annotations

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system import (
    audit,
    password_policy,
    policy_text,
)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{identity.entity.aliases[kubernetes].metadata.x}}", "{{identity.entity.aliases.<kubernetes>.metadata.x}}"),
        ("{{ identity.entity.aliases[auth/k8s/eu/].name }}", "{{ identity.entity.aliases.<k8s/eu>.name }}"),
        ("{{identity.entity.aliases.auth_jwt_1.name}}", "{{identity.entity.aliases.auth_jwt_1.name}}"),
        ("{{identity.entity.id}}/aliases[x]", "{{identity.entity.id}}/aliases[x]"),
        ("identity.entity.aliases[x]", "identity.entity.aliases[x]"),
        (
            "{{identity.entity.aliases[a].id}}{{identity.entity.aliases[b.c].id}}",
            "{{identity.entity.aliases.<a>.id}}{{identity.entity.aliases.<b.c>.id}}",
        ),
    ],
)
def test_accessors(text: str, filled: str) -> None:
    assert policy_text.fill_accessors(text, lambda path: f"<{path}>") == filled


def test_accessors_are_not_asked_for_without_a_template() -> None:
    def never(path: str) -> str:
        raise AssertionError(path)

    text = 'path "secret/*" { capabilities = ["read"] }'
    assert policy_text.fill_accessors(text, never) == text


def test_a_rendered_password_policy_is_read_back() -> None:
    rules = [{"charset": 'a"\\b'}, {"charset": "09", "min_chars": 2}]
    assert password_policy.parse(password_policy.render(12, rules)) == {
        "length": 12,
        "rules": [{"charset": 'a"\\b', "min_chars": 0}, {"charset": "09", "min_chars": 2}],
    }


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('length=8 rule "charset" {charset="ba"}', True),
        ('# x\nlength = 8 // y\n/* z\n */ rule "charset" {\n  charset = "aabb"\n  min-chars = 0\n}', True),
        ('length=9 rule "charset" {charset="ab"}', False),
        ('length=8 rule "charset" {charset="ab" min-chars=1}', False),
        ('length=8 rule "charset" {charset="ab"} rule "charset" {charset="c"}', False),
        ('length=8 rule "other" {charset="ab"}', False),
        ('{"length": 8}', False),
        ("", False),
    ],
)
def test_when_password_policies_are_the_same(text: str, same: bool) -> None:
    wanted = password_policy.render(8, [{"charset": "ab"}])
    assert (password_policy.canonical(text) == password_policy.canonical(wanted)) is same


def test_no_interpolation_in_a_charset() -> None:
    text = password_policy.render(8, [{"charset": "a${b"}])
    assert "${" not in text
    assert password_policy.parse(text)["rules"][0]["charset"] == "a{$b"


def test_audit_options() -> None:
    assert audit.meaning({"path": "/x", "log_raw": "false", "format": "json"}) == {"file_path": "/x"}
    assert audit.meaning({"file_path": "/x", "log_raw": "yes"}) == {"file_path": "/x", "log_raw": True}
    assert audit.meaning({"log_raw": "1"}) == audit.meaning({"log_raw": True})
    assert audit.meaning({"hmac_accessor": False}) == {"hmac_accessor": False}
    assert audit.meaning(None) == {}
